"""Firing records: claiming, settling, recovering. The only place that writes them.

A claim reads the switch, the approval, the occurrence and the texts, counts the caps, has the gate judge them, and writes its
verdict, all in one transaction. Two unique indexes stand behind it, should this code ever be wrong. What is asked for at the
same time is written together: many claims, or many outcomes, and one commit (docs/adr/0013-group-commit.md).
"""

import itertools
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import sqlalchemy as sa

from sync import firing_statements as reads
from sync.audit import firing_facts
from sync.caps import CapLimits
from sync.claim_facts import ClaimFacts, ClaimRequest
from sync.claim_statements import (
    TEXTS_AT_ONCE,
    disarm,
    release_text,
    statements_for,
)
from sync.cues import Cue
from sync.decide import Intent
from sync.errors import FencedError, IllegalTransitionError, LedgerConflictError, LedgerError, SyncError
from sync.firing_rows import NOTHING_YET, intent_values, record_of, records_of, same_event, verdict_values
from sync.gate import Guard, Judgement, judge
from sync.ledger import Ledger, Switch
from sync.media import MediaStanding
from sync.posting import Outcome
from sync.prepared import Cursor
from sync.receipts import FiringRecord
from sync.states import RESERVING, STATE_OF_CERTAINTY, Action, FiringState, Mode, may_go

_log = logging.getLogger(__name__)

_Q = TypeVar("_Q")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimResult:
    """What a claim came to.

    Attributes:
        record: the firing, claimed, armed or declined; None when another firing has the occurrence already.
        judgement: every guard's verdict.
    """

    record: FiringRecord | None
    judgement: Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What the publisher said of a firing."""

    firing_id: int
    outcome: Outcome
    answered_utc: datetime


class Firings:
    """The firing records of a ledger, as one engine sees them.

    Args:
        epoch: what `Ledger.become_engine` gave; a claim under an older one is refused.
        boot_id: names the boot whose monotonic clock the instants belong to.
    """

    def __init__(self, ledger: Ledger, *, epoch: int, boot_id: str, limits: CapLimits | None = None) -> None:
        self._ledger, self._database, self._clock = ledger, ledger.database, ledger.clock
        self._audit = ledger.audit
        self._epoch, self._boot_id = epoch, boot_id
        self._statements = statements_for(ledger.database.sql)
        self._facts = ClaimFacts(self._database, self._clock, epoch=epoch, boot_id=boot_id, limits=limits or CapLimits())

    def prepare(self) -> None:
        """Do what the first claim would wait for: compile its statements, and make room in the database's log."""
        self._statements.prepare()
        try:
            self._database.make_room()
        except LedgerError as error:
            # On a full disk: the first claim will say so too.
            _log.warning("no_room_made", extra={"reason": str(error)})

    # --- the claim ------------------------------------------------------------------------------

    def claim(
        self,
        intent: Intent,
        *,
        account_faults: Mapping[Mode, str],
        armed_firing_id: int | None = None,
        arm_only: bool = False,
        media: Mapping[Mode, Mapping[str, MediaStanding]] | None = None,
    ) -> ClaimResult:
        """Claim an occurrence for a cue, or record why not; the arguments are `ClaimRequest`'s.

        Raises:
            FencedError: another engine has taken over; nothing was written.
            IllegalTransitionError: the armed firing is no longer armed.
            LedgerError: the database does not obey; nothing was claimed.
        """
        request = ClaimRequest(
            intent=intent, account_faults=account_faults, armed_firing_id=armed_firing_id, arm_only=arm_only, media=media or {}
        )
        return _only(self.claim_together([request]))

    def claim_together(
        self, requests: Sequence[ClaimRequest], *, hurry: Callable[[], bool] = lambda: False
    ) -> list[ClaimResult | SyncError]:
        """What each claim came to, in one transaction and one commit: later ones see what earlier ones wrote.

        Args:
            hurry: asked between two claims whether something else waits; then the rest is left.

        Returns:
            For each request, the first ones at least, its result, or why it alone has none.

        Raises:
            FencedError, LedgerError: as `claim`, for all of them.
        """
        return self._together(requests, self._claim_one, hurry)

    def claim_delete(
        self, posted: FiringRecord, *, deadline_mono_ns: int, on_air_mono_ns: int, heard_mono_ns: int
    ) -> FiringRecord | None:
        """Claim the deletion of a posted tweet, or record why not; None when it has been claimed before.

        Raises:
            FencedError, LedgerError: as `claim`.
        """
        with self._database.claiming() as cursor:
            ((epoch, mode, killed, kill_reason),) = self._statements.switch.run(cursor, {})
            if epoch != self._epoch:
                raise FencedError(f"ledger {self._database.name}: FENCED, another engine has taken over")
            now_ns, now_utc = self._clock.mono_ns(), self._clock.utc()
            if self._statements.deleted.run(cursor, {"posted_id": posted.firing_id}):
                return None
            guard, reason = "", ""
            if killed:
                guard, reason = Guard.KILL.value, f"killed: {kill_reason}"
            elif mode != posted.mode:
                guard, reason = Guard.MODE.value, f"the tweet was posted in {posted.mode}, the mode is {mode}"
            elif now_ns > deadline_mono_ns:
                guard, reason = Guard.DEADLINE.value, "too long after the correction"
            state = FiringState.DECLINED if reason else FiringState.CLAIMED
            values = {
                **same_event(posted),
                "action": Action.DELETE.value,
                "state": state.value,
                "reserving": state in RESERVING,
                "guard": guard,
                "reason": reason,
                "text_sha256": None,
                "of_firing_id": posted.firing_id,
                "epoch": self._epoch,
                "boot_id": self._boot_id,
                "deadline_mono_ns": deadline_mono_ns,
                "on_air_mono_ns": on_air_mono_ns,
                "heard_mono_ns": heard_mono_ns,
                "decided_mono_ns": now_ns,
                "claimed_mono_ns": None if reason else now_ns,
                "on_air_utc": now_utc - timedelta(microseconds=(now_ns - on_air_mono_ns) / 1000),
                "decided_utc": now_utc,
                "claimed_utc": None if reason else now_utc,
                "updated_utc": now_utc,
            }
            return self._insert(cursor, values)

    def may_send(self, mode: Mode) -> str:
        """Why a firing claimed in `mode` may not leave now (killed, another mode, fenced); empty when it may.

        The last look before the first byte, so that a kill or a takeover by another process counts
        even for a firing that has been claimed already. One indexed read.
        """
        try:
            with self._database.looking() as cursor:
                ((epoch, mode_now, killed, kill_reason),) = self._statements.switch.run(cursor, {})
        except LedgerError as error:
            return f"the ledger cannot be read: {error}"
        if epoch != self._epoch:
            return "FENCED: another engine has taken over"
        if killed:
            return f"killed: {kill_reason}"
        return "" if mode_now == mode.value else f"the mode has changed to {mode_now}"

    def kill(self, *, actor: str, reason: str) -> tuple[Switch, tuple[FiringRecord, ...]]:
        """Let no claim pass any more and withdraw what waits for its audience delay, in one transaction.

        Returns:
            The switch, and the firings that were withdrawn.

        Raises:
            FencedError: another engine has taken over.
            LedgerError: the database does not obey; nothing has changed.
        """
        state = FiringState.WITHDRAWN
        values = {"state": state.value, "reserving": state in RESERVING, "reason": f"killed: {reason}"}
        with self._database.claiming() as cursor:
            switch = self._ledger.kill_in(cursor, actor=actor, reason=reason, epoch=self._epoch)
            rows = self._statements.withdraw.run(cursor, {**values, "updated_utc": self._clock.utc()})
            withdrawn = records_of(rows)
            for record in withdrawn:
                self._note(record, cursor)
        return switch, withdrawn

    # --- what became of it ----------------------------------------------------------------------

    def settle(self, firing_id: int, outcome: Outcome, *, answered_utc: datetime) -> FiringRecord:
        """Record what the publisher said.

        Raises:
            IllegalTransitionError: the firing is past the state this would lead to.
        """
        return _only(self.settle_together([Settlement(firing_id=firing_id, outcome=outcome, answered_utc=answered_utc)]))

    def settle_together(
        self, settlements: Sequence[Settlement], *, hurry: Callable[[], bool] = lambda: False
    ) -> list[FiringRecord | SyncError]:
        """Each firing as it is now, or why it alone could not be settled; one transaction, one commit.

        `hurry` is that of `claim_together`.

        Raises:
            LedgerError: the database does not obey; nothing was recorded.
        """
        return self._together(settlements, self._settle_one, hurry)

    def resolve(
        self,
        firing_id: int,
        state: FiringState,
        *,
        tweet_id: str | None = None,
        reason: str = "",
        settled_by: str = "",
        for_good: bool = False,
    ) -> FiringRecord:
        """Record what the timeline, a person, a withdrawal or a restart says of a firing.

        Args:
            for_good: whatever its state, nothing else may fire its occurrence for this cue any more.

        Raises:
            IllegalTransitionError: the firing's state does not lead there.
            LedgerError: there is no such firing.
        """
        values: dict[str, Any] = {"reason": reason, "settled_by": settled_by}
        if tweet_id is not None:
            values["tweet_id"] = tweet_id
        with self._database.claiming() as cursor:
            return self._go(cursor, firing_id, state, values, for_good=for_good)

    def recover(self) -> tuple[FiringRecord, ...]:
        """Take over what older engines left: armed ones expire, claimed ones become unknown (a rehearsal's are not sent).

        Returns:
            The records that changed, oldest first.
        """
        with self._database.claiming() as cursor:
            self._facts.count_again(cursor)
            rows = self._statements.left.run(cursor, {"epoch": self._epoch})
            return tuple(self._recover_one(cursor, record) for record in records_of(rows))

    # --- reading --------------------------------------------------------------------------------

    def get(self, firing_id: int) -> FiringRecord | None:
        """A firing, None when there is none of that number."""
        found = self._records(reads.BY_ID, wanted_id=firing_id)
        return found[0] if found else None

    def recent(self, *, limit: int) -> tuple[FiringRecord, ...]:
        """The newest firings, newest first."""
        return self._records(reads.RECENT, most=limit)

    def unsettled(self, *, claimed_after_utc: datetime) -> tuple[FiringRecord, ...]:
        """Live firings whose outcome the timeline may still tell: UNKNOWN, and NOT_SEEN while provisional. Newest first."""
        return self._records(reads.UNSETTLED, after_utc=claimed_after_utc)

    def of_occurrence(self, occurrence_id: str) -> tuple[FiringRecord, ...]:
        """Every firing of an occurrence, newest first."""
        return self._records(reads.OF_OCCURRENCE, wanted=occurrence_id)

    def goals_claimed(self) -> tuple[FiringRecord, ...]:
        """Claimed posts of goals of the last two days, to mend what a crash kept from the fixture's memory."""
        return self._records(reads.GOALS_CLAIMED, after_utc=self._clock.utc() - timedelta(days=2))

    def triggers_claimed(self) -> tuple[str, ...]:
        """Occurrences of triggers claimed in the last hour, oldest first, so that a report after a restart is known again."""
        with self._database.asking() as cursor:
            after = {"after_utc": self._clock.utc() - timedelta(hours=1)}
            return tuple(one for (one,) in self._database.prepared(reads.TRIGGERS_CLAIMED).run(cursor, after))

    def known_tweets(self, account_id: str) -> frozenset[str]:
        """Ids of the account's tweets that belong to a firing."""
        with self._database.asking() as cursor:
            rows = self._database.prepared(reads.KNOWN_TWEETS).run(cursor, {"wanted_account": account_id})
        return frozenset(tweet_id for (tweet_id,) in rows)

    def used_texts(self, cues: Iterable[Cue], modes: Iterable[Mode]) -> frozenset[tuple[str, Mode, str]]:
        """Those of the cues' variants that have left, as (account, mode, text); not those from before a duplicate window."""
        now = (self._clock.mono_ns(), self._clock.utc())
        used = set[tuple[str, Mode, str]]()
        with self._database.asking() as cursor:
            for cue, mode in itertools.product(cues, modes):
                for begin in range(0, len(cue.variants), TEXTS_AT_ONCE):
                    some = cue.variants[begin : begin + TEXTS_AT_ONCE]
                    found = self._facts.texts_used(cursor, cue, some, mode, now=now, own_id=0)
                    used |= {(cue.account_id, mode, text) for text in found}
        return frozenset(used)

    def fired_airings(self, *, since_utc: datetime) -> frozenset[tuple[Mode, str]]:
        """Occurrences of airings that have been claimed, with the mode."""
        with self._database.asking() as cursor:
            rows = self._database.prepared(reads.FIRED_AIRINGS).run(cursor, {"after_utc": since_utc})
        return frozenset((Mode(mode), occurrence_id) for mode, occurrence_id in rows)

    # --- inside ---------------------------------------------------------------------------------

    def _records(self, statement: sa.Select[Any], **values: Any) -> tuple[FiringRecord, ...]:
        with self._database.asking() as cursor:
            rows = self._database.prepared(statement).run(cursor, values)
        return records_of(rows)

    def _together(
        self, asked: Sequence[_Q], one: Callable[[Cursor, _Q], _R], hurry: Callable[[], bool] = lambda: False
    ) -> list[_R | SyncError]:
        results = list[_R | SyncError]()
        try:
            with self._database.claiming() as cursor:
                for each in asked:
                    results.append(_or_why_not(one, cursor, each))
                    if hurry():
                        break
            return results
        except BaseException as error:
            self._facts.forget_counts()
            if not isinstance(error, LedgerConflictError) or len(asked) == 1:
                raise
        # One of them stands there already, against everything this code has read: the others do not pay for it.
        return [self._alone(each, one) for each in asked]

    def _alone(self, asked: _Q, one: Callable[[Cursor, _Q], _R]) -> _R | SyncError:
        try:
            return self._together([asked], one)[0]
        except LedgerConflictError as error:
            return error

    def _claim_one(self, cursor: Cursor, request: ClaimRequest) -> ClaimResult:
        intent, armed_id = request.intent, request.armed_firing_id
        claimed, facts = self._facts.read(cursor, request)
        if facts.fenced:
            raise FencedError(f"ledger {self._database.name}: FENCED, another engine has taken over")
        judgement = judge(intent, facts)
        against = judgement.against
        # A correction is judged once: what was declined is not told again by each engine that finds the goal taken back.
        told = against is not None and (against.guard is Guard.OCCURRENCE or intent.action is Action.CORRECT)
        if armed_id is None and told and facts.used_by is not None:
            return ClaimResult(record=None, judgement=judgement)
        if against and against.guard is Guard.CAPS:
            for cue_id in disarm(self._database.beside(), intent, facts, reason=against.reason):
                held = {"actor": "cap", "cue_id": cue_id, "reason": against.reason}
                self._audit.append(cursor, self._clock.utc(), "cue_held", held)
        state = FiringState.ARMED if request.arm_only and against is None else judgement.state
        values = verdict_values(intent, facts, judgement, state, now_utc=self._clock.utc())
        values |= {"epoch": self._epoch, "boot_id": self._boot_id}
        if values["text_sha256"] and intent.cue.duplicate_window_h:
            release_text(self._database.beside(), intent, values)
        if armed_id is None:
            record = self._insert(cursor, {**intent_values(intent), **values})
        else:
            record = self._move(cursor, armed_id, FiringState.ARMED, values)
        if state is FiringState.CLAIMED and intent.action is Action.POST:
            self._facts.count(cursor, claimed, facts.now_mono_ns)
        return ClaimResult(record=record, judgement=judgement)

    def _settle_one(self, cursor: Cursor, settlement: Settlement) -> FiringRecord:
        outcome = settlement.outcome
        values = {
            "reason": outcome.reason,
            "http_status": outcome.http_status,
            "first_byte_mono_ns": outcome.first_byte_mono_ns,
            "answered_mono_ns": outcome.answered_mono_ns,
            "answered_utc": settlement.answered_utc,
            "connection": "" if outcome.first_byte_mono_ns is None else "warm" if outcome.warm else "cold",
        }
        if outcome.tweet_id is not None:
            values["tweet_id"] = outcome.tweet_id
        return self._go(cursor, settlement.firing_id, STATE_OF_CERTAINTY[outcome.certainty], values)

    def _go(
        self, cursor: Cursor, firing_id: int, target: FiringState, values: dict[str, Any], *, for_good: bool = False
    ) -> FiringRecord:
        found = self._statements.state.run(cursor, {"of_firing": firing_id})
        if not found:
            raise LedgerError(f"firing {firing_id}: there is none of that number")
        reserving = for_good or target in RESERVING
        moved = {**values, "state": target.value, "reserving": reserving, "updated_utc": self._clock.utc()}
        return self._move(cursor, firing_id, FiringState(found[0][0]), moved)

    def _insert(self, cursor: Cursor, values: dict[str, Any]) -> FiringRecord:
        values = {**NOTHING_YET, **values}
        ((firing_id,),) = self._statements.insert.run(cursor, values)
        record = record_of({**values, "firing_id": firing_id})
        self._note(record, cursor)
        return record

    def _move(self, cursor: Cursor, firing_id: int, current: FiringState, values: dict[str, Any]) -> FiringRecord:
        target = FiringState(values["state"])
        key = {"of_firing": firing_id, "from_state": current.value}
        rows = self._statements.move(tuple(values)).run(cursor, {**values, **key}) if may_go(current, target) else []
        if not rows:
            raise IllegalTransitionError(f"firing {firing_id}: cannot go from {current} to {target}")
        (record,) = records_of(rows)
        self._note(record, cursor)
        return record

    def _note(self, record: FiringRecord, cursor: Cursor) -> None:
        """Record a firing's step in the transaction that makes it."""
        self._audit.append(cursor, self._clock.utc(), "firing", firing_facts(record))

    def _recover_one(self, cursor: Cursor, record: FiringRecord) -> FiringRecord:
        if record.state is FiringState.ARMED:
            target, reason = FiringState.EXPIRED, "the engine stopped during the audience delay"
        elif record.mode is Mode.REHEARSAL:
            target, reason = FiringState.NOT_SENT, "the engine stopped during a rehearsal"
        else:
            target, reason = FiringState.UNKNOWN, "the engine stopped before the answer was known"
        values = {"state": target.value, "reserving": target in RESERVING, "reason": reason, "updated_utc": self._clock.utc()}
        return self._move(cursor, record.firing_id, record.state, values)


def _or_why_not(one: Callable[[Cursor, _Q], _R], cursor: Cursor, asked: _Q) -> _R | SyncError:
    """One's result; an illegal transition, which has written nothing, concerns it alone."""
    try:
        return one(cursor, asked)
    except IllegalTransitionError as error:
        return error


def _only(results: Sequence[_R | SyncError]) -> _R:
    (result,) = results
    if isinstance(result, SyncError):
        raise result
    return result
