"""A tally's listener on real sockets of this machine: what it tells, whom it believes, and when it forgets."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from hardware.errors import SettingError
from hardware.receiving import DATAGRAMS_WAITING_MAX, _Datagrams, parse_listen_address
from hardware.tally import TallyState, TallyStatus
from hardware.tally.listening import TallyAddress, TallyListener, TallySetup
from hardware.tally.umd import Display
from timebase import SystemClock

RED = bytes.fromhex("0f00 00 00 0000 0300 c100 0500") + b"CAM 3"
OFF = bytes.fromhex("0f00 00 00 0000 0300 c000 0500") + b"CAM 3"
OTHER_RED = bytes.fromhex("0a00 00 00 0000 0400 0100 0000")
LISTEN = parse_listen_address("udp://127.0.0.1:0")
UDP = TallyAddress(listen=LISTEN, version="5.0")
CAM_3 = TallySetup(tally_id="cam-3", address=UDP, display=3)
CAM_4 = TallySetup(tally_id="cam-4", address=UDP, display=4)


class Told:
    """The newest status of each tally."""

    def __init__(self) -> None:
        self.newest: dict[str, TallyStatus] = {}
        self._news = asyncio.Event()

    async def take(self, status: TallyStatus) -> None:
        self.newest[status.tally_id] = status
        self._news.set()

    async def until(self, holds: Callable[[dict[str, TallyStatus]], bool]) -> None:
        async with asyncio.timeout(10):
            while not (self.newest and holds(self.newest)):
                self._news.clear()
                await self._news.wait()


@contextlib.asynccontextmanager
async def listening(*setups: TallySetup) -> AsyncIterator[tuple[TallyListener, Told]]:
    told = Told()
    listener = TallyListener(setups, clock=SystemClock(), sink=told.take)
    task = asyncio.create_task(listener.run())
    try:
        await told.until(lambda _: bool(listener.receiver.port))
        yield listener, told
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def send(port: int, *datagrams: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for datagram in datagrams:
            sender.sendto(datagram, ("127.0.0.1", port))


async def test_a_change_is_told_of_its_own_display_only() -> None:
    """Two displays of one mixer share its socket."""
    async with listening(CAM_3, CAM_4) as (listener, told):
        assert (told.newest["cam-3"].state, told.newest["cam-3"].on_air) == (TallyState.WAITING, False)
        send(listener.receiver.port, RED, b"noise")
        await told.until(lambda newest: newest["cam-3"].on_air and newest["cam-3"].damaged == 1)
        assert told.newest["cam-3"].label == "CAM 3"
        assert told.newest["cam-4"].state is TallyState.WAITING
        send(listener.receiver.port, OFF, OTHER_RED)
        await told.until(lambda newest: newest["cam-4"].on_air and not newest["cam-3"].on_air)


async def test_of_a_stranger_nothing_is_believed() -> None:
    """With `sender` only the mixer's datagrams count."""
    async with listening(replace(CAM_3, address=replace(UDP, listen=replace(LISTEN, sender="192.0.2.1")))) as (listener, told):
        send(listener.receiver.port, RED)
        await told.until(lambda newest: newest["cam-3"].refused == 1)
        assert not told.newest["cam-3"].on_air


async def test_over_tcp_what_was_said_ends_with_the_connection() -> None:
    """A mixer that goes while its lamp is on leaves nothing on air."""
    address = TallyAddress(listen=parse_listen_address("tcp://127.0.0.1:0"), version="5.0")
    async with listening(replace(CAM_3, address=address)) as (listener, told):
        _, writer = await asyncio.open_connection("127.0.0.1", listener.receiver.port)
        writer.write(b"\xfe\x02" + RED)
        await told.until(lambda newest: newest["cam-3"].on_air)
        writer.close()
        await told.until(lambda newest: newest["cam-3"].state is TallyState.WAITING)
        assert not told.newest["cam-3"].on_air
        assert "was closed" in told.newest["cam-3"].detail


async def test_a_port_in_use_is_one_sentence() -> None:
    """It is tried again; meanwhile nothing is on air."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        address = replace(UDP, listen=replace(LISTEN, port=taken.getsockname()[1]))
        told = Told()
        task = asyncio.create_task(TallyListener([replace(CAM_3, address=address)], clock=SystemClock(), sink=told.take).run())
        await told.until(lambda newest: newest["cam-3"].state is TallyState.FAILED)
        task.cancel()
        assert "cannot be listened to" in told.newest["cam-3"].detail


async def test_too_many_datagrams_put_every_lamp_out() -> None:
    """One that could not be kept may have been the one that put it out."""
    forgotten: list[str] = []
    arrivals: asyncio.Queue[tuple[bytes, str]] = asyncio.Queue(maxsize=DATAGRAMS_WAITING_MAX)
    datagrams = _Datagrams(arrivals, forgotten.append)
    for _ in range(DATAGRAMS_WAITING_MAX + 1):
        datagrams.datagram_received(RED, ("127.0.0.1", 1))

    assert (len(forgotten), arrivals.empty()) == (1, True)


@pytest.mark.parametrize(
    ("version", "lamp", "lit", "is_lit"),
    [
        ("3.1", "red", {"1"}, True),
        ("3.1", "red", {"2"}, False),
        ("3.1", "2", {"2"}, True),
        ("5.0", "red", {"text"}, True),
        ("5.0", "left", {"right"}, False),
    ],
)
def test_which_lamp_counts(version: str, lamp: str, lit: set[str], *, is_lit: bool) -> None:
    """Tally 1 is red by convention; with colours any red lamp, or the one that is named."""
    setup = TallySetup(tally_id="x", address=replace(UDP, version=version), display=1, lamp=lamp)

    assert setup.is_lit(Display(screen=0, index=1, lit=frozenset(lit), text="")) is is_lit


@pytest.mark.parametrize(
    ("url", "version", "sender", "words"),
    [
        ("http://h:1", "5.0", "", "write udp:// or tcp://"),
        ("udp://h", "5.0", "", "write udp:// or tcp://"),
        ("udp://h:4003/x", "5.0", "", "write udp:// or tcp://"),
        ("udp://h:99999", "5.0", "", "not an address"),
        ("udp://h:4003", "5.0", "mixer", "sender 'mixer': not an IP address"),
        ("tcp://h:4003", "3.1", "", "has no TCP"),
        ("udp://h:4003", "4.0", "", "Cuebird reads 3.1 and 5.0"),
    ],
)
def test_addresses_that_cannot_be(url: str, version: str, sender: str, words: str) -> None:
    """Each is one sentence with the way out."""
    with pytest.raises(SettingError, match=words):
        TallyAddress(listen=parse_listen_address(url, sender=sender), version=version)


def test_a_lamp_of_the_other_version() -> None:
    """The sentence lists those there are."""
    with pytest.raises(SettingError, match=r"lamp 'left': version 3.1 has red, 1, 2, 3, 4"):
        TallySetup(tally_id="x", address=replace(UDP, version="3.1"), display=1, lamp="left")
