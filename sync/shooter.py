"""The firing path: an intent in, a firing at rest out. Claim, post, settle, and every instant recorded.

What happens between the claim and the recorded outcome is shielded: cancelling the engine lets it
finish. A firing that could not finish (the process died) is found CLAIMED by the next engine.
"""

import asyncio
import functools
import hashlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sync.claim_facts import ClaimRequest
from sync.cues import Cue
from sync.decide import Intent
from sync.errors import FencedError, IllegalTransitionError, LedgerError
from sync.finishing import finished
from sync.firing_timer import FiringTimer
from sync.firings import ClaimResult, Firings, Settlement
from sync.gate import Guard
from sync.group_commit import GroupCommit
from sync.media import MediaStanding
from sync.posting import Certainty, Outcome, Publisher, Shot
from sync.receipts import FiringRecord, log_firing
from sync.states import Action, FiringState, Mode
from sync.tasks import Tasks
from sync.writer import Writer
from timebase import Backoff, Clock

ATTEMPTS_MAX = 3
"""Tries of one claim while each is proved not sent and the deadline has not passed."""
RETRY_WAIT_S = 0.02
ANSWER_WAIT_S = 60.0
"""Longest wait for a publisher; its own timeout ends sooner. Past it the outcome is unknown."""
SETTLE_ATTEMPTS_MAX = 600
"""Tries to write an outcome into a ledger in trouble, some minutes in all; then the next engine reads the timeline."""

AccountFaults = Callable[[str], Mapping[Mode, str]]
"""Why an account cannot post, by mode; modes in which it can are left out."""

_log = logging.getLogger(__name__)


class Shooter:
    """Fires intents and takes tweets down.

    Args:
        publishers: by mode; a mode without one is declined by the gate.
        timer: ends audience delays.
        stop_reason: why nothing may be sent any more in this process, empty while it may (kill, shutdown);
            asked right before the first byte, together with the ledger.
        withdrawn: why an occurrence does not stand any more; empty while it does.
        play_restarted: returns once a fixture's play has gone on after an instant.
        agreed: the intent once its second source agrees, or has had its time.
        media: which of a cue's media can be posted now, by mode and upload key.
        show: shown a firing that has been claimed; must not take the time the first byte waits for.
        announce: told of every other record that changes.
        alarm: told of what a person should know.
    """

    def __init__(
        self,
        *,
        firings: Firings,
        publishers: Mapping[Mode, Publisher],
        writer: Writer,
        clock: Clock,
        timer: FiringTimer,
        stop_reason: Callable[[], str],
        withdrawn: Callable[[str], str],
        play_restarted: Callable[[str, datetime], Coroutine[Any, Any, None]],
        agreed: Callable[[Intent], Coroutine[Any, Any, Intent]],
        media: Callable[[Cue], Mapping[Mode, Mapping[str, MediaStanding]]],
        show: Callable[[FiringRecord], None],
        announce: Callable[[FiringRecord], Awaitable[None]],
        alarm: Callable[[str, str], Awaitable[None]],
    ) -> None:
        self._firings, self._publishers, self._writer = firings, publishers, writer
        self._clock, self._timer = clock, timer
        # A kill waits for the one that is being written, not for the whole group.
        claim = functools.partial(firings.claim_together, hurry=writer.is_urgent)
        settle = functools.partial(firings.settle_together, hurry=writer.is_urgent)
        self._claims = GroupCommit(writer, claim, turn=lambda request: request.intent.cue.account_id)
        self._settlements = GroupCommit(writer, settle, turn=lambda _: "")
        self._stop_reason, self._withdrawn = stop_reason, withdrawn
        self._play_restarted, self._agreed, self._media = play_restarted, agreed, media
        self._show, self._announce, self._alarm = show, announce, alarm

    def begin(self, intent: Intent, account_faults: AccountFaults, tasks: Tasks) -> "asyncio.Task[None] | None":
        """Bring an intent to rest in a task: wait for its audience delay, its confirmation and its second source, claim, post,
        settle.

        The task fails with a `FencedError` when another engine has taken over; nothing was claimed then.
        """
        name = f"fire {intent.occurrence_id}"
        alone = intent.quorum is not None and not intent.quorum.agrees
        if intent.fire_mono_ns > self._clock.mono_ns() or intent.restart_of is not None or alone:
            return tasks.begin(self._arm_and_fire(intent, account_faults), name=name)
        # Asked for in this very turn of the loop, once somebody waits for it.
        request = self._request(intent, account_faults)
        claimed: asyncio.Future[ClaimResult] = asyncio.get_running_loop().create_future()
        shot = tasks.begin_finishing(self._shoot_claimed(request, claimed), name=name)
        if shot is not None:
            self._claims.ask(request, claimed)
        return shot

    async def _arm_and_fire(self, intent: Intent, account_faults: AccountFaults) -> None:
        armed_id = await finished(self._arm(self._request(intent, account_faults, arm_only=True)))
        if armed_id is None:
            return
        await self._timer.until(intent.fire_mono_ns)
        if intent.restart_of is not None:
            await self._until_restart(intent, intent.restart_of)
        intent = await self._agreed(intent)
        await finished(self._fire_armed(intent, account_faults, armed_id))

    async def _fire_armed(self, intent: Intent, account_faults: AccountFaults, armed_id: int) -> None:
        request = self._request(intent, account_faults, armed_id=armed_id)
        await self._shoot_claimed(request, self._claims.ask(request))

    async def take_down(self, posted: FiringRecord, *, deadline_mono_ns: int, on_air_mono_ns: int, heard_mono_ns: int) -> None:
        """Delete a posted tweet whose goal was taken back: one DELETE at most, whatever happens.

        Raises:
            FencedError: another engine has taken over; nothing was claimed.
        """
        claim = self._writer.run(
            self._firings.claim_delete,
            posted,
            deadline_mono_ns=deadline_mono_ns,
            on_air_mono_ns=on_air_mono_ns,
            heard_mono_ns=heard_mono_ns,
        )
        await finished(self._claimed_delete(claim))

    async def _until_restart(self, intent: Intent, fixture: str) -> None:
        """Wait until play goes on, or until it is too late: the gate then says so."""
        restart = asyncio.create_task(self._play_restarted(fixture, intent.on_air_utc), name="restart")
        deadline = asyncio.create_task(self._clock.sleep_until(intent.deadline_mono_ns + 1), name="restart-deadline")
        try:
            await asyncio.wait({restart, deadline}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            restart.cancel()
            deadline.cancel()

    # --- claiming -------------------------------------------------------------------------------

    def _request(
        self, intent: Intent, account_faults: AccountFaults, *, armed_id: int | None = None, arm_only: bool = False
    ) -> ClaimRequest:
        if arm_only and intent.quorum is not None:
            intent = replace(intent, quorum=replace(intent.quorum, awaited=True))
        if arm_only and intent.on_air_fault:
            intent = replace(intent, on_air_fault="")
        return ClaimRequest(
            intent=intent,
            account_faults=account_faults(intent.cue.account_id),
            armed_firing_id=armed_id,
            arm_only=arm_only,
            media=self._media(intent.cue),
        )

    async def _arm(self, request: ClaimRequest) -> int | None:
        record = await self._claimed(request, self._claims.ask(request))
        return record.firing_id if record is not None and record.state is FiringState.ARMED else None

    async def _shoot_claimed(self, request: ClaimRequest, claimed: Awaitable[ClaimResult]) -> None:
        try:
            record = await self._claimed(request, claimed)
        except IllegalTransitionError:
            return  # Withdrawn while it waited; that was recorded then.
        if record is not None and record.state is FiringState.CLAIMED:
            await self._shoot(record)
        elif record is None and request.armed_firing_id is not None:
            await self._expire(request.armed_firing_id)

    async def _expire(self, armed_id: int) -> None:
        """Say of an armed firing that the ledger could not be written when it was due, as soon as it can."""
        backoff = Backoff(first_s=0.05, most_s=2.0, floor_s=0.02)
        for _ in range(SETTLE_ATTEMPTS_MAX):
            try:
                reason = "the ledger could not be written when it was due"
                record = await self._writer.run(self._firings.resolve, armed_id, FiringState.EXPIRED, reason=reason)
            except IllegalTransitionError:
                return  # Withdrawn, or a newer engine has recovered it.
            except LedgerError:
                await self._clock.sleep(backoff.next_s())
            else:
                await self._announce(record)
                log_firing(record)
                return

    async def _claimed(self, request: ClaimRequest, claimed: Awaitable[ClaimResult]) -> FiringRecord | None:
        intent = request.intent
        try:
            result = await claimed
        except FencedError:
            raise
        except LedgerError as error:
            _log.error(
                "claim_failed", extra={"occurrence_id": intent.occurrence_id, "cue_id": intent.cue.cue_id, "reason": str(error)}
            )
            await self._alarm("critical", f"{intent.cue.name} was not fired: {error}")
            return None
        record, against = result.record, result.judgement.against
        if record is None:
            _log.info("duplicate", extra={"occurrence_id": intent.occurrence_id, "cue_id": intent.cue.cue_id})
            return None
        if record.state is not FiringState.CLAIMED:
            await self._announce(record)
            if against is not None:
                log_firing(record)
            if against is not None and against.guard is Guard.CAPS:
                await self._alarm(
                    "critical", f"{intent.cue.name} is disarmed: {against.reason}; `cuebird cues rearm` lets it go again"
                )
        return record

    async def _claimed_delete(self, claim: Awaitable[FiringRecord | None]) -> None:
        try:
            record = await claim
        except FencedError:
            raise
        except LedgerError as error:
            await self._alarm("critical", f"a tweet of a goal that was taken back is still there: {error}")
            return
        if record is None:
            return
        if record.state is FiringState.CLAIMED:
            record = await self._shoot(record)
        else:
            await self._announce(record)
            log_firing(record)
        if record.state is not FiringState.POSTED:
            sentence = f"tweet {record.tweet_id} of a goal that was taken back: {record.state} ({record.reason}); look at it"
            await self._alarm("critical", sentence)

    # --- sending --------------------------------------------------------------------------------

    async def _shoot(self, record: FiringRecord) -> FiringRecord:
        outcome = await self._attempt(record)
        for _ in range(ATTEMPTS_MAX - 1):
            again = outcome.certainty is Certainty.NOT_SENT and not self._withhold(record)
            if not again or self._clock.mono_ns() >= record.deadline_mono_ns:
                break
            await self._clock.sleep(RETRY_WAIT_S)
            outcome = await self._attempt(record)
        settled = await self._settle(record, outcome)
        await self._announce(settled)
        log_firing(settled)
        return settled

    async def _attempt(self, record: FiringRecord) -> Outcome:
        publisher = self._publishers[record.mode]
        if record.action is Action.DELETE:
            sending = publisher.delete(record.account_id, record.tweet_id or "", lambda: self._withhold(record) or None)
        else:
            shot = Shot(
                firing_id=record.firing_id,
                account_id=record.account_id,
                body=record.body.encode(),
                deadline_mono_ns=record.deadline_mono_ns,
            )
            sending = publisher.post(shot, lambda: _other_bytes(shot, record) or self._withhold(record) or None)
        try:
            return await self._within(sending, record)
        except Exception as error:
            # The port says it raises nothing; whatever it is, the request may have left.
            _log.exception("publisher_failed", extra={"firing_id": record.firing_id})
            return self._unknown(f"the publisher failed: {type(error).__name__}")

    def _withhold(self, record: FiringRecord) -> str:
        """Why a claimed firing must not leave after all; empty when it may."""
        if reason := self._stop_reason():
            return reason
        if record.action is Action.POST and (reason := self._withdrawn(record.occurrence_id)):
            return reason
        return self._firings.may_send(record.mode)

    async def _within(self, sending: Coroutine[Any, Any, Outcome], record: FiringRecord) -> Outcome:
        # Sent from this very task: a task of its own would begin a turn of the loop later. The rest comes after the first byte.
        task, answered, timer = asyncio.current_task(), False, None

        def give_up(timer: "asyncio.Task[None]") -> None:
            if task is not None and not answered and not timer.cancelled():
                task.cancel()

        def watch() -> None:
            nonlocal timer
            timer = asyncio.create_task(self._clock.sleep(ANSWER_WAIT_S), name="send-timer")
            timer.add_done_callback(give_up)
            self._show(record)

        watching = asyncio.get_running_loop().call_soon(watch)
        try:
            return await sending
        except asyncio.CancelledError:
            if task is None or timer is None or not timer.done() or timer.cancelled():
                raise
            task.uncancel()
            return self._unknown("no answer in time")
        finally:
            answered = True
            watching.cancel()
            if timer is not None:
                timer.cancel()

    def _unknown(self, reason: str) -> Outcome:
        return Outcome(
            certainty=Certainty.UNKNOWN,
            tweet_id=None,
            reason=reason,
            http_status=None,
            first_byte_mono_ns=None,
            answered_mono_ns=self._clock.mono_ns(),
            warm=False,
        )

    async def _settle(self, record: FiringRecord, outcome: Outcome) -> FiringRecord:
        backoff = Backoff(first_s=0.05, most_s=2.0, floor_s=0.02)
        for attempt in range(SETTLE_ATTEMPTS_MAX):
            try:
                return await self._settlements.ask(
                    Settlement(firing_id=record.firing_id, outcome=outcome, answered_utc=self._clock.utc())
                )
            except IllegalTransitionError as error:
                # A newer engine has taken the firing for unknown and goes on from there.
                _log.warning("settled_elsewhere", extra={"firing_id": record.firing_id, "reason": str(error)})
                break
            except LedgerError as error:
                _log.error("settle_failed", extra={"firing_id": record.firing_id, "reason": str(error)})
                if attempt == 0:
                    await self._alarm(
                        "critical", f"firing {record.firing_id} is {outcome.certainty}, but not recorded yet: {error}"
                    )
                await self._clock.sleep(backoff.next_s())
        return await self._writer.run(self._firings.get, record.firing_id) or record


def _other_bytes(shot: Shot, record: FiringRecord) -> str:
    """Why these bytes must not leave: they are not those whose hash the claim recorded for the approved cue."""
    same = hashlib.sha256(shot.body).hexdigest() == record.body_sha256
    return "" if same else "the bytes to be sent are not those that were claimed; nothing was sent"
