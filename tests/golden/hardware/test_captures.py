"""Recordings of real consoles, against expectations that were not made with these decoders."""

import json
from pathlib import Path
from typing import Any

import pytest

from hardware.events import Reading, ScoreKind
from hardware.scoreboards import bodet, cts, oes, stramatel
from hardware.scoreboards.protocols import protocol_named
from hardware.scoreboards.recognition import AutoDecoder
from hardware.scoring import ScoreChange, ScoreKeeper, Seen

HERE = Path(__file__).parent


def changes_of(readings: list[Reading]) -> list[tuple[int, str, str]]:
    """Where the score shown changes, the first one included."""
    changes: list[tuple[int, str, str]] = []
    for reading in readings:
        shown = (str(reading.home), str(reading.away))
        if not changes or changes[-1][1:] != shown:
            changes.append((reading.offset, *shown))
    return changes


def goals_of(readings: list[Reading], sport: str, *, every_ms: int = 100) -> list[tuple[int, str, int, int]]:
    """Offset, side and score of each goal that a keeper makes of the readings; nothing else may come of them."""
    keeper, goals = ScoreKeeper(sport=sport), []
    for at, reading in enumerate(readings):
        for outcome in keeper.observe(Seen(reading=reading, mono_ns=at * every_ms * 1_000_000, utc_ns=at)):
            assert isinstance(outcome, ScoreChange)
            assert outcome.kind is not ScoreKind.CORRECTION
            if outcome.kind is ScoreKind.GOAL:
                goals.append((outcome.first.reading.offset, str(outcome.side), outcome.home, outcome.away))
    return goals


def test_oes_capture_reads_as_expected() -> None:
    """All 519 frames are sound, and score, period and clock change where the expectation says."""
    expected = json.loads((HERE / "oes_isc9000_hockey.json").read_text())
    decoder = oes.decoder()
    readings = decoder.feed((HERE / "oes_isc9000_hockey.bin").read_bytes())

    assert (decoder.good_frames, decoder.bad_frames) == (expected["checksum_ok"], expected["packets"] - expected["checksum_ok"])
    assert len(readings) == expected["packets"]
    for event in expected["events"]:
        reading = readings[event["packet"]]
        digits = event["clock"].replace(" ", "0")
        clock = f"{digits[:2]}:{digits[2:]}" if event["mmss"] else f"{digits[:2]}.{digits[2]}"
        assert reading.offset == event["packet"] * 45
        assert (str(reading.home), str(reading.away), reading.period) == (event["home"], event["away"], event["period"])
        assert (reading.clock, reading.running) == (clock, not event["stopped"])


def test_oes_capture_has_six_goals() -> None:
    """The hockey match went 0-1, 0-2, 1-2, 2-2, 3-2, 4-2."""
    readings = oes.decoder().feed((HERE / "oes_isc9000_hockey.bin").read_bytes())

    assert [goal[2:] for goal in goals_of(readings, "ice_hockey")] == [(0, 1), (0, 2), (1, 2), (2, 2), (3, 2), (4, 2)]


def test_stramatel_cut_changes_where_the_whole_trace_does() -> None:
    """A cut of a basketball trace: the score before it, then every change, at its offset, and junk between frames."""
    expected = json.loads((HERE / "stramatel_cuts.json").read_text())["stramatel_basketball"]
    decoder = stramatel.decoder()
    readings = decoder.feed((HERE / "stramatel_basketball.bin").read_bytes())
    found = changes_of(readings)

    assert found[0][1:] == (expected["score_before"]["home"], expected["score_before"]["away"])
    assert found[1:] == [(change["offset"], change["home"], change["away"]) for change in expected["score_changes"]]
    assert decoder.bad_frames == 0
    goals = goals_of(readings, "basketball")
    assert [(offset, str(home), str(away)) for offset, _, home, away in goals] == found[1:]


def test_stramatel_cut_through_a_bad_cable_loses_one_frame() -> None:
    """Half a frame, zeroes and noise: one frame is counted as damaged, and the score stays what it was."""
    decoder = stramatel.decoder()
    readings = decoder.feed((HERE / "stramatel_cable.bin").read_bytes())

    assert decoder.bad_frames == 1
    assert len(readings) > 20
    assert changes_of(readings)[0][1:] == ("0", "0")
    assert goals_of(readings, "basketball") == []


@pytest.mark.parametrize(
    ("vector", "protocol", "expected"),
    [
        ("oes", "oes", [(0, 1, "19:15", "1", True), (4, 2, "32.8", "3", False)]),
        ("stramatel_basket", "stramatel", [(0, 2, "09:39", "1", True), (85, 78, "59.9", "4", False)]),
        ("stramatel_handball_football_hockey", "stramatel", [(3, 2, "12:34", "2", True)]),
        (
            "daktronics",
            "daktronics",
            [
                (None, None, "12:34", "", False),
                (1, 0, "12:34", "", False),
                (1, 2, "12:34", "", False),
                (1, 2, "12:34", "2", False),
            ],
        ),
        ("bodet_msg11_hockey", "bodet", [(1, 0, "04:07", "1", True), (2, 0, "04:07", "1", False)]),
        ("bodet_msg30_basket", "bodet", [(5, 7, "", "", None), (12, 18, "", "", None), (104, 118, "", "", None)]),
        ("bodet_msg02_handball", "bodet", [(18, 16, "", "", None)]),
        ("swiss_timing", "swiss-timing", [(5, 2, "08:05", "1", True)]),
        ("favero_readme_vector", "favero", [(12, 6, "02:56", "2", None)]),
        ("fairplay_mp70", "mp70", [(None, None, "15:00", "", None), (3, 2, "15:00", "2", None)]),
    ],
)
def test_synthetic_frames_read_as_written(vector: str, protocol: str, expected: list[tuple[Any, ...]]) -> None:
    """Frames with right checksums, made apart from our encoders, in one stream; and the console is recognised by them."""
    frames = [bytes.fromhex(frame) for frame in json.loads((HERE / "synthetic_frames.json").read_text())[vector]]
    readings = protocol_named(protocol).decoder().feed(b"".join(frames))
    auto = AutoDecoder()

    assert [(one.home, one.away, one.clock, one.period, one.running) for one in readings] == expected
    assert all(reading.valid for reading in readings)
    assert auto.feed(b"".join(frames)) + auto.finish() == readings
    assert [reading.offset for reading in readings] == [sum(map(len, frames[:at])) for at in range(len(frames))]


def manual_frame(message: bytes) -> bytes:
    body = b"\x7f\x02G" + message + b"\x03"
    return b"\x01" + body + bytes([bodet.lrc(body)])


@pytest.mark.parametrize(
    ("frame", "clock", "running"),
    [
        ("01 7F 02 47 31 38 80 35 20 31 35 36 30 30 20 20 31 20 03 26", "01:56", True),
        ("01 7F 02 47 31 38 80 35 33 36 44 39 30 30 20 20 31 20 03 6C", "36.9", True),
        ("01 7F 02 47 33 36 33 36 38 03 21", "36.8", None),
        ("01 7F 02 47 31 38 82 35 33 35 44 38 30 30 20 20 31 20 03 6C", "35.8", False),
    ],
)
def test_the_frames_of_bodets_manual_are_read(frame: str, clock: str, running: bool | None) -> None:
    """The ones whose checksums are printed right: minutes, the last minute, its tenths, and a clock that stands."""
    (reading,) = bodet.decoder().feed(bytes.fromhex(frame))

    assert (reading.valid, reading.clock, reading.running) == (True, clock, running)


@pytest.mark.parametrize("message", [b"50\x8024", b"10 whatever football sends", b"45", b"12\x80 1 2", b"99"])
def test_bodet_messages_without_a_known_score_are_passed_over(message: bytes) -> None:
    """Sound, counted, and silent."""
    decoder = bodet.decoder()

    assert decoder.feed(manual_frame(message)) == []
    assert (decoder.good_frames, decoder.bad_frames) == (1, 0)


@pytest.mark.parametrize("name", ["cts_meet.bin", "cts_blank.bin"])
def test_a_swimming_meet_has_no_score(name: str) -> None:
    """Lanes, lengths and three teams' points are no water polo: every group is understood, none tells a score or a clock."""
    decoder, auto = cts.decoder(), AutoDecoder()
    data = (HERE / name).read_bytes()
    readings = decoder.feed(data) + decoder.finish()
    auto.feed(data)

    assert decoder.good_frames > 300
    assert decoder.bad_frames == 0
    assert len(readings) >= 30
    assert {(one.home, one.away, one.clock, one.period, one.valid) for one in readings} == {(None, None, "", "", True)}
    assert auto.protocol is not None
    assert auto.protocol.name == "cts"
