"""Gathers what the as-run report needs to know, and writes it when no claim waits for the ledger.

A crash forgets at most what was heard in its last fraction of a second, and that somebody listened in its last `SPANS_EVERY_S`:
the report then says "nobody listened" of those seconds, which errs on the side of not knowing.
"""

from collections import deque
from datetime import datetime, timedelta

from fingerprints.events import Detection, FeedState, FollowEnd
from sync.alarms import Alarms
from sync.board import Board
from sync.hearings import HeardEnd, HeardSpot, Hearings, Span
from sync.signals import SpotHeard, off_plan_occurrence
from sync.tasks import Tasks
from sync.writer import Writer
from timebase import Clock

WRITTEN_AFTER_S = 0.15
"""How much later than it is known something is written; what comes meanwhile goes with it."""
LOOK_EVERY_S = 1.0
SPANS_EVERY_S = 20.0
"""How often it is written that feeds are still listened to."""
EVEN_MAX = timedelta(seconds=3)
WAITING_MAX = 2000
"""Detections and ends that wait for the ledger; beyond it the oldest are dropped, and said so."""
_LISTENING = frozenset({FeedState.LIVE, FeedState.SILENT})
"""States in which a spot would be heard; silence is heard too."""


class HearingLog:
    """Writes what was heard and when somebody listened."""

    def __init__(self, hearings: Hearings, *, board: Board, writer: Writer, alarms: Alarms, clock: Clock, tasks: Tasks) -> None:
        self._hearings, self._board, self._writer = hearings, board, writer
        self._alarms, self._clock, self._tasks = alarms, clock, tasks
        self._heard: deque[HeardSpot | HeardEnd] = deque()
        self._open: dict[str, Span] = {}
        self._ended: list[Span] = []
        self._dropped = 0
        self._writing = False

    def note(self, detection: Detection, signal: SpotHeard) -> None:
        """Keep a detection and what it was taken for."""
        self._keep(
            HeardSpot(
                feed_id=detection.feed_id,
                channel=signal.channel,
                occurrence_id=signal.occurrence_id,
                spot_id=signal.spot_id,
                spot_ids=signal.spot_ids,
                onset_s=detection.onset_s,
                onset_mono_ns=detection.onset_mono_ns,
                began_utc=signal.on_air_utc,
                heard_ms=round((signal.heard_mono_ns - signal.on_air_mono_ns) / 1e6, 3),
                score=detection.score,
                threshold=detection.threshold,
                speed=detection.speed,
            )
        )

    def note_end(self, end: FollowEnd, *, channel: str) -> None:
        """Keep how far a spot ran."""
        began_utc = self._began_utc(end)
        self._keep(
            HeardEnd(
                feed_id=end.feed_id,
                channel=channel,
                occurrence_id=off_plan_occurrence(channel=channel, spot_id=end.spot_id, onset_utc=began_utc),
                spot_id=end.spot_id,
                onset_s=end.onset_s,
                began_utc=began_utc,
                aired_s=max(0.0, end.end_s - end.onset_s),
                coverage=end.coverage,
                speed=end.speed,
                confidence=end.confidence,
                cut_s=end.cut_s,
                is_joined_late=end.late,
            )
        )

    async def run(self) -> None:
        """Follow who listens, until cancelled."""
        written_ns = self._clock.mono_ns()
        while True:
            self.look()
            now_ns = self._clock.mono_ns()
            if self._ended or now_ns - written_ns >= SPANS_EVERY_S * 1e9:
                written_ns = now_ns
                await self._write(spans=True)
            await self._clock.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """Note which feeds are listened to, until their listeners' last words."""
        now_ns, now_utc = self._clock.mono_ns(), self._clock.utc()
        for feed in self._board.feed_views():
            age_ns = self._board.status_age_ns(feed.feed_id, now_mono_ns=now_ns)
            said_utc = None if age_ns is None else now_utc - timedelta(microseconds=age_ns / 1000)
            listens = feed.state in _LISTENING
            span = self._open.get(feed.feed_id)
            # Only time that has passed evenly counts: a wall clock that was set makes another span.
            if span is not None and not (listens and said_utc and abs(said_utc - span.until_utc) <= EVEN_MAX):
                self._ended.append(self._open.pop(feed.feed_id))
                span = None
            if listens and said_utc:
                began_utc = said_utc if span is None else span.began_utc
                self._open[feed.feed_id] = Span(
                    feed_id=feed.feed_id,
                    channel=feed.channel,
                    began_utc=began_utc,
                    until_utc=max(said_utc, span.until_utc if span else said_utc),
                )

    async def finish(self) -> None:
        """Write what is left."""
        self.look()
        await self._write(spans=True)

    def _keep(self, one: HeardSpot | HeardEnd) -> None:
        if len(self._heard) >= WAITING_MAX:
            self._heard.popleft()
            self._dropped += 1
        self._heard.append(one)
        if not self._writing:
            self._writing = self._tasks.begin(self._write_soon(), name="hearing-log") is not None

    async def _write_soon(self) -> None:
        try:
            await self._clock.sleep(WRITTEN_AFTER_S)
        finally:
            self._writing = False
        await self._write()

    async def _write(self, *, spans: bool = False) -> None:
        taken = [self._heard.popleft() for _ in range(len(self._heard))]
        ended, self._ended = self._ended, []
        listened = [*ended, *self._open.values()] if spans else ended
        heard = [one for one in taken if isinstance(one, HeardSpot)]
        ends = [one for one in taken if isinstance(one, HeardEnd)]
        if heard or ends or listened:
            await self._alarms.saved(self._hearings.save, heard, ends, listened)
        dropped, self._dropped = self._dropped, 0
        if dropped:
            sentence = f"{dropped} detections are missing in the as-run report: more came than the ledger could take"
            await self._alarms.sound("critical", sentence)

    def _began_utc(self, end: FollowEnd) -> datetime:
        """When a spot began, counted back from where its feed is now."""
        feed = next((one for one in self._board.feed_views() if one.feed_id == end.feed_id), None)
        now_ns, now_utc = self._clock.mono_ns(), self._clock.utc()
        if feed is None or feed.position_s < end.end_s or not feed.seen_mono_ns:
            return now_utc - timedelta(seconds=end.end_s - end.onset_s)
        ago_s = (now_ns - feed.seen_mono_ns) / 1e9 + feed.position_s - end.onset_s
        return now_utc - timedelta(seconds=ago_s)
