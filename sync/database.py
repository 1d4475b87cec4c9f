"""Opening the ledger's database: settings that make a commit mean something, and the migrations.

SQLite runs in WAL with `synchronous=FULL`: a committed claim survives a power cut. There is one writer at a time
(`BEGIN IMMEDIATE`; on PostgreSQL an advisory lock): what a transaction reads cannot change before it writes.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from sync.errors import LedgerConflictError, LedgerError
from sync.prepared import Cursor, Prepared
from sync.schema import SCHEMA_HEAD

BUSY_TIMEOUT_MS = 1000
"""How long a transaction waits for another process's short one; longer is an alarm, not a wait."""
OPENING_TIMEOUT_MS = 60_000
"""How long opening waits: another process may be making or migrating the same ledger, on a slow disk."""
STALLED_MS = 2000
"""How long PostgreSQL keeps a transaction whose client does nothing: an engine that was stopped in the middle of one would
otherwise hold the writer's lock, and whoever stands by could not take over. Less than the lease (`sync.lease.SILENT_NS`)."""
WAL_ATTEMPTS_MAX, WAL_WAIT_S = 100, 0.01
"""How often, and how long after another, a connection asks for the write-ahead log of a file that is just being made."""
WAL_PAGES_MAX = 20_000
"""Size (80 MB) at which SQLite copies the log back within a commit; the engine does so earlier, off the hot path."""
LOG_ROOM_BYTES = 4_000_000
"""What the log is grown to before an engine begins: a commit that makes a file grow takes a tenth to a third longer
(docs/adr/0013-group-commit.md). Room for some seventy firings between two checkpoints."""
IN_MEMORY = "sqlite://"
"""A target that lies in this process's memory and ends with it: for simulations, one connection, one thread."""
_WRITER_LOCK = 0x63756562
"""Key of PostgreSQL's advisory lock of the one writer: 'cueb'."""
_BEGIN = {"sqlite": "BEGIN IMMEDIATE", "postgresql": f"SELECT pg_advisory_xact_lock({_WRITER_LOCK})"}
_ONLY_READS = {"cuebird_only_reads": True}


class Database:
    """A migrated database and its ways in: transactions that write, and single statements that read.

    `writing` and `reading` give SQLAlchemy's connections. `claiming` and `looking` are the same two for the path between
    deciding and the first byte: on connections kept for it, with the driver's cursor, for `prepared` statements. `asking`
    is `looking` for everybody else, so that the last look before the first byte waits for none of them.

    Args:
        target: a SQLite file or a PostgreSQL URL.
        busy_timeout_ms: how long SQLite waits for another process.
    """

    def __init__(self, target: Path | str, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> None:
        self.name = str(target) if isinstance(target, Path) else sa.make_url(target).render_as_string(hide_password=True)
        self._has_log = isinstance(target, Path)
        self._engine = _make_engine(target, self.name, busy_timeout_ms)
        self._reading = self._engine.execution_options(**_ONLY_READS)
        self._claims = _Kept(self._engine, self._error, begin=_BEGIN[self.dialect])
        self._looks, self._asks = _Kept(self._engine, self._error), _Kept(self._engine, self._error)
        self._prepared: dict[tuple[sa.Executable, tuple[str, ...]], Prepared] = {}
        try:
            self._migrate()
        except BaseException:
            self._engine.dispose()
            raise

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @property
    def sql(self) -> sa.Dialect:
        """What statements are compiled for."""
        return self._engine.dialect

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

    def claiming(self) -> contextlib.AbstractContextManager[Cursor]:
        """As `writing`; one thread at a time, the others wait.

        Raises:
            LedgerConflictError: a unique index refused what was written; nothing was.
            LedgerError: as `writing`.
        """
        return self._claims

    def beside(self) -> sa.Connection:
        """SQLAlchemy's connection in the transaction of `claiming`, while that lasts: for statements too rare to prepare."""
        return self._claims.connection()

    def looking(self) -> contextlib.AbstractContextManager[Cursor]:
        """As `reading`; one thread at a time, the others wait.

        Raises:
            LedgerError: as `writing`.
        """
        return self._looks

    def asking(self) -> contextlib.AbstractContextManager[Cursor]:
        """As `looking`, on a connection of its own: several statements, of which each sees the newest state.

        Raises:
            LedgerError: as `writing`.
        """
        return self._asks

    def prepared(self, statement: sa.Select[Any] | sa.UpdateBase, *, sets: tuple[str, ...] = ()) -> Prepared:
        """The statement compiled for this database, at the first call; for those that a module keeps.

        Args:
            sets: the columns an INSERT or UPDATE sets at each run, besides those it names itself.
        """
        if (statement, sets) not in self._prepared:
            results = list(statement.exported_columns)
            self._prepared[statement, sets] = Prepared(statement, self.sql, results=results, column_keys=sets or None)
        return self._prepared[statement, sets]

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

    def make_room(self) -> None:
        """Let SQLite's write-ahead log have a size that the next commits need not make; nothing to do where there is none.

        Raises:
            LedgerError: as `writing`.
        """
        if not self._has_log:
            return
        with self.reading() as connection:
            # Two transactions: what is freed where it was written never comes to the log. A killed process may leave the table.
            connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS log_room (filler)")
            connection.exec_driver_sql(f"INSERT INTO log_room VALUES (zeroblob({LOG_ROOM_BYTES}))")
            connection.exec_driver_sql("DROP TABLE log_room")
            # From the next commit on the log is written from its beginning; its file stays as long as it is.
            connection.exec_driver_sql("PRAGMA wal_checkpoint(RESTART)")

    def checkpoint(self) -> None:
        """Copy the write-ahead log back, off the hot path; nothing to do on PostgreSQL."""
        if self.dialect == "sqlite":
            with self.reading() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Close every connection."""
        for kept in (self._claims, self._looks, self._asks):
            kept.close()
        self._engine.dispose()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error) as error:
            raise self._error(error) from error

    def _error(self, error: Exception) -> LedgerError:
        conflict = isinstance(getattr(error, "orig", error), self._engine.dialect.loaded_dbapi.IntegrityError)
        kind = LedgerConflictError if conflict else LedgerError
        return kind(f"ledger {self.name}: {_sentence(error)}")

    def _migrate(self) -> None:
        with self.reading() as connection:
            if _version(connection) == SCHEMA_HEAD:
                return
        with self.writing() as connection:
            # Another process may have migrated while this one waited for the lock.
            if _version(connection) != SCHEMA_HEAD:
                if self.dialect == "postgresql":
                    # Loading Alembic may take seconds, in the middle of this transaction.
                    connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
                _run_migrations(connection, self.name)


class _Kept:
    """A connection that stays checked out, for one thread at a time; after any error the next one is new.

    `with` gives the driver's cursor; at its end what was done is committed. Transactions are begun and ended with the driver's
    own words, so SQLAlchemy is told to begin none. A class and no generator: every claim and every look passes here.

    Args:
        translate: the ledger's error for one of the database's.
        begin: said first, where statements belong together.
    """

    def __init__(self, engine: sa.Engine, translate: Callable[[Exception], LedgerError], *, begin: str = "") -> None:
        self._engine = engine.execution_options(**_ONLY_READS)
        self._errors: tuple[type[Exception], ...] = (SQLAlchemyError, engine.dialect.loaded_dbapi.Error)
        self._translate, self._begin = translate, begin
        self._turn = threading.Lock()
        self._connection: sa.Connection | None = None
        self._driver: Any = None

    def __enter__(self) -> Cursor:
        self._turn.acquire()
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
                self._driver = self._connection.connection.driver_connection
            cursor: Cursor = self._driver.cursor()
            if self._begin:
                cursor.execute(self._begin)
            return cursor
        except BaseException as error:
            self._fail(error)
            raise

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None) -> None:
        try:
            if error is None:
                # Where reading opens a transaction by itself, the next look must not see the past.
                self.commit()
        except BaseException as failed:
            self._fail(failed)
            raise
        if error is None:
            self._turn.release()
        else:
            self._fail(error)

    def connection(self) -> sa.Connection:
        assert self._connection is not None  # asked within `with` only
        return self._connection

    def commit(self) -> None:
        self._driver.commit()

    def close(self) -> None:
        """Give the connection back."""
        with self._turn:
            self._drop()

    def _fail(self, error: BaseException) -> None:
        """Let the connection and the turn go; a database's error becomes the ledger's."""
        try:
            self._drop()
        finally:
            self._turn.release()
        if isinstance(error, self._errors):
            raise self._translate(error) from error

    def _drop(self) -> None:
        connection, self._connection, self._driver = self._connection, None, None
        if connection is not None:
            # Back in the pool it is rolled back, or closed if it cannot be.
            connection.close()


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
    event.listen(engine, "connect", _set_up_postgresql)
    event.listen(engine, "begin", _begin_writing)
    return engine


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # The driver's own idea of transactions (BEGIN before the first write) would let two claims read the same facts.
    connection.isolation_level = None
    _write_ahead(connection)
    for pragma in ("synchronous=FULL", "foreign_keys=ON", f"wal_autocheckpoint={WAL_PAGES_MAX}"):
        connection.execute(f"PRAGMA {pragma}").close()


def _write_ahead(connection: Any) -> None:
    """Use a write-ahead log. While another process gives the same new file one, SQLite refuses at once and does not wait."""
    for attempt in range(WAL_ATTEMPTS_MAX):
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or attempt == WAL_ATTEMPTS_MAX - 1:
                raise
            threading.Event().wait(WAL_WAIT_S)
        else:
            return


def _set_up_postgresql(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET idle_in_transaction_session_timeout = {STALLED_MS}")
    connection.commit()


def _begin_writing(connection: sa.Connection) -> None:
    if connection.get_execution_options().get("cuebird_only_reads"):
        return
    connection.exec_driver_sql(_BEGIN[connection.dialect.name])


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


def _sentence(error: Exception) -> str:
    cause = str(getattr(error, "orig", None) or error).splitlines()[0]
    if "locked" in cause:
        return f"{cause}; another process holds it and did not let go in time"
    if "readonly" in cause:
        return f"{cause}; check the file's permissions"
    if "full" in cause:
        return f"{cause}; make room on the disk"
    return cause
