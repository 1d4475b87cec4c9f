"""Named steps of an engine at which it can be made to die, as by `kill -9`.

Only the engine of `bench.chaos.engine` knows them: it wraps the engine's functions at its start and reads its fuse from a file.
The engine that `cuebird serve` runs has no such thing.
"""

import enum
import functools
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sync.audit
from sync.audit import AuditChain
from sync.claim_facts import ClaimRequest
from sync.commands import Commands
from sync.firings import Firings
from sync.ledger import Ledger
from sync.reconciler import Reconciler
from sync.shooter import Shooter
from sync.signed_client import SignedClient

FUSE_NAME = "fuse.json"
ENGINE_OPENED = "engine_opened"
"""The audit record of an engine that takes the ledger over."""


class Step(enum.StrEnum):
    """Where an engine dies; a transaction's steps lie before its commit."""

    TAKING_OVER = "taking over the ledger, in the transaction"
    RECOVERING = "recovering, in the transaction"
    RECOVERED = "recovered, nothing followed up yet"
    ARMING = "arming, in the transaction"
    DUE = "armed and due, before the claim"
    BEFORE_CLAIM = "before the claim"
    CLAIMING = "in the claim's transaction"
    CLAIMED = "claimed, before the first byte"
    FIRST_BYTE = "after the first byte"
    ANSWERED = "answered, before the outcome is written"
    SETTLING = "in the outcome's transaction"
    SETTLED = "outcome written, before anybody is told"
    RECONCILING = "reading the timeline for an unknown firing"
    RESOLVING = "before what the timeline says is written"
    KILLING = "in the kill switch's transaction"
    KILLED = "killed, before the answer"
    BEATING = "after a heartbeat"
    ANCHORING = "before the audit record is anchored"


AT_START = frozenset({Step.TAKING_OVER, Step.RECOVERING, Step.RECOVERED})
"""Steps that only an engine that starts goes through."""
OF_A_KILL = frozenset({Step.KILLING, Step.KILLED})
"""Steps that only the kill switch leads to."""


class Fuse:
    """Ends this process at a step, the so manyth time it is reached."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / FUSE_NAME
        self._step: Step | None = None
        self._passes = 0

    def read(self) -> None:
        """Take what the file says; without one this process lives on."""
        try:
            order = json.loads(self._path.read_text())
        except FileNotFoundError:
            self._step = None
            return
        self._step, self._passes = Step(order["step"]), int(order["passes"])

    def reached(self, step: Step) -> None:
        """Pass, or die."""
        if step is not self._step:
            return
        self._passes -= 1
        if self._passes <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


def lay_fuse(state_dir: Path, step: Step | None, passes: int = 1) -> None:
    """Say where the engine of a state folder dies; None: nowhere. It reads this at its start and at SIGUSR1."""
    path = state_dir / FUSE_NAME
    if step is None:
        path.unlink(missing_ok=True)
        return
    written = path.with_suffix(".new")
    written.write_text(json.dumps({"step": step.value, "passes": passes}))
    written.replace(path)


def install(fuse: Fuse) -> None:
    """Wrap the engine's functions in this process."""

    def claimed_one(*arguments: Any) -> None:
        request = next(one for one in arguments if isinstance(one, ClaimRequest))
        fuse.reached(Step.ARMING if request.arm_only else Step.CLAIMING)

    def recorded(*arguments: Any) -> None:
        if ENGINE_OPENED in arguments:
            fuse.reached(Step.TAKING_OVER)

    before(Firings, "claim_together", _at(fuse, Step.BEFORE_CLAIM))
    after(Firings, "_claim_one", claimed_one)
    after(Firings, "_settle_one", _at(fuse, Step.SETTLING))
    after(Firings, "settle_together", _at(fuse, Step.SETTLED))
    after(Firings, "_recover_one", _at(fuse, Step.RECOVERING))
    after(Firings, "recover", _at(fuse, Step.RECOVERED))
    before(Shooter, "_shoot", _at(fuse, Step.CLAIMED))
    before(Shooter, "_settle", _at(fuse, Step.ANSWERED))
    before(Shooter, "_fire_armed", _at(fuse, Step.DUE))
    before(SignedClient, "_answer", _at(fuse, Step.FIRST_BYTE))
    before(Reconciler, "_look", _at(fuse, Step.RECONCILING))
    before(Reconciler, "_resolve", _at(fuse, Step.RESOLVING))
    before(Commands, "_tell_killed", _at(fuse, Step.KILLED))
    after(Ledger, "kill_in", _at(fuse, Step.KILLING))
    after(Ledger, "beat", _at(fuse, Step.BEATING))
    after(AuditChain, "append", recorded)
    before(sync.audit, "_write_anchor", _at(fuse, Step.ANCHORING))


def before(owner: Any, name: str, look: Callable[..., None]) -> None:
    """Have `look` called with a function's arguments before it begins."""
    work = getattr(owner, name)

    @functools.wraps(work)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        look(*arguments)
        return work(*arguments, **options)

    setattr(owner, name, wrapped)


def after(owner: Any, name: str, look: Callable[..., None]) -> None:
    """Have `look` called with a function's arguments once it has returned; not for coroutines."""
    work = getattr(owner, name)

    @functools.wraps(work)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        result = work(*arguments, **options)
        look(*arguments)
        return result

    setattr(owner, name, wrapped)


def _at(fuse: Fuse, step: Step) -> Callable[..., None]:
    return lambda *_: fuse.reached(step)
