"""How loud a recording is, by EBU R 128: integrated loudness, and the highest sample.

Source: ITU-R BS.1770-4 (K-weighting, gating), EBU R 128 (target -23 LUFS ±0.5), EBU Tech 3341 (the values the tests hold it to).
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

TARGET_LUFS: Final = -23.0
TOLERANCE_LU: Final = 1.0
"""R 128 allows ±0.5 LU where it is exact, ±1 LU for live programmes and for what a downmix or a codec changes."""

BLOCK_S: Final = 0.4
STEP_S: Final = 0.1
ABSOLUTE_GATE_LUFS: Final = -70.0
RELATIVE_GATE_LU: Final = -10.0
CLIPPED_AT: Final = 0.9995
CLIPPED_RUN: Final = 4
"""This many full-scale samples in a row are a flat top, not a peak."""

Channels = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loudness:
    """A recording measured.

    Attributes:
        integrated_lufs: gated loudness, -inf when it is silent.
        peak_db: the highest sample, dB full scale, -inf when it is silent.
        clipped_runs: how often at least 4 samples in a row are at full scale.
    """

    integrated_lufs: float
    peak_db: float
    clipped_runs: int


def measure(channels: Channels, rate_hz: int) -> Loudness:
    """The loudness of a recording.

    Args:
        channels: float64 [shape=(n_channels, n_samples)], -1 to 1; each channel counts alike (mono and stereo).
        rate_hz: its sample rate.
    """
    peak = float(np.max(np.abs(channels), initial=0.0))
    return Loudness(
        integrated_lufs=_gated(_block_powers(_k_weighted(channels, rate_hz), rate_hz)),
        peak_db=20 * math.log10(peak) if peak > 0 else -math.inf,
        clipped_runs=sum(_clipped_runs(channel) for channel in channels),
    )


def k_filters(rate_hz: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The two stages of the K-weighting at any rate, as (b, a) of a shelf and of a high-pass.

    Source: ITU-R BS.1770-4 gives coefficients at 48 kHz only; these are the analogue prototypes behind them.
    """
    k = math.tan(math.pi * 1681.974450955533 / rate_hz)
    q, high = 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    middle = high**0.4996667741545416
    scale = 1 + k / q + k * k
    shelf = np.array(
        [
            [(high + middle * k / q + k * k) / scale, 2 * (k * k - high) / scale, (high - middle * k / q + k * k) / scale],
            [1.0, 2 * (k * k - 1) / scale, (1 - k / q + k * k) / scale],
        ]
    )
    k, q = math.tan(math.pi * 38.13547087602444 / rate_hz), 0.5003270373238773
    scale = 1 + k / q + k * k
    high_pass = np.array([[1.0, -2.0, 1.0], [1.0, 2 * (k * k - 1) / scale, (1 - k / q + k * k) / scale]])
    return shelf, high_pass


def _k_weighted(channels: Channels, rate_hz: int) -> Channels:
    from scipy.signal import lfilter

    shelf, high_pass = k_filters(rate_hz)
    weighted: Channels = lfilter(high_pass[0], high_pass[1], lfilter(shelf[0], shelf[1], channels, axis=1), axis=1)
    return weighted


def _block_powers(channels: Channels, rate_hz: int) -> npt.NDArray[np.float64]:
    block, step = round(BLOCK_S * rate_hz), round(STEP_S * rate_hz)
    if channels.shape[1] < block:
        return np.empty(0)
    sums = np.concatenate([[0.0], np.cumsum(np.square(channels).sum(axis=0))])
    first = np.arange(0, channels.shape[1] - block + 1, step)
    powers: npt.NDArray[np.float64] = (sums[first + block] - sums[first]) / block
    return powers


def _gated(powers: npt.NDArray[np.float64]) -> float:
    heard = powers[powers > _power(ABSOLUTE_GATE_LUFS)]
    if not len(heard):
        return -math.inf
    loud = heard[heard > heard.mean() * 10 ** (RELATIVE_GATE_LU / 10)]
    return _lufs(float(loud.mean()))


def _lufs(power: float) -> float:
    return -0.691 + 10 * math.log10(power)


def _power(lufs: float) -> float:
    return float(10 ** ((lufs + 0.691) / 10))


def _clipped_runs(channel: npt.NDArray[np.float64]) -> int:
    full = np.concatenate([[False], np.abs(channel) >= CLIPPED_AT, [False]])
    edges = np.flatnonzero(full[1:] != full[:-1])
    return int(((edges[1::2] - edges[::2]) >= CLIPPED_RUN).sum())
