"""The ledger: what may fire, what has been claimed, and what became of it. The engine's memory and its conscience.

Synchronous and short; the engine calls it through `sync.writer` from one thread, the command line
directly. Every method is one transaction, and raises `LedgerError` when the database does not obey.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa

from schedules.airing import WINDOW_MOST, Airing
from sync import ledger_statements as statements
from sync.approvals import Ended, ExpiredApproval, note_expired, void
from sync.audit import AuditChain, AuditFiles
from sync.cues import Approval, Catalogue, Cue, approve, cue_fault, cue_from_json, stored_media_fault
from sync.database import OPENING_TIMEOUT_MS, Database
from sync.errors import ApprovalError, CueError, FencedError, LedgerError
from sync.lease import Lease, LeaseHeldError
from sync.prepared import Cursor, Row
from sync.schema import AUDIT, SWITCH
from sync.snapshot import AlarmView
from sync.states import Mode
from timebase import Clock, SystemClock

ALARMS_KEPT_MAX = 200_000
"""Alarms kept; older ones go when an engine opens the ledger. The audit record is never shortened."""
REASON_CHARS_MAX = 1000
APPROVAL_VALID = timedelta(days=90)
"""How long an approval holds unless the configuration says otherwise."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """Who is engine, how far firings go, and whether anything goes at all."""

    epoch: int
    mode: Mode
    killed: bool
    kill_reason: str
    kill_actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCue:
    """A cue with what the ledger knows of it.

    Attributes:
        approvals: whose approval of exactly this cue holds now.
        hold_reason: why it is held, empty when it is not.
    """

    cue: Cue
    sha256: str
    approvals: tuple[Approval, ...]
    hold_reason: str
    hold_actor: str

    @property
    def approved(self) -> bool:
        """Whether as many people as it asks for approve exactly these bytes."""
        return len(self.approvals) >= self.cue.approvers

    @property
    def approved_by(self) -> str:
        """Who approves it, empty when nobody does."""
        return ", ".join(approval.approved_by for approval in self.approvals)

    @property
    def expires_utc(self) -> datetime | None:
        """When it will not be approved any more, None when it is not."""
        ends = sorted((approval.expires_utc for approval in self.approvals), reverse=True)
        return ends[self.cue.approvers - 1] if self.approved else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportDiff:
    """What an import of cues changed: ids of what is new, changed and as before."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]


class Ledger:
    """Everything but the firings themselves (`sync.firings`), which share its database and its audit record."""

    def __init__(self, database: Database, clock: Clock, audit: AuditChain) -> None:
        self.database, self.clock, self.audit = database, clock, audit

    @classmethod
    def open(
        cls, target: Path | str, *, clock: Clock | None = None, mode: Mode | None = Mode.OFF, audit: AuditFiles | None = None
    ) -> Self:
        """The ledger in a file (or at a PostgreSQL URL), made or migrated as needed.

        Args:
            mode: the mode of a ledger that is made by this call; None leaves that to whoever opens it next.
            audit: where the key and the anchor of the audit record lie; None: beside the file.

        Raises:
            LedgerError: it cannot be opened, a newer Cuebird made it, or the audit record's key is not there.
        """
        clock = clock or SystemClock()
        if audit is None:
            if not isinstance(target, Path):
                raise LedgerError("ledger: in PostgreSQL it has no folder of its own; say where its audit key and anchor lie")
            audit = AuditFiles.beside(target)
        chain = AuditChain(audit)
        patient = Database(target, busy_timeout_ms=OPENING_TIMEOUT_MS)
        try:
            cls(patient, clock, chain).begin(mode)
            # Opened before the other is closed: the last one to close a file takes its log away, and locks out who opens it then.
            return cls(Database(target), clock, chain)
        finally:
            patient.close()

    def begin(self, mode: Mode | None) -> None:
        """Give a new ledger its switch and the first of its audit records; one that has them keeps them."""
        with self.database.reading() as connection:
            if self.audit.resume(connection) and (mode is None or _has_switch(connection)):
                return
        with self.database.writing() as connection:
            self.audit.begin(connection, self.clock.utc())
            if mode is not None and not _has_switch(connection):
                values = {"epoch": 0, "mode": mode.value, "killed": False, "kill_reason": "", "kill_actor": ""}
                connection.execute(sa.insert(SWITCH).values(switch_id=1, changed_utc=self.clock.utc(), **values))
                self._event(connection, "ledger_began", mode=mode.value)

    def anchor(self) -> None:
        """Note the newest audit record outside the ledger.

        Raises:
            LedgerError: the ledger lacks what was noted before, or it cannot be noted.
        """
        self.audit.anchor(self.database, self.clock.utc())

    def close(self) -> None:
        """Anchor the audit record and close the database."""
        try:
            self.anchor()
        except LedgerError as error:
            _log.warning("audit_not_anchored", extra={"reason": str(error)})
        self.database.close()

    # --- the switch ---------------------------------------------------------------------------

    def switch(self) -> Switch:
        """The switch as it stands."""
        with self.database.asking() as cursor:
            return _switch(self._one(cursor, statements.SWITCH_NOW))

    def lease(self) -> Lease | None:
        """Who fires; None when nobody ever has."""
        with self.database.asking() as cursor:
            return self._read_lease(cursor)

    def become_engine(self, *, holder: str = "", seen: Lease | None = None) -> int:
        """The new epoch: from now on every older engine's claims are refused.

        Args:
            holder: who takes the lease.
            seen: the lease that was taken for dead.

        Raises:
            LeaseHeldError: `seen` is given and is not how it stands any more; nothing was changed.
        """
        with self.database.claiming() as cursor:
            lease = self._read_lease(cursor)
            if seen is not None and lease != seen:
                raise LeaseHeldError(f"ledger {self.database.name}: the engine of {seen.holder} lives")
            epoch: int = self._one(cursor, statements.NEXT_EPOCH, now_utc=self.clock.utc())[0]
            change = statements.FIRST_LEASE if lease is None else statements.NEXT_LEASE
            lease_now = self.database.prepared(change, sets=statements.LEASE_VALUES)
            lease_now.run(cursor, {"holder": holder, "epoch": epoch, "beat": 0})
            self._event(self.database.beside(), "engine_opened", epoch=epoch, holder=holder)
            self._run(cursor, statements.PRUNE_ALARMS, kept=ALARMS_KEPT_MAX)
        return epoch

    def beat(self, epoch: int) -> None:
        """Tell whoever stands by that this engine lives.

        Raises:
            FencedError: another engine has taken over.
        """
        with self.database.claiming() as cursor:
            if not self._run(cursor, statements.BEAT, mine=epoch):
                raise FencedError(f"ledger {self.database.name}: FENCED, another engine has taken over")

    def let_go(self, epoch: int) -> None:
        """Stop in order: whoever stands by need not wait."""
        with self.database.claiming() as cursor:
            self.database.prepared(statements.LET_GO, sets=("holder",)).run(cursor, {"mine": epoch, "holder": ""})

    def set_mode(self, mode: Mode, *, actor: str, epoch: int | None = None) -> Switch:
        """Change how far firings go from the next claim on.

        Raises:
            FencedError: `epoch` is given and another engine has taken over.
        """
        with self.database.claiming() as cursor:
            return self._set_switch(cursor, "mode", {"mode": mode.value}, actor=actor, reason="", epoch=epoch)

    def kill(self, *, actor: str, reason: str, epoch: int | None = None) -> Switch:
        """Let no claim pass any more, until `release`."""
        with self.database.claiming() as cursor:
            return self.kill_in(cursor, actor=actor, reason=reason, epoch=epoch)

    def kill_in(self, cursor: Cursor, *, actor: str, reason: str, epoch: int | None) -> Switch:
        """As `kill`, in a transaction of `claiming` that does more."""
        values = {"killed": True, "kill_reason": reason[:REASON_CHARS_MAX], "kill_actor": actor}
        return self._set_switch(cursor, "kill", values, actor=actor, reason=reason, epoch=epoch)

    def release(self, *, actor: str, reason: str, epoch: int | None = None) -> Switch:
        """Undo a kill."""
        values = {"killed": False, "kill_reason": "", "kill_actor": ""}
        with self.database.claiming() as cursor:
            return self._set_switch(cursor, "release", values, actor=actor, reason=reason, epoch=epoch)

    # --- cues -----------------------------------------------------------------------------------

    def import_cues(self, cues: Sequence[Cue], *, actor: str) -> ImportDiff:
        """Add and change cues, all or nothing; others stay. A change voids every approval, for good."""
        new, changed, unchanged = list[str](), list[str](), list[str]()
        add = self.database.prepared(statements.ADD_CUE, sets=("cue_id", *statements.CUE_VALUES))
        with self.database.claiming() as cursor:
            known: dict[str, str] = dict(self._run(cursor, statements.CUE_HASHES))
            for cue in cues:
                values = {"canonical_json": cue.canonical_json(), "sha256": cue.sha256(), "updated_utc": self.clock.utc()}
                if cue.cue_id not in known:
                    new.append(cue.cue_id)
                    add.run(cursor, {"cue_id": cue.cue_id, **values})
                elif known[cue.cue_id] != values["sha256"]:
                    changed.append(cue.cue_id)
                    self._change_cue(cursor, cue.cue_id, values)
                    self._void(cursor, cue.cue_id, of=None, actor=actor, reason=Ended.CHANGED)
                else:
                    unchanged.append(cue.cue_id)
            if new or changed:
                self._event(self.database.beside(), "cues_imported", actor=actor, new=new, changed=changed)
        return ImportDiff(new=tuple(new), changed=tuple(changed), unchanged=tuple(unchanged))

    def cues(self) -> tuple[StoredCue, ...]:
        """Every cue, by id."""
        approvals: dict[str, list[Approval]] = {}
        with self.database.asking() as cursor:
            for row in self._run(cursor, statements.STANDING_APPROVALS, now_utc=self.clock.utc()):
                approvals.setdefault(row[0], []).append(_approval(row))
            rows = self._run(cursor, statements.CUES)
        return tuple(_stored_cue(row, tuple(approvals.get(row[0], ()))) for row in rows)

    def approve_cue(
        self,
        cue_id: str,
        *,
        approved_by: str,
        sha256: str | None = None,
        valid_for: timedelta = APPROVAL_VALID,
        catalogue: Catalogue | None = None,
    ) -> Approval:
        """Record that a person approves a cue as it is now, in place of that person's earlier approval.

        Args:
            sha256: what the approver saw; when given and the cue has changed since, nothing is approved.
            valid_for: how long the approval holds.
            catalogue: what the texts must keep in their longest form; None where the caller has just checked them.

        Raises:
            CueError: there is no such cue.
            ApprovalError: the approver wrote it, it has changed since, or it could not be fired as it is.
        """
        checked = self._checked(cue_id, catalogue)
        add = self.database.prepared(statements.ADD_APPROVAL, sets=statements.APPROVAL_VALUES)
        with self.database.claiming() as cursor:
            canonical_json, stored_sha256 = self._cue_row(cursor, cue_id)
            if stored_sha256 != (checked if sha256 is None else sha256) or stored_sha256 != checked:
                raise ApprovalError(f"cue {cue_id}: it has changed since it was shown; look at it again")
            now_utc = self.clock.utc()
            approval = approve(cue_from_json(canonical_json), approved_by=approved_by, expires_utc=now_utc + valid_for)
            self._void(cursor, cue_id, of=approved_by, actor=approval.approved_by, reason=Ended.RENEWED)
            values = {"cue_id": cue_id, "sha256": stored_sha256, "approved_by": approval.approved_by, "approved_utc": now_utc}
            add.run(cursor, {"expires_utc": approval.expires_utc, **values})
            facts = {"actor": approval.approved_by, "cue_id": cue_id, "sha256": approval.sha256}
            self._event(self.database.beside(), "cue_approved", **facts)
        return approval

    def withdraw_approval(self, cue_id: str, *, by: str, reason: str = "") -> None:
        """Take a person's approval back, from the next claim on.

        Raises:
            CueError: there is no such cue.
            ApprovalError: that person's approval of it does not stand.
        """
        with self.database.claiming() as cursor:
            self._cue_row(cursor, cue_id)
            if self._void(cursor, cue_id, of=by, actor=by.strip(), reason=Ended.WITHDRAWN, remark=reason) == 0:
                raise ApprovalError(f"cue {cue_id}: {by} has not approved it as it is; `cuebird cues show {cue_id}` says who has")

    def note_expired_approvals(self) -> tuple[ExpiredApproval, ...]:
        """Record the approvals that have expired, each once, when they are first seen to have; those that are news."""
        return note_expired(self.database, self.audit, self.clock.utc())

    def _checked(self, cue_id: str, catalogue: Catalogue | None) -> str:
        # Weighing texts takes a while: outside the transaction that others wait for.
        with self.database.asking() as cursor:
            canonical_json, sha256 = self._cue_row(cursor, cue_id)
        if catalogue is not None:
            cue = cue_from_json(canonical_json)
            if fault := cue_fault(cue, catalogue) or stored_media_fault(cue, catalogue):
                raise ApprovalError(f"cue {cue_id}: {fault}")
        return sha256

    def _cue_row(self, cursor: Cursor, cue_id: str) -> tuple[str, str]:
        """A cue's canonical JSON and its hash."""
        for canonical_json, sha256 in self._run(cursor, statements.CUE_BY_ID, wanted_id=cue_id):
            return canonical_json, sha256
        raise CueError(f"cue {cue_id}: there is none; `cuebird cues list` shows them")

    def _change_cue(self, cursor: Cursor, cue_id: str, values: Mapping[str, Any]) -> None:
        change = self.database.prepared(statements.CHANGE_CUE, sets=tuple(values))
        if not change.run(cursor, {"wanted_id": cue_id, **values}):
            raise CueError(f"cue {cue_id}: there is none; `cuebird cues list` shows them")

    def _void(self, cursor: Cursor, cue_id: str, *, of: str | None, actor: str, reason: Ended, remark: str = "") -> int:
        remark, now_utc = remark[:REASON_CHARS_MAX], self.clock.utc()
        return void(self.database, cursor, self.audit, cue_id, of=of, actor=actor, reason=reason, remark=remark, now_utc=now_utc)

    def hold_cue(self, cue_id: str, *, actor: str, reason: str) -> None:
        """Hold a cue, or with an empty reason let it go again.

        Raises:
            CueError: there is no such cue.
        """
        with self.database.claiming() as cursor:
            values = {"hold_reason": reason[:REASON_CHARS_MAX], "hold_actor": actor if reason else ""}
            self._change_cue(cursor, cue_id, values)
            kind = "cue_held" if reason else "cue_released"
            self._event(self.database.beside(), kind, actor=actor, cue_id=cue_id, reason=reason)

    # --- airings --------------------------------------------------------------------------------

    def airings(
        self, *, closes_after_utc: datetime | None = None, opens_before_utc: datetime | None = None
    ) -> tuple[Airing, ...]:
        """Airings whose window touches the span, in order of their plan; without bounds all of them."""
        earliest_utc, latest_utc = closes_after_utc or FIRST_UTC, opens_before_utc or LAST_UTC
        with self.database.asking() as cursor:
            rows = self._run(
                cursor,
                statements.AIRINGS,
                closes_after_utc=earliest_utc,
                opens_before_utc=latest_utc,
                # Implied by the line before; it lets the index leave out all that comes later.
                closes_before_utc=min(latest_utc, LAST_UTC - WINDOW_MOST) + WINDOW_MOST,
            )
        return tuple(map(airing_of, rows))

    def heard_airings(self, *, closes_after_utc: datetime) -> frozenset[str]:
        """Ids of the airings that have been heard."""
        with self.database.asking() as cursor:
            rows = self._run(cursor, statements.HEARD_AIRINGS, closes_after_utc=closes_after_utc)
        return frozenset(airing_id for (airing_id,) in rows)

    def mark_heard(self, airing_id: str, heard_utc: datetime) -> None:
        """Record when an airing was first heard."""
        with self.database.claiming() as cursor:
            mark = self.database.prepared(statements.MARK_HEARD, sets=("heard_utc",))
            mark.run(cursor, {"wanted_id": airing_id, "heard_utc": heard_utc})

    # --- memory of links and fixtures -----------------------------------------------------------

    def fixture_states(self) -> dict[str, str]:
        """What `save_fixture` kept, by fixture."""
        with self.database.asking() as cursor:
            return dict(self._run(cursor, statements.FIXTURE_STATES))

    def save_fixture(self, fixture: str, state_json: str) -> None:
        """Keep what is remembered of a match."""
        self._put(statements.PUT_FIXTURE, statements.FIRST_OF_FIXTURE, "fixture", fixture, state_json)

    def replay_state(self, link: str) -> Any:
        """What `save_replay` kept for a link (a value JSON can hold), None before the first time."""
        with self.database.asking() as cursor:
            found = self._run(cursor, statements.REPLAY_OF_LINK, wanted=link)
        return json.loads(found[0][0]) if found else None

    def save_replay(self, link: str, state: Any) -> None:
        """Keep a link's replay window, so that a restart does not forget which messages have been used."""
        self._put(statements.PUT_REPLAY, statements.FIRST_OF_LINK, "link", link, json.dumps(state, separators=(",", ":")))

    # --- alarms and audit -----------------------------------------------------------------------

    def add_alarm(self, level: str, text: str) -> AlarmView:
        """Record an alarm."""
        with self.database.claiming() as cursor:
            utc, text = self.clock.utc(), text[:REASON_CHARS_MAX]
            add = self.database.prepared(statements.ADD_ALARM, sets=("utc", "level", "text"))
            ((alarm_id,),) = add.run(cursor, {"utc": utc, "level": level, "text": text})
        return AlarmView(alarm_id=alarm_id, utc=utc, level=level, text=text)

    def alarms(self, *, limit: int) -> tuple[AlarmView, ...]:
        """The newest alarms, newest first."""
        with self.database.asking() as cursor:
            rows = self._run(cursor, statements.NEWEST_ALARMS, most=limit)
        return tuple(AlarmView(alarm_id=alarm_id, utc=utc, level=level, text=text) for alarm_id, utc, level, text in rows)

    def marks(self) -> tuple[int, int]:
        """Numbers of the newest version of any plan and of the newest alarm: they grow when another process adds one."""
        with self.database.asking() as cursor:
            plans, alarms = self._one(cursor, statements.MARKS)
        return plans, alarms

    def add_event(self, kind: str, **facts: Any) -> None:
        """Record an action that this ledger knows nothing else of."""
        with self.database.writing() as connection:
            self._event(connection, kind, **facts)

    def events(self, *, limit: int) -> tuple[tuple[str, dict[str, Any]], ...]:
        """The newest audit records as (kind, facts), newest first."""
        query = sa.select(AUDIT).order_by(AUDIT.c.number.desc()).limit(limit)
        with self.database.reading() as connection:
            return tuple((row.kind, json.loads(row.facts_json)) for row in connection.execute(query))

    # --- inside ---------------------------------------------------------------------------------

    def _set_switch(
        self, cursor: Cursor, kind: str, values: dict[str, Any], *, actor: str, reason: str, epoch: int | None
    ) -> Switch:
        before = _switch(self._one(cursor, statements.SWITCH_NOW))
        if epoch is not None and before.epoch != epoch:
            raise FencedError(
                f"ledger {self.database.name}: another engine has taken over (epoch {before.epoch}, mine is {epoch})"
            )
        change = self.database.prepared(statements.CHANGE_SWITCH, sets=(*values, "changed_utc"))
        change.run(cursor, {**values, "changed_utc": self.clock.utc()})
        self._event(self.database.beside(), kind, actor=actor, reason=reason, mode=values.get("mode", before.mode.value))
        return _switch(self._one(cursor, statements.SWITCH_NOW))

    def _put(self, put: sa.UpdateBase, first: sa.UpdateBase, name: str, key: str, state_json: str) -> None:
        values = {"state_json": state_json, "updated_utc": self.clock.utc()}
        with self.database.claiming() as cursor:
            if not self.database.prepared(put, sets=statements.PUT_VALUES).run(cursor, {"key": key, **values}):
                self.database.prepared(first, sets=(name, *statements.PUT_VALUES)).run(cursor, {name: key, **values})

    def _run(self, cursor: Cursor, statement: sa.Select[Any] | sa.UpdateBase, **values: Any) -> list[Row]:
        return self.database.prepared(statement).run(cursor, values)

    def _one(self, cursor: Cursor, statement: sa.Select[Any] | sa.UpdateBase, **values: Any) -> Row:
        (row,) = self._run(cursor, statement, **values)
        return row

    def _read_lease(self, cursor: Cursor) -> Lease | None:
        found = self._run(cursor, statements.LEASE_NOW)
        return Lease(holder=found[0][0], epoch=found[0][1], beat=found[0][2]) if found else None

    def _event(self, connection: sa.Connection, kind: str, **facts: Any) -> None:
        self.audit.append(connection, self.clock.utc(), kind, facts)


def _has_switch(connection: sa.Connection) -> bool:
    return connection.execute(sa.select(SWITCH.c.switch_id)).first() is not None


def _switch(row: Row) -> Switch:
    epoch, mode, killed, kill_reason, kill_actor = row
    return Switch(epoch=epoch, mode=Mode(mode), killed=killed, kill_reason=kill_reason, kill_actor=kill_actor)


def _stored_cue(row: Row, approvals: tuple[Approval, ...]) -> StoredCue:
    _, canonical_json, sha256, hold_reason, hold_actor = row
    cue = cue_from_json(canonical_json)
    return StoredCue(cue=cue, sha256=sha256, approvals=approvals, hold_reason=hold_reason, hold_actor=hold_actor)


def _approval(row: Row) -> Approval:
    cue_id, sha256, approved_by, expires_utc = row
    return Approval(cue_id=cue_id, sha256=sha256, approved_by=approved_by, expires_utc=expires_utc)


AIRING_FIELDS = tuple(column.name for column in statements.AIRINGS.selected_columns)
FIRST_UTC, LAST_UTC = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def airing_of(row: Sequence[Any]) -> Airing:
    """The airing of a row with `AIRING_FIELDS`."""
    return Airing(**dict(zip(AIRING_FIELDS, row, strict=True)))
