"""`cuebird cues`: import, look at, approve, withdraw, hold and rearm the rules that fire tweets."""

import dataclasses
import getpass
import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console as Terminal
from rich.markup import escape
from rich.table import Table

from console.options import AsJson, ConfigOption

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from console.config import Config
    from schedules.airing import Airing
    from sync.cues import Cue
    from sync.ledger import Ledger, StoredCue

CueFile = Annotated[Path, typer.Argument(metavar="FILE", help="Cues, TOML; the layout is in docs/cues.md.")]
CueId = Annotated[str, typer.Argument(metavar="ID", help="The cue's id.")]
CueIds = Annotated[list[str], typer.Argument(metavar="ID…", help="The cues' ids.")]
By = Annotated[str, typer.Option(help="Who does it.")]
Reason = Annotated[str, typer.Option(help="Why, in a sentence.")]
Seen = Annotated[str | None, typer.Option(help="Approve only if the cue still has this hash (`cuebird cues list --json`).")]


def register(app: typer.Typer) -> None:
    """Add the group of verbs to the command line."""
    group = typer.Typer(no_args_is_help=True, help="Import, look at, approve, withdraw, hold and rearm cues.")
    group.command("import")(import_cues)
    group.command("list")(list_cues)
    group.command("show")(show_cue)
    group.command("approve")(approve_cue)
    group.command("withdraw")(withdraw_approval)
    group.command("hold")(hold_cue)
    group.command("rearm")(rearm_cue)
    app.add_typer(group, name="cues")


def import_cues(file: CueFile, config: ConfigOption = None, as_json: AsJson = False) -> None:
    """Import a file of cues, all of it or nothing, and say what changes; a changed cue needs a new approval."""
    from console.catalogue import catalogue_of, media_store
    from console.ledgers import open_ledger
    from sync.cues import cue_warnings, read_cues

    loaded = _load(config)
    catalogue = catalogue_of(loaded)
    cues = read_cues(file, catalogue)
    warnings = {cue.cue_id: found for cue in cues if (found := cue_warnings(cue, catalogue))}
    # Before the cues: a cue that is in the ledger has its media.
    media_store(loaded).keep((media for cue in cues for media in cue.media), file.parent)
    with open_ledger(loaded) as ledger:
        diff = ledger.import_cues(cues, actor=getpass.getuser())
        waiting = [stored.cue.cue_id for stored in ledger.cues() if not stored.approved]
    _reload(loaded)
    if as_json:
        changes = {"new": diff.new, "changed": diff.changed, "unchanged": diff.unchanged}
        typer.echo(json.dumps({**changes, "unapproved": waiting, "warnings": warnings}))
        return
    typer.echo(f"{file}: {len(diff.new)} new, {len(diff.changed)} changed, {len(diff.unchanged)} unchanged.")
    for cue_id, found in warnings.items():
        _warn(cue_id, found)
    if waiting:
        typer.echo(f"Waiting for approval: {', '.join(waiting)}. `cuebird cues approve ID --by NAME` approves one.")


def list_cues(config: ConfigOption = None, as_json: AsJson = False) -> None:
    """Show every cue, what it fires and whether it may."""
    from console.ledgers import open_ledger

    with open_ledger(_load(config)) as ledger:
        stored, lapses = ledger.cues(), _lapses(ledger)
    if as_json:
        cues = [{**_facts(one), "approval_warning": lapses[one.cue.cue_id]} for one in stored]
        typer.echo(json.dumps({"cues": cues}, ensure_ascii=False))
        return
    if not stored:
        typer.echo("No cues yet. `cuebird cues import FILE` brings some in; docs/cues.md shows the layout.")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("cue", no_wrap=True, overflow="fold")  # it is what the other verbs want typed
    for title in ("fires on", "account", "priority", "variants", "approved", "held"):
        table.add_column(title, overflow="fold")
    for one in stored:
        facts = (one.cue.cue_id, _occasion(one.cue), one.cue.account_id, str(one.cue.priority), str(len(one.cue.variants)))
        approved = _standing(one) if one.approved else f"[yellow]{_standing(one)}[/yellow]"
        table.add_row(*(escape(fact) for fact in facts), approved, escape(one.hold_reason))
    Terminal().print(table)
    for cue_id, sentence in lapses.items():
        _warn(cue_id, [sentence] if sentence else [])


def show_cue(cue_id: CueId, config: ConfigOption = None, as_json: AsJson = False) -> None:
    """Show one cue in full, as its approvers should see it: texts, conditions, limits, warnings, approvals."""
    from console.catalogue import catalogue_of
    from console.ledgers import open_ledger
    from sync.cues import cue_warnings

    loaded = _load(config)
    with open_ledger(loaded) as ledger:
        stored = _stored(ledger, cue_id)
    warnings = cue_warnings(stored.cue, catalogue_of(loaded))
    if as_json:
        typer.echo(json.dumps({**_facts(stored), "warnings": warnings}, ensure_ascii=False))
        return
    for name, value in _lines(stored):
        typer.echo(f"{name + ':':<12} {value}")
    _warn(cue_id, warnings)


def approve_cue(cue_id: CueId, by: By, config: ConfigOption = None, sha256: Seen = None) -> None:
    """Approve a cue exactly as it is now; its author cannot, and one person counts once."""
    from console.catalogue import catalogue_of
    from console.ledgers import open_ledger
    from sync.cues import cue_warnings

    loaded = _load(config)
    catalogue = catalogue_of(loaded)
    valid_for = timedelta(days=loaded.approval.valid_days)
    with open_ledger(loaded) as ledger:
        approval = ledger.approve_cue(cue_id, approved_by=by, sha256=sha256, valid_for=valid_for, catalogue=catalogue)
        stored = _stored(ledger, cue_id)
    _reload(loaded)
    until = f"until {approval.expires_utc:%Y-%m-%d %H:%M} UTC"
    typer.echo(f"{cue_id}: approved by {approval.approved_by} {until}, SHA-256 {approval.sha256[:16]}…")
    for name, text in _texts(stored.cue):
        typer.echo(f"  {name}: {text}" if name.startswith(" ") else f"  {stored.cue.account_id}, {name}: {text}")
    _warn(cue_id, cue_warnings(stored.cue, catalogue))
    if not stored.approved:
        missing = stored.cue.approvers - len(stored.approvals)
        typer.echo(f"It needs {missing} more approval by somebody else before it may fire.")


def withdraw_approval(
    cue_id: CueId, by: By, config: ConfigOption = None, reason: Annotated[str, typer.Option(help="Why, in a sentence.")] = ""
) -> None:
    """Take back your approval of a cue, from this moment on; the cue waits for another one."""
    from console.ledgers import open_ledger

    loaded = _load(config)
    with open_ledger(loaded) as ledger:
        ledger.withdraw_approval(cue_id, by=by, reason=reason)
        stored = _stored(ledger, cue_id)
    _reload(loaded)
    rest = "it stays approved by others" if stored.approved else "it fires nothing until it is approved again"
    typer.echo(f"{cue_id}: the approval by {by} is withdrawn; {rest}.")


def hold_cue(cue_id: CueId, by: By, reason: Reason, config: ConfigOption = None) -> None:
    """Hold a cue: it fires nothing until it is rearmed."""
    _change_hold(cue_id, by=by, reason=reason, config=config)
    typer.echo(f"{cue_id}: held by {by}. `cuebird cues rearm {cue_id} --by NAME` lets it go again.")


def rearm_cue(cue_ids: CueIds, by: By, config: ConfigOption = None) -> None:
    """Let cues go again that were held, or that a cap disarmed; what they missed stays unsent."""
    for cue_id in cue_ids:
        _change_hold(cue_id, by=by, reason="", config=config)
        typer.echo(f"{cue_id}: rearmed by {by}.")


def _change_hold(cue_id: str, *, by: str, reason: str, config: Path | None) -> None:
    from console.ledgers import open_ledger

    loaded = _load(config)
    with open_ledger(loaded) as ledger:
        ledger.hold_cue(cue_id, actor=by, reason=reason)
    _reload(loaded)


def _stored(ledger: "Ledger", cue_id: str) -> "StoredCue":
    from sync.errors import CueError

    found = next((one for one in ledger.cues() if one.cue.cue_id == cue_id), None)
    if found is None:
        raise CueError(f"cue {cue_id}: there is none; `cuebird cues list` shows them")
    return found


def _lapses(ledger: "Ledger") -> dict[str, str]:
    """For each cue why its approval will not hold as long as its plan; empty where it will."""
    from sync.approvals import lapse

    now_utc = ledger.clock.utc()
    planned: dict[tuple[str, str], list[Airing]] = {}
    for airing in ledger.airings(closes_after_utc=now_utc):
        planned.setdefault((airing.channel, airing.spot_id), []).append(airing)
    found = dict[str, str]()
    for one in ledger.cues():
        on = one.cue.on
        spots = ((on.channel, spot_id) for spot_id in on.spots) if on.kind == "spot" else ()
        airings = [airing for spot in spots for airing in planned.get(spot, ())]
        found[one.cue.cue_id] = lapse(one.cue, one.expires_utc, airings, now_utc)
    return found


def _warn(cue_id: str, warnings: "Iterable[str]") -> None:
    for warning in warnings:
        typer.echo(f"{cue_id}: mind that {warning}", err=True)


def _standing(stored: "StoredCue") -> str:
    """The approval in few words; `show` says who."""
    if stored.expires_utc is not None:
        return f"until {stored.expires_utc:%Y-%m-%d}"
    return f"{len(stored.approvals)} of {stored.cue.approvers}" if stored.approvals else "no"


def _approval(stored: "StoredCue") -> str:
    needed = stored.cue.approvers
    if stored.expires_utc is None:
        return f"{len(stored.approvals)} of {needed}, by {stored.approved_by}" if stored.approvals else "no"
    return f"by {stored.approved_by} until {stored.expires_utc:%Y-%m-%d}"


def _occasion(cue: "Cue") -> str:
    from sync.conditions import nth

    on, when = cue.on, cue.when
    if on.kind == "spot":
        words = [f"{', '.join(on.spots)} on {on.channel}", *([_EVERY.format(nth(on.every))] if on.every > 1 else [])]
        words += ["first in the day"] if on.first_in_day else []
    elif on.kind == "trigger":
        words = [f"trigger {on.name}, {on.fixture}"]
    else:
        words = [f"goal, {on.fixture}, {on.side}", *([_EVERY.format(nth(on.every))] if on.every > 1 else [])]
        words += [", ".join(on.score_states)] if on.score_states else []
        words += [f"number {', '.join(map(str, on.goals))}"] if on.goals else []
        words += [f"period {', '.join(on.periods)}"] if on.periods else []
        words += [f"by {', '.join(on.players)}"] if on.players else []
    words += [f"{', '.join(when.dayparts)} {when.timezone}"] if when.dayparts else []
    return "; ".join([*words, *_tellers(cue)])


_EVERY = "every {}"


def _tellers(cue: "Cue") -> "Iterator[str]":
    """Who must tell of it, where that is not whoever does."""
    on = cue.on
    if on.kind == "spot":
        within = f", within {on.within_ms} ms" if on.by == "both" else ""
        if on.by != "sound":
            yield f"told by {_BY[on.by]}{within}"
    elif on.devices:
        yield f"told by {' and '.join(on.devices)}, within {on.within_ms} ms"
    if on.kind == "goal" and on.witness:
        yield f"with {on.witness}{f' of {on.witness_device}' if on.witness_device else ''} within {on.within_ms} ms"
    if cue.on_air:
        yield f"while tally {cue.on_air} is on air"


_BY = {"marker": "its marker", "either": "its sound or its marker", "both": "its sound and its marker"}


def _lines(stored: "StoredCue") -> "Iterator[tuple[str, str]]":
    cue = stored.cue
    yield "cue", f"{cue.cue_id}, {cue.name}, written by {cue.author}"
    yield "fires on", _occasion(cue)
    yield "account", f"{cue.account_id}{f', campaign {cue.campaign}' if cue.campaign else ''}, priority {cue.priority}"
    delays = [f"leaves at most {cue.deadline_ms} ms after the moment"]
    delays += [f"at least {cue.audience_delay_ms} ms"] if cue.audience_delay_ms else []
    delays += [f"once the goal has stood for {cue.confirm_ms} ms"] if cue.confirm_ms else []
    delays += ["once play has gone on"] if cue.confirm_restart else []
    yield "time", ", ".join(delays)
    yield "caps", f"{cue.caps.per_minute} a minute, {cue.caps.per_hour} an hour, {cue.caps.per_day} a day"
    yield "reuse", f"a text again after {cue.duplicate_window_h} h" if cue.duplicate_window_h else "no text leaves twice"
    yield "marked as", "paid partnership" if cue.paid_partnership else "nothing"
    yield from _texts(cue)
    yield "taken back", cue.taken_back
    yield "SHA-256", stored.sha256
    yield "approved", _approval(stored)
    if stored.hold_reason:
        yield "held", f"by {stored.hold_actor}: {stored.hold_reason}"


def _texts(cue: "Cue") -> "Iterator[tuple[str, str]]":
    """All that may be posted, with the media each text goes with."""
    from sync.media import media_of_variant

    for number, variant in enumerate(cue.variants, start=1):
        yield f"variant {number}", variant
        yield from (("  with", media.describe()) for media in media_of_variant(cue.media, number))
    for number, text in enumerate(cue.corrections, start=1):
        yield f"correction {number}", text
    if cue.media:
        fallback = "the text leaves alone" if cue.media_fallback == "text" else "nothing leaves"
        yield "no media", f"when the media is not ready at X, {fallback}"


def _facts(stored: "StoredCue") -> dict[str, object]:
    cue: dict[str, object] = dataclasses.asdict(stored.cue)
    approvals = [{"approved_by": one.approved_by, "expires_utc": one.expires_utc.isoformat()} for one in stored.approvals]
    status = {"sha256": stored.sha256, "approved": stored.approved, "approved_by": stored.approved_by, "approvals": approvals}
    return {**cue, **status, "hold_reason": stored.hold_reason, "hold_actor": stored.hold_actor}


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
