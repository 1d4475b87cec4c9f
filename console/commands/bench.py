"""`cuebird bench NAME`: measurements that take minutes and end by themselves."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the group of verbs to the command line."""
    group = typer.Typer(no_args_is_help=True, help="Measure this machine: how soon and how surely spots are heard.")
    group.callback()(_measure)
    group.command("listening")(listening)
    app.add_typer(group, name="bench")


def _measure() -> None:
    """Keep `listening` a verb of its own, although it is the only one."""


def listening(
    full: Annotated[bool, typer.Option("--full/--quick", help="Hours of sound, or five minutes of work.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for the report, its plots and what is measured so far.")] = Path(
        "var/bench/listening"
    ),
) -> None:
    """Time to decision, recall through codecs, impostors and cost, beside other methods; writes report.md."""
    from bench.listening import run_listening
    from bench.setting import FULL, QUICK

    report = run_listening(FULL if full else QUICK, out)
    typer.echo(report.read_text())
    typer.echo(f"written to {report}", err=True)
