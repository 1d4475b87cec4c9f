"""What a new connection brings again: a server's burst, or a segment that was heard already. Pure.

After a break the first second of the new sound is held back and looked for in the last half minute of the old. If it is there,
everything up to the end of what had been heard is left out: no spot is heard twice, and the position goes on with no gap.
"""

import math
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from fingerprints.audio import SAMPLE_RATE_HZ, AudioBlock

HISTORY_S: Final = 30.0
"""More than a server's usual burst (64 KiB: 8 s at 64 kbit/s) or a segment; 1 MB a feed."""
HELD_S: Final = 1.0
ALIKE: Final = 0.9
"""Correlation of the waveforms above which sound is the same: the very stream decoded again has 0.99 and more."""
CHECK_SAMPLES: Final = SAMPLE_RATE_HZ // 4
"""While sound is left out, each quarter of a second must still equal what was heard; else it is new."""
AUDIBLE_RMS: Final = 1e-3
"""Quieter sound (-60 dB) is not compared: silence is like all silence."""

Pcm = npt.NDArray[np.float32]


class Repeats:
    """Blocks in, the blocks that are new out; after a reconnect the first of them come `HELD_S` later.

    A held second costs nothing where sound is repeated, since a burst arrives faster than it plays.
    """

    def __init__(self) -> None:
        self._heard = np.zeros(round(HISTORY_S * SAMPLE_RATE_HZ), np.int16)
        self._written = 0
        self._held: list[AudioBlock] | None = None
        self._skipping: Pcm = np.empty(0, np.float32)
        self._joined = False
        self.left_out_s = 0.0

    def take_joined(self) -> bool:
        """Whether the block handed out last goes on exactly where the sound before the break ended; asked once."""
        joined, self._joined = self._joined, False
        return joined

    def reconnect(self) -> None:
        """The next block is the first of another connection."""
        self._skipping, self._joined = np.empty(0, np.float32), False
        self._held = [] if self._written else None

    def sift(self, block: AudioBlock) -> list[AudioBlock]:
        """The new sound that is ready after this block."""
        if self._held is not None:
            self._held.append(block)
            if sum(len(one.pcm) for one in self._held) < HELD_S * SAMPLE_RATE_HZ:
                return []
            return self.release()
        return self._pass(block)

    def release(self) -> list[AudioBlock]:
        """What is held back, sifted: nothing more may come."""
        held, self._held = self._held or [], None
        if held:
            self._skipping = self._repeated(np.concatenate([one.pcm for one in held]))
        return [ready for one in held for ready in self._pass(one)]

    def _pass(self, block: AudioBlock) -> list[AudioBlock]:
        fresh = self._leave_out(block)
        if not len(fresh.pcm):
            return []
        self._remember(fresh.pcm)
        return [fresh]

    def _leave_out(self, block: AudioBlock) -> AudioBlock:
        """The block without the part that was heard before."""
        old, new = self._skipping, block.pcm
        if not len(old):
            return block
        size = min(len(old), len(new))
        self._skipping = old[size:]
        if _differ(old[:size], new[:size]):
            self._skipping = np.empty(0, np.float32)
            return block
        self.left_out_s += size / SAMPLE_RATE_HZ
        self._joined = not len(self._skipping)
        return replace(block, pcm=new[size:], first_sample=block.first_sample + size)

    def _repeated(self, start: Pcm) -> Pcm:
        """The heard sound from where `start` stands in it to its end; empty where it does not."""
        if float(np.sqrt(np.mean(np.square(start)))) < AUDIBLE_RMS:
            return self._skipping[:0]
        heard = self._history()
        if len(heard) < CHECK_SAMPLES:
            return heard[:0]
        # The old sound may end within the held second: its tail is looked for, too.
        padded: npt.NDArray[np.float64] = np.concatenate([heard, np.zeros(len(start), np.float32)]).astype(np.float64)
        size = 1 << (len(padded) + len(start)).bit_length()
        dots = np.fft.irfft(np.fft.rfft(padded, size) * np.conj(np.fft.rfft(start, size)), size)[: len(heard)]
        old_power = np.concatenate([[0.0], np.cumsum(np.square(padded, dtype=np.float64))])
        old_power = (old_power[len(start) :] - old_power[: -len(start)])[: len(heard)]
        own_power = np.cumsum(np.square(start, dtype=np.float64))
        overlap = np.minimum(len(start), len(heard) - np.arange(len(heard)))
        norms = np.sqrt(np.maximum(old_power, 1e-9) * np.maximum(own_power[overlap - 1], 1e-9))
        likeness = np.where(overlap >= CHECK_SAMPLES, dots / norms, 0.0)
        best = int(np.argmax(likeness))
        return heard[best:] if float(likeness[best]) >= ALIKE else heard[:0]

    def _remember(self, pcm: Pcm) -> None:
        samples = np.clip(pcm[-len(self._heard) :], -1.0, 1.0) * np.float32(32_767)
        np.rint(samples, out=samples)
        place = self._written % len(self._heard)
        before_end = min(len(samples), len(self._heard) - place)
        self._heard[place : place + before_end] = samples[:before_end]
        self._heard[: len(samples) - before_end] = samples[before_end:]
        self._written += len(samples)

    def _history(self) -> Pcm:
        """The newest sound that was handed out, oldest first."""
        end = self._written % len(self._heard)
        rolled = np.roll(self._heard, -end) if self._written >= len(self._heard) else self._heard[:end]
        samples: Pcm = rolled.astype(np.float32) / np.float32(32_767)
        return samples


def _differ(old: Pcm, new: Pcm) -> bool:
    """Whether two stretches are plainly not the same sound."""
    old_power, new_power = float(np.dot(old, old)), float(np.dot(new, new))
    if max(old_power, new_power) < len(old) * AUDIBLE_RMS**2:
        return False
    return float(np.dot(old, new)) < 0.5 * math.sqrt(old_power * new_power)
