"""Bugs that can be planted in the engine of `bench.chaos.engine`, to see that they are found.

A harness that finds none of them would prove nothing. Each has its like among the bugs of the simulation
(`tests/scenario/sync/test_simulation.py`); here it meets real processes, and is judged by what arrived at the sandbox.
"""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from sync.claim_facts import ClaimFacts, ClaimRequest
from sync.engine import Engine
from sync.firings import ClaimResult, Firings
from sync.ledger import Ledger
from sync.posting import Shot
from sync.receipts import FiringRecord
from sync.shooter import Shooter
from sync.states import Mode
from sync.tweets import request_body


def claim_after_send() -> None:
    """The tweet leaves first, and what has left is claimed then."""
    claimed = Shooter._claimed

    async def sent(self: Shooter, request: ClaimRequest, claim: Awaitable[ClaimResult]) -> FiringRecord | None:
        intent = request.intent
        if not request.arm_only and intent.texts and not self._stop_reason():
            body = request_body(intent.texts[0], paid_partnership=intent.cue.paid_partnership).encode()
            deadline_ns = intent.deadline_mono_ns
            shot = Shot(firing_id=0, account_id=intent.cue.account_id, body=body, deadline_mono_ns=deadline_ns)
            await self._publishers[Mode.LIVE].post(shot, lambda: None)
        return await claimed(self, request, claim)

    _plant(Shooter, "_claimed", sent)


def recovery_sends_again() -> None:
    """What an engine had claimed when it died is sent by the next one."""
    take_up = Engine._take_up_unsettled

    async def taken_up(self: Engine) -> None:
        for record in self._firings.unsettled(claimed_after_utc=self._clock.utc() - timedelta(hours=1)):
            if record.reason.startswith("the engine stopped"):
                self._tasks.begin(_send(self, record), name="again")
        await take_up(self)

    async def _send(self: Engine, record: FiringRecord) -> None:
        await self._shooter._shoot(dataclasses.replace(record, deadline_mono_ns=record.deadline_mono_ns + 10**11))

    _plant(Engine, "_take_up_unsettled", taken_up)


def recovery_forgets() -> None:
    """A new engine does not look for what the old one had begun."""

    def recover(self: Firings) -> tuple[FiringRecord, ...]:  # noqa: ARG001 - as the one it replaces
        return ()

    _plant(Firings, "recover", recover)


def kill_of_one_process() -> None:
    """A kill is acknowledged, and not written: an engine that is started again does not know of it."""

    def kill(self: Firings, *, actor: str, reason: str) -> Any:  # noqa: ARG001 - as the one it replaces
        return self._ledger.switch(), ()

    _plant(Firings, "kill", kill)


def no_epoch() -> None:
    """An engine does not notice that another one has taken over."""
    facts, may_send = ClaimFacts.read, Firings.may_send

    def unfenced(self: ClaimFacts, *arguments: Any) -> Any:
        claimed, seen = facts(self, *arguments)
        return claimed, dataclasses.replace(seen, fenced=False)

    def may(self: Firings, mode: Mode) -> str:
        reason = may_send(self, mode)
        return "" if "FENCED" in reason else reason

    def beat(self: Ledger, epoch: int) -> None:  # noqa: ARG001 - as the one it replaces
        return

    _plant(Ledger, "beat", beat)
    _plant(ClaimFacts, "read", unfenced)
    _plant(Firings, "may_send", may)


def _plant(owner: Any, name: str, work: Callable[..., Any]) -> None:
    setattr(owner, name, work)


BUGS: Mapping[str, Callable[[], None]] = MappingProxyType(
    {bug.__name__: bug for bug in (claim_after_send, recovery_sends_again, recovery_forgets, kill_of_one_process, no_epoch)}
)
