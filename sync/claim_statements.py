"""What a claim asks the ledger, and the rare things it writes besides: statements, compiled once for a database.

`firings.py` says when each is run; nothing here begins or ends a transaction.
"""

import functools
import itertools
from collections.abc import Mapping
from typing import Any, assert_never

import sqlalchemy as sa

from sync.conditions import SpotCondition
from sync.cues import cue_from_json
from sync.decide import Intent
from sync.gate import CapScope, CapUse, Facts, Guard, tripped
from sync.prepared import Prepared
from sync.schema import APPROVAL, CUE, FIRING, SWITCH
from sync.states import Action, FiringState

TEXTS_AT_ONCE = 16
"""Variants looked up together; most cues have no more."""
_TEXTS_SIZES = (0, 1, 4, TEXTS_AT_ONCE)
"""How many hashes a statement takes: few statements, so that all of them can be compiled before the first claim."""
HASH_NAMES = tuple(f"hash_{number}" for number in range(TEXTS_AT_ONCE))
"""What their hashes are called in a statement."""

IS_RESERVING = sa.text("firing.reserving")
"""As the partial indexes have it: only then does SQLite use them, and not read every firing of the mode."""

_SWITCH = sa.select(SWITCH.c.epoch, SWITCH.c.mode, SWITCH.c.killed, SWITCH.c.kill_reason)


def _facts_statement(texts: sa.ColumnElement[Any]) -> sa.Select[Any]:
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
        IS_RESERVING,
        FIRING.c.firing_id != sa.bindparam("own_id"),
    )
    used_by = (
        sa.select(FIRING.c.firing_id)
        .where(
            keeper,
            # What a person has stopped keeps its occurrence in every mode: whoever vetoes a rehearsal's means the tweet.
            sa.or_(FIRING.c.mode == SWITCH.c.mode, FIRING.c.state == FiringState.WITHDRAWN.value),
            FIRING.c.cue_id == cue_id,
            FIRING.c.action == sa.bindparam("action"),
        )
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
    own = sa.select(FIRING.c.mode).where(FIRING.c.firing_id == sa.bindparam("own_id"))
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
        own.scalar_subquery().label("armed_in"),
        texts.label("used_texts"),
    ).select_from(SWITCH.outerjoin(CUE, CUE.c.cue_id == cue_id))


USED_TEXTS = sa.select(FIRING.c.text_sha256).where(
    FIRING.c.account_id == sa.bindparam("account_id"),
    FIRING.c.mode == sa.bindparam("mode"),
    IS_RESERVING,
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


LATELY_USED_TEXTS = USED_TEXTS.where(_lately())


def _one_of(count: int) -> sa.ColumnElement[bool]:
    hashes: list[sa.BindParameter[str]] = [sa.bindparam(name) for name in HASH_NAMES[:count]]
    return FIRING.c.text_sha256.in_(hashes)


def _used_of(count: int, *, lately: bool) -> sa.ColumnElement[Any]:
    """Which of so many texts have left the account in the mode of the switch, within a duplicate window or at all."""
    if count == 0:
        return sa.literal_column("''", sa.Text())
    used = sa.select(sa.func.aggregate_strings(FIRING.c.text_sha256, ",")).where(
        FIRING.c.account_id == sa.bindparam("account_id"),
        FIRING.c.mode == SWITCH.c.mode,
        IS_RESERVING,
        FIRING.c.firing_id != sa.bindparam("own_id"),
        _one_of(count),
    )
    return (used.where(_lately()) if lately else used).correlate(SWITCH).scalar_subquery()


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
        FIRING.c.campaign,
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

_WITHDRAWN = ("state", "reserving", "reason", "updated_utc")
_WITHDRAW = sa.update(FIRING).where(FIRING.c.state == sa.literal(FiringState.ARMED.value)).returning(*FIRING.columns)


class Statements:
    """What is run between deciding and rest, for one database."""

    def __init__(self, sql: sa.Dialect) -> None:
        self._sql = sql
        self._moves: dict[tuple[str, ...], Prepared] = {}
        self.switch = self._select(_SWITCH)
        self._facts: dict[tuple[int, bool], Prepared] = {}
        self._used_texts: dict[tuple[int, bool], Prepared] = {}
        self.claims = self._select(_CLAIMS)
        self.deleted, self.left = self._select(_DELETED), self._select(_LEFT)
        self.state = self._select(sa.select(FIRING.c.state).where(FIRING.c.firing_id == sa.bindparam("of_firing")))
        self.withdraw = Prepared(_WITHDRAW, sql, results=list(FIRING.columns), column_keys=_WITHDRAWN)
        added = [column.name for column in FIRING.columns if column.name != "firing_id"]
        self.insert = Prepared(
            sa.insert(FIRING).returning(FIRING.c.firing_id), sql, results=[FIRING.c.firing_id], column_keys=added
        )

    def facts(self, texts: int, *, lately: bool = False) -> Prepared:
        """All that a claim asks of the switch, its cue and its occurrence, and which of so many texts have left."""
        size = next(size for size in _TEXTS_SIZES if size >= texts)
        if (size, lately) not in self._facts:
            self._facts[size, lately] = self._select(_facts_statement(_used_of(size, lately=lately)))
        return self._facts[size, lately]

    def prepare(self) -> None:
        """Compile the facts of every number of texts: some milliseconds each, which an evening's first goal would wait for."""
        for size, lately in itertools.product(_TEXTS_SIZES, (False, True)):
            self.facts(size, lately=lately)

    def used_texts(self, count: int, *, lately: bool = False) -> Prepared:
        """The look for so many texts among those that have left, at all or within a duplicate window."""
        if (count, lately) not in self._used_texts:
            query = (LATELY_USED_TEXTS if lately else USED_TEXTS).where(_one_of(count))
            self._used_texts[count, lately] = self._select(query)
        return self._used_texts[count, lately]

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


@functools.lru_cache(maxsize=16)
def statements_for(sql: sa.Dialect) -> Statements:
    """The statements of a database, compiled for its first engine and kept for those that follow in the same process."""
    return Statements(sql)


def release_text(connection: sa.Connection, intent: Intent, values: Mapping[str, Any]) -> None:
    """Let the firing that used this text before give it up: the gate has found that to be longer ago than the window."""
    connection.execute(
        sa.update(FIRING)
        .where(
            FIRING.c.account_id == intent.cue.account_id,
            FIRING.c.mode == values["mode"],
            FIRING.c.text_sha256 == values["text_sha256"],
            IS_RESERVING,
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
    FIRING.c.guard.not_in([Guard.WINDOW.value, Guard.EVIDENCE.value, Guard.QUORUM.value, Guard.ON_AIR.value]),
)


def earlier_in_day(connection: sa.Connection, intent: Intent) -> int:
    """Airings this cue has seen since the day began, fired or not, in whatever mode; asked only of cues that count them."""
    assert intent.day is not None
    bound: dict[str, Any] = {"cue_id": intent.cue.cue_id, "occurrence_id": intent.occurrence_id}
    bound |= {"begin_utc": intent.day[0], "on_air_utc": intent.on_air_utc}
    return connection.execute(_EARLIER_IN_DAY, bound).scalar_one()


def corrected_by(connection: sa.Connection, intent: Intent) -> int | None:
    """The correction there has been already, whatever became of it: what was held or too late is not caught up."""
    query = sa.select(FIRING.c.firing_id).where(
        FIRING.c.cue_id == intent.cue.cue_id,
        FIRING.c.action == Action.CORRECT.value,
        FIRING.c.of_firing_id == intent.of_firing_id,
    )
    return connection.execute(query.limit(1)).scalar()


def disarm(connection: sa.Connection, intent: Intent, facts: Facts, *, reason: str) -> list[str]:
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
