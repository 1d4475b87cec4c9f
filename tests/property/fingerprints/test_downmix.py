"""The mix depends on the samples, not on how they were delivered."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from fingerprints.downmix import Downmix

SECONDS = 12


def channels(seed: int, signs: list[int]) -> npt.NDArray[np.float32]:
    """Stereo noise that changes its polarity and falls silent, every second anew: float32 [shape=(2, n_samples)]."""
    rng = np.random.default_rng(seed)
    middle, side = rng.normal(0, 0.1, (2, SECONDS, 16_000))
    factors = np.array(signs)[:, None]
    return np.stack([(middle + 0.3 * side) * np.abs(factors), (middle - 0.3 * side) * factors]).reshape(2, -1).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    signs=st.lists(st.sampled_from([-1, -1, 1, 0]), min_size=SECONDS, max_size=SECONDS),
    cuts=st.lists(st.integers(0, SECONDS * 16_000), max_size=60),
)
def test_chunking_never_changes_the_mix(seed: int, signs: list[int], cuts: list[int]) -> None:
    """Any way of cutting gives the samples of the whole, and the same polarity at the end."""
    pcm = channels(seed, signs)
    whole, pieces = Downmix(), Downmix()

    expected = whole.feed(pcm[0], pcm[1])
    parts = [pieces.feed(pcm[0, begin:end], pcm[1, begin:end]) for begin, end in pairwise([0, *sorted(cuts), pcm.shape[1]])]

    assert np.array_equal(np.concatenate(parts), expected)
    assert (pieces.inverted, pieces.seems_inverted) == (whole.inverted, whole.seems_inverted)
