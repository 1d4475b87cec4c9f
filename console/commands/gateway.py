"""`cuebird gateway`: read a scoreboard console and publish what its score does; and what there is to know of its messages."""

import asyncio
import json
import signal
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.commands.gateway_messages import fuzz, schema
from console.commands.provision import provision
from console.options import ConfigOption

if TYPE_CHECKING:
    from console.settings import Config
    from hardware.gateway import Gateway, GatewaySettings
    from hardware.lines import Recorder
    from hardware.messages import StateBody
    from timebase import Clock

TELL_EVERY_S = 60.0
LOOK_EVERY_S = 0.5


def register(app: typer.Typer) -> None:
    """Add the command and its verbs to the command line."""
    group = typer.Typer(invoke_without_command=True, no_args_is_help=False)
    group.callback()(gateway)
    group.command("provision")(provision)
    group.command("schema")(schema)
    group.command("fuzz")(fuzz)
    app.add_typer(group, name="gateway")


def gateway(
    context: typer.Context,
    config: ConfigOption = None,
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep what the console sends in a new FILE, with its times beside it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Say what is read, and how it goes, as JSON objects.")] = False,
) -> None:
    """Read the console that the configuration names and publish its events, signed, over MQTT. Stop it with Ctrl-C.

    Tells how the console is when that changes, and once a minute: score, good and damaged frames, connections.
    """
    if context.invoked_subcommand is not None:
        return
    from console.config import find_config, load_config
    from hardware.lines import Recorder

    path = find_config(config)
    settings = gateway_settings(load_config(path), path)
    with nullcontext() if record is None else Recorder(record) as recorder:
        asyncio.run(_run(settings, recorder, as_json=as_json))


def gateway_settings(config: "Config", path: Path) -> "GatewaySettings":
    """The plain values that the gateway needs from the configuration read from `path`.

    Raises:
        ConfigError: there is no [gateway], or a secret's file cannot be read.
        SettingError: a name or key that cannot be used.
    """
    from console.config import ConfigError
    from console.devices import broker_address, device_key
    from hardware.gateway import GatewaySettings

    if config.gateway is None:
        raise ConfigError(f"{path}: no [gateway]; add one with device, protocol and source")
    identity = device_key(config, config.gateway.device)
    # `load_config` has checked that it exists.
    fixture = next(one for one in config.fixtures if one.id == identity.fixture)
    return GatewaySettings(
        identity=identity,
        sport=fixture.sport,
        protocol=config.gateway.protocol,
        source=config.gateway.source,
        address=broker_address(config),
        freshness_s=config.mqtt.freshness_s,
        home_assistant=config.gateway.home_assistant,
        sparkplug=config.gateway.sparkplug,
        events=config.gateway.events,
    )


async def _run(settings: "GatewaySettings", recorder: "Recorder | None", *, as_json: bool) -> None:
    from hardware.gateway import Gateway
    from timebase import SystemClock

    clock = SystemClock()
    gateway = Gateway(settings, clock=clock, recorder=recorder)
    running = asyncio.create_task(gateway.run(), name="gateway")
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, running.cancel)
    identity, source, broker = settings.identity, settings.source, str(settings.address)
    facts = {"ready": True, "device": identity.device, "source": source, "broker": broker}
    sentence = f"{identity.device} reads {settings.protocol} from {source} and publishes to {broker}; stop it with Ctrl-C"
    typer.echo(json.dumps(facts) if as_json else sentence)
    sys.stdout.flush()
    telling = asyncio.create_task(_tell(gateway, clock, as_json=as_json), name="gateway-telling")
    await asyncio.wait({running, telling}, return_when=asyncio.FIRST_COMPLETED)
    telling.cancel()
    await asyncio.wait({running, telling})
    if not running.cancelled():
        running.result()


async def _tell(gateway: "Gateway", clock: "Clock", *, as_json: bool) -> None:
    """Say how the console is, on change and now and then."""
    told, waited_s = None, 0.0
    while True:
        state, trouble = gateway.state(), gateway.trouble
        essence = (state.state, state.detail, trouble, state.home, state.away)
        if essence != told or waited_s >= TELL_EVERY_S:
            told, waited_s = essence, 0.0
            facts = {**_facts(state), "trouble": trouble}
            typer.echo(
                json.dumps(facts) if as_json else "; ".join(filter(None, [_sentence(state, scored=gateway.keeps_score), trouble]))
            )
            sys.stdout.flush()
        await clock.sleep(LOOK_EVERY_S)
        waited_s += LOOK_EVERY_S


def _facts(state: "StateBody") -> dict[str, object]:
    names = (
        "device", "state", "home", "away", "clock", "period", "running", "good_frames", "bad_frames", "dropped_events",
        "connections", "refused", "received_bytes", "clock_source", "clock_error_us", "clock_offset_us", "clock_by", "detail",
    )  # fmt: skip
    return {name: getattr(state, name) for name in names}


def _sentence(state: "StateBody", *, scored: bool) -> str:
    """`oes-1 online, 2-1; 5,410 good frames, 3 damaged; 1 connection`, and what else is to be said."""
    score = ", no score yet" if state.home is None or state.away is None else f", {state.home}-{state.away}"
    connections = "1 connection" if state.connections == 1 else f"{state.connections:,} connections"
    parts = [
        f"{state.device} {state.state.replace('_', ' ')}{score if scored else ''}",
        f"{state.good_frames:,} good frames, {state.bad_frames:,} damaged",
        connections,
    ]
    if state.refused:
        parts.append(f"{state.refused:,} refused")
    if state.dropped_events:
        parts.append(f"{state.dropped_events:,} events dropped")
    return "; ".join([*parts, _clock(state), *filter(None, [state.detail])])


def _clock(state: "StateBody") -> str:
    """`clock synchronised by chrony, 0.01 ms behind, within 0.9 ms`: as much of it as is known."""
    words = [f"clock {state.clock_source}" + (f" by {state.clock_by}" if state.clock_by else "")]
    if state.clock_offset_us is not None:
        words.append(f"{abs(state.clock_offset_us) / 1000:.2f} ms {'behind' if state.clock_offset_us < 0 else 'ahead'}")
    if state.clock_error_us is not None:
        words.append(f"within {state.clock_error_us / 1000:.1f} ms")
    return ", ".join(words)
