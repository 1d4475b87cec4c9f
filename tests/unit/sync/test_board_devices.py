"""What a device's tile keeps between its states: its newest event, and how old its newest frame is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hardware.events import DeviceState, DeviceStatus, ScoreEvent, ScoreKind, Side
from sync.board import Board

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


def status(**changes: Any) -> DeviceStatus:
    facts: dict[str, Any] = {
        "venue": "arena",
        "device": "oes-1",
        "state": DeviceState.ONLINE,
        "fixture": "final",
        "home": 1,
        "away": 0,
        "clock": "10:00",
        "period": "1",
        "good_frames": 9,
        "bad_frames": 1,
        "seen_mono_ns": 5,
        "connections": 2,
        "dropped_events": 3,
        "frame_mono_ns": 4,
    }
    return DeviceStatus(**(facts | changes))


def event(**changes: Any) -> ScoreEvent:
    facts: dict[str, Any] = {
        "event_id": "0" * 26,
        "venue": "arena",
        "device": "oes-1",
        "fixture": "final",
        "kind": ScoreKind.GOAL,
        "side": Side.HOME,
        "delta": 1,
        "home": 2,
        "away": 1,
        "ordinal": 2,
        "period": "1",
        "clock": "10:00",
        "event_utc": NOON,
        "event_mono_ns": 1,
        "received_mono_ns": 2,
    }
    return ScoreEvent(**(facts | changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "goal home 2:1"),
        ({"kind": ScoreKind.CORRECTION, "side": Side.AWAY, "away": 0}, "correction away 2:0"),
        ({"kind": ScoreKind.HORN, "side": None}, "horn"),
        ({"kind": ScoreKind.TIMEOUT, "side": Side.AWAY}, "timeout away"),
        ({"kind": ScoreKind.TRIGGER, "side": None, "name": "show-begins"}, "trigger show-begins"),
    ],
)
def test_the_newest_event_stays_on_the_tile(changes: dict[str, Any], words: str) -> None:
    """In words, with its instant; a state that comes later keeps it."""
    board = Board({})
    board.take_device(status())
    board.take_event(event(**changes))
    later = board.take_device(status(seen_mono_ns=6))

    assert (later.last_event, later.last_event_utc) == (words, NOON)
    assert (later.connections, later.dropped_events, later.frame_mono_ns) == (2, 3, 4)


def test_an_event_of_a_device_that_is_not_shown() -> None:
    """There is no tile to put it on."""
    board = Board({})
    assert board.take_event(event(event_utc=NOON + timedelta(seconds=1))) is None
