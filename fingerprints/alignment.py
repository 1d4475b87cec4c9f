"""How far one feed lags behind another that carries the same programme. Pure: bits and instants in, a delay out.

The sign bits of both feeds' features are correlated over a sliding window at every lag at once, by FFT. The peak says where the
newest sound of one is found in the other; a parabola through it places it within a fraction of a hop.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from numpy.fft import irfft, rfft

from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.features import BITS, HOP_SAMPLES, StreamBits

HOP_S: Final = HOP_SAMPLES / SAMPLE_RATE_HZ
WINDOW_S: Final = 8.0
RANGE_S: Final = 90.0
LEAST_S: Final = 3.0
"""Sound of either feed without which nothing is said."""
LEAST_CORRELATION: Final = 0.12
LEAST_Z: Final = 9.0
"""The peak must be so many standard deviations above all other lags: unrelated programmes reach 6 in ten thousand lags."""
RIVAL_SHARE: Final = 0.8
RIVAL_AWAY_FRAMES: Final = 25
"""A second peak as good as that, at least 0.2 s away, is a loop or a repetition: the delay is not certain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """Where the newest window of feed B is found in feed A.

    Attributes:
        offset_s: stream position in A less stream position in B of the same sound.
        correlation: of the sign bits at that place, about 0 for unrelated sound, 1 for the same.
        z: the peak's height over all other lags, in their standard deviations.
        same: the feeds carry the same programme, and at one place only.
        reason: why not; empty when they do.
    """

    offset_s: float
    correlation: float
    z: float
    same: bool
    reason: str = ""

    @property
    def confidence(self) -> float:
        """0 to 1: none below the limits, full at twice the needed height and half of perfect agreement."""
        return min(1.0, self.z / (2 * LEAST_Z), self.correlation / 0.5) if self.same else 0.0


class BitsTape:
    """The newest frames of a feed as numbers: 1 for a rising contrast, -1 for a falling, 0 for a still one."""

    def __init__(self, *, length_s: float) -> None:
        self._frames_max = round(length_s / HOP_S)
        self._signs: npt.NDArray[np.int8] = np.empty((0, BITS), np.int8)
        self.end_frame = 0

    def __len__(self) -> int:
        return len(self._signs)

    @property
    def signs(self) -> npt.NDArray[np.int8]:
        """int8 [shape=(n_frames, BITS)], oldest first."""
        return self._signs

    def restart(self, first_frame: int) -> None:
        """Forget everything: sound is missing."""
        self._signs, self.end_frame = self._signs[:0], first_frame

    def add(self, bits: StreamBits) -> None:
        """Take frames that follow those taken before."""
        if not len(bits):
            return
        signs = 2 * unpacked(bits.signs) - 1
        signs[unpacked(bits.stills) > 0] = 0
        self._signs = np.concatenate([self._signs, signs])[-self._frames_max :]
        self.end_frame = bits.first_frame + len(bits)


def unpacked(words: npt.NDArray[np.uint32]) -> npt.NDArray[np.int8]:
    """int8 [shape=(n_words, BITS)], 0 or 1, the lowest bit first."""
    bytes_ = np.ascontiguousarray(words.astype("<u4")).view(np.uint8).reshape(-1, 4)
    return np.unpackbits(bytes_, axis=1, bitorder="little").astype(np.int8)


def align(a: BitsTape, b: BitsTape, *, window_s: float = WINDOW_S) -> Alignment:
    """Where the newest window of B is heard in A; a window of A in B is sought too, so that either may be behind."""
    window = round(window_s / HOP_S)
    least = round(LEAST_S / HOP_S)
    if len(a) < least or len(b) < least:
        return Alignment(offset_s=0.0, correlation=0.0, z=0.0, same=False, reason="too little sound so far")
    in_a = _find(b.signs[-window:], a.signs)
    in_b = _find(a.signs[-window:], b.signs)
    if in_a.correlation >= in_b.correlation:
        frames = (a.end_frame - len(a) + in_a.place) - (b.end_frame - min(window, len(b)))
        best = in_a
    else:
        frames = (a.end_frame - min(window, len(a))) - (b.end_frame - len(b) + in_b.place)
        best = in_b
    reason = _doubt(best)
    return Alignment(offset_s=frames * HOP_S, correlation=best.correlation, z=best.z, same=not reason, reason=reason)


@dataclass(frozen=True, slots=True)
class _Peak:
    place: float
    correlation: float
    z: float
    rival: float


def _doubt(peak: _Peak) -> str:
    if peak.correlation < LEAST_CORRELATION or peak.z < LEAST_Z:
        return "the feeds do not carry the same programme, or are further apart than is looked for"
    if peak.rival > RIVAL_SHARE * peak.correlation:
        return "the sound repeats itself: more than one delay fits"
    return ""


def _find(piece: npt.NDArray[np.int8], whole: npt.NDArray[np.int8]) -> _Peak:
    """The best place of `piece` in `whole`, ends overhanging by up to half of it."""
    overhang = len(piece) // 2
    total = len(whole) + 2 * overhang
    size = 1 << (total + len(piece)).bit_length()
    padded = np.zeros((size, BITS), np.float32)
    padded[overhang : overhang + len(whole)] = whole
    spectrum = (rfft(padded, axis=0) * np.conj(rfft(piece.astype(np.float32), size, axis=0))).sum(axis=1)
    dots = irfft(spectrum, size)[: total - len(piece) + 1]
    energy = np.concatenate([[0.0], np.cumsum((padded[:total] != 0).sum(axis=1))])
    beneath = energy[len(piece) :] - energy[: -len(piece)]
    own = float((piece != 0).sum())
    correlations = dots / np.sqrt(np.maximum(beneath, max(0.25 * own, 1.0)) * max(own, 1.0))
    best = int(np.argmax(correlations))
    away = np.abs(np.arange(len(correlations)) - best) >= RIVAL_AWAY_FRAMES
    others = correlations[away]
    spread = float(np.std(others)) if len(others) > 1 else 0.0
    z = (float(correlations[best]) - float(np.mean(others))) / spread if spread > 0 else 0.0
    place = best - overhang + _vertex(correlations, best)
    return _Peak(place, float(correlations[best]), z, float(others.max(initial=0.0)))


def _vertex(values: npt.NDArray[np.float64], best: int) -> float:
    """Where between its neighbours a peak really is, in places, -0.5 to 0.5."""
    if not 0 < best < len(values) - 1:
        return 0.0
    left, middle, right = (float(value) for value in values[best - 1 : best + 2])
    bend = left - 2 * middle + right
    return 0.0 if bend >= 0 else max(-0.5, min(0.5, 0.5 * (left - right) / bend))


class Playout:
    """When a feed's sound can be heard here: the instant of position 0, by what arrived in the last seconds.

    A stream's blocks arrive as they are played, give or take jitter: the median counts. Segments arrive in bursts and are
    played one after the other: the latest block that could be played without a break counts.
    """

    def __init__(self, *, bursts: bool, blocks_max: int = 500) -> None:
        self._bursts = bursts
        self._starts: deque[float] = deque(maxlen=blocks_max)

    def note(self, *, first_sample: int, n_samples: int, seen_mono_ns: int) -> None:
        """A block has arrived."""
        position = first_sample if self._bursts else first_sample + n_samples
        self._starts.append(seen_mono_ns / 1e9 - position / SAMPLE_RATE_HZ)

    def restart(self) -> None:
        """Sound is missing: positions mean something else from here on."""
        self._starts.clear()

    @property
    def origin_s(self) -> float:
        """The instant of position 0, seconds by CLOCK_MONOTONIC; 0 before the first block."""
        if not self._starts:
            return 0.0
        return max(self._starts) if self._bursts else float(np.median(self._starts))
