"""`cuebird firing`: look at what fired, stop what waits, say what became of what is unknown. Asks the running engine."""

import getpass
import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console as Terminal
from rich.markup import escape
from rich.table import Table

from console.options import AsJson, By, ConfigOption

FiringId = Annotated[int, typer.Argument(metavar="ID", min=1, help="The firing's number.")]
TONES = {"POSTED": "green", "REFUSED": "red", "NOT_SENT": "yellow", "UNKNOWN": "magenta", "NOT_SEEN": "magenta", "ARMED": "cyan"}


class Found(StrEnum):
    """What a person may say of an unknown firing."""

    POSTED = "posted"
    NOT_SEEN = "not-seen"


def register(app: typer.Typer) -> None:
    """Add the group of verbs to the command line."""
    group = typer.Typer(no_args_is_help=True, help="Firings: look, veto one that waits, settle an unknown one.")
    group.command("list")(list_firings)
    group.command("veto")(veto)
    group.command("settle")(settle)
    app.add_typer(group, name="firing")


def list_firings(
    state: Annotated[str | None, typer.Option(help="Only those in this state, such as UNKNOWN.")] = None,
    config: ConfigOption = None,
    as_json: AsJson = False,
) -> None:
    """Show the newest firings with their reasons."""
    snapshot = _asked(config, "snapshot")
    shown = [one for one in snapshot["firings"] if state is None or one["state"] == state.upper()]
    if as_json:
        typer.echo(json.dumps({"firings": shown}))
        return
    if not shown:
        typer.echo("no firing yet" if state is None else f"no firing in the state {state.upper()}")
        return
    table = Table("firing", "state", "cue", "account", "text or reason", "UTC", box=None, pad_edge=False)
    for one in shown:
        tone, word = TONES.get(one["state"], "dim"), one["state"]
        said = one["text"] if one["state"] == "POSTED" else one["reason"] or one["text"]
        utc = str(one["updated_utc"])[:19].replace("T", " ")
        table.add_row(str(one["firing_id"]), f"[{tone}]{word}[/]", escape(one["cue_name"]), one["account_id"], escape(said), utc)
    Terminal().print(table)


def veto(
    firing_id: FiringId,
    reason: Annotated[str, typer.Option(help="Why, in a sentence.")],
    by: By = None,
    config: ConfigOption = None,
) -> None:
    """Stop a firing that waits for its audience delay, for good; refused once it has been claimed."""
    done = _asked(config, "veto", firing_id=firing_id, actor=by or getpass.getuser(), reason=reason)
    typer.echo(f"firing {firing_id} of {done['cue_name']}: {done['state']}; nothing else fires this occurrence for it")


def settle(
    firing_id: FiringId,
    found: Annotated[Found, typer.Argument(help="What you saw in the account's timeline.")],
    *,
    reason: Annotated[str, typer.Option(help="How you know, in a sentence.")],
    tweet_id: Annotated[str | None, typer.Option(help="The tweet's id, when it was posted.")] = None,
    by: By = None,
    config: ConfigOption = None,
) -> None:
    """Say what became of an unknown firing. Nothing is sent again, whatever you say."""
    if found is Found.POSTED and tweet_id is None:
        raise typer.BadParameter("a tweet that was posted has an id; give it", param_hint="--tweet-id")
    fields: dict[str, Any] = {"state": found.name, "actor": by or getpass.getuser(), "reason": reason}
    if tweet_id is not None:
        fields["tweet_id"] = tweet_id
    done = _asked(config, "settle", firing_id=firing_id, **fields)
    typer.echo(f"firing {firing_id} of {done['cue_name']}: {done['state']}")


def _asked(config: Path | None, op: str, **fields: Any) -> dict[str, Any]:
    from console.asking import ask_engine
    from console.config import find_config, load_config

    return ask_engine(load_config(find_config(config)), op, **fields)
