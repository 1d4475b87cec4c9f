"""`cuebird simulate` as typed."""

import json

import pytest
import typer
from typer.testing import CliRunner, Result

from console.commands import simulate as command
from sync.shooter import Shooter


def simulate(*words: str) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)
    return CliRunner().invoke(app, ["simulate", *words])


def test_a_few_seeds_in_processes_of_their_own() -> None:
    """Exit code 0 and the count."""
    told = simulate("--seeds", "3", "--first", "5", "--workers", "1", "--json")
    assert told.exit_code == 0
    facts = json.loads(told.stdout)
    assert (facts["seeds"], facts["first"], facts["broken"]) == (3, 5, {})
    assert facts["sent"] > 0


def test_a_story_is_as_long_as_asked() -> None:
    """More steps tell more; a broken story replays with the same number."""
    short, long = (simulate("--seed", "3", "--steps", steps) for steps in ("2", "30"))
    assert (short.exit_code, long.exit_code) == (0, 0)
    assert len(short.stdout.splitlines()) < len(long.stdout.splitlines())


def test_one_seed_tells_its_story() -> None:
    """What happened, what the engine said, and the end."""
    told = simulate("--seed", "3")
    assert told.exit_code == 0
    assert "engine 1 starts" in told.output
    assert "sync.receipts firing occurrence_id=" in told.output
    assert "every guarantee holds" in told.stdout.splitlines()[-1]


def test_a_broken_guarantee_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 3 and the guarantee, at the end of the story that led there."""
    monkeypatch.setattr(Shooter, "_withhold", lambda self, record: "")
    for seed in range(20):
        told = simulate("--seed", str(seed), "--steps", "40")
        if told.exit_code:
            assert told.exit_code == 3
            assert told.stdout.splitlines()[-1].startswith(f"seed {seed}: G")
            return
    pytest.fail("not found")
