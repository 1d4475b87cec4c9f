"""A rehearsal: the engine, its gate and a ledger over recorded signals, on a clock that never waits. Nothing can leave.

The engine is made from what the setup says, without its publisher, uploader, tokens and link: what is left is
`RehearsalPublisher`, which has no credentials and opens no socket.
"""

import asyncio
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from fingerprints.events import Detection, FeedState, FeedStatus
from hardware.events import ScoreEvent
from hardware.markers import MarkerReport, MarkerSourceState, MarkerSourceStatus
from sync.control import ControlServer
from sync.cues import Cue
from sync.engine import Engine
from sync.errors import ControlError, SyncError
from sync.firings import Firings
from sync.interlocks import NOT_JUDGED
from sync.ledger import Ledger, StoredCue
from sync.receipts import FiringRecord
from sync.recording import SIGNALS_MAX, Recorded
from sync.scratch import scratch_ledger
from sync.setup import EngineSetup
from sync.snapshot import AlarmView
from sync.states import Mode
from sync.writer import InlineWriter
from timebase import LoopClock, VirtualLoop

LEAD_S = 5.0
"""The clock begins this long before the first signal."""
AFTER_S = 2.0
"""How long it goes on after the last deadline."""
SPAN_MAX = timedelta(days=8)
_START_MONO_NS = 100_000_000_000_000
"""Late enough that no instant of a record comes before zero."""
_NEVER_S = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What a rehearsal showed.

    Attributes:
        signals: how many were played.
        firings: everything that matched a cue, oldest first.
        cues: every cue as it was held against them.
        alarms: what a person would have been told, oldest first; at most the newest fifty.
    """

    signals: int
    firings: tuple[FiringRecord, ...]
    cues: tuple[StoredCue, ...]
    alarms: tuple[AlarmView, ...]


def rehearse(signals: Iterable[Recorded], setup: EngineSetup) -> Rehearsal:
    """Play signals, in the order of their instants, to an engine that cannot post.

    Args:
        setup: as the real engine's; its ledger is read and never written.

    Raises:
        SyncError: there is no signal, they span too long, a feed is not configured, or the ledger cannot be read.
    """
    played = sorted(signals, key=lambda one: one.utc)
    if not played:
        raise SyncError("rehearsal: there is no signal to play")
    if len(played) > SIGNALS_MAX:
        raise SyncError(f"rehearsal: {len(played)} signals; at most {SIGNALS_MAX} at once")
    if played[-1].utc - played[0].utc > SPAN_MAX:
        raise SyncError(f"rehearsal: from {played[0].utc} to {played[-1].utc}; at most {SPAN_MAX.days} days at once")
    loop_factory = functools.partial(VirtualLoop, start_mono_ns=_START_MONO_NS)
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(_play(played, setup))


async def _play(signals: list[Recorded], setup: EngineSetup) -> Rehearsal:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    clock = LoopClock(loop, start_utc=signals[0].utc - timedelta(seconds=LEAD_S))
    ledger = scratch_ledger(setup.ledger_target, clock)
    try:
        engine = await Engine.start(_without_hands(setup, clock), ledger, InlineWriter())
        async with asyncio.TaskGroup() as group:
            running = group.create_task(engine.run(ControlServer(engine, group)), name="engine")
            await clock.advance(0)
            for signal in signals:
                await loop.settled_at(_START_MONO_NS + _ns(signal.utc - signals[0].utc) + round(LEAD_S * 1e9))
                await _tell(engine, signal, clock)
            open_s = max((_open_s(one.cue) for one in ledger.cues()), default=0.0)
            await clock.advance(max(map(_ahead_s, signals)) + open_s + AFTER_S)
            alarms = engine.alarms
            running.cancel()
        return _shown(len(signals), ledger, alarms)
    finally:
        ledger.database.close()


def _without_hands(setup: EngineSetup, clock: LoopClock) -> EngineSetup:
    """What a setup says and none of what it can do: a new one, so that what is added to setups later stays out by itself."""
    return EngineSetup(
        state_dir=setup.state_dir,
        accounts=setup.accounts,
        feeds=setup.feeds,
        marker_sources=setup.marker_sources,
        interlocks=NOT_JUDGED,
        fixtures=setup.fixtures,
        publisher=None,
        mode=Mode.REHEARSAL,
        clock=clock,
        limits=setup.limits,
        heartbeat_s=_NEVER_S,
        timer_probe_s=None,
        looks_outside=False,
        boot_id="rehearsal",
        rules=setup.rules,
        approvers_min=setup.approvers_min,
    )


async def _tell(engine: Engine, signal: Recorded, clock: LoopClock) -> None:
    event = signal.at(clock.mono_ns())
    if isinstance(event, ScoreEvent):
        await engine.take_score(event)
        return
    try:
        if isinstance(event, MarkerReport):
            await _tell_marker(engine, event, signal.status_age_ns, clock)
            return
        if signal.status_age_ns is not None:
            engine.take_feed(_status(event, signal.status_age_ns, clock), now_mono_ns=clock.mono_ns() - signal.status_age_ns)
        engine.hear(event)
    except ControlError as error:
        raise SyncError(f"rehearsal: {error}; add it to the configuration") from error


async def _tell_marker(engine: Engine, event: MarkerReport, age_ns: int | None, clock: LoopClock) -> None:
    if age_ns is not None:
        status = MarkerSourceStatus(
            source_id=event.source_id,
            state=MarkerSourceState.LIVE,
            messages=0,
            damaged=0,
            ignored=0,
            seen_mono_ns=clock.mono_ns() - age_ns,
            sent_utc=clock.utc() - timedelta(microseconds=age_ns / 1000),
        )
        engine.take_marker_source(status, now_mono_ns=clock.mono_ns() - age_ns)
    await engine.take_marker(event)


def _status(event: Detection, age_ns: int, clock: LoopClock) -> FeedStatus:
    return FeedStatus(
        feed_id=event.feed_id,
        state=FeedState.LIVE,
        level_db=0.0,
        position_s=event.decided_s,
        seen_mono_ns=clock.mono_ns() - age_ns,
        sent_utc=clock.utc() - timedelta(microseconds=age_ns / 1000),
    )


def _open_s(cue: Cue) -> float:
    """How long after its moment a firing of the cue can still change."""
    return (cue.deadline_ms + cue.audience_delay_ms + cue.confirm_ms) / 1000


def _ahead_s(signal: Recorded) -> float:
    """How long after it was taken a signal's moment comes: only a marker is told before."""
    event = signal.event
    return max(0.0, (event.at_mono_ns - signal.mono_ns) / 1e9) if isinstance(event, MarkerReport) else 0.0


def _shown(signals: int, ledger: Ledger, alarms: tuple[AlarmView, ...]) -> Rehearsal:
    firings = Firings(ledger, epoch=0, boot_id="rehearsal").recent(limit=SIGNALS_MAX)
    return Rehearsal(signals=signals, firings=firings[::-1], cues=ledger.cues(), alarms=alarms[::-1])


def _ns(span: timedelta) -> int:
    return span // timedelta(microseconds=1) * 1000
