"""Recordings in, the spots that air in them out: the listener's work on files, as fast as the machine can.

One file after another in this process, or many at once in processes of their own. What was found in a file is written to a
journal when the file is done, so that a scan of an archive that was interrupted goes on where it stopped.
"""

import json
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from fingerprints.audio import SAMPLE_RATE_HZ, AudioBlock
from fingerprints.capture import Capture
from fingerprints.ear import Ear, Event
from fingerprints.errors import FingerprintsError
from fingerprints.library import Progress, SpotLibrary
from fingerprints.lines import fields_of
from fingerprints.rates import rates_of
from fingerprints.variants import at_rates
from fingerprints.whole import WholeIndex
from fingerprints.whole_file import open_index
from timebase import SystemClock

Heard = Callable[[float], None]
"""Called now and then with the stream position reached, seconds."""

JOBS_MAX: Final = 256
TELL_S: Final = 10.0
"""A process tells how far it is every ten seconds of sound."""
LOOK_S: Final = 0.2


def scan(
    media: str,
    library: SpotLibrary,
    *,
    index: WholeIndex | None = None,
    false_per_feed_year: float = 1.0,
    heard: Heard | None = None,
) -> Iterator[Event]:
    """Every onset, late airing and end in a recording, in its order, each as soon as it is known.

    Args:
        media: a file name or a URL that ends; also the `feed_id` of the ends.
        library: the spots to look for.
        index: the same spots whole; None leaves airings without their head unfound.
        false_per_feed_year: the promise the threshold is made from.
        heard: told of progress.

    Raises:
        MediaError: not readable as audio; what was found before is yielded first.
    """
    ear = Ear(library, index=index, feed_id=media, false_per_feed_year=false_per_feed_year)
    with Capture(media, clock=SystemClock()) as capture:
        for block in gathered(capture.blocks()):
            yield from ear.feed(block)
            if heard is not None:
                heard((block.first_sample + len(block.pcm)) / SAMPLE_RATE_HZ)
    yield from ear.finish()


def gathered(blocks: Iterable[AudioBlock]) -> Iterator[AudioBlock]:
    """The same sound in blocks of about a second: a file is in no hurry, and each block costs as much as its arithmetic."""
    waiting: list[AudioBlock] = []
    samples = 0
    for block in blocks:
        follows = waiting and not block.gap and block.first_sample == waiting[-1].first_sample + len(waiting[-1].pcm)
        if waiting and not follows:
            yield _joined(waiting)
            waiting, samples = [], 0
        waiting.append(block)
        samples += len(block.pcm)
        if samples >= SAMPLE_RATE_HZ:
            yield _joined(waiting)
            waiting, samples = [], 0
    if waiting:
        yield _joined(waiting)


def _joined(blocks: list[AudioBlock]) -> AudioBlock:
    return replace(blocks[0], pcm=np.concatenate([block.pcm for block in blocks]), seen_mono_ns=blocks[-1].seen_mono_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanSettings:
    """What to look for and how.

    Attributes:
        spots: the folder of spots.
        false_per_feed_year: the promise the threshold is made from.
        speeds: speeds besides 1.0 that move the pitch.
        tempos: the same for those that keep it.
        late: whether to find airings without their head too.
    """

    spots: Path
    false_per_feed_year: float = 1.0
    speeds: tuple[float, ...] = ()
    tempos: tuple[float, ...] = ()
    late: bool = True

    def open(self, *, progress: Progress | None = None) -> tuple[SpotLibrary, SpotLibrary, WholeIndex | None]:
        """The spots as delivered, at every rate, and whole.

        Raises:
            FingerprintsError: the folder cannot be read, or a rate is none.
        """
        rates = rates_of(self.speeds, self.tempos)
        library = SpotLibrary.open(self.spots, progress=progress)
        index = open_index(library, rates=rates, progress=progress) if self.late else None
        return library, at_rates(library, rates, progress=progress), index


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """One file that is done.

    Attributes:
        media: its name as given.
        lines: what was found, as the fields of JSON lines.
        fault: why it could not be read to its end; empty when it could.
        heard_s: how much of it was heard.
        resumed: whether this comes from the journal of an earlier scan.
    """

    media: str
    lines: tuple[dict[str, Any], ...]
    fault: str
    heard_s: float
    resumed: bool = False


class Journal:
    """What earlier scans have finished: one JSON line a file. A file that has changed since is scanned again.

    Args:
        path: where it lies; made when it is not there.
        settings: a scan with others does not take these findings over.

    Raises:
        FingerprintsError: it cannot be read or written.
    """

    def __init__(self, path: Path, settings: ScanSettings) -> None:
        self._path = path
        self._how = repr((settings.false_per_feed_year, settings.speeds, settings.tempos, settings.late))
        self._done: dict[str, Scanned] = {}
        try:
            path.touch()
            for line in path.read_text(encoding="utf-8").splitlines():
                self._take(line)
        except (OSError, UnicodeDecodeError) as error:
            raise FingerprintsError(f"{path}: this journal cannot be used ({error}); name another file with --resume") from error

    def find(self, media: str) -> Scanned | None:
        """What was found in this very file before."""
        return self._done.get(self._key(media))

    def add(self, done: Scanned) -> None:
        """Note a file that is done; one that could not be read is tried again next time."""
        if not done.fault:
            fields = {"file": self._key(done.media), "media": done.media, "heard_s": done.heard_s, "lines": done.lines}
            with self._path.open("a", encoding="utf-8") as journal:
                journal.write(json.dumps(fields, ensure_ascii=False) + "\n")
                journal.flush()
                os.fsync(journal.fileno())

    def _take(self, line: str) -> None:
        try:
            fields = json.loads(line)
            done = Scanned(
                media=str(fields["media"]), lines=tuple(fields["lines"]), fault="", heard_s=float(fields["heard_s"]), resumed=True
            )
            self._done[str(fields["file"])] = done
        except (ValueError, KeyError, TypeError):
            return  # the last line of a scan that was killed while writing: its file is scanned again

    def _key(self, media: str) -> str:
        try:
            status = Path(media).stat()
        except OSError:
            return f"{media} {self._how}"
        return f"{Path(media).resolve()} {status.st_size} {status.st_mtime_ns} {self._how}"


def scan_many(
    media: Sequence[str], settings: ScanSettings, *, jobs: int, journal: Journal | None = None, heard: Heard | None = None
) -> Iterator[Scanned]:
    """Scan files in processes of their own, each yielded when it is done; those in the journal first.

    Args:
        media: file names, or URLs that end.
        settings: what to look for.
        jobs: processes at once, up to `JOBS_MAX`.
        journal: of finished files.
        heard: called with the seconds of sound heard since it was called last, of all files together.

    Raises:
        FingerprintsError: the journal cannot be written.
    """
    known = {one: journal.find(one) for one in media} if journal is not None else {}
    for done in known.values():
        if done is not None:
            yield done
    waiting = [one for one in media if known.get(one) is None]
    if not waiting:
        return
    context = multiprocessing.get_context("spawn")
    told: Any = context.SimpleQueue()
    with ProcessPoolExecutor(
        max_workers=min(jobs, len(waiting), JOBS_MAX), mp_context=context, initializer=_begin_process, initargs=(settings, told)
    ) as pool:
        running: set[Future[Scanned]] = {pool.submit(_scan_in_process, one) for one in waiting}
        try:
            while running:
                finished, running = wait(running, timeout=LOOK_S, return_when=FIRST_COMPLETED)
                while not told.empty():
                    seconds = told.get()
                    if heard is not None:
                        heard(seconds)
                for future in finished:
                    done = future.result()
                    if journal is not None:
                        journal.add(done)
                    yield done
        finally:
            for future in running:
                future.cancel()


_in_process: dict[str, Any] = {}
"""What a scanning process opened once, for all its files."""


def _begin_process(settings: ScanSettings, told: Any) -> None:
    _, library, index = settings.open()
    _in_process.update(settings=settings, library=library, index=index, told=told)


def _scan_in_process(media: str) -> Scanned:
    settings, told = _in_process["settings"], _in_process["told"]
    lines: list[dict[str, Any]] = []
    fault, heard_s, told_s = "", 0.0, 0.0

    def heard(position_s: float) -> None:
        nonlocal heard_s, told_s
        heard_s = position_s
        if heard_s - told_s >= TELL_S:
            told.put(heard_s - told_s)
            told_s = heard_s

    try:
        events = scan(
            media,
            _in_process["library"],
            index=_in_process["index"],
            false_per_feed_year=settings.false_per_feed_year,
            heard=heard,
        )
        lines += [fields_of(event, feed=media) for event in events]
    except FingerprintsError as error:
        fault = str(error)
    told.put(heard_s - told_s)
    return Scanned(media=media, lines=tuple(lines), fault=fault, heard_s=heard_s)
