"""What holds for every tally, whatever the bytes."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from hardware.tally.umd import DatagramDecoder, StreamDecoder, parse_v5

words = st.integers(0, 0xFFFF)
displays = st.tuples(words, st.integers(0, 0x7FFF), st.binary(max_size=40))


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    """Packets of version 5.0."""
    flags = draw(st.sampled_from((0, 1)))
    body = bytes((0, flags)) + draw(words).to_bytes(2, "little")
    for index, control, text in draw(st.lists(displays, max_size=5)):
        body += b"".join(value.to_bytes(2, "little") for value in (index, control, len(text))) + text
    return len(body).to_bytes(2, "little") + body


@given(st.sampled_from(("3.1", "5.0")), st.lists(st.binary(max_size=80), max_size=5))
def test_any_datagram_is_counted_and_raises_nothing(version: str, datagrams: list[bytes]) -> None:
    """Each is understood or damaged."""
    decoder = DatagramDecoder(version)
    for datagram in datagrams:
        decoder.feed(datagram)

    assert decoder.frames + decoder.damaged == len(datagrams)


@given(packets(), st.integers(0, 300), st.integers(0, 255))
def test_a_packet_that_is_cut_tells_nothing(packet: bytes, cut: int, value: int) -> None:
    """Neither one that ends early nor one that says it does."""
    assert parse_v5(packet) is not None
    if cut < len(packet):
        assert parse_v5(packet[:cut]) is None
    damaged = bytes((value,)) + packet[1:]
    assert parse_v5(damaged) is None or damaged == packet


@given(st.lists(st.one_of(packets(), st.binary(max_size=30)), max_size=5), st.lists(st.integers(0, 2000), max_size=8))
def test_cutting_never_changes_what_a_stream_says(parts: list[bytes], cuts: list[int]) -> None:
    """Displays depend on the bytes, not on how they were delivered; nothing raises."""
    stream = b"".join(b"\xfe\x02" + part.replace(b"\xfe", b"\xfe\xfe") for part in parts)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    whole, decoder = StreamDecoder(), StreamDecoder()
    pieces = [one for begin, end in itertools.pairwise(edges) for one in decoder.feed(stream[begin:end])]

    assert pieces == whole.feed(stream)
    assert (decoder.frames, decoder.damaged) == (whole.frames, whole.damaged)


@given(st.lists(packets(), max_size=4))
def test_every_sound_packet_of_a_stream_arrives(sound: list[bytes]) -> None:
    """Stuffing loses nothing."""
    stream = b"".join(b"\xfe\x02" + packet.replace(b"\xfe", b"\xfe\xfe") for packet in sound)
    told = [display for packet in sound for display in parse_v5(packet) or ()]

    assert StreamDecoder().feed(stream) == told


@given(st.binary(max_size=5000))
def test_a_stream_of_noise_is_bounded(noise: bytes) -> None:
    """Never more than a packet is kept."""
    decoder = StreamDecoder()
    decoder.feed(noise)

    assert decoder._packet is None or len(decoder._packet) <= 2048
