"""One feed from its address to its reports: capture, match, watch, and connect again for ever.

A listener never shares the engine's interpreter: `cuebird serve` runs it in a process of its own, `cuebird listen` in
one process a feed. It reports through a sink, which a process turns into lines on a socket or on standard output.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from fingerprints.audio import SAMPLE_RATE_HZ, AudioBlock
from fingerprints.capture import CaptureError, Transport, masked, transport_of
from fingerprints.errors import SpotError
from fingerprints.events import Detection, FeedState, FeedStatus, FollowEnd
from fingerprints.intake import Intake, open_intake
from fingerprints.positions import Arrivals, Positions
from fingerprints.watch import FeedView, FeedWatch
from timebase import Backoff, Clock

if TYPE_CHECKING:
    from fingerprints.onset import Onset

log = logging.getLogger(__name__)

Report = Detection | FollowEnd | FeedStatus
Sink = Callable[[Report], Awaitable[None]]
"""Takes every report. Two tasks may be inside at once: a detection never waits for a status to be taken."""

LOOK_S = 0.05
"""How often the watch is asked; a stall is reported at most this late, every other change at once."""
METER_NS = 100_000_000
IDLE_NS = 1_000_000_000
"""Statuses go out ten times a second while sound comes and once a second while none does."""
PROVEN_S = 5.0
"""A connection that brought this much sound has worked: the next failure is retried soon again."""


class Matcher(Protocol):
    """Blocks in, what was recognised out; never waits for anything. `Recogniser` is one."""

    def feed(self, block: AudioBlock) -> "Sequence[Onset | FollowEnd]":
        """What this block decided, in order."""
        ...

    def finish(self) -> "Sequence[Onset | FollowEnd]":
        """The ends of what was still being followed: no more sound comes, or the next block follows a gap."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Match:
    """What one block brought, and when that was known."""

    found: "Sequence[Onset | FollowEnd]"
    decided_mono_ns: int
    decided_utc: datetime


class Listener:
    """Listens to one feed until it is cancelled, or to one file until it ends.

    Args:
        make_matcher: called once, in the thread that will feed it; may take seconds.
        sink: gets every report, detections before anything else that is known at that moment.
    """

    def __init__(
        self,
        *,
        feed_id: str,
        url: str,
        make_matcher: Callable[[], Matcher],
        silence_db: float,
        clock: Clock,
        sink: Sink,
        backoff: Backoff | None = None,
    ) -> None:
        self._feed_id, self._url, self._make_matcher = feed_id, url, make_matcher
        self._clock, self._sink = clock, sink
        self._is_file = transport_of(url) is Transport.FILE
        self._watch = FeedWatch(silence_db=silence_db)
        self._backoff = backoff or Backoff(first_s=0.5, most_s=15.0, floor_s=0.25)
        self._arrivals, self._positions = Arrivals(), Positions()
        self._heard_samples = 0
        self._reported_state: FeedState | None = None
        self._reported_mono_ns = 0

    async def run(self) -> None:
        """Report until cancelled; return when a file has ended.

        Raises:
            FingerprintsError: the spots cannot be read, or the source never can be.
        """
        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"match {self._feed_id}")
        failure: Exception | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                reporting = tasks.create_task(self._report_for_ever(), name=f"status {self._feed_id}")
                failure = await self._listen(executor)
                reporting.cancel()
            await self._report(self._watch.view(self._clock.mono_ns()))
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
        if failure is not None:
            raise failure

    async def _listen(self, executor: ThreadPoolExecutor) -> Exception | None:
        """Connect again and again; the error if trying further is of no use, None at a file's end."""
        loop = asyncio.get_running_loop()
        self._watch.connecting("reading the spots")
        await self._report_change()
        try:
            matcher = await loop.run_in_executor(executor, self._make_matcher)
        except Exception as error:
            self._watch.fail(str(error))
            return error
        while True:
            self._watch.connecting(f"connecting to {masked(self._url)}")
            await self._report_change()
            broken = await self._connection(matcher, executor)
            await self._tell(executor, matcher.finish)
            if broken is not None and (self._is_file or broken.permanent):
                self._watch.fail(str(broken))
                return broken
            if self._is_file:
                self._watch.end("the file has been played")
                return None
            if broken is not None:
                await self._pause(self._watch.fail, str(broken))
            else:
                await self._pause(self._watch.end, "the stream has ended")

    async def _pause(self, tell: Callable[[str], None], text: str) -> None:
        if self._heard_samples >= PROVEN_S * SAMPLE_RATE_HZ:
            self._backoff.reset()
        wait_s = self._backoff.next_s()
        log.warning("feed.lost", extra={"feed_id": self._feed_id, "reason": text, "retry_s": round(wait_s, 2)})
        tell(f"{text}; trying again in {wait_s:.1f} s")
        await self._report_change()
        await self._clock.sleep(wait_s)

    async def _connection(self, matcher: Matcher, executor: ThreadPoolExecutor) -> CaptureError | None:
        """Handle one connection's sound to its end; why it broke, if it did."""
        self._positions.reconnect()
        self._heard_samples = 0
        intake = open_intake(self._url, clock=self._clock, name=f"capture {self._feed_id}")
        try:
            while True:
                batch = await intake.take()
                for block in batch.blocks:
                    await self._handle(self._positions.place(block), matcher, executor, intake)
                if batch.dropped:
                    self._watch.note(f"{batch.dropped} blocks were dropped: matching is too slow on this machine")
                if batch.over:
                    return None
        except CaptureError as error:
            return error
        finally:
            intake.close()

    async def _handle(self, block: AudioBlock, matcher: Matcher, executor: ThreadPoolExecutor, intake: Intake) -> None:
        self._arrivals.note(block)
        self._heard_samples += len(block.pcm)
        await self._tell(executor, lambda: matcher.feed(block))
        self._watch.segmented = intake.segmented
        self._watch.hear(block)
        await self._report_change()

    async def _tell(self, executor: ThreadPoolExecutor, work: "Callable[[], Sequence[Onset | FollowEnd]]") -> None:
        """Let the matcher work in its thread and send what it found."""
        match = await asyncio.get_running_loop().run_in_executor(executor, self._match, work)
        for found in match.found:
            await self._sink(found if isinstance(found, FollowEnd) else self._detection(found, match))

    def _match(self, work: "Callable[[], Sequence[Onset | FollowEnd]]") -> _Match:
        found = work()
        return _Match(found=found, decided_mono_ns=self._clock.mono_ns(), decided_utc=self._clock.utc())

    def _detection(self, onset: "Onset", match: _Match) -> Detection:
        return Detection(
            spot_id=onset.spot_id,
            spot_ids=onset.spot_ids,
            feed_id=self._feed_id,
            onset_s=onset.onset_sample / SAMPLE_RATE_HZ,
            decided_s=onset.decided_sample / SAMPLE_RATE_HZ,
            score=onset.score,
            threshold=onset.threshold,
            speed=onset.speed,
            onset_mono_ns=self._arrivals.mono_ns(onset.onset_sample),
            decided_mono_ns=match.decided_mono_ns,
            decided_utc=match.decided_utc,
        )

    async def _report_change(self) -> None:
        view = self._watch.view(self._clock.mono_ns())
        if view.state is not self._reported_state:
            await self._report(view)

    async def _report_for_ever(self) -> None:
        while True:
            view = self._watch.view(self._clock.mono_ns())
            if self._is_due(view):
                await self._report(view)
            await self._clock.sleep(LOOK_S)

    def _is_due(self, view: FeedView) -> bool:
        alive = view.state in (FeedState.LIVE, FeedState.SILENT, FeedState.STALLED)
        age_ns = self._clock.mono_ns() - self._reported_mono_ns
        return view.state is not self._reported_state or age_ns >= (METER_NS if alive else IDLE_NS)

    async def _report(self, view: FeedView) -> None:
        if view.state is not self._reported_state:
            log.info("feed.state", extra={"feed_id": self._feed_id, "state": view.state.value, "detail": view.detail})
        self._reported_state, self._reported_mono_ns = view.state, self._clock.mono_ns()
        await self._sink(
            FeedStatus(
                feed_id=self._feed_id,
                state=view.state,
                level_db=view.level_db,
                position_s=view.position_s,
                seen_mono_ns=view.seen_mono_ns,
                sent_utc=self._clock.utc(),
                detail=view.detail,
            )
        )


async def run_listener(
    *, feed_id: str, url: str, library_folder: Path, false_per_feed_year: float, silence_db: float, clock: Clock, sink: Sink
) -> None:
    """Listen to a feed for the spots of a folder; return only at a file's end.

    Args:
        url: a file name, or an http, https, udp or rtp URL.
        false_per_feed_year: how many wrong detections a feed may bring in a year.
        silence_db: RMS level below which the feed counts as silent, in dB full scale.
        sink: gets every `Detection`, `FollowEnd` and `FeedStatus`; what it raises ends the listener.

    Raises:
        FingerprintsError: there is no spot, the address is of no known kind, or the file cannot be read.
    """

    def make_matcher() -> Matcher:
        return load_matcher(library_folder, feed_id=feed_id, false_per_feed_year=false_per_feed_year)

    await Listener(feed_id=feed_id, url=url, make_matcher=make_matcher, silence_db=silence_db, clock=clock, sink=sink).run()


def load_matcher(library_folder: Path, *, feed_id: str, false_per_feed_year: float) -> Matcher:
    """A recogniser for the spots of a folder, its compiled parts loaded, so that the first block is not late.

    Raises:
        SpotError: the folder holds no usable spot.
    """
    from fingerprints.library import SpotLibrary
    from fingerprints.recogniser import Recogniser

    library = SpotLibrary.open(library_folder)
    for problem in library.problems:
        log.warning("spot.unusable", extra={"problem": str(problem)})
    if not library.spots:
        raise SpotError(f"{library_folder}: there is no usable spot in it; add one with `cuebird spots add FILE`")
    still = AudioBlock(pcm=np.zeros(SAMPLE_RATE_HZ // 2, dtype=np.float32), first_sample=0, seen_mono_ns=0)
    Recogniser(library, feed_id=feed_id, false_per_feed_year=false_per_feed_year).feed(still)
    return Recogniser(library, feed_id=feed_id, false_per_feed_year=false_per_feed_year)
