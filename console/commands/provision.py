"""`cuebird gateway provision`: everything a gateway needs to begin, and what engine and broker must know of it."""

import enum
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.options import AsJson, ConfigOption

if TYPE_CHECKING:
    from console.provisioning import GatewayPlan, Provisioned
    from console.settings import Config, Fixture

BROKER_PORT = 8883


class KeyKind(enum.StrEnum):
    """How a gateway signs."""

    ED25519 = "ed25519"
    HMAC = "hmac"


def provision(
    *,
    venue: Annotated[str, typer.Option(help="Where it stands.")],
    device: Annotated[str, typer.Option(help="Its name there.")],
    protocol: Annotated[str, typer.Option(help="What the console emits: a name of cuebird scoreboard protocols.")],
    source: Annotated[str, typer.Option(help="The address of the console's line, such as serial:/dev/ttyUSB0.")],
    fixture: Annotated[str, typer.Option(help="The match it keeps; not needed while the venue has one.")] = "",
    broker: Annotated[
        str, typer.Option(metavar="HOST[:PORT]", help="The broker as the gateway calls it; else the engine's.")
    ] = "",
    key: Annotated[
        KeyKind, typer.Option(help="A pair, of which the engine gets the public half, or a secret of both.")
    ] = KeyKind.ED25519,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long certificates are valid.")] = 730,
    folder: Annotated[Path | None, typer.Option(metavar="DIR", help="Where everything is kept; else STATE_DIR/gateways.")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="A gateway that is there gets a new key and certificate, unasked.")
    ] = False,
    config: ConfigOption = None,
    as_json: AsJson = False,
) -> None:
    """Make a gateway's folder (configuration, key, certificate, QR code), and say what engine and broker must know of it.

    The engine's configuration tells the match and the broker. What is there is never written over; a gateway of this name
    is made anew only when you say so.
    """
    import shutil
    from datetime import UTC, datetime

    # The code first: where its package is missing nothing is made.
    from console import setup_code
    from console.config import find_config, load_config
    from console.provisioning import newest_key
    from console.provisioning import provision as make

    loaded = load_config(find_config(config))
    plan = _plan(
        loaded,
        _fixture(loaded, venue, fixture),
        device=device,
        protocol=protocol,
        source=source,
        broker=broker,
        key=key,
        days=days,
    )
    kept = folder or loaded.paths.state_dir / "gateways"
    if not replace and (newest_key(kept, plan.name) is not None or (kept / plan.name).exists()):
        question = f"{plan.name} is there. Give the gateway a new key and certificate, and a new folder in place of its old one?"
        typer.confirm(question, abort=True, err=True)
    made = make(plan, kept, now_utc=datetime.now(UTC))
    setup_code.draw(made.setup, made.folder)
    picture = setup_code.in_characters(made.setup, columns=shutil.get_terminal_size().columns)
    typer.echo(json.dumps(_facts(made)) if as_json else f"{picture}\n{_text(made)}")


def _fixture(config: "Config", venue: str, wanted: str) -> "Fixture":
    from console.config import ConfigError

    there = [one for one in config.fixtures if one.venue == venue and wanted in ("", one.id)]
    if len(there) == 1:
        return there[0]
    known = ", ".join(f"{one.id} at {one.venue}" for one in config.fixtures) or "none"
    if there:
        raise ConfigError(f"venue {venue}: has {len(there)} fixtures; say --fixture, one of {', '.join(one.id for one in there)}")
    raise ConfigError(f"venue {venue}: no fixture{f' {wanted}' if wanted else ''} there in the configuration; it has {known}")


def _plan(
    config: "Config", fixture: "Fixture", *, device: str, protocol: str, source: str, broker: str, key: KeyKind, days: int
) -> "GatewayPlan":
    from pydantic import ValidationError

    from console.config import LOOPBACK_HOSTS, ConfigError
    from console.provisioning import GatewayPlan
    from console.settings import Gateway, Mqtt
    from hardware.keys import SignatureKind

    host, port = _host_and_port(broker) if broker else (config.mqtt.host, BROKER_PORT)
    if not broker and host in LOOPBACK_HOSTS:
        raise ConfigError(f"mqtt.host = {host!r}: a gateway on another machine cannot call this; say --broker HOST")
    try:
        Mqtt(host=host, port=port)
        Gateway(device=device, protocol=protocol, source=source)
    except ValidationError as error:
        wrong = error.errors()[0]
        option = "broker" if wrong["loc"][0] in ("host", "port") else wrong["loc"][0]
        raise ConfigError(f"--{option} {wrong['input']}: {wrong['msg'].removeprefix('Value error, ')}") from error
    return GatewayPlan(
        device=device,
        fixture=fixture,
        protocol=protocol,
        source=source,
        host=host,
        port=port,
        mqtt_protocol=config.mqtt.protocol,
        freshness_s=config.mqtt.freshness_s,
        kind=SignatureKind.ED25519 if key is KeyKind.ED25519 else SignatureKind.HMAC_SHA256,
        days=days,
    )


def _host_and_port(text: str) -> tuple[str, int]:
    """`host`, `host:port`, `[v6]`, `[v6]:port`, or an IPv6 address alone."""
    host, colon, port = text.rpartition(":")
    if colon and port.isdigit() and (":" not in host or host.endswith("]")):
        return host.strip("[]"), int(port)
    return text.strip("[]"), BROKER_PORT


def _facts(made: "Provisioned") -> dict[str, str]:
    return {
        "folder": str(made.folder),
        "config": made.config,
        "setup": made.setup,
        "key_id": made.key_id,
        "authority_sha256": made.fingerprint,
        "device_table": made.device_table,
        "mqtt_table": made.mqtt_table,
        "acl_file": str(made.acl),
        "acl": made.rights,
        "listener_file": str(made.listener),
    }


def _text(made: "Provisioned") -> str:
    return f"""{made.folder}: copy this folder onto the gateway as /etc/cuebird; two secrets are in it,
device.key and client.key, so delete it here once it is copied. Then start it there:
  cuebird gateway --config /etc/cuebird/cuebird.toml

The code, also as setup.svg and setup.png there, carries this configuration and no secret; the key's id is {made.key_id}.

For the engine's configuration, then restart it:

{made.device_table}
{made.mqtt_table}
For mosquitto: {made.listener} is the listener; {made.acl} has these lines now, have it read again (SIGHUP):

{made.rights}"""
