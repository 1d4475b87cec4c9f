"""Fields of a scoreboard frame."""

import pytest

from hardware.errors import UnknownProtocolError
from hardware.scoreboards import cts, livestats, oes, stramatel
from hardware.scoreboards.board import Board
from hardware.scoreboards.decoding import clock_text, points
from hardware.scoreboards.protocols import PROTOCOLS, protocol_named


@pytest.mark.parametrize(
    ("field", "expected"), [(" 7", 7), ("7 ", 7), (":7", 7), ("7:", 7), ("07", 7), ("100", 100), ("  ", None), ("::", None)]
)
def test_points_are_read_with_padding_on_either_side(field: str, expected: int | None) -> None:
    """A blank field is not zero."""
    assert points(field) == expected


@pytest.mark.parametrize("field", ["x7", "1 2", "-1", "²", "\u0661"])
def test_what_is_no_number_is_not_points(field: str) -> None:
    """A gap between digits, a sign or a digit of another script is damage."""
    with pytest.raises(ValueError, match="not a score"):
        points(field)


@pytest.mark.parametrize(
    ("field", "tenths", "expected"),
    [
        ("1915", False, "19:15"),
        (" 835", False, "08:35"),
        ("328 ", True, "32.8"),
        (" 00 ", True, "00.0"),
        ("::::", False, ""),
        ("    ", True, ""),
    ],
)
def test_clocks_are_normalised(field: str, tenths: bool, expected: str) -> None:
    """Minutes and seconds, or seconds and tenths, with two digits in front; blank is empty."""
    assert clock_text(field, tenths=tenths) == expected


@pytest.mark.parametrize("kind", ["6", "7", "8", "M"])
def test_frames_without_a_team_score_are_counted_and_not_read(kind: str) -> None:
    """Points of players, sets and messages say nothing about the teams' score."""
    (frame,) = stramatel.encoder("handball")(Board(home=3, away=2))
    decoder = stramatel.decoder()

    assert decoder.feed(frame[:1] + kind.encode() + frame[2:]) == []
    assert (decoder.good_frames, decoder.bad_frames) == (1, 0)


@pytest.mark.parametrize(("shown", "running"), [("1", False), ("0", True), ("R", False), (" ", None), ("2", None)])
def test_stramatel_tells_whether_the_clock_runs(shown: str, running: bool | None) -> None:
    """`1` is stopped, `0` runs, `R` is a break."""
    (frame,) = stramatel.encoder("handball")(Board())
    (reading,) = stramatel.decoder().feed(frame[:20] + shown.encode() + frame[21:])

    assert (reading.valid, reading.running) == (True, running)


@pytest.mark.parametrize("at", [5, 9, 20], ids=["clock", "score", "running"])
def test_an_impossible_stramatel_field_is_damage(at: int) -> None:
    """Printable, but not what stands there: the frame is counted as damaged and carries no score."""
    (frame,) = stramatel.encoder("handball")(Board(home=3, away=2))
    decoder = stramatel.decoder()
    (reading,) = decoder.feed(frame[:at] + b"?" + frame[at + 1 :])

    assert (reading.valid, reading.home, reading.away) == (False, None, None)
    assert (decoder.good_frames, decoder.bad_frames) == (0, 1)


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
@pytest.mark.parametrize(
    "piece", [b"\xf83", b"\x02D", b"\x01\x7f\x02", b"\x16", b"\x00\xf8\xe1", b"\xff", b"\x02H", b"\x80", b"\x01", b"{"]
)
def test_no_beginning_fills_the_memory(name: str, piece: bytes) -> None:
    """A start without an end, for ever, is let go."""
    decoder = PROTOCOLS[name].decoder()
    for _ in range(500):
        decoder.feed(piece + b"A" * 100)
        decoder.feed(piece * 50)

    kept = getattr(decoder, "_buffer", b"")
    assert len(kept) <= 1100


def test_a_line_without_an_end_is_let_go() -> None:
    """LiveStats sends lines; one of more than two megabytes is no message, and the next one is read."""
    decoder = livestats.decoder()
    for _ in range(40):
        decoder.feed(b"{" * 65_536)
        assert len(decoder._line) <= livestats.LINE_BYTES_MAX
    readings = decoder.feed(
        b'\n{"type":"status","clock":"05:00","scores":[{"teamNumber":1,"score":2},{"teamNumber":2,"score":0}]}\n'
    )

    assert [(reading.valid, reading.home, reading.away) for reading in readings] == [(False, None, None), (True, 2, 0)]


def test_an_unknown_protocol_is_answered_with_the_known_ones() -> None:
    """The message is enough to correct the command."""
    with pytest.raises(
        UnknownProtocolError,
        match=r"^daktronik: not a known scoreboard protocol; known are bodet, cts, .*, swiss-timing$",
    ):
        protocol_named("daktronik")


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"home": 200}, "0 to 199"),
        ({"away": -1}, "0 to 199"),
        ({"clock_tenths": 60_000}, "59,999"),
        ({"period": "12"}, "one letter"),
    ],
)
def test_a_board_that_no_console_shows_is_refused(facts: dict[str, int], message: str) -> None:
    """Limits are those of the displays."""
    with pytest.raises(ValueError, match=message):
        Board(**facts)  # type: ignore[arg-type]  # the parameters give each key its own type


def checked_after(before: list[bytes], frame: bytes) -> bool:
    decoder = oes.decoder()
    for piece in before:
        decoder.feed(piece)
    (reading,) = decoder.feed(frame)
    return reading.checked


def test_a_checksum_is_trusted_alone_on_a_sound_line_only() -> None:
    """After a damaged frame or a stray byte twenty sound frames must follow before one sight is enough again."""
    (frame,) = oes.encode(Board(home=1, clock_tenths=6000, period="1"))
    damaged = frame[:9] + b"7" + frame[10:]

    assert checked_after([frame] * 3, frame)
    assert not checked_after([frame, damaged], frame)
    assert not checked_after([frame, b"?"], frame)
    assert not checked_after([frame, damaged, *[frame] * 19], frame)
    assert checked_after([frame, damaged, *[frame] * 20], frame)


def test_a_frame_that_changes_more_than_a_score_may_is_not_trusted_alone() -> None:
    """Two changed bytes can cancel out in a sum of seven bits: a penalty that changes with the score asks for a second sight."""
    (frame,) = oes.encode(Board(home=1, clock_tenths=6000, period="1"))
    (goal,) = oes.encode(Board(home=2, clock_tenths=5990, period="1", running=True))
    body = frame[:8] + b"2" + frame[9:23] + bytes([frame[23] - 1]) + frame[24:43]
    cancelled = body + frame[43:]

    assert oes.decoder().feed(cancelled)[0].home == 2
    assert checked_after([frame] * 3, goal)
    assert not checked_after([frame] * 3, cancelled)


def cts_group(control: int, digits: str) -> bytes:
    return bytes([control, *(at << 4 | (0 if digit == " " else int(digit) ^ 0xF) for at, digit in enumerate(digits))])


def test_a_colorado_score_is_read_whole_or_not_at_all() -> None:
    """The running time interrupts a group, which goes on; half a group is no score."""
    nine, ten = cts_group(0xA4, " 9    12"), cts_group(0xA4, "10    12")
    interrupted = ten[:2] + bytes([0xBE, 0x6E, 0x70]) + b"\xa4" + ten[2:]
    decoder = cts.decoder()

    assert [(one.home, one.away, one.offset) for one in decoder.feed(nine + interrupted)] == [(9, 12, 0), (10, 12, 9)]
    (after_a_half,) = decoder.feed(ten[:3] + nine)
    assert (after_a_half.home, decoder.bad_frames) == (9, 1)


TIME, TIME_POINTS = 0xBC, 0xBD
SECONDS_POINT = bytes([TIME_POINTS, 0x0F, 0x1F, 0x2F, 0x3F, 0x4F, 0x5D, 0x6F, 0x7F])
COLON_AND_POINT = bytes([TIME_POINTS, 0x0F, 0x1F, 0x2F, 0x3F, 0x4D, 0x5D, 0x6F, 0x7F])


@pytest.mark.parametrize(
    ("data", "clock"),
    [
        (cts_group(TIME, "  0805  "), "08:05"),
        (COLON_AND_POINT + cts_group(TIME, "   8053 "), "08:05"),
        (COLON_AND_POINT + cts_group(TIME, "    453 "), "45.3"),
        (SECONDS_POINT + cts_group(TIME, "    453 "), "45.3"),
        (cts_group(TIME, "  0805  ") + bytes([TIME, 0x54 ^ 0xF, TIME_POINTS]), "08:04"),
        (bytes([TIME, 0x7F ^ 0xF, 0x53 ^ 0xF, 0x40 ^ 0xF, 0x38 ^ 0xF, TIME_POINTS]), "08:03"),
        (cts_group(TIME, "3 0045  "), ""),
    ],
)
def test_colorado_clocks(data: bytes, clock: str) -> None:
    """By the points where they are known; also from single digits and from the right; not from a swimmer's lane."""
    decoder = cts.decoder()

    assert decoder.feed(data)[-1].clock == clock
