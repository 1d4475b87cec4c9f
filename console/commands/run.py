"""`cuebird run PART`: one process of the program, as the supervisor starts them. Hidden: people use `serve`."""

from pathlib import Path
from typing import Annotated

import typer

from console.child import announce, run_until_told

ConfigOption = Annotated[Path, typer.Option("--config", help="Configuration file.")]

parts = typer.Typer(help="Run one process of the program (started by `cuebird serve`).", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the hidden group to the command line."""
    app.add_typer(parts, name="run", hidden=True)


@parts.command("engine")
def engine(config: ConfigOption) -> None:
    """The engine: signals in, tweets out."""
    from console.config import load_config
    from console.wiring import run_configured_engine

    run_until_told(
        run_configured_engine(
            load_config(config),
            on_ready=lambda: announce(ready=True),
            on_standby=lambda holder: announce(ready=True, standby=True, holder=holder),
        )
    )


@parts.command("listener")
def listener(
    feeds: Annotated[list[str], typer.Argument(metavar="FEED...")],
    config: ConfigOption,
    cpu: Annotated[int | None, typer.Option(min=0, help="Stay on this processor.")] = None,
) -> None:
    """The listener of some feeds: reports what it hears to the engine."""
    import os

    from console.config import load_config
    from console.errors import ConsoleError
    from console.wiring import run_configured_listener

    if cpu is not None:
        try:
            os.sched_setaffinity(0, {cpu})
        except OSError as error:
            raise ConsoleError(f"listening.cpus: processor {cpu} cannot be used ({error.strerror}); choose another") from error
    run_until_told(run_configured_listener(load_config(config), feeds, on_ready=lambda: announce(ready=True)))


@parts.command("markers")
def markers(config: ConfigOption) -> None:
    """The listener of broadcasters' markers and mixers' tally: reports them to the engine."""
    from console.config import load_config
    from console.markers import run_configured_markers

    run_until_told(run_configured_markers(load_config(config), on_ready=lambda: announce(ready=True)))


@parts.command("plans")
def plans(config: ConfigOption) -> None:
    """The inbox: imports the plans that senders drop into it."""
    from console.config import load_config
    from console.plan_inbox import watch_inbox
    from timebase import SystemClock

    run_until_told(watch_inbox(load_config(config), clock=SystemClock(), on_ready=lambda: announce(ready=True)))


@parts.command("console")
def console(config: ConfigOption) -> None:
    """The web console."""
    from console.config import load_config
    from console.web import run_console

    loaded = load_config(config)
    run_console(
        loaded.console.host,
        loaded.console.port,
        state_dir=loaded.paths.state_dir,
        config=loaded,
        tls_cert=loaded.console.cert_file,
        tls_key=loaded.console.key_file,
        on_ready=lambda url: announce(ready=True, url=url),
    )


@parts.command("broker")
def broker(port: int = 0) -> None:
    """The embedded MQTT broker of the demonstration."""
    import asyncio

    from hardware.broker import EmbeddedBroker

    async def serve() -> None:
        async with EmbeddedBroker("127.0.0.1", port) as running:
            announce(ready=True, port=running.port)
            await asyncio.Event().wait()

    run_until_told(serve())


@parts.command("broadcast")
def broadcast(file: Path, path: str, port: int = 0, once: bool = False) -> None:
    """The television station of the demonstration: a file as a live AAC stream."""
    from fingerprints.broadcast import Broadcast
    from timebase import SystemClock

    async def serve() -> None:
        def on_pass(number: int, mono_ns: int) -> None:
            announce(on_air=True, pass_number=number, mono_ns=mono_ns)

        async with Broadcast(file, clock=SystemClock(), port=port, path=path, loop=not once, on_pass=on_pass) as station:
            announce(ready=True, url=station.url)
            await station.finished.wait()

    run_until_told(serve())
