"""One feed from its address to its reports: capture, match, watch, and connect again for ever.

A listener never shares the engine's interpreter: `cuebird serve` runs it in a process of its own, `cuebird listen` in
one process a feed. It reports through a sink, which a process turns into lines on a socket or on standard output.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fingerprints.audio import SAMPLE_RATE_HZ, AudioBlock
from fingerprints.capture import CaptureError, Transport, masked
from fingerprints.downmix import Downmix
from fingerprints.events import Detection, FeedState, FeedStatus, FollowEnd, LateFound
from fingerprints.handover import Handover, Matcher
from fingerprints.intake import Batch, Intake, open_intake
from fingerprints.positions import Arrivals, Positions
from fingerprints.repeats import Repeats
from fingerprints.sources import Channel, parse_source
from fingerprints.watch import FeedView, FeedWatch
from timebase import Backoff, Clock

if TYPE_CHECKING:
    from fingerprints.ear import Event
    from fingerprints.onset import Onset

log = logging.getLogger(__name__)

Report = Detection | LateFound | FollowEnd | FeedStatus
Sink = Callable[[Report], Awaitable[None]]
"""Takes every report. Two tasks may be inside at once: a detection never waits for a status to be taken."""

LOOK_S = 0.05
"""How often the watch is asked; a stall is reported at most this late, every other change at once."""
METER_NS = 100_000_000
IDLE_NS = 1_000_000_000
"""Statuses go out ten times a second while sound comes and once a second while none does."""
TURN_BLOCKS_MAX = 16
"""Blocks matched at a time (about 0.3 s); then the next feed of the process has its turn. What has piled up is matched in
larger pieces, which costs less a second of sound."""
LOST_S = 5.0
"""Without sound for this long, airings end with what was heard of them; after a shorter break they may go on."""
PROVEN_S = 5.0
"""A connection that brought this much sound has worked: the next failure is retried soon again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Match:
    """What one block brought, and when that was known."""

    found: "Sequence[Event]"
    decided_mono_ns: int
    decided_utc: datetime


class Listener:
    """Listens to one feed until it is cancelled, or to one file until it ends.

    Args:
        make_matcher: called once, in the thread that will feed it; may take seconds.
        executor: the thread that matches, shared by the feeds of a process; None makes one for this feed alone.
        channel: which sound of a stereo source is heard, when its address does not say.
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
        executor: ThreadPoolExecutor | None = None,
        channel: Channel = "mix",
    ) -> None:
        self._feed_id, self._url, self._make_matcher = feed_id, url, make_matcher
        self._shared_executor, self._channel = executor, channel
        self._handover: Handover | None = None
        self._delay_ns = self._dropped_before = self._dropped_now = self._gaps = 0
        self._downmix, self._told_inverted = Downmix(), False
        self._clock, self._sink = clock, sink
        source = parse_source(url)
        self._is_file = source.transport is Transport.FILE
        self._watch = FeedWatch(silence_db=silence_db)
        self._backoff = backoff or Backoff(first_s=0.5, most_s=0.5 if source.listens else 15.0, floor_s=0.25)
        self._arrivals, self._positions, self._repeats = Arrivals(), Positions(), Repeats()
        self._lost_mono_ns: int | None = None
        self._heard_samples = 0
        self._reported_state: FeedState | None = None
        self._reported_mono_ns = 0

    async def run(self) -> None:
        """Report until cancelled; return when a file has ended.

        Raises:
            FingerprintsError: the spots cannot be read, or the source never can be.
        """
        executor = self._shared_executor or ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"match {self._feed_id}")
        failure: Exception | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                reporting = tasks.create_task(self._report_for_ever(), name=f"status {self._feed_id}")
                failure = await self._listen(executor)
                reporting.cancel()
            await self._report(self._watch.view(self._clock.mono_ns()))
        finally:
            if self._shared_executor is None:
                executor.shutdown(wait=False, cancel_futures=True)
        if failure is not None:
            raise failure

    def use(self, matcher: Matcher) -> None:
        """Recognise with this matcher from the next block on; airings that have begun are followed to their ends."""
        if self._handover is not None:
            self._handover.use(matcher)

    async def _listen(self, executor: ThreadPoolExecutor) -> Exception | None:
        """Connect again and again; the error if trying further is of no use, None at a file's end."""
        loop = asyncio.get_running_loop()
        self._watch.connecting("reading the spots")
        await self._report_change()
        try:
            matcher = self._handover = Handover(await loop.run_in_executor(executor, self._make_matcher))
        except Exception as error:
            self._watch.fail(str(error))
            return error
        while True:
            self._watch.connecting(f"connecting to {masked(self._url)}")
            await self._report_change()
            broken = await self._connection(matcher, executor)
            over = self._is_file or (broken is not None and broken.permanent)
            if over or self._is_lost():
                await self._tell(executor, matcher.finish)
            if broken is not None and over:
                self._watch.fail(str(broken))
                return broken
            if self._is_file:
                self._watch.end("the file has been played")
                return None
            if broken is not None:
                await self._pause(self._watch.fail, str(broken))
            else:
                await self._pause(self._watch.end, "the stream has ended")

    def _is_lost(self) -> bool:
        """Whether the feed has now been away too long for its airings to go on; true once a break."""
        now_mono_ns = self._clock.mono_ns()
        if self._lost_mono_ns is None:
            self._lost_mono_ns = now_mono_ns
            return False
        lost = now_mono_ns - self._lost_mono_ns >= LOST_S * 1e9
        if lost:
            self._lost_mono_ns = now_mono_ns + (1 << 62)
        return lost

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
        self._repeats.reconnect()
        self._heard_samples = 0
        self._dropped_before, self._dropped_now = self.dropped_blocks, 0
        # One for each connection, which a capture left behind cannot disturb; the new one goes on with what is known.
        self._downmix = Downmix(inverted=self._downmix.inverted)
        name = f"capture {self._feed_id}"
        intake = open_intake(self._url, clock=self._clock, name=name, channel=self._channel, downmix=self._downmix)
        try:
            while True:
                batch = await intake.take()
                self._watch_sound(batch.blocks, intake)
                fresh = [ready for block in batch.blocks for ready in self._sift(block)]
                for turn in turns(fresh):
                    await self._handle(turn, matcher, executor)
                self._tell_polarity()
                await self._report_change()
                self._count_drops(batch)
                if batch.over:
                    return None
        except CaptureError as error:
            return error
        finally:
            intake.close()
            for turn in turns([self._place(block) for block in self._repeats.release()]):
                await self._handle(turn, matcher, executor)

    def _watch_sound(self, blocks: Sequence[AudioBlock], intake: Intake) -> None:
        self._watch.segmented = intake.segmented
        for block in blocks:
            self._heard_samples += len(block.pcm)
            self._watch.hear(replace(block, first_sample=self._positions.expected(block)))

    def _sift(self, block: AudioBlock) -> list[AudioBlock]:
        """The new sound that is ready after a block, at its position in the feed."""
        return [self._place(ready) for ready in self._repeats.sift(block)]

    def _place(self, block: AudioBlock) -> AudioBlock:
        self._lost_mono_ns = None
        return self._positions.place(block, joined=self._repeats.take_joined())

    @property
    def dropped_blocks(self) -> int:
        """Blocks lost so far because matching did not keep up."""
        return self._dropped_before + self._dropped_now

    def _count_drops(self, batch: Batch) -> None:
        if batch.dropped > self._dropped_now:
            self._dropped_now = batch.dropped
            log.error("feed.dropped", extra={"feed_id": self._feed_id, "dropped_blocks": self.dropped_blocks})
            self._note()

    def _tell_polarity(self) -> None:
        inverted = self._downmix.inverted
        if inverted is not self._told_inverted:
            self._told_inverted = inverted
            log.warning("feed.polarity", extra={"feed_id": self._feed_id, "inverted": inverted})
            self._note()

    def _note(self) -> None:
        """Say what is odd about a feed that works."""
        notes = ["one channel arrives inverted, and is turned over before matching"] if self._told_inverted else []
        if self.dropped_blocks:
            notes.append(f"{self.dropped_blocks} blocks were dropped: matching is too slow on this machine")
        self._watch.note("; ".join(notes))

    async def _handle(self, turn: list[AudioBlock], matcher: Matcher, executor: ThreadPoolExecutor) -> None:
        for block in turn:
            self._arrivals.note(block)
        if turn[0].gap:
            self._gaps += 1
            log.warning("feed.gap", extra={"feed_id": self._feed_id, "at_sample": turn[0].first_sample, "gaps": self._gaps})
        joined = join(turn)
        decided_mono_ns = await self._tell(executor, lambda: matcher.feed(joined))
        self._delay_ns = max(self._delay_ns, decided_mono_ns - turn[0].seen_mono_ns)

    async def _tell(self, executor: ThreadPoolExecutor, work: "Callable[[], Sequence[Event]]") -> int:
        """Let the matcher work in its thread and send what it found; when it had decided."""
        match = await asyncio.get_running_loop().run_in_executor(executor, self._match, work)
        for found in match.found:
            await self._sink(found if isinstance(found, FollowEnd | LateFound) else self._detection(found, match))
        return match.decided_mono_ns

    def _match(self, work: "Callable[[], Sequence[Event]]") -> _Match:
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
        delay_ns, self._delay_ns = self._delay_ns, 0
        await self._sink(
            FeedStatus(
                feed_id=self._feed_id,
                state=view.state,
                level_db=view.level_db,
                position_s=view.position_s,
                seen_mono_ns=view.seen_mono_ns,
                sent_utc=self._clock.utc(),
                detail=view.detail,
                delay_ms=round(delay_ns / 1e6, 1),
                dropped_blocks=self.dropped_blocks,
                gaps=self._gaps,
            )
        )


def turns(blocks: Sequence[AudioBlock]) -> Iterator[list[AudioBlock]]:
    """The blocks in runs of consecutive sound, none longer than `TURN_BLOCKS_MAX`."""
    turn: list[AudioBlock] = []
    for block in blocks:
        follows = bool(turn) and not block.gap and block.first_sample == turn[-1].first_sample + len(turn[-1].pcm)
        if turn and (len(turn) == TURN_BLOCKS_MAX or not follows):
            yield turn
            turn = []
        turn.append(block)
    if turn:
        yield turn


def join(turn: Sequence[AudioBlock]) -> AudioBlock:
    """Consecutive blocks as one."""
    if len(turn) == 1:
        return turn[0]
    pcm = np.concatenate([block.pcm for block in turn])
    return replace(turn[0], pcm=pcm, seen_mono_ns=turn[-1].seen_mono_ns)


async def run_listener(
    *,
    feed_id: str,
    url: str,
    library_folder: Path,
    false_per_feed_year: float,
    silence_db: float,
    clock: Clock,
    sink: Sink,
    speeds: Sequence[float] = (),
    tempos: Sequence[float] = (),
) -> None:
    """Listen to a feed for the spots of a folder; return only at a file's end.

    Args:
        url: a file name, or an http, https, udp or rtp URL.
        false_per_feed_year: how many wrong detections a feed may bring in a year.
        silence_db: RMS level below which the feed counts as silent, in dB full scale.
        speeds: playback speeds the channel is known to use, besides 1.0, that move the pitch.
        tempos: the same for those that keep it.
        sink: gets every `Detection`, `LateFound`, `FollowEnd` and `FeedStatus`; what it raises ends the listener.

    Raises:
        FingerprintsError: there is no spot, the address is of no known kind, or the file cannot be read.
    """

    from fingerprints.batch import FeedSetup, run_listeners

    feed = FeedSetup(feed_id=feed_id, url=url, speeds=tuple(speeds), tempos=tuple(tempos))
    await run_listeners(
        [feed],
        library_folder=library_folder,
        false_per_feed_year=false_per_feed_year,
        silence_db=silence_db,
        clock=clock,
        sink=sink,
    )
