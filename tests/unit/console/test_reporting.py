"""A listener's reports on their way to the engine."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from console.reporting import FINDINGS_WAITING_MAX, EngineReporter
from fingerprints.events import Detection, FeedState, FeedStatus, FollowEnd, LateFound
from hardware.markers import MarkerKind, MarkerReport, MarkerSourceState, MarkerSourceStatus
from sync.errors import EngineUnreachableError
from timebase import VirtualClock

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


class Engine:
    """Takes reports, except while it is away."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Any]] = []
        self.away = False

    async def report(self, op: str, **fields: Any) -> None:
        if self.away:
            raise EngineUnreachableError("engine.sock: no engine answers here")
        self.taken.append((op, next(iter(fields.values()))))


def detection(onset_s: float) -> Detection:
    return Detection(
        spot_id="kaffee-30", spot_ids=("kaffee-30",), feed_id="nord", onset_s=onset_s, decided_s=onset_s + 0.2, score=40.0,
        threshold=38.0, speed=1.0, onset_mono_ns=1, decided_mono_ns=2, decided_utc=NOON,
    )  # fmt: skip


def status(position_s: float) -> FeedStatus:
    return FeedStatus(feed_id="nord", state=FeedState.LIVE, level_db=-18.0, position_s=position_s, seen_mono_ns=1, sent_utc=NOON)


async def settle(clock: VirtualClock) -> None:
    await clock.advance(0.0)


async def test_detections_go_before_statuses_and_of_those_only_the_newest() -> None:
    """Ten meters a second never hold up a detection, and old ones are of no use."""
    engine, clock = Engine(), VirtualClock()
    reporter = EngineReporter(engine, clock=clock)  # type: ignore[arg-type]  # the one verb it uses
    for position_s in (1.0, 1.1, 1.2):
        await reporter.take(status(position_s))
    await reporter.take(detection(0.9))
    task = asyncio.create_task(reporter.run())
    await settle(clock)
    task.cancel()

    assert engine.taken == [("detection", detection(0.9)), ("feed", status(1.2))]
    assert reporter.reached.is_set()


async def test_detections_wait_for_an_engine_that_is_away() -> None:
    """A restart of the engine loses no detection; whether it is too late is the engine's to say."""
    engine, clock = Engine(), VirtualClock()
    engine.away = True
    reporter = EngineReporter(engine, clock=clock)  # type: ignore[arg-type]  # the one verb it uses
    task = asyncio.create_task(reporter.run())
    await reporter.take(detection(1.0))
    await clock.advance(3.0)
    assert not reporter.reached.is_set()
    engine.away = False
    await clock.advance(2.0)
    task.cancel()

    assert engine.taken == [("detection", detection(1.0))]


async def test_a_flood_while_the_engine_is_away_is_bounded() -> None:
    """The oldest go, counted; memory does not."""
    engine, clock = Engine(), VirtualClock()
    reporter = EngineReporter(engine, clock=clock)  # type: ignore[arg-type]  # the one verb it uses
    for number in range(FINDINGS_WAITING_MAX + 3):
        await reporter.take(detection(float(number)))
    task = asyncio.create_task(reporter.run())
    while len(engine.taken) < FINDINGS_WAITING_MAX:
        await settle(clock)
    task.cancel()

    assert reporter.dropped_count == 3
    assert engine.taken[0] == ("detection", detection(3.0))
    assert engine.taken[-1] == ("detection", detection(float(FINDINGS_WAITING_MAX + 2)))


async def test_an_airing_found_late_is_no_detection() -> None:
    """The engine hears of it by its end alone, so that nothing can fire on it."""
    engine, clock = Engine(), VirtualClock()
    reporter = EngineReporter(engine, clock=clock)  # type: ignore[arg-type]  # the one verb it uses
    found = LateFound(
        spot_id="kaffee-30", spot_ids=("kaffee-30",), feed_id="nord", onset_s=-7.0, joined_s=0.1, decided_s=1.0, score=40.0,
        threshold=32.0, speed=1.0,
    )  # fmt: skip
    end = FollowEnd(spot_id="kaffee-30", feed_id="nord", onset_s=-7.0, end_s=23.0, coverage=0.77, late=True)
    task = asyncio.create_task(reporter.run())
    await reporter.take(found)
    await reporter.take(replace(end, confidences=(0.0, 0.8)))  # for people and lines; the engine needs no list
    await settle(clock)
    task.cancel()

    assert engine.taken == [("follow_end", end)]


async def test_markers_go_the_same_way() -> None:
    """A marker goes before statuses and none is left out; who waits for the end learns of it."""
    engine, clock = Engine(), VirtualClock()
    reporter = EngineReporter(engine, clock=clock)  # type: ignore[arg-type]  # the one verb it uses
    health = MarkerSourceStatus(
        source_id="ts", state=MarkerSourceState.LIVE, messages=1, damaged=0, ignored=0, seen_mono_ns=1, sent_utc=NOON
    )
    marker = MarkerReport(
        source_id="ts", event="1/splice/7", kind=MarkerKind.BEGINS, what="break begins", spot_ids=(), position=1, upids=(),
        at_mono_ns=5, seen_mono_ns=1, sent_utc=NOON,
    )  # fmt: skip
    engine.away = True
    for report in (health, marker, replace(marker, kind=MarkerKind.CANCELED)):
        await reporter.take(report)
    task = asyncio.create_task(reporter.run())
    sent = asyncio.create_task(reporter.sent())
    await settle(clock)
    assert not sent.done()
    engine.away = False
    await clock.advance(2.0)
    task.cancel()

    assert [op for op, _ in engine.taken] == ["marker", "marker", "marker_source"]
    assert sent.done()
