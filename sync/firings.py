"""Firing records: claiming, settling, recovering. One transaction each, and the only place that writes them.

A claim reads the switch, the approval, the occurrence, the caps and the texts, has the gate judge them, and writes
its verdict, all in one transaction. Two unique indexes stand behind it, should this code ever be wrong.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, assert_never

import sqlalchemy as sa

from sync.audit import firing_facts
from sync.conditions import SpotCondition
from sync.cues import Caps, Cue, cue_from_json
from sync.decide import Intent
from sync.errors import FencedError, IllegalTransitionError, LedgerError
from sync.gate import CapScope, CapUse, Facts, Guard, Judgement, judge, tripped
from sync.ledger import Ledger
from sync.posting import Outcome
from sync.receipts import FiringRecord
from sync.schema import APPROVAL, CUE, FIRING, SWITCH
from sync.states import RESERVING, STATE_OF_CERTAINTY, Action, FiringState, Mode, may_go
from sync.tweets import request_body

_MICROSECOND = timedelta(microseconds=1)
_PERIODS = (("in a minute", 60, "per_minute"), ("in an hour", 3600, "per_hour"), ("in a day", 86_400, "per_day"))


SPOT_CAPS = Caps(per_minute=4, per_hour=60, per_day=300)
CAMPAIGN_CAPS = Caps(per_minute=10, per_hour=60, per_day=300)
ACCOUNT_CAPS = Caps(per_minute=10, per_hour=60, per_day=300)
ENGINE_CAPS = Caps(per_minute=30, per_hour=300, per_day=2000)


@dataclass(frozen=True, slots=True, kw_only=True)
class CapLimits:
    """Caps that count besides the cue's own: a spot's, a campaign's, an account's, the whole engine's."""

    spot: Caps = SPOT_CAPS
    campaign: Caps = CAMPAIGN_CAPS
    account: Caps = ACCOUNT_CAPS
    everything: Caps = ENGINE_CAPS


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimResult:
    """What a claim came to.

    Attributes:
        record: the firing, claimed, armed or declined; None when another firing has the occurrence already.
        judgement: every guard's verdict.
    """

    record: FiringRecord | None
    judgement: Judgement


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
        self._limits = limits or CapLimits()

    # --- the claim ------------------------------------------------------------------------------

    def claim(
        self,
        intent: Intent,
        *,
        account_faults: Mapping[Mode, str],
        armed_firing_id: int | None = None,
        arm_only: bool = False,
    ) -> ClaimResult:
        """Claim an occurrence for a cue, or record why not.

        Args:
            account_faults: why the account cannot post, by mode; modes in which it can are left out.
            armed_firing_id: the firing that was armed for this intent and comes due now.
            arm_only: reserve the occurrence without claiming it: it waits for its audience delay.

        Raises:
            FencedError: another engine has taken over; nothing was written.
            LedgerError: the database does not obey; nothing was claimed.
        """
        with self._database.writing() as connection:
            facts = self._facts(connection, intent, account_faults, own_id=armed_firing_id or 0)
            if facts.fenced:
                raise FencedError(f"ledger {self._database.name}: FENCED, another engine has taken over")
            judgement = judge(intent, facts)
            against = judgement.against
            if armed_firing_id is None and against and against.guard is Guard.OCCURRENCE and facts.used_by is not None:
                return ClaimResult(record=None, judgement=judgement)
            if against and against.guard is Guard.CAPS:
                for cue_id in _disarm(connection, intent, facts, reason=against.reason):
                    held = {"actor": "cap", "cue_id": cue_id, "reason": against.reason}
                    self._audit.append(connection, self._clock.utc(), "cue_held", held)
            state = FiringState.ARMED if arm_only and against is None else judgement.state
            values = self._verdict_values(intent, facts, judgement, state)
            if values["text_sha256"] and intent.cue.duplicate_window_h:
                _release_text(connection, intent, values)
            if armed_firing_id is None:
                row = self._insert(connection, {**self._intent_values(intent), **values})
            else:
                row = self._move(connection, armed_firing_id, FiringState.ARMED, values)
            return ClaimResult(record=_record(row), judgement=judgement)

    def claim_delete(
        self, posted: FiringRecord, *, deadline_mono_ns: int, on_air_mono_ns: int, heard_mono_ns: int
    ) -> FiringRecord | None:
        """Claim the deletion of a posted tweet, or record why not; None when it has been claimed before.

        Raises:
            FencedError, LedgerError: as `claim`.
        """
        with self._database.writing() as connection:
            switch = connection.execute(sa.select(SWITCH)).one()
            if switch.epoch != self._epoch:
                raise FencedError(f"ledger {self._database.name}: FENCED, another engine has taken over")
            now_ns, now_utc = self._clock.mono_ns(), self._clock.utc()
            used = sa.select(FIRING.c.firing_id).where(
                FIRING.c.of_firing_id == posted.firing_id, FIRING.c.action == Action.DELETE
            )
            if connection.execute(used).first() is not None:
                return None
            guard, reason = "", ""
            if switch.killed:
                guard, reason = Guard.KILL, f"killed: {switch.kill_reason}"
            elif switch.mode != posted.mode:
                guard, reason = Guard.MODE, f"the tweet was posted in {posted.mode}, the mode is {switch.mode}"
            elif now_ns > deadline_mono_ns:
                guard, reason = Guard.DEADLINE, "too long after the correction"
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
            return _record(self._insert(connection, values))

    def may_send(self, mode: Mode) -> str:
        """Why a firing claimed in `mode` may not leave now (killed, another mode, fenced); empty when it may.

        The last look before the first byte, so that a kill or a takeover by another process counts
        even for a firing that has been claimed already. One indexed read.
        """
        try:
            with self._database.reading() as connection:
                row = connection.execute(_MAY_SEND).one()
        except LedgerError as error:
            return f"the ledger cannot be read: {error}"
        if row.epoch != self._epoch:
            return "FENCED: another engine has taken over"
        if row.killed:
            return f"killed: {row.kill_reason}"
        return "" if row.mode == mode.value else f"the mode has changed to {row.mode}"

    # --- what became of it ----------------------------------------------------------------------

    def settle(self, firing_id: int, outcome: Outcome, *, answered_utc: datetime) -> FiringRecord:
        """Record what the publisher said.

        Raises:
            IllegalTransitionError: the firing is past the state this would lead to.
        """
        connection_word = "" if outcome.first_byte_mono_ns is None else "warm" if outcome.warm else "cold"
        values = {
            "reason": outcome.reason,
            "tweet_id": outcome.tweet_id,
            "http_status": outcome.http_status,
            "first_byte_mono_ns": outcome.first_byte_mono_ns,
            "answered_mono_ns": outcome.answered_mono_ns,
            "answered_utc": answered_utc,
            "connection": connection_word,
        }
        if outcome.tweet_id is None:
            del values["tweet_id"]
        return self._go(firing_id, STATE_OF_CERTAINTY[outcome.certainty], values)

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
        return self._go(firing_id, state, values, for_good=for_good)

    def withdraw_armed(self, *, reason: str) -> tuple[FiringRecord, ...]:
        """Withdraw every firing that waits for its audience delay; returns them."""
        with self._database.writing() as connection:
            rows = connection.execute(sa.select(FIRING).where(FIRING.c.state == FiringState.ARMED.value)).all()
            state = FiringState.WITHDRAWN
            values = {"state": state.value, "reserving": state in RESERVING, "reason": reason, "updated_utc": self._clock.utc()}
            return tuple(_record(self._move(connection, row.firing_id, FiringState.ARMED, values)) for row in rows)

    def recover(self) -> tuple[FiringRecord, ...]:
        """Take over what older engines left: armed ones expire, claimed ones become unknown (a rehearsal's are not sent).

        Returns:
            The records that changed, oldest first.
        """
        left = sa.and_(FIRING.c.epoch < self._epoch, FIRING.c.state.in_([FiringState.ARMED.value, FiringState.CLAIMED.value]))
        with self._database.writing() as connection:
            rows = connection.execute(sa.select(FIRING).where(left).order_by(FIRING.c.firing_id)).all()
            return tuple(_record(self._recover_one(connection, row)) for row in rows)

    # --- reading --------------------------------------------------------------------------------

    def get(self, firing_id: int) -> FiringRecord | None:
        """A firing, None when there is none of that number."""
        with self._database.reading() as connection:
            row = connection.execute(_BY_ID, {"wanted_id": firing_id}).one_or_none()
        return None if row is None else _record(row)

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

    def used_texts(self, cue: Cue, mode: Mode) -> frozenset[str]:
        """Those of the cue's variants that have left its account in this mode, and not before its duplicate window."""
        now_ns, now_utc = self._clock.mono_ns(), self._clock.utc()
        with self._database.reading() as connection:
            return self._used_texts(connection, cue, cue.variants, mode=mode, now=(now_ns, now_utc))

    def fired_airings(self, *, since_utc: datetime) -> frozenset[tuple[Mode, str]]:
        """Occurrences of airings that have been claimed, with the mode."""
        query = sa.select(FIRING.c.mode, FIRING.c.occurrence_id).where(
            FIRING.c.claimed_utc > since_utc, FIRING.c.occurrence_id.like("airing:%"), FIRING.c.reserving
        )
        with self._database.reading() as connection:
            return frozenset((Mode(row.mode), row.occurrence_id) for row in connection.execute(query))

    # --- inside ---------------------------------------------------------------------------------

    def _select(self, condition: sa.ColumnElement[bool], *, limit: int) -> tuple[FiringRecord, ...]:
        query = sa.select(FIRING).where(condition).order_by(FIRING.c.firing_id.desc()).limit(limit)
        with self._database.reading() as connection:
            return tuple(_record(row) for row in connection.execute(query))

    def _facts(self, connection: sa.Connection, intent: Intent, account_faults: Mapping[Mode, str], *, own_id: int) -> Facts:
        cue = intent.cue
        # Read after the lock was had: waiting for it may have cost the deadline.
        now_ns, now_utc = self._clock.mono_ns(), self._clock.utc()
        key = {"occurrence_id": intent.occurrence_id, "cue_id": cue.cue_id, "account_id": cue.account_id, "own_id": own_id}
        key |= {"action": intent.action.value, "priority": cue.priority, "now_utc": now_utc}
        row = connection.execute(_FACTS, key).one()
        mode = Mode(row.mode)
        return Facts(
            now_mono_ns=now_ns,
            killed=row.killed,
            kill_reason=row.kill_reason,
            fenced=row.epoch != self._epoch,
            mode=mode,
            cue_sha256=row.cue_sha256,
            approved_sha256=row.approved_sha256,
            approvals=row.approvals,
            account_fault=account_faults.get(mode, ""),
            used_by=row.used_by or _corrected_by(connection, intent),
            rival=row.rival if intent.action is Action.POST else None,
            earlier_in_day=_earlier_in_day(connection, intent),
            caps=self._cap_uses(connection, intent, mode, now_ns, now_utc),
            used_texts=self._used_texts(connection, cue, intent.texts, mode=mode, now=(now_ns, now_utc), own_id=own_id),
            hold=row.hold_reason or "",
        )

    def _cap_uses(
        self, connection: sa.Connection, intent: Intent, mode: Mode, now_ns: int, now_utc: datetime
    ) -> tuple[CapUse, ...]:
        if intent.action is not Action.POST:
            return ()  # At most one correction follows a post, and the post has been counted.
        bounds: dict[str, Any] = {"boot_id": self._boot_id, "mode": mode.value, "cue_id": intent.cue.cue_id}
        bounds |= {"account_id": intent.cue.account_id, "spot_id": intent.spot_id or "", "campaign": intent.cue.campaign}
        for _, seconds, name in _PERIODS:
            bounds[f"{name}_mono_ns"] = now_ns - seconds * 1_000_000_000
            bounds[f"{name}_utc"] = now_utc - timedelta(seconds=seconds)
        used = connection.execute(_CAPS, bounds).one()._mapping
        scopes = (
            (CapScope.SPOT, intent.spot_id, self._limits.spot),
            (CapScope.CUE, intent.cue.cue_id, intent.cue.caps),
            (CapScope.CAMPAIGN, intent.cue.campaign or None, self._limits.campaign),
            (CapScope.ACCOUNT, intent.cue.account_id, self._limits.account),
            (CapScope.EVERYTHING, "", self._limits.everything),
        )
        return tuple(
            CapUse(scope=scope, name=name, period=words, used=used[f"{scope}_{period}"] or 0, allowed=getattr(caps, period))
            for scope, name, caps in scopes
            if name is not None
            for words, _, period in _PERIODS
        )

    def _used_texts(
        self,
        connection: sa.Connection,
        cue: Cue,
        texts: Sequence[str],
        *,
        mode: Mode,
        now: tuple[int, datetime],
        own_id: int = 0,
    ) -> frozenset[str]:
        by_hash = {_sha256(text): text for text in texts}
        bound: dict[str, Any] = {"account_id": cue.account_id, "mode": mode.value, "hashes": list(by_hash), "own_id": own_id}
        if not cue.duplicate_window_h:
            return frozenset(by_hash[value] for value in connection.execute(_USED_TEXTS, bound).scalars())
        (now_ns, now_utc), window = now, timedelta(hours=cue.duplicate_window_h)
        bound |= {
            "boot_id": self._boot_id,
            "since_utc": now_utc - window,
            "since_mono_ns": now_ns - window // _MICROSECOND * 1000,
        }
        return frozenset(by_hash[value] for value in connection.execute(_LATELY_USED_TEXTS, bound).scalars())

    def _intent_values(self, intent: Intent) -> dict[str, Any]:
        return {
            "occurrence_id": intent.occurrence_id,
            "cue_id": intent.cue.cue_id,
            "cue_name": intent.cue.name,
            "account_id": intent.cue.account_id,
            "action": intent.action.value,
            "campaign": intent.cue.campaign,
            "priority": intent.cue.priority,
            "spot_id": intent.spot_id,
            "deadline_mono_ns": intent.deadline_mono_ns,
            "on_air_mono_ns": intent.on_air_mono_ns,
            "heard_mono_ns": intent.heard_mono_ns,
            "decided_mono_ns": intent.decided_mono_ns,
            "on_air_utc": intent.on_air_utc,
            "decided_utc": intent.decided_utc,
            "of_firing_id": intent.of_firing_id,
        }

    def _verdict_values(self, intent: Intent, facts: Facts, judgement: Judgement, state: FiringState) -> dict[str, Any]:
        against = judgement.against
        text = judgement.text if against is None else None
        body = request_body(text, paid_partnership=intent.cue.paid_partnership) if text else ""
        claimed = state is FiringState.CLAIMED
        return {
            "mode": facts.mode.value,
            "state": state.value,
            "reserving": state in RESERVING,
            "guard": against.guard.value if against else "",
            "reason": against.reason if against else "",
            "text": text or "",
            "text_sha256": text and _sha256(text),
            "body": body,
            "body_sha256": _sha256(body) if body else None,
            "epoch": self._epoch,
            "boot_id": self._boot_id,
            "claimed_mono_ns": facts.now_mono_ns if claimed else None,
            "claimed_utc": self._clock.utc() if claimed else None,
            "updated_utc": self._clock.utc(),
        }

    def _go(self, firing_id: int, target: FiringState, values: dict[str, Any], *, for_good: bool = False) -> FiringRecord:
        with self._database.writing() as connection:
            current = connection.execute(sa.select(FIRING.c.state).where(FIRING.c.firing_id == firing_id)).scalar()
            if current is None:
                raise LedgerError(f"firing {firing_id}: there is none of that number")
            moved = {
                **values,
                "state": target.value,
                "reserving": for_good or target in RESERVING,
                "updated_utc": self._clock.utc(),
            }
            return _record(self._move(connection, firing_id, FiringState(current), moved))

    def _move(self, connection: sa.Connection, firing_id: int, current: FiringState, values: dict[str, Any]) -> sa.Row[Any]:
        target = FiringState(values["state"])
        statement = sa.update(FIRING).where(FIRING.c.firing_id == firing_id, FIRING.c.state == current.value).values(**values)
        row = connection.execute(statement.returning(FIRING)).one_or_none() if may_go(current, target) else None
        if row is None:
            raise IllegalTransitionError(f"firing {firing_id}: cannot go from {current} to {target}")
        self._audit.append(connection, self._clock.utc(), "firing", firing_facts(row))
        return row

    def _insert(self, connection: sa.Connection, values: dict[str, Any]) -> sa.Row[Any]:
        row = connection.execute(_INSERT, values).one()
        self._audit.append(connection, self._clock.utc(), "firing", firing_facts(row))
        return row

    def _recover_one(self, connection: sa.Connection, row: sa.Row[Any]) -> sa.Row[Any]:
        current = FiringState(row.state)
        if current is FiringState.ARMED:
            target, reason = FiringState.EXPIRED, "the engine stopped during the audience delay"
        elif row.mode == Mode.REHEARSAL.value:
            target, reason = FiringState.NOT_SENT, "the engine stopped during a rehearsal"
        else:
            target, reason = FiringState.UNKNOWN, "the engine stopped before the answer was known"
        values = {"state": target.value, "reserving": target in RESERVING, "reason": reason, "updated_utc": self._clock.utc()}
        return self._move(connection, row.firing_id, current, values)


# --- statements, built once ---------------------------------------------------------------------

_DEFAULTS: dict[str, Any] = {
    "tweet_id": None,
    "http_status": None,
    "first_byte_mono_ns": None,
    "answered_mono_ns": None,
    "answered_utc": None,
    "connection": "",
    "settled_by": "",
    "campaign": "",
    "priority": 0,
    "body": "",
    "body_sha256": None,
}
_INSERT = sa.insert(FIRING).values(**_DEFAULTS).returning(FIRING)

_BY_ID = sa.select(FIRING).where(FIRING.c.firing_id == sa.bindparam("wanted_id"))
_RESERVING = sa.text("firing.reserving")
"""As the partial indexes have it: only then does SQLite use them, and not read every firing of the mode."""

_MAY_SEND = sa.select(SWITCH.c.epoch, SWITCH.c.mode, SWITCH.c.killed, SWITCH.c.kill_reason)


def _facts_statement() -> sa.Select[Any]:
    cue_id: sa.BindParameter[str] = sa.bindparam("cue_id")
    now_utc = sa.bindparam("now_utc", type_=APPROVAL.c.expires_utc.type)
    standing = sa.and_(APPROVAL.c.cue_id == cue_id, APPROVAL.c.voided_utc.is_(None))
    latest = sa.select(APPROVAL.c.sha256).where(standing).order_by(APPROVAL.c.approval_id.desc()).limit(1)
    approvals = (
        sa.select(sa.func.count())
        .select_from(APPROVAL)
        .where(standing, APPROVAL.c.sha256 == CUE.c.sha256, APPROVAL.c.expires_utc > now_utc)
        .correlate(CUE)
    )
    keeper = sa.and_(
        FIRING.c.occurrence_id == sa.bindparam("occurrence_id"),
        FIRING.c.account_id == sa.bindparam("account_id"),
        _RESERVING,
        FIRING.c.firing_id != sa.bindparam("own_id"),
    )
    used_by = (
        sa.select(FIRING.c.firing_id)
        .where(keeper, FIRING.c.mode == SWITCH.c.mode, FIRING.c.cue_id == cue_id, FIRING.c.action == sa.bindparam("action"))
        .limit(1)
        .correlate(SWITCH)
    )
    rival = (
        sa.select(FIRING.c.cue_id)
        .where(
            keeper,
            # Not a bare column: SQLite would rather read all firings of the mode than the few of the occurrence.
            FIRING.c.mode.concat("") == SWITCH.c.mode,
            FIRING.c.cue_id != cue_id,
            FIRING.c.action == Action.POST.value,
            FIRING.c.priority != sa.bindparam("priority"),
        )
        .limit(1)
        .correlate(SWITCH)
    )
    return sa.select(
        SWITCH.c.epoch,
        SWITCH.c.mode,
        SWITCH.c.killed,
        SWITCH.c.kill_reason,
        CUE.c.sha256.label("cue_sha256"),
        CUE.c.hold_reason,
        latest.scalar_subquery().label("approved_sha256"),
        approvals.scalar_subquery().label("approvals"),
        used_by.scalar_subquery().label("used_by"),
        rival.scalar_subquery().label("rival"),
    ).select_from(SWITCH.outerjoin(CUE, CUE.c.cue_id == cue_id))


_FACTS = _facts_statement()


def _caps_statement() -> sa.Select[Any]:
    # By the monotonic clock within one boot (a stepped wall clock neither opens nor closes a cap), by UTC across boots.
    def within(name: str) -> sa.ColumnElement[bool]:
        this_boot = FIRING.c.boot_id == sa.bindparam("boot_id")
        return sa.or_(
            sa.and_(this_boot, FIRING.c.claimed_mono_ns > sa.bindparam(f"{name}_mono_ns", type_=sa.BigInteger())),
            sa.and_(~this_boot, FIRING.c.claimed_utc > sa.bindparam(f"{name}_utc", type_=FIRING.c.claimed_utc.type)),
        )

    scopes: dict[str, sa.ColumnElement[bool]] = {
        "spot": FIRING.c.spot_id == sa.bindparam("spot_id"),
        "cue": FIRING.c.cue_id == sa.bindparam("cue_id"),
        "campaign": FIRING.c.campaign == sa.bindparam("campaign"),
        "account": FIRING.c.account_id == sa.bindparam("account_id"),
        "everything": sa.true(),
    }
    sums = [
        sa.func.sum(sa.case((sa.and_(condition, within(name)), 1), else_=0)).label(f"{scope}_{name}")
        for scope, condition in scopes.items()
        for _, _, name in _PERIODS
    ]
    counted = sa.and_(
        FIRING.c.mode == sa.bindparam("mode"), FIRING.c.action == Action.POST.value, FIRING.c.claimed_mono_ns.is_not(None)
    )
    return sa.select(*sums).where(counted, within("per_day"))


_CAPS = _caps_statement()
_USED_TEXTS = sa.select(FIRING.c.text_sha256).where(
    FIRING.c.account_id == sa.bindparam("account_id"),
    FIRING.c.mode == sa.bindparam("mode"),
    _RESERVING,
    FIRING.c.text_sha256.in_(sa.bindparam("hashes", expanding=True)),
    FIRING.c.firing_id != sa.bindparam("own_id"),
)


def _lately() -> sa.ColumnElement[bool]:
    # As caps count: by the monotonic clock within one boot. What is armed has not left yet, and counts.
    this_boot = FIRING.c.boot_id == sa.bindparam("boot_id")
    return sa.or_(
        FIRING.c.claimed_utc.is_(None),
        sa.and_(this_boot, FIRING.c.claimed_mono_ns > sa.bindparam("since_mono_ns", type_=sa.BigInteger())),
        sa.and_(~this_boot, FIRING.c.claimed_utc > sa.bindparam("since_utc", type_=FIRING.c.claimed_utc.type)),
    )


_LATELY_USED_TEXTS = _USED_TEXTS.where(_lately())


def _release_text(connection: sa.Connection, intent: Intent, values: Mapping[str, Any]) -> None:
    """Let the firing that used this text before give it up: the gate has found that to be longer ago than the window."""
    connection.execute(
        sa.update(FIRING)
        .where(
            FIRING.c.account_id == intent.cue.account_id,
            FIRING.c.mode == values["mode"],
            FIRING.c.text_sha256 == values["text_sha256"],
            _RESERVING,
            FIRING.c.claimed_utc.is_not(None),
        )
        .values(text_sha256=None)
    )


_EARLIER_IN_DAY = sa.select(sa.func.count(sa.distinct(FIRING.c.occurrence_id))).where(
    FIRING.c.cue_id == sa.bindparam("cue_id"),
    FIRING.c.on_air_utc >= sa.bindparam("begin_utc", type_=FIRING.c.on_air_utc.type),
    FIRING.c.on_air_utc < sa.bindparam("on_air_utc", type_=FIRING.c.on_air_utc.type),
    FIRING.c.occurrence_id.like("airing:%"),
    FIRING.c.occurrence_id != sa.bindparam("occurrence_id"),
    FIRING.c.action == Action.POST.value,
    # What was not believed has not aired.
    FIRING.c.guard.not_in([Guard.WINDOW.value, Guard.EVIDENCE.value]),
)


def _earlier_in_day(connection: sa.Connection, intent: Intent) -> int:
    """Airings this cue has seen since the day began, fired or not, in whatever mode; asked only of cues that count them."""
    if intent.day is None:
        return 0
    bound: dict[str, Any] = {"cue_id": intent.cue.cue_id, "occurrence_id": intent.occurrence_id}
    bound |= {"begin_utc": intent.day[0], "on_air_utc": intent.on_air_utc}
    return connection.execute(_EARLIER_IN_DAY, bound).scalar_one()


def _corrected_by(connection: sa.Connection, intent: Intent) -> int | None:
    """The correction there has been already, whatever became of it: what was held or too late is not caught up."""
    if intent.action is not Action.CORRECT:
        return None
    query = sa.select(FIRING.c.firing_id).where(
        FIRING.c.cue_id == intent.cue.cue_id,
        FIRING.c.action == Action.CORRECT.value,
        FIRING.c.of_firing_id == intent.of_firing_id,
    )
    return connection.execute(query.limit(1)).scalar()


def _disarm(connection: sa.Connection, intent: Intent, facts: Facts, *, reason: str) -> list[str]:
    """Hold every cue of the scope whose cap is used up, until a person rearms it; a hold that is there stays. The cues held."""
    cap = tripped(facts.caps)
    unheld = connection.execute(sa.select(CUE.c.cue_id, CUE.c.canonical_json).where(CUE.c.hold_reason == ""))
    within = [row.cue_id for row in unheld if row.cue_id == intent.cue.cue_id or _is_within(row.canonical_json, cap)]
    if within:
        connection.execute(sa.update(CUE).where(CUE.c.cue_id.in_(within)).values(hold_reason=reason, hold_actor="cap"))
    return within


def _is_within(canonical_json: str, cap: CapUse | None) -> bool:
    if cap is None or cap.scope is CapScope.CUE:
        return False
    cue = cue_from_json(canonical_json)
    match cap.scope:
        case CapScope.SPOT:
            return isinstance(cue.on, SpotCondition) and cap.name in cue.on.spots
        case CapScope.CAMPAIGN:
            return cue.campaign == cap.name
        case CapScope.ACCOUNT:
            return cue.account_id == cap.name
        case CapScope.EVERYTHING:
            return True
        case _:
            assert_never(cap.scope)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _same_event(posted: FiringRecord) -> dict[str, Any]:
    names = ("occurrence_id", "cue_id", "cue_name", "account_id", "text", "spot_id", "tweet_id")
    return {**{name: getattr(posted, name) for name in names}, "mode": posted.mode.value}


_RECORD_FIELDS = tuple(name for name in FiringRecord.__slots__ if name not in ("mode", "action", "state"))


def _record(row: sa.Row[Any]) -> FiringRecord:
    values = row._mapping
    return FiringRecord(
        mode=Mode(values["mode"]),
        action=Action(values["action"]),
        state=FiringState(values["state"]),
        **{name: values[name] for name in _RECORD_FIELDS},
    )
