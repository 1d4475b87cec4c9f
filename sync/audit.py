"""The audit record: who did what, and every step of every firing, so that nobody can change it unnoticed.

Each record is written in the very transaction that does the thing, so neither exists without the other. Its number
is one more than the last, and its MAC (HMAC-SHA256) covers its content and the MAC before it: to change, remove or
insert a record one needs the key. The head is noted again and again in a file of its own, the anchor, so that a
record cut off at its end is missed. docs/audit.md is the specification.
"""

import contextlib
import enum
import functools
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from sync.database import Database
from sync.errors import LedgerError
from sync.key_files import KEY_BYTES, make_key, read_key
from sync.prepared import Cursor, Row
from sync.schema import AUDIT, FIRING

if TYPE_CHECKING:
    from sync.receipts import FiringRecord

ANCHOR_BYTES_MAX = 4096
ROWS_AT_ONCE = 5000
BEGAN = "audit_began"
"""Kind of the record that names the key; what stands before it was written before there was a chain, and sealed then."""
_NO_MAC = "0" * 64
"""Stands before the first record."""
_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFiles:
    """Where the key and the anchor lie. The anchor is worth most on a disk that the ledger's writers cannot rewrite."""

    key_file: Path
    anchor_file: Path

    @classmethod
    def beside(cls, ledger: Path) -> Self:
        """The files of a ledger that has no others: in its folder, with its name."""
        return cls(key_file=ledger.with_suffix(".audit-key"), anchor_file=ledger.with_suffix(".audit-anchor"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One record; `facts_json` is canonical: sorted keys, no spaces."""

    number: int
    utc: datetime
    kind: str
    facts_json: str
    mac: str

    @property
    def facts(self) -> dict[str, Any]:
        """What happened."""
        facts: dict[str, Any] = json.loads(self.facts_json)
        return facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """The newest record that has been noted outside the ledger."""

    number: int
    mac: str
    utc: str
    key_id: str


class AuditChain:
    """Writes records with the key of one ledger. Used inside transactions, which the ledger's one-writer lock orders.

    Args:
        files: where key and anchor lie; None keeps a key in memory and no anchor (simulations).
    """

    def __init__(self, files: AuditFiles | None) -> None:
        self._files = files
        self._key = b"" if files else secrets.token_bytes(KEY_BYTES)
        self._anchored: tuple[int, str] | None = None
        self._written: tuple[Cursor, int, str] | None = None
        self._insert = ""

    @property
    def key(self) -> bytes:
        """The key records are written with; empty before the chain was taken up."""
        return self._key

    def resume(self, connection: sa.Connection) -> bool:
        """Take up the chain of this ledger; False when it has none yet.

        Raises:
            KeyFileError: the key is missing, readable by others, or none.
            LedgerError: it is another one.
        """
        self._insert = _INSERT[connection.dialect.paramstyle]
        if connection.execute(sa.select(AUDIT.c.number).where(AUDIT.c.mac != "").limit(1)).first() is None:
            return False
        if self._files is not None:
            self._key = read_key(self._files.key_file)
        began = _began(connection)
        if began is not None and began.get("key_id") != key_id(self._key):
            place = "the key in memory" if self._files is None else self._files.key_file
            raise LedgerError(f"audit: {place} is not the key of this ledger's record; put the right one back")
        return True

    def begin(self, connection: sa.Connection, utc: datetime) -> None:
        """Take up the chain, or begin it: make the key if there is none, and seal what was written before.

        Raises:
            KeyFileError, LedgerError: as `resume`.
        """
        if self.resume(connection):
            return
        if self._files is not None:
            self._key = make_key(self._files.key_file)
        mac = _NO_MAC
        for row in connection.execute(sa.select(AUDIT).order_by(AUDIT.c.number)).all():
            text = canonical(json.loads(row.facts_json))
            mac = mac_of(self._key, mac, number=row.number, utc=row.utc, kind=row.kind, facts_json=text)
            connection.execute(sa.update(AUDIT).where(AUDIT.c.number == row.number).values(facts_json=text, mac=mac))
        firings_before = connection.execute(sa.select(sa.func.max(FIRING.c.firing_id))).scalar() or 0
        self.append(connection, utc, BEGAN, {"key_id": key_id(self._key), "firings_before": firings_before})

    def append(self, way: sa.Connection | Cursor, utc: datetime, kind: str, facts: Mapping[str, Any]) -> None:
        """Write the next record, as part of the transaction that does what it tells of.

        Args:
            way: into that transaction; a cursor is that of `Database.claiming`, and serves for one transaction.
        """
        if isinstance(way, sa.Connection):
            with _driver_cursor(way) as cursor:
                self._append(cursor, utc, kind, facts)
            self._written = None
        else:
            self._append(way, utc, kind, facts)

    def _append(self, cursor: Cursor, utc: datetime, kind: str, facts: Mapping[str, Any]) -> None:
        before_number, before = self._head_in(cursor)
        number, text = before_number + 1, canonical(facts)
        mac = mac_of(self._key, before, number=number, utc=utc, kind=kind, facts_json=text)
        cursor.execute(self._insert, (number, _microseconds(utc), kind, text, mac))
        self._written = (cursor, number, mac)

    def _head_in(self, cursor: Cursor) -> tuple[int, str]:
        """The newest record. Within a transaction nobody else writes one; before it another process may have, or a rollback
        have taken one away."""
        if self._written is not None and self._written[0] is cursor:
            return self._written[1:]
        cursor.execute(_HEAD)
        head = cursor.fetchone()
        return (head[0], head[1]) if head else (0, _NO_MAC)

    def anchor(self, database: Database, utc: datetime) -> None:
        """Note the newest record outside the ledger.

        Raises:
            LedgerError: the ledger lacks a record that the anchor has seen (the anchor is left as it is), or the
                anchor's file cannot be read or written.
        """
        if self._files is None:
            return
        with database.reading() as connection:
            with _driver_cursor(connection) as cursor:
                cursor.execute(_HEAD)
                head = cursor.fetchone()
            if head is None or (head[0], head[1]) == self._anchored:
                return
            known = read_anchor(self._files.anchor_file)
            if known is not None:
                mac = connection.execute(sa.select(AUDIT.c.mac).where(AUDIT.c.number == known.number)).scalar()
                if mac != known.mac:
                    raise LedgerError(
                        f"audit: record {known.number}, which {self._files.anchor_file} has seen, is missing or another one: "
                        "say `cuebird audit verify`; where the ledger was put aside on purpose, put its anchor aside too"
                    )
                if known.number >= head[0]:
                    return  # Another process has noted more in the meantime.
        newest = Anchor(number=head[0], mac=head[1], utc=utc.isoformat(), key_id=key_id(self._key))
        _write_anchor(self._files.anchor_file, newest)
        self._anchored = (newest.number, newest.mac)


# --- looking at it ------------------------------------------------------------------------------


class FaultKind(enum.StrEnum):
    """What is wrong with a record."""

    WRONG_KEY = "wrong_key"
    CHANGED = "changed"
    MISSING = "missing"
    INSERTED = "inserted"
    TRUNCATED = "truncated"
    REWRITTEN = "rewritten"
    UNRECORDED = "unrecorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The first thing that is wrong; `number` is the record it is about, None when it is about none."""

    kind: FaultKind
    number: int | None
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What looking at a whole chain came to.

    Attributes:
        records: how many records were found whole.
        anchor: the record the anchor has seen, None without an anchor.
        fault: the first thing that is wrong, None when nothing is.
    """

    records: int
    anchor: int | None
    fault: Fault | None


def verify(database: Database, key: bytes, anchor: Anchor | None) -> AuditReport:
    """Look at every record, and at whether the ledger says what was recorded.

    Args:
        anchor: read before this call, so that a running engine cannot have overtaken it.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    with database.snapshot() as connection:
        walk = _Walk(key, anchor, key_id_told=(_began(connection) or {}).get("key_id"))
        memory = _Memory()
        fault = None
        for record, following in _pairs(_records(database, connection)):
            if (fault := walk.fault_of(record, following)) is not None:
                break
            memory.take(record)
        fault = fault or walk.fault_at_end() or memory.fault_against(database, connection)
        return AuditReport(records=walk.whole, anchor=None if anchor is None else anchor.number, fault=fault)


def records(database: Database, *, after: int = -1) -> Iterator[AuditRecord]:
    """Every record from a number on, oldest first, as one state of the ledger has them."""
    with database.snapshot() as connection:
        yield from _records(database, connection, after=after)


class _Walk:
    """Goes along the chain and stops at the first record that does not belong there."""

    def __init__(self, key: bytes, anchor: Anchor | None, *, key_id_told: str | None) -> None:
        self._key, self._anchor = key, anchor
        self._wrong_key = key_id_told is not None and key_id_told != key_id(key)
        self.whole, self._mac = 0, _NO_MAC

    def fault_of(self, record: AuditRecord, following: AuditRecord | None) -> Fault | None:
        expected = self.whole + 1
        if record.number > expected:
            last = record.number - 1
            what = f"record {expected} is" if last == expected else f"records {expected} to {last} are"
            return Fault(kind=FaultKind.MISSING, number=expected, sentence=f"{what} missing")
        if record.number < expected:
            return Fault(kind=FaultKind.INSERTED, number=record.number, sentence=f"record {record.number} cannot be there")
        if not self._fits(record, self._mac):
            return self._named(record, following)
        if self._anchor is not None and record.number == self._anchor.number and record.mac != self._anchor.mac:
            sentence = f"record {record.number} is whole, but not the one the anchor saw: the chain was written anew with its key"
            return Fault(kind=FaultKind.REWRITTEN, number=record.number, sentence=sentence)
        self.whole, self._mac = record.number, record.mac
        return None

    def fault_at_end(self) -> Fault | None:
        anchor = self._anchor
        if anchor is None or self.whole >= anchor.number:
            return None
        cut = f"records {self.whole + 1} to {anchor.number} are cut off"
        sentence = f"{cut}: the anchor saw record {anchor.number} at {anchor.utc}"
        return Fault(kind=FaultKind.TRUNCATED, number=self.whole + 1, sentence=sentence)

    def _named(self, record: AuditRecord, following: AuditRecord | None) -> Fault:
        """Which of the things that break a MAC has happened, as far as the record after it tells."""
        number = record.number
        if following is not None and self._fits(following, self._mac, number=number):
            kind, sentence = FaultKind.INSERTED, f"record {number} was inserted; the true one follows it"
        elif following is not None and self._fits(following, record.mac):
            kind, sentence = FaultKind.CHANGED, f"record {number} ({record.kind}) was changed"
        elif following is not None and self._fits(following, record.mac, number=following.number + 1):
            kind, sentence = FaultKind.MISSING, f"record {number} is missing, and those after it were numbered anew"
        elif self._wrong_key:
            kind, sentence = FaultKind.WRONG_KEY, "the key is not the one these records were written with"
        elif following is None:
            kind = FaultKind.CHANGED
            sentence = f"record {number}, the last one, was changed, or appended by somebody without the key"
        else:
            kind, sentence = FaultKind.CHANGED, f"record {number} ({record.kind}) was changed, and others with it"
        return Fault(kind=kind, number=number, sentence=sentence)

    def _fits(self, record: AuditRecord, before: str, *, number: int | None = None) -> bool:
        told = mac_of(
            self._key, before, number=number or record.number, utc=record.utc, kind=record.kind, facts_json=record.facts_json
        )
        return hmac.compare_digest(told.encode(), record.mac.encode())


class _Memory:
    """What the records say the ledger should hold: its firings, approvals, mode and kill switch."""

    def __init__(self) -> None:
        self._firings: dict[int, tuple[int, str]] = {}
        self._firings_before = 0
        self._approvals: set[tuple[str, str, str]] = set()
        self._voided: dict[int, int] = {}
        self._switch: tuple[str, bool] | None = None

    def take(self, record: AuditRecord) -> None:
        facts = record.facts
        if record.kind == "firing":
            self._firings[facts["firing_id"]] = (record.number, _digest(record.facts_json))
        elif record.kind == "cue_approved":
            self._approvals.add((facts["cue_id"], facts["sha256"], facts["actor"]))
        elif record.kind == "approval_voided":
            self._voided[facts["approval_id"]] = record.number
        elif record.kind in ("kill", "release", "mode", "ledger_began"):
            killed = facts.get("killed", self._switch is not None and self._switch[1])
            self._switch = (facts["mode"], {"kill": True, "release": False}.get(record.kind, killed))
        elif record.kind == BEGAN:
            self._firings_before = facts["firings_before"]

    def fault_against(self, database: Database, connection: sa.Connection) -> Fault | None:
        return self._firing_fault(database, connection) or self._approval_fault(connection) or self._switch_fault(connection)

    def _firing_fault(self, database: Database, connection: sa.Connection) -> Fault | None:
        left = dict(self._firings)
        for row in _rows(database, connection, _FIRINGS_AFTER, after=0):
            facts = _told(dict(zip(_FIRING_FACTS, row, strict=True)))
            number, digest = left.pop(row[0], (None, ""))
            if number is None and row[0] <= self._firings_before:
                continue
            if digest != _digest(canonical(facts)):
                what = "was never recorded" if number is None else f"is not as record {number} says"
                return _unrecorded(number, f"firing {row[0]}, {facts['state']} in the ledger, {what}")
        for firing_id, (number, _) in left.items():
            return _unrecorded(number, f"firing {firing_id}, of which record {number} tells, is not in the ledger")
        return None

    def _approval_fault(self, connection: sa.Connection) -> Fault | None:
        query = sa.text("SELECT approval_id, cue_id, sha256, approved_by, voided_utc FROM approval ORDER BY approval_id")
        for row in connection.execute(query):
            if (row.cue_id, row.sha256, row.approved_by) not in self._approvals:
                return _unrecorded(None, f"an approval of cue {row.cue_id} by {row.approved_by} was never recorded")
            number = self._voided.get(row.approval_id)
            if number is not None and row.voided_utc is None:
                which = f"the approval of cue {row.cue_id} by {row.approved_by}"
                return _unrecorded(number, f"{which} stands in the ledger, and record {number} says that it was voided")
        return None

    def _switch_fault(self, connection: sa.Connection) -> Fault | None:
        row = connection.execute(sa.text("SELECT mode, killed FROM switch")).one_or_none()
        if row is None or self._switch is None or (row.mode, bool(row.killed)) == self._switch:
            return None
        mode, killed = self._switch
        return _unrecorded(
            None,
            f"the ledger says mode {row.mode}{', killed' if row.killed else ''}; "
            f"the records say {mode}{', killed' if killed else ''}",
        )


def _unrecorded(number: int | None, sentence: str) -> Fault:
    return Fault(kind=FaultKind.UNRECORDED, number=number, sentence=sentence)


# --- forms --------------------------------------------------------------------------------------

_FIRING_FACTS = (
    *("firing_id", "occurrence_id", "cue_id", "account_id", "mode", "action", "state", "guard", "reason", "text", "body_sha256"),
    *("tweet_id", "of_firing_id", "http_status", "epoch", "settled_by"),
)


def firing_facts(firing: "FiringRecord") -> dict[str, Any]:
    """What is recorded of a firing at each of its steps; what is empty is left out."""
    return _told({name: getattr(firing, name) for name in _FIRING_FACTS})


def _told(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None and value != ""}


_CANONICAL = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def canonical(facts: Mapping[str, Any]) -> str:
    """The one way to write these facts: sorted keys, no spaces, letters as they are."""
    return _CANONICAL.encode(facts)


def mac_of(key: bytes, before: str, *, number: int, utc: datetime, kind: str, facts_json: str) -> str:
    """The MAC of a record, as docs/audit.md defines it."""
    content = f"{before}\n{number}\n{_microseconds(utc)}\n{kind}\n{facts_json}"
    mac = _keyed(key).copy()
    mac.update(content.encode())
    return mac.hexdigest()


@functools.lru_cache(maxsize=4)
def _keyed(key: bytes) -> hmac.HMAC:
    """The MAC of nothing yet: finding the algorithm and taking in the key costs as much as all the rest, in each claim."""
    return hmac.new(key, digestmod="sha256")


def key_id(key: bytes) -> str:
    """Sixteen hex digits that name a key without telling it."""
    return hashlib.sha256(b"cuebird audit key\0" + key).hexdigest()[:16]


def read_anchor(path: Path) -> Anchor | None:
    """The anchor in a file, None when there is no such file.

    Raises:
        LedgerError: it cannot be read, or is no anchor.
    """
    try:
        with path.open("rb") as file:
            return Anchor(**_anchor_fields(json.loads(file.read(ANCHOR_BYTES_MAX))))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LedgerError(f"audit: {path}: {error.strerror}; the anchor of the audit record is kept there") from error
    except (ValueError, TypeError, KeyError) as error:
        raise LedgerError(f"audit: {path}: not an anchor; keep it as evidence and look at the ledger") from error


def _anchor_fields(table: Any) -> dict[str, Any]:
    fields = {"number": int(table["number"])}
    return fields | {name: str(table[name]) for name in ("mac", "utc", "key_id")}


def _write_anchor(path: Path, anchor: Anchor) -> None:
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    text = json.dumps({"number": anchor.number, "mac": anchor.mac, "utc": anchor.utc, "key_id": anchor.key_id})
    try:
        fresh.write_text(text + "\n")
        fresh.replace(path)
    except OSError as error:
        raise LedgerError(f"audit: {path}: {error.strerror}; the audit record is not anchored") from error


def _began(connection: sa.Connection) -> dict[str, Any] | None:
    query = sa.select(AUDIT.c.facts_json).where(AUDIT.c.kind == BEGAN).order_by(AUDIT.c.number).limit(1)
    text = connection.execute(query).scalar()
    return None if text is None else json.loads(text)


def _after(columns: Sequence[sa.Column[Any]]) -> sa.Select[Any]:
    """Some thousand rows at a time, by the first of these columns: a long chain need not fit into memory."""
    key, after = columns[0], sa.bindparam("after", type_=sa.BigInteger())
    return sa.select(*columns).where(key > after).order_by(key).limit(sa.literal_column(str(ROWS_AT_ONCE)))


_RECORDS_AFTER = _after((AUDIT.c.number, AUDIT.c.utc, AUDIT.c.kind, AUDIT.c.facts_json, AUDIT.c.mac))
_FIRINGS_AFTER = _after([FIRING.c[name] for name in _FIRING_FACTS])


def _records(database: Database, connection: sa.Connection, *, after: int = -1) -> Iterator[AuditRecord]:
    for number, utc, kind, facts_json, mac in _rows(database, connection, _RECORDS_AFTER, after=after):
        yield AuditRecord(number=number, utc=utc, kind=kind, facts_json=facts_json, mac=mac)


def _rows(database: Database, connection: sa.Connection, statement: sa.Select[Any], *, after: int) -> Iterator[Row]:
    """The statement's rows, whose first column is their key, from the next one on."""
    cursor: Any = connection.connection.cursor()
    read = database.prepared(statement)
    while rows := read.run(cursor, {"after": after}):
        yield from rows
        after = rows[-1][0]
    cursor.close()


def _pairs(these: Iterable[AuditRecord]) -> Iterator[tuple[AuditRecord, AuditRecord | None]]:
    before: AuditRecord | None = None
    for record in these:
        if before is not None:
            yield before, record
        before = record
    if before is not None:
        yield before, None


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _microseconds(utc: datetime) -> int:
    return (utc - _EPOCH_UTC) // timedelta(microseconds=1)


_HEAD = "SELECT number, mac FROM audit ORDER BY number DESC LIMIT 1"
_INSERT = {
    "qmark": "INSERT INTO audit (number, utc, kind, facts_json, mac) VALUES (?, ?, ?, ?, ?)",
    "pyformat": "INSERT INTO audit (number, utc, kind, facts_json, mac) VALUES (%s, %s, %s, %s, %s)",
}
"""By how the driver marks values."""


@contextlib.contextmanager
def _driver_cursor(connection: sa.Connection) -> Iterator[Cursor]:
    """The driver's own cursor in the transaction of a connection, its errors told as SQLAlchemy's."""
    driver = connection.dialect.loaded_dbapi
    cursor: Any = connection.connection.cursor()
    try:
        yield cursor
    except driver.Error as error:
        raise DBAPIError.instance(None, None, error, driver.Error) from error
    finally:
        cursor.close()
