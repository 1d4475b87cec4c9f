"""The compiled loop that looks for one head in many references: the onset matcher's rule, for one spot, over a stream at hand.

The matcher asks of each frame which of all spots may begin; here it is one spot, and all frames are there, so a filter is
compared with a block of frames at a time. What passes is scored as the matcher would, and a test holds the two together.
"""

# ruff: noqa: PLR0917 # compiled functions take arrays by position

import numba
import numpy as np

from fingerprints.heads import FILTER_ROWS
from fingerprints.kernels import EVEN, ODD, ONE, _lowest_bit, _popcount, _row_score

CROSSINGS_ROOM = 4096
"""Enough for the crossings of one head in most streams; looped music may need more."""

BLOCK = 64
"""Frames tested at once: a loop without branches that leaves a bit for each."""
SIGN_BIT = np.uint64(63)

UNHEARD = np.uint32(0xFFFF_FFFF)


@numba.njit(inline="always")
def _word(words, place, k):  # type: ignore[no-untyped-def] # inlined into the typed kernel below
    early = (words[place + k] & EVEN) | (words[place + k + 3] & ODD)
    late = (words[place + k + 6] & EVEN) | (words[place + k + 9] & ODD)
    return np.uint64(early) | (np.uint64(late) << np.uint64(32))


@numba.njit(
    "int64(uint32[::1], uint32[::1], uint32[:, ::1], int32[::1], uint64[:, ::1], uint64[:, ::1], int8[:, ::1], float32[:, ::1], "
    "float32, float32, float32, int64[:, ::1], float32[::1])",
    cache=True,
    nogil=True,
)
def sweep(  # type: ignore[no-untyped-def] # noqa: PLR0912 # compiled: the signature is the type, and inner loops branch
    signs,
    stills,
    rows,
    births,
    filter_bits,
    filter_masks,
    limits,
    weights,
    threshold,
    lower_bound,
    row_most,
    found,
    found_scores,
):
    """Where a head is heard in a stream.

    Args:
        signs: uint32 [shape=(n_frames,)] of the stream, and so are the stills.
        rows: uint32 [shape=(n_rows, 4)], `Head.rows`; births, bits, masks and limits are those of the same `Head`.
        threshold: nats of bits, and so are the lower bound and the most that a row adds.
        found: int64 [shape=(room, 3)], written: frame, phase and row of the head of each crossing; unordered.
        found_scores: float32 [shape=(room,)], written.

    Returns:
        How many crossings; when they are more than there is room for, some were not written.
    """
    n_frames, context, n_found = len(signs), FILTER_ROWS - 1, 0
    # Nothing agrees with what was never heard.
    sign, still = np.zeros(n_frames + context, np.uint32), np.full(n_frames + context, UNHEARD, np.uint32)
    sign[context:], still[context:] = signs, stills
    n_padded = n_frames + -n_frames % BLOCK
    words, unsure = np.zeros(n_padded, np.uint64), np.full(n_padded, ~np.uint64(0), np.uint64)
    for i in range(n_frames):
        words[i], unsure[i] = _word(sign, i, 0), _word(still, i, 0)
    for f in range(len(births)):
        bits, mask, limit = filter_bits[f, 0], filter_masks[f, 0], np.uint64(np.int64(limits[f, 0]))
        if limits[f, 0] <= 0:
            continue
        for block in range(0, n_padded, BLOCK):
            block_words, block_unsure = words[block : block + BLOCK], unsure[block : block + BLOCK]
            passed = np.uint64(0)
            for j in range(BLOCK):
                differ = _popcount(((bits ^ block_words[j]) | block_unsure[j]) & mask)
                passed |= ((differ - limit) >> SIGN_BIT) << np.uint64(j)
            while passed:
                place = block + np.int64(_lowest_bit(passed))
                passed &= passed - ONE
                if place >= n_frames:
                    continue
                differ = _popcount(((bits ^ words[place]) | unsure[place]) & mask) + _popcount(
                    ((filter_bits[f, 1] ^ _word(sign, place, 1)) | _word(still, place, 1)) & filter_masks[f, 1]
                )
                if np.int64(differ) >= np.int64(limits[f, 1]):
                    continue
                for phase in range(2):
                    score, row, newborn_until = np.float32(0.0), births[f], births[f] + context
                    for at in range(place, n_frames + context):
                        if row >= len(rows):
                            break
                        score += min(row_most, _row_score(rows, row, phase, sign[at], still[at], weights))
                        if score <= lower_bound:
                            break
                        if row >= newborn_until and score >= threshold:
                            if n_found < len(found):
                                found[n_found, 0], found[n_found, 1], found[n_found, 2] = at - context, phase, row
                                found_scores[n_found] = score
                            n_found += 1
                            break
                        row += 1
    return n_found
