"""TSL UMD frames as the published protocol lays them out, and what is none."""

import pytest

from hardware.tally.umd import V5_BYTES_MAX, DatagramDecoder, Display, StreamDecoder, parse_v5, parse_v31

V31_HELLO = bytes.fromhex("8d19") + b"hello" + bytes(11)
"""Display 13, tallies 1 and 4, brightness 1/7; the text ends at its first zero."""
V31_CAM = bytes.fromhex("8530") + b"CAM 1           "
"""Display 5, no tally, full brightness, padded with blanks."""
V5_RED = bytes.fromhex("0f00 00 00 0000 0300 c100 0500") + b"CAM 3"
"""Screen 0, display 3: right lamp red, full brightness, ASCII."""
V5_TWO = bytes.fromhex("1600 00 01 0200 0100 1000 0400 4300 3100 0200 2800 0200 4300")
"""Screen 2, UTF-16: display 1 left red; display 2 left and text green."""


def test_version_31() -> None:
    """Address, lamps and text."""
    assert parse_v31(V31_HELLO) == Display(screen=0, index=13, lit=frozenset(("1", "4")), text="hello")
    assert parse_v31(V31_CAM) == Display(screen=0, index=5, lit=frozenset(), text="CAM 1")


def test_version_5() -> None:
    """Only red lamps count; green is preview, and amber nobody can tell from it."""
    assert parse_v5(V5_RED) == [Display(screen=0, index=3, lit=frozenset(("right",)), text="CAM 3")]
    assert parse_v5(V5_TWO) == [
        Display(screen=2, index=1, lit=frozenset(("left",)), text="C1"),
        Display(screen=2, index=2, lit=frozenset(), text="C"),
    ]


@pytest.mark.parametrize(
    ("control", "lit"),
    [(0x01, {"right"}), (0x04, {"text"}), (0x10, {"left"}), (0x15, {"right", "text", "left"}), (0x2A, set()), (0x3F, set())],
)
def test_which_lamp_is_red(control: int, lit: set[str]) -> None:
    """Two bits a lamp: right, text, left; 1 is red, 2 green, 3 amber."""
    packet = V5_RED[:8] + bytes((control,)) + V5_RED[9:]
    (display,) = parse_v5(packet) or []

    assert display.lit == lit


@pytest.mark.parametrize(
    "message",
    [
        b"",
        V31_HELLO[:-1],
        V31_HELLO + b"\0",
        b"\x0d" + V31_HELLO[1:],
        b"\xff" + V31_HELLO[1:],
        V31_HELLO[:1] + b"\x99" + V31_HELLO[2:],
        V31_HELLO[:1] + b"\x59" + V31_HELLO[2:],
        V31_HELLO[:-1] + b"\xe4",
    ],
    ids=["empty", "short", "long", "no header", "address 127", "bit 7", "command data", "not ASCII"],
)
def test_what_is_no_message_of_version_31(message: bytes) -> None:
    """It is left out, never guessed at."""
    assert parse_v31(message) is None


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        V5_RED[:-1],
        V5_RED + b"x",
        b"\x10" + V5_RED[1:],
        V5_RED[:2] + b"\x01" + V5_RED[3:],
        bytes.fromhex("0e00 00 00 0000 0300 c100 0500") + b"CAM ",
        bytes.fromhex("0800 00 00 0000 0300 c100"),
        (V5_BYTES_MAX - 1).to_bytes(2, "little") + bytes(V5_BYTES_MAX - 1),
    ],
    ids=["empty", "cut", "longer than its count", "another count", "another version", "text cut", "display cut", "too long"],
)
def test_what_is_no_packet_of_version_5(packet: bytes) -> None:
    """None of its displays counts, not even the first ones."""
    assert parse_v5(packet) is None


def test_control_data_is_passed_over() -> None:
    """Screen control holds no display; a display's control data ends what can be read, and what stands before it counts."""
    assert parse_v5(bytes.fromhex("0400 00 02 0000")) == []
    assert parse_v5(bytes.fromhex("0e00 00 00 0000 0300 0100 0000 0400 0080")) == [
        Display(screen=0, index=3, lit=frozenset(("right",)), text="")
    ]


def test_everybody_is_meant() -> None:
    """The index and the screen FFFF stand for all."""
    (display,) = parse_v5(bytes.fromhex("0a00 00 00 ffff ffff 0000 0000")) or []

    assert display.is_of(0, 3)
    assert display.is_of(7, 0)
    assert not Display(screen=1, index=3, lit=frozenset(), text="").is_of(0, 3)
    assert not Display(screen=0, index=4, lit=frozenset(), text="").is_of(0, 3)


def test_datagrams_are_counted() -> None:
    """Several messages of version 3.1 in one, all or none of them."""
    decoder = DatagramDecoder("3.1")
    assert [one.index for one in decoder.feed(V31_HELLO + V31_CAM)] == [13, 5]
    assert decoder.feed(V31_HELLO + b"\0" * 18) == []
    assert decoder.feed(V5_RED) == []
    assert (decoder.frames, decoder.damaged) == (1, 2)


def stuffed(packet: bytes) -> bytes:
    """As over TCP."""
    return b"\xfe\x02" + packet.replace(b"\xfe", b"\xfe\xfe")


def test_over_tcp() -> None:
    """A doubled DLE is one byte and not counted twice; a packet that another one interrupts is damaged."""
    with_dle = bytes.fromhex("0a00 00 00 0000 fe00 0100 0000")
    decoder = StreamDecoder()

    assert decoder.feed(b"noise" + stuffed(with_dle)) == parse_v5(with_dle)
    assert decoder.feed(stuffed(V5_RED)[:9]) == []
    assert decoder.feed(stuffed(V5_RED)) == parse_v5(V5_RED)
    assert (decoder.frames, decoder.damaged) == (2, 1)


def test_over_tcp_a_count_too_great_is_not_waited_for() -> None:
    """What follows is read again."""
    decoder = StreamDecoder()

    assert decoder.feed(b"\xfe\x02\xff\x7f") == []
    assert decoder.feed(stuffed(V5_RED)) == parse_v5(V5_RED)
    assert decoder.damaged == 1
