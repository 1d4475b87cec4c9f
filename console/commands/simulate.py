"""`cuebird simulate`: the engine in a world where everything goes wrong, thousands of times, or once with its story."""

import contextlib
import json
import sys
import time
from typing import Annotated

import typer

from console.options import AsJson

EXIT_BROKEN = 3
"""A guarantee did not hold."""
BROKEN_SHOWN_MAX = 20


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("simulate")(simulate)


def simulate(
    seeds: Annotated[int, typer.Option("--seeds", min=1, metavar="N", help="How many stories to play.")] = 1000,
    first: Annotated[int, typer.Option("--first", min=0, help="The first seed.")] = 0,
    seed: Annotated[int | None, typer.Option("--seed", min=0, metavar="S", help="Play this one and tell its story.")] = None,
    *,
    steps: Annotated[int | None, typer.Option("--steps", min=1, max=1000, help="A story's length; else its seed's.")] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Processes; else one for each processor.")] = None,
    as_json: AsJson = False,
) -> None:
    """Play stories on a virtual clock with every fault there is, and judge every guarantee after each step."""
    if seed is not None:
        _tell(seed, steps=steps, as_json=as_json)
    else:
        _play(range(first, first + seeds), steps=steps, workers=workers, as_json=as_json)


def _tell(seed: int, *, steps: int | None, as_json: bool) -> None:
    from sync.simulation import run_seed
    from sync.simulation.storage import Storage

    with contextlib.closing(Storage()) as storage:
        result = run_seed(seed, storage, steps=steps, tell_engine=True)
    if as_json:
        typer.echo(json.dumps({"seed": seed, "broken": result.broken, "sent": result.sent, "story": result.story}))
    else:
        typer.echo("\n".join(result.story))
        typer.echo(f"seed {seed}: {result.broken or f'every guarantee holds; {result.sent} requests left'}")
    if result.broken:
        raise typer.Exit(EXIT_BROKEN)


def _play(seeds: range, *, steps: int | None, workers: int | None, as_json: bool) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from sync.simulation import run_seeds

    broken, sent, began_s = {}, 0, time.monotonic()
    speed = TextColumn("{task.fields[a_second]:.0f} a second")
    columns = ("seeds", BarColumn(), MofNCompleteColumn(), speed, TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as progress:
        task = progress.add_task("seeds", total=len(seeds), a_second=0.0)
        for played, result in enumerate(run_seeds(seeds, steps=steps, workers=workers), start=1):
            progress.update(task, advance=1, a_second=played / (time.monotonic() - began_s))
            sent += result.sent
            if result.broken:
                broken[result.seed] = result.broken
                progress.console.print(f"seed {result.seed}: {result.broken}", markup=False)
    took_s = time.monotonic() - began_s
    if as_json:
        facts = {"seeds": len(seeds), "first": seeds.start, "sent": sent, "broken": broken, "took_s": round(took_s, 3)}
        typer.echo(json.dumps(facts))
    else:
        for number, sentence in list(broken.items())[:BROKEN_SHOWN_MAX]:
            typer.echo(f"seed {number}: {sentence}")
        told = f"{len(seeds)} seeds from {seeds.start} on, {sent} requests left; {len(broken)} broke a guarantee"
        typer.echo(f"{told} ({took_s:.0f} s, {len(seeds) / took_s:.0f} seeds a second)")
    if broken:
        raise typer.Exit(EXIT_BROKEN)
