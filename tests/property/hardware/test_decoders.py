"""What holds for every decoder, whatever the bytes."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.scoreboards import oes, stramatel
from hardware.scoreboards.board import Board
from hardware.scoreboards.decoding import Decoder
from hardware.scoreboards.protocols import PROTOCOLS, ScoreboardProtocol
from hardware.simulator import damaged_frame

boards = st.builds(
    Board,
    home=st.integers(0, 99),
    away=st.integers(0, 99),
    clock_tenths=st.integers(0, 59_999),
    period=st.sampled_from(["", "1", "2", "3"]),
    running=st.booleans(),
)
spoken = st.sampled_from([(protocol, sport) for protocol in PROTOCOLS.values() for sport in protocol.sports])
protocols = st.sampled_from(sorted(PROTOCOLS.values(), key=lambda protocol: protocol.name))

MINUTES_ONLY = frozenset({"mp70", "favero"})
"""Consoles that never show tenths."""
STARTS = b"\x00\x01\x02\x16\xf8\xf9\xff\n{" + bytes(range(0x80, 0xF8))
"""Bytes with which some protocol's frames begin."""
junk = st.binary(max_size=60).map(lambda data: bytes(byte for byte in data if byte not in STARTS))


def cycle(protocol: ScoreboardProtocol, board: Board, sport: str | None = None) -> list[bytes]:
    """What a console that has just been switched on sends first."""
    return protocol.encoder(protocol.sport(sport))(board)


@st.composite
def streams(draw: st.DrawFn) -> tuple[ScoreboardProtocol, bytes]:
    """A protocol and what its line could carry: frames, damage, halves and noise."""
    protocol, sport = draw(spoken)
    encode = protocol.encoder(sport)
    parts: list[bytes] = []
    for board in draw(st.lists(boards, max_size=4)):
        for frame in encode(board):
            kind = draw(st.sampled_from(["whole", "damaged", "half"]))
            parts.append(draw(st.binary(max_size=60)))
            if kind == "damaged":
                parts.append(damaged_frame(frame, random.Random(draw(st.integers(0, 99)))))
            else:
                parts.append(frame if kind == "whole" else frame[: len(frame) // 2])
    return protocol, b"".join(parts) + draw(st.binary(max_size=120))


def state(decoder: Decoder) -> tuple[int, int, int]:
    return decoder.good_frames, decoder.bad_frames, decoder.good_bytes


@settings(max_examples=150, deadline=None)
@given(stream=streams(), cuts=st.lists(st.integers(0, 600), max_size=12))
def test_chunking_never_changes_readings(stream: tuple[ScoreboardProtocol, bytes], cuts: list[int]) -> None:
    """Readings and counters depend on the bytes, not on how they were delivered."""
    protocol, data = stream
    whole, cut = protocol.decoder(), protocol.decoder()
    edges = [0, *sorted(min(at, len(data)) for at in cuts), len(data)]
    pieces = [reading for begin, end in itertools.pairwise(edges) for reading in cut.feed(data[begin:end])]

    assert pieces + cut.finish() == whole.feed(data) + whole.finish()
    assert state(cut) == state(whole)


@settings(max_examples=40, deadline=None)
@given(stream=streams())
def test_one_byte_at_a_time_is_enough(stream: tuple[ScoreboardProtocol, bytes]) -> None:
    """The finest cut of all."""
    protocol, data = stream
    whole, cut = protocol.decoder(), protocol.decoder()
    pieces = [reading for at in range(len(data)) for reading in cut.feed(data[at : at + 1])]

    assert pieces + cut.finish() == whole.feed(data) + whole.finish()


@settings(max_examples=150, deadline=None)
@given(protocol=protocols, data=st.binary(max_size=2000))
def test_no_bytes_raise(protocol: ScoreboardProtocol, data: bytes) -> None:
    """Any bytes at all only make readings, each within the data, and no score without being valid."""
    decoder = protocol.decoder()
    for reading in decoder.feed(data) + decoder.finish():
        assert 0 <= reading.offset < len(data)
        assert reading.valid or (reading.home, reading.away, reading.clock) == (None, None, "")


@settings(max_examples=150, deadline=None)
@given(one=spoken, board=boards)
def test_what_is_encoded_is_read(one: tuple[ScoreboardProtocol, str], board: Board) -> None:
    """A console's first cycle reads back as its board."""
    protocol, sport = one
    decoder = protocol.decoder()
    reading = (decoder.feed(b"".join(cycle(protocol, board, sport))) + decoder.finish())[-1]

    assert reading.valid
    clock = board.clock_minutes if protocol.name in MINUTES_ONLY else board.clock_text
    assert (reading.home, reading.away, reading.clock) == (board.home, board.away, clock)
    assert (reading.period, reading.running) in ((board.period, board.running), (board.period, None))
    assert decoder.bad_frames == 0


@settings(max_examples=25, deadline=None)
@given(board=boards, home=st.integers(0, 199), away=st.integers(0, 199))
def test_basketball_has_three_digits(board: Board, home: int, away: int) -> None:
    """Every console of basketball shows a hundred points and more."""
    shown = Board(home=home, away=away, clock_tenths=board.clock_tenths, period=board.period, running=board.running)
    for protocol in PROTOCOLS.values():
        if "basketball" in protocol.sports:
            reading = protocol.decoder().feed(b"".join(cycle(protocol, shown, "basketball")))[-1]
            assert (reading.home, reading.away) == (home, away), protocol.name


@settings(max_examples=100, deadline=None)
@given(protocol=protocols, board=boards, noise=st.lists(junk, min_size=3, max_size=3))
def test_junk_between_frames_costs_no_frame(protocol: ScoreboardProtocol, board: Board, noise: list[bytes]) -> None:
    """Noise without a start in it hides nothing, before, between or after."""
    frames = cycle(protocol, board)
    decoder = protocol.decoder()
    decoder.feed(b"".join(frames))
    clean = decoder.good_frames
    noisy = protocol.decoder()
    # A line of text is its own frame: noise beside it is on a line of its own.
    pad = b"\n" if protocol.name == "livestats" else b""
    noisy.feed(b"".join(piece + pad + frame for frame, piece in zip(frames, itertools.cycle(noise), strict=False)) + noise[2])

    assert noisy.good_frames >= clean  # without a checksum two bytes of noise may look like a group


@settings(max_examples=100, deadline=None)
@given(protocol=protocols, board=boards, kept=st.integers(1, 40), data=st.binary(max_size=20))
def test_a_frame_cut_short_costs_no_other_frame(protocol: ScoreboardProtocol, board: Board, kept: int, data: bytes) -> None:
    """A stream that begins with half a frame, as every recording does: what follows is read."""
    if protocol.name == "livestats":
        return
    frames = cycle(protocol, board)
    decoder = protocol.decoder()
    readings = decoder.feed(frames[0][:kept] + b"".join(frames) + data) + decoder.finish()
    scores = [(reading.home, reading.away) for reading in readings if reading.valid]

    assert (board.home, board.away) in scores


@settings(max_examples=2, deadline=None)
@given(board=boards)
def test_a_changed_byte_of_an_oes_frame_is_never_valid(board: Board) -> None:
    """Every change of one byte to every other value, except bit 7 of a clock or penalty digit.

    The checksum has seven bits, so that bit is beyond it; it tells of lamps and dots, and the frame
    still reads with the same score, period and clock.
    """
    (frame,) = oes.encode(board)
    (before,) = oes.decoder().feed(frame)
    for at, byte in enumerate(frame):
        for value in range(256):
            if value == byte:
                continue
            changed = frame[:at] + bytes([value]) + frame[at + 1 :]
            valid = [reading for reading in oes.decoder().feed(changed) if reading.valid]
            if value ^ byte == 0x80 and (at in (2, 4) or 22 <= at < 42):
                assert [(one.home, one.away, one.period, one.clock) for one in valid] == [
                    (before.home, before.away, before.period, before.clock)
                ]
            else:
                assert valid == [], f"byte {at}: {byte:02x} to {value:02x}"


FLIPS = (1, 2, 4, 8, 16, 32, 64, 128, 0x60, 0xA0, 0x0F, 0xFF)


@pytest.mark.parametrize("name", [name for name, protocol in PROTOCOLS.items() if protocol.check.value.endswith("bits")])
def test_a_changed_byte_never_changes_a_checked_score(name: str) -> None:
    """Twelve changes of every byte of a cycle, in every console with a checksum."""
    board = Board(home=4, away=17, clock_tenths=6543, period="2", running=True)
    frames = cycle(PROTOCOLS[name], board)
    data = b"".join(frames)
    for at, byte in enumerate(data):
        for flip in FLIPS:
            decoder = PROTOCOLS[name].decoder()
            for reading in decoder.feed(data[:at] + bytes([byte ^ flip]) + data[at + 1 :]) + decoder.finish():
                assert reading.home in (board.home, None), (at, flip)
                assert reading.away in (board.away, None), (at, flip)


@pytest.mark.parametrize("start", [b"\xf8", b"\xf9"])
def test_both_start_bytes_of_stramatel_are_read(start: bytes) -> None:
    """Consoles begin their frames with F8 or F9."""
    (frame,) = stramatel.encoder("ice_hockey")(Board(home=3, away=2, clock_tenths=6000))
    (reading,) = stramatel.decoder().feed(start + frame[1:])

    assert (reading.home, reading.away) == (3, 2)
