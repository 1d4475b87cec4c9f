"""A listener of OSC on real sockets of this machine."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping

from hardware.inputs import Told
from hardware.inputs.osc_listening import OscListener
from hardware.inputs.told import REST_NS, Presses
from tests.unit.hardware.inputs.test_osc import bundle, message
from timebase import SystemClock

EVENTS = {"/cue/show": "show-begins", "/horn*": "horn"}


class Heard:
    """What a listener tells."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self._news = asyncio.Event()

    def take(self, told: Told) -> None:
        self.told.append(told)
        self._news.set()

    async def names(self, count: int) -> list[str]:
        async with asyncio.timeout(10):
            while len(self.told) < count:
                self._news.clear()
                await self._news.wait()
        return [one.name for one in self.told]


@contextlib.asynccontextmanager
async def listening(source: str, events: Mapping[str, str] = EVENTS) -> AsyncIterator[tuple[OscListener, Heard]]:
    heard = Heard()
    listener = OscListener(source, events, clock=SystemClock(), sink=heard.take)
    task = asyncio.create_task(listener.run())
    try:
        async with asyncio.timeout(10):
            while not listener.receiver.port:
                await asyncio.sleep(0)
        yield listener, heard
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def send(port: int, *packets: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for packet in packets:
            sender.sendto(packet, ("127.0.0.1", port))


async def test_a_press_is_an_event_and_its_release_is_none() -> None:
    """Others' addresses and what is not OSC are told of in the status."""
    async with listening("udp://127.0.0.1:0") as (listener, heard):
        send(listener.receiver.port, message("/cue/show", "F"), message("/other"), b"noise", message("/cue/show", "T"))
        assert await heard.names(1) == ["show-begins"]
        status = listener.status()
        assert (status.heard, status.good_frames, status.bad_frames) == (True, 3, 1)
        send(listener.receiver.port, bundle(message("/horn1"), message("/cue/show")))
        assert await heard.names(2) == ["show-begins", "horn"]


async def test_over_tcp_in_slip() -> None:
    """Several packets of one connection."""
    async with listening("tcp://127.0.0.1:0") as (listener, heard):
        _, writer = await asyncio.open_connection("127.0.0.1", listener.receiver.port)
        writer.write(b"\xc0" + message("/cue/show") + b"\xc0" + message("/horn") + b"\xc0")
        assert await heard.names(2) == ["show-begins", "horn"]
        writer.close()


async def test_a_stranger_is_not_heard() -> None:
    """Only the sender that is named."""
    async with listening("udp://127.0.0.1:0?from=192.0.2.1") as (listener, heard):
        send(listener.receiver.port, message("/cue/show"))
        async with asyncio.timeout(10):
            while listener.status().refused == 0:
                await asyncio.sleep(0)
        assert heard.told == []


async def test_a_port_in_use_is_shown() -> None:
    """The source counts as silent, and says why."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        source = f"udp://127.0.0.1:{taken.getsockname()[1]}"
        listener = OscListener(source, EVENTS, clock=SystemClock(), sink=lambda told: None)
        task = asyncio.create_task(listener.run())
        async with asyncio.timeout(10):
            while not listener.status().detail:
                await asyncio.sleep(0)
        task.cancel()
        assert not listener.status().heard
        assert "cannot be listened to" in listener.status().detail


def test_reports_that_follow_each_other_are_one_press() -> None:
    """A fader that moves, a contact that bounces; another name's press stands by itself."""
    presses = Presses()
    assert presses.is_new("horn", 0)
    assert not presses.is_new("horn", REST_NS - 1)
    assert not presses.is_new("horn", 2 * REST_NS - 2)
    assert presses.is_new("show", 2 * REST_NS - 2)
    assert presses.is_new("horn", 3 * REST_NS - 2)
