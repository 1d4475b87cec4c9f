"""OSC packets as the specification lays them out, patterns, and SLIP."""

import struct

import pytest

from hardware.errors import SettingError
from hardware.inputs.osc import (
    DEPTH_MAX,
    MESSAGES_MAX,
    PACKET_BYTES_MAX,
    OscError,
    OscMessage,
    SlipDecoder,
    parse_packet,
    pattern,
)

OSCILLATOR = bytes.fromhex("2f6f7363696c6c61746f722f342f6672657175656e6379002c66000043dc0000")
"""The specification's first example: /oscillator/4/frequency with 440.0."""
FOO = bytes.fromhex(
    "2f666f6f000000002c69697366660000000003e8ffffffff68656c6c6f000000"
    "3f9df3b640b5b22d"
)  # fmt: skip
"""Its second: /foo with 1000, -1, "hello", 1.234, 5.678."""


def padded(text: str) -> bytes:
    return text.encode() + b"\0" * (4 - len(text) % 4)


def message(address: str, types: str = "", data: bytes = b"") -> bytes:
    return padded(address) + padded("," + types) + data


def bundle(*elements: bytes) -> bytes:
    return b"#bundle\0" + b"\0\0\0\0\0\0\0\1" + b"".join(struct.pack(">i", len(one)) + one for one in elements)


def test_the_specifications_examples() -> None:
    """Read to their last byte."""
    assert parse_packet(OSCILLATOR) == [OscMessage(address="/oscillator/4/frequency", is_on=True)]
    assert parse_packet(FOO) == [OscMessage(address="/foo", is_on=True)]


@pytest.mark.parametrize(
    ("types", "data", "is_on"),
    [
        ("", b"", True),
        ("i", struct.pack(">i", 1), True),
        ("i", struct.pack(">i", 0), False),
        ("f", struct.pack(">f", 0.4), True),
        ("f", struct.pack(">f", 0.0), False),
        ("f", struct.pack(">f", float("nan")), False),
        ("d", struct.pack(">d", -1.0), True),
        ("h", struct.pack(">q", 0), False),
        ("T", b"", True),
        ("F", b"", False),
        ("N", b"", False),
        ("I", b"", True),
        ("s", padded("go"), True),
        ("s", padded(""), False),
        ("b", struct.pack(">i", 0), False),
        ("b", struct.pack(">i", 5) + b"12345\0\0\0", True),
        ("t", bytes(8), True),
        ("[Fi]", struct.pack(">i", 1), False),
        ("iF", struct.pack(">i", 7), True),
    ],
)
def test_what_says_yes(types: str, data: bytes, *, is_on: bool) -> None:
    """A button's release is a zero or a false, and no event; only the first argument counts."""
    assert parse_packet(message("/go", types, data)) == [OscMessage(address="/go", is_on=is_on)]


def test_a_sender_without_types() -> None:
    """Older ones leave them out."""
    assert parse_packet(padded("/go")) == [OscMessage(address="/go", is_on=True)]


def test_bundles() -> None:
    """In their order, also within each other."""
    packet = bundle(message("/a"), bundle(message("/b", "F")), message("/c"))
    assert [(one.address, one.is_on) for one in parse_packet(packet)] == [("/a", True), ("/b", False), ("/c", True)]


def nested(depth: int) -> bytes:
    packet = message("/a")
    for _ in range(depth):
        packet = bundle(packet)
    return packet


@pytest.mark.parametrize(
    ("packet", "words"),
    [
        (b"", "without its end"),
        (b"/go", "without its end"),
        (b"/go\0x\0\0\0", "types do not begin with a comma"),
        (b"/g\0x,\0\0\0", "not padded with zeros"),
        (padded("go"), "begins with /"),
        (padded("/g\x07"), "printable ASCII"),
        (message("/g*"), "patterns of a sender are not followed"),
        (message("/go", "i", b"\0\0\0"), "cut short"),
        (message("/go", "b", struct.pack(">i", 2**31 - 1)), "cut short"),
        (message("/go", "i", bytes(8)), "4 bytes more than its types tell of"),
        (message("/go", "Q"), "unknown type 'Q'"),
        (b"#bundle\0\0\0", "without its time"),
        (bundle(message("/a"))[:-1], "does not fit"),
        (b"#bundle\0" + bytes(8) + bytes(4), "does not fit"),
        (nested(DEPTH_MAX + 1), "deep"),
        (bundle(*[message("/a")] * (MESSAGES_MAX + 1)), f"more than {MESSAGES_MAX}"),
        (bytes(PACKET_BYTES_MAX + 1), f"at most {PACKET_BYTES_MAX}"),
    ],
)
def test_what_is_no_packet(packet: bytes, words: str) -> None:
    """Nothing of it counts, and the reason says where it ceases to be one."""
    with pytest.raises(OscError, match=words):
        parse_packet(packet)


def test_the_deepest_bundle_is_read() -> None:
    """The limit itself is allowed."""
    assert len(parse_packet(nested(DEPTH_MAX))) == 1


@pytest.mark.parametrize(
    ("wanted", "address", "matches"),
    [
        ("/cue/show", "/cue/show", True),
        ("/cue/show", "/cue/show2", False),
        ("/cue/*", "/cue/show", True),
        ("/cue/*", "/cue/a/b", False),
        ("/cue/?", "/cue/7", True),
        ("/cue/[1-3]", "/cue/2", True),
        ("/cue/[!1-3]", "/cue/2", False),
        ("/cue/[!1-3]", "/cue/9", True),
        ("/{horn,siren}", "/siren", True),
        ("/{horn,siren}", "/bell", False),
        ("/a.b", "/axb", False),
    ],
)
def test_patterns(wanted: str, address: str, *, matches: bool) -> None:
    """OSC's wildcards, none of which goes over a slash."""
    assert bool(pattern(wanted).fullmatch(address)) is matches


@pytest.mark.parametrize("wanted", ["cue", "/[", "/{a", "/]", "/[]", "/[b-a]", "/ü"])
def test_what_is_no_pattern(wanted: str) -> None:
    """The sentence has it."""
    with pytest.raises(OscError):
        pattern(wanted)


def test_slip() -> None:
    """Ends and escapes within a packet come back; one that is spoilt is left out and counted."""
    slip = SlipDecoder()

    assert slip.feed(b"\xc0\xc0ab\xdb\xdc\xdb\xddc\xc0") == [b"ab\xc0\xdbc"]
    assert slip.feed(b"x\xdbx\xc0y\xdb\xc0ok\xc0") == [b"ok"]
    assert slip.feed(b"z" * (PACKET_BYTES_MAX + 1) + b"\xc0") == []
    assert slip.feed(b"ok\xc0") == [b"ok"]
    assert slip.damaged == 3


def test_an_event_needs_a_name_that_fits() -> None:
    """And its address must be one."""
    from hardware.inputs.osc_listening import OscListener
    from timebase import VirtualClock

    for events, words in (({"/go": "a b"}, "event 'a b'"), ({"go": "a"}, "begins with /")):
        with pytest.raises(SettingError, match=words):
            OscListener("udp://127.0.0.1:0", events, clock=VirtualClock(), sink=lambda told: None)
