"""`cuebird spots` keeps the folder of reference recordings; `cuebird scan` looks for them in other recordings."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from fingerprints.adding import Added
    from fingerprints.ear import Event
    from fingerprints.library import SpotLibrary
    from fingerprints.scan import Journal, ScanSettings
    from fingerprints.whole import WholeIndex

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
    *,
    spot_id: Annotated[str | None, typer.Option("--id", help="The spot's id; the file's name without suffix otherwise.")] = None,
    ad_id: Annotated[str, typer.Option(help="Its Ad-ID, such as ABCD1234000H.")] = "",
    isci: Annotated[str, typer.Option(help="Its ISCI code, such as ABCD1234.")] = "",
    clock_number: Annotated[str, typer.Option(help="Its UK clock number, such as DIR/CORP001/030.")] = "",
    pub_id: Annotated[str, typer.Option(help="Its French PubID, such as FR_ABCD_EFGH_IJKL_0001_030_F.")] = "",
    id_crea: Annotated[str, typer.Option(help="Its French IDcrea, such as AV-AGEN123456-0025.")] = "",
    campaign: Annotated[str, typer.Option(help="The campaign it belongs to.")] = "",
    version: Annotated[str, typer.Option(help="Which cut or language of it.")] = "",
    collisions: Annotated[bool, typer.Option(help="Say which spots of the folder it resembles.")] = True,
    as_json: AsJson = False,
) -> None:
    """Copy recordings into the folder, each as a new spot. What is wrong with one refuses it; what is odd is said."""
    identifiers = {"ad_id": ad_id, "isci": isci, "clock_number": clock_number, "pub_id": pub_id, "id_crea": id_crea}
    if len(files) > 1 and (spot_id is not None or any(identifiers.values())):
        raise typer.BadParameter("an id or identifier is for one file; add the files one by one", param_hint="--id")
    from fingerprints.adding import Added, add_spot
    from fingerprints.errors import FingerprintsError

    added: list[Added] = []
    failed = False
    for file in files:
        try:
            one = add_spot(spots, file, spot_id=spot_id, identifiers=identifiers, campaign=campaign, version=version)
            added.append(one)
            if not as_json:
                _tell_added(one)
        except FingerprintsError as error:
            failed = True
            typer.echo(f"cuebird: {error}", err=True)
    found = _collisions_of(spots, only=[one.spot_id for one in added if one.spot]) if collisions else []
    if as_json:
        records = [_added_fields(one) for one in added]
        typer.echo(json.dumps({"added": records, "collisions": found}, indent=2, ensure_ascii=False))
    else:
        for record in found:
            _tell_collision(record)
    if failed:
        raise typer.Exit(EXIT_FAILED)


@spots_app.command("list")
def list_spots(spots: Folder, as_json: AsJson = False) -> None:
    """Show the spots of a folder and the files that are none."""
    library = _open(spots)
    if as_json:
        typer.echo(json.dumps(_listing(library), indent=2, ensure_ascii=False))
        return
    table = Table("spot", "length", "lead-in", "told after", "identifiers", "file", box=None, pad_edge=False)
    for spot in library.spots:
        told_s = library.earliest_decision_s(spot)
        told = "never from its head" if told_s is None else f"{1000 * told_s:.0f} ms"
        known = ", ".join(_identifiers(spots, spot.id).values())
        length, lead_in = f"{spot.audible_s:.1f} s", f"{spot.lead_in_s:.2f} s"
        table.add_row(escape(spot.id), length, lead_in, told, escape(known), escape(spot.path.name))
    Console().print(table)
    _tell_problems(library)


@spots_app.command("check")
def check(spots: Folder, as_json: AsJson = False) -> None:
    """Say which spots resemble each other, until when, and what a cue should do. Exit code 1 when a file is no spot."""
    library = _open(spots)
    found = _collisions_of(spots)
    if as_json:
        typer.echo(json.dumps(_listing(library) | _by_kind(library) | {"collisions": found}, indent=2, ensure_ascii=False))
    else:
        pairs = sum(record["kind"] in ("heads alike", "same recording") for record in found)
        typer.echo(f"{len(library.spots)} spots, {pairs} pairs that begin alike")
        for record in found:
            _tell_collision(record)
        _tell_problems(library)
    if library.problems:
        raise typer.Exit(EXIT_FAILED)


@spots_app.command("show")
def show(
    spot_id: Annotated[str, typer.Argument(metavar="ID", help="The spot.")],
    spots: Folder,
    out: Annotated[Path, typer.Option(help="The PNG file to write.")],
    heard: Annotated[
        str | None, typer.Option(help="A recording in which it airs: its evidence is drawn instead of a flawless reception's.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.3, max=10, help="How much of its beginning to draw.")] = 1.5,
) -> None:
    """Draw a spot's beginning: spectrogram, bits and how sure they are, evidence against time, the moment of decision."""
    from fingerprints.errors import FingerprintsError
    from fingerprints.pictures import draw_spot

    library = _open(spots)
    try:
        draw_spot(library, spot_id, out, heard=heard, seconds=seconds)
    except FingerprintsError as error:
        typer.echo(f"cuebird: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from error
    typer.echo(f"{out}: written")


@spots_app.command("remove")
def remove(ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Spots to remove.")], spots: Folder) -> None:
    """Delete spots' recordings and particulars from the folder."""
    from fingerprints.adding import forget_particulars
    from fingerprints.library import remove_recording

    for spot_id in ids:
        typer.echo(f"{spot_id}: {remove_recording(spots, spot_id).name} deleted")
        forget_particulars(spots, spot_id)


def scan(
    media: Annotated[list[str], typer.Argument(metavar="MEDIA...", help="Recordings to search.")],
    spots: Folder,
    *,
    output: Annotated[
        LineFormat, typer.Option("--format", help="One JSON object a line, or columns to read.")
    ] = LineFormat.TABLE,
    false_per_feed_year: Annotated[
        float, typer.Option(min=1e-6, max=1e6, help="Wrong detections allowed per feed and year.")
    ] = 1.0,
    rates: Annotated[str, typer.Option(help="Speeds spots may play at besides 1, pitch and all: 1.042 or 0.96,1.042.")] = "",
    tempos: Annotated[str, typer.Option(help="The same for speeds that keep the pitch: 0.96,0.98,1.02,1.04.")] = "",
    late: Annotated[bool, typer.Option(help="Find airings whose beginning is missing too.")] = True,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Processes at once, each a file.")] = 1,
    resume: Annotated[
        Path | None, typer.Option(help="A journal of finished files: a scan that was interrupted goes on where it stopped.")
    ] = None,
) -> None:
    """Find the spots that air in recordings."""
    from fingerprints.errors import FingerprintsError
    from fingerprints.scan import Journal, ScanSettings

    settings = ScanSettings(
        spots=spots, false_per_feed_year=false_per_feed_year, speeds=_numbers(rates), tempos=_numbers(tempos), late=late
    )
    with _counting(f"{spots}: opening") as count:
        delivered, library, index = settings.open(progress=count)
    _tell_problems(delivered)
    if not delivered.spots:
        typer.echo(f"cuebird: {spots}: no spot to look for; add recordings with cuebird spots add", err=True)
        raise typer.Exit(EXIT_FAILED)
    failed = False
    if jobs > 1 or resume is not None:
        journal = None if resume is None else Journal(resume, settings)
        failed = _scan_many(media, settings, jobs=jobs, journal=journal, output=output)
        media = []
    for feed in media:
        try:
            for event in _scan_one(feed, library, index, false_per_feed_year):
                _print_event(event, feed, output)
        except FingerprintsError as error:
            failed = True
            typer.echo(f"cuebird: {error}", err=True)
    if failed:
        raise typer.Exit(EXIT_FAILED)


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise typer.BadParameter(f"{text!r}: numbers with commas between them, such as 0.96,1.042") from None


def _scan_one(feed: str, library: "SpotLibrary", index: "WholeIndex | None", false_per_feed_year: float) -> Iterator["Event"]:
    from fingerprints.scan import scan as scan_recording

    with _progress(f"{feed}: opening") as show_:
        yield from scan_recording(
            feed,
            library,
            index=index,
            false_per_feed_year=false_per_feed_year,
            heard=lambda position_s: show_(f"{feed}: {position_s / 60:.1f} min heard"),
        )


def _scan_many(media: list[str], settings: "ScanSettings", *, jobs: int, journal: "Journal | None", output: LineFormat) -> bool:
    """Scan with processes of their own, under a bar; whether a file failed."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from fingerprints.scan import scan_many

    failed, heard_s = False, 0.0
    console = Console(stderr=True)
    columns = (SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("opening", total=len(media))

        def heard(seconds: float) -> None:
            nonlocal heard_s
            heard_s += seconds
            bar.update(task, description=f"{heard_s / 3600:.1f} h heard")

        for done in scan_many(media, settings, jobs=jobs, journal=journal, heard=heard):
            for line in done.lines:
                _print_line(json.dumps(line, ensure_ascii=False) if output is LineFormat.JSONL else _columns(line))
            if done.fault:
                failed = True
                bar.console.print(f"cuebird: {done.fault}", markup=False, highlight=False, soft_wrap=True)
            bar.advance(task)
    return failed


def _print_event(event: "Event", feed: str, output: LineFormat) -> None:
    from fingerprints.lines import fields_of

    line = fields_of(event, feed=feed)
    _print_line(json.dumps(line, ensure_ascii=False) if output is LineFormat.JSONL else _columns(line))


def _columns(line: dict[str, object]) -> str:
    from fingerprints.lines import row_of

    return row_of(line)


def _print_line(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _open(folder: Path) -> "SpotLibrary":
    with _counting(f"{folder}: opening") as count:
        from fingerprints.library import SpotLibrary

        return SpotLibrary.open(folder, progress=count, jobs=os.cpu_count() or 1)


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


@contextmanager
def _counting(text: str) -> Iterator[Callable[[int, int, str], None]]:
    """A bar on standard error for work that is counted, with the time it will still take, only where a person watches."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(text, total=None)

        def count(done: int, total: int, name: str) -> None:
            bar.update(task, completed=done, total=total, description=f"{text} {name}".rstrip())

        yield count


def _listing(library: "SpotLibrary") -> dict[str, object]:
    return {
        "spots": [
            {
                "id": spot.id,
                "file": spot.path.name,
                "audible_s": round(spot.audible_s, 3),
                "lead_in_s": round(spot.lead_in_s, 3),
                "earliest_decision_s": library.earliest_decision_s(spot),
                "identifiers": _identifiers(spot.path.parent, spot.id),
            }
            for spot in library.spots
        ],
        "problems": [{"file": problem.name, "message": problem.message} for problem in library.problems],
    }


def _by_kind(library: "SpotLibrary") -> dict[str, object]:
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


def _collisions_of(folder: Path, *, only: list[str] | None = None) -> list[dict[str, object]]:
    """The collision report as records; of some spots alone when they are named."""
    if only == []:
        return []
    from fingerprints.collisions import collisions_of
    from fingerprints.whole_file import open_index

    library = _open(folder)
    with _counting(f"{folder}: comparing") as count:
        index = open_index(library, progress=count)
        found = collisions_of(library, index, only=only, progress=count)
    return [
        {
            "kind": one.kind.value,
            "spots": [one.host_id, one.guest_id],
            "host_s": round(one.host_s, 3),
            "guest_s": round(one.guest_s, 3),
            "lasts_s": round(one.lasts_s, 3),
            "apart_s": None if one.apart_s is None else round(one.apart_s, 3),
            "finding": one.finding,
            "advice": one.advice,
        }
        for one in found
    ]


def _tell_collision(record: dict[str, object]) -> None:
    advice = str(record["advice"])
    typer.echo(f"{record['finding']}{f'. {advice[:1].upper()}{advice[1:]}' if advice else ''}")


def _tell_added(added: "Added") -> None:
    if added.spot is None:
        typer.echo(f"{added.spot_id}: there already")
    else:
        typer.echo(f"{added.spot_id}: {added.spot.audible_s:.1f} s added")
    for warning in added.warnings:
        typer.echo(f"cuebird: {added.spot_id}: {warning.message}", err=True)


def _added_fields(added: "Added") -> dict[str, object]:
    return {
        "spot": added.spot_id,
        "added": added.spot is not None,
        "loudness_lufs": added.particulars.loudness_lufs,
        "identifiers": dict(added.particulars.identifiers),
        "campaign": added.particulars.campaign,
        "version": added.particulars.version,
        "warnings": [{"about": one.about.value, "message": one.message} for one in added.warnings],
    }


def _identifiers(folder: Path, spot_id: str) -> dict[str, str]:
    from fingerprints.particulars import read_particulars

    return dict(read_particulars(folder, spot_id).identifiers)


def _tell_problems(library: "SpotLibrary") -> None:
    for problem in library.problems:
        typer.echo(f"cuebird: {problem.message}", err=True)
