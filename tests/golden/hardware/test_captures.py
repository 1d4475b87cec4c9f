"""Recordings of real consoles, against expectations that were not made with these decoders."""

import json
from pathlib import Path
from typing import Any

import pytest

from hardware import oes, stramatel
from hardware.events import Reading, ScoreKind
from hardware.protocols import protocol_named
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
        ("stramatel_basket", "stramatel", [(0, 2, "09:39", "1"), (85, 78, "59.9", "4")]),
        ("stramatel_handball_football_hockey", "stramatel", [(3, 2, "12:34", "2")]),
    ],
)
def test_synthetic_frames_read_as_written(vector: str, protocol: str, expected: list[tuple[Any, ...]]) -> None:
    """Frames with right checksums, made apart from our encoders."""
    frames = json.loads((HERE / "synthetic_frames.json").read_text())[vector]
    for frame, facts in zip(frames, expected, strict=True):
        (reading,) = protocol_named(protocol).decoder().feed(bytes.fromhex(frame))
        assert reading.valid
        assert (reading.home, reading.away, reading.clock, reading.period, reading.running)[: len(facts)] == facts
