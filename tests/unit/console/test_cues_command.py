"""`cuebird cues`: what a person sees, and what lies in the ledger afterwards."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from console.commands import cues as command
from sync.errors import ApprovalError, CueError
from sync.ledger import Ledger

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture
def cues(tmp_path: Path) -> Callable[..., Result]:
    """Runs `cuebird cues` with the demonstration's configuration and a state folder of its own."""
    shutil.copy(EXAMPLES / "cues.toml", tmp_path / "cues.toml")
    text = (EXAMPLES / "cuebird.toml").read_text().replace("../var/demo", str(tmp_path / "state"))
    (tmp_path / "media" / "spots").mkdir(parents=True)
    (tmp_path / "cuebird.toml").write_text(text)

    app = typer.Typer()
    command.register(app)

    def run(*words: str) -> Result:
        return CliRunner().invoke(app, ["cues", *words, "--config", str(tmp_path / "cuebird.toml")], catch_exceptions=True)

    return run


def test_import_list_approve(cues: Callable[..., Result], tmp_path: Path) -> None:
    """Imported cues wait for an approval; an approved one says by whom; a second import changes nothing."""
    first = json.loads(cues("import", str(tmp_path / "cues.toml"), "--json").output)
    assert first["new"]
    assert sorted(first["new"]) == sorted(first["unapproved"])
    shown = cues("approve", first["new"][0], "--by", "ops")
    assert shown.exit_code == 0
    assert "approved by ops" in shown.output
    again = json.loads(cues("import", str(tmp_path / "cues.toml"), "--json").output)
    assert (again["new"], len(again["unchanged"])) == ([], len(first["new"]))
    listed = {one["cue_id"]: one["approved_by"] for one in json.loads(cues("list", "--json").output)["cues"]}
    assert listed[first["new"][0]] == "ops"
    assert list(listed.values()).count("") == len(listed) - 1


def test_hold_and_rearm(cues: Callable[..., Result], tmp_path: Path) -> None:
    """A held cue is held in the ledger, with its reason, until it is rearmed."""
    cues("import", str(tmp_path / "cues.toml"))
    cues("hold", "goal-home", "--by", "ops", "--reason", "wrong match")
    ledger = Ledger.open(tmp_path / "state" / "ledger.db")
    assert {one.hold_reason for one in ledger.cues() if one.cue.cue_id == "goal-home"} == {"wrong match"}
    assert "wrong match" in cues("list", "--json").output
    assert cues("rearm", "goal-home", "--by", "ops").exit_code == 0
    assert {one.hold_reason for one in ledger.cues()} == {""}
    ledger.close()


def test_mistakes_are_sentences(cues: Callable[..., Result], tmp_path: Path) -> None:
    """A missing file, a wrong reference, an author's approval: an error the command line prints as one sentence."""
    assert isinstance(cues("import", str(tmp_path / "none.toml")).exception, CueError)
    wrong = (tmp_path / "cues.toml").read_text().replace('account = "eisbank"', 'account = "nobody"')
    (tmp_path / "wrong.toml").write_text(wrong)
    error = cues("import", str(tmp_path / "wrong.toml")).exception
    assert isinstance(error, CueError)
    assert "'nobody' is not configured" in str(error)
    assert "No cues yet" in cues("list").output
    cues("import", str(tmp_path / "cues.toml"))
    assert isinstance(cues("approve", "goal-home", "--by", "jonas@eisbank.example").exception, ApprovalError)
