"""Several feeds in one process: one set of spots, one matching thread, and new spots taken up while all of them play on.

Each feed has at most one turn of a few blocks waiting for the matching thread, which takes them in the order they came: so no
feed can starve another, and one that piles up loses its own oldest sound.
"""

import asyncio
import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from fingerprints.audio import SAMPLE_RATE_HZ, AudioBlock
from fingerprints.errors import FingerprintsError, SpotError
from fingerprints.handover import Matcher
from fingerprints.listener import Listener, Sink
from fingerprints.sources import Channel
from timebase import Clock

if TYPE_CHECKING:
    from fingerprints.ear import Ear
    from fingerprints.whole import WholeIndex

log = logging.getLogger(__name__)

FEEDS_MAX: Final = 200
"""In one process; each has a capture thread of its own."""
LOOK_S: Final = 0.5
"""How often the folder of spots is looked at."""
LISTED_FILES_MAX: Final = 5_000
"""Of a larger folder only its own date is looked at, which changes when a file is added, removed or replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSetup:
    """A feed to listen to.

    Attributes:
        url: a file name, a URL or `-` (docs/capture.md).
        channel: which sound of a stereo source is heard, when its address does not say.
        speeds: playback speeds the channel is known to use, besides 1.0, that move the pitch.
        tempos: the same for those that keep it.
    """

    feed_id: str
    url: str
    channel: Channel = "mix"
    speeds: tuple[float, ...] = ()
    tempos: tuple[float, ...] = ()


class LoadedSpots:
    """The spots of a folder as they were when it was read, for all feeds of a process.

    Raises:
        FingerprintsError: the folder cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        from fingerprints.library import SpotLibrary

        self.state = folder_state(folder)
        self.library = SpotLibrary.open(folder)
        self._at_rates: dict[object, tuple[SpotLibrary, WholeIndex | None]] = {}
        for problem in self.library.problems:
            log.warning("spot.unusable", extra={"problem": str(problem)})

    def ear(self, feed: FeedSetup, *, false_per_feed_year: float) -> "Ear":
        """A matcher for a feed, its compiled parts loaded, so that the first block is not late.

        Raises:
            FingerprintsError: a rate no spot is played at.
        """
        from fingerprints.ear import Ear
        from fingerprints.rates import rates_of
        from fingerprints.variants import at_rates
        from fingerprints.whole_file import open_index

        key = (feed.speeds, feed.tempos)
        if key not in self._at_rates:
            rates = rates_of(feed.speeds, feed.tempos)
            index = open_index(self.library, rates=rates) if self.library.spots else None
            self._at_rates[key] = at_rates(self.library, rates), index
            wide, index = self._at_rates[key]
            still = AudioBlock(pcm=np.zeros(SAMPLE_RATE_HZ // 2, dtype=np.float32), first_sample=0, seen_mono_ns=0)
            Ear(wide, index=index, feed_id=feed.feed_id, false_per_feed_year=false_per_feed_year).feed(still)
        wide, index = self._at_rates[key]
        return Ear(wide, index=index, feed_id=feed.feed_id, false_per_feed_year=false_per_feed_year)


def folder_state(folder: Path) -> object:
    """Something that differs when the folder's recordings do.

    Raises:
        FingerprintsError: the folder cannot be read.
    """
    from fingerprints.library import AUDIO_SUFFIXES

    try:
        changed_ns = folder.stat().st_mtime_ns
        with os.scandir(folder) as entries:
            files = [entry for entry in entries if Path(entry.name).suffix.lower() in AUDIO_SUFFIXES]
        if len(files) > LISTED_FILES_MAX:
            return changed_ns
        return tuple(sorted((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files))
    except OSError as error:
        raise FingerprintsError(f"{folder}: it cannot be read ({error.strerror}); give this user the right to") from error


async def run_listeners(
    feeds: Sequence[FeedSetup],
    *,
    library_folder: Path,
    false_per_feed_year: float,
    silence_db: float,
    clock: Clock,
    sink: Sink,
) -> None:
    """Listen to feeds for the spots of a folder; return when every one was a file and has ended.

    A feed that can never be heard is told by its status, and the others go on.

    Args:
        false_per_feed_year: how many wrong detections a feed may bring in a year.
        silence_db: RMS level below which a feed counts as silent, in dB full scale.
        sink: gets every report of every feed; what it raises ends them all.

    Raises:
        FingerprintsError: there is no spot, an address cannot be understood; or no feed could be heard: the first one's error.
    """
    if len(feeds) > FEEDS_MAX:
        raise FingerprintsError(f"{len(feeds)} feeds in one process; at most {FEEDS_MAX}: lower feeds_per_process")
    party = _Party(feeds, library_folder=library_folder, false_per_feed_year=false_per_feed_year, clock=clock)
    try:
        party.listeners = {
            feed: Listener(
                feed_id=feed.feed_id,
                url=feed.url,
                make_matcher=partial(party.first_ear, feed),
                silence_db=silence_db,
                clock=clock,
                sink=sink,
                executor=party.executor,
                channel=feed.channel,
            )
            for feed in feeds
        }
        await party.run()
    finally:
        party.executor.shutdown(wait=False, cancel_futures=True)


class _Party:
    """The feeds of one process and what they share."""

    def __init__(self, feeds: Sequence[FeedSetup], *, library_folder: Path, false_per_feed_year: float, clock: Clock) -> None:
        self._feeds, self._folder, self._false_per_feed_year, self._clock = feeds, library_folder, false_per_feed_year, clock
        self._spots: LoadedSpots | None = None
        self.listeners: dict[FeedSetup, Listener] = {}
        self.executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="match")

    def first_ear(self, feed: FeedSetup) -> Matcher:
        """The matcher a feed begins with; the first feed reads the spots, the others find them read (all in one thread)."""
        if self._spots is None:
            spots = LoadedSpots(self._folder)
            if not spots.library.spots:
                raise SpotError(f"{self._folder}: there is no usable spot in it; add one with `cuebird spots add FILE`")
            self._spots = spots
        return self._spots.ear(feed, false_per_feed_year=self._false_per_feed_year)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(self._watch_folder(), name="watch the spots")
            running = [tasks.create_task(self._one(one), name=f"feed {feed.feed_id}") for feed, one in self.listeners.items()]
            errors = await asyncio.gather(*running)
            watching.cancel()
        if all(errors):
            raise errors[0] or AssertionError

    async def _one(self, listener: Listener) -> FingerprintsError | None:
        try:
            await listener.run()
        except FingerprintsError as error:
            log.error("feed.given_up", extra={"reason": str(error)})
            return error
        return None

    async def _watch_folder(self) -> None:
        """Take up what is added, replaced or removed, within a second."""
        complained = ""
        while True:
            await self._clock.sleep(LOOK_S)
            if self._spots is None:
                continue
            try:
                if await asyncio.to_thread(folder_state, self._folder) == self._spots.state:
                    continue
                self._spots = await asyncio.to_thread(LoadedSpots, self._folder)
                for feed, listener in self.listeners.items():
                    listener.use(await asyncio.to_thread(self.first_ear, feed))
                log.info("spots.changed", extra={"spots": len(self._spots.library.spots)})
                complained = ""
            except FingerprintsError as error:
                if str(error) != complained:
                    log.error("spots.unreadable", extra={"reason": str(error)})
                complained = str(error)
