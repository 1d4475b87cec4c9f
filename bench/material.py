"""The sound the benchmark is made of: music and speech of Debian's games, as tracks that can be cut anywhere.

A music track is one file. A *reel* is a track too: some minutes of spoken lines of one cast, one after the other in a seeded
order, because the lines alone are seconds long.
"""

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import av
import numpy as np
import numpy.typing as npt
from av.audio.resampler import AudioResampler

from bench.errors import MissingError

Pcm = npt.NDArray[np.float32]
Kind = Literal["music", "speech"]

GAMES: Final = Path("/usr/share/games")
FOLDERS: Final[tuple[tuple[str, str, Kind], ...]] = (
    ("wesnoth-1.16-music", "wesnoth/1.16/data/core/music", "music"),
    ("warzone2100-music", "warzone2100/music", "music"),
    ("hedgewars-data", "hedgewars/Data/Music", "music"),
    ("fillets-ng-data", "fillets-ng/music", "music"),
    ("hedgewars-data", "hedgewars/Data/Sounds/voices", "speech"),
    ("fillets-ng-data-cs", "fillets-ng/sound/*/cs", "speech"),
    ("fillets-ng-data-nl", "fillets-ng/sound/*/nl", "speech"),
)
"""Debian package, its folder of sound, and what is in it."""

PROGRAMS: Final = {"ffmpeg": "ffmpeg", "fpcalc": "libchromaprint-tools", "espeak-ng": "espeak-ng"}
SUFFIXES: Final = (".ogg", ".opus", ".mp3")
REEL_S: Final = 240.0
TRACK_MIN_S: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """Sound that can be cut anywhere.

    Attributes:
        name: unique.
        kind: what one hears.
        files: played one after the other.
        lengths_s: of each file.
    """

    name: str
    kind: Kind
    files: tuple[Path, ...]
    lengths_s: tuple[float, ...]

    @property
    def length_s(self) -> float:
        """Of all files together, seconds."""
        return sum(self.lengths_s)


def debian_packages() -> tuple[str, ...]:
    """Everything to install with apt-get, sorted."""
    return tuple(sorted({package for package, _, _ in FOLDERS} | set(PROGRAMS.values())))


def missing_packages() -> tuple[str, ...]:
    """The Debian packages that are needed and not there, sorted."""
    missing = {package for package, folder, _ in FOLDERS if not any(GAMES.glob(folder))}
    missing |= {package for program, package in PROGRAMS.items() if shutil.which(program) is None}
    return tuple(sorted(missing))


def find_tracks(*, seed: int) -> list[Track]:
    """All tracks there are, in an order that depends on the seed alone.

    Raises:
        MissingError: packages are not installed; the message is the command that installs them.
    """
    if missing := missing_packages():
        raise MissingError(f"sound and programs are missing; run: apt-get install --no-install-recommends {' '.join(missing)}")
    rng = random.Random(seed)
    tracks: list[Track] = []
    for _, pattern, kind in FOLDERS:
        files = sorted(path for folder in GAMES.glob(pattern) for path in folder.rglob("*") if path.suffix in SUFFIXES)
        lengths_s = {path: _length_s(path) for path in files}
        if kind == "music":
            tracks += [
                Track(name=path.stem, kind=kind, files=(path,), lengths_s=(lengths_s[path],))
                for path in files
                if lengths_s[path] >= TRACK_MIN_S
            ]
        else:
            rng.shuffle(files)
            tracks += _reels(pattern.replace("/", "-").replace("*-", ""), files, lengths_s)
    rng.shuffle(tracks)
    return tracks


def cut(track: Track, *, start_s: float, seconds: float, rate_hz: int, channels: int) -> Pcm:
    """A piece of a track.

    Returns:
        float32 [shape=(n_samples, channels)]; shorter than asked for only at the track's end.
    """
    parts: list[Pcm] = []
    begin_s = 0.0
    for path, length_s in zip(track.files, track.lengths_s, strict=True):
        first_s, last_s = max(start_s, begin_s) - begin_s, min(start_s + seconds, begin_s + length_s) - begin_s
        if last_s > first_s:
            parts.append(decode(path, start_s=first_s, seconds=last_s - first_s, rate_hz=rate_hz, channels=channels))
        begin_s += length_s
    return np.concatenate(parts) if parts else np.empty((0, channels), np.float32)


def decode(path: Path, *, start_s: float, seconds: float, rate_hz: int, channels: int) -> Pcm:
    """Part of a file, float32 [shape=(n_samples, channels)]."""
    wanted = round(seconds * rate_hz)
    parts: list[Pcm] = []
    have = 0
    with av.open(str(path)) as container:
        if start_s > 2.0:
            container.seek(int((start_s - 1.0) * 1e6))
        for pcm, time_s in _resampled(container, rate_hz, channels):
            skip = max(0, round((start_s - time_s) * rate_hz)) if not parts else 0
            if skip >= len(pcm):
                continue
            parts.append(pcm[skip:])
            have += len(parts[-1])
            if have >= wanted:
                break
    return np.concatenate(parts)[:wanted] if parts else np.empty((0, channels), np.float32)


def _resampled(container: av.container.InputContainer, rate_hz: int, channels: int) -> Iterator[tuple[Pcm, float]]:
    resampler = AudioResampler(format="flt", layout="stereo" if channels == 2 else "mono", rate=rate_hz)
    position_s: float | None = None
    for frame in container.decode(audio=0):
        if position_s is None:
            position_s = frame.time or 0.0
        for out in resampler.resample(frame):
            pcm = out.to_ndarray().reshape(-1, channels).astype(np.float32)
            yield pcm, position_s
            position_s += len(pcm) / rate_hz


def _length_s(path: Path) -> float:
    with av.open(str(path)) as container:
        return (container.duration or 0) / 1e6


def _reels(name: str, files: list[Path], lengths_s: dict[Path, float]) -> list[Track]:
    reels: list[Track] = []
    batch: list[Path] = []
    for path in files:
        batch.append(path)
        if sum(lengths_s[one] for one in batch) >= REEL_S:
            reels.append(_reel(f"{name}-{len(reels)}", batch, lengths_s))
            batch = []
    return reels


def _reel(name: str, files: list[Path], lengths_s: dict[Path, float]) -> Track:
    return Track(name=name, kind="speech", files=tuple(files), lengths_s=tuple(lengths_s[path] for path in files))
