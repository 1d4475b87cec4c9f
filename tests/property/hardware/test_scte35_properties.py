"""What holds for every stream of markers, whatever the bytes."""

import contextlib
import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.scte35 import HeardMessage, SectionError, TransportDecoder, decode_section, section_from_text
from hardware.scte35.facts import facts_of, rows_of
from hardware.scte35.sections import crc32_mpeg2
from tests.transport_maker import StreamMaker, insert, segmentation, signal

upids = st.tuples(st.integers(0, 255), st.binary(max_size=40))
segmentations = st.builds(
    segmentation, st.integers(0, 2**32 - 1), st.integers(0, 255), upid=upids, number=st.integers(0, 255), canceled=st.booleans()
)
instants = st.one_of(st.none(), st.integers(0, 2**33 - 1))
sections = st.one_of(
    st.builds(insert, st.integers(0, 2**32 - 1), instants, out=st.booleans(), canceled=st.booleans()),
    st.lists(segmentations, max_size=3).flatmap(lambda several: instants.map(lambda pts: signal(pts, *several))),
)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Tables, messages, clocks and noise, some of it damaged."""
    maker, parts = StreamMaker(), list[bytes]()
    for _ in range(draw(st.integers(0, 4))):
        parts.append(maker.tables())
        parts.append(maker.clock(draw(st.integers(0, 2**33 - 1))))
        parts.append(maker.markers(*draw(st.lists(sections, max_size=3))))
        parts.append(draw(st.binary(max_size=100)))
    stream = bytearray(b"".join(parts))
    for at, value in draw(st.lists(st.tuples(st.integers(0, max(0, len(stream) - 1)), st.integers(0, 255)), max_size=5)):
        if stream:
            stream[at] = value
    return bytes(stream)


@given(streams(), st.lists(st.integers(0, 6000), max_size=10))
def test_cutting_never_changes_what_is_heard(stream: bytes, cuts: list[int]) -> None:
    """Events depend on the bytes, not on how they were delivered."""
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    decoder = TransportDecoder()
    pieces = [event for begin, end in itertools.pairwise(edges) for event in decoder.feed(stream[begin:end])]

    assert pieces == TransportDecoder().feed(stream)


@given(streams())
def test_only_undamaged_messages_are_heard(stream: bytes) -> None:
    """Whatever was damaged, each message has a right checksum and can be shown."""
    for event in TransportDecoder().feed(stream):
        if isinstance(event, HeardMessage):
            assert crc32_mpeg2(event.message.section) == 0
            assert facts_of(event.message)["section"] == event.message.section.hex()
            assert list(rows_of(event.message))


@given(st.binary(max_size=1500))
@settings(max_examples=300)
def test_any_bytes(data: bytes) -> None:
    """No bytes raise."""
    TransportDecoder().feed(data)


@given(st.binary(max_size=100), st.sampled_from([0, 4, 5, 6, 7, 255]))
@settings(max_examples=300)
def test_any_body_under_a_right_checksum(body: bytes, command: int) -> None:
    """A section whose checksum is right may hold anything: nothing but a SectionError comes of it."""
    head = b"\xfc\x30\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff" + b"\xff" + bytes([command])
    section = bytearray(head + body)
    length = len(section) + 4 - 3
    section[1], section[2] = 0x30 | length >> 8, length & 0xFF
    whole = bytes(section) + crc32_mpeg2(bytes(section)).to_bytes(4, "big")
    try:
        message = decode_section(whole)
    except SectionError:
        return
    assert facts_of(message)
    assert list(rows_of(message))


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    """Whatever is pasted, it is a section's bytes or a SectionError."""
    with contextlib.suppress(SectionError):
        assert section_from_text(text)


@given(sections)
def test_base64_and_hex_come_back(section: bytes) -> None:
    """What was written is what is read."""
    assert section_from_text(section.hex()) == section
