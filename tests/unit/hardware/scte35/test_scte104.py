"""What automation asks for, byte by byte, and over a connection."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.errors import SettingError
from hardware.markers import MarkerKind, MarkerReport, MarkerSourceState, MarkerSourceStatus
from hardware.scte35.automation import AutomationListener, parse_address
from hardware.scte35.listening import MarkerSourceSetup
from hardware.scte35.scte104 import Asked, AutomationDecoder
from timebase import Clock, VirtualClock


def single(operation: int, data: bytes = b"", *, number: int = 5) -> bytes:
    """A single operation message of automation 7 for PID 3."""
    head = operation.to_bytes(2, "big") + (13 + len(data)).to_bytes(2, "big") + b"\xff\xff\xff\xff"
    return head + bytes([0, 7, number, 0, 3]) + data


def multiple(*operations: tuple[int, bytes], time: bytes = b"\x00", number: int = 9) -> bytes:
    """A multiple operation message."""
    body = b"".join(code.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data for code, data in operations)
    rest = bytes([0, 7, number, 0, 3, 0]) + time + bytes([len(operations)]) + body
    return b"\xff\xff" + (4 + len(rest)).to_bytes(2, "big") + rest


def splice(event_id: int, *, kind: int = 1, pre_roll_ms: int = 4000, tenths: int = 300) -> tuple[int, bytes]:
    """A splice request."""
    head = bytes([kind]) + event_id.to_bytes(4, "big") + b"\x00\x01"
    return 0x0101, head + pre_roll_ms.to_bytes(2, "big") + tenths.to_bytes(2, "big") + bytes([1, 2, 1])


def segment(event_id: int, upid: bytes, *, type_id: int = 0x30) -> tuple[int, bytes]:
    """A segmentation request with an Ad-ID."""
    head = event_id.to_bytes(4, "big") + b"\x00" + b"\x00\x1e" + bytes([3, len(upid)]) + upid
    return 0x010B, head + bytes([type_id, 1, 2, 0, 1, 0, 0, 0, 0])


SIGNAL = (0x0104, b"\x0f\xa0")


def test_introduction_and_keep_alive_are_answered() -> None:
    """With the number and the addressee of the question; the time of a keep-alive comes back."""
    done = AutomationDecoder().feed(single(0x0001) + single(0x0003, b"\x01\x02\x03\x04\x05\x06\x07\x08", number=6))

    assert done == [
        bytes.fromhex("0002 000d 0064 ffff 00 07 05 0003"),
        bytes.fromhex("0004 0015 0064 ffff 00 07 06 0003 0102030405060708"),
    ]


def test_splice_request() -> None:
    """It is answered, and says what a splice_insert says."""
    answer, asked = AutomationDecoder().feed(multiple(splice(101)))

    assert answer == bytes.fromhex("0007 000e 0064 ffff 00 07 09 0003 09")
    assert isinstance(asked, Asked)
    found = asked.message.splice
    assert found is not None
    assert (found.event_id, found.out, found.immediate, found.duration_ticks, found.auto_return) == (
        101,
        True,
        False,
        2_700_000,
        True,
    )
    assert (found.avail_number, found.avails_expected, asked.pre_roll_ms, asked.timed) == (1, 2, 4000, False)


@pytest.mark.parametrize(
    ("kind", "out", "immediate", "canceled"),
    [(2, True, True, False), (3, False, False, False), (4, False, True, False), (5, False, False, True)],
)
def test_kinds_of_splices(kind: int, *, out: bool, immediate: bool, canceled: bool) -> None:
    """Back to the programme, at once, and cancelled."""
    _, asked = AutomationDecoder().feed(multiple(splice(1, kind=kind)))

    assert isinstance(asked, Asked)
    found = asked.message.splice
    assert found is not None
    assert (found.out, found.immediate, found.canceled) == (out, immediate, canceled)


def test_time_signal_with_segmentations() -> None:
    """Several operations are one message."""
    _, asked = AutomationDecoder().feed(multiple(SIGNAL, segment(7, b"ABCD1234000H"), segment(8, b"x", type_id=0x34)))

    assert isinstance(asked, Asked)
    assert asked.pre_roll_ms == 4000
    assert [(one.event_id, one.type_id, one.upids[0].text) for one in asked.message.segmentations] == [
        (7, 0x30, "ABCD1234000H"),
        (8, 0x34, "x"),
    ]


def test_other_operations_and_time_stamps() -> None:
    """What is not needed is passed over; a time stamp is said to be there."""
    for stamp in (b"\x01" + b"\x00" * 6, b"\x02" + b"\x00" * 4, b"\x03\x00\x00"):
        _, asked = AutomationDecoder().feed(multiple((0x010F, b"\x00\x01"), splice(1), time=stamp))
        assert isinstance(asked, Asked)
        assert asked.timed


def test_what_cannot_be_understood_is_answered_so() -> None:
    """An operation that is cut short is refused, and the next message is read."""
    decoder = AutomationDecoder()
    refused, _, asked = decoder.feed(multiple((0x0101, b"\x01\x00")) + multiple(splice(2)))

    assert isinstance(refused, bytes)
    assert refused[4:6] == b"\x00\x70"
    assert isinstance(asked, Asked)
    assert (decoder.good_messages, decoder.bad_messages) == (1, 1)


def test_impossible_length_ends_the_connection() -> None:
    """Nothing says where the next message begins."""
    decoder = AutomationDecoder()

    assert decoder.feed(b"\x00\x01\x00\x02" + single(0x0001)) == []
    assert decoder.lost


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_any_bytes_however_cut(data: bytes, cuts: list[int]) -> None:
    """No bytes raise, and chunks make no difference."""
    stream = multiple(splice(3)) + data
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    decoder = AutomationDecoder()
    pieces = [one for begin, end in itertools.pairwise(edges) for one in decoder.feed(stream[begin:end])]

    assert pieces == AutomationDecoder().feed(stream)


@pytest.mark.parametrize("url", ["scte104://", "tcp://h:1", "scte104://h:x"])
def test_addresses_that_are_none(url: str) -> None:
    """They are refused in a sentence; a port may be left out."""
    with pytest.raises(SettingError, match=r"scte104://0\.0\.0\.0:5167"):
        parse_address(url)
    assert parse_address("scte104://10.0.0.1") == ("10.0.0.1", 5167)


class Heard:
    """What a listener tells."""

    def __init__(self) -> None:
        self.markers: list[MarkerReport] = []
        self.status: MarkerSourceStatus | None = None

    async def take(self, report: MarkerReport | MarkerSourceStatus) -> None:
        if isinstance(report, MarkerReport):
            self.markers.append(report)
        else:
            self.status = report


async def soon(condition: Callable[[], object]) -> None:
    """Return once it holds."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


@asynccontextmanager
async def listening(heard: Heard, clock: Clock | None = None) -> AsyncIterator[AutomationListener]:
    setup = MarkerSourceSetup(source_id="a", url="scte104://127.0.0.1:0", spots={"ABCD1234000H": "kaffee-30"})
    listener = AutomationListener(setup, clock=clock or VirtualClock(), sink=heard.take)
    task = asyncio.create_task(listener.run())
    await soon(lambda: listener.port)
    try:
        yield listener
    finally:
        task.cancel()
        await asyncio.wait({task})


@asynccontextmanager
async def connected(listener: AutomationListener) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """An automation's connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_two_connections_tell_of_one_marker() -> None:
    """Main and backup: answered both, told once, at the pre-roll after the arrival; cancelled once."""
    heard = Heard()
    async with listening(heard) as listener:
        assert listener.status().state is MarkerSourceState.CONNECTING
        async with connected(listener) as main, connected(listener) as backup:
            for reader, writer in (main, backup):
                writer.write(multiple(SIGNAL, segment(7, b"ABCD1234000H")))
                assert (await reader.readexactly(14))[:6] == bytes.fromhex("0007000e0064")
            assert listener.status().state is MarkerSourceState.LIVE
            (marker,) = heard.markers
            assert (marker.spot_ids, marker.at_mono_ns - marker.seen_mono_ns) == (("kaffee-30",), 4_000_000_000)
            for reader, writer in (main, backup):
                writer.write(multiple((0x010B, (7).to_bytes(4, "big") + b"\x01" + b"\x00" * 7)))
                await reader.readexactly(14)
            await soon(lambda: len(heard.markers) == 2)
            assert (heard.markers[1].kind, heard.markers[1].event) == (MarkerKind.CANCELED, marker.event)
            writer.write(multiple(splice(1), time=b"\x03\x00\x00"))
            await reader.readexactly(14)
            assert listener.status().ignored == 1


async def test_same_event_and_pre_roll_at_another_break() -> None:
    """Automation that numbers every break alike marks each of them."""
    heard, clock = Heard(), VirtualClock()
    async with listening(heard, clock) as listener, connected(listener) as (reader, writer):
        for count in (1, 2):
            writer.write(multiple(splice(1, pre_roll_ms=50)))
            await reader.readexactly(14)
            await soon(lambda count=count: len(heard.markers) == count)  # type: ignore[misc]
            await clock.advance(0.2)

    assert [one.kind for one in heard.markers] == [MarkerKind.BEGINS, MarkerKind.BEGINS]
    assert heard.markers[0].event != heard.markers[1].event


async def test_who_talks_nonsense_is_hung_up_on() -> None:
    """The others stay."""
    async with listening(Heard()) as listener, connected(listener) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await reader.read() == b""
        await soon(lambda: listener.status().damaged == 1)
