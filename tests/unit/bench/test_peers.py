"""The other methods work: a comparison with something broken would say nothing."""

import numpy as np
import pytest

from bench.material import Pcm
from bench.peers import RUN_ITEMS, Landmarks, chromaprint_evidence, item_known_s

RATE_HZ = 16_000


@pytest.fixture
def melody() -> Pcm:
    """Eight seconds of chords that change four times a second."""
    rng = np.random.default_rng(11)
    t = np.arange(RATE_HZ // 4) / RATE_HZ
    notes = [sum(np.sin(2 * np.pi * hz * t) for hz in rng.uniform(200, 3000, 4)) * np.exp(-4 * t) for _ in range(32)]
    return (0.1 * np.concatenate(notes)).astype(np.float32)


def test_landmarks_vote_for_the_reference_that_sounds(melody: Pcm) -> None:
    """The spot in the stream has far more votes at one offset than the one that is not."""
    other = melody[::-1].copy()
    stream = np.concatenate([np.zeros(RATE_HZ, np.float32), melody])
    _, votes = Landmarks([melody, other]).votes(stream)
    assert votes[-1, 0] > 20
    assert votes[-1, 0] > 4 * votes[-1, 1]


def test_landmarks_count_nothing_before_it_sounds(melody: Pcm) -> None:
    """No vote may come from sound that has not been heard yet."""
    stream = np.concatenate([np.zeros(2 * RATE_HZ, np.float32), melody])
    positions_s, votes = Landmarks([melody]).votes(stream)
    assert votes[positions_s < 2.0].max() == 0


def test_chromaprint_items_match_where_they_lie() -> None:
    """A reference inside a stream agrees wholly where it ends, and no item is compared before it has come."""
    rng = np.random.default_rng(12)
    stream = rng.integers(0, 2**32, 60, dtype=np.uint32)
    reference = stream[20:35]
    evidence = chromaprint_evidence(reference, stream)
    assert np.flatnonzero(evidence == 1.0).tolist() == list(range(20 + RUN_ITEMS - 1, 35))
    assert evidence[: 20 - RUN_ITEMS].max() < 0.75


def test_first_chromaprint_item_needs_nearly_three_seconds() -> None:
    """`fpcalc` yields none from 2.72 s of sound and one from 2.75 s."""
    assert 2.715 < item_known_s(0) < 2.75
