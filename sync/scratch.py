"""A ledger for a rehearsal: what may fire as the real one has it, in memory; the real one is only read."""

import sqlite3
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from sync.audit import AuditChain
from sync.database import IN_MEMORY, Database
from sync.errors import LedgerError
from sync.ledger import Ledger
from sync.schema import AIRING, APPROVAL, CUE, SCHEMA_HEAD
from sync.states import Mode
from timebase import Clock

_KEPT = (CUE, APPROVAL, AIRING)
"""What a rehearsal is held against. Firings are not: it begins as if nothing had fired yet."""


def scratch_ledger(target: Path | str, clock: Clock) -> Ledger:
    """A new ledger in memory, in mode REHEARSAL, with the cues, approvals, holds and airings of the one at `target`.

    Raises:
        LedgerError: that one is not there, cannot be read, or is of another version.
    """
    kept = _read(target)
    database = Database(IN_MEMORY)
    ledger = Ledger(database, clock, AuditChain(None))
    ledger.begin(Mode.REHEARSAL)
    with database.writing() as connection:
        for table, rows in kept:
            if rows:
                connection.execute(sa.insert(table), rows)
        connection.execute(sa.update(AIRING).values(heard_utc=None))
    return ledger


def _read(target: Path | str) -> list[tuple[sa.Table, list[dict[str, object]]]]:
    engine = _only_reading(target)
    try:
        with engine.connect() as connection:
            version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
            if version != SCHEMA_HEAD:
                raise LedgerError(f"ledger {target}: of another version of Cuebird; `cuebird cues list` brings it up to this one")
            return [(table, [dict(row._mapping) for row in connection.execute(sa.select(table))]) for table in _KEPT]
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise LedgerError(f"ledger {engine.url.render_as_string(hide_password=True)}: {cause}; import cues first") from error
    finally:
        engine.dispose()


def _only_reading(target: Path | str) -> sa.Engine:
    if isinstance(target, Path):
        if not target.exists():
            raise LedgerError(f"ledger {target}: it is not there; `cuebird cues import FILE` makes it")
        address = f"file:{quote(str(target))}?mode=ro"
        return sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(address, uri=True))
    return sa.create_engine(target, execution_options={"postgresql_readonly": True, "isolation_level": "REPEATABLE READ"})
