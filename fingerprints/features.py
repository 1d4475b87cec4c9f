"""Features of sound: how the shape of the spectrum changes, a row of 32 numbers every 8 ms.

A frame is a Hann window of 32 ms. Its power is summed into 33 bands; the logarithm of each band's energy less that of the
next gives 32 *slopes*; a slope less the slope 16 ms earlier is a *contrast*. Gain cancels in the slope, static
equalisation in the contrast. What is left says how the timbre moves, which survives every broadcast codec.

Frame `n` covers samples `n * HOP_SAMPLES` up to `n * HOP_SAMPLES + WINDOW_SAMPLES`. Each frame is computed by itself, in the same
order of operations whatever the batch, so the result is the same to the last bit however the sound was delivered.
"""

from dataclasses import dataclass, field, replace
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

STILL_NATS: Final = 0.02
"""A smaller contrast is no movement at all: silence, or one steady tone. A still bit agrees with nothing."""

SOUND_KEPT_SAMPLES: Final = 8192
"""Of what was heard before the newest frames, half a second: the second test (`coherence.py`) looks back no further."""

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


@numba.njit("float32[:, ::1](complex64[:, ::1], float32[:, ::1], int64[:, ::1], float32)", cache=True, nogil=True)
def _slopes_of_spectra(spectra, weights, spans, floor):  # type: ignore[no-untyped-def] # compiled: the signature above is the type
    n_frames, n_bands = spectra.shape[0], weights.shape[0]
    slopes = np.empty((n_frames, n_bands - 1), np.float32)
    for frame in range(n_frames):
        above = np.float32(0.0)
        for band in range(n_bands):
            energy = floor
            for k in range(spans[band, 0], spans[band, 1]):
                real, imag = spectra[frame, k].real, spectra[frame, k].imag
                energy += weights[band, k] * (real * real + imag * imag)
            level = np.log(energy)
            if band > 0:
                slopes[frame, band - 1] = above - level
            above = level
    return slopes


@numba.njit("void(float32[:, ::1], float32, uint32[::1], uint32[::1])", cache=True, nogil=True)
def _pack_stream(contrasts, still_below, signs, stills):  # type: ignore[no-untyped-def] # compiled: the signature above is the type
    for frame in range(len(contrasts)):
        sign, still = np.uint32(0), np.uint32(0)
        for band in range(contrasts.shape[1]):
            bit = np.uint32(1) << np.uint32(band)
            if contrasts[frame, band] > 0:
                sign |= bit
            if abs(contrasts[frame, band]) < still_below:
                still |= bit
        signs[frame], stills[frame] = sign, still


_WEIGHTS: Final = band_weights()
_SPANS: Final = np.array([(row.nonzero()[0][0], row.nonzero()[0][-1] + 1) for row in _WEIGHTS], np.int64)
_WINDOW: Final = (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(WINDOW_SAMPLES) / WINDOW_SAMPLES)).astype(np.float32)


def slopes_of(pcm: Floats) -> Floats:
    """The slopes of every whole frame of `pcm`.

    Args:
        pcm: float32 [shape=(n_samples,)], mono, 16 kHz; a NaN or infinity counts as 0.

    Returns:
        float32 [shape=(n_frames, BITS)], nats, new memory; n_frames is 0 below `WINDOW_SAMPLES` samples.
    """
    if len(pcm) < WINDOW_SAMPLES:
        return np.empty((0, BITS), np.float32)
    pcm = np.ascontiguousarray(pcm, np.float32)
    n_frames = (len(pcm) - WINDOW_SAMPLES) // HOP_SAMPLES + 1
    # The same view as sliding_window_view's, which takes longer to make than a live block takes to transform.
    frames = np.ndarray((n_frames, WINDOW_SAMPLES), np.float32, pcm.data, 0, (HOP_SAMPLES * pcm.itemsize, pcm.itemsize))
    # numpy, not scipy: scipy.fft transforms several rows in one SIMD register and the last rows without, so that a frame's
    # last bit would depend on its neighbours.
    spectra = np.fft.rfft(frames * _WINDOW, axis=1)
    slopes: Floats = _slopes_of_spectra(spectra, _WEIGHTS, _SPANS, np.float32(ENERGY_FLOOR))
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
        return replace(self, first_frame=self.first_frame + start, signs=self.signs[start:end], stills=self.stills[start:end])


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


def contrasts_of(pcm: Floats) -> Floats:
    """The contrasts of a whole recording.

    Returns:
        float32 [shape=(n_frames, BITS)], nats; row `n` belongs to frame `n + LAG_FRAMES`.
    """
    slopes = slopes_of(pcm)
    contrasts: Floats = slopes[LAG_FRAMES:] - slopes[:-LAG_FRAMES]
    return contrasts


def stream_bits(contrasts: Floats, *, first_frame: int, sound: Floats, sound_first: int) -> StreamBits:
    """What the matchers need of a stream: signs, stillness and the samples themselves."""
    signs, stills = np.empty(len(contrasts), np.uint32), np.empty(len(contrasts), np.uint32)
    _pack_stream(contrasts, np.float32(STILL_NATS), signs, stills)
    return StreamBits(first_frame=first_frame, signs=signs, stills=stills, sound=sound, sound_first=sound_first)


class FeatureStream:
    """Bits of a stream that arrives in pieces; the pieces' sizes do not change them."""

    def __init__(self) -> None:
        self._sound: Floats = np.empty(0, np.float32)
        self._sound_first = 0
        self._slopes: Floats = np.empty((0, BITS), np.float32)
        self._frames_done = 0

    def feed(self, pcm: Floats) -> StreamBits:
        """The bits of the frames that `pcm` completes.

        Args:
            pcm: float32 [shape=(n_samples,)], the samples after those fed before; a NaN or infinity counts as 0.
        """
        pcm = np.asarray(pcm, np.float32)
        if not np.isfinite(pcm).all():
            pcm = np.nan_to_num(pcm, nan=0.0, posinf=0.0, neginf=0.0)
        sound, sound_first = np.concatenate([self._sound, pcm]), self._sound_first
        fresh = slopes_of(sound[self._frames_done * HOP_SAMPLES - sound_first :])
        slopes = np.concatenate([self._slopes, fresh])
        first_frame = self._frames_done - len(self._slopes) + LAG_FRAMES
        self._frames_done += len(fresh)
        forgotten = max(0, self._frames_done * HOP_SAMPLES - SOUND_KEPT_SAMPLES - sound_first)
        self._sound, self._sound_first = sound[forgotten:], sound_first + forgotten
        self._slopes = slopes[-LAG_FRAMES:]
        contrasts = slopes[LAG_FRAMES:] - slopes[:-LAG_FRAMES] if len(slopes) > LAG_FRAMES else slopes[:0]
        return stream_bits(contrasts, first_frame=first_frame, sound=sound, sound_first=sound_first)
