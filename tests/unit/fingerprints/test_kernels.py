"""The compiled loops against the same in slow plain Python."""

import functools

import numpy as np
import numpy.typing as npt
import pytest

from fingerprints import kernels
from fingerprints.coherence import BITS_SHARE, WAVE_WORDS
from fingerprints.features import StreamBits
from fingerprints.heads import BIRTH_FRAMES, FILTER_ROWS, Heads, grouped, head_of, stack
from fingerprints.onset import ALIVE_MAX, DECIDED_HALF_HOPS, OnsetMatcher
from fingerprints.prints import LOSSES, PHASES, WEIGHTS

Words = npt.NDArray[np.uint32]
Floats = npt.NDArray[np.float32]
NO_WAVE: Words = np.zeros(WAVE_WORDS, np.uint32)


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


@functools.cache
def _slow_sieve(seed: int) -> tuple[Heads, StreamBits, set[tuple[int, int]]]:
    """Random heads, a stream that repeats some of them, and which filter passes at which frame, bit by bit."""
    rng = np.random.default_rng(seed)
    tables = [_random_table(rng, 120) for _ in range(12)]
    heads = stack([head_of(table, NO_WAVE) for table in tables])
    signs = np.concatenate([_heard(rng, tables[i], phase=i % 2) for i in (3, 7, 5, 3)])
    stills = np.where(rng.random(len(signs)) < 0.05, rng.integers(0, 2**32, len(signs), dtype=np.uint32), 0).astype(np.uint32)
    passes: set[tuple[int, int]] = set()
    for frame in range(FILTER_ROWS - 1, len(signs)):
        under = range(frame - FILTER_ROWS + 1, frame + 1)
        for f in range(12 * len(BIRTH_FRAMES)):
            spot, birth = f % 12, int(heads.births[f])
            if heads.limits[f, 0] == 0:
                continue
            rows = heads.of(spot)[birth : birth + FILTER_ROWS]
            counts = [0, 0]
            for place, (row, at) in enumerate(zip(rows, under, strict=True)):
                if place % 3 < 2 and place < 11:
                    counts[place % 3] += _odd_or_even(row, int(signs[at]), int(stills[at]), place)
            if counts[0] < heads.limits[f, 0] and sum(counts) < heads.limits[f, 1]:
                passes.add((frame, f))
    return heads, StreamBits(first_frame=0, signs=signs, stills=stills), passes


def _odd_or_even(row: Words, sign: int, still: int, place: int) -> int:
    wanted = range(0, 32, 2) if place // 3 % 2 == 0 else range(1, 32, 2)
    trusted = (int(row[2]) | int(row[3])) & ~(int(row[0]) ^ int(row[1]))
    return sum(((int(row[0]) ^ sign) | still) >> bit & trusted >> bit & 1 for bit in wanted)


def _random_table(rng: np.random.Generator, rows: int) -> Words:
    table = rng.integers(0, 2**32, (rows, 4), dtype=np.uint32)
    table[:, 1] = table[:, 0] ^ (rng.integers(0, 2**32, rows, dtype=np.uint32) & rng.integers(0, 2**32, rows, dtype=np.uint32))
    return table


def _heard(rng: np.random.Generator, table: Words, *, phase: int) -> Words:
    noise = [rng.integers(0, 2**32, len(table), dtype=np.uint32) for _ in range(3)]
    return np.asarray(table[:, phase] ^ (noise[0] & noise[1] & noise[2]), np.uint32)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("frames_a_call", [1, 3, 500])
def test_the_filters_pass_what_counting_bit_by_bit_passes(seed: int, frames_a_call: int) -> None:
    """Two words of every second band against limits, however many frames are sifted at once."""
    heads, bits, passes = _slow_sieve(seed)
    found: set[tuple[int, int]] = set()
    for start in range(FILTER_ROWS - 1, len(bits), frames_a_call):
        part = slice(start - FILTER_ROWS + 1, start + frames_a_call)
        n = len(bits.signs[part]) - FILTER_ROWS + 1
        room = np.empty((n, 64), np.int64), np.empty((n, 64), np.int64), np.zeros(n, np.int64)
        kernels.sift(bits.signs[part], bits.stills[part], heads.planes, heads.filters, heads.limits, *room)
        found |= {(start + i, int(f)) for i, n in enumerate(room[2]) for f in room[0][i, :n]}

    assert len(passes) > 12
    assert found == passes


def test_when_too_many_pass_the_closer_half_stays() -> None:
    """With room for eight the list is halved to the four that differ least whenever it is full."""
    n_filters = kernels.GROUP
    differing = np.arange(n_filters) * 7 % 31
    bits = np.array([(1 << int(n)) - 1 for n in differing], np.uint64)
    filters = np.stack([bits, np.zeros_like(bits), np.full_like(bits, 2**64 - 1), np.zeros_like(bits)], axis=1)
    _, filters, limits, planes = grouped(np.zeros(n_filters, np.int32), filters, np.full((n_filters, 2), 40, np.int8))
    room = np.empty((1, 8), np.int64), np.empty((1, 8), np.int64), np.zeros(1, np.int64)
    nothing = np.zeros(FILTER_ROWS, np.uint32)
    kernels.sift(nothing, nothing, planes, filters, limits, *room)

    kept: list[int] = []
    for f in range(n_filters):
        if len(kept) == 8:
            kept = sorted(sorted(kept, key=lambda each: (differing[each], each))[:4])
        kept.append(f)
    assert room[0][0, : room[2][0]].tolist() == kept


def test_planes_that_lie_let_nothing_pass_that_has_no_limit() -> None:
    """A file may say that every filter is close to everything; births without a row stay closed."""
    bits = np.zeros((kernels.GROUP, 4), np.uint64)
    _, filters, limits, planes = grouped(np.zeros(kernels.GROUP, np.int32), bits, np.zeros((kernels.GROUP, 2), np.int8))
    limits[7] = 1
    planes[:] = 0
    planes[:, kernels.LIMIT_PLANE : kernels.STILL_PLANE] = 2**64 - 1
    room = np.empty((1, 8), np.int64), np.empty((1, 8), np.int64), np.zeros(1, np.int64)
    nothing = np.zeros(FILTER_ROWS, np.uint32)
    compared = kernels.sift(nothing, nothing, planes, filters, limits, *room)

    assert room[0][0, : room[2][0]].tolist() == [7]
    assert compared == 2 * kernels.GROUP


@pytest.mark.parametrize("seed", range(3))
def test_advance_equals_following_each_hypothesis_by_itself(seed: int) -> None:
    """Births, deaths, ends and crossings are those of hypotheses kept in plain lists."""
    heads, bits, passes = _slow_sieve(seed)
    matcher = OnsetMatcher(heads)
    matcher.threshold, matcher.lower_bound = 40.0 * BITS_SHARE, -12.0
    crossings = {(c.frame, c.spot, c.onset) for c in matcher.advance(bits)}

    expected: set[tuple[int, int, int]] = set()
    decided: dict[int, tuple[int, int]] = {}
    living: list[tuple[int, int, int, float]] = []

    def scored(spot: int, phase: int, row: int, at: int) -> float:
        table = heads.of(spot)[row]
        full = sum(float(WEIGHTS[0, (int(table[2]) >> bit & 1) + 2 * (int(table[3]) >> bit & 1) - 1])
                   for bit in range(32) if (int(table[2]) | int(table[3])) >> bit & 1)  # fmt: skip
        return min(matcher.row_most, _slow_score(table[[phase, 2, 3]], full, int(bits.signs[at]), int(bits.stills[at])))

    for frame in range(len(bits)):
        moved = [
            (spot, phase, row + 1, score + scored(spot, phase, row + 1, frame))
            for spot, phase, row, score in living
            if row + 1 < heads.lengths[spot]
        ]
        for f in sorted(f for at, f in passes if at == frame):
            spot, birth = f % 12, int(heads.births[f])
            for phase in range(PHASES):
                path = np.cumsum([scored(spot, phase, birth + k, frame - FILTER_ROWS + 1 + k) for k in range(FILTER_ROWS)])
                if (path > -12.0).all():
                    moved.append((spot, phase, birth + FILTER_ROWS - 1, float(path[-1])))
        living = [hypothesis for hypothesis in moved if -12.0 < hypothesis[3] < 40.0]
        for spot, phase, row, _ in sorted((one for one in moved if one[3] >= 40.0), key=lambda one: -one[3]):
            onset = 2 * (frame - row - int(heads.skipped[spot]) - 1) - phase
            if spot not in decided or abs(decided[spot][1] - onset) > DECIDED_HALF_HOPS:
                decided[spot] = (frame, onset)
                expected.add((frame, spot, onset))
    assert len(expected) >= 4
    assert crossings == expected
    assert matcher.alive == len(living)


def test_a_full_pool_loses_its_weakest_quarter() -> None:
    """The living stay bounded, and the strongest of them lives on."""
    rng = np.random.default_rng(5)
    table = _random_table(rng, 200)
    matcher = OnsetMatcher(stack([head_of(table, NO_WAVE)] * 300))
    matcher.threshold = 1e9
    matcher.advance(
        StreamBits(first_frame=0, signs=np.tile(_heard(rng, table, phase=0)[:100], 1), stills=np.zeros(100, np.uint32))
    )
    most = matcher.alive
    matcher.advance(StreamBits(first_frame=100, signs=np.tile(table[:30, 0], 30), stills=np.zeros(900, np.uint32)))

    assert 300 <= most <= ALIVE_MAX
    assert matcher.alive <= ALIVE_MAX
    assert matcher.evidence > 0
