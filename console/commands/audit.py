"""`cuebird audit`: look whether the record of all actions and firings is whole, and take it out."""

import csv
import io
import json
import sys
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.options import AsJson, ConfigOption

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sync.audit import AuditFiles, AuditRecord, AuditReport
    from sync.database import Database

EXIT_BROKEN = 3
"""`verify` found a record, or the ledger beside it, that is not what was written."""
EXIT_NO_ANCHOR = 4
"""`verify` found every record whole, but without an anchor nobody can tell whether some were cut off at the end."""

LedgerOption = Annotated[
    Path | None, typer.Option("--ledger", help="Another ledger's file, a copy for instance; then no configuration is read.")
]
KeyOption = Annotated[Path | None, typer.Option("--key", help="Another key file.")]
AnchorOption = Annotated[Path | None, typer.Option("--anchor", help="Another anchor file.")]


class Format(StrEnum):
    """What the export is written as."""

    JSONL = "jsonl"
    CSV = "csv"


def register(app: typer.Typer) -> None:
    """Add the group of verbs to the command line."""
    group = typer.Typer(no_args_is_help=True, help="The record of every action and firing: see that it is whole, take it out.")
    group.command("verify")(verify)
    group.command("export")(export)
    app.add_typer(group, name="audit")


def verify(
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    key: KeyOption = None,
    anchor: AnchorOption = None,
    as_json: AsJson = False,
) -> None:
    """Look at every record; exit with 0 when all are whole, 3 at the first that is not, 4 when there is no anchor."""
    from sync.audit import read_anchor
    from sync.audit import verify as look
    from sync.key_files import read_key

    file, files = _files(config, ledger, key, anchor)
    secret, seen = read_key(files.key_file), read_anchor(files.anchor_file)
    with _database(file) as database:
        report = look(database, secret, seen)
    typer.echo(json.dumps(_facts(report), ensure_ascii=False) if as_json else _sentence(report, files))
    if report.fault is not None:
        raise typer.Exit(EXIT_BROKEN)
    if report.anchor is None:
        raise typer.Exit(EXIT_NO_ANCHOR)


def export(
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    form: Annotated[Format, typer.Option("--format", help="JSON Lines or CSV.")] = Format.JSONL,
    after: Annotated[int, typer.Option(min=-1, help="Only records with a higher number.")] = -1,
) -> None:
    """Write every record, oldest first, to standard output."""
    from sync.audit import records

    file, _ = _files(config, ledger, None, None)
    with _database(file) as database:
        if form is Format.CSV:
            sys.stdout.write(_csv_line(("number", "utc", "kind", "actor", "facts", "mac")))
        for record in records(database, after=after):
            sys.stdout.write(_json_line(record) if form is Format.JSONL else _csv_row(record))


def _json_line(record: "AuditRecord") -> str:
    table = {"number": record.number, "utc": _utc(record.utc), "kind": record.kind, "facts": record.facts, "mac": record.mac}
    return json.dumps(table, ensure_ascii=False, separators=(",", ":")) + "\n"


def _csv_row(record: "AuditRecord") -> str:
    actor = str(record.facts.get("actor", ""))
    return _csv_line((str(record.number), _utc(record.utc), record.kind, actor, record.facts_json, record.mac))


def _csv_line(cells: tuple[str, ...]) -> str:
    from schedules.table import neutral

    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(map(neutral, cells))
    return line.getvalue()


def _utc(instant: datetime) -> str:
    return instant.isoformat(timespec="microseconds")


def _facts(report: "AuditReport") -> dict[str, object]:
    fault = report.fault
    table = None if fault is None else {"kind": fault.kind.value, "record": fault.number, "sentence": fault.sentence}
    return {"whole": fault is None, "records": report.records, "anchor": report.anchor, "fault": table}


def _sentence(report: "AuditReport", files: "AuditFiles") -> str:
    if report.fault is not None:
        return f"BROKEN ({report.fault.kind}): {report.fault.sentence}. {report.records} records are whole up to there."
    whole = f"{report.records} records, all whole, and the ledger is as they say"
    if report.anchor is None:
        return f"{whole}; but there is no anchor at {files.anchor_file}: records cut off at the end would not be missed."
    return f"{whole}; the anchor saw record {report.anchor}."


def _files(config: Path | None, ledger: Path | None, key: Path | None, anchor: Path | None) -> "tuple[Path | str, AuditFiles]":
    from console.config import find_config, load_config
    from console.errors import ConsoleError
    from console.ledgers import audit_files
    from sync.audit import AuditFiles

    file: Path | str
    if ledger is None:
        loaded = load_config(find_config(config))
        file, files = loaded.ledger, audit_files(loaded)
    else:
        file, files = ledger, AuditFiles.beside(ledger)
    if isinstance(file, Path) and not file.exists():
        raise ConsoleError(f"{file}: no such ledger; give --ledger FILE or --config FILE")
    return file, AuditFiles(key_file=key or files.key_file, anchor_file=anchor or files.anchor_file)


@contextmanager
def _database(target: Path | str) -> "Iterator[Database]":
    from sync.database import Database

    database = Database(target)
    try:
        yield database
    finally:
        database.close()
