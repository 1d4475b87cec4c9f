"""The spots that can be recognised: a folder with one recording each.

The name of a file without its suffix is the spot's id. Prints are kept in `<folder>/.prints/`, named by the
recording's content, and the heads of all of them in one library file there (`store.py`), so that only new recordings are read and
compared; where the folder cannot be written everything works, only slower.
"""

import contextlib
import functools
import hashlib
import multiprocessing
import os
import re
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.calibration import CALIBRATION_FILE, SHIPPED, Calibration, read_calibration, threshold_nats
from fingerprints.capture import Capture
from fingerprints.downmix import Downmix
from fingerprints.echoes import Echo, find_echoes, groups_of
from fingerprints.errors import CalibrationError, FingerprintsError, PrintFileError, SpotError
from fingerprints.features import Floats, Words
from fingerprints.heads import Head, Heads, head_at, head_of, stack
from fingerprints.joining import join_heads
from fingerprints.onset import earliest_decision_s
from fingerprints.prints import LONGEST_S, PHASES, Print, dump_print, load_print, make_print
from fingerprints.store import KeptLibrary, KeptSpot, echo_array, read_library, write_library, write_whole
from fingerprints.streams import Streams
from timebase import SystemClock

PRINTS_FOLDER: Final = ".prints"
LIBRARY_FILE: Final = "library"
STREAMS_FILE: Final = "streams"
MANY_NEW: Final = 32
"""Fewer new recordings are read sooner than another process starts."""
JOBS_MAX: Final = 64
SPOTS_MAX: Final = 200_000
RACY_NS: Final = 2_000_000_000
"""A recording changed this shortly before the library file was written is hashed again: its clock may be that coarse."""

FILE_BYTES_MAX: Final = 512 * 1024 * 1024
PRINT_FILE_BYTES_MAX: Final = 16 * 1024 * 1024
AUDIO_SUFFIXES: Final = frozenset(
    {".aac", ".aif", ".aiff", ".caf", ".flac", ".m4a", ".mka", ".mkv", ".mov", ".mp2", ".mp3", ".mp4"}
    | {".mxf", ".oga", ".ogg", ".opus", ".ts", ".w64", ".wav", ".webm"}
)
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

Progress = Callable[[int, int, str], None]
"""Called with the number done, the number of all, and the file now read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """An advert that can be recognised.

    Attributes:
        id: the name of its file without suffix.
        path: its recording.
        print: its fingerprint.
    """

    id: str
    path: Path
    print: Print

    @property
    def audible_s(self) -> float:
        """Length without the silence at both ends, seconds."""
        return self.print.audible_s

    @property
    def lead_in_s(self) -> float:
        """Silence before the first audible sample of the recording, seconds."""
        return self.print.lead_in_samples / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A file of the folder that is not a spot, and why.

    Attributes:
        name: the file's name.
        message: one sentence that begins with the name.
    """

    name: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotLibrary:
    """The spots of one folder and how they resemble each other.

    Attributes:
        spots: sorted by id.
        problems: files that could not become spots, by name.
        echoes: where the head of one spot is heard inside another or again in itself.
        groups: ids of spots whose heads are alike; spots unlike all others are in none.
        heads: the spots' heads in their order, laid out for the matcher.
        calibration: how chance scores where these spots are listened for.
    """

    spots: tuple[Spot, ...]
    problems: tuple[Problem, ...] = ()
    echoes: tuple[Echo, ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()
    heads: Heads = field(default_factory=lambda: stack([]), repr=False)
    calibration: Calibration = SHIPPED

    @classmethod
    def open(cls, folder: Path, *, progress: Progress | None = None, jobs: int = 1) -> "SpotLibrary":
        """The spots of a folder; files that cannot be read are named in `problems` and stop nothing else.

        Args:
            folder: of the recordings.
            progress: told of each file, then of each spot compared.
            jobs: processes that read recordings when many are new, and threads that compare them.

        Raises:
            FingerprintsError: the folder does not exist, cannot be read or holds too many files.
        """
        files = audio_files(folder)
        kept = _Kept(folder)
        if jobs > 1:
            _make_ready([path for path in files if not kept.knows(path)], jobs=jobs, progress=progress)
        spots: dict[str, Spot] = {}
        problems: list[Problem] = []
        for done, path in enumerate(files):
            if progress is not None:
                progress(done, len(files), path.name)
            try:
                if path.stem in spots:
                    taken = spots[path.stem].path.name
                    raise SpotError(f"{path.name}: the id {path.stem!r} is taken by {taken}; rename one of the two")
                spots[path.stem] = kept.spot(path) or _open_spot(path)
            except FingerprintsError as error:
                problems.append(Problem(name=path.name, message=str(error)))
        calibration = SHIPPED
        try:
            calibration = read_calibration(calibration_path(folder)) or SHIPPED
        except CalibrationError as error:
            problems.append(Problem(name=CALIBRATION_FILE, message=str(error)))
        library = kept.library([spots[spot_id] for spot_id in sorted(spots)], problems, progress=progress, jobs=jobs)
        if progress is not None:
            progress(len(files), len(files), "")
        return replace(library, calibration=calibration)

    @classmethod
    def of(cls, spots: Iterable[Spot], *, problems: Iterable[Problem] = ()) -> "SpotLibrary":
        """A library of spots at hand, their echoes found."""
        ordered = tuple(sorted(spots, key=lambda spot: spot.id))
        echoes = find_echoes([spot.print for spot in ordered])
        heads = stack([head_of(spot.print.table, spot.print.wave) for spot in ordered])
        return cls._with(ordered, problems=problems, echoes=echoes, heads=heads)

    @classmethod
    def _with(
        cls, spots: tuple[Spot, ...], *, problems: Iterable[Problem], echoes: tuple[Echo, ...], heads: Heads
    ) -> "SpotLibrary":
        groups = groups_of([spot.id for spot in spots], echoes)
        return cls(spots=spots, problems=tuple(problems), echoes=echoes, groups=groups, heads=heads)

    def earliest_decision_s(self, spot: Spot) -> float | None:
        """Seconds from its onset to the decision if it is received without a flaw; None when its head cannot tell."""
        return earliest_decision_s(spot.print, threshold=self.threshold)

    @property
    def threshold(self) -> float:
        """The score that decides where one false decision a feed-year is promised, nats."""
        return threshold_nats(n_spots=len(self.spots), false_per_feed_year=1.0, calibration=self.calibration)


class _Kept:
    """What the library file of a folder still knows rightly, and the file brought up to date."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / PRINTS_FOLDER / LIBRARY_FILE
        self._streams_path = folder / PRINTS_FOLDER / STREAMS_FILE
        self._index: dict[str, int] = {}
        self._hashes: dict[str, str] = {}
        self._kept: KeptLibrary | None = None
        try:
            self._written_ns = self._path.stat().st_mtime_ns
            self._kept = read_library(self._path)
        except (OSError, PrintFileError):  # made anew
            return
        self._index = {spot.name: index for index, spot in enumerate(self._kept.spots)}

    def knows(self, path: Path) -> bool:
        """Whether there was a recording of that name."""
        return path.name in self._index

    def spot(self, path: Path) -> Spot | None:
        """The spot of a recording that has not changed since the file was written; None when it must be read."""
        index = self._index.get(path.name)
        if self._kept is None or index is None:
            return None
        known = self._kept.spots[index]
        try:
            status = path.stat()
            same = (status.st_size, status.st_mtime_ns) == (known.size, known.changed_ns)
            if same and status.st_mtime_ns > self._written_ns - RACY_NS:
                same = _sha256(path) == known.content_sha256
        except OSError:
            return None
        if not same:
            return None
        self._hashes[path.stem] = known.content_sha256
        return Spot(id=path.stem, path=path, print=_lazy_print(path, known, self._kept.heads, index))

    def library(
        self, spots: list[Spot], problems: list[Problem], *, progress: Progress | None = None, jobs: int = 1
    ) -> SpotLibrary:
        """The library of these spots; the file is written again if they are not the ones it has."""
        new = [spot for spot in spots if spot.id not in self._hashes]
        if self._kept is not None and not new and len(spots) == len(self._kept.spots):
            return SpotLibrary._with(tuple(spots), problems=problems, echoes=self._echoes(), heads=self._kept.heads)
        entries = [self._entry(spot) for spot in spots]
        heads = self._heads(spots)
        echoes = self._updated_echoes(spots, new, entries, heads, progress=progress, jobs=jobs)
        with contextlib.suppress(OSError):  # a folder that cannot be written works without the file
            place = {spot.id: index for index, spot in enumerate(spots)}
            rows = [(place[echo.host_id], place[echo.guest_id], echo.offset, echo.until_s) for echo in echoes]
            write_library(self._path, KeptLibrary(spots=tuple(entries), heads=heads, echoes=echo_array(rows)))
            with contextlib.suppress(PrintFileError):  # another process may have written its own meanwhile
                written = read_library(self._path)
                heads = written.heads if written.spots == tuple(entries) else heads
        return SpotLibrary._with(tuple(spots), problems=problems, echoes=echoes, heads=heads)

    def _heads(self, spots: list[Spot]) -> Heads:
        """The heads of all; those at hand are not laid out again as long as none is gone."""
        new = [spot for spot in spots if spot.id not in self._hashes]
        if self._kept is None or len(spots) - len(new) != len(self._kept.spots):
            return stack([self._head(spot) for spot in spots])
        place = {spot.id: len(self._kept.spots) + index for index, spot in enumerate(new)}
        order = [place[spot.id] if spot.id in place else self._index[spot.path.name] for spot in spots]
        fresh = stack([head_of(spot.print.table, spot.print.wave) for spot in new])
        return join_heads(self._kept.heads, fresh, order=np.array(order, np.int64))

    def _head(self, spot: Spot) -> Head:
        if self._kept is None or spot.id not in self._hashes:
            return head_of(spot.print.table, spot.print.wave)
        return head_at(self._kept.heads, self._index[spot.path.name])

    def _entry(self, spot: Spot) -> KeptSpot:
        if self._kept is not None and spot.id in self._hashes:
            return self._kept.spots[self._index[spot.path.name]]
        status = spot.path.stat()
        return KeptSpot(
            name=spot.path.name,
            size=status.st_size,
            changed_ns=status.st_mtime_ns,
            content_sha256=_sha256(spot.path),
            rows=spot.print.rows,
            lead_in_samples=spot.print.lead_in_samples,
            audible_samples=spot.print.audible_samples,
        )

    def _echoes(self) -> tuple[Echo, ...]:
        if self._kept is None:
            return ()
        ids = [Path(spot.name).stem for spot in self._kept.spots]
        return tuple(
            Echo(host_id=ids[host], guest_id=ids[guest], offset=offset, until_s=until_s)
            for host, guest, offset, until_s in self._kept.echoes.tolist()
        )

    def _updated_echoes(
        self,
        spots: list[Spot],
        new: list[Spot],
        entries: list[KeptSpot],
        heads: Heads,
        *,
        progress: Progress | None,
        jobs: int,
    ) -> tuple[Echo, ...]:
        """Those of spots that stayed, and the new spots against everybody in both directions."""
        stayed = {spot.id for spot in spots} - {spot.id for spot in new}
        kept = [echo for echo in self._echoes() if echo.host_id in stayed and echo.guest_id in stayed]
        old = [(spot.print, entry.content_sha256) for spot, entry in zip(spots, entries, strict=True) if spot.id in stayed]
        fresh, streams = [spot.print for spot in new], Streams(self._streams_path)

        def told(done: int, total: int) -> None:
            if progress is not None:
                progress(done, total, "compared with all others")

        found = [
            *find_echoes(fresh, [spot.print for spot in spots], heads=heads, told=told, jobs=jobs),
            *find_echoes(
                [print_ for print_, _ in old], fresh, stream_of=lambda index: streams.of(old[index][1], old[index][0]),
                told=told, jobs=jobs,
            ),
        ]  # fmt: skip
        with contextlib.suppress(OSError):  # a folder that cannot be written works without the file
            streams.keep({entry.content_sha256: spot.print for spot, entry in zip(spots, entries, strict=True)})
        return tuple(sorted([*kept, *found], key=lambda echo: (echo.host_id, echo.offset, echo.guest_id)))


def calibration_path(folder: Path) -> Path:
    """Where a folder of spots keeps its calibration."""
    return folder / PRINTS_FOLDER / CALIBRATION_FILE


def _make_ready(paths: list[Path], *, jobs: int, progress: Progress | None) -> None:
    """Make the prints of many new recordings in processes of their own; they are found in `.prints/` afterwards."""
    if len(paths) < MANY_NEW:
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, JOBS_MAX), mp_context=context) as pool:
        running = {pool.submit(_make_one_ready, path): path for path in paths}
        for done, future in enumerate(as_completed(running)):
            if progress is not None:
                progress(done, len(paths), running[future].name)


def _make_one_ready(path: Path) -> None:
    with contextlib.suppress(FingerprintsError):  # said when the library is put together
        _open_spot(path)


def audio_files(folder: Path) -> list[Path]:
    """The recordings of a folder, by name.

    Raises:
        FingerprintsError: the folder does not exist, cannot be read or holds too many files.
    """
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if not entry.name.startswith(".") and entry.is_file())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FingerprintsError(f"{folder}: there is no such folder; make it and put one recording a spot into it") from error
    except OSError as error:
        raise FingerprintsError(f"{folder}: it cannot be read ({error.strerror}); give this user the right to") from error
    files = [folder / name for name in names if os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES]
    if len(files) > SPOTS_MAX:
        raise FingerprintsError(f"{folder}: {len(files)} recordings; at most {SPOTS_MAX} are loaded, so divide the folder")
    return files


def read_recording(path: Path) -> Floats:
    """A recording as mono samples; where one channel is inverted against the other it is turned over, from the beginning.

    Returns:
        float32 [shape=(n_samples,)], 16 kHz, at most a little more than `LONGEST_S`.

    Raises:
        MediaError: not readable as audio.
    """
    downmix = Downmix(follows=False)
    pcm = _read(path, downmix)
    return _read(path, Downmix(inverted=True, follows=False)) if downmix.seems_inverted else pcm


def _read(path: Path, downmix: Downmix) -> Floats:
    parts, samples = [], 0
    with Capture(str(path), clock=SystemClock(), downmix=downmix, at_once=True) as capture:
        for block in capture.blocks():
            parts.append(block.pcm)
            samples += len(block.pcm)
            if samples > (LONGEST_S + 1) * SAMPLE_RATE_HZ:
                break
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


def add_recording(folder: Path, source: Path, *, spot_id: str | None = None) -> Spot:
    """Copy a recording into the folder as a new spot.

    Raises:
        FingerprintsError: it cannot serve as a spot, its id is not allowed or taken, or the folder cannot be written.
    """
    new_id = source.stem if spot_id is None else spot_id
    if not _ID.fullmatch(new_id):
        raise SpotError(f"{new_id!r}: not a spot id; use up to 100 letters, digits, dots, - and _, a letter or digit first")
    if source.suffix.lower() not in AUDIO_SUFFIXES:
        raise SpotError(
            f"{source.name}: {source.suffix or 'no suffix'} is no audio file; use {', '.join(sorted(AUDIO_SUFFIXES))}"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = [path.name for path in audio_files(folder) if path.stem == new_id]
        if taken:
            raise SpotError(
                f"{source.name}: the id {new_id!r} is taken by {taken[0]}; choose another with --id or remove that spot"
            )
        checked = _open_spot(source, spot_id=new_id, keep_in=folder)
        target = folder / f"{new_id}{source.suffix.lower()}"
        write_whole(target, lambda temporary: shutil.copyfile(source, temporary))
    except OSError as error:
        raise FingerprintsError(
            f"{folder}: {source.name} cannot be stored there ({error.strerror}); check rights and space"
        ) from error
    return replace(checked, path=target)


def remove_recording(folder: Path, spot_id: str) -> Path:
    """Delete a spot's recording and print.

    Returns:
        The recording that was deleted.

    Raises:
        FingerprintsError: there is no such spot, or it cannot be deleted.
    """
    files = {path.stem: path for path in audio_files(folder)}
    if spot_id not in files:
        raise SpotError(f"{spot_id}: no such spot in {folder}; there are {', '.join(sorted(files)) or 'none'}")
    path = files[spot_id]
    try:
        print_path = _print_path(folder, _sha256(path))
        path.unlink()
        print_path.unlink(missing_ok=True)
    except OSError as error:
        raise FingerprintsError(f"{path}: it cannot be deleted ({error.strerror}); check the rights of its folder") from error
    return path


def _open_spot(path: Path, *, spot_id: str | None = None, keep_in: Path | None = None) -> Spot:
    spot_id = path.stem if spot_id is None else spot_id
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise SpotError(f"{path.name}: larger than {FILE_BYTES_MAX >> 20} MiB; a spot's recording is smaller")
        content_sha256 = _sha256(path)
    except OSError as error:
        raise SpotError(f"{path.name}: it cannot be read ({error.strerror}); check its rights") from error
    cache = _print_path(keep_in or path.parent, content_sha256)
    print_ = _cached(cache, content_sha256) or _made(path, cache, content_sha256)
    if earliest_decision_s(print_, threshold=SpotLibrary(spots=()).threshold) is None:
        raise SpotError(
            f"{path.name}: a tone, a hum or almost silence for its first ten seconds; nothing in it can be recognised"
        )
    return Spot(id=spot_id, path=path, print=replace(print_, spot_id=spot_id))


def _made(path: Path, cache: Path, content_sha256: str) -> Print:
    made = make_print(path.name, read_recording(path))
    with contextlib.suppress(OSError):  # a folder that cannot be written works without the cache
        cache.parent.mkdir(exist_ok=True)
        (cache.parent / ".gitignore").write_text("*\n")  # made anew from the recordings, so never worth a commit
        data = dump_print(made, content_sha256=content_sha256)
        write_whole(cache, lambda temporary: Path(temporary).write_bytes(data))
    return made


def _cached(path: Path, content_sha256: str) -> Print | None:
    try:
        if path.stat().st_size > PRINT_FILE_BYTES_MAX:
            return None
        return load_print(path.read_bytes(), content_sha256=content_sha256, name=path.name)
    except (OSError, PrintFileError):
        return None


def _print_path(folder: Path, content_sha256: str) -> Path:
    return folder / PRINTS_FOLDER / f"{content_sha256}.print"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _lazy_print(path: Path, known: KeptSpot, heads: Heads, index: int) -> Print:
    return Print(
        spot_id=path.stem,
        rows=known.rows,
        lead_in_samples=known.lead_in_samples,
        audible_samples=known.audible_samples,
        load=functools.partial(_load, path, known, heads, index),
    )


def _load(path: Path, known: KeptSpot, heads: Heads, index: int) -> tuple[Words, Words]:
    """The rows and the wave of a print when somebody asks: from its file, from the recording, else its head alone."""
    cache = _print_path(path.parent, known.content_sha256)
    with contextlib.suppress(FingerprintsError, OSError):
        whole = _cached(cache, known.content_sha256) or _made(path, cache, known.content_sha256)
        if whole.rows == known.rows:
            return whole.table, whole.wave
    table = np.zeros((known.rows, PHASES + 2), np.uint32)
    skipped, head = int(heads.skipped[index]), heads.of(index)
    table[skipped : skipped + len(head)] = head
    return table, heads.waves[index]
