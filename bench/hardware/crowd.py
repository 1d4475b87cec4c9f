"""Many devices in one process: `python -m bench.hardware.crowd FOLDER PORT DEVICES EVENTS SECONDS`.

Each has a connection and a certificate of its own, publishes its state once a second and so many events in all,
as a gateway does: signed, one after the other, each until the broker has answered.
"""

import asyncio
import json
import random
import sys
from pathlib import Path

from bench.hardware.link_end import CLOCK, KEY, device_key
from bench.hardware.secure_broker import address_in
from hardware.connection import Connection
from hardware.events import ScoreKind, Side
from hardware.keys import DeviceKey, key_id
from hardware.messages import EventBody, StateBody, sign
from hardware.mqtt import client, entered, tls_context
from hardware.topics import DeviceTopic
from hardware.ulid import new_ulid

CONNECTING_AT_ONCE = 10
STATE_EVERY_S = 1.0
SPREAD_S = 0.9
"""Of its share of the time, an event comes somewhere in this part."""


class Device:
    """One of them."""

    def __init__(self, key: DeviceKey) -> None:
        self._key, self._boot = key, new_ulid(_utc_ns())
        self._rng = random.Random(key.device)
        self._event_topic = DeviceTopic(venue=key.venue, device=key.device, leaf="event")
        self._state_topic = DeviceTopic(venue=key.venue, device=key.device, leaf="state")
        self.published = 0

    async def tell_states(self, connection: Connection) -> None:
        """Until cancelled."""
        await CLOCK.sleep(self._rng.uniform(0, STATE_EVERY_S))
        while True:
            await connection.deliver(str(self._state_topic), self._state(), retain=True)
            await CLOCK.sleep(STATE_EVERY_S)

    async def tell_events(self, connection: Connection, *, count: int, seconds: float) -> None:
        """So many, somewhere within their share of the time."""
        begin_ns, share_s = CLOCK.mono_ns(), seconds / count
        for number in range(count):
            at_s = (number + self._rng.uniform(0, SPREAD_S)) * share_s
            await CLOCK.sleep_until(begin_ns + round(at_s * 1e9))
            if not await connection.deliver(str(self._event_topic), self._event(number + 1), retain=False):
                self.published += 1

    def _event(self, number: int) -> bytes:
        now_ns, key = _utc_ns(), self._key
        body = EventBody(
            version=1, id=new_ulid(now_ns), boot=self._boot, sequence=number, venue=key.venue, device=key.device,
            fixture=key.fixture, type=ScoreKind.GOAL, side=Side.HOME, delta=1, home=number, away=0, ordinal=number, period="1",
            clock="12:34", t_event_ns=now_ns, t_pub_ns=now_ns, clock_source="synchronised", clock_error_us=10,
            confidence="checked", protocol="oes", frame_sha256="0" * 64, key=key_id(KEY),
        )  # fmt: skip
        return sign(self._event_topic, body, KEY)

    def _state(self) -> bytes:
        key = self._key
        body = StateBody(
            version=1, boot=self._boot, venue=key.venue, device=key.device, fixture=key.fixture, t_pub_ns=_utc_ns(),
            state="online", sequence=self.published, home=self.published, away=0, clock="12:34", period="1", running=True,
        )  # fmt: skip
        return sign(self._state_topic, body, KEY)


async def run(folder: Path, port: int, devices: int, *, events: int, seconds: float) -> None:
    """Connect everybody, wait for a line on standard input, tell everything."""
    crowd = [Device(device_key(number)) for number in range(1, devices + 1)]
    gate, go, done = asyncio.Semaphore(CONNECTING_AT_ONCE), asyncio.Event(), asyncio.Event()
    waiting = devices

    async def take_part(number: int, device: Device) -> None:
        nonlocal waiting
        address = address_in(folder, port, device_key(number).device)
        connection = client(address, identifier=f"crowd-{number}", tls=tls_context(address))
        await gate.acquire()
        async with entered(connection):
            gate.release()
            waiting -= 1
            if not waiting:
                print(json.dumps({"ready": True}), flush=True)
            states = asyncio.create_task(device.tell_states(connection), name="states")
            await go.wait()
            await device.tell_events(connection, count=events, seconds=seconds)
            await done.wait()
            states.cancel()

    async with asyncio.TaskGroup() as tasks:
        for number, device in enumerate(crowd, start=1):
            tasks.create_task(take_part(number, device), name=device_key(number).device)
        await asyncio.to_thread(sys.stdin.readline)
        go.set()
        while sum(device.published for device in crowd) < devices * events:
            await CLOCK.sleep(0.1)
        print(json.dumps({"published": {device_key(n).device: one.published for n, one in enumerate(crowd, 1)}}), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        done.set()


def _utc_ns() -> int:
    return round(CLOCK.utc().timestamp() * 1e6) * 1000


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), events=int(sys.argv[4]), seconds=float(sys.argv[5])))
