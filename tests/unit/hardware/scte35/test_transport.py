"""Packets and tables, case by case."""

import pytest

from hardware.scte35 import ClockReading, HeardMessage, TransportDecoder
from tests.transport_maker import PMT_PID, SPLICE_PID, StreamMaker, insert, pat, segmentation, signal

LONG = signal(5, *(segmentation(number, 0x30, upid=(0x0F, b"u" * 200)) for number in range(3)))


def messages(decoder: TransportDecoder, data: bytes) -> list[HeardMessage]:
    """The messages alone."""
    return [event for event in decoder.feed(data) if isinstance(event, HeardMessage)]


def event_ids(heard: list[HeardMessage]) -> list[int]:
    """Event ids of splice_inserts."""
    return [one.message.splice.event_id for one in heard if one.message.splice is not None]


@pytest.mark.parametrize("registered", [True, False])
def test_stream_of_type_86_is_followed(*, registered: bool) -> None:
    """With the registration and without."""
    maker = StreamMaker()
    heard = messages(TransportDecoder(), maker.tables(registered=registered) + maker.markers(insert(1, 5)))

    assert [one.registered for one in heard] == [registered]


def test_section_over_several_packets() -> None:
    """A message longer than a packet is put together."""
    maker = StreamMaker()
    (heard,) = messages(TransportDecoder(), maker.tables() + maker.markers(LONG))

    assert [one.upids[0].text for one in heard.message.segmentations] == ["u" * 200] * 3


def test_lost_packet_loses_its_message_alone() -> None:
    """Half a message is never believed, and the next one is whole."""
    maker = StreamMaker()
    tables, long, short = maker.tables(), maker.markers(LONG), maker.markers(insert(2, 5))
    decoder = TransportDecoder()
    heard = messages(decoder, tables + long[:188] + long[376:] + short)

    assert event_ids(heard) == [2]
    assert decoder.lost_packets == 1


def test_halves_of_two_messages_are_not_put_together() -> None:
    """What was begun before a gap ends there, though another message's end would fit."""
    maker = StreamMaker()
    tables, one = maker.tables(), maker.markers(LONG)
    other = maker.markers(signal(6, *(segmentation(number, 0x32, upid=(0x0F, b"v" * 200)) for number in range(3))))
    decoder = TransportDecoder()

    assert messages(decoder, tables + one[:188] + other[188:]) == []
    assert (decoder.bad_sections, decoder.lost_packets) == (0, 1)


def test_packet_sent_twice_counts_once() -> None:
    """The standard allows a packet to be repeated."""
    maker = StreamMaker()
    tables, one = maker.tables(), maker.markers(insert(1, 5))

    assert event_ids(messages(TransportDecoder(), tables + one + one)) == [1]


def test_damaged_packet_is_not_read() -> None:
    """The receiver's error mark is believed."""
    maker = StreamMaker()
    tables, one = maker.tables(), bytearray(maker.markers(insert(1, 5)))
    one[1] |= 0x80

    assert messages(TransportDecoder(), tables + bytes(one)) == []


def test_scrambled_packet_is_not_read() -> None:
    """Nor is what was scrambled."""
    maker = StreamMaker()
    tables, one = maker.tables(), bytearray(maker.markers(insert(1, 5)))
    one[3] |= 0x80

    assert messages(TransportDecoder(), tables + bytes(one)) == []


def test_damaged_table_changes_nothing() -> None:
    """A programme table with a wrong checksum is left alone."""
    maker = StreamMaker()
    tables = maker.tables()
    wrong = bytearray(pat(2, 0x300))
    wrong[-1] ^= 1

    assert event_ids(messages(TransportDecoder(), tables + maker.section(0, bytes(wrong)) + maker.markers(insert(1, 5)))) == [1]


def test_only_the_wanted_programme() -> None:
    """Another programme's markers are not ours."""
    maker = StreamMaker(program=3)
    data = maker.tables() + maker.markers(insert(1, 5))

    assert event_ids(messages(TransportDecoder(program=3), data)) == [1]
    assert messages(TransportDecoder(program=4), data) == []


def test_clock_comes_with_the_message() -> None:
    """The newest reference of the programme, and its jumps, are told."""
    maker = StreamMaker()
    events = TransportDecoder().feed(maker.tables() + maker.clock(900, jumped=True) + maker.markers(insert(1, 5)))

    assert events[0] == ClockReading(program=1, pcr=270_000, jumped=True)
    assert isinstance(events[1], HeardMessage)
    assert events[1].clock_pts == 900


@pytest.mark.parametrize(("before", "after"), [(4, 0), (0, 16)])
def test_longer_packets(before: int, after: int) -> None:
    """Time stamps before packets and error correction behind them are passed over."""
    maker = StreamMaker()
    data = maker.tables() + maker.markers(*(insert(number, 5) for number in range(5)))
    longer = b"".join(b"\x00" * before + data[at : at + 188] + b"\x00" * after for at in range(0, len(data), 188))

    assert event_ids(messages(TransportDecoder(), longer)) == [0, 1, 2, 3, 4]


def test_markers_move_to_another_stream() -> None:
    """A new map counts from then on."""
    maker = StreamMaker()
    decoder = TransportDecoder()
    decoder.feed(maker.tables())
    moved = maker.section(0, pat(2, 0x200))

    assert event_ids(messages(decoder, moved + maker.markers(insert(1, 5)))) == []
    assert decoder.programs == {2: ()}


def test_what_is_kept_is_bounded() -> None:
    """A section that claims to be too long, or never ends, is dropped."""
    maker = StreamMaker()
    decoder = TransportDecoder()
    decoder.feed(maker.tables())
    for _ in range(100):
        decoder.feed(maker.section(SPLICE_PID, b"\xfc\x3f\xff" + b"\x00" * 180))
    decoder.feed(b"\x47\x00" * 100_000)

    assert len(decoder._buffer) < 1000
    assert all(len(one.buffer) < 5000 for one in decoder._assemblers.values())
    assert set(decoder._assemblers) == {0, PMT_PID, SPLICE_PID}
