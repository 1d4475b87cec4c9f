"""The form in which sound travels inside `fingerprints`."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SAMPLE_RATE_HZ = 16_000
"""Everything is resampled to this rate, mono, before features are taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioBlock:
    """A run of consecutive samples of one feed.

    Attributes:
        pcm: float32 [shape=(n_samples,)], mono, `SAMPLE_RATE_HZ`, nominal range -1 to 1; not to be
            written to.
        first_sample: index of `pcm[0]` since the feed was first opened. After a gap (a reconnect)
            it jumps ahead of the previous block's end, so that stream positions keep growing.
        seen_mono_ns: when the last of these samples arrived.
        gap: True when samples are missing before this block; matching starts afresh.
    """

    pcm: npt.NDArray[np.float32]
    first_sample: int
    seen_mono_ns: int
    gap: bool = False
