"""`cuebird bench NAME`: measurements that take minutes and end by themselves."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the group of verbs to the command line."""
    group = typer.Typer(
        no_args_is_help=True,
        help="Measure this machine: how soon spots are heard, how soon tweets leave, what consoles and plans cost.",
    )
    group.command("listening")(listening)
    group.command("firing")(firing)
    group.command("hardware")(hardware)
    group.command("schedules")(schedules)
    app.add_typer(group, name="bench")


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


def firing(
    full: Annotated[bool, typer.Option("--full/--quick", help="Half an hour, or three minutes.")] = False,
    seconds: Annotated[
        float | None, typer.Option(min=5, max=3600, help="How long firings are claimed at full rate; 20 quick, 600 full.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the report and its plots.")] = Path("var/bench/firing"),
    remark: Annotated[str, typer.Option(help="A sentence for the report.")] = "",
) -> None:
    """Decided to first byte, a hundred cues at once, kill, sustained rate, ledger size; beside tweepy and the floor."""
    from dataclasses import replace

    from bench.firing.run import run_firing
    from bench.firing.setting import FULL, QUICK

    setting = FULL if full else QUICK
    report = run_firing(setting if seconds is None else replace(setting, seconds=seconds), out, remark=remark)
    typer.echo(report.read_text())
    typer.echo(f"written to {report}", err=True)


def hardware(
    full: Annotated[bool, typer.Option("--full/--quick", help="A quarter of an hour, or three minutes.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for the report and its plot.")] = Path("var/bench/hardware"),
    remark: Annotated[str, typer.Option(help="A sentence for the report.")] = "",
) -> None:
    """How fast consoles are decoded, what a gateway needs, how soon and how surely events reach the engine; writes report.md."""
    from bench.hardware.run import run_hardware

    report = run_hardware(out, full=full, remark=remark)
    typer.echo(report.read_text())
    typer.echo(f"written to {report}", err=True)


def schedules(
    full: Annotated[bool, typer.Option("--full/--quick", help="A million airings in the ledger, or a hundred thousand.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for the report and its plot.")] = Path("var/bench/schedules"),
    remark: Annotated[str, typer.Option(help="A sentence for the report.")] = "",
) -> None:
    """What plans cost from CSV and XLSX to the commit, and what a full ledger answers; beside the bare floor."""
    from bench.schedules.run import run_schedules

    report = run_schedules(out, full=full, remark=remark)
    typer.echo(report.read_text())
    typer.echo(f"written to {report}", err=True)
