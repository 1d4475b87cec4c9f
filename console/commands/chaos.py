"""`cuebird chaos`: real processes, killed again and again, and every guarantee judged by what arrived at the sandbox."""

import asyncio
import json
import secrets
import sys
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from console.options import AsJson

if TYPE_CHECKING:
    from bench.chaos.run import Round

EXIT_BROKEN = 3
"""A guarantee did not hold."""
SEED_MAX = 1_000_000


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("chaos")(chaos)


def chaos(
    kills: Annotated[int, typer.Option("--kills", min=1, metavar="N", help="How often something is killed.")] = 100,
    seed: Annotated[int | None, typer.Option("--seed", min=0, metavar="S", help="Repeat this plan; else any.")] = None,
    postgresql: Annotated[bool, typer.Option("--postgresql", help="Keep the ledger in PostgreSQL; its server dies too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Kill engine, broker, sandbox and database at every step and at random, and judge every guarantee from outside."""
    first = secrets.randbelow(SEED_MAX) if seed is None else seed
    rounds = asyncio.run(_play(kills, first, postgresql=postgresql))
    broken = next((one for one in rounds if one.broken), None)
    if as_json:
        typer.echo(json.dumps(_facts(first, rounds)))
    else:
        _show(rounds)
    if broken is not None:
        again = f"cuebird chaos --seed {broken.seed} --kills {sum(broken.kills.values()) + 1}{' --postgresql' * postgresql}"
        typer.echo(f"{broken.broken}\nwhat is left of it: {broken.folder}\nplay it again: {again}", err=True)
        raise typer.Exit(EXIT_BROKEN)


async def _play(kills: int, seed: int, *, postgresql: bool) -> list["Round"]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from bench.chaos.run import run_chaos

    rounds: list[Round] = []
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as progress:
        task = progress.add_task("the house comes up", total=kills)
        async for told in run_chaos(kills, seed, postgresql=postgresql):
            if told.blow is None:
                rounds.append(told.round)
            else:
                progress.update(task, advance=1, description=str(told.blow))
    return rounds


def _show(rounds: list["Round"]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("what was done", "times", box=None, header_style="dim")
    table.columns[1].justify = "right"
    for what, times in sorted(_sum(rounds).items()):
        table.add_row(what, str(times))
    terminal = Console(highlight=False)
    terminal.print(table)
    signals, firings = sum(one.signals for one in rounds), sum(one.firings for one in rounds)
    posts, seconds = sum(one.posts for one in rounds), sum(one.seconds for one in rounds)
    kills, seeds = sum(sum(one.kills.values()) for one in rounds), f"{rounds[0].seed} to {rounds[-1].seed}"
    verdict = "a guarantee is broken" if rounds[-1].broken else "every guarantee holds"
    terminal.print(
        f"{kills} kills in {seconds:.0f} s, seeds {seeds}: {signals} signals, {firings} firings, {posts} POSTs; {verdict}"
    )
    if missed := _missed(rounds):
        ways = ", ".join(f"{name} {times}" for name, times in missed.items())
        terminal.print(f"went another way than planned (a step was not reached in time, mostly): {ways}")
    if not rounds[0].disk:
        terminal.print("no file system was filled (none can be mounted here, or the ledger is in PostgreSQL)")


def _facts(seed: int, rounds: list["Round"]) -> dict[str, object]:
    return {
        "seed": seed,
        "rounds": len(rounds),
        "kills": dict(_sum(rounds)),
        "missed": dict(_missed(rounds)),
        "signals": sum(one.signals for one in rounds),
        "firings": sum(one.firings for one in rounds),
        "posts": sum(one.posts for one in rounds),
        "seconds": round(sum(one.seconds for one in rounds), 1),
        "disk_filled": rounds[0].disk,
        "broken": {one.seed: {"sentence": one.broken, "folder": str(one.folder)} for one in rounds if one.broken},
    }


def _sum(rounds: list["Round"]) -> Counter[str]:
    return sum((one.kills for one in rounds), Counter[str]())


def _missed(rounds: list["Round"]) -> Counter[str]:
    return sum((Counter(one.missed) for one in rounds), Counter[str]())
