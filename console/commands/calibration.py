"""`cuebird spots calibrate` measures on a channel's own sound how often chance scores, which sets the threshold."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from console.commands.spots import EXIT_FAILED, AsJson, Folder, spots_app

if TYPE_CHECKING:
    from fingerprints.impostors import Measured
    from fingerprints.library import SpotLibrary

SHOWN = 8


def register(_app: typer.Typer) -> None:
    """Add the verb to `cuebird spots`."""
    spots_app.command("calibrate")(calibrate)


def calibrate(
    spots: Folder,
    media: Annotated[
        list[str] | None, typer.Argument(metavar="[MEDIA...]", help="Recordings of the channels in which none of the spots airs.")
    ] = None,
    *,
    keep: Annotated[bool, typer.Option(help="Keep it for this folder; with --no-keep it is only shown.")] = True,
    shipped: Annotated[bool, typer.Option("--shipped", help="Forget the folder's own calibration.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure how often chance scores in recordings without spots, and set the folder's threshold by it.

    Some hours of what the channels usually broadcast are needed. Listeners take it up when they are started again.
    """
    if shipped == bool(media):
        raise typer.BadParameter("name recordings, or give --shipped", param_hint="MEDIA...")
    from fingerprints.calibration import write_calibration
    from fingerprints.errors import FingerprintsError
    from fingerprints.impostors import measure
    from fingerprints.library import SpotLibrary, calibration_path

    try:
        library = SpotLibrary.open(spots)
        if shipped:
            calibration_path(spots).unlink(missing_ok=True)
            typer.echo(f"{spots}: the shipped calibration is used, threshold {SpotLibrary.open(spots).threshold:.1f} nats")
            return
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("listening", total=None)
            measured = measure(
                library,
                media or [],
                heard=lambda name, seconds: bar.update(task, description=f"{escape(name)}: {seconds / 60:.0f} min heard"),
            )
        if keep:
            write_calibration(calibration_path(spots), measured.calibration)
    except (FingerprintsError, OSError) as error:
        typer.echo(f"cuebird: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from error
    if as_json:
        typer.echo(json.dumps(_record(library, measured), indent=2, ensure_ascii=False))
    else:
        _tell(library, measured, kept=keep)


def _thresholds(library: "SpotLibrary", measured: "Measured") -> tuple[float, float]:
    from fingerprints.calibration import threshold_nats

    new = threshold_nats(n_spots=len(library.spots), false_per_feed_year=1.0, calibration=measured.calibration)
    return library.threshold, new


def _tell(library: "SpotLibrary", measured: "Measured", *, kept: bool) -> None:
    made, (before, after) = measured.calibration, _thresholds(library, measured)
    typer.echo(
        f"{measured.hours:.1f} h heard for {len(library.spots)} spots and {measured.decoys} heads of the recordings themselves:"
        f" {made.count} coincidences, slope {made.slope:.2f} a nat, highest {made.largest:.1f} nats;"
        f" {measured.repeated} places are the same recording again and were left out"
    )
    typer.echo(
        f"threshold for one false decision a feed-year: {after:.1f} nats, before {before:.1f}{'' if kept else ' (not kept)'}"
    )
    table = Table("score", "where", "like", "", box=None, pad_edge=False)
    for one in measured.suspects[:SHOWN]:
        where = f"{Path(one.medium).name} at {one.onset_s:.1f} s"
        note = "the same recording, left out" if one.repeated else ""
        table.add_row(f"{one.score:.1f}", escape(where), escape(one.spot_id), note)
    Console().print(table)


def _record(library: "SpotLibrary", measured: "Measured") -> dict[str, object]:
    from dataclasses import asdict

    before, after = _thresholds(library, measured)
    return {
        **asdict(measured.calibration),
        "hours": measured.hours,
        "decoys": measured.decoys,
        "repeated": measured.repeated,
        "threshold": after,
        "threshold_before": before,
        "suspects": [asdict(one) for one in measured.suspects],
    }
