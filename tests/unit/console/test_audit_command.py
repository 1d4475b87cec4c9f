"""`cuebird audit`: what it says, and the exit code a watchdog goes by."""

import csv
import json
import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from console.commands import audit as command
from console.errors import ConsoleError
from sync.audit import AuditFiles, canonical, mac_of
from sync.errors import SyncError
from sync.key_files import read_key
from sync.ledger import Ledger
from sync.states import Mode


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A ledger that has been killed and released for a reason that looks like a formula."""
    path = tmp_path / "ledger.db"
    ledger = Ledger.open(path, mode=Mode.LIVE)
    ledger.kill(actor="=ops", reason="wrong creative")
    ledger.release(actor="ops", reason="mended")
    ledger.close()
    return path


@pytest.fixture
def audit(file: Path) -> Callable[..., Result]:
    app = typer.Typer()
    command.register(app)
    return lambda *words: CliRunner().invoke(app, ["audit", *words, "--ledger", str(file)])


def test_a_whole_chain(audit: Callable[..., Result]) -> None:
    """Exit code 0, in words and as JSON."""
    assert "4 records, all whole" in audit("verify").output
    told = audit("verify", "--json")
    assert (told.exit_code, json.loads(told.output)) == (0, {"whole": True, "records": 4, "anchor": 4, "fault": None})


def test_a_broken_chain(audit: Callable[..., Result], file: Path) -> None:
    """Exit code 3, with the first broken record."""
    connection = sqlite3.connect(file)
    connection.execute("UPDATE audit SET facts_json = replace(facts_json, 'wrong creative', 'a test') WHERE number = 3")
    connection.commit()
    connection.close()
    told = audit("verify", "--json")
    assert told.exit_code == 3
    assert json.loads(told.output)["fault"] == {"kind": "changed", "record": 3, "sentence": "record 3 (kill) was changed"}
    assert audit("verify").output.startswith("BROKEN (changed): record 3")


def test_without_an_anchor(audit: Callable[..., Result], file: Path) -> None:
    """Exit code 4: what was cut off at the end would not be missed."""
    AuditFiles.beside(file).anchor_file.unlink()
    told = audit("verify")
    assert told.exit_code == 4
    assert "no anchor" in told.output


def test_what_cannot_be_looked_at_is_an_error(audit: Callable[..., Result], file: Path) -> None:
    """Without the key, or with a torn anchor, nothing can be said; a missing ledger is not made."""
    files = AuditFiles.beside(file)
    files.anchor_file.write_text("{")
    assert isinstance(audit("verify").exception, SyncError)
    files.key_file.unlink()
    assert isinstance(audit("verify").exception, SyncError)
    file.unlink()
    assert isinstance(audit("verify").exception, ConsoleError)
    assert not file.exists()


def test_json_lines_can_be_checked_by_anybody_with_the_key(audit: Callable[..., Result], file: Path) -> None:
    """The recipe of docs/audit.md, followed on the export alone."""
    key, before = read_key(AuditFiles.beside(file).key_file), "0" * 64
    lines = [json.loads(line) for line in audit("export").output.splitlines()]
    assert [line["kind"] for line in lines] == ["audit_began", "ledger_began", "kill", "release"]
    for line in lines:
        facts = canonical(line["facts"])
        utc = datetime.fromisoformat(line["utc"])
        before = mac_of(key, before, number=line["number"], utc=utc, kind=line["kind"], facts_json=facts)
        assert before == line["mac"]
    assert audit("export", "--after", "3").output == audit("export").output.splitlines(keepends=True)[3]


def test_csv_is_safe_in_a_spreadsheet(audit: Callable[..., Result]) -> None:
    """One row a record; a cell that a spreadsheet would run is quoted."""
    rows = list(csv.DictReader(audit("export", "--format", "csv").output.splitlines()))
    assert [row["number"] for row in rows] == ["1", "2", "3", "4"]
    assert rows[2]["actor"] == "'=ops"
    assert json.loads(rows[2]["facts"])["reason"] == "wrong creative"
