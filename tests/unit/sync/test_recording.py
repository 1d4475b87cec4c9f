"""What an engine records, and what is read of it."""

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import sync.recording
from hardware.events import ScoreEvent, ScoreKind, Side
from hardware.markers import MarkerKind, MarkerReport
from sync.recording import Recorded, Recorder, read_recording
from sync.writer import InlineWriter
from timebase import VirtualClock


def goal(ordinal: int, *, mono_ns: int = 5_000_000_000) -> ScoreEvent:
    return ScoreEvent(
        event_id=f"{ordinal}",
        venue="hall",
        device="oes-1",
        fixture="final",
        kind=ScoreKind.GOAL,
        side=Side.HOME,
        delta=1,
        home=ordinal,
        away=0,
        ordinal=ordinal,
        period="1",
        clock="12:34",
        event_utc=datetime(2027, 3, 1, 12, 0, tzinfo=UTC),
        event_mono_ns=mono_ns - 50_000_000,
        received_mono_ns=mono_ns,
    )


class Told:
    """A recorder over a file, and the alarms it raised."""

    def __init__(self, path: Path) -> None:
        self.clock, self.alarms = VirtualClock(), list[str]()
        self.recorder = Recorder(path, writer=InlineWriter(), clock=self.clock, alarm=self.take)

    async def take(self, level: str, text: str) -> None:
        self.alarms.append(text)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        task = asyncio.get_running_loop().create_task(self.recorder.run())
        try:
            yield
        finally:
            task.cancel()


async def test_what_is_noted_is_read_again(tmp_path: Path) -> None:
    """Signals come back as they were, in order, within seconds of being noted, and are added to what is there."""
    path = tmp_path / "evening.jsonl"
    told = Told(path)
    with told.running():
        told.recorder.note(goal(1))
        await told.clock.advance(1.5)
        told.recorder.note(goal(2))
        await told.clock.advance(1.5)
    assert [one.event for one in read_recording(path)] == [goal(1), goal(2)]
    assert [one.mono_ns for one in read_recording(path)] == [1_000_000_000, 2_500_000_000]
    assert told.alarms == []


def test_instants_move_together() -> None:
    """On another clock everything lies where it lay, seen from the instant it was taken."""
    recorded = Recorded(utc=datetime(2027, 3, 1, 12, 0, tzinfo=UTC), mono_ns=5_000_000_000, event=goal(1))
    assert recorded.at(90_000_000_000) == goal(1, mono_ns=90_000_000_000)


async def test_a_marker_is_kept_too(tmp_path: Path) -> None:
    """With how long its source had said nothing; its instants move with it."""
    marker = MarkerReport(
        source_id="ts", event="1/splice/7", kind=MarkerKind.BEGINS, what="break begins", spot_ids=("kaffee-30",), position=1,
        upids=("ABCD1234000H",), at_mono_ns=5_000_000_000, seen_mono_ns=1_000_000_000, sent_utc=datetime(2027, 3, 1, tzinfo=UTC),
    )  # fmt: skip
    path = tmp_path / "evening.jsonl"
    told = Told(path)
    with told.running():
        told.recorder.note(marker, status_age_ns=7)
        await told.clock.advance(1.5)
    (one,) = read_recording(path)
    assert (one.event, one.status_age_ns) == (marker, 7)
    moved = one.at(one.mono_ns + 10)
    assert isinstance(moved, MarkerReport)
    assert (moved.at_mono_ns, moved.seen_mono_ns) == (5_000_000_010, 1_000_000_010)


async def test_a_record_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    """The engine goes on; a person hears of it."""
    told = Told(tmp_path / "no such folder" / "evening.jsonl")
    with told.running():
        for ordinal in (1, 2, 3):
            told.recorder.note(goal(ordinal))
            await told.clock.advance(1.5)
    assert len(told.alarms) == 1
    assert "cannot be written" in told.alarms[0]


async def test_a_record_ends_at_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full file takes no more, and that is told."""
    monkeypatch.setattr(sync.recording, "RECORD_BYTES_MAX", 100)
    path = tmp_path / "evening.jsonl"
    told = Told(path)
    with told.running():
        for ordinal in (1, 2):
            told.recorder.note(goal(ordinal))
            await told.clock.advance(1.5)
    assert [one.event for one in read_recording(path)] == [goal(1)]
    assert "ends here" in told.alarms[0]


async def test_a_burst_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is more than may wait is left out, and counted."""
    monkeypatch.setattr(sync.recording, "WAITING_MAX", 2)
    path = tmp_path / "evening.jsonl"
    told = Told(path)
    with told.running():
        for ordinal in (1, 2, 3):
            told.recorder.note(goal(ordinal))
        await told.clock.advance(1.5)
    assert len(list(read_recording(path))) == 2
    assert "1 signals are missing" in told.alarms[0]
