"""The benchmark's way to the matcher: prints and sound in; what was decided when, and how much could be known, out.

Only the public names of `fingerprints` are used, so that this page is all that changes when the matcher does.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.material import Pcm
from fingerprints import kernels
from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.calibration import HOURS_A_YEAR
from fingerprints.coherence import BITS_SHARE, LAG_SAMPLES, coherence_nats
from fingerprints.features import HOP_SAMPLES, WINDOW_SAMPLES, FeatureStream, StreamBits
from fingerprints.heads import BIRTH_FRAMES, Heads
from fingerprints.onset import Crossing, OnsetMatcher, decided_sample, row_of
from fingerprints.prints import LEAD_SAMPLES, LOSSES, PHASE_SAMPLES, PHASES, Print, anchor_row

SAME_ONSET_S: Final = 0.15
"""A decision belongs to an airing when it places the onset this close to the truth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One spot decided at one instant of a stream.

    Attributes:
        spot: index of the print.
        onset_s: where its first audible sample is thought to lie.
        decided_s: end of the last sample that was needed.
        score: nats.
        late: by the index of whole spots, which never fires.
    """

    spot: int
    onset_s: float
    decided_s: float
    score: float
    late: bool = False


def promise(*, n_prints: int, n_library: int, false_per_feed_year: float = 1.0) -> float:
    """What to ask of a matcher of `n_prints` so that its threshold is that of a library of `n_library`."""
    return false_per_feed_year * n_prints / n_library


def features_of(pcm: Pcm) -> StreamBits:
    """A whole stream's features."""
    return FeatureStream().feed(pcm)


def decisions(prints: Sequence[Print] | Heads, bits: StreamBits, *, n_library: int) -> tuple[list[Decision], float]:
    """Every decision of a matcher of these prints at the threshold of a library of `n_library` spots, and that threshold."""
    n_prints = prints.n_spots if isinstance(prints, Heads) else len(prints)
    matcher = OnsetMatcher(prints, false_per_feed_year=promise(n_prints=n_prints, n_library=n_library))
    return [_decision(crossing) for crossing in matcher.advance(bits)], matcher.threshold


def _decision(crossing: Crossing) -> Decision:
    return Decision(
        spot=crossing.spot,
        onset_s=crossing.onset * PHASE_SAMPLES / SAMPLE_RATE_HZ,
        decided_s=decided_sample(crossing.frame) / SAMPLE_RATE_HZ,
        score=crossing.score,
    )


def needed_nats(*, n_library: int, false_per_feed_year: float = 1.0) -> float:
    """The evidence that no test can do without: the logarithm of starts a year over false decisions a year."""
    starts = HOURS_A_YEAR * 3600 * SAMPLE_RATE_HZ / HOP_SAMPLES * PHASES * len(BIRTH_FRAMES) * n_library
    return math.log(starts / false_per_feed_year)


def evidence_a_frame(print_: Print, bits: StreamBits, *, onset_s: float, frames: int) -> float:
    """What a frame of an airing tells on average, nats: its share of the bits' evidence and of the waveform's.

    Args:
        print_: the spot on air.
        bits: the stream, with its samples.
        onset_s: the truth; the better of the alignments nearest to it is taken.
        frames: over how many, from the first that ends in the spot.
    """
    near = round(onset_s * SAMPLE_RATE_HZ / PHASE_SAMPLES)
    best = max(float(_path(print_, bits, onset=onset, frames=frames).sum()) for onset in (near - 1, near, near + 1))
    start = round(onset_s * SAMPLE_RATE_HZ) + anchor_row(print_.gains[0]) * HOP_SAMPLES
    heard = bits.sound[max(0, start - LAG_SAMPLES) : start + frames * HOP_SAMPLES + LAG_SAMPLES]
    return (BITS_SHARE * best + coherence_nats(print_.wave, heard=heard, skipped=0)) / frames


def _path(print_: Print, bits: StreamBits, *, onset: int, frames: int) -> Pcm:
    first = max(bits.first_frame, -((LEAD_SAMPLES - onset * PHASE_SAMPLES) // HOP_SAMPLES))
    part = bits.between(first, first + frames)
    phase, row = row_of(frame=part.first_frame, onset=onset)
    scores: Pcm = kernels.row_scores(print_.words[phase], print_.gains[phase], row, part.signs, part.stills, LOSSES)
    return scores


FIRST_FRAME_S: Final = (WINDOW_SAMPLES - LEAD_SAMPLES) / SAMPLE_RATE_HZ
"""How long after the onset the first frame is complete."""
HOP_S: Final = HOP_SAMPLES / SAMPLE_RATE_HZ
