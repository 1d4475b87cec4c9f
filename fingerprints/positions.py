"""Where in a feed a sample stands and when it arrived. Pure: told by blocks."""

from collections import deque
from dataclasses import dataclass, replace

from fingerprints.audio import SAMPLE_RATE_HZ, AudioBlock

ARRIVALS_MAX = 2_000
"""Blocks whose arrival is remembered, about 40 s: no decision comes later after its onset."""


class Arrivals:
    """When each sample of the recent past arrived."""

    def __init__(self) -> None:
        self._blocks: deque[tuple[int, int, int, int]] = deque(maxlen=ARRIVALS_MAX)

    def note(self, block: AudioBlock) -> None:
        """Remember a block's arrival, and that its samples came evenly since the one before it."""
        length_ns = _ns(len(block.pcm))
        if self._blocks and not block.gap:
            length_ns = min(length_ns, max(0, block.seen_mono_ns - self._blocks[-1][2]))
        self._blocks.append((block.first_sample, len(block.pcm), block.seen_mono_ns, length_ns))

    def mono_ns(self, sample: int) -> int:
        """When a sample arrived.

        A block arrives as a whole; its samples are taken to have arrived evenly between the block before and
        this one, but no slower than they play. Older samples than remembered are reckoned back by their distance.

        Raises:
            ValueError: nothing has arrived yet.
        """
        for first, n_samples, seen_mono_ns, length_ns in reversed(self._blocks):
            if sample >= first:
                left = max(0, first + n_samples - sample)
                return seen_mono_ns - length_ns * left // n_samples
        if not self._blocks:
            raise ValueError(f"sample {sample}: nothing has arrived yet")
        first, _, seen_mono_ns, length_ns = self._blocks[0]
        return seen_mono_ns - length_ns - _ns(first - sample)


@dataclass(slots=True)
class Positions:
    """Stream positions that keep growing over reconnects."""

    _offset: int = 0
    _next_sample: int = 0
    _seen_mono_ns: int = 0
    _fresh: bool = False

    def reconnect(self) -> None:
        """The next block is the first of another connection."""
        self._fresh = self._seen_mono_ns > 0

    def expected(self, block: AudioBlock) -> int:
        """Where a block will stand if it is placed next; just behind what was placed while a new connection has no place yet."""
        return self._next_sample - len(block.pcm) if self._fresh else block.first_sample + self._offset

    def place(self, block: AudioBlock, *, joined: bool = False) -> AudioBlock:
        """The block at its position since the feed was first opened; the time without sound counts as it passed.

        Args:
            joined: after a reconnect, the block goes on exactly where the sound before it ended.
        """
        fresh, self._fresh = self._fresh, False
        if fresh and joined:
            self._offset, fresh = self._next_sample - block.first_sample, False
        elif fresh:
            away_samples = (block.seen_mono_ns - self._seen_mono_ns) * SAMPLE_RATE_HZ // 1_000_000_000 - len(block.pcm)
            self._offset = self._next_sample + max(1, away_samples) - block.first_sample
        placed = block
        if self._offset or fresh:
            placed = replace(block, first_sample=block.first_sample + self._offset, gap=block.gap or fresh)
        self._next_sample, self._seen_mono_ns = placed.first_sample + len(block.pcm), block.seen_mono_ns
        return placed


def _ns(samples: int) -> int:
    return samples * 1_000_000_000 // SAMPLE_RATE_HZ
