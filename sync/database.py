"""Opening the ledger's database: settings that make a commit mean something, and the migrations.

SQLite runs in WAL with `synchronous=FULL`: a committed claim survives a power cut. There is one writer at a time
(`BEGIN IMMEDIATE`; on PostgreSQL an advisory lock): what a transaction reads cannot change before it writes.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from sync.errors import LedgerError
from sync.schema import SCHEMA_HEAD

BUSY_TIMEOUT_MS = 1000
"""How long a transaction waits for another process's short one; longer is an alarm, not a wait."""
OPENING_TIMEOUT_MS = 60_000
"""How long opening waits: another process may be making or migrating the same ledger, on a slow disk."""
WAL_PAGES_MAX = 4000
"""Size at which SQLite copies the log back by itself; the engine does so earlier, off the hot path."""
IN_MEMORY = "sqlite://"
"""A target that lies in this process's memory and ends with it: for simulations, one connection, one thread."""
_WRITER_LOCK = 0x63756562
"""Key of PostgreSQL's advisory lock of the one writer: 'cueb'."""
_ONLY_READS = {"cuebird_only_reads": True}


class Database:
    """A migrated database and its two ways in: transactions that write, and single statements that read.

    Args:
        target: a SQLite file or a PostgreSQL URL.
        busy_timeout_ms: how long SQLite waits for another process.
    """

    def __init__(self, target: Path | str, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> None:
        self.name = str(target) if isinstance(target, Path) else sa.make_url(target).render_as_string(hide_password=True)
        self._engine = _make_engine(target, self.name, busy_timeout_ms)
        self._reading = self._engine.execution_options(**_ONLY_READS)
        try:
            self._migrate()
        except BaseException:
            self._engine.dispose()
            raise

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One transaction: committed, durably, when the block ends; rolled back when it raises.

        Raises:
            LedgerError: the database is locked, full, read-only, gone or damaged.
        """
        with self._translated(), self._engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Single statements outside any transaction.

        Raises:
            LedgerError: as `writing`.
        """
        with self._translated(), self._reading.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[sa.Connection]:
        """Several statements that read one state of the database, whatever is written meanwhile.

        Raises:
            LedgerError: as `writing`.
        """
        with self._translated(), self._reading.connect() as connection:
            if self.dialect == "sqlite":
                connection.exec_driver_sql("BEGIN")
            else:
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield connection

    def checkpoint(self) -> None:
        """Copy the write-ahead log back, off the hot path; nothing to do on PostgreSQL."""
        if self.dialect == "sqlite":
            with self.reading() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise LedgerError(f"ledger {self.name}: {_sentence(error)}") from error

    def _migrate(self) -> None:
        with self.reading() as connection:
            if _version(connection) == SCHEMA_HEAD:
                return
        with self.writing() as connection:
            # Another process may have migrated while this one waited for the lock.
            if _version(connection) != SCHEMA_HEAD:
                _run_migrations(connection, self.name)


def _make_engine(target: Path | str, name: str, busy_timeout_ms: int) -> sa.Engine:
    if isinstance(target, Path):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(f"ledger {name}: the folder cannot be made ({error.strerror})") from error
        url = sa.URL.create("sqlite", database=str(target))
        arguments: dict[str, Any] = {"timeout": busy_timeout_ms / 1000, "check_same_thread": False}
        engine = sa.create_engine(url, connect_args=arguments, pool_size=4, max_overflow=2)
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_writing)
        return engine
    if target == IN_MEMORY:
        engine = sa.create_engine(target, poolclass=sa.StaticPool)
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_writing)
        return engine
    try:
        engine = sa.create_engine(target, pool_size=4, max_overflow=2)
    except (SQLAlchemyError, ImportError) as error:
        raise LedgerError(f"ledger {name}: {error}; give postgresql+psycopg://… and install cuebird[postgres]") from error
    event.listen(engine, "begin", _begin_writing)
    return engine


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # The driver's own idea of transactions (BEGIN before the first write) would let two claims read the same facts.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"wal_autocheckpoint={WAL_PAGES_MAX}"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_writing(connection: sa.Connection) -> None:
    if connection.get_execution_options().get("cuebird_only_reads"):
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITER_LOCK})")


def _version(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return version


def _run_migrations(connection: sa.Connection, name: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise LedgerError(f"ledger {name}: made by a newer Cuebird ({error}); use that one") from error


def _sentence(error: SQLAlchemyError) -> str:
    cause = str(getattr(error, "orig", None) or error).splitlines()[0]
    if "locked" in cause:
        return f"{cause}; another process holds it and did not let go in time"
    if "readonly" in cause:
        return f"{cause}; check the file's permissions"
    if "full" in cause:
        return f"{cause}; make room on the disk"
    return cause
