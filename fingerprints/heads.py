"""The beginnings of all spots, laid out for the machine: what the matcher compares a stream with.

Of each spot the rows in which it could be decided lie in one table, spot after spot. In front of them stand *filters*: for each
row at which a hypothesis may be born, two words of 64 bits made of every second band of the eight rows that follow, and masks of
those that are large enough to trust. Comparing one word tells for nearly every spot and hop that the spot has not begun
there; only what passes is scored row by row.

Everything is a plain array, so a library file maps it into memory as it is and processes share it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from fingerprints import kernels
from fingerprints.coherence import WAVE_WORDS
from fingerprints.features import Words
from fingerprints.prints import ANCHOR_NATS, PHASES, Print, anchor_row, row_gains

BIRTH_FRAMES: Final = (0, 8, 20, 36, 60)
"""A hypothesis is also born this much later into the head: a spot faded in over another sound has lost its first tenths of a
second, and whoever began with them is dead."""

HEAD_FRAMES_MAX: Final = 500
"""Four seconds after its birth an undecided hypothesis is given up."""

FILTER_ROWS: Final = 11
"""Rows a filter looks at, 88 ms: fewer than any decision needs, so that nothing waits for it."""

FIRST_SIGMAS: Final = (2.2, *[2.8] * 4)
BOTH_SIGMAS: Final = (3.0, *[3.4] * 4)
"""By how many standard deviations fewer bits than half must differ, in the first word and in both, for each of `BIRTH_FRAMES`.

Source: 300 airings through compressor + equaliser + AAC 64k and through MP3 32k, and 3 h of other sound (docs/adr/0010).
"""

FILTER_BITS_LEAST: Final = 24
"""A birth waits for a row after which the first word has this many bits to compare, or as many as it ever has."""

Bits = npt.NDArray[np.uint64]
Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Heads:
    """The heads of `n_spots` spots. Filter `birth * n_spots + spot` stands before row `births[birth * n_spots + spot]` of a spot.

    Attributes:
        rows: uint32 [shape=(n_rows, 4)]; a spot's are `rows[starts[spot] : starts[spot] + lengths[spot]]`.
        starts: int64 [shape=(n_spots,)].
        lengths: int64 [shape=(n_spots,)].
        skipped: int32 [shape=(n_spots,)]: rows of the print before the first that is kept.
        waves: uint32 [shape=(n_spots, WAVE_WORDS)], from the first kept row on.
        births: int32 [shape=(n_filters,)].
        filters: uint64 [shape=(n_filters, 4)]: bits of the first and the second word, then the masks of both.
        limits: int8 [shape=(n_filters, 2)]: fewer bits than this must differ, of the first word and of both; 0: nothing passes.
        planes: uint64 [shape=(n_groups, kernels.PLANES, 8)]: the first words and limits once more, as they are compared.
    """

    rows: Words
    starts: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    skipped: npt.NDArray[np.int32]
    waves: Words
    births: npt.NDArray[np.int32]
    filters: Bits
    limits: npt.NDArray[np.int8]
    planes: Bits

    @property
    def n_spots(self) -> int:
        """How many spots."""
        return len(self.starts)

    @property
    def nbytes(self) -> int:
        """Memory of all arrays, bytes."""
        return sum(getattr(self, field.name).nbytes for field in fields(self))

    def of(self, spot: int) -> Words:
        """The rows kept of one spot: uint32 [shape=(lengths[spot], 4)], a view."""
        start = int(self.starts[spot])
        return self.rows[start : start + int(self.lengths[spot])]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Head:
    """What is kept of one spot: the rows, how many were left out before them, the wave, and a filter for each birth."""

    rows: Words
    skipped: int
    wave: Words
    births: npt.NDArray[np.int32]
    bits: Bits
    masks: Bits
    limits: npt.NDArray[np.int8]


def head_of(table: Words, wave: Words) -> Head:
    """The head of one spot.

    Args:
        table: uint32 [shape=(n_rows, 4)], as a `Print` has it.
        wave: uint32 [shape=(WAVE_WORDS,)], likewise.
    """
    skipped = anchor_row(row_gains(table))
    rows = np.ascontiguousarray(table[skipped : skipped + HEAD_FRAMES_MAX])
    bits, masks = _filters(rows)
    gains = row_gains(rows)[: len(bits)]
    n_compared = np.bitwise_count(masks[:, 0])
    sharp = (gains >= ANCHOR_NATS) & (n_compared >= min(FILTER_BITS_LEAST, n_compared.max(initial=0)))
    births = np.array([_first(sharp, late) for late in BIRTH_FRAMES], np.int32)
    exists = births < len(bits)
    births = np.where(exists, births, 0)
    n_bits = np.bitwise_count(masks[births]).astype(np.float64) if len(bits) else np.zeros((len(births), 2))
    limits = np.stack([_limits(n_bits[:, 0], FIRST_SIGMAS), _limits(n_bits.sum(axis=1), BOTH_SIGMAS)], axis=1)
    nothing = np.zeros((len(births), 2), np.uint64)
    return Head(
        rows=rows,
        skipped=skipped,
        wave=wave,
        births=births.astype(np.int32),
        bits=bits[births] if len(bits) else nothing,
        masks=masks[births] if len(bits) else nothing,
        limits=np.where(exists[:, None], limits, 0).astype(np.int8),
    )


def head_at(heads: Heads, spot: int) -> Head:
    """One spot's head out of many; its arrays are views."""
    places = np.arange(len(BIRTH_FRAMES)) * heads.n_spots + spot
    return Head(
        rows=heads.of(spot),
        skipped=int(heads.skipped[spot]),
        wave=heads.waves[spot],
        births=heads.births[places],
        bits=heads.filters[places, :2],
        masks=heads.filters[places, 2:],
        limits=heads.limits[places],
    )


def heads_of(prints: Sequence[Print]) -> Heads:
    """The heads of prints, in their order."""
    return stack([head_of(print_.table, print_.wave) for print_ in prints])


def stack(parts: Sequence[Head]) -> Heads:
    """Heads one after the other, the filters birth after birth."""
    lengths = np.array([len(part.rows) for part in parts], np.int64)

    def by_birth(arrays: list[npt.NDArray[Number]], dtype: type[Number], width: int) -> npt.NDArray[Number]:
        shape = (len(parts), len(BIRTH_FRAMES), width)
        column: npt.NDArray[Number] = np.array(arrays, dtype).reshape(shape).swapaxes(0, 1).reshape(-1, width)
        return column

    births, filters, limits, planes = grouped(
        by_birth([part.births for part in parts], np.int32, 1)[:, 0],
        by_birth([np.concatenate([part.bits, part.masks], axis=1) for part in parts], np.uint64, 4),
        by_birth([part.limits for part in parts], np.int8, 2),
    )
    return Heads(
        rows=np.concatenate([part.rows for part in parts]) if parts else np.empty((0, PHASES + 2), np.uint32),
        starts=np.cumsum(lengths) - lengths,
        lengths=lengths,
        skipped=np.array([part.skipped for part in parts], np.int32),
        waves=np.stack([part.wave for part in parts]) if parts else np.empty((0, WAVE_WORDS), np.uint32),
        births=births,
        filters=filters,
        limits=limits,
        planes=planes,
    )


def grouped(
    births: npt.NDArray[np.int32], filters: Bits, limits: npt.NDArray[np.int8]
) -> tuple[npt.NDArray[np.int32], Bits, npt.NDArray[np.int8], Bits]:
    """Filters padded to whole groups of `kernels.GROUP`, and their planes, as `Heads` has them; new memory."""
    padding = -len(births) % kernels.GROUP
    births, limits = np.pad(births, (0, padding)), np.pad(limits, ((0, padding), (0, 0)))
    filters = np.pad(filters, ((0, padding), (0, 0)))
    planes = np.zeros((len(births) // kernels.GROUP, kernels.PLANES, kernels.GROUP_WORDS), np.uint64)
    kernels.slice_filters(filters, limits, planes)
    return births, filters, limits, planes


def interleaved(words: Words) -> Bits:
    """The filter words at every row that has `FILTER_ROWS - 1` more after it.

    Args:
        words: uint32 [shape=(n_rows,)].

    Returns:
        uint64 [shape=(max(0, n_rows - FILTER_ROWS + 1), 2)], new memory.
    """
    n_places = max(0, len(words) - FILTER_ROWS + 1)
    out = np.empty((n_places, 2), np.uint64)
    kernels.interleave(np.ascontiguousarray(words), n_places, out)
    return out


def _filters(rows: Words) -> tuple[Bits, Bits]:
    signs, low, high = rows[:, 0], rows[:, PHASES], rows[:, PHASES + 1]
    # A bit whose sign hangs on 4 ms is not to be trusted, whatever its class.
    return interleaved(signs), interleaved((low | high) & ~(signs ^ rows[:, 1]))


def _limits(n_bits: npt.NDArray[np.float64], sigmas: tuple[float, ...]) -> npt.NDArray[np.float64]:
    limits: npt.NDArray[np.float64] = np.floor(n_bits / 2 - np.array(sigmas) / 2 * np.sqrt(n_bits)) + 1
    return np.clip(limits, 0, math.inf)


def _first(places: npt.NDArray[np.bool_], start: int) -> int:
    after = np.nonzero(places[start:])[0]
    return start + int(after[0]) if len(after) else max(len(places), start)
