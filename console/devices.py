"""What the configuration says of devices and their broker, as `hardware` takes it, secrets read."""

import hashlib
import socket
from pathlib import Path
from urllib.parse import urlsplit

from console.config import Config, read_secret
from hardware.keys import AnyKey, DeviceKey, is_pem, parse_pem_key
from hardware.mqtt import BrokerAddress


def device_key(config: Config, device_id: str) -> DeviceKey:
    """A device of the configuration with its keys read.

    Raises:
        ConfigError: a key's file cannot be read.
        SettingError: there is no usable key in it.
    """
    device = next(one for one in config.devices if one.id == device_id)
    return DeviceKey(
        venue=device.venue,
        device=device.id,
        fixture=device.fixture,
        key=read_device_key(device.key_file),
        old_key=None if device.old_key_file is None else read_device_key(device.old_key_file),
        old_key_ends_utc=device.old_key_ends_utc,
    )


def read_device_key(path: Path) -> AnyKey:
    """The key in a file: the bytes of its first line, or the Ed25519 key that it holds in PEM.

    Raises:
        ConfigError: the file cannot be read.
        SettingError: it is PEM, and no usable key.
    """
    first_line = read_secret(path)
    return parse_pem_key(path.read_bytes(), named=str(path)) if is_pem(first_line) else first_line.encode()


def broker_address(config: Config) -> BrokerAddress:
    """The broker of [mqtt], with its password read.

    Raises:
        ConfigError: the password's file cannot be read.
    """
    mqtt = config.mqtt
    return BrokerAddress(
        host=mqtt.host,
        port=mqtt.port,
        protocol=mqtt.protocol,
        username=mqtt.username,
        password=None if mqtt.password_file is None else read_secret(mqtt.password_file),
        ca_file=mqtt.ca_file,
        cert_file=mqtt.cert_file,
        key_file=mqtt.key_file,
    )


def engine_identifier(config: Config) -> str:
    """The name by which the broker knows the engine again: as configured, else made of where its ledger is.

    Engines that share a ledger share it, so that the one that takes over gets what came in between. Two ledgers must not:
    a broker lets in one client of a name, and would throw out the other.
    """
    if config.mqtt.client_id is not None:
        return config.mqtt.client_id
    ledger = config.ledger
    if isinstance(ledger, Path):
        place = f"{socket.gethostname()}:{ledger}"
    else:
        parts = urlsplit(ledger)
        place = f"{parts.hostname}:{parts.port or ''}{parts.path}"
    return f"cuebird-engine-{hashlib.sha256(place.encode()).hexdigest()[:16]}"
