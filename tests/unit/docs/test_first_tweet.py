"""docs/first-tweet.md, as far as it goes without a broker: what it has you write, and what it has you type."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from console import cli
from console.config import load_config
from sync.conditions import GoalCondition
from sync.cues import parse_cues

GUIDE = (Path(__file__).parents[3] / "docs" / "first-tweet.md").read_text()
CONFIG, CUES = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
cli._register()
COMMANDS = re.findall(r"^    cuebird (.*)$", GUIDE, re.MULTILINE)


def test_what_it_prints_completes_what_it_has_you_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration, the cue, and the tables of the provisioned gateway fit each other."""
    monkeypatch.chdir(tmp_path)
    Path("cuebird.toml").write_text(CONFIG)
    (cue,) = parse_cues(CUES.encode(), source="guide")
    assert isinstance(cue.on, GoalCondition)
    (provision,) = [one for one in COMMANDS if one.startswith("gateway provision")]
    done = CliRunner().invoke(cli.app, shlex.split(provision))
    assert done.exit_code == 0, done.output
    tables = done.stdout[done.stdout.index("[[device]]") : done.stdout.index("For mosquitto")]
    Path("cuebird.toml").write_text(CONFIG + tables)
    config = load_config(Path("cuebird.toml"))
    assert [(one.id, one.fixture) for one in config.devices] == [("oes-1", cue.on.fixture)]
    assert config.mqtt.port == 8883
    assert Path("var/gateways/eishalle.oes-1/cuebird.toml").exists()
    assert Path("var/gateways/broker/mosquitto.conf").exists()


@pytest.mark.parametrize("words", COMMANDS)
def test_its_commands_are_understood(words: str) -> None:
    """Each with its arguments and options; none is carried out."""
    command = typer.main.get_command(cli.app)
    arguments = shlex.split(words)
    context = command.make_context("cuebird", [], resilient_parsing=True)
    while hasattr(command, "resolve_command") and not arguments[0].startswith("-"):
        _, command, arguments = command.resolve_command(context, arguments)
        context = command.make_context(command.name, list(arguments), parent=context, resilient_parsing=True)
    command.make_context(command.name, list(arguments), parent=context)
