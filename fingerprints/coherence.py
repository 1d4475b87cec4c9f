"""Is it the very waveform of the spot? The second test, for the few hypotheses that pass the first.

Bits of the spectrum's shape say that something begins *like* the spot. Broadcast codecs, compressors and equalisers keep
more than that: up to 3.6 kHz the waveform itself arrives, under noise and under a voice. So each head also keeps its
*wave*: the signs of its first 0.68 s at 8 kHz, whitened, 680 bytes. Where the bits hold a hypothesis for possible, the stream's
samples are whitened too and correlated with the wave over some milliseconds of lag.

Two recordings that are not the same one correlate by chance only, and how much is known: the correlation coefficient of
independent signals is normal around 0, its variance follows from both signals' own autocorrelations (Bartlett). So the evidence
needs no training, and its tail falls by about one nat a nat. Two buzzes or synthetic notes of one pitch are an exception,
their harmonics may be in step: what is heard counts only as far as it does not repeat itself. The absolute value of the
correlation is taken, since an inverted channel is the same waveform.

Nothing here knows streams or files: samples and words in, nats out.

Source:
    Bartlett 1946, On the theoretical specification and sampling properties of autocorrelated time-series; Knapp & Carter 1976
    (whitening before correlating); measured in docs/adr/0011.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt
import scipy.fft

from fingerprints import kernels
from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.features import Floats, Words

STRIDE: Final = 2
"""Every second sample of 16 kHz: a wave is kept at 8 kHz."""
WAVE_SAMPLES: Final = 5440
WAVE_WORDS: Final = WAVE_SAMPLES // 32
"""0.68 s, 680 bytes a spot: as long as the last birth needs."""
LOWEST_HZ: Final = 200.0
HIGHEST_HZ: Final = 3600.0
"""What every codec keeps, and what an AM channel keeps nearly all of."""
WHITENED_OVER_HZ: Final = 60.0
"""Each frequency is divided by the magnitude this far around it: lines stay lines, equalisation goes."""
WHITENED_FLOOR: Final = 1e-4
"""Of the strongest power: 40 dB below it nothing is raised any more."""
PADDING_SAMPLES: Final = 512
"""Zeros behind what is whitened, so that its end does not ring into its beginning."""
LAG_SAMPLES: Final = 64
"""How far (4 ms) beside the hypothesis the best lag is looked for: half a hop, and as much again for clocks and codecs."""
PERIOD_SAMPLES: Final = (16, 240)
"""Of 8 kHz: sound that repeats itself after 2 to 30 ms has a pitch, and its waveform tells little more than that."""
COMPARED_SAMPLES_MAX: Final = 6400
COMPARED_SAMPLES_LEAST: Final = 800
"""Of the stream, 16 kHz: the last 0.4 s at most, 50 ms at least."""

PIECE_SAMPLES: Final = 256
"""32 ms of 8 kHz."""
SIGNS_SHARE: Final = 2 / math.pi
"""Of a sound's power, what its signs alone explain."""
WHOLE_SHARE: Final = 0.3
"""A piece of whose power the wave explains this share is the wave's: the rest is codec, equaliser, and a voice over it."""
EXTENT_LEAST: Final = 3.3
UNSPREAD_NATS: Final = 6.0
"""Music is made of samples: one drum, the same to the last bit in two tracks, fills a tenth of a second. Evidence that does not
spread over 106 ms of sound says no more than this, however much it is. Source: docs/adr/0011."""
CHECK_FRAMES: Final = 2
"""A hypothesis' waveform is compared at its birth and each time it is 16 ms older."""
CHECK_LEAST_NATS: Final = 16.0
"""And only where the bits say this much: what shares a sample or a bed with the spot agrees in its waveform, and little else."""
BITS_SHARE: Final = 0.2
"""What a nat of bits counts beside one of the waveform. Bits of neighbouring frames and bands repeat each other, so the tail of
impostors' bits falls by about 0.2 a nat, not by 1; with this share one slope fits both. Source: docs/adr/0011."""
FLAWLESS_SQUARED: Final = 0.5
"""The squared correlation of a sound with the signs of itself, whitened in other pieces: 0.64 less what the pieces cost."""


def whitened(pcm: Floats) -> Floats:
    """The sound between `LOWEST_HZ` and `HIGHEST_HZ` with all frequencies about equally strong.

    Args:
        pcm: float32 [shape=(n_samples,)], 16 kHz.

    Returns:
        float32 [shape=(n_samples,)], new memory; zeros stay zeros.
    """
    size = scipy.fft.next_fast_len(len(pcm) + PADDING_SAMPLES, real=True)
    spectrum = scipy.fft.rfft(pcm, size)
    a_bin = SAMPLE_RATE_HZ / size
    first, end = math.ceil(LOWEST_HZ / a_bin), math.floor(HIGHEST_HZ / a_bin) + 1
    kernels.flatten(spectrum, first, end, max(1, int(WHITENED_OVER_HZ / a_bin)), WHITENED_FLOOR)
    out: Floats = scipy.fft.irfft(spectrum, size)[: len(pcm)]
    return out


def wave_of(pcm: Floats) -> Words:
    """The wave of a head.

    Args:
        pcm: float32 [shape=(n_samples,)], 16 kHz, from the head's first row on; what is missing of 0.68 s counts as silence.

    Returns:
        uint32 [shape=(WAVE_WORDS,)]: bit `i % 32` of word `i // 32` is set where sample `i` is positive.
    """
    whole = np.zeros(WAVE_SAMPLES * STRIDE, np.float32)
    part = pcm[: len(whole)]
    whole[: len(part)] = part
    positive = whitened(whole)[::STRIDE] > 0
    words: Words = np.packbits(positive, bitorder="little").view("<u4").astype(np.uint32)
    return words


def signs_of(wave: Words) -> Floats:
    """The wave as numbers, float32 [shape=(WAVE_SAMPLES,)], -1 or 1."""
    bits = np.unpackbits(np.ascontiguousarray(wave, "<u4").view(np.uint8), bitorder="little")
    signs: Floats = 2.0 * bits.astype(np.float32) - 1.0
    return signs


def coherence_nats(wave: Words, *, heard: Floats, skipped: int, least: float = 0.0) -> float:
    """The evidence that these samples are a wave's, somewhere within `LAG_SAMPLES` of where they are thought to lie.

    Args:
        wave: uint32 [shape=(WAVE_WORDS,)].
        heard: float32 [shape=(n_samples,)], 16 kHz; `heard[LAG_SAMPLES]` is thought to be sample `skipped` of the head.
        skipped: even; samples of 16 kHz between the wave's first and there.
        least: evidence that cannot come to this much need not be known exactly: 0 is returned for it.

    Returns:
        Nats, 0 or more; 0 where too little can be compared. Of another recording about 3, above 20 in one of 1e8.
    """
    first = skipped // STRIDE
    n = min((len(heard) - 2 * LAG_SAMPLES) // STRIDE, WAVE_SAMPLES - first)
    if n < COMPARED_SAMPLES_LEAST // STRIDE:
        return 0.0
    signs = signs_of(wave)[first : first + n]
    white = whitened(heard[: n * STRIDE + 2 * LAG_SAMPLES])
    phases = [np.ascontiguousarray(white[phase::STRIDE]) for phase in range(STRIDE)]
    lag, squared = kernels.best_lag(signs, phases[0], phases[1], LAG_SAMPLES + 1)
    if -0.5 * n * math.log1p(-min(squared, 1.0 - 1e-9)) < least:
        return 0.0  # not even white noise would make it more
    aired = phases[lag % STRIDE][lag // STRIDE : lag // STRIDE + n]
    evidence = _nats(signs, aired, squared)
    spread = evidence <= UNSPREAD_NATS or extent(signs, aired) >= EXTENT_LEAST
    return evidence if spread else UNSPREAD_NATS


def _nats(signs: Floats, aired: Floats, squared: float) -> float:
    evidence = -0.5 / chance_variance(signs, aired) * math.log1p(-min(squared, 1.0 - 1e-9))
    return evidence * (1.0 - periodicity(aired) ** 2)


def extent(signs: Floats, aired: Floats) -> float:
    """How much of what was heard is the wave, in pieces of `PIECE_SAMPLES`.

    Args:
        signs: float32 [shape=(n,)], of the wave.
        aired: float32 [shape=(n,)], whitened, at the best lag.

    Returns:
        The sum over the pieces of the share of their power that the wave explains, against `WHOLE_SHARE`, each at most 1; what is
        left over at the end counts as the part of a piece it is.
    """
    explained = 0.0
    for first in range(0, len(signs), PIECE_SAMPLES):
        wanted, heard = signs[first : first + PIECE_SAMPLES], aired[first : first + PIECE_SAMPLES]
        power = float(np.dot(heard, heard)) * len(heard)
        share = float(np.dot(wanted, heard)) ** 2 / power / SIGNS_SHARE if power > 0 else 0.0
        explained += min(1.0, share / WHOLE_SHARE) * len(heard) / PIECE_SAMPLES
    return explained


def flawless_nats(wave: Words, *, skipped: int, n_samples: int) -> float:
    """The evidence to expect of a reception without a flaw.

    Args:
        wave: uint32 [shape=(WAVE_WORDS,)].
        skipped: samples of 16 kHz between the wave's first and where comparing begins.
        n_samples: samples of 16 kHz compared.
    """
    signs = signs_of(wave)[skipped // STRIDE : (skipped + n_samples) // STRIDE]
    return _nats(signs, signs, FLAWLESS_SQUARED) if len(signs) >= COMPARED_SAMPLES_LEAST // STRIDE else 0.0


def chance_variance(one: Floats, other: Floats) -> float:
    """The variance of the correlation coefficient of two signals that have nothing to do with each other.

    Args:
        one: float32 [shape=(n,)].
        other: float32 [shape=(n,)].

    Returns:
        At least 1/n, which is that of white noise; at most 1.

    Source:
        Bartlett 1946: the sum of the products of both autocorrelations, over n. Parseval turns it into one of spectra.
    """
    n = len(one)
    size = scipy.fft.next_fast_len(2 * n, real=True)
    both = _power(one, size) * _power(other, size)
    products = (2.0 * float(both.sum()) - float(both[0] + (both[-1] if size % 2 == 0 else 0.0))) / size
    energy = float(np.dot(one, one)) * float(np.dot(other, other))
    return min(1.0, max(1.0 / n, products / energy / n)) if energy > 0 else 1.0


def periodicity(signal: Floats) -> float:
    """How alike a signal is to itself one period later, for the period of `PERIOD_SAMPLES` at which it is most so.

    Args:
        signal: float32 [shape=(n,)].

    Returns:
        The highest autocorrelation coefficient, 0 to 1: near 1 for a buzz or a note, 0.1 to 0.4 for most music and speech.
    """
    n = len(signal)
    lags = np.arange(PERIOD_SAMPLES[0], min(PERIOD_SAMPLES[1], n // 2) + 1)
    if not len(lags):
        return 0.0
    size = scipy.fft.next_fast_len(2 * n, real=True)
    products = scipy.fft.irfft(_power(signal, size), size)[lags]
    energy = np.concatenate([[0.0], np.cumsum(np.square(signal, dtype=np.float64))])
    norms = np.sqrt(energy[n - lags] * (energy[n] - energy[lags]))
    return min(1.0, max(0.0, float((products / (norms + 1e-20)).max())))


def _power(signal: Floats, size: int) -> npt.NDArray[np.float64]:
    spectrum = scipy.fft.rfft(signal, size)
    power: npt.NDArray[np.float64] = spectrum.real.astype(np.float64) ** 2 + spectrum.imag.astype(np.float64) ** 2
    return power
