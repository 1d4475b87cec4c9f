"""Spots that are played faster or slower than they were delivered.

Stations squeeze spots to fit a break (tempo, the pitch is kept), and film shown at 25 frames a second runs 4.2 % fast (speed, the
pitch rises with it). A channel names the rates it is known to use; the library then holds each spot at each of them, under the
spot's name with the rate after an `@`, which no spot's own name may hold.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.errors import FingerprintsError
from fingerprints.features import Floats

SLOWEST: Final = 0.8
FASTEST: Final = 1.25
RATES_MAX: Final = 16
"""Each rate is the library once more: memory and work grow with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How a spot is played.

    Attributes:
        speed: how much faster than delivered, 1.0 as it is.
        keeps_pitch: whether only the tempo changes.
    """

    speed: float
    keeps_pitch: bool = False

    @property
    def suffix(self) -> str:
        """What follows a spot's name: nothing for 1.0, else `@1.042` or `@1.042t`."""
        return "" if self.speed == 1.0 else f"@{self.speed:g}{'t' if self.keeps_pitch else ''}"


AS_DELIVERED: Final = Rate(speed=1.0)
_TIME_BASE: Final = Fraction(1, SAMPLE_RATE_HZ)
_FRAME_SAMPLES: Final = 4096


def rates_of(speeds: Sequence[float] = (), tempos: Sequence[float] = ()) -> tuple[Rate, ...]:
    """The rates a channel uses, 1.0 always among them.

    Args:
        speeds: playback speeds that move the pitch.
        tempos: playback speeds that keep it.

    Raises:
        FingerprintsError: a rate outside 0.8 to 1.25, or too many.
    """
    rates = {AS_DELIVERED: None}
    for keeps_pitch, values in ((False, speeds), (True, tempos)):
        for speed in values:
            if not (math.isfinite(speed) and SLOWEST <= speed <= FASTEST):
                raise FingerprintsError(f"rate {speed:g}: spots are played between {SLOWEST:g} and {FASTEST:g} times their speed")
            rates[AS_DELIVERED if speed == 1.0 else Rate(speed=float(speed), keeps_pitch=keeps_pitch)] = None
    if len(rates) > RATES_MAX:
        raise FingerprintsError(f"{len(rates)} rates; at most {RATES_MAX} are matched, each costs as much as the whole library")
    return tuple(rates)


_VARIANT = re.compile(r"(?P<name>.+)@(?P<speed>[0-9]+(?:\.[0-9]+)?)t?", re.DOTALL)


def name_and_speed(variant_id: str) -> tuple[str, float]:
    """A variant's spot and its speed."""
    variant = _VARIANT.fullmatch(variant_id)
    return (variant["name"], float(variant["speed"])) if variant else (variant_id, 1.0)


def played_at(pcm: Floats, rate: Rate) -> Floats:
    """A recording as it sounds at a rate.

    Args:
        pcm: float32 [shape=(n_samples,)], mono, 16 kHz.

    Returns:
        float32 [shape=(about n_samples / speed,)], new memory unless the rate is 1.0.
    """
    if rate.speed == 1.0:
        return pcm
    if rate.keeps_pitch:
        return _at_tempo(pcm, rate.speed)
    import soxr

    return np.ascontiguousarray(soxr.resample(pcm, SAMPLE_RATE_HZ * rate.speed, SAMPLE_RATE_HZ), np.float32)


def _at_tempo(pcm: Floats, tempo: float) -> Floats:
    """FFmpeg's `atempo`, a waveform-similarity overlap-add as stations use, because a phase vocoder would smear attacks."""
    import av
    from av.audio.frame import AudioFrame
    from av.filter import Graph

    graph = Graph()
    source = graph.add_abuffer(sample_rate=SAMPLE_RATE_HZ, format="flt", layout="mono", time_base=_TIME_BASE)
    stretch, sink = graph.add("atempo", f"{tempo:.6f}"), graph.add("abuffersink")
    source.link_to(stretch)
    stretch.link_to(sink)
    graph.configure()
    parts: list[Floats] = []

    def pull() -> None:
        while True:
            try:
                frame = graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            assert isinstance(frame, AudioFrame)
            parts.append(frame.to_ndarray().reshape(-1).astype(np.float32))

    for first in range(0, len(pcm), _FRAME_SAMPLES):
        frame = AudioFrame.from_ndarray(
            np.ascontiguousarray(pcm[None, first : first + _FRAME_SAMPLES]), format="flt", layout="mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE_HZ, first, _TIME_BASE
        graph.push(frame)
        pull()
    graph.push(None)
    pull()
    return np.concatenate(parts) if parts else np.empty(0, np.float32)
