"""Which spot is on air, when its beginning was not heard? An index over whole spots.

The onset matcher only looks at beginnings. A spot whose head was lost (a cross-fade, a gap, a feed that was opened in the
middle of it) is found here instead, within two seconds anywhere in it, for the as-run report: far too late to fire anything.
With seconds to spend the windows are long, 256 ms against 32, so that codecs and misalignment flip few bits: 16 bits in a
row of one frame are right often enough to look an alignment up, and one to two seconds of all bits, weighed by magnitude,
confirm it.

Frames in, alignments out; pure. The index is two arrays of words a row and one of looked-up rows: 375 bytes a second of spot.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numba
import numpy as np
import numpy.typing as npt

from fingerprints import downmix
from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.features import Floats, Words, pack_bits

WINDOW_SAMPLES: Final = 4096
HOP_SAMPLES: Final = 512
LAG_FRAMES: Final = 6
BANDS: Final = 33
LOWEST_HZ: Final = 300.0
HIGHEST_HZ: Final = 3000.0
"""What AM radio and a telephone still carry, so that the index hears them too."""
ENERGY_FLOOR: Final = 1e-5
HEARD_FLOOR: Final = 1e-7
"""Of the reference and of what is heard, as in `features.py`: a feed may be 40 dB quieter than the recording."""

STILL_NATS: Final = 0.02
STRONG_NATS: Final = 0.5
"""A reference contrast above this is strong; about half of music and speech is."""

ROW_SPAN_SAMPLES: Final = WINDOW_SAMPLES + LAG_FRAMES * HOP_SAMPLES
"""What a row is computed from: 448 ms."""

FLIP_STRONG: Final = 0.04
FLIP_WEAK: Final = 0.25
"""A little above what was measured through AAC 64k, MP3 32k and an AM channel (docs/fingerprints.md)."""
INDEPENDENT: Final = 0.125
"""Neighbouring rows share seven eighths of their windows: this much of a row is news."""

KEY_BITS: Final = 16
KEY_STEP_ROWS: Final = 2
"""Every second row of a spot is looked up by its even and by its odd bits; the stream asks at every row."""
BUCKET_MAX: Final = 4096
"""Rows looked at for one key; a key as common as that tells nothing, and work must be bounded whatever the sound."""
HISTORY_ROWS: Final = 64
ADMIT_NATS: Final = 12.0
DROP_NATS: Final = 20.0
LOOK_BACK_DROP_NATS: Final = 4.0
CANDIDATES_MAX: Final = 64

FOUND_NATS: Final = 32.0
"""An alignment with this much evidence is a spot; in 67 minutes of other music none of 168 spots came above 12."""

_STRONG_GAIN: Final = math.log(2 * (1 - FLIP_STRONG))
_WEAK_GAIN: Final = math.log(2 * (1 - FLIP_WEAK))
_STRONG_LOSS: Final = _STRONG_GAIN - math.log(2 * FLIP_STRONG)
_WEAK_LOSS: Final = _WEAK_GAIN - math.log(2 * FLIP_WEAK)
WEIGHTS_NATS: Final[Floats] = (INDEPENDENT * np.array([_STRONG_GAIN, _WEAK_GAIN, _STRONG_LOSS, _WEAK_LOSS])).astype(np.float32)
"""What a strong and a weak bit add when they agree, and what a flip takes from that, nats."""

PARAMETERS: Final = {
    "sample_rate_hz": SAMPLE_RATE_HZ,
    "downmix": downmix.PARAMETERS,
    "window_samples": WINDOW_SAMPLES,
    "hop_samples": HOP_SAMPLES,
    "lag_frames": LAG_FRAMES,
    "bands": BANDS,
    "lowest_hz": LOWEST_HZ,
    "highest_hz": HIGHEST_HZ,
    "energy_floor": ENERGY_FLOOR,
    "strong_nats": STRONG_NATS,
}
"""Everything that changes a row; rows that were stored with other values are made anew."""


def _band_matrix() -> Floats:
    edges = np.geomspace(LOWEST_HZ, HIGHEST_HZ, BANDS + 1) / (SAMPLE_RATE_HZ / WINDOW_SAMPLES)
    bins = np.arange(WINDOW_SAMPLES // 2 + 1)
    low, high = edges[:-1, None], edges[1:, None]
    shares: Floats = np.clip(np.minimum(high, bins + 0.5) - np.maximum(low, bins - 0.5), 0.0, 1.0).astype(np.float32)
    return shares


_BANDS_OF_BINS: Final = _band_matrix()
_SPANS: Final = np.array([(row.nonzero()[0][0], row.nonzero()[0][-1] + 1) for row in _BANDS_OF_BINS], np.int64)
_FIRST_BIN: Final = int(_SPANS[0, 0])
_LAST_BIN: Final = int(_SPANS[-1, 1])
_WINDOW: Final = (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(WINDOW_SAMPLES) / WINDOW_SAMPLES)).astype(np.float32)
_FRAMES_AT_ONCE: Final = 256


def contrasts_of(pcm: Floats, *, floor: float = ENERGY_FLOOR) -> Floats:
    """How each band pair's balance has moved in the last 192 ms, for every whole row of `pcm`.

    Returns:
        float32 [shape=(n_rows, 32)], nats; row `n` covers `ROW_SPAN_SAMPLES` samples from `n * HOP_SAMPLES` on.
    """
    if len(pcm) < ROW_SPAN_SAMPLES:
        return np.empty((0, BANDS - 1), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(pcm, WINDOW_SAMPLES)[::HOP_SAMPLES]
    slopes = np.concatenate([_slopes(frames[i : i + _FRAMES_AT_ONCE], floor) for i in range(0, len(frames), _FRAMES_AT_ONCE)])
    contrasts: Floats = slopes[LAG_FRAMES:] - slopes[:-LAG_FRAMES]
    return contrasts


def _slopes(frames: Floats, floor: float) -> Floats:
    spectra = np.fft.rfft(frames * _WINDOW, axis=1)
    return np.asarray(_slopes_of_spectra(spectra, _BANDS_OF_BINS, _SPANS, np.float32(floor)), np.float32)


@numba.njit("float32[:, ::1](complex64[:, ::1], float32[:, ::1], int64[:, ::1], float32)", cache=True, nogil=True)
def _slopes_of_spectra(spectra, weights, spans, floor):  # type: ignore[no-untyped-def] # compiled: the signature above is the type
    slopes = np.empty((spectra.shape[0], weights.shape[0] - 1), np.float32)
    for frame in range(spectra.shape[0]):
        above = np.float32(0.0)
        for band in range(weights.shape[0]):
            energy = floor
            for k in range(spans[band, 0], spans[band, 1]):
                real, imag = spectra[frame, k].real, spectra[frame, k].imag
                energy += weights[band, k] * (real * real + imag * imag)
            level = np.log(energy)
            if band > 0:
                slopes[frame, band - 1] = above - level
            above = level
    return slopes


def rows_of(pcm: Floats) -> Words:
    """The rows of a reference recording, from its first audible sample.

    Returns:
        uint32 [shape=(n_rows, 2)]: the signs, and which of them are strong.
    """
    contrasts = contrasts_of(pcm)
    return np.ascontiguousarray(np.stack([pack_bits(contrasts > 0), pack_bits(np.abs(contrasts) >= STRONG_NATS)], axis=1))


@numba.njit("uint32(uint32)", cache=True, nogil=True)
def _even_bits(word):  # type: ignore[no-untyped-def] # compiled: the signature is the type
    """Every second bit of a word, packed: neighbouring bands move together, so a key of every second one is worth more."""
    word &= np.uint32(0x55555555)
    word = (word | (word >> np.uint32(1))) & np.uint32(0x33333333)
    word = (word | (word >> np.uint32(2))) & np.uint32(0x0F0F0F0F)
    word = (word | (word >> np.uint32(4))) & np.uint32(0x00FF00FF)
    return (word | (word >> np.uint32(8))) & np.uint32(0x0000FFFF)


@numba.njit("uint32[::1](uint32[::1])", cache=True, nogil=True)
def _keys_of(signs):  # type: ignore[no-untyped-def] # compiled: the signature is the type
    """The even and the odd key of each word, odd keys above `2 ** KEY_BITS`."""
    keys = np.empty(2 * len(signs), np.uint32)
    for i in range(len(signs)):
        keys[2 * i] = _even_bits(signs[i])
        keys[2 * i + 1] = _even_bits(signs[i] >> np.uint32(1)) | np.uint32(1 << 16)
    return keys


@numba.njit(inline="always")
def _popcount(word):  # type: ignore[no-untyped-def] # inlined into the typed kernels below
    word = word - ((word >> np.uint32(1)) & np.uint32(0x55555555))
    word = (word & np.uint32(0x33333333)) + ((word >> np.uint32(2)) & np.uint32(0x33333333))
    word = (word + (word >> np.uint32(4))) & np.uint32(0x0F0F0F0F)
    return np.float32((word * np.uint32(0x01010101) & np.uint32(0xFFFFFFFF)) >> np.uint32(24))


@numba.njit("float32(uint32, uint32, uint32, uint32, float32[::1])", cache=True, nogil=True)
def row_nats(reference, strong, sign, still, weights):  # type: ignore[no-untyped-def] # compiled: the signature is the type
    """What one row of the stream says for one row of a spot, nats."""
    flipped = (reference ^ sign) | still
    n_strong = _popcount(strong)
    return (
        n_strong * weights[0]
        + (np.float32(32.0) - n_strong) * weights[1]
        - _popcount(flipped & strong) * weights[2]
        - _popcount(flipped & ~strong) * weights[3]
    )


@numba.njit(
    "int64(uint32[:, ::1], uint32, uint32, float32[::1], int64[:, ::1], float32[:, ::1], int64, float32)", cache=True, nogil=True
)
def _move(words, sign, still, weights, places, scores, alive, drop):  # type: ignore[no-untyped-def] # noqa: PLR0917 # compiled
    """Move the candidates to the next row of the stream; how many live afterwards.

    Candidate `c` has `places[c]` (row now, end of its spot, first row that agreed) and `scores[c]` (now, best).
    """
    kept = 0
    for c in range(alive):
        row = places[c, 0] + 1
        if row >= places[c, 1]:
            continue
        score = scores[c, 0] + row_nats(words[row, 0], words[row, 1], sign, still, weights)
        best = max(score, scores[c, 1])
        if score < best - drop or score <= 0.0:
            continue
        places[kept, 0], places[kept, 1], places[kept, 2] = row, places[c, 1], places[c, 2]
        scores[kept, 0], scores[kept, 1] = score, best
        kept += 1
    return kept


@numba.njit(
    "Tuple((float32, int64))(uint32[:, ::1], int64, int64, uint32[::1], uint32[::1], float32[::1])", cache=True, nogil=True
)
def _look_back(words, row, start, signs, stills, weights):  # type: ignore[no-untyped-def] # noqa: PLR0917 # compiled
    """The most evidence an alignment has gathered up to now, and over how many rows before the newest."""
    score, best, back = np.float32(0.0), np.float32(0.0), 0
    last = len(signs) - 1
    for ago in range(min(last, row - start) + 1):
        score += row_nats(words[row - ago, 0], words[row - ago, 1], signs[last - ago], stills[last - ago], weights)
        if score > best:
            best, back = score, ago
        elif score < best - np.float32(LOOK_BACK_DROP_NATS):
            break
    return best, back


@numba.njit(
    "int64(uint32[:, ::1], uint32[::1], int64[::1], int64[::1], uint32[::1], uint32[::1], float32[::1], "
    "int64[:, ::1], float32[:, ::1], int64, int64, float32)",
    cache=True,
    nogil=True,
)
def _admit(words, entries, buckets, starts, signs, stills, weights, places, scores, kept, bucket_max, admit):  # type: ignore[no-untyped-def] # noqa: PLR0917 # compiled
    """Look the newest row up and make candidates of the alignments that have gathered enough; how many live afterwards."""
    for half in range(2):
        key = np.int64(_even_bits(signs[-1] >> np.uint32(half))) + (half << KEY_BITS)
        for e in range(buckets[key], min(buckets[key + 1], buckets[key] + bucket_max)):
            row = np.int64(entries[e])
            spot = np.searchsorted(starts, row, side="right") - 1
            score, back = _look_back(words, row, starts[spot], signs, stills, weights)
            if score < admit:
                continue
            end = starts[spot + 1]
            known = False
            for c in range(kept):
                known = known or (places[c, 1] == end and abs(places[c, 0] - row) <= 1)
            place = kept if kept < len(places) else int(np.argmin(scores[:, 0]))
            if known or (place < kept and scores[place, 0] >= score):
                continue
            kept = max(kept, place + 1)
            places[place, 0], places[place, 1], places[place, 2] = row, end, row - back
            scores[place, 0], scores[place, 1] = score, score
    return kept


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WholePrint:
    """One spot at one speed, ready for the index.

    Attributes:
        spot_id: the spot.
        rows: what `rows_of` made of it.
        length_samples: from its first audible sample to its last, as it is played at that speed.
        speed: playback speed against the reference.
    """

    spot_id: str
    rows: Words
    length_samples: int
    speed: float = 1.0

    def nats_between(self, first_row: int, end_row: int) -> npt.NDArray[np.float64]:
        """The evidence of each of these rows when every bit agrees: float64 [shape=(at most end_row - first_row,)]."""
        n_strong = np.bitwise_count(self.rows[first_row:end_row, 1]).astype(np.float64)
        nats: npt.NDArray[np.float64] = n_strong * WEIGHTS_NATS[0] + (BANDS - 1 - n_strong) * WEIGHTS_NATS[1]
        return nats


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """A spot lies under the stream.

    Attributes:
        print_index: which of the index's prints.
        row: its row under the newest row of the stream.
        first_row: the first of its rows that agreed.
        score: evidence, nats.
    """

    print_index: int
    row: int
    first_row: int
    score: float


class WholeIndex:
    """Many whole spots, looked up by 16 bits of one row. Not changed after it is made; any number of feeds may use it.

    Args:
        prints: the spots, each at each speed it may be played at.
    """

    def __init__(self, prints: Sequence[WholePrint]) -> None:
        self.prints = tuple(prints)
        lengths = [len(print_.rows) for print_ in self.prints]
        self.starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        self.rows: Words = np.concatenate([print_.rows for print_ in self.prints] or [np.empty((0, 2), np.uint32)])
        spans = itertools.pairwise(self.starts)
        looked_up = np.concatenate([np.empty(0, np.int64), *(np.arange(a, b, KEY_STEP_ROWS) for a, b in spans)])
        keys = _keys_of(np.ascontiguousarray(self.rows[looked_up, 0]))
        order = np.argsort(keys, kind="stable")
        self.entries: Words = np.repeat(looked_up.astype(np.uint32), 2)[order]
        counts = np.bincount(keys, minlength=2 << KEY_BITS)
        self.buckets: npt.NDArray[np.int64] = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    @property
    def bytes_a_second(self) -> float:
        """Memory a second of spot, the fixed table of keys left out."""
        return (self.rows.nbytes + self.entries.nbytes) / max(1.0, len(self.rows) * HOP_SAMPLES / SAMPLE_RATE_HZ)


class WholeMatcher:
    """Aligns one stream with an index, row after row. The same rows give the same alignments however they are split."""

    def __init__(self, index: WholeIndex) -> None:
        self.index = index
        self._signs: Words = np.empty(0, np.uint32)
        self._stills: Words = np.empty(0, np.uint32)
        self._places = np.zeros((CANDIDATES_MAX, 3), np.int64)
        self._scores = np.zeros((CANDIDATES_MAX, 2), np.float32)
        self._alive = 0

    def advance(self, sign: int, still: int) -> list[Alignment]:
        """The alignments that have reached `FOUND_NATS` after one more row of the stream, strongest first."""
        self._signs = np.append(self._signs[1 - HISTORY_ROWS :], np.uint32(sign))
        self._stills = np.append(self._stills[1 - HISTORY_ROWS :], np.uint32(still))
        index = self.index
        alive = _move(
            index.rows,
            np.uint32(sign),
            np.uint32(still),
            WEIGHTS_NATS,
            self._places,
            self._scores,
            self._alive,
            np.float32(DROP_NATS),
        )
        self._alive = _admit(
            index.rows, index.entries, index.buckets, index.starts, self._signs, self._stills, WEIGHTS_NATS,
            self._places, self._scores, alive, BUCKET_MAX, np.float32(ADMIT_NATS),
        )  # fmt: skip
        found = np.nonzero(self._scores[: self._alive, 0] >= FOUND_NATS)[0]
        return sorted((self._alignment(int(c)) for c in found), key=lambda one: (-one.score, one.print_index, one.row))

    def nats(self, print_index: int, row: int) -> float:
        """What the newest row of the stream says for a row of a print, nats; 0 outside it."""
        place = int(self.index.starts[print_index]) + row
        if not 0 <= row < len(self.index.prints[print_index].rows):
            return 0.0
        words = self.index.rows[place]
        return float(row_nats(words[0], words[1], self._signs[-1], self._stills[-1], WEIGHTS_NATS))

    def _alignment(self, c: int) -> Alignment:
        row = int(self._places[c, 0])
        print_index = int(np.searchsorted(self.index.starts, row, side="right")) - 1
        start = int(self.index.starts[print_index])
        first_row = int(self._places[c, 2]) - start
        return Alignment(print_index=print_index, row=row - start, first_row=first_row, score=float(self._scores[c, 0]))


class RowStream:
    """Rows of a stream that arrives in pieces; the pieces' sizes do not change them."""

    def __init__(self) -> None:
        self._pending: Floats = np.empty(0, np.float32)
        self._slopes: Floats = np.empty((0, BANDS - 1), np.float32)

    def feed(self, pcm: Floats) -> tuple[Words, Words]:
        """Signs and stills of the rows that `pcm` completes.

        Args:
            pcm: float32 [shape=(n_samples,)], the samples after those fed before; a NaN or infinity counts as 0.
        """
        self._pending = np.concatenate([self._pending, np.nan_to_num(pcm, nan=0.0, posinf=0.0, neginf=0.0)])
        n_frames = max(0, (len(self._pending) - WINDOW_SAMPLES) // HOP_SAMPLES + 1)
        if n_frames:
            frames = np.lib.stride_tricks.sliding_window_view(self._pending, WINDOW_SAMPLES)[::HOP_SAMPLES]
            self._slopes = np.concatenate([self._slopes, _slopes(frames, HEARD_FLOOR)])
            self._pending = self._pending[n_frames * HOP_SAMPLES :]
        contrasts = self._slopes[LAG_FRAMES:] - self._slopes[:-LAG_FRAMES]
        self._slopes = self._slopes[-LAG_FRAMES:]
        return pack_bits(contrasts > 0), pack_bits(np.abs(contrasts) < STILL_NATS)
