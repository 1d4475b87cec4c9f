"""The compiled loops against the same in slow plain Python."""

import numpy as np
import numpy.typing as npt
import pytest

from fingerprints import kernels
from fingerprints.prints import LOSSES

Words = npt.NDArray[np.uint32]
Floats = npt.NDArray[np.float32]


def _slow_score(row: Words, gain: float, sign: int, still: int) -> float:
    score = gain
    for bit in range(32):
        flipped = ((int(row[0]) ^ sign) | still) >> bit & 1
        magnitude = (int(row[1]) >> bit & 1) + 2 * (int(row[2]) >> bit & 1)
        if flipped and magnitude:
            score -= float(LOSSES[magnitude - 1])
    return score


def _random(seed: int, rows: int, frames: int) -> tuple[Words, Floats, Words, Words]:
    rng = np.random.default_rng(seed)
    words = rng.integers(0, 2**32, (rows, 3), dtype=np.uint32)
    gains = rng.uniform(8, 16, rows).astype(np.float32)
    # The stream repeats the reference with some bits flipped, so that hypotheses of every age live.
    noise = rng.integers(0, 2**32, frames, dtype=np.uint32) & rng.integers(0, 2**32, frames, dtype=np.uint32)
    signs = np.resize(words[:, 0], frames) ^ (noise & rng.integers(0, 2**32, frames, dtype=np.uint32))
    return words, gains, signs, np.zeros(frames, np.uint32)


def test_row_scores_equal_counting_bit_by_bit() -> None:
    """The popcounts weigh each flipped bit by its class, and frames outside the print score nothing."""
    words, gains, signs, stills = _random(1, 20, 30)
    stills[4] = 0xFFFF_FFFF
    fast = kernels.row_scores(words, gains, -3, signs, stills, LOSSES)

    slow = [
        _slow_score(words[i - 3], float(gains[i - 3]), int(signs[i]), int(stills[i])) if 0 <= i - 3 < 20 else 0.0
        for i in range(30)
    ]
    assert np.allclose(fast, slow, atol=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_advance_equals_following_each_hypothesis_by_itself(seed: int) -> None:
    """Births, deaths, ends and crossings are those of hypotheses kept in plain lists."""
    rows, frames, threshold, lower, most = 30, 60, np.float32(18.0), np.float32(-30.0), np.float32(3.0)
    words, gains, signs, stills = _random(seed, 2 * rows, frames)
    starts, ends = np.array([0, rows]), np.array([rows, 20])
    births = np.array([[0, 5], [2, 12]])
    alive_max = 64
    state = np.zeros((2, alive_max), np.int64), np.zeros((2, alive_max), np.float32), np.zeros(2, np.int64)
    found, found_scores = np.empty((1000, 3), np.int64), np.empty(1000, np.float32)
    taken, n_found, _ = kernels.advance(
        signs, stills, words, gains, LOSSES, starts, births, ends, *state, threshold, lower, most, found, found_scores
    )

    expected: set[tuple[int, int, int]] = set()
    living: list[tuple[int, int, float]] = []
    for frame in range(frames):
        born = [(q, int(row) - 1, 0.0, True) for q in range(2) for row in births[q]]
        older = [(q, row, score, False) for q, row, score in living]
        living = []
        for q, row, score, is_new in older + born:
            if row + 1 >= ends[q]:
                continue
            at = starts[q] + row + 1
            total = score + min(3.0, _slow_score(words[at], float(gains[at]), int(signs[frame]), int(stills[frame])))
            if total >= threshold and not is_new:
                expected.add((frame, q, row + 1))
            elif total > lower:
                living.append((q, row + 1, total))
    assert taken == frames
    assert expected
    assert {(int(i), int(q), int(row)) for i, q, row in found[:n_found]} == expected
    assert int(state[2].sum()) == len(living)


@pytest.mark.parametrize(("newborn_flips", "kept_row"), [(0xFFFF_FFFF, 1), (0, 0)], ids=["weaker", "stronger"])
def test_a_newborn_takes_the_last_place_only_if_it_is_stronger(newborn_flips: int, kept_row: int) -> None:
    """With room for one hypothesis, the one with more evidence lives."""
    words = np.full((3, 3), 0xFFFF_FFFF, np.uint32)
    words[:, 0] = 0
    words[1, 0] = 0xFFFF_FFFF
    gains = np.full(3, 2.0, np.float32)
    stream = np.array([0, newborn_flips], np.uint32)
    state = np.zeros((1, 1), np.int64), np.zeros((1, 1), np.float32), np.zeros(1, np.int64)
    kernels.advance(
        stream, np.zeros(2, np.uint32), words, gains, LOSSES, np.zeros(1, np.int64), np.zeros((1, 1), np.int64), np.array([3]),
        *state, np.float32(50), np.float32(-500), np.float32(3), np.empty((8, 3), np.int64), np.empty(8, np.float32),
    )  # fmt: skip

    assert state[2].tolist() == [1]
    assert state[0].tolist() == [[kept_row]]
