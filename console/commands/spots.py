"""`cuebird spots` keeps the folder of reference recordings; `cuebird scan` looks for them in other recordings."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from fingerprints.library import SpotLibrary

EXIT_FAILED = 1

Folder = Annotated[Path, typer.Option("--spots", help="Folder with one audio file a spot.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]

spots_app = typer.Typer(no_args_is_help=True, help="Keep the reference recordings of the spots.")


class LineFormat(StrEnum):
    """How findings are printed."""

    JSONL = "jsonl"
    TABLE = "table"


def register(app: typer.Typer) -> None:
    """Add the verbs to the root app."""
    app.add_typer(spots_app, name="spots")
    app.command("scan")(scan)


@spots_app.command("add")
def add(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Recordings to add.")],
    spots: Folder,
    spot_id: Annotated[str | None, typer.Option("--id", help="The spot's id; the file's name without suffix otherwise.")] = None,
) -> None:
    """Copy recordings into the folder, each as a new spot."""
    if spot_id is not None and len(files) > 1:
        raise typer.BadParameter("one id for one file; leave --id out, or add the files one by one", param_hint="--id")
    from fingerprints.errors import FingerprintsError
    from fingerprints.library import add_recording

    failed = False
    for file in files:
        try:
            spot = add_recording(spots, file, spot_id=spot_id)
            typer.echo(f"{spot.id}: {spot.audible_s:.1f} s added")
        except FingerprintsError as error:
            failed = True
            typer.echo(f"cuebird: {error}", err=True)
    if failed:
        raise typer.Exit(EXIT_FAILED)


@spots_app.command("list")
def list_spots(spots: Folder, as_json: AsJson = False) -> None:
    """Show the spots of a folder and the files that are none."""
    library = _open(spots)
    if as_json:
        typer.echo(json.dumps(_listing(library), indent=2, ensure_ascii=False))
        return
    table = Table("spot", "length", "lead-in", "told after", "file", box=None, pad_edge=False)
    for spot in library.spots:
        told_s = library.earliest_decision_s(spot)
        told = "never from its head" if told_s is None else f"{1000 * told_s:.0f} ms"
        table.add_row(escape(spot.id), f"{spot.audible_s:.1f} s", f"{spot.lead_in_s:.2f} s", told, escape(spot.path.name))
    Console().print(table)
    _tell_problems(library)


@spots_app.command("check")
def check(spots: Folder, as_json: AsJson = False) -> None:
    """Say which spots begin alike, and until when they cannot be told apart. Exit code 1 when a file is no spot."""
    library = _open(spots)
    if as_json:
        typer.echo(json.dumps(_listing(library) | _collisions(library), indent=2, ensure_ascii=False))
    else:
        for line in _report(library):
            typer.echo(line)
        _tell_problems(library)
    if library.problems:
        raise typer.Exit(EXIT_FAILED)


@spots_app.command("remove")
def remove(ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Spots to remove.")], spots: Folder) -> None:
    """Delete spots' recordings from the folder."""
    from fingerprints.library import remove_recording

    for spot_id in ids:
        typer.echo(f"{spot_id}: {remove_recording(spots, spot_id).name} deleted")


def scan(
    media: Annotated[list[str], typer.Argument(metavar="MEDIA...", help="Recordings to search.")],
    spots: Folder,
    output: Annotated[
        LineFormat, typer.Option("--format", help="One JSON object a line, or columns to read.")
    ] = LineFormat.TABLE,
    false_per_feed_year: Annotated[
        float, typer.Option(min=1e-6, max=1e6, help="Wrong detections allowed per feed and year.")
    ] = 1.0,
) -> None:
    """Find the spots that air in recordings."""
    library = _open(spots)
    _tell_problems(library)
    if not library.spots:
        typer.echo(f"cuebird: {spots}: no spot to look for; add recordings with cuebird spots add", err=True)
        raise typer.Exit(EXIT_FAILED)
    from fingerprints.errors import FingerprintsError

    failed = False
    for feed in media:
        try:
            for record in _scan_one(feed, library, false_per_feed_year):
                sys.stdout.write((json.dumps(record, ensure_ascii=False) if output is LineFormat.JSONL else _row(record)) + "\n")
                sys.stdout.flush()
        except FingerprintsError as error:
            failed = True
            typer.echo(f"cuebird: {error}", err=True)
    if failed:
        raise typer.Exit(EXIT_FAILED)


def _scan_one(feed: str, library: "SpotLibrary", false_per_feed_year: float) -> Iterator[dict[str, object]]:
    from fingerprints.scan import record
    from fingerprints.scan import scan as scan_recording

    with _progress(f"{feed}: opening") as show:
        events = scan_recording(
            feed,
            library,
            false_per_feed_year=false_per_feed_year,
            heard=lambda position_s: show(f"{feed}: {position_s / 60:.1f} min heard"),
        )
        for event in events:
            yield record(event, feed=feed)


def _open(folder: Path) -> "SpotLibrary":
    with _progress(f"{folder}: opening") as show:
        from fingerprints.library import SpotLibrary

        return SpotLibrary.open(folder, progress=lambda done, total, name: show(f"{folder}: {done} of {total} {name}"))


class _Show:
    def __init__(self, console: Console, text: str) -> None:
        self._status = console.status(escape(text)) if console.is_terminal else None

    def __call__(self, text: str) -> None:
        if self._status is not None:
            self._status.update(escape(text))

    def start(self) -> None:
        if self._status is not None:
            self._status.start()

    def stop(self) -> None:
        if self._status is not None:
            self._status.stop()


@contextmanager
def _progress(text: str) -> Iterator[_Show]:
    """A line on standard error that tells how far it is, only where a person watches."""
    show = _Show(Console(stderr=True), text)
    show.start()
    try:
        yield show
    finally:
        show.stop()


def _listing(library: "SpotLibrary") -> dict[str, object]:
    return {
        "spots": [
            {
                "id": spot.id,
                "file": spot.path.name,
                "audible_s": round(spot.audible_s, 3),
                "lead_in_s": round(spot.lead_in_s, 3),
                "earliest_decision_s": library.earliest_decision_s(spot),
            }
            for spot in library.spots
        ],
        "problems": [{"file": problem.name, "message": problem.message} for problem in library.problems],
    }


def _collisions(library: "SpotLibrary") -> dict[str, object]:
    return {
        "groups": [list(group) for group in library.groups],
        "alike": [
            {"spots": [echo.host_id, echo.guest_id], "until_s": round(echo.until_s, 3)}
            for echo in library.echoes
            if echo.heads_alike
        ],
        "echoes": [
            {"in": echo.host_id, "spot": echo.guest_id, "offset_s": round(echo.offset_s, 3), "lasts_s": round(echo.until_s, 3)}
            for echo in library.echoes
            if not echo.heads_alike
        ],
    }


def _report(library: "SpotLibrary") -> Iterator[str]:
    pairs: dict[tuple[str, str], float] = {}
    for echo in library.echoes:
        if echo.heads_alike:
            pair = (min(echo.host_id, echo.guest_id), max(echo.host_id, echo.guest_id))
            pairs[pair] = max(pairs.get(pair, 0.0), echo.until_s)
    yield f"{len(library.spots)} spots, {len(pairs)} pairs that begin alike"
    for (one, other), until_s in sorted(pairs.items()):
        yield f"{one} and {other} begin alike and cannot be told apart until {until_s:.2f} s: a detection names both"
    for echo in library.echoes:
        if not echo.heads_alike:
            inside = "itself" if echo.host_id == echo.guest_id else echo.host_id
            where = f"in {inside} at {echo.offset_s:.2f} s"
            yield f"the beginning of {echo.guest_id} is heard again {where}, for {echo.until_s:.2f} s"


def _tell_problems(library: "SpotLibrary") -> None:
    for problem in library.problems:
        typer.echo(f"cuebird: {problem.message}", err=True)


def _row(record: dict[str, object]) -> str:
    if "end_s" in record:
        heard = float(str(record["coverage"]))
        return f"{float(str(record['end_s'])):10.3f} s  {record['spot']:<24} ended, {heard:.0%} of it heard  {record['feed']}"
    onset_s, decided_s = float(str(record["onset_s"])), float(str(record["decided_s"]))
    spots = record["spots"]
    others = [spot for spot in spots if spot != record["spot"]] if isinstance(spots, list) else []
    like = f"  or {', '.join(others)}" if others else ""
    return (
        f"{onset_s:10.3f} s  {record['spot']:<24} decided after {1000 * (decided_s - onset_s):4.0f} ms  "
        f"score {record['score']} of {record['threshold']}{like}  {record['feed']}"
    )
