"""Two channels become one, also where one of them arrives inverted. Pure: samples in, samples out.

A station that airs one channel inverted sounds right on headphones, but its mix is what the channels differ in. So the
correlation of left and right is followed; where it is plainly negative for some seconds the right channel is turned over before
it is mixed, and the mix is the one a right station would have given.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from fingerprints.audio import SAMPLE_RATE_HZ

SHARES: Final = (0.6, 0.4)
"""Of the left and the right channel. Not halves: until it is known that a channel is inverted nothing cancels itself out, it is
only 14 dB quieter."""
CELL_SAMPLES: Final = 1024
"""Channels are compared over 64 ms at a time, counted from the first sample; what is found holds from the next cell on. So the
mix depends on the samples and not on how they were cut into frames."""
TIME_CONSTANT_S: Final = 5.0
CORRELATION_LEAST: Final = 0.5
"""Below minus this the channels are against each other, above this they agree, between them nothing changes.

Source: 50 pieces of stereo music (Debian's wesnoth, warzone2100, hedgewars; 150 s each) never came below -0.5, and below -0.3 in
0.09 % of the time; 120 other pieces and spots: one came to -0.55. They were above 0.5 in 40 % of the time; speech always is.
"""
AUDIBLE_POWER: Final = 1e-7
"""Mean square of both channels (-70 dB full scale) below which a cell says nothing: silence is like all silence."""
FADE_SAMPLES: Final = 128
"""Turning over takes 8 ms: no click."""
PARAMETERS: Final[dict[str, object]] = {
    "shares": list(SHARES),
    "cell_samples": CELL_SAMPLES,
    "correlation_least": CORRELATION_LEAST,
    "audible_power": AUDIBLE_POWER,
}
"""What changes the mix of a recording (`seems_inverted`), and so its print."""

Pcm = npt.NDArray[np.float32]
_KEPT: Final = math.exp(-CELL_SAMPLES / SAMPLE_RATE_HZ / TIME_CONSTANT_S)


def correlation(left: Pcm, right: Pcm) -> float | None:
    """How alike two channels are: 1 for the same, -1 for one the other's opposite, near 0 for strangers or one alone.

    Args:
        left: float32 [shape=(n_samples,)].
        right: the same.

    Returns:
        -1 to 1; None when both are silent.
    """
    power = float(np.dot(left, left)) + float(np.dot(right, right))
    return 2.0 * float(np.dot(left, right)) / power if power > 2 * len(left) * AUDIBLE_POWER else None


class Downmix:
    """Left and right in, their mix out, piece by piece; any cutting gives the same samples.

    Args:
        inverted: whether the right channel is turned over to begin with, as an earlier connection of the same feed has found.
        follows: whether that may change; else the channels are only compared, as is right for a recording read whole.

    Attributes:
        inverted: whether it is turned over now. May be read from any thread.
    """

    def __init__(self, *, inverted: bool = False, follows: bool = True) -> None:
        self.inverted = inverted
        self._follows = follows
        self._cell = np.empty((2, CELL_SAMPLES), np.float32)
        self._filled = 0
        self._recent = 0.0
        self._sum, self._cells = 0.0, 0
        self._fading = False

    @property
    def seems_inverted(self) -> bool:
        """Whether one channel is inverted, judged by everything heard so far."""
        return self._cells > 0 and self._sum / self._cells < -CORRELATION_LEAST

    def feed(self, left: Pcm, right: Pcm) -> Pcm:
        """The mix of the next samples.

        Args:
            left: float32 [shape=(n_samples,)], at `SAMPLE_RATE_HZ`.
            right: the same number.

        Returns:
            float32 [shape=(n_samples,)], new memory.
        """
        mixed = np.empty(len(left), np.float32)
        begin = 0
        while begin < len(left):
            end = min(len(left), begin + CELL_SAMPLES - self._filled)
            self._mix(left[begin:end], right[begin:end], out=mixed[begin:end])
            if end - begin == CELL_SAMPLES:
                self._judge(left[begin:end], right[begin:end])
            else:
                self._cell[0, self._filled : self._filled + end - begin] = left[begin:end]
                self._cell[1, self._filled : self._filled + end - begin] = right[begin:end]
                self._filled += end - begin
                if self._filled == CELL_SAMPLES:
                    self._judge(*self._cell)
            begin = end
        return mixed

    def _mix(self, left: Pcm, right: Pcm, *, out: Pcm) -> None:
        """Mix a part of one cell."""
        share = np.float32(-SHARES[1] if self.inverted else SHARES[1])
        np.multiply(right, share, out=out)
        if self._fading and self._filled < FADE_SAMPLES:
            ramp = _RAMP[self._filled : self._filled + len(right)]
            out[: len(ramp)] *= ramp
        out += np.float32(SHARES[0]) * left

    def _judge(self, left: Pcm, right: Pcm) -> None:
        """A cell is full: what it tells holds from here on."""
        self._filled, self._fading = 0, False
        found = correlation(left, right)
        if found is None or not math.isfinite(found):
            return
        self._sum, self._cells = self._sum + found, self._cells + 1
        self._recent = _KEPT * self._recent + (1.0 - _KEPT) * found
        against = self._recent < (CORRELATION_LEAST if self.inverted else -CORRELATION_LEAST)
        if self._follows and against is not self.inverted:
            self.inverted, self._fading = against, True


_RAMP: Final = np.linspace(-1.0, 1.0, FADE_SAMPLES, endpoint=False, dtype=np.float32)
"""From the other polarity, through nothing, to this one."""
