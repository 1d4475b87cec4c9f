"""`cuebird simulate`: the engine in a world where everything goes wrong, thousands of times, or once with its story."""

import json
import sys
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
    steps: Annotated[int | None, typer.Option("--steps", min=1, max=1000, help="How much happens in a story; else 40.")] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Processes; else one for each processor.")] = None,
    as_json: AsJson = False,
) -> None:
    """Play stories on a virtual clock with every fault there is, and judge every guarantee after each step."""
    if seed is not None:
        _tell(seed, steps=steps, as_json=as_json)
    else:
        _play(range(first, first + seeds), steps=steps, workers=workers, as_json=as_json)


def _tell(seed: int, *, steps: int | None, as_json: bool) -> None:
    from sync.simulation import STEPS, run_seed
    from sync.simulation.storage import Storage

    result = run_seed(seed, Storage(), steps=steps or STEPS, tell_engine=True)
    if as_json:
        typer.echo(json.dumps({"seed": seed, "broken": result.broken, "sent": result.sent, "story": result.story}))
    else:
        typer.echo("\n".join(result.story))
        typer.echo(f"seed {seed}: {result.broken or f'every guarantee holds; {result.sent} requests left'}")
    if result.broken:
        raise typer.Exit(EXIT_BROKEN)


def _play(seeds: range, *, steps: int | None, workers: int | None, as_json: bool) -> None:
    from rich.console import Console
    from rich.progress import Progress

    from sync.simulation import STEPS, run_seeds

    broken, sent = {}, 0
    with Progress(console=Console(file=sys.stderr), transient=True) as progress:
        task = progress.add_task("seeds", total=len(seeds))
        for result in run_seeds(seeds, steps=steps or STEPS, workers=workers):
            progress.advance(task)
            sent += result.sent
            if result.broken:
                broken[result.seed] = result.broken
                progress.console.print(f"seed {result.seed}: {result.broken}", markup=False)
    if as_json:
        typer.echo(json.dumps({"seeds": len(seeds), "first": seeds.start, "sent": sent, "broken": broken}))
    else:
        for number, sentence in list(broken.items())[:BROKEN_SHOWN_MAX]:
            typer.echo(f"seed {number}: {sentence}")
        typer.echo(f"{len(seeds)} seeds from {seeds.start} on, {sent} requests left; {len(broken)} broke a guarantee")
    if broken:
        raise typer.Exit(EXIT_BROKEN)
