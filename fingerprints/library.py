"""The spots that can be recognised: a folder with one recording each.

The name of a file without its suffix is the spot's id. Prints are kept in `<folder>/.prints/`, named by the
recording's content, so that only new recordings are read; where the folder cannot be written everything works, only slower.
"""

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.capture import Capture
from fingerprints.echoes import Echo, find_echoes, groups_of
from fingerprints.errors import FingerprintsError, PrintFileError, SpotError
from fingerprints.features import Floats
from fingerprints.onset import earliest_decision_s, threshold_nats
from fingerprints.prints import LONGEST_S, Print, dump_print, load_print, make_print
from timebase import SystemClock

PRINTS_FOLDER: Final = ".prints"
SPOTS_MAX: Final = 20_000
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
    """

    spots: tuple[Spot, ...]
    problems: tuple[Problem, ...] = ()
    echoes: tuple[Echo, ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def open(cls, folder: Path, *, progress: Progress | None = None) -> "SpotLibrary":
        """The spots of a folder; files that cannot be read are named in `problems` and stop nothing else.

        Raises:
            FingerprintsError: the folder does not exist, cannot be read or holds too many files.
        """
        files = audio_files(folder)
        spots: dict[str, Spot] = {}
        problems: list[Problem] = []
        for done, path in enumerate(files):
            if progress is not None:
                progress(done, len(files), path.name)
            try:
                if path.stem in spots:
                    taken = spots[path.stem].path.name
                    raise SpotError(f"{path.name}: the id {path.stem!r} is taken by {taken}; rename one of the two")
                spots[path.stem] = _open_spot(path)
            except FingerprintsError as error:
                problems.append(Problem(name=path.name, message=str(error)))
        if progress is not None:
            progress(len(files), len(files), "")
        return cls.of([spots[spot_id] for spot_id in sorted(spots)], problems=problems)

    @classmethod
    def of(cls, spots: Iterable[Spot], *, problems: Iterable[Problem] = ()) -> "SpotLibrary":
        """A library of spots at hand, their echoes found."""
        ordered = tuple(sorted(spots, key=lambda spot: spot.id))
        echoes = find_echoes([spot.print for spot in ordered])
        groups = groups_of([spot.id for spot in ordered], echoes)
        return cls(spots=ordered, problems=tuple(problems), echoes=echoes, groups=groups)

    def earliest_decision_s(self, spot: Spot) -> float | None:
        """Seconds from its onset to the decision if it is received without a flaw; None when its head cannot tell."""
        return earliest_decision_s(spot.print, threshold=threshold_nats(n_spots=len(self.spots), false_per_feed_year=1.0))


def audio_files(folder: Path) -> list[Path]:
    """The recordings of a folder, by name.

    Raises:
        FingerprintsError: the folder does not exist, cannot be read or holds too many files.
    """
    try:
        entries = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FingerprintsError(f"{folder}: there is no such folder; make it and put one recording a spot into it") from error
    except OSError as error:
        raise FingerprintsError(f"{folder}: it cannot be read ({error.strerror}); give this user the right to") from error
    files = [path for path in entries if path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".")]
    if len(files) > SPOTS_MAX:
        raise FingerprintsError(f"{folder}: {len(files)} recordings; at most {SPOTS_MAX} are loaded, so divide the folder")
    return [path for path in files if path.is_file()]


def read_recording(path: Path) -> Floats:
    """A recording as mono samples.

    Returns:
        float32 [shape=(n_samples,)], 16 kHz, at most a little more than `LONGEST_S`.

    Raises:
        MediaError: not readable as audio.
    """
    parts, samples = [], 0
    with Capture(str(path), clock=SystemClock()) as capture:
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
        _write_whole(target, lambda temporary: shutil.copyfile(source, temporary))
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
    print_ = _cached(cache, content_sha256)
    if print_ is None:
        print_ = make_print(path.name, read_recording(path))
        with contextlib.suppress(OSError):  # a folder that cannot be written works without the cache
            cache.parent.mkdir(exist_ok=True)
            (cache.parent / ".gitignore").write_text("*\n")  # made anew from the recordings, so never worth a commit
            data = dump_print(print_, content_sha256=content_sha256)
            _write_whole(cache, lambda temporary: Path(temporary).write_bytes(data))
    if earliest_decision_s(print_, threshold=threshold_nats(n_spots=1, false_per_feed_year=1.0)) is None:
        raise SpotError(
            f"{path.name}: a tone, a hum or almost silence for its first ten seconds; nothing in it can be recognised"
        )
    return Spot(id=spot_id, path=path, print=replace(print_, spot_id=spot_id))


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


def _write_whole(target: Path, write: Callable[[str], object]) -> None:
    """Make a file appear all at once, so that another process never reads half of it."""
    handle, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=target.parent)
    os.close(handle)
    try:
        write(temporary)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
