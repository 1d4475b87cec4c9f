"""What holds for every decoder, whatever the bytes."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware import oes, stramatel
from hardware.board import Board
from hardware.decoding import Decoder
from hardware.protocols import PROTOCOLS, ScoreboardProtocol
from hardware.simulator import damaged_frame

boards = st.builds(
    Board,
    home=st.integers(0, 99),
    away=st.integers(0, 99),
    clock_tenths=st.integers(0, 59_999),
    period=st.sampled_from(["", "1", "2", "3", "4"]),
    running=st.booleans(),
)
protocols = st.sampled_from(sorted(PROTOCOLS.values(), key=lambda protocol: protocol.name))
junk = st.binary(max_size=60).map(lambda data: bytes(byte for byte in data if byte not in b"\x02\xf8\xf9"))


@st.composite
def streams(draw: st.DrawFn) -> tuple[ScoreboardProtocol, bytes]:
    """A protocol and what its line could carry: frames, damage, halves and noise."""
    protocol = draw(protocols)
    parts: list[bytes] = []
    for board in draw(st.lists(boards, max_size=4)):
        for frame in protocol.encode(board, "ice_hockey"):
            kind = draw(st.sampled_from(["whole", "damaged", "half"]))
            parts.append(draw(st.binary(max_size=60)))
            if kind == "damaged":
                parts.append(damaged_frame(frame, random.Random(draw(st.integers(0, 99)))))
            else:
                parts.append(frame if kind == "whole" else frame[: len(frame) // 2])
    return protocol, b"".join(parts) + draw(st.binary(max_size=120))


def state(decoder: Decoder) -> tuple[int, int]:
    return decoder.good_frames, decoder.bad_frames


@settings(max_examples=150, deadline=None)
@given(stream=streams(), cuts=st.lists(st.integers(0, 600), max_size=12))
def test_chunking_never_changes_readings(stream: tuple[ScoreboardProtocol, bytes], cuts: list[int]) -> None:
    """Readings and counters depend on the bytes, not on how they were delivered."""
    protocol, data = stream
    whole, cut = protocol.decoder(), protocol.decoder()
    edges = [0, *sorted(min(at, len(data)) for at in cuts), len(data)]
    pieces = [reading for begin, end in itertools.pairwise(edges) for reading in cut.feed(data[begin:end])]

    assert pieces == whole.feed(data)
    assert state(cut) == state(whole)


@settings(max_examples=150, deadline=None)
@given(protocol=protocols, data=st.binary(max_size=2000))
def test_no_bytes_raise(protocol: ScoreboardProtocol, data: bytes) -> None:
    """Any bytes at all only make readings, each within the data, and no score without being valid."""
    for reading in protocol.decoder().feed(data):
        assert 0 <= reading.offset < len(data)
        assert reading.valid or (reading.home, reading.away, reading.clock) == (None, None, "")


@settings(max_examples=150, deadline=None)
@given(protocol=protocols, board=boards)
def test_what_is_encoded_is_read(protocol: ScoreboardProtocol, board: Board) -> None:
    """A console's frame reads back as its board."""
    (frame,) = protocol.encode(board, "ice_hockey")
    (reading,) = protocol.decoder().feed(frame)

    assert reading.valid
    assert (reading.home, reading.away, reading.clock) == (board.home, board.away, board.clock_text)
    assert (reading.period, reading.running) == (board.period, board.running)
    assert reading.frame == frame


@settings(max_examples=100, deadline=None)
@given(board=boards, home=st.integers(0, 199), away=st.integers(0, 199))
def test_basketball_is_read_from_its_team_frame(board: Board, home: int, away: int) -> None:
    """Three frames in turn, one of which tells the score, with three digits."""
    shown = Board(home=home, away=away, clock_tenths=board.clock_tenths, period=board.period, running=board.running)
    decoder = stramatel.decoder()
    (reading,) = decoder.feed(b"".join(stramatel.encode_basketball(shown)))

    assert (reading.home, reading.away, reading.clock, reading.period) == (home, away, shown.clock_text, shown.period)
    assert decoder.good_frames == 3


@settings(max_examples=100, deadline=None)
@given(protocol=protocols, board=boards, noise=st.lists(junk, min_size=4, max_size=4))
def test_junk_between_frames_costs_no_frame(protocol: ScoreboardProtocol, board: Board, noise: list[bytes]) -> None:
    """Noise without a start in it hides nothing, before, between or after."""
    (frame,) = protocol.encode(board, "ice_hockey")
    readings = protocol.decoder().feed(noise[0] + frame + noise[1] + frame + noise[2] + frame + noise[3])

    assert [(reading.home, reading.away) for reading in readings if reading.valid] == [(board.home, board.away)] * 3


@settings(max_examples=100, deadline=None)
@given(protocol=protocols, board=boards, kept=st.integers(2, 40), data=st.binary(max_size=20))
def test_a_frame_cut_short_costs_no_other_frame(protocol: ScoreboardProtocol, board: Board, kept: int, data: bytes) -> None:
    """After half a frame the next whole one is read, though it begins inside the first one's length."""
    (frame,) = protocol.encode(board, "ice_hockey")
    readings = protocol.decoder().feed(frame[:kept] + frame + data)

    assert [(reading.home, reading.away) for reading in readings if reading.valid] == [(board.home, board.away)]


@settings(max_examples=10, deadline=None)
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


@pytest.mark.parametrize("start", [b"\xf8", b"\xf9"])
def test_both_start_bytes_of_stramatel_are_read(start: bytes) -> None:
    """Consoles begin their frames with F8 or F9."""
    (frame,) = stramatel.encode(Board(home=3, away=2, clock_tenths=6000))
    (reading,) = stramatel.decoder().feed(start + frame[1:])

    assert (reading.home, reading.away) == (3, 2)
