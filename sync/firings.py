"""Firing records: claiming, settling, recovering. The only place that writes them.

A claim reads the switch, the approval, the occurrence and the texts, counts the caps, has the gate judge them, and writes its
verdict, all in one transaction. Two unique indexes stand behind it, should this code ever be wrong. What is asked for at the
same time is written together: many claims, or many outcomes, and one commit (docs/adr/0013-group-commit.md).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import sqlalchemy as sa

from sync.caps import DAY_S, CapLimits, ClaimCounts, Claimed
from sync.decide import Intent
from sync.errors import FencedError, IllegalTransitionError, LedgerConflictError, LedgerError, SyncError
from sync.gate import Facts, Guard, Judgement, judge
from sync.ledger import Ledger, Switch
from sync.posting import Outcome
from sync.prepared import Cursor, Prepared
from sync.receipts import FiringRecord
from sync.schema import APPROVAL, CUE, FIRING, SWITCH
from sync.states import RESERVING, STATE_OF_CERTAINTY, Action, FiringState, Mode, may_go

TEXTS_AT_ONCE = 16
"""Variants looked up together; most cues have no more."""
_COUNTED_AT_ONCE = 5000
_COUNTED_FOR = timedelta(seconds=DAY_S, hours=1)
"""How far back the day's claims are read: an hour more than a day, for those claimed in another order than their numbers'."""

_Q = TypeVar("_Q")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """An intent that wants to be claimed.

    Attributes:
        account_faults: why the account cannot post, by mode; modes in which it can are left out.
        armed_firing_id: the firing that was armed for this intent and comes due now.
        arm_only: reserve the occurrence without claiming it: it waits for its audience delay.
    """

    intent: Intent
    account_faults: Mapping[Mode, str]
    armed_firing_id: int | None = None
    arm_only: bool = False


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
        self._epoch, self._boot_id = epoch, boot_id
        self._limits = limits or CapLimits()
        self._statements = _Statements(ledger.database.sql)
        self._counts: ClaimCounts | None = None

    # --- the claim ------------------------------------------------------------------------------

    def claim(
        self,
        intent: Intent,
        *,
        account_faults: Mapping[Mode, str],
        armed_firing_id: int | None = None,
        arm_only: bool = False,
    ) -> ClaimResult:
        """Claim an occurrence for a cue, or record why not; the arguments are `ClaimRequest`'s.

        Raises:
            FencedError: another engine has taken over; nothing was written.
            IllegalTransitionError: the armed firing is no longer armed.
            LedgerError: the database does not obey; nothing was claimed.
        """
        request = ClaimRequest(intent=intent, account_faults=account_faults, armed_firing_id=armed_firing_id, arm_only=arm_only)
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
                **_same_event(posted),
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
        withdraw = sa.update(FIRING).where(FIRING.c.state == FiringState.ARMED.value)
        with self._database.writing() as connection:
            switch = self._ledger.kill_in(connection, actor=actor, reason=reason, epoch=self._epoch)
            rows = connection.execute(withdraw.values(**values, updated_utc=self._clock.utc()).returning(FIRING)).all()
        return switch, tuple(_record(row._mapping) for row in rows)

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
        self, firing_id: int, state: FiringState, *, tweet_id: str | None = None, reason: str = "", settled_by: str = ""
    ) -> FiringRecord:
        """Record what the timeline, a person, a withdrawal or a restart says of a firing.

        Raises:
            IllegalTransitionError: the firing's state does not lead there.
            LedgerError: there is no such firing.
        """
        values: dict[str, Any] = {"reason": reason, "settled_by": settled_by}
        if tweet_id is not None:
            values["tweet_id"] = tweet_id
        with self._database.claiming() as cursor:
            return self._go(cursor, firing_id, state, values)

    def recover(self) -> tuple[FiringRecord, ...]:
        """Take over what older engines left: armed ones expire, claimed ones become unknown (a rehearsal's are not sent).

        Returns:
            The records that changed, oldest first.
        """
        with self._database.claiming() as cursor:
            self._counts = self._counted(cursor)
            rows = self._statements.left.run(cursor, {"epoch": self._epoch})
            return tuple(self._recover_one(cursor, _record(dict(zip(_NAMES, row, strict=True)))) for row in rows)

    # --- reading --------------------------------------------------------------------------------

    def get(self, firing_id: int) -> FiringRecord | None:
        """A firing, None when there is none of that number."""
        found = self._select(FIRING.c.firing_id == firing_id, limit=1)
        return found[0] if found else None

    def recent(self, *, limit: int) -> tuple[FiringRecord, ...]:
        """The newest firings, newest first."""
        return self._select(sa.true(), limit=limit)

    def unsettled(self, *, claimed_after_utc: datetime) -> tuple[FiringRecord, ...]:
        """Live firings whose outcome the timeline may still tell: UNKNOWN, and NOT_SEEN while provisional. Newest first."""
        condition = sa.and_(
            FIRING.c.state.in_([FiringState.UNKNOWN.value, FiringState.NOT_SEEN.value]),
            FIRING.c.mode == Mode.LIVE.value,
            FIRING.c.settled_by == "",
            FIRING.c.claimed_utc > claimed_after_utc,
        )
        return self._select(condition, limit=1000)

    def of_occurrence(self, occurrence_id: str) -> tuple[FiringRecord, ...]:
        """Every firing of an occurrence, newest first."""
        return self._select(FIRING.c.occurrence_id == occurrence_id, limit=1000)

    def goals_claimed(self) -> tuple[FiringRecord, ...]:
        """Claimed posts of goals of the last two days, to mend what a crash kept from the fixture's memory."""
        condition = sa.and_(
            FIRING.c.occurrence_id.like("goal:%"),
            FIRING.c.action == Action.POST.value,
            FIRING.c.claimed_utc > self._clock.utc() - timedelta(days=2),
        )
        return self._select(condition, limit=10_000)

    def known_tweets(self, account_id: str) -> frozenset[str]:
        """Ids of the account's tweets that belong to a firing."""
        query = sa.select(FIRING.c.tweet_id).where(FIRING.c.account_id == account_id, FIRING.c.tweet_id.is_not(None))
        with self._database.reading() as connection:
            return frozenset(connection.execute(query).scalars())

    def used_texts(self, account_id: str, mode: Mode, texts: Sequence[str]) -> frozenset[str]:
        """Those of the texts that have left the account in this mode."""
        with self._database.reading() as connection:
            query = sa.select(FIRING.c.text_sha256).where(
                FIRING.c.account_id == account_id, FIRING.c.mode == mode.value, _RESERVING
            )
            by_hash = {_sha256(text): text for text in texts}
            used = set[str]()
            for some in _chunks(list(by_hash)):
                used.update(connection.execute(query.where(FIRING.c.text_sha256.in_(some))).scalars())
            return frozenset(by_hash[value] for value in used)

    def fired_airings(self, *, since_utc: datetime) -> frozenset[tuple[Mode, str]]:
        """Occurrences of airings that have been claimed, with the mode."""
        query = sa.select(FIRING.c.mode, FIRING.c.occurrence_id).where(
            FIRING.c.claimed_utc > since_utc, FIRING.c.occurrence_id.like("airing:%"), _RESERVING
        )
        with self._database.reading() as connection:
            return frozenset((Mode(row.mode), row.occurrence_id) for row in connection.execute(query))

    # --- inside ---------------------------------------------------------------------------------

    def _select(self, condition: sa.ColumnElement[bool], *, limit: int) -> tuple[FiringRecord, ...]:
        query = sa.select(FIRING).where(condition).order_by(FIRING.c.firing_id.desc()).limit(limit)
        with self._database.reading() as connection:
            return tuple(_record(row._mapping) for row in connection.execute(query))

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
            # What was counted may not have been written; the next claim reads the day again.
            self._counts = None
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
        claimed, facts = self._facts(cursor, request)
        if facts.fenced:
            raise FencedError(f"ledger {self._database.name}: FENCED, another engine has taken over")
        judgement = judge(intent, facts)
        against = judgement.against
        if armed_id is None and against and against.guard is Guard.OCCURRENCE and facts.used_by is not None:
            return ClaimResult(record=None, judgement=judgement)
        if against and against.guard is Guard.CAPS:
            self._statements.disarm.run(cursor, {"of_cue": intent.cue.cue_id, "hold_reason": against.reason, "hold_actor": "cap"})
        state = FiringState.ARMED if request.arm_only and against is None else judgement.state
        values = self._verdict_values(facts, judgement, state)
        if armed_id is None:
            record = self._insert(cursor, {**self._intent_values(intent), **values})
        else:
            record = self._move(cursor, armed_id, FiringState.ARMED, values)
        if state is FiringState.CLAIMED:
            self._counts_in(cursor).add(claimed, facts.now_mono_ns)
        return ClaimResult(record=record, judgement=judgement)

    def _facts(self, cursor: Cursor, request: ClaimRequest) -> tuple[Claimed, Facts]:
        intent, cue, own_id = request.intent, request.intent.cue, request.armed_firing_id or 0
        key = {"occurrence_id": intent.occurrence_id, "cue_id": cue.cue_id, "account_id": cue.account_id, "own_id": own_id}
        ((epoch, mode_now, killed, kill_reason, cue_sha256, hold, approved_sha256, used_by),) = self._statements.facts.run(
            cursor, key
        )
        mode = Mode(mode_now)
        claimed = Claimed(mode=mode, cue_id=cue.cue_id, account_id=cue.account_id, spot_id=intent.spot_id)
        counts = self._counts_in(cursor)
        # Read after the lock was had: waiting for it may have cost the deadline.
        now_ns = self._clock.mono_ns()
        facts = Facts(
            now_mono_ns=now_ns,
            killed=killed,
            kill_reason=kill_reason,
            fenced=epoch != self._epoch,
            mode=mode,
            cue_sha256=cue_sha256,
            approved_sha256=approved_sha256,
            account_fault=request.account_faults.get(mode, ""),
            used_by=used_by,
            caps=counts.full(claimed, cue_caps=cue.caps, limits=self._limits, now_mono_ns=now_ns),
            used_texts=self._texts_used_first(cursor, cue.account_id, mode, intent.texts, own_id=own_id),
            hold=hold or "",
        )
        return claimed, facts

    def _texts_used_first(
        self, cursor: Cursor, account_id: str, mode: Mode, texts: Sequence[str], *, own_id: int
    ) -> frozenset[str]:
        """Used ones of the texts, as far as the first that is not."""
        used = set[str]()
        for begin in range(0, len(texts), TEXTS_AT_ONCE):
            some = {_sha256(text): text for text in texts[begin : begin + TEXTS_AT_ONCE]}
            key: dict[str, Any] = {f"hash_{number}": value for number, value in enumerate(some)}
            key |= {"account_id": account_id, "mode": mode.value, "own_id": own_id}
            found = {some[value] for (value,) in self._statements.used_texts(len(some)).run(cursor, key)}
            used |= found
            if len(found) < len(some):
                break
        return frozenset(used)

    def _counts_in(self, cursor: Cursor) -> ClaimCounts:
        if self._counts is None:
            self._counts = self._counted(cursor)
        return self._counts

    def _counted(self, cursor: Cursor) -> ClaimCounts:
        """The day's claims as the ledger has them, read from the newest back."""
        now_ns, now_utc = self._clock.mono_ns(), self._clock.utc()
        instants = list[tuple[int, Claimed]]()
        below, oldest_ns = 1 << 62, now_ns - round(_COUNTED_FOR.total_seconds() * 1e9)
        while rows := self._statements.claims.run(cursor, {"below": below, "most": _COUNTED_AT_ONCE}):
            for _, mode, cue_id, account_id, spot_id, boot_id, claimed_mono_ns, claimed_utc in rows:
                # Another boot's clock means nothing here: its claims are as long ago as the wall clock says.
                ago_ns = (now_utc - claimed_utc) // timedelta(microseconds=1) * 1000
                at_ns = claimed_mono_ns if boot_id == self._boot_id else now_ns - ago_ns
                instants.append((at_ns, Claimed(mode=Mode(mode), cue_id=cue_id, account_id=account_id, spot_id=spot_id)))
            below = rows[-1][0]
            if instants[-1][0] < oldest_ns:
                break
        counts = ClaimCounts()
        for at_ns, claimed in sorted(instants, key=lambda pair: pair[0]):
            counts.add(claimed, at_ns)
        return counts

    def _intent_values(self, intent: Intent) -> dict[str, Any]:
        return {
            "occurrence_id": intent.occurrence_id,
            "cue_id": intent.cue.cue_id,
            "cue_name": intent.cue.name,
            "account_id": intent.cue.account_id,
            "action": Action.POST.value,
            "spot_id": intent.spot_id,
            "deadline_mono_ns": intent.deadline_mono_ns,
            "on_air_mono_ns": intent.on_air_mono_ns,
            "heard_mono_ns": intent.heard_mono_ns,
            "decided_mono_ns": intent.decided_mono_ns,
            "on_air_utc": intent.on_air_utc,
            "decided_utc": intent.decided_utc,
            "of_firing_id": None,
        }

    def _verdict_values(self, facts: Facts, judgement: Judgement, state: FiringState) -> dict[str, Any]:
        against = judgement.against
        text = judgement.text if against is None else None
        claimed = state is FiringState.CLAIMED
        return {
            "mode": facts.mode.value,
            "state": state.value,
            "reserving": state in RESERVING,
            "guard": against.guard.value if against else "",
            "reason": against.reason if against else "",
            "text": text or "",
            "text_sha256": text and _sha256(text),
            "epoch": self._epoch,
            "boot_id": self._boot_id,
            "claimed_mono_ns": facts.now_mono_ns if claimed else None,
            "claimed_utc": self._clock.utc() if claimed else None,
            "updated_utc": self._clock.utc(),
        }

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

    def _go(self, cursor: Cursor, firing_id: int, target: FiringState, values: dict[str, Any]) -> FiringRecord:
        found = self._statements.state.run(cursor, {"of_firing": firing_id})
        if not found:
            raise LedgerError(f"firing {firing_id}: there is none of that number")
        moved = {**values, "state": target.value, "reserving": target in RESERVING, "updated_utc": self._clock.utc()}
        return self._move(cursor, firing_id, FiringState(found[0][0]), moved)

    def _insert(self, cursor: Cursor, values: dict[str, Any]) -> FiringRecord:
        values = {**_NOTHING_YET, **values}
        ((firing_id,),) = self._statements.insert.run(cursor, values)
        return _record({**values, "firing_id": firing_id})

    def _move(self, cursor: Cursor, firing_id: int, current: FiringState, values: dict[str, Any]) -> FiringRecord:
        target = FiringState(values["state"])
        key = {"of_firing": firing_id, "from_state": current.value}
        rows = self._statements.move(tuple(values)).run(cursor, {**values, **key}) if may_go(current, target) else []
        if not rows:
            raise IllegalTransitionError(f"firing {firing_id}: cannot go from {current} to {target}")
        return _record(dict(zip(_NAMES, rows[0], strict=True)))

    def _recover_one(self, cursor: Cursor, record: FiringRecord) -> FiringRecord:
        if record.state is FiringState.ARMED:
            target, reason = FiringState.EXPIRED, "the engine stopped during the audience delay"
        elif record.mode is Mode.REHEARSAL:
            target, reason = FiringState.NOT_SENT, "the engine stopped during a rehearsal"
        else:
            target, reason = FiringState.UNKNOWN, "the engine stopped before the answer was known"
        values = {"state": target.value, "reserving": target in RESERVING, "reason": reason, "updated_utc": self._clock.utc()}
        return self._move(cursor, record.firing_id, record.state, values)


# --- statements, built once ---------------------------------------------------------------------

_NAMES = tuple(column.name for column in FIRING.columns)
_NOTHING_YET: dict[str, Any] = {
    "tweet_id": None,
    "http_status": None,
    "first_byte_mono_ns": None,
    "answered_mono_ns": None,
    "answered_utc": None,
    "connection": "",
    "settled_by": "",
}
_RESERVING = sa.text("firing.reserving")
"""As the partial indexes have it: only then does SQLite use them, and not read every firing of the mode."""

_SWITCH = sa.select(SWITCH.c.epoch, SWITCH.c.mode, SWITCH.c.killed, SWITCH.c.kill_reason)

_FACTS = sa.select(
    SWITCH.c.epoch,
    SWITCH.c.mode,
    SWITCH.c.killed,
    SWITCH.c.kill_reason,
    CUE.c.sha256.label("cue_sha256"),
    CUE.c.hold_reason,
    sa.select(APPROVAL.c.sha256)
    .where(APPROVAL.c.cue_id == sa.bindparam("cue_id"))
    .order_by(APPROVAL.c.approval_id.desc())
    .limit(1)
    .scalar_subquery()
    .label("approved_sha256"),
    sa.select(FIRING.c.firing_id)
    .where(
        FIRING.c.occurrence_id == sa.bindparam("occurrence_id"),
        FIRING.c.cue_id == sa.bindparam("cue_id"),
        FIRING.c.account_id == sa.bindparam("account_id"),
        FIRING.c.mode == SWITCH.c.mode,
        FIRING.c.action == Action.POST.value,
        _RESERVING,
        FIRING.c.firing_id != sa.bindparam("own_id"),
    )
    .limit(1)
    .correlate(SWITCH)
    .scalar_subquery()
    .label("used_by"),
).select_from(SWITCH.outerjoin(CUE, CUE.c.cue_id == sa.bindparam("cue_id")))


_USED_TEXTS = sa.select(FIRING.c.text_sha256).where(
    FIRING.c.account_id == sa.bindparam("account_id"),
    FIRING.c.mode == sa.bindparam("mode"),
    _RESERVING,
    FIRING.c.firing_id != sa.bindparam("own_id"),
)

# A deletion is younger than what it deletes: only what came after is read.
_DELETED = sa.select(FIRING.c.firing_id).where(
    FIRING.c.firing_id > sa.bindparam("posted_id"),
    FIRING.c.of_firing_id == sa.bindparam("posted_id"),
    FIRING.c.action == Action.DELETE.value,
)

_CLAIMS = (
    sa.select(
        FIRING.c.firing_id,
        FIRING.c.mode,
        FIRING.c.cue_id,
        FIRING.c.account_id,
        FIRING.c.spot_id,
        FIRING.c.boot_id,
        FIRING.c.claimed_mono_ns,
        FIRING.c.claimed_utc,
    )
    .where(
        FIRING.c.firing_id < sa.bindparam("below"), FIRING.c.action == Action.POST.value, FIRING.c.claimed_mono_ns.is_not(None)
    )
    .order_by(FIRING.c.firing_id.desc())
    .limit(sa.bindparam("most", type_=sa.Integer()))
)

_LEFT = (
    sa.select(FIRING)
    .where(
        FIRING.c.epoch < sa.bindparam("epoch"),
        FIRING.c.state.in_([sa.literal(FiringState.ARMED.value), sa.literal(FiringState.CLAIMED.value)]),
    )
    .order_by(FIRING.c.firing_id)
)


class _Statements:
    """What is run between deciding and rest, for one database."""

    def __init__(self, sql: sa.Dialect) -> None:
        self._sql = sql
        self._moves: dict[tuple[str, ...], Prepared] = {}
        self.switch, self.facts = self._select(_SWITCH), self._select(_FACTS)
        self._used_texts: dict[int, Prepared] = {}
        self.claims = self._select(_CLAIMS)
        self.deleted, self.left = self._select(_DELETED), self._select(_LEFT)
        self.state = self._select(sa.select(FIRING.c.state).where(FIRING.c.firing_id == sa.bindparam("of_firing")))
        added = [name for name in _NAMES if name != "firing_id"]
        self.insert = Prepared(
            sa.insert(FIRING).returning(FIRING.c.firing_id), sql, results=[FIRING.c.firing_id], column_keys=added
        )
        disarm = sa.update(CUE).where(CUE.c.cue_id == sa.bindparam("of_cue"), CUE.c.hold_reason == "")
        self.disarm = Prepared(disarm, sql, column_keys=["hold_reason", "hold_actor"])

    def used_texts(self, count: int) -> Prepared:
        """The look for so many texts among those that have left."""
        if count not in self._used_texts:
            hashes: list[sa.BindParameter[str]] = [sa.bindparam(f"hash_{number}") for number in range(count)]
            self._used_texts[count] = self._select(_USED_TEXTS.where(FIRING.c.text_sha256.in_(hashes)))
        return self._used_texts[count]

    def move(self, names: tuple[str, ...]) -> Prepared:
        """The update of these columns of a firing that is still in the state it is moved from."""
        if names not in self._moves:
            update = sa.update(FIRING).where(
                FIRING.c.firing_id == sa.bindparam("of_firing"), FIRING.c.state == sa.bindparam("from_state")
            )
            self._moves[names] = Prepared(
                update.returning(*FIRING.columns), self._sql, results=list(FIRING.columns), column_keys=names
            )
        return self._moves[names]

    def _select(self, query: sa.Select[Any]) -> Prepared:
        return Prepared(query, self._sql, results=list(query.selected_columns))


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


def _chunks(values: list[str], size: int = 500) -> list[list[str]]:
    return [values[begin : begin + size] for begin in range(0, len(values), size)]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _same_event(posted: FiringRecord) -> dict[str, Any]:
    names = ("occurrence_id", "cue_id", "cue_name", "account_id", "text", "spot_id", "tweet_id")
    return {**{name: getattr(posted, name) for name in names}, "mode": posted.mode.value}


_RECORD_FIELDS = tuple(name for name in FiringRecord.__slots__ if name not in ("mode", "action", "state"))


def _record(values: Mapping[Any, Any]) -> FiringRecord:
    return FiringRecord(
        mode=Mode(values["mode"]),
        action=Action(values["action"]),
        state=FiringState(values["state"]),
        **{name: values[name] for name in _RECORD_FIELDS},
    )
