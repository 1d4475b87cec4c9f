"""Fields of a scoreboard frame."""

import pytest

from hardware.errors import UnknownProtocolError
from hardware.scoreboards import livestats, stramatel
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
