"""`cuebird engine`: how the running engine stands, its mode, and the kill switch, where no page is at hand."""

import getpass
import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console as Terminal
from rich.markup import escape
from rich.table import Table

from console.options import AsJson, By, ConfigOption

if TYPE_CHECKING:
    from console.config import Config

KILL_PATIENCE_S = 2.0
"""How long a kill waits for the engine before it goes into the ledger without it."""
COLOURS = {"OFF": "white", "REHEARSAL": "blue", "LIVE": "yellow"}
ALARMS_TOLD = 5


class ModeWord(StrEnum):
    """How far firings go."""

    OFF = "off"
    REHEARSAL = "rehearsal"
    LIVE = "live"


def register(app: typer.Typer) -> None:
    """Add the group of verbs to the command line."""
    group = typer.Typer(no_args_is_help=True, help="The running engine: how it stands, its mode, the kill switch.")
    for verb in (status, mode, kill, release):
        group.command(verb.__name__)(verb)
    app.add_typer(group, name="engine")


def status(config: ConfigOption = None, as_json: AsJson = False) -> None:
    """Show mode, kill switch, and what needs a person: feeds, devices, accounts, cues, alarms."""
    snapshot = _asked(_load(config), "snapshot")
    if as_json:
        typer.echo(json.dumps(snapshot))
        return
    engine, terminal = snapshot["engine"], Terminal()
    word = f"[bold white on red] KILLED [/] by {escape(engine['kill_actor'])}: {escape(engine['kill_reason'])}, mode "
    terminal.print(
        f"{word if engine['killed'] else ''}[bold {COLOURS[engine['mode']]}]{engine['mode']}[/]  "
        f"engine {engine['epoch']}, process {engine['pid']}, since {_minute(engine['started_utc'])} UTC"
    )
    table = Table(box=None, pad_edge=False, show_header=False)
    for what, name, state, detail in _rows(snapshot):
        table.add_row(what, escape(name), state, escape(detail))
    terminal.print(table)
    for alarm in snapshot["alarms"][:ALARMS_TOLD]:
        tone = "red" if alarm["level"] == "critical" else "yellow"
        terminal.print(f"[{tone}]{alarm['level']}[/] {_minute(alarm['utc'])} {escape(alarm['text'])}")


def mode(
    wanted: Annotated[ModeWord, typer.Argument(metavar="MODE", case_sensitive=False, help="off, rehearsal or live.")],
    yes: Annotated[bool, typer.Option("--yes", help="Go live without being asked.")] = False,
    by: By = None,
    config: ConfigOption = None,
) -> None:
    """Change how far firings go: OFF claims nothing, REHEARSAL sends nothing, LIVE posts."""
    loaded = _load(config)
    if wanted is ModeWord.LIVE and not yes:
        typed = typer.prompt("From now on tweets are posted. Type LIVE to go on", default="", show_default=False)
        if typed != wanted.name:
            typer.echo("The mode has not changed.")
            raise typer.Exit(1)
    _asked(loaded, "mode", mode=wanted.name, actor=by or getpass.getuser())
    typer.echo(f"the mode is {wanted.name}")


def kill(
    reason: Annotated[str, typer.Option(help="Why, in a sentence.")] = "kill from the command line",
    by: By = None,
    config: ConfigOption = None,
) -> None:
    """Let nothing leave any more, at once; where no engine answers, by the ledger alone."""
    from console.asking import ask_engine
    from console.errors import ConsoleError
    from console.ledgers import open_ledger
    from sync.errors import EngineUnreachableError

    loaded, actor = _load(config), by or getpass.getuser()
    try:
        ask_engine(loaded, "kill", patience_s=KILL_PATIENCE_S, actor=actor, reason=reason)
    except EngineUnreachableError as unreachable:
        if isinstance(loaded.ledger, Path) and not loaded.ledger.exists():
            raise ConsoleError(f"{unreachable}; and {loaded.ledger} is not there: nothing was killed") from unreachable
        with open_ledger(loaded) as ledger:
            ledger.kill(actor=actor, reason=reason)
        typer.echo(f"KILLED in the ledger: {unreachable}. Whatever engine works on this ledger claims and begins nothing more.")
        return
    typer.echo("KILLED: nothing leaves until `cuebird engine release`")


def release(
    reason: Annotated[str, typer.Option(help="Why it may go on, in a sentence.")], by: By = None, config: ConfigOption = None
) -> None:
    """Undo a kill; what fell into it is not caught up."""
    _asked(_load(config), "release", actor=by or getpass.getuser(), reason=reason)
    typer.echo("released: what begins from now on may leave; nothing is caught up")


def _load(config: Path | None) -> "Config":
    from console.config import find_config, load_config

    return load_config(find_config(config))


def _asked(loaded: "Config", op: str, **fields: Any) -> dict[str, Any]:
    from console.asking import ask_engine

    return ask_engine(loaded, op, **fields)


def _rows(snapshot: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    rows = [("feed", one["feed_id"], _light(one["state"] == "live", one["state"]), one["detail"]) for one in snapshot["feeds"]]
    rows += [
        ("device", one["device"], _light(one["state"] == "online", one["state"]), one["detail"]) for one in snapshot["devices"]
    ]
    rows += [
        ("account", f"@{one['handle']}", _light(not one["fault"], "ready" if one["warm"] else "not kept warm"), one["fault"])
        for one in snapshot["accounts"]
    ]
    rows += [("cue", one["name"], _light(one["state"] == "armed", one["state"]), one["detail"]) for one in snapshot["cues"]]
    return rows


def _light(good: bool, word: str) -> str:
    return f"[{'green' if good else 'yellow'}]{escape(word)}[/]"


def _minute(utc: str) -> str:
    return utc[:16].replace("T", " ")
