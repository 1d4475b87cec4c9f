"""`cuebird serve`: the program, one process beside the other."""

from typing import TYPE_CHECKING

import typer
from rich.console import Console as Terminal
from rich.markup import escape

from console.options import ConfigOption

if TYPE_CHECKING:
    from console.config import Config
    from console.supervisor import Child


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("serve")(serve)


def serve(
    config: ConfigOption = None,
) -> None:
    """Run the engine, listeners for the feeds, and the web console; keep them running until Ctrl-C.

    The gateway runs where the scoreboard is: `cuebird gateway`.
    """
    from console.child import run_until_told
    from console.config import find_config, load_config
    from console.supervisor import Child, Supervisor
    from timebase import SystemClock

    path = find_config(config).absolute()
    loaded = load_config(path)
    terminal = Terminal(stderr=True)

    def told(name: str, exit_code: int) -> None:
        terminal.print(f"[red]{escape(name)} ended[/red] (exit code {exit_code}); starting it again", highlight=False)

    async def run() -> None:
        async with Supervisor(clock=SystemClock(), log_dir=loaded.paths.state_dir / "log", on_exit=told) as family:
            where = ("--config", str(path))
            engine = await family.start_ready(Child(name="engine", arguments=("run", "engine", *where)))
            if engine.facts.get("standby"):
                holder = escape(str(engine.facts.get("holder")))
                terminal.print(
                    f"[yellow]the engine of {holder} fires[/yellow]; this one stands by and takes over when it falls silent"
                )
            console = await family.start_ready(Child(name="console", arguments=("run", "console", *where)))
            terminal.print(f"the console is at {console.facts['url']}; stop with Ctrl-C", highlight=False)
            for child in (*listeners(loaded, where), *markers(loaded, where), *plans(loaded, where)):
                await family.start(child)
            await family.wait()

    run_until_told(run())


def markers(config: "Config", where: tuple[str, ...]) -> "list[Child]":
    """The process that listens to broadcasters' markers and mixers' tally, where there are any."""
    from console.supervisor import Child

    return [Child(name="markers", arguments=("run", "markers", *where))] if config.marker_sources or config.tallies else []


def plans(config: "Config", where: tuple[str, ...]) -> "list[Child]":
    """The process that takes plans from the inbox, where somebody sends any."""
    from console.supervisor import Child

    return [Child(name="plans", arguments=("run", "plans", *where))] if config.plan_senders else []


def listeners(config: "Config", where: tuple[str, ...]) -> "list[Child]":
    """The listener processes: the feeds in batches, each on its processor when some are named."""
    from console.supervisor import Child

    listening, ids = config.listening, [feed.id for feed in config.feeds]
    size = listening.feeds_per_process
    batches = [ids[first : first + size] for first in range(0, len(ids), size)]
    children = []
    for number, batch in enumerate(batches):
        name = f"listener-{batch[0]}" if len(batch) == 1 else f"listener-{batch[0]}-and-{len(batch) - 1}-more"
        pinned = ("--cpu", str(listening.cpus[number % len(listening.cpus)])) if listening.cpus else ()
        children.append(Child(name=name, arguments=("run", "listener", *batch, *where, *pinned)))
    return children
