"""The compiled inner loops of matching.

Signatures are written out so that each is compiled once, at import, and cached beside the source (or in the user's cache
when the folder cannot be written). `tests/unit/fingerprints/test_kernels.py` holds the same functions in slow plain numpy.
"""

# ruff: noqa: PLR0917 # compiled functions take arrays by position

from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic


def _popcount_of_word(_context: Any, word: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint32(word), generate


_popcount: Any = intrinsic(_popcount_of_word)


@numba.njit(inline="always")
def _row_score(words, gains, row, sign, still, losses):  # type: ignore[no-untyped-def] # inlined into the typed kernels below
    flipped = (words[row, 0] ^ sign) | still
    low, high = words[row, 1], words[row, 2]
    return (
        gains[row]
        - losses[0] * np.float32(_popcount(flipped & low & ~high))
        - losses[1] * np.float32(_popcount(flipped & ~low & high))
        - losses[2] * np.float32(_popcount(flipped & low & high))
    )


@numba.njit("float32[::1](uint32[:, ::1], float32[::1], int64, uint32[::1], uint32[::1], float32[::1])", cache=True, nogil=True)
def row_scores(words, gains, first_row, signs, stills, losses):  # type: ignore[no-untyped-def] # compiled: the signature is the type
    """The score of each frame against the row that lies under it; 0 outside the print."""
    scores = np.zeros(len(signs), np.float32)
    for i in range(len(signs)):
        row = first_row + i
        if 0 <= row < len(gains):
            scores[i] = _row_score(words, gains, row, signs[i], stills[i], losses)
    return scores


@numba.njit(
    "Tuple((int64, int64, float32))(uint32[::1], uint32[::1], uint32[:, ::1], float32[::1], float32[::1], "
    "int64[::1], int64[:, ::1], int64[::1], int64[:, ::1], float32[:, ::1], int64[::1], "
    "float32, float32, float32, int64[:, ::1], float32[::1])",
    cache=True,
    nogil=True,
)
def advance(  # type: ignore[no-untyped-def] # compiled: the signature is the type
    signs,
    stills,
    words,
    gains,
    losses,
    starts,
    births,
    ends,
    rows,
    scores,
    alive,
    threshold,
    lower_bound,
    row_most,
    found,
    found_scores,
):
    """Move every hypothesis of every print over some frames.

    Living hypotheses of print `q` are `rows[q, :alive[q]]` (the last row each has scored) with `scores[q, :alive[q]]`;
    both are updated in place. A crossing leaves the living and is written to `found` (frame index, print, row).

    Returns:
        (frames taken, crossings found, best living score); takes fewer frames than given when `found` is half full.
    """
    n_found, best = 0, np.float32(0.0)
    for i in range(len(signs)):
        if 2 * n_found > len(found):
            return i, n_found, best
        sign, still, best = signs[i], stills[i], np.float32(0.0)
        for q in range(len(starts)):
            kept = 0
            for h in range(alive[q]):
                row = rows[q, h] + 1
                if row >= ends[q]:
                    continue
                score = scores[q, h] + min(row_most, _row_score(words, gains, starts[q] + row, sign, still, losses))
                if score >= threshold:
                    if n_found < len(found):
                        found[n_found, 0], found[n_found, 1], found[n_found, 2] = i, q, row
                        found_scores[n_found] = score
                        n_found += 1
                elif score > lower_bound:
                    rows[q, kept], scores[q, kept] = row, score
                    kept += 1
                    best = max(best, score)
            for k in range(births.shape[1]):
                row = births[q, k]
                if row >= ends[q]:
                    continue
                score = min(row_most, _row_score(words, gains, starts[q] + row, sign, still, losses))
                if score <= lower_bound:
                    continue
                place = kept if kept < rows.shape[1] else int(np.argmin(scores[q]))
                if place < kept and score <= scores[q, place]:
                    continue
                kept = max(kept, place + 1)
                rows[q, place], scores[q, place] = row, score
                best = max(best, score)
            alive[q] = kept
    return len(signs), n_found, best
