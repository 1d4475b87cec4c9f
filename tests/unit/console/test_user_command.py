"""`cuebird user` as typed."""

import getpass
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from console.commands.user import register
from console.users import DATABASE_NAME, ConsoleDatabase, People, Role, UserError
from sync.errors import LedgerError
from sync.ledger import Ledger
from sync.states import Mode
from timebase import SystemClock

PASSWORD = "correct horse battery"


@pytest.fixture
def app() -> typer.Typer:
    whole = typer.Typer()
    register(whole)
    return whole


def people(state_dir: Path) -> People:
    return People(ConsoleDatabase(state_dir / DATABASE_NAME), SystemClock())


def test_an_account_is_added_listed_and_removed_without_showing_the_password(app: typer.Typer, tmp_path: Path) -> None:
    """The password comes from a file; the name can log in until it is removed."""
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD + "\n")
    state = ["--state-dir", str(tmp_path)]
    added = CliRunner().invoke(app, ["user", "add", "ops", "--role", "operator", "--password-file", str(secret), *state])
    listed = CliRunner().invoke(app, ["user", "list", *state])
    assert "ops may log in as operator" in added.output
    assert "operator" in listed.output
    assert PASSWORD not in added.output + listed.output
    assert people(tmp_path).verify("ops", PASSWORD) is not None
    assert CliRunner().invoke(app, ["user", "remove", "ops", *state]).exit_code == 0
    assert "nobody may log in yet" in CliRunner().invoke(app, ["user", "list", *state]).output


def test_adding_and_removing_stand_in_the_audit_record(app: typer.Typer, tmp_path: Path) -> None:
    """Who did it to whom, without the password; what was refused is not there; a ledger made so has no mode yet."""
    state = ["--state-dir", str(tmp_path)]
    CliRunner().invoke(app, ["user", "add", "ops", "--role", "admin", *state], input=PASSWORD + "\n")
    CliRunner().invoke(app, ["user", "add", "ops", *state], input=PASSWORD + "\n")
    CliRunner().invoke(app, ["user", "remove", "nobody", *state])
    CliRunner().invoke(app, ["user", "remove", "ops", *state])
    ledger = Ledger.open(tmp_path / "ledger.db", mode=Mode.LIVE)
    actor = getpass.getuser()
    assert ledger.events(limit=9)[::-1][1:] == (
        ("user_added", {"actor": actor, "name": "ops", "role": "admin"}),
        ("user_removed", {"actor": actor, "name": "ops"}),
        ("ledger_began", {"mode": "LIVE"}),
    )
    ledger.close()


def test_where_it_cannot_be_recorded_nothing_changes(tmp_path: Path) -> None:
    """An account is not made behind the record's back."""

    def refuse(_kind: str, _facts: dict[str, str]) -> None:
        raise LedgerError("the disk is full")

    everyone = People(ConsoleDatabase(tmp_path / DATABASE_NAME), SystemClock(), record=refuse)
    with pytest.raises(LedgerError):
        everyone.add("ops", Role.ADMIN, PASSWORD)
    assert everyone.everyone() == []


def test_a_piped_password_is_taken(app: typer.Typer, tmp_path: Path) -> None:
    """Scripts pipe it in."""
    done = CliRunner().invoke(app, ["user", "add", "ops", "--role", "admin", "--state-dir", str(tmp_path)], input=PASSWORD + "\n")
    assert done.exit_code == 0
    person = people(tmp_path).verify("ops", PASSWORD)
    assert person is not None
    assert person.role is Role.ADMIN


def test_a_short_password_is_one_sentence(app: typer.Typer, tmp_path: Path) -> None:
    """The error is one the command line prints as it is."""
    done = CliRunner().invoke(app, ["user", "add", "ops", "--state-dir", str(tmp_path)], input="short\n")
    assert isinstance(done.exception, UserError)
    assert "it needs 12 to 1024" in str(done.exception)
