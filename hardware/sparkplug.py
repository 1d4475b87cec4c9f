"""A gateway as a Sparkplug B edge node: its birth, what changes, its death, for plants that listen to such nodes.

A connection of its own, because the death is a last will and the gateway's own will is its state. Nothing of it reaches the
engine, and nothing that happens to it disturbs the gateway's events. The node takes one command, to be born again.

Source:
    Eclipse Sparkplug 3.0.0, chapters 5 and 6: topics, birth and death, payload.
"""

import asyncio
import contextlib
import enum
import logging
import ssl
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import aiomqtt

from hardware.connection import Connection
from hardware.messages import StateBody
from hardware.mqtt import BrokerAddress, Will, client, entered
from timebase import Backoff, Clock

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
REBIRTH = "Node Control/Rebirth"
NUMBERS = 256
"""Sequences count from 0 to 255 and begin again."""
_INTEGER_MASK = (1 << 64) - 1


class Datatype(enum.IntEnum):
    """As numbered by the payload's definition."""

    INT32 = 3
    INT64 = 4
    BOOLEAN = 11
    STRING = 12


_VALUE_FIELDS = {Datatype.INT32: 10, Datatype.INT64: 11, Datatype.BOOLEAN: 14, Datatype.STRING: 15}


@dataclass(frozen=True, slots=True)
class Metric:
    """A named value; None where it is not known."""

    name: str
    datatype: Datatype
    value: int | str | bool | None


def payload(metrics: Iterable[Metric], *, utc_ms: int, sequence: int | None) -> bytes:
    """A message of these metrics as Protocol Buffers; a death has no sequence."""
    parts = [_number(1, utc_ms)]
    parts += [_bytes(2, b"".join(_metric_fields(metric, utc_ms))) for metric in metrics]
    if sequence is not None:
        parts.append(_number(3, sequence))
    return b"".join(parts)


def _metric_fields(metric: Metric, utc_ms: int) -> Iterator[bytes]:
    yield _bytes(1, metric.name.encode())
    yield _number(3, utc_ms)
    yield _number(4, metric.datatype)
    field, value = _VALUE_FIELDS[metric.datatype], metric.value
    if value is None:
        yield _number(7, 1)
    elif isinstance(value, str):
        yield _bytes(field, value.encode())
    else:
        yield _number(field, value)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value & _INTEGER_MASK)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def metrics_of(state: StateBody) -> tuple[Metric, ...]:
    """What a node tells of a device."""
    return (
        Metric("Console/Heard", Datatype.BOOLEAN, state.state == "online"),
        Metric("Score/Home", Datatype.INT32, state.home),
        Metric("Score/Away", Datatype.INT32, state.away),
        Metric("Clock", Datatype.STRING, state.clock or None),
        Metric("Clock/Running", Datatype.BOOLEAN, state.running),
        Metric("Period", Datatype.STRING, state.period or None),
    )


class SparkplugNode:
    """Tells how a device is, until cancelled."""

    def __init__(
        self, *, group: str, venue: str, device: str, state: Callable[[], StateBody], address: BrokerAddress, clock: Clock
    ) -> None:
        """The node `device` in `group`; nothing is opened yet."""
        self._group, self._device, self._state, self._address, self._clock = group, device, state, address, clock
        self._identifier = f"cuebird-sparkplug-{venue}-{device}"
        self._backoff = Backoff(first_s=0.25, most_s=5.0, floor_s=0.05)
        self._births = -1
        self._sequence = 0

    async def run(self, tls: ssl.SSLContext | None) -> None:
        """Be born, tell what changes, and die with the connection; again and again."""
        reported = ""
        while True:
            try:
                await self._live(tls)
            except* Exception as errors:
                # Whatever it is: the gateway's events must not end with it.
                text = str(errors.exceptions[0])
                if text != reported:
                    log.warning("sparkplug.lost", extra={"broker": str(self._address), "error": text})
                reported = text
            await self._clock.sleep(self._backoff.next_s())

    async def _live(self, tls: ssl.SSLContext | None) -> None:
        self._births = (self._births + 1) % NUMBERS
        death = Will(topic=self._topic("NDEATH"), payload=self._death(), retain=False)
        connection = client(self._address, identifier=self._identifier, will=death, tls=tls)
        async with entered(connection):
            self._backoff.reset()
            await connection.subscribe(self._topic("NCMD"), qos=1)
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._tell(connection), name="sparkplug-data")
                    tasks.create_task(self._obey(connection), name="sparkplug-commands")
            except asyncio.CancelledError:
                # A connection that is closed in order leaves no will behind.
                with contextlib.suppress(aiomqtt.MqttError):
                    await connection.deliver(self._topic("NDEATH"), self._death(), retain=False)
                raise

    async def _tell(self, connection: Connection) -> None:
        told = await self._be_born(connection)
        while True:
            await self._clock.sleep(LOOK_EVERY_S)
            now = metrics_of(self._state())
            changed = [metric for before, metric in zip(told, now, strict=True) if metric != before]
            if changed:
                await self._publish(connection, "NDATA", changed)
            told = now

    async def _be_born(self, connection: Connection) -> tuple[Metric, ...]:
        self._sequence = -1
        metrics = metrics_of(self._state())
        birth = [Metric("bdSeq", Datatype.INT64, self._births), Metric(REBIRTH, Datatype.BOOLEAN, False), *metrics]
        await self._publish(connection, "NBIRTH", birth)
        return metrics

    async def _obey(self, connection: Connection) -> None:
        async for command in connection.received():
            connection.acknowledge(command)
            if REBIRTH.encode() in command.payload:
                await self._be_born(connection)

    async def _publish(self, connection: Connection, kind: str, metrics: Iterable[Metric]) -> None:
        self._sequence = (self._sequence + 1) % NUMBERS
        message = payload(metrics, utc_ms=self._utc_ms(), sequence=self._sequence)
        await connection.publish(self._topic(kind), message, qos=0)

    def _death(self) -> bytes:
        return payload([Metric("bdSeq", Datatype.INT64, self._births)], utc_ms=self._utc_ms(), sequence=None)

    def _topic(self, kind: str) -> str:
        return f"spBv1.0/{self._group}/{kind}/{self._device}"

    def _utc_ms(self) -> int:
        return round(self._clock.utc().timestamp() * 1000)
