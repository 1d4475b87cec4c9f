"""The print of a spot: what its sound should look like to the matchers, frame by frame, and how sure to be of each bit.

A reference bit whose contrast was large hardly ever flips on air, a small one often does. So each bit carries a class of
magnitude, 0 to 3, and each class its probability of flipping, measured through codecs. The signs are taken twice,
half a hop apart, so that a stream's frames are never more than 2 ms from those of one of the two phases; the class is that of
the mean of both.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from fingerprints import coherence, downmix, features
from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.errors import PrintFileError, SpotError
from fingerprints.features import HOP_SAMPLES, LAG_FRAMES, Floats, Words, pack_bits

PHASES: Final = 2
PHASE_SAMPLES: Final = HOP_SAMPLES // PHASES
LEAD_SAMPLES: Final = HOP_SAMPLES
"""The first frame begins this long before the spot: the window's rising edge hides all but 4 % of what was there."""

CLASS_EDGES_NATS: Final = (0.3, 0.8, 1.6)
FLIP_PROBABILITIES: Final = (0.246, 0.128, 0.050)
"""Of classes 1 to 3; class 0 (0.33) is left out, it costs more work than it tells.

Source: 58 airings through AAC 64k and 48k, MP3 32k, Opus 32k, and compressor + equaliser + AAC 64k (docs/adr/0004). Of 300
airings 0.224, 0.095 and 0.026 flipped through compressor + equaliser + AAC 64k, 0.208, 0.086 and 0.020 through MP3 32k (0010):
what is kept here doubts a little more, for codecs that are worse.
"""

LONGEST_S: Final = 600.0
SHORTEST_S: Final = 2.0
BLOCK_SAMPLES: Final = 64
AUDIBLE_BELOW_PEAK_DB: Final = -40.0
AUDIBLE_FLOOR_DB: Final = -60.0

_GAINS: Final = np.log(2.0 * (1.0 - np.array(FLIP_PROBABILITIES)))
WEIGHTS: Final[Floats] = np.stack([_GAINS, _GAINS - np.log(2.0 * np.array(FLIP_PROBABILITIES))]).astype(np.float32)
"""float32 [shape=(2, 3)], nats: what a bit of classes 1 to 3 adds to its row's full score, and what it takes off when flipped."""

LOSSES: Final[Floats] = (_GAINS - np.log(2.0 * np.array(FLIP_PROBABILITIES))).astype(np.float32)
"""What a flipped bit of classes 1 to 3 takes from the frame's full gain, nats."""

_MAGIC: Final = b"CUEBIRD PRINT 3\n"
_HEADER_BYTES_MAX: Final = 4096
ROW_BYTES: Final = 4 * (PHASES + 2)
"""2 kB a second of spot."""
ANCHOR_NATS: Final = 2.0
"""A spot is heard from the first row on that can tell this much: a tone or a slow fade before it waits for evidence."""

PARAMETERS: Final = {
    "sample_rate_hz": SAMPLE_RATE_HZ,
    "downmix": downmix.PARAMETERS,
    "window_samples": features.WINDOW_SAMPLES,
    "hop_samples": HOP_SAMPLES,
    "lag_frames": LAG_FRAMES,
    "bands": features.BANDS,
    "lowest_hz": features.LOWEST_HZ,
    "highest_hz": features.HIGHEST_HZ,
    "energy_floor": features.ENERGY_FLOOR,
    "heard_floor": features.HEARD_FLOOR,
    "phases": PHASES,
    "lead_samples": LEAD_SAMPLES,
    "class_edges_nats": list(CLASS_EDGES_NATS),
    "flip_probabilities": list(FLIP_PROBABILITIES),
    "audible_below_peak_db": AUDIBLE_BELOW_PEAK_DB,
    "audible_floor_db": AUDIBLE_FLOOR_DB,
    "anchor_nats": ANCHOR_NATS,
    "wave_samples": coherence.WAVE_SAMPLES,
    "wave_stride": coherence.STRIDE,
    "wave_lowest_hz": coherence.LOWEST_HZ,
    "wave_highest_hz": coherence.HIGHEST_HZ,
    "wave_whitened_over_hz": coherence.WHITENED_OVER_HZ,
    "wave_whitened_floor": coherence.WHITENED_FLOOR,
}
"""Everything that changes a print; a cached print made with other values is made anew."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Print:
    """A spot's reference, ready for the matchers.

    Row `r` of phase `p` is the frame that begins `(r + LAG_FRAMES - 1) * HOP_SAMPLES + p * PHASE_SAMPLES` samples after
    the onset. The rows are read when first asked for: of most spots only the head is ever compared, and that is kept elsewhere.

    Attributes:
        spot_id: the spot.
        rows: how many rows it has.
        lead_in_samples: silence before the onset in the reference file.
        audible_samples: from the first audible sample to the last.
        load: gives the table and the wave.
    """

    spot_id: str
    rows: int
    lead_in_samples: int
    audible_samples: int
    load: Callable[[], tuple[Words, Words]]

    @classmethod
    def of(cls, spot_id: str, table: Words, *, wave: Words, lead_in_samples: int, audible_samples: int) -> "Print":
        """A print whose table and wave are at hand."""
        return cls(
            spot_id=spot_id,
            rows=len(table),
            lead_in_samples=lead_in_samples,
            audible_samples=audible_samples,
            load=lambda: (table, wave),
        )

    @cached_property
    def _loaded(self) -> tuple[Words, Words]:
        return self.load()

    @property
    def table(self) -> Words:
        """The rows: uint32 [shape=(rows, 4)], the signs of each phase, then the low and the high bit of each class."""
        return self._loaded[0]

    @property
    def wave(self) -> Words:
        """The waveform's signs from the first telling row on (`coherence.py`): uint32 [shape=(WAVE_WORDS,)]."""
        return self._loaded[1]

    @cached_property
    def words(self) -> Words:
        """The same by phase: uint32 [shape=(PHASES, rows, 3)], C order: signs, then the low and the high bit of each class."""
        return np.stack([np.ascontiguousarray(self.table[:, [phase, PHASES, PHASES + 1]]) for phase in range(PHASES)])

    @cached_property
    def gains(self) -> Floats:
        """The score of each row when every bit agrees: float32 [shape=(PHASES, rows)], nats."""
        return np.stack([row_gains(self.table)] * PHASES)

    @property
    def audible_s(self) -> float:
        """Length of the spot, silence at both ends left out."""
        return self.audible_samples / SAMPLE_RATE_HZ


def row_gains(table: Words) -> Floats:
    """The score of each row when every bit agrees.

    Args:
        table: uint32 [shape=(rows, 4)].

    Returns:
        float32 [shape=(rows,)], nats.
    """
    low, high = table[:, PHASES], table[:, PHASES + 1]
    counts = np.stack([np.bitwise_count(part) for part in (low & ~high, ~low & high, low & high)], axis=1)
    gains: Floats = counts.astype(np.float32) @ WEIGHTS[0]
    return gains


def anchor_row(gains: Floats) -> int:
    """The first row that can tell at least `ANCHOR_NATS`; the row count when there is none."""
    telling = np.nonzero(gains >= ANCHOR_NATS)[0]
    return int(telling[0]) if len(telling) else len(gains)


def audible_span(pcm: Floats) -> tuple[int, int]:
    """The first audible sample and the one after the last.

    A 4 ms block is audible when its level is above -60 dB full scale and within 40 dB of the loudest block: a
    breath or a click before the first word is not what a spot begins with.

    Returns:
        (start, end), (0, 0) when nothing is audible.
    """
    n_blocks = len(pcm) // BLOCK_SAMPLES
    if n_blocks == 0:
        return 0, 0
    blocks = pcm[: n_blocks * BLOCK_SAMPLES].reshape(n_blocks, BLOCK_SAMPLES)
    level_db = 10.0 * np.log10(np.mean(np.square(blocks, dtype=np.float64), axis=1) + 1e-12)
    audible = np.nonzero(level_db > max(AUDIBLE_FLOOR_DB, float(level_db.max()) + AUDIBLE_BELOW_PEAK_DB))[0]
    if not len(audible):
        return 0, 0
    return int(audible[0]) * BLOCK_SAMPLES, int(audible[-1] + 1) * BLOCK_SAMPLES


def make_print(spot_id: str, pcm: Floats) -> Print:
    """The print of a reference recording.

    Args:
        spot_id: the spot.
        pcm: float32 [shape=(n_samples,)], mono, 16 kHz; silence at both ends is left out.

    Raises:
        SpotError: silent, shorter than 2 s or longer than 10 min.
    """
    start, end = audible_span(pcm)
    length_s = (end - start) / SAMPLE_RATE_HZ
    if end == start:
        raise SpotError(f"{spot_id}: nothing audible above {AUDIBLE_FLOOR_DB:.0f} dB full scale; give a recording of the spot")
    if length_s < SHORTEST_S:
        raise SpotError(f"{spot_id}: {length_s:.1f} s audible; a spot needs at least {SHORTEST_S:.0f} s")
    if length_s > LONGEST_S:
        raise SpotError(f"{spot_id}: {length_s:.0f} s long; a spot is at most {LONGEST_S:.0f} s")
    padded = np.concatenate([np.zeros(LEAD_SAMPLES, np.float32), pcm[start:end]])
    phases = [features.contrasts_of(padded[phase * PHASE_SAMPLES :]) for phase in range(PHASES)]
    rows = min(len(contrasts) for contrasts in phases)
    table = _code(np.stack([contrasts[:rows] for contrasts in phases]))
    wave = coherence.wave_of(pcm[start + anchor_row(row_gains(table)) * HOP_SAMPLES : end])
    return Print.of(spot_id, table, wave=wave, lead_in_samples=start, audible_samples=end - start)


def _code(contrasts: Floats) -> Words:
    classes = np.digitize(np.abs(contrasts.mean(axis=0)), CLASS_EDGES_NATS)
    signs = [pack_bits(phase > 0) for phase in contrasts]
    return np.stack([*signs, pack_bits((classes & 1) > 0), pack_bits((classes & 2) > 0)], axis=1)


def dump_print(print_: Print, *, content_sha256: str) -> bytes:
    """The print as the bytes of a file: magic, a line of JSON with every parameter, the table, the wave, a SHA-256 of it all."""
    header = {
        "parameters": PARAMETERS,
        "spot_id": print_.spot_id,
        "content_sha256": content_sha256,
        "rows": print_.rows,
        "lead_in_samples": print_.lead_in_samples,
        "audible_samples": print_.audible_samples,
    }
    body = _MAGIC + json.dumps(header, sort_keys=True).encode() + b"\n"
    body += print_.table.astype("<u4").tobytes() + print_.wave.astype("<u4").tobytes()
    return body + hashlib.sha256(body).digest()


def load_print(data: bytes, *, content_sha256: str, name: str) -> Print:
    """The print that `dump_print` wrote.

    Args:
        data: the file's bytes.
        content_sha256: hash of the reference recording it must belong to.
        name: how to call the file in a message.

    Raises:
        PrintFileError: damaged, not a print, of other parameters or of another recording.
    """
    body, digest = data[:-32], data[-32:]
    if not data.startswith(_MAGIC) or hashlib.sha256(body).digest() != digest:
        raise PrintFileError(f"{name}: damaged, or not a print of this version; delete it and it is made anew")
    try:
        line, arrays = body[len(_MAGIC) :].split(b"\n", 1)
        header = json.loads(line[:_HEADER_BYTES_MAX])
        same = header["parameters"] == PARAMETERS and header["content_sha256"] == content_sha256
        rows, spot_id = int(header["rows"]), str(header["spot_id"])
        lead_in, audible = int(header["lead_in_samples"]), int(header["audible_samples"])
    except (ValueError, KeyError, TypeError) as error:
        raise PrintFileError(f"{name}: its header cannot be read; delete it and it is made anew") from error
    if not same or rows < 0 or len(arrays) != rows * ROW_BYTES + 4 * coherence.WAVE_WORDS:
        raise PrintFileError(f"{name}: made with other parameters or from another recording; delete it and it is made anew")
    words: Words = np.frombuffer(arrays, "<u4").astype(np.uint32)
    table, wave = words[: -coherence.WAVE_WORDS].reshape(rows, PHASES + 2), words[-coherence.WAVE_WORDS :]
    return Print.of(spot_id, table, wave=wave, lead_in_samples=lead_in, audible_samples=audible)
