"""The compiled loop that follows a spot along an alignment that may wander.

A Viterbi search. Its states are the places, half a hop apart, at which the spot may lie against the stream; a step from one to
another costs what such a step is rare, so looking in many places costs evidence, and other sound is not followed.
"""

# ruff: noqa: PLR0917 # compiled functions take arrays by position

from typing import Final

import numba
import numpy as np

from fingerprints.features import Floats
from fingerprints.kernels import row_scores

REACH_HALF_HOPS: Final = 12
"""How far to each side of the best place the spot may lie, 48 ms."""
PLACES: Final = 2 * REACH_HALF_HOPS + 1

STEP_SHARES: Final = (0.04, 0.02, 0.01, 0.005)
"""How often a frame lies one, two, three and four half hops further to one side than the one before: a tempo change of 4 % takes
one every 12 frames, and the pieces it is made of wander by 10 ms."""
STEP_NATS: Final[Floats] = np.log(
    np.array([*STEP_SHARES[::-1], 1.0 - 2.0 * sum(STEP_SHARES), *STEP_SHARES]) / (1.0 - 2.0 * sum(STEP_SHARES))
).astype(np.float32)
"""float32 [shape=(9,)]: what a step of -4 to 4 half hops takes, by how much it is rarer than none; 3 to 5 nats."""


@numba.njit(
    "void(uint32[:, :, ::1], float32[::1], uint32[::1], uint32[::1], int64, int64, float32[::1], float32, float32[::1], "
    "float32[::1], float32[::1], int64[::1])",
    cache=True,
    nogil=True,
)
def track(  # type: ignore[no-untyped-def] # compiled: the signature is the type
    words, gains, signs, stills, first_frame, first_place, losses, most, steps, totals, tops, places
):
    """Move every place over the frames given.

    Args:
        words: uint32 [shape=(2, rows, 3)], `Print.words`.
        gains: float32 [shape=(rows,)].
        first_frame: stream frame of `signs[0]`.
        first_place: onset, in half hops, that `totals[0]` belongs to.
        most: what a frame may add or take, nats.
        totals: float32 [shape=(n_places,)]: evidence of the best path to each place, updated in place.
        tops: float32 [shape=(n_frames,)], written: the best of them after each frame.
        places: int64 [shape=(n_frames,)], written: its onset.
    """
    n_places, reach = len(totals), len(steps) // 2
    moved = np.empty_like(totals)
    scores = np.empty((n_places, len(signs)), np.float32)
    for place in range(n_places):
        half_hops = 2 * first_frame - (first_place + place)
        scores[place] = row_scores(words[half_hops % 2], gains, half_hops // 2 - 1, signs, stills, losses)
    for i in range(len(signs)):
        top = 0
        for place in range(n_places):
            best = totals[place] + steps[reach]
            for step in range(max(-reach, place - n_places + 1), min(reach, place) + 1):
                best = max(best, totals[place - step] + steps[reach + step])
            moved[place] = best + min(most, max(-most, scores[place, i]))
            if moved[place] > moved[top]:
                top = place
        totals[:] = moved
        tops[i], places[i] = totals[top], first_place + top
