"""The compiled inner loops of matching.

Signatures are written out so that each is compiled once, at import, and cached beside the source (or in the user's cache
when the folder cannot be written). `tests/unit/fingerprints/test_kernels.py` holds the same functions in slow plain numpy.

Every loop is bounded by the sizes of the arrays it is given, never by what the sound is.
"""

# ruff: noqa: PLR0917 # compiled functions take arrays by position

from typing import Any

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped] # it has no types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

EVEN = np.uint32(0x5555_5555)
ODD = np.uint32(0xAAAA_AAAA)
"""A word takes every second band of a row: neighbouring slopes share a band's energy, so every second says almost as much."""

GROUP = 512
"""Filters whose bits lie side by side: eight words of each plane, a line of the cache."""

FILTER_BITS = 64
COUNT_BITS = 7
"""The first word's bits, and the bits of a number up to that many."""

PLANES = 3 * FILTER_BITS + COUNT_BITS
"""Of each group: for each bit of the first word the filters that differ where the stream has 0, and where it has 1; the binary
digits of the filters' limits; and for each bit the filters that differ where the stream is still, which is rare."""

LIMIT_PLANE = 2 * FILTER_BITS
STILL_PLANE = LIMIT_PLANE + COUNT_BITS

GROUP_WORDS = GROUP // 64
LANES = 4
"""Words of a plane that are taken at a time. A vector of 256 bits is one register, or two, wherever this runs."""

ONE = np.uint64(1)


def _popcount_of_word(_context: Any, word: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return word(word), generate


_popcount: Any = intrinsic(_popcount_of_word)


def _lowest_bit_of_word(_context: Any, word: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return word(word), generate


_lowest_bit: Any = intrinsic(_lowest_bit_of_word)


def _below_limits_of_group(_context: Any, planes: Any, _group: Any, places: Any, passed: Any) -> Any:
    """Which of a group's 512 filters differ in fewer bits than their limits: the counting of all of them at once.

    Compiled code cannot say "vector" in Python, and a loop over 64 places in memory is not made into vectors by itself, so this
    writes out the additions: three planes of one weight become one of that weight and one of the next until there is one of each.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word, vector = ir.IntType(64), ir.VectorType(ir.IntType(64), LANES)
        data = [
            make_array(kind)(context, builder, value).data  # type: ignore[no-untyped-call]
            if isinstance(kind, numba.types.Array)
            else value
            for kind, value in zip(signature.args, arguments, strict=True)
        ]
        first = builder.gep(data[0], [builder.mul(data[1], ir.Constant(word, PLANES * GROUP_WORDS))])
        plane_of_bit = [builder.gep(data[2], [ir.Constant(word, bit)]) for bit in range(FILTER_BITS)]

        def address(base: Any, offset: int) -> Any:
            return builder.bitcast(builder.gep(base, [ir.Constant(word, offset)]), vector.as_pointer())

        def add(counted: list[list[Any]], digit: int, plane: Any) -> None:
            counted[digit].append(plane)
            if len(counted[digit]) == 3:
                sum_so_far, one, other = counted[digit]
                unequal = builder.xor(one, other)
                counted[digit] = [builder.xor(unequal, sum_so_far)]
                add(counted, digit + 1, builder.or_(builder.and_(one, other), builder.and_(unequal, sum_so_far)))

        for part in range(0, GROUP_WORDS, LANES):
            counted: list[list[Any]] = [[] for _ in range(COUNT_BITS + 1)]
            for bit in range(FILTER_BITS):
                plane = builder.gep(first, [builder.load(plane_of_bit[bit])])
                add(counted, 0, builder.load(address(plane, part), align=8))
            below = ir.Constant(vector, [0] * LANES)
            for digit in range(COUNT_BITS):
                if len(counted[digit]) == 2:
                    one, other = counted[digit]
                    counted[digit] = [builder.xor(one, other)]
                    add(counted, digit + 1, builder.and_(one, other))
                # From the lowest digit up, the borrow of count - limit.
                limit = builder.load(address(first, (LIMIT_PLANE + digit) * GROUP_WORDS + part), align=8)
                clear = builder.not_(counted[digit][0])
                below = builder.or_(builder.and_(clear, builder.or_(limit, below)), builder.and_(limit, below))
            builder.store(below, address(data[3], part), align=8)
        return context.get_dummy_value()

    return numba.types.void(planes, numba.types.int64, places, passed), generate


_below_limits: Any = intrinsic(_below_limits_of_group)


@numba.njit(inline="always")
def _row_score(rows, row, phase, sign, still, weights):  # type: ignore[no-untyped-def] # inlined into the typed kernels below
    flipped = (rows[row, phase] ^ sign) | still
    low, high = rows[row, 2], rows[row, 3]
    first, second, third = low & ~high, ~low & high, low & high
    return (
        weights[0, 0] * np.float32(_popcount(first))
        + weights[0, 1] * np.float32(_popcount(second))
        + weights[0, 2] * np.float32(_popcount(third))
        - weights[1, 0] * np.float32(_popcount(flipped & first))
        - weights[1, 1] * np.float32(_popcount(flipped & second))
        - weights[1, 2] * np.float32(_popcount(flipped & third))
    )


@numba.njit("float32[::1](uint32[:, ::1], float32[::1], int64, uint32[::1], uint32[::1], float32[::1])", cache=True, nogil=True)
def row_scores(words, gains, first_row, signs, stills, losses):  # type: ignore[no-untyped-def] # compiled: the signature is the type
    """The score of each frame against the row of one phase that lies under it; 0 outside the print."""
    scores = np.zeros(len(signs), np.float32)
    for i in range(len(signs)):
        row = first_row + i
        if 0 <= row < len(gains):
            flipped = (words[row, 0] ^ signs[i]) | stills[i]
            low, high = words[row, 1], words[row, 2]
            scores[i] = (
                gains[row]
                - losses[0] * np.float32(_popcount(flipped & low & ~high))
                - losses[1] * np.float32(_popcount(flipped & ~low & high))
                - losses[2] * np.float32(_popcount(flipped & low & high))
            )
    return scores


@numba.njit("void(uint32[::1], int64, uint64[:, ::1])", cache=True, nogil=True)
def interleave(words, n_frames, out):  # type: ignore[no-untyped-def] # compiled: the signature is the type
    """Two words of 64 bits for each run of eleven rows, every second band of eight of them.

    `out[i]` is made from `words[i : i + 11]`: rows 0, 3, 6, 9 in the first word and rows 1, 4, 7, 10 in the second.
    """
    for i in range(n_frames):
        for k in range(2):
            early = (words[i + k] & EVEN) | (words[i + k + 3] & ODD)
            late = (words[i + k + 6] & EVEN) | (words[i + k + 9] & ODD)
            out[i, k] = np.uint64(early) | (np.uint64(late) << np.uint64(32))


@numba.njit("void(complex64[::1], int64, int64, int64, float64)", cache=True, nogil=True)
def flatten(spectrum, first, end, reach, floor):  # type: ignore[no-untyped-def] # compiled: the signature is the type
    """Divide `spectrum[first:end]` by the magnitude around each bin, and put 0 everywhere else.

    Around means the mean power of the bins up to `reach` away, plus `floor` of the highest such mean.
    """
    n = end - first
    sums = np.zeros(n + 1, np.float64)
    for i in range(n):
        value = spectrum[first + i]
        sums[i + 1] = sums[i] + np.float64(value.real) ** 2 + np.float64(value.imag) ** 2
    around, highest = np.empty(n, np.float64), 0.0
    for i in range(n):
        low, high = max(0, i - reach), min(n, i + reach + 1)
        around[i] = max(0.0, sums[high] - sums[low]) / (high - low)
        highest = max(highest, around[i])
    for i in range(first):
        spectrum[i] = 0.0
    for i in range(end, len(spectrum)):
        spectrum[i] = 0.0
    for i in range(n):
        spectrum[first + i] /= np.float32(np.sqrt(around[i] + floor * highest + 1e-20))


@numba.njit(
    "Tuple((int64, float32))(float32[::1], float32[::1], float32[::1], int64)", cache=True, nogil=True, fastmath={"reassoc"}
)
def best_lag(signs, even, odd, n_pairs):  # type: ignore[no-untyped-def] # compiled: the signature is the type
    """The lag at which `signs` fits best, and the square of the correlation coefficient there.

    Lag `l` compares `signs[i]` with `even[l // 2 + i]`, or `odd` where `l` is odd, for lags up to `2 * n_pairs - 2`.
    """
    n, best, best_squared = len(signs), 0, np.float32(0.0)
    energies = np.zeros(2, np.float64)
    for i in range(n):
        energies[0] += even[i] * even[i]
        energies[1] += odd[i] * odd[i]
    for lag in range(2 * n_pairs - 1):
        first = lag // 2
        samples = even[first : first + n] if lag % 2 == 0 else odd[first : first + n]
        dot = np.float32(0.0)
        for i in range(n):
            dot += signs[i] * samples[i]
        energy = np.float32(energies[lag % 2])
        if lag < 2 * n_pairs - 3:
            after = even[first + n] if lag % 2 == 0 else odd[first + n]
            energies[lag % 2] = max(0.0, energies[lag % 2] + after * after - samples[0] * samples[0])
        if energy > 0:
            squared = dot * dot / (energy * np.float32(n))
            if squared > best_squared:
                best, best_squared = lag, squared
    return best, best_squared


@numba.njit(inline="always")
def _keep_best(found, margins, kept):  # type: ignore[no-untyped-def] # inlined into the typed kernel below
    """Halve a full list to its best, the earlier first among equals, in order; how many are left."""
    counts = np.zeros(129, np.int64)
    for i in range(len(found)):
        counts[margins[i]] += 1
    best, cut = 0, 128
    while best + counts[cut] <= kept:
        best += counts[cut]
        cut -= 1
    equals, n = kept - best, 0
    for i in range(len(found)):
        if margins[i] > cut or (margins[i] == cut and equals > 0):
            equals -= margins[i] == cut
            found[n], margins[n] = found[i], margins[i]
            n += 1
    return n


@numba.njit("void(uint64[:, ::1], int8[:, ::1], uint64[:, :, ::1])", cache=True, nogil=True)
def slice_filters(filters, limits, planes):  # type: ignore[no-untyped-def] # compiled: the signature is the type
    """Fill the planes of all groups, which must be zero: `PLANES` says what each holds."""
    for f in range(len(filters)):
        group, word, bit = f // GROUP, f % GROUP // 64, ONE << np.uint64(f % 64)
        for j in range(FILTER_BITS):
            trusted = filters[f, 2] >> np.uint64(j) & ONE
            set_ = filters[f, 0] >> np.uint64(j) & ONE
            planes[group, 2 * j, word] |= bit * (trusted & set_)
            planes[group, 2 * j + 1, word] |= bit * (trusted & (set_ ^ ONE))
            planes[group, STILL_PLANE + j, word] |= bit * trusted
        for digit in range(COUNT_BITS):
            planes[group, LIMIT_PLANE + digit, word] |= bit * (np.uint64(max(0, limits[f, 0])) >> np.uint64(digit) & ONE)


@numba.njit(
    "int64(uint32[::1], uint32[::1], uint64[:, :, ::1], uint64[:, ::1], int8[:, ::1], int64[:, ::1], int64[:, ::1], int64[::1])",
    cache=True,
    nogil=True,
)
def sift(  # type: ignore[no-untyped-def] # compiled: the signature is the type
    signs, stills, planes, filters, limits, found, margins, n_found
):
    """Which filters pass at which frame.

    A filter passes when fewer than `limits[:, 0]` bits of its first word differ and fewer than `limits[:, 1]` of both. The first
    is asked of `GROUP` filters at once, by their planes. Those of frame `i`, which looks at `signs[i : i + 11]`, are
    `found[i, :n_found[i]]`, ascending; when more pass than fit, the best half stays and the search goes on. There
    must be `GROUP` filters a group; one of limit 0 never passes.

    Returns:
        How many words were compared; it depends on the numbers of frames and filters, and at most doubles with what passes.
    """
    n_frames, room, n_groups = len(n_found), found.shape[1], len(planes)
    words, still = np.empty((n_frames, 2), np.uint64), np.empty((n_frames, 2), np.uint64)
    interleave(signs, n_frames, words)
    interleave(stills, n_frames, still)
    places, passed = np.empty((n_frames, FILTER_BITS), np.int64), np.empty(GROUP_WORDS, np.uint64)
    for i in range(n_frames):
        for j in range(FILTER_BITS):
            is_set, is_still = words[i, 0] >> np.uint64(j) & ONE, still[i, 0] >> np.uint64(j) & ONE
            places[i, j] = GROUP_WORDS * (STILL_PLANE + j if is_still else 2 * j + np.int64(is_set))
    compared = len(filters) * n_frames
    for group in range(n_groups):
        for i in range(n_frames):
            _below_limits(planes, group, places[i], passed)
            for k in range(GROUP_WORDS):
                left = passed[k]
                while left:
                    f = group * GROUP + 64 * k + np.int64(_lowest_bit(left))
                    left &= left - ONE
                    compared += 1
                    differ = _popcount(((filters[f, 0] ^ words[i, 0]) | still[i, 0]) & filters[f, 2])
                    # Planes and limits may come from a file, and only a filter that has a limit has a row to be born at.
                    if np.int64(differ) >= limits[f, 0]:
                        continue
                    differ += _popcount(((filters[f, 1] ^ words[i, 1]) | still[i, 1]) & filters[f, 3])
                    margin = np.int64(limits[f, 1]) - np.int64(differ) - 1
                    if margin < 0:
                        continue
                    if n_found[i] == room:
                        n_found[i] = _keep_best(found[i], margins[i], room // 2)
                    found[i, n_found[i]], margins[i, n_found[i]] = f, margin
                    n_found[i] += 1
    return compared


@numba.njit(inline="always")
def _crowd_out(pool, scores, alive):  # type: ignore[no-untyped-def] # inlined into the typed kernel below
    """Drop the weaker quarter of a full pool; how many are left."""
    floor = np.partition(scores[:alive], alive // 4)[alive // 4]
    kept = 0
    for h in range(alive):
        if scores[h] > floor:
            pool[kept], scores[kept] = pool[h], scores[h]
            kept += 1
    return kept


@numba.njit(inline="always")
def _note_check(checks, check_scores, n, spot, phase, row, birth, score):  # type: ignore[no-untyped-def] # inlined into the typed kernel below
    """Put a hypothesis among those to be checked at this frame, one a spot; how many there are. The weakest makes room."""
    weakest = 0
    for c in range(n):
        if checks[c, 0] == spot:
            if score <= check_scores[c]:
                return n
            checks[c, 1], checks[c, 2], checks[c, 3], check_scores[c] = phase, row, birth, score
            return n
        if check_scores[c] < check_scores[weakest]:
            weakest = c
    if n < len(checks):
        weakest = n
        n += 1
    elif score <= check_scores[weakest]:
        return n
    checks[weakest, 0], checks[weakest, 1], checks[weakest, 2], checks[weakest, 3] = spot, phase, row, birth
    check_scores[weakest] = score
    return n


@numba.njit(
    "Tuple((int64, int64, int64, float32, int64, int64))(uint32[::1], uint32[::1], int64, int64, uint32[:, ::1], "
    "float32[:, ::1], int64[::1], int64[::1], int32[::1], int64[:, ::1], int64[::1], "
    "int32[:, ::1], float32[::1], int64, float64, float64, float64, float64, int64, int64[:, ::1], float32[::1], "
    "int64[:, :, ::1], float32[:, ::1], int64[::1])",
    cache=True,
    nogil=True,
)
def advance(  # type: ignore[no-untyped-def] # noqa: PLR0912 # compiled: the signature is the type, and inner loops branch
    signs,
    stills,
    first,
    done,
    rows,
    weights,
    starts,
    lengths,
    births,
    sifted,
    n_sifted,
    pool,
    scores,
    alive,
    threshold,
    lower_bound,
    row_most,
    check_least,
    check_every,
    found,
    found_scores,
    checks,
    check_scores,
    n_checks,
):
    """Move every hypothesis over the frames `signs[first + done :]`, and take in what passed the filters.

    Living hypotheses are `pool[:alive]` (spot, phase, last row scored, row of birth) with `scores[:alive]`, both updated in
    place. What passed at frame `first + i` (`sifted[i]`) was born `first` frames before it and is scored from there. A crossing
    leaves the living and is written to `found` (frame index, spot, phase, row). Of those at `check_least` or above newborns, and
    every `check_every` frames those that live on, are due for the second test: the best of frame `i` are
    `checks[i, : n_checks[i]]` (spot, phase, row, birth), one a spot, in no order.

    Returns:
        (frames done, crossings found, living, best score, rows scored, due for the second test); fewer frames than given are
        done when `found` is half full.
    """
    n_found, best, scored, n_spots, n_due = 0, np.float32(0.0), 0, len(starts), 0
    threshold, lower_bound = np.float32(threshold), np.float32(lower_bound)
    row_most, check_least = np.float32(row_most), np.float32(check_least)
    for i in range(done, len(signs) - first):
        if 2 * n_found > len(found):
            return i, n_found, alive, best, scored, n_due
        at, best, kept, n = i + first, np.float32(0.0), 0, 0
        scored += alive
        for h in range(alive):
            spot, phase, row = pool[h, 0], pool[h, 1], pool[h, 2] + 1
            if row >= lengths[spot]:
                continue
            score = scores[h] + min(row_most, _row_score(rows, starts[spot] + row, phase, signs[at], stills[at], weights))
            best = max(best, score)
            if score >= threshold:
                if n_found < len(found):
                    found[n_found, 0], found[n_found, 1], found[n_found, 2], found[n_found, 3] = i, spot, phase, row
                    found_scores[n_found] = score
                    n_found += 1
            elif score > lower_bound:
                birth = pool[h, 3]
                if score >= check_least and (row - birth - first) % check_every == 0:
                    n = _note_check(checks[i], check_scores[i], n, spot, phase, row, birth, score)
                pool[kept, 0], pool[kept, 1], pool[kept, 2], pool[kept, 3], scores[kept] = spot, phase, row, birth, score
                kept += 1
        alive = kept
        for s in range(n_sifted[i]):
            spot, birth = sifted[i, s] % n_spots, births[sifted[i, s]]
            for phase in range(2):
                score, row = np.float32(0.0), birth - 1
                for back in range(i, at + 1):
                    row += 1
                    scored += 1
                    score += min(row_most, _row_score(rows, starts[spot] + row, phase, signs[back], stills[back], weights))
                    if score <= lower_bound:
                        break
                if score <= lower_bound:
                    continue
                best = max(best, score)
                if score >= threshold:
                    if n_found < len(found):
                        found[n_found, 0], found[n_found, 1], found[n_found, 2], found[n_found, 3] = i, spot, phase, row
                        found_scores[n_found] = score
                        n_found += 1
                    continue
                if alive == len(pool):
                    alive = _crowd_out(pool, scores, alive)
                if score >= check_least:
                    n = _note_check(checks[i], check_scores[i], n, spot, phase, row, birth, score)
                pool[alive, 0], pool[alive, 1], pool[alive, 2], pool[alive, 3], scores[alive] = spot, phase, row, birth, score
                alive += 1
        n_checks[i] = n
        n_due += n
    return len(signs) - first, n_found, alive, best, scored, n_due
