"""The print of a spot: what its sound should look like to the matchers, frame by frame, and how sure to be of each bit.

A reference bit whose contrast was large hardly ever flips on air, a small one often does. So each bit carries a class of
magnitude, 0 to 3, and each class its probability of flipping, measured through codecs. The print is made twice, half a hop
apart, so that a stream's frames are never more than 2 ms from those of one of the two.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from fingerprints import features
from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.errors import PrintFileError, SpotError
from fingerprints.features import HOP_SAMPLES, LAG_FRAMES, Floats, Words, pack_bits

PHASES: Final = 2
PHASE_SAMPLES: Final = HOP_SAMPLES // PHASES
LEAD_SAMPLES: Final = HOP_SAMPLES
"""The first frame begins this long before the spot: the window's rising edge hides all but 4 % of what was there."""

CLASS_EDGES_NATS: Final = (0.3, 0.8, 1.6)
FLIP_PROBABILITIES: Final = (0.246, 0.128, 0.050)
"""Of classes 1 to 3; class 0 (0.40) is left out, it costs more work than it tells.

Source: 58 airings through AAC 64k and 48k, MP3 32k, Opus 32k, and compressor + equaliser + AAC 64k (docs/adr/0004).
"""

LONGEST_S: Final = 600.0
SHORTEST_S: Final = 2.0
BLOCK_SAMPLES: Final = 64
AUDIBLE_BELOW_PEAK_DB: Final = -45.0
AUDIBLE_FLOOR_DB: Final = -60.0

_GAINS: Final = np.log(2.0 * (1.0 - np.array(FLIP_PROBABILITIES)))
LOSSES: Final[Floats] = (_GAINS - np.log(2.0 * np.array(FLIP_PROBABILITIES))).astype(np.float32)
"""What a flipped bit of classes 1 to 3 takes from the frame's full gain, nats."""

_MAGIC: Final = b"CUEBIRD PRINT 1\n"
_HEADER_BYTES_MAX: Final = 4096
PARAMETERS: Final = {
    "sample_rate_hz": SAMPLE_RATE_HZ,
    "window_samples": features.WINDOW_SAMPLES,
    "hop_samples": HOP_SAMPLES,
    "lag_frames": LAG_FRAMES,
    "bands": features.BANDS,
    "lowest_hz": features.LOWEST_HZ,
    "highest_hz": features.HIGHEST_HZ,
    "energy_floor": features.ENERGY_FLOOR,
    "phases": PHASES,
    "lead_samples": LEAD_SAMPLES,
    "class_edges_nats": list(CLASS_EDGES_NATS),
    "flip_probabilities": list(FLIP_PROBABILITIES),
    "audible_below_peak_db": AUDIBLE_BELOW_PEAK_DB,
    "audible_floor_db": AUDIBLE_FLOOR_DB,
}
"""Everything that changes a print; a cached print made with other values is made anew."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Print:
    """A spot's reference, ready for the matchers.

    Row `r` of phase `p` is the frame that begins `(r + LAG_FRAMES - 1) * HOP_SAMPLES + p * PHASE_SAMPLES` samples after
    the onset.

    Attributes:
        spot_id: the spot.
        words: uint32 [shape=(PHASES, n_rows, 3)], C order: signs, then the low and the high bit of each class.
        gains: float32 [shape=(PHASES, n_rows)]: the row's score when every bit agrees, nats.
        lead_in_samples: silence before the onset in the reference file.
        audible_samples: from the first audible sample to the last.
    """

    spot_id: str
    words: Words
    gains: Floats
    lead_in_samples: int
    audible_samples: int

    @property
    def rows(self) -> int:
        """How many rows each phase has."""
        return int(self.gains.shape[1])

    @property
    def audible_s(self) -> float:
        """Length of the spot, silence at both ends left out."""
        return self.audible_samples / SAMPLE_RATE_HZ


def audible_span(pcm: Floats) -> tuple[int, int]:
    """The first audible sample and the one after the last.

    A 4 ms block is audible when its level is above -60 dB full scale and within 45 dB of the loudest block.

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
    coded = [_code(contrasts[:rows]) for contrasts in phases]
    return Print(
        spot_id=spot_id,
        words=np.ascontiguousarray(np.stack([words for words, _ in coded])),
        gains=np.ascontiguousarray(np.stack([gains for _, gains in coded])),
        lead_in_samples=start,
        audible_samples=end - start,
    )


def _code(contrasts: Floats) -> tuple[Words, Floats]:
    classes = np.digitize(np.abs(contrasts), CLASS_EDGES_NATS)
    words = np.stack([pack_bits(contrasts > 0), pack_bits((classes & 1) > 0), pack_bits((classes & 2) > 0)], axis=1)
    gains = np.concatenate([[0.0], _GAINS])[classes].sum(axis=1)
    return words, gains.astype(np.float32)


def dump_print(print_: Print, *, content_sha256: str) -> bytes:
    """The print as the bytes of a file: a line of magic, a line of JSON with every parameter, the arrays, a SHA-256 of it all."""
    header = {
        "parameters": PARAMETERS,
        "spot_id": print_.spot_id,
        "content_sha256": content_sha256,
        "rows": print_.rows,
        "lead_in_samples": print_.lead_in_samples,
        "audible_samples": print_.audible_samples,
    }
    body = _MAGIC + json.dumps(header, sort_keys=True).encode() + b"\n"
    body += print_.words.astype("<u4").tobytes() + print_.gains.astype("<f4").tobytes()
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
    words_bytes = PHASES * rows * 3 * 4
    if not same or rows < 0 or len(arrays) != words_bytes + PHASES * rows * 4:
        raise PrintFileError(f"{name}: made with other parameters or from another recording; delete it and it is made anew")
    words: npt.NDArray[np.uint32] = np.frombuffer(arrays[:words_bytes], "<u4").reshape(PHASES, rows, 3).astype(np.uint32)
    gains: npt.NDArray[np.float32] = np.frombuffer(arrays[words_bytes:], "<f4").reshape(PHASES, rows).astype(np.float32)
    return Print(spot_id=spot_id, words=words, gains=gains, lead_in_samples=lead_in, audible_samples=audible)
