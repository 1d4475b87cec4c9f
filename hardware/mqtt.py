"""How gateways and the engine connect to the broker."""

import asyncio
import logging
import math
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from hardware.connection import RECEIVE_MAX, Connection
from hardware.errors import SettingError

KEEPALIVE_S = 5
"""A broker that vanished without a word is noticed, and our last will sent, within about one and a half times this."""
CONNECT_TIMEOUT_S = 5.0

_QUIET = logging.getLogger("hardware.mqtt.client")
_QUIET.setLevel(logging.CRITICAL)
"""aiomqtt reports through exceptions and our own alarms; its own log lines would say the same twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """Where the broker is and how to speak to it.

    Attributes:
        protocol: `3.1.1`, or `5` with brokers that have it (messages then expire at the broker as well).
        username, password: both None for none.
        ca_file: PEM; turns TLS on. cert_file, key_file: our own certificate, PEM.
    """

    host: str = "127.0.0.1"
    port: int = 1883
    protocol: Literal["3.1.1", "5"] = "5"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    @property
    def is_mqtt5(self) -> bool:
        """Whether messages can carry properties."""
        return self.protocol == "5"

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Will:
    """What the broker publishes when we vanish."""

    topic: str
    payload: bytes
    retain: bool = True


def tls_context(address: BrokerAddress) -> ssl.SSLContext | None:
    """The TLS settings of `address`, None when it has none. Reads files: call it off the event loop.

    Raises:
        SettingError: a file cannot be read or is no PEM certificate or key.
    """
    if address.ca_file is None and address.cert_file is None:
        return None
    try:
        context = ssl.create_default_context(cafile=address.ca_file)
        if address.cert_file is not None:
            context.load_cert_chain(address.cert_file, address.key_file)
    except OSError as error:
        # ssl.SSLError is an OSError too; neither names the file.
        named = ", ".join(str(path) for path in (address.ca_file, address.cert_file, address.key_file) if path is not None)
        raise SettingError(
            f"{named}: not usable for TLS to {address} ({error.strerror or error}); check the PEM files"
        ) from error
    return context


def client(
    address: BrokerAddress,
    *,
    identifier: str | None = None,
    session_s: int | None = None,
    will: Will | None = None,
    tls: ssl.SSLContext | None = None,
    on_overflow: Callable[[], None] | None = None,
) -> Connection:
    """A client to enter once; a new one is needed after every disconnection.

    Small packets leave at once (TCP_NODELAY). Every message at QoS 1 that comes in must be acknowledged.

    Args:
        session_s: for how long the broker keeps our subscriptions, and what comes for us, while we are away; it knows us by
            `identifier`. None: not at all. MQTT 3.1.1 has no limit of its own.
        on_overflow: called for each message that is lost for want of room.
    """
    return Connection(
        address.host,
        address.port,
        on_overflow=on_overflow,
        username=address.username,
        password=address.password,
        identifier=identifier,
        protocol=aiomqtt.ProtocolVersion.V5 if address.is_mqtt5 else aiomqtt.ProtocolVersion.V311,
        will=None if will is None else aiomqtt.Will(will.topic, will.payload, qos=1, retain=will.retain),
        timeout=CONNECT_TIMEOUT_S,
        keepalive=KEEPALIVE_S,
        tls_context=tls,
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        logger=_QUIET,
        **_session(address, session_s),
    )


def _session(address: BrokerAddress, session_s: int | None) -> dict[str, Any]:
    if not address.is_mqtt5:
        return {"clean_session": session_s is None}
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has no annotation here
    properties.SessionExpiryInterval = session_s or 0
    properties.ReceiveMaximum = RECEIVE_MAX
    return {"clean_start": session_s is None, "properties": properties}


def expiring(address: BrokerAddress, *, after_s: float) -> Properties | None:
    """Properties that let the broker drop a message after `after_s`; None where the protocol has none."""
    if not address.is_mqtt5:
        return None
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho has no annotation here
    properties.MessageExpiryInterval = max(1, math.ceil(after_s))
    return properties


@asynccontextmanager
async def entered(connection: Connection) -> AsyncIterator[Connection]:
    """The connection, closed at the end; a cancellation inside is never covered by an error of closing.

    aiomqtt can raise `MqttError` while it closes because the task was cancelled; whoever retries on
    that error would go on as if nobody had asked it to stop.

    Raises:
        aiomqtt.MqttError: the broker cannot be reached or was lost.
    """
    cancelled = False
    try:
        async with connection:
            try:
                yield connection
            except asyncio.CancelledError:
                cancelled = True
                raise
    except aiomqtt.MqttError as error:
        if cancelled:
            raise asyncio.CancelledError from error
        raise
