"""`cuebird rehearse`: what recorded signals would have fired, and why not. Nothing can leave."""

import contextlib
import json
import logging
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.options import AsJson, ConfigOption

if TYPE_CHECKING:
    from console.config import Config
    from sync.recording import Recorded

Records = Annotated[list[Path] | None, typer.Option("--record", metavar="FILE", help="What an engine recorded.")]
Captures = Annotated[
    list[str] | None, typer.Option("--scoreboard", metavar="FIXTURE=FILE", help="Recorded bytes of a console's line.")
]
Media = Annotated[list[str] | None, typer.Option("--feed", metavar="FEED=FILE", help="Recorded sound of a feed.")]
Starts = Annotated[str | None, typer.Option(metavar="UTC", help="When captures and sound begin, as 2027-03-01T18:00:00Z.")]


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("rehearse")(rehearse_recorded)


def rehearse_recorded(
    *,
    records: Records = None,
    captures: Captures = None,
    feeds: Media = None,
    starts: Starts = None,
    protocol: Annotated[str, typer.Option(help="Of the captures: oes or stramatel.")] = "oes",
    lasts: Annotated[
        float | None,
        typer.Option(min=0.1, max=86_400, metavar="SECONDS", help="How long a capture took; else as the line is fast."),
    ] = None,
    config: ConfigOption = None,
    as_json: AsJson = False,
    csv_file: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write one row a firing.")] = None,
) -> None:
    """Play recorded signals to the engine on a clock that never waits: what would have fired, with which text, and why not.

    Cues, approvals, holds and airings are read from the ledger, which is never written; nothing has fired yet at the
    beginning. No credentials are read and no connection is made.
    """
    from rich.console import Console as Terminal

    from console.config import find_config, load_config
    from console.rehearsal_report import as_facts, print_report, write_csv
    from console.wiring import planned_setup
    from sync.replaying import rehearse

    if not (records or captures or feeds):
        raise typer.BadParameter("give at least one of --record, --scoreboard and --feed")
    loaded = load_config(find_config(config))
    signals = list(_signals(loaded, records or [], captures or [], feeds or [], protocol=protocol, starts=starts, lasts_s=lasts))
    with _told_by_the_report():
        rehearsal = rehearse(signals, planned_setup(loaded))
    if csv_file is not None:
        write_csv(rehearsal, csv_file)
    if as_json:
        typer.echo(json.dumps(as_facts(rehearsal), ensure_ascii=False))
    else:
        print_report(rehearsal, Terminal())


@contextlib.contextmanager
def _told_by_the_report() -> Iterator[None]:
    """What is an alarm to the engine is a line of the report here."""
    log = logging.getLogger("sync")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def _signals(
    config: "Config",
    records: list[Path],
    captures: list[str],
    feeds: list[str],
    *,
    protocol: str,
    starts: str | None,
    lasts_s: float | None,
) -> "Iterable[Recorded]":
    from console.rehearsal_sources import signals_of_capture, signals_of_feed
    from sync.recording import read_recording

    begin_utc = _begin(starts) if captures or feeds else None
    found: list[Iterable[Recorded]] = [read_recording(path) for path in records]
    if begin_utc is not None:
        for fixture, file in (_named(one, "--scoreboard") for one in captures):
            found.append(
                signals_of_capture(
                    config, fixture, Path(file), protocol=protocol, starts_utc=begin_utc, lasts_s=lasts_s, tell=_tell
                )
            )
        for feed, file in (_named(one, "--feed") for one in feeds):
            found.append(signals_of_feed(config, feed, file, starts_utc=begin_utc))
    return chain.from_iterable(found)


def _tell(sentence: str) -> None:
    typer.echo(f"cuebird: {sentence}", err=True)


def _begin(starts: str | None) -> datetime:
    if starts is None:
        raise typer.BadParameter("captures and sound carry no date; say when they begin", param_hint="--starts")
    try:
        begin = datetime.fromisoformat(starts)
    except ValueError:
        begin = None
    if begin is None or begin.tzinfo is None:
        raise typer.BadParameter(f"{starts!r}: write 2027-03-01T18:00:00Z, with the zone", param_hint="--starts")
    return begin


def _named(text: str, option: str) -> tuple[str, str]:
    name, equals, file = text.partition("=")
    if not (name and equals and file):
        raise typer.BadParameter(f"{text!r}: write {'FIXTURE' if option == '--scoreboard' else 'FEED'}=FILE", param_hint=option)
    return name, file
