"""`cuebird gateway`: read a scoreboard console and publish what its score does."""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.options import ConfigOption

if TYPE_CHECKING:
    from console.settings import Config
    from hardware.gateway import GatewaySettings


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("gateway")(gateway)


def gateway(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Say what is read as one JSON object.")] = False,
) -> None:
    """Read the console that the configuration names and publish its events, signed, over MQTT. Stop it with Ctrl-C."""
    from console.config import find_config, load_config

    path = find_config(config)
    asyncio.run(_run(gateway_settings(load_config(path), path), as_json=as_json))


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
    )


async def _run(settings: "GatewaySettings", *, as_json: bool) -> None:
    from hardware.gateway import Gateway
    from timebase import SystemClock

    running = asyncio.create_task(Gateway(settings, clock=SystemClock()).run(), name="gateway")
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, running.cancel)
    identity, source, broker = settings.identity, settings.source, str(settings.address)
    facts = {"ready": True, "device": identity.device, "source": source, "broker": broker}
    sentence = f"{identity.device} reads {settings.protocol} from {source} and publishes to {broker}; stop it with Ctrl-C"
    typer.echo(json.dumps(facts) if as_json else sentence)
    sys.stdout.flush()
    await asyncio.wait({running})
    if not running.cancelled():
        running.result()
