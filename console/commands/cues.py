"""`cuebird cues`: import, look at, approve, hold and rearm the rules that fire tweets."""

import getpass
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console as Terminal
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from console.config import Config
    from sync.ledger import StoredCue

CueFile = Annotated[Path, typer.Argument(metavar="FILE", help="Cues, TOML; the layout is in docs/cues.md.")]
CueId = Annotated[str, typer.Argument(metavar="ID", help="The cue's id.")]
By = Annotated[str, typer.Option(help="Who does it.")]
Reason = Annotated[str, typer.Option(help="Why, in a sentence.")]
Seen = Annotated[str | None, typer.Option(help="Approve only if the cue still has this hash (`cuebird cues list --json`).")]
ConfigOption = Annotated[Path | None, typer.Option(help="Configuration file; else $CUEBIRD_CONFIG, else ./cuebird.toml.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def register(app: typer.Typer) -> None:
    """Add the group of verbs to the command line."""
    group = typer.Typer(no_args_is_help=True, help="Import, look at, approve, hold and rearm cues.")
    group.command("import")(import_cues)
    group.command("list")(list_cues)
    group.command("approve")(approve_cue)
    group.command("hold")(hold_cue)
    group.command("rearm")(rearm_cue)
    app.add_typer(group, name="cues")


def import_cues(file: CueFile, config: ConfigOption = None, as_json: AsJson = False) -> None:
    """Import a file of cues, all of it or nothing, and say what changes; a changed cue needs a new approval."""
    from console.ledgers import open_ledger
    from sync.cues import Catalogue, read_cues

    loaded = _load(config)
    catalogue = Catalogue(
        accounts=frozenset(account.id for account in loaded.accounts),
        channels=frozenset(channel.id for channel in loaded.channels),
        sides={fixture.id: (fixture.home, fixture.away) for fixture in loaded.fixtures},
    )
    cues = read_cues(file, catalogue)
    with open_ledger(loaded) as ledger:
        diff = ledger.import_cues(cues, actor=getpass.getuser())
        waiting = [stored.cue.cue_id for stored in ledger.cues() if not stored.approved]
    _reload(loaded)
    if as_json:
        typer.echo(json.dumps({"new": diff.new, "changed": diff.changed, "unchanged": diff.unchanged, "unapproved": waiting}))
        return
    typer.echo(f"{file}: {len(diff.new)} new, {len(diff.changed)} changed, {len(diff.unchanged)} unchanged.")
    if waiting:
        typer.echo(f"Waiting for approval: {', '.join(waiting)}. `cuebird cues approve ID --by NAME` approves one.")


def list_cues(config: ConfigOption = None, as_json: AsJson = False) -> None:
    """Show every cue, what it fires and whether it may."""
    from console.ledgers import open_ledger

    with open_ledger(_load(config)) as ledger:
        stored = ledger.cues()
    if as_json:
        typer.echo(json.dumps({"cues": [_facts(one) for one in stored]}, ensure_ascii=False))
        return
    if not stored:
        typer.echo("No cues yet. `cuebird cues import FILE` brings some in; docs/cues.md shows the layout.")
        return
    table = Table("cue", "fires on", "account", "variants", "approved", "held")
    for one in stored:
        approved = f"by {escape(one.approved_by)}" if one.approved else "[yellow]no[/yellow]"
        facts = (one.cue.cue_id, _occasion(one), one.cue.account_id, str(len(one.cue.variants)))
        table.add_row(*(escape(fact) for fact in facts), approved, escape(one.hold_reason))
    Terminal().print(table)


def approve_cue(cue_id: CueId, by: By, config: ConfigOption = None, sha256: Seen = None) -> None:
    """Approve a cue exactly as it is now; its author cannot."""
    from console.ledgers import open_ledger

    loaded = _load(config)
    with open_ledger(loaded) as ledger:
        approval = ledger.approve_cue(cue_id, approved_by=by, sha256=sha256)
        (stored,) = [one for one in ledger.cues() if one.cue.cue_id == cue_id]
    _reload(loaded)
    typer.echo(f"{cue_id}: approved by {approval.approved_by}, SHA-256 {approval.sha256[:16]}…")
    for variant in stored.cue.variants:
        typer.echo(f"  {stored.cue.account_id}: {variant}")


def hold_cue(cue_id: CueId, by: By, reason: Reason, config: ConfigOption = None) -> None:
    """Hold a cue: it fires nothing until it is rearmed."""
    _change_hold(cue_id, by=by, reason=reason, config=config)
    typer.echo(f"{cue_id}: held by {by}. `cuebird cues rearm {cue_id} --by NAME` lets it go again.")


def rearm_cue(cue_id: CueId, by: By, config: ConfigOption = None) -> None:
    """Let a cue go again that was held, or that a cap disarmed; what it missed stays unsent."""
    _change_hold(cue_id, by=by, reason="", config=config)
    typer.echo(f"{cue_id}: rearmed by {by}.")


def _change_hold(cue_id: str, *, by: str, reason: str, config: Path | None) -> None:
    from console.ledgers import open_ledger

    loaded = _load(config)
    with open_ledger(loaded) as ledger:
        ledger.hold_cue(cue_id, actor=by, reason=reason)
    _reload(loaded)


def _occasion(stored: "StoredCue") -> str:
    on = stored.cue.on
    if on.kind == "spot":
        return f"{', '.join(on.spots)} on {on.channel}"
    return f"goal, {on.fixture}, {on.side}"


def _facts(stored: "StoredCue") -> dict[str, object]:
    cue: dict[str, object] = json.loads(stored.cue.canonical_json())
    status = {"sha256": stored.sha256, "approved_by": stored.approved_by, "hold_reason": stored.hold_reason}
    return {**cue, **status}


def _load(config: Path | None) -> "Config":
    from console.config import find_config, load_config

    return load_config(find_config(config))


def _reload(loaded: "Config") -> None:
    """Ask the running engine to look again; without one, the next will."""
    import asyncio

    from sync.client import ControlClient
    from sync.errors import ControlError, EngineUnreachableError

    async def ask() -> None:
        async with ControlClient(loaded.paths.socket_file) as client:
            await client.request("reload")

    try:
        asyncio.run(ask())
    except EngineUnreachableError:
        return
    except ControlError as error:
        typer.echo(f"cuebird: the running engine could not take it up: {error}", err=True)
