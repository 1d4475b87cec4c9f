"""The ledger that a configuration means, with its audit files, for the commands that work on it beside the engine."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from console.config import Config
from console.errors import ConsoleError
from sync.audit import AuditChain, AuditFiles
from sync.database import Database
from sync.ledger import Ledger
from sync.setup import LEDGER_NAME
from sync.states import Mode
from timebase import Clock, SystemClock


def audit_files(config: Config) -> AuditFiles:
    """Where the audit record's key and anchor lie."""
    beside = AuditFiles.beside(config.ledger if isinstance(config.ledger, Path) else config.paths.state_dir / LEDGER_NAME)
    return AuditFiles(
        key_file=config.audit.key_file or beside.key_file, anchor_file=config.audit.anchor_file or beside.anchor_file
    )


@contextmanager
def open_ledger(config: Config, *, clock: Clock | None = None) -> Iterator[Ledger]:
    """The ledger, made if it is not there; closed at the end.

    Raises:
        LedgerError: it cannot be opened, or its audit key is not there.
    """
    config.paths.state_dir.mkdir(parents=True, exist_ok=True)
    mode = Mode(config.engine.mode)
    ledger = Ledger.open(config.ledger, clock=clock, mode=mode, audit=audit_files(config))
    try:
        yield ledger
    finally:
        ledger.close()


def record_action(config: Config, kind: str, **facts: object) -> None:
    """Put into the audit record what is done outside the ledger, before it is done.

    Raises:
        LedgerError: it cannot be recorded; then it must not be done.
    """
    ledger = Ledger.open(config.ledger, mode=None, audit=audit_files(config))
    try:
        ledger.add_event(kind, actor=getpass.getuser(), **facts)
    finally:
        ledger.close()


@contextmanager
def reading_ledger(config: Config, *, clock: Clock | None = None) -> Iterator[Ledger]:
    """The ledger, to be read beside the engine: nothing is made, and its audit record is not anchored anew.

    Raises:
        ConsoleError: there is none yet.
        LedgerError: it cannot be opened.
    """
    if isinstance(config.ledger, Path) and not config.ledger.exists():
        raise ConsoleError(f"{config.ledger}: there is no ledger yet; start the engine, or import a plan")
    database = Database(config.ledger)
    try:
        yield Ledger(database, clock or SystemClock(), AuditChain(audit_files(config)))
    finally:
        database.close()
