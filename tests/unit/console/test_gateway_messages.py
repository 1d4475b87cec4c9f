"""The verbs beside `cuebird gateway` that know its messages."""

import json
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from console.commands import gateway
from console.errors import ConsoleError

ROOT = Path(__file__).parents[3]


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    gateway.register(app)
    return CliRunner().invoke(app, ["gateway", *arguments], catch_exceptions=False)


@pytest.mark.parametrize("message", ["event", "state"])
def test_the_schema_is_printed_as_it_is_published(message: str) -> None:
    """The command's output is the file."""
    assert run("schema", message).stdout == (ROOT / "docs" / "schemas" / f"{message}-1.json").read_text()


def test_the_fuzz_tells_its_sums() -> None:
    """For people and for programs."""
    facts = json.loads(run("fuzz", "--seconds", "0.1", "--json").stdout)

    assert facts["failures"] == 0
    assert facts["messages"] >= 1000
    assert facts["refused"]["bad_signature"] > 0
    assert " believed, as signed; refused: " in run("fuzz", "--seconds", "0.1").stdout


def test_the_fuzz_fails_with_what_it_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 3, and the bytes that repeat it."""
    monkeypatch.setattr("hardware.messages._is_signature", lambda _signature, _signed, _key: True)
    ran = run("fuzz", "--seconds", "60")

    assert ran.exit_code == 3
    assert "failure: believed on cuebird/v1/arena/" in ran.stderr
    assert "; bytes " in ran.stderr


def test_a_fuzz_by_coverage_needs_atheris(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has not installed it is told how."""
    monkeypatch.setitem(sys.modules, "atheris", None)
    with pytest.raises(ConsoleError, match=r"atheris is not installed.*pip install 'cuebird\[fuzz\]'"):
        run("fuzz", "--coverage")
