"""`cuebird demo`: the whole job on this machine."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console as Terminal

if TYPE_CHECKING:
    from console.demo.story import Ending


EXIT_INTERRUPTED = 130


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("demo")(demo)


def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="Play the programme once (three minutes), judge it, and exit.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print nothing but one JSON object at the end; with --once.")] = False,
    state_dir: Annotated[Path, typer.Option(help="The demonstration's own folder; it is emptied first.")] = Path("var/demo"),
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="The console's port; usually 8400.")] = None,
) -> None:
    """Show the whole job on this machine, with no outside service.

    A programme with adverts goes out as a live stream, a listener hears each spot begin, a simulated scoreboard
    speaks to a gateway, and the pre-approved tweets leave for the X sandbox, seen on the live page.
    With --once the exit code is 0 only if every expected firing and no other happened.
    """
    from console.child import run_until_told
    from console.demo.screen import Screen
    from console.demo.stage import prepared_stage
    from console.demo.story import tell
    from timebase import SystemClock

    if as_json and not once:
        raise typer.BadParameter("--json tells the outcome of --once; give both", param_hint="--json")
    clock, screen = SystemClock(), Screen(Terminal(), quiet=as_json)
    endings: list[Ending] = []

    async def play() -> None:
        with prepared_stage(state_dir, clock=clock, port=port, once=once) as stage:
            ending = await tell(stage, clock=clock, screen=screen, once=once)
        if ending is not None:
            endings.append(ending)

    run_until_told(play())
    for ending in endings:
        screen.judgement(ending.verdict, ending.figures)
        if as_json:
            typer.echo(json.dumps(_facts(ending), ensure_ascii=False))
        if not ending.verdict.ok:
            raise typer.Exit(1)
    if once and not endings:
        raise typer.Exit(EXIT_INTERRUPTED)


def _facts(ending: "Ending") -> dict[str, object]:
    return {
        "ok": ending.verdict.ok,
        "expected": [
            {"what": one.expected.what, "mode": "LIVE" if one.expected.live else "REHEARSAL", "ok": one.ok, "outcome": one.text}
            for one in ending.verdict.findings
        ],
        "surplus": list(ending.verdict.surplus),
        **ending.figures,
    }
