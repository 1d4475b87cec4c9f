"""Features of sound: how the shape of the spectrum changes, a row of 32 numbers every 8 ms.

A frame is a Hann window of 32 ms. Its power is summed into 33 bands; the logarithm of each band's energy less that of the
next gives 32 *slopes*; a slope less the slope 16 ms earlier is a *contrast*. Gain cancels in the slope, static
equalisation in the contrast. What is left says how the timbre moves, which survives every broadcast codec.

Frame `n` covers samples `n * HOP_SAMPLES` up to `n * HOP_SAMPLES + WINDOW_SAMPLES`. Each frame is computed by itself, in the same
order of operations whatever the batch, so the result is the same to the last bit however the sound was delivered.
"""

from dataclasses import dataclass, field
from typing import Final

import numba
import numpy as np
import numpy.typing as npt

from fingerprints.audio import SAMPLE_RATE_HZ

WINDOW_SAMPLES: Final = 512
HOP_SAMPLES: Final = 128
LAG_FRAMES: Final = 2
BANDS: Final = 33
BITS: Final = BANDS - 1
LOWEST_HZ: Final = 200.0
HIGHEST_HZ: Final = 5500.0
ENERGY_FLOOR: Final = 1e-6
"""Added to each band's energy: white noise at about -83 dB full scale. Digital silence has contrast 0, not noise."""

HEARD_FLOOR: Final = 1e-8
"""The same for what is heard, 20 dB lower: a feed may be 40 dB quieter than the recording, with rounding to 16 bits below that.
A print keeps the higher floor, so that no rounding is taken for something to recognise."""

STILL_NATS: Final = 0.02
"""A smaller contrast is no movement at all: silence, or one steady tone. A still bit agrees with nothing."""

SOUND_KEPT_SAMPLES: Final = 8192
"""Of what was heard before the newest frames, half a second: the second test (`coherence.py`) looks back no further."""

SOUND_ROOM_SAMPLES: Final = 4 * SOUND_KEPT_SAMPLES
"""Room for what is heard: when it is full, what is still needed moves to another."""

Floats = npt.NDArray[np.float32]
Words = npt.NDArray[np.uint32]


def band_weights() -> Floats:
    """The share of each FFT bin that falls in each band.

    Bands are equally wide on the mel scale: near 200 Hz a purely logarithmic band would be narrower than a bin, and its
    neighbours would repeat it.

    Returns:
        float32 [shape=(BANDS, WINDOW_SAMPLES // 2 + 1)], 0 to 1.

    Source:
        O'Shaughnessy 1987 (mel scale); band count and range in docs/adr/0004.
    """
    mels = np.linspace(np.log1p(LOWEST_HZ / 700.0), np.log1p(HIGHEST_HZ / 700.0), BANDS + 1)
    edges = 700.0 * np.expm1(mels) / (SAMPLE_RATE_HZ / WINDOW_SAMPLES)
    bins = np.arange(WINDOW_SAMPLES // 2 + 1)
    low, high = edges[:-1, None], edges[1:, None]
    shares: Floats = np.clip(np.minimum(high, bins + 0.5) - np.maximum(low, bins - 0.5), 0.0, 1.0).astype(np.float32)
    return shares


_WEIGHTS: Final = band_weights()
_SPANS: Final = np.array([(row.nonzero()[0][0], row.nonzero()[0][-1] + 1) for row in _WEIGHTS], np.int64)
_WINDOW: Final = (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(WINDOW_SAMPLES) / WINDOW_SAMPLES)).astype(np.float32)

_SOUND: Final = numba.types.Array(numba.float32, 1, "C", readonly=True)
"""What the compiled loops read may be anybody's memory."""

_PASSES: Final = ((4, 128), (4, 32), (4, 8), (4, 2), (2, 1))
"""Radix and number of interleaved transforms of each pass, first to last: 512 = 4 * 4 * 4 * 4 * 2."""


def _turns(radix: int, n_transforms: int) -> npt.NDArray[np.float64]:
    """Cosines and sines by turns, `length - 1` numbers for each input of a pass but the first."""
    length = WINDOW_SAMPLES // radix // n_transforms
    turns = np.zeros((radix - 1, max(0, length - 1)))
    for j in range(1, radix):
        angles = 2.0 * np.pi * n_transforms * j * np.arange(1, (length - 1) // 2 + 1) / WINDOW_SAMPLES
        turns[j - 1, 0 : 2 * len(angles) : 2], turns[j - 1, 1 : 2 * len(angles) : 2] = np.cos(angles), np.sin(angles)
    return turns


_TURNS_1, _TURNS_2, _TURNS_3, _TURNS_4, _TURNS_5 = (_turns(*each) for each in _PASSES)
_HALF_ROOT: Final = float(np.sqrt(0.5))


@numba.njit(nogil=True)
def _pass_of_four(x, out, length, n, turns):  # type: ignore[no-untyped-def] # compiled into the typed loops below
    last = length - 1
    for k in range(n):
        a, b, c, d = length * k, length * (k + n), length * (k + 2 * n), length * (k + 3 * n)
        o0, o1, o2, o3 = 4 * length * k, 4 * length * k + length, 4 * length * k + 2 * length, 4 * length * k + 3 * length
        odd, even = x[d] + x[b], x[a] + x[c]
        out[o2], out[o1 + last] = x[d] - x[b], x[a] - x[c]
        out[o0], out[o3 + last] = even + odd, even - odd
        if length % 2 == 0:
            falling, rising = -_HALF_ROOT * (x[b + last] + x[d + last]), _HALF_ROOT * (x[b + last] - x[d + last])
            out[o0 + last], out[o2 + last] = x[a + last] + rising, x[a + last] - rising
            out[o3], out[o1] = falling + x[c + last], falling - x[c + last]
        for i in range(2, length, 2):
            mirror = length - i
            r2 = turns[0, i - 2] * x[b + i - 1] + turns[0, i - 1] * x[b + i]
            i2 = turns[0, i - 2] * x[b + i] - turns[0, i - 1] * x[b + i - 1]
            r3 = turns[1, i - 2] * x[c + i - 1] + turns[1, i - 1] * x[c + i]
            i3 = turns[1, i - 2] * x[c + i] - turns[1, i - 1] * x[c + i - 1]
            r4 = turns[2, i - 2] * x[d + i - 1] + turns[2, i - 1] * x[d + i]
            i4 = turns[2, i - 2] * x[d + i] - turns[2, i - 1] * x[d + i - 1]
            r_odd, r_differ, i_odd, i_differ = r4 + r2, r4 - r2, i2 + i4, i2 - i4
            r_even, r_rest, i_even, i_rest = x[a + i - 1] + r3, x[a + i - 1] - r3, x[a + i] + i3, x[a + i] - i3
            out[o0 + i - 1], out[o3 + mirror - 1] = r_even + r_odd, r_even - r_odd
            out[o0 + i], out[o3 + mirror] = i_odd + i_even, i_odd - i_even
            out[o2 + i - 1], out[o1 + mirror - 1] = r_rest + i_differ, r_rest - i_differ
            out[o2 + i], out[o1 + mirror] = r_differ + i_rest, r_differ - i_rest


@numba.njit(nogil=True)
def _pass_of_two(x, out, length, turns):  # type: ignore[no-untyped-def] # compiled into the typed loops below
    last = length - 1
    out[0], out[length + last] = x[0] + x[length], x[0] - x[length]
    out[length], out[last] = -x[length + last], x[last]
    for i in range(2, length, 2):
        mirror = length - i
        r2 = turns[0, i - 2] * x[length + i - 1] + turns[0, i - 1] * x[length + i]
        i2 = turns[0, i - 2] * x[length + i] - turns[0, i - 1] * x[length + i - 1]
        out[i - 1], out[length + mirror - 1] = x[i - 1] + r2, x[i - 1] - r2
        out[i], out[length + mirror] = i2 + x[i], i2 - x[i]


@numba.njit(nogil=True)
def _transform(x, spare):  # type: ignore[no-untyped-def] # compiled into the typed loops below
    """The real Fourier transform of 512 numbers, left in `spare`: real part 0, then real and imaginary parts 1 to 255, then 256.

    Source: FFTPACK (Swarztrauber), in the order of operations of numpy's own, which takes five times as long for a live block.
    """
    _pass_of_four(x, spare, 1, 128, _TURNS_1)
    _pass_of_four(spare, x, 4, 32, _TURNS_2)
    _pass_of_four(x, spare, 16, 8, _TURNS_3)
    _pass_of_four(spare, x, 64, 2, _TURNS_4)
    _pass_of_two(x, spare, 256, _TURNS_5)


@numba.njit(nogil=True)
def _slopes_of_frame(pcm, start, floor, x, spectrum, slopes):  # type: ignore[no-untyped-def] # noqa: PLR0917 # compiled into the typed loops
    for k in range(WINDOW_SAMPLES):
        sample = pcm[start + k]
        x[k] = sample * _WINDOW[k] if np.isfinite(sample) else np.float32(0.0)
    _transform(x, spectrum)
    above = np.float32(0.0)
    for band in range(BANDS):
        energy = np.float32(floor)
        # No band reaches bin 0 or the last: both parts of every bin that is read are there.
        for k in range(_SPANS[band, 0], _SPANS[band, 1]):
            real, imag = np.float32(spectrum[2 * k - 1]), np.float32(spectrum[2 * k])
            energy += _WEIGHTS[band, k] * (real * real + imag * imag)
        level = np.log(energy)
        if band > 0:
            slopes[band - 1] = above - level
        above = level


@numba.njit(numba.float32[:, ::1](_SOUND, numba.float32), cache=True, nogil=True)
def _slopes_of(pcm, floor):  # type: ignore[no-untyped-def] # compiled: the signature above is the type
    n_frames = max(0, (len(pcm) - WINDOW_SAMPLES) // HOP_SAMPLES + 1)
    slopes = np.empty((n_frames, BITS), np.float32)
    x, spectrum = np.empty(WINDOW_SAMPLES, np.float64), np.empty(WINDOW_SAMPLES, np.float64)
    for frame in range(n_frames):
        _slopes_of_frame(pcm, frame * HOP_SAMPLES, floor, x, spectrum, slopes[frame])
    return slopes


@numba.njit(
    numba.uint32[:, ::1](numba.float32[::1], numba.int64, _SOUND, numba.int64, numba.int64, numba.float32[:, ::1]),
    cache=True,
    nogil=True,
)
def _feed(samples, n_kept, pcm, first, n_done, before):  # type: ignore[no-untyped-def] # noqa: PLR0917 # compiled: the signature above is the type
    """Signs and stills of the frames that `pcm` completes.

    Args:
        samples: `n_kept` samples before `pcm`; it is put behind them, with 0 for a NaN or infinity.
        n_kept: how many there are.
        pcm: the next samples.
        first: where in `samples` the next frame begins.
        n_done: frames before that.
        before: the slopes of the last `LAG_FRAMES` frames, that of frame n in row `n % LAG_FRAMES`; brought up to date.

    Returns:
        uint32 [shape=(2, n_frames)], new memory.
    """
    for i in range(len(pcm)):
        samples[n_kept + i] = pcm[i] if np.isfinite(pcm[i]) else np.float32(0.0)
    n_frames = max(0, (n_kept + len(pcm) - first - WINDOW_SAMPLES) // HOP_SAMPLES + 1)
    n_silent = min(n_frames, max(0, LAG_FRAMES - n_done))
    words = np.empty((2, n_frames - n_silent), np.uint32)
    x, spectrum = np.empty(WINDOW_SAMPLES, np.float64), np.empty(WINDOW_SAMPLES, np.float64)
    slopes = np.empty(BITS, np.float32)
    for frame in range(n_frames):
        _slopes_of_frame(samples, first + frame * HOP_SAMPLES, HEARD_FLOOR, x, spectrum, slopes)
        earlier = before[(n_done + frame) % LAG_FRAMES]
        sign, still = np.uint32(0), np.uint32(0)
        for band in range(BITS):
            contrast = slopes[band] - earlier[band]
            bit = np.uint32(1) << np.uint32(band)
            if contrast > 0:
                sign |= bit
            if abs(contrast) < np.float32(STILL_NATS):
                still |= bit
            earlier[band] = slopes[band]
        if frame >= n_silent:
            words[0, frame - n_silent], words[1, frame - n_silent] = sign, still
    return words


def slopes_of(pcm: Floats, *, floor: float = ENERGY_FLOOR) -> Floats:
    """The slopes of every whole frame of `pcm`.

    Args:
        pcm: float32 [shape=(n_samples,)], mono, 16 kHz; a NaN or infinity counts as 0.
        floor: added to each band's energy; `HEARD_FLOOR` for what a stream would say.

    Returns:
        float32 [shape=(n_frames, BITS)], nats, new memory; n_frames is 0 below `WINDOW_SAMPLES` samples.
    """
    slopes: Floats = _slopes_of(np.ascontiguousarray(pcm, np.float32), floor)
    return slopes


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamBits:
    """A run of consecutive frames of a stream, as the matchers read them.

    Attributes:
        first_frame: frame number of `signs[0]`.
        signs: uint32 [shape=(n_frames,)]; bit b is set where contrast b is positive.
        stills: uint32 [shape=(n_frames,)]; bit b is set where contrast b is smaller than `STILL_NATS`.
        sound: float32 [shape=(n_samples,)], the samples of these frames and `SOUND_KEPT_SAMPLES` before them, as far as the
            stream has any; empty where the bits are not of a stream.
        sound_first: number of `sound[0]`, counted from the grid's origin.
    """

    first_frame: int
    signs: Words
    stills: Words
    sound: Floats = field(default_factory=lambda: np.empty(0, np.float32))
    sound_first: int = 0

    def __len__(self) -> int:
        return len(self.signs)

    def between(self, first_frame: int, end_frame: int) -> "StreamBits":
        """The part from `first_frame` up to, not including, `end_frame`."""
        start, end = max(0, first_frame - self.first_frame), max(0, end_frame - self.first_frame)
        if start == 0 and end >= len(self.signs):
            return self
        return StreamBits(
            first_frame=self.first_frame + start,
            signs=self.signs[start:end],
            stills=self.stills[start:end],
            sound=self.sound,
            sound_first=self.sound_first,
        )


def pack_bits(bits: npt.NDArray[np.bool_]) -> Words:
    """Pack each frame's 32 booleans into a word, lowest band in bit 0.

    Args:
        bits: bool [shape=(n_frames, 32)].

    Returns:
        uint32 [shape=(n_frames,)], new memory.

    Raises:
        ValueError: the second axis is not 32.
    """
    if bits.ndim != 2 or bits.shape[1] != BITS:
        raise ValueError(f"pack_bits: shape {bits.shape}; it packs rows of {BITS}")
    packed: Words = np.packbits(bits, axis=1, bitorder="little").view("<u4").reshape(-1).astype(np.uint32)
    return packed


def contrasts_of(pcm: Floats, *, floor: float = ENERGY_FLOOR) -> Floats:
    """The contrasts of a whole recording; `floor` as in `slopes_of`.

    Returns:
        float32 [shape=(n_frames, BITS)], nats; row `n` belongs to frame `n + LAG_FRAMES`.
    """
    slopes = slopes_of(pcm, floor=floor)
    contrasts: Floats = slopes[LAG_FRAMES:] - slopes[:-LAG_FRAMES]
    return contrasts


class FeatureStream:
    """Bits of a stream that arrives in pieces; the pieces' sizes do not change them."""

    def __init__(self) -> None:
        self._sound: Floats = np.empty(SOUND_ROOM_SAMPLES, np.float32)
        self._sound_first = self._heard = 0
        self._before: Floats = np.zeros((LAG_FRAMES, BITS), np.float32)
        self._frames_done = 0

    def feed(self, pcm: Floats) -> StreamBits:
        """The bits of the frames that `pcm` completes.

        Args:
            pcm: float32 [shape=(n_samples,)], the samples after those fed before; a NaN or infinity counts as 0.
        """
        done, next_sample = self._frames_done, self._frames_done * HOP_SAMPLES
        first = max(self._sound_first, next_sample - SOUND_KEPT_SAMPLES)
        if self._heard + len(pcm) - self._sound_first > len(self._sound):
            self._move_on(first, len(pcm))
        kept = self._heard - self._sound_first
        words = _feed(
            self._sound, kept, np.ascontiguousarray(pcm, np.float32), next_sample - self._sound_first, done, self._before
        )
        self._heard += len(pcm)
        self._frames_done = max(done, (self._heard - WINDOW_SAMPLES) // HOP_SAMPLES + 1)
        sound = self._sound[first - self._sound_first : self._heard - self._sound_first]
        return StreamBits(first_frame=max(LAG_FRAMES, done), signs=words[0], stills=words[1], sound=sound, sound_first=first)

    def _move_on(self, first: int, n_samples: int) -> None:
        """Take other memory: what was given out stays as it is."""
        kept = self._sound[first - self._sound_first : self._heard - self._sound_first]
        self._sound = np.empty(max(SOUND_ROOM_SAMPLES, len(kept) + n_samples), np.float32)
        self._sound[: len(kept)] = kept
        self._sound_first = first
