"""Resampled sound depends on the samples, not on how they were delivered."""

from itertools import pairwise

import av
import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from fingerprints.capture import Resampler


def resampled(pcm: npt.NDArray[np.float32], rate_hz: int, cuts: list[int]) -> npt.NDArray[np.float32]:
    """All of `pcm` [shape=(n_samples, 2)] through a `Resampler`, cut into frames."""
    resampler, parts = Resampler(), []
    for begin, end in pairwise([0, *sorted(cuts), len(pcm)]):
        if begin == end:
            continue
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm[begin:end].reshape(1, -1)), format="flt", layout="stereo")
        frame.sample_rate = rate_hz
        parts.append(resampler.feed(frame))
    return np.concatenate([*parts, resampler.feed(None)])


@settings(max_examples=60, deadline=None)
@given(
    rate_hz=st.sampled_from([8_000, 16_000, 32_000, 44_100, 48_000]),
    total=st.integers(1, 9_000),
    shares=st.lists(st.floats(0, 1), max_size=12),
    seed=st.integers(0, 2**32 - 1),
)
def test_chunking_never_changes_samples(rate_hz: int, total: int, shares: list[float], seed: int) -> None:
    """Any way of cutting gives the same samples as none, and at most a filter's length (4 ms) is missing."""
    pcm = np.random.default_rng(seed).uniform(-1, 1, (total, 2)).astype(np.float32)

    whole = resampled(pcm, rate_hz, [])

    assert np.array_equal(resampled(pcm, rate_hz, [int(share * total) for share in shares]), whole)
    assert abs(len(whole) - total * 16_000 / rate_hz) <= 64
