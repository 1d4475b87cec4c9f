"""The benchmark's way to the matcher: prints and sound in; what was decided when, and the best scores of impostors, out.

Only the public names of `fingerprints` are used, so that this page is all that changes when the matcher does.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.material import Pcm
from fingerprints import kernels
from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.features import HOP_SAMPLES, WINDOW_SAMPLES, FeatureStream, StreamBits
from fingerprints.heads import BIRTH_FRAMES, Heads
from fingerprints.onset import SECONDS_A_YEAR, Crossing, OnsetMatcher, decided_sample, row_of
from fingerprints.prints import LEAD_SAMPLES, LOSSES, PHASE_SAMPLES, PHASES, Print

SAME_ONSET_S: Final = 0.15
"""A decision belongs to an airing when it places the onset this close to the truth."""

CLUSTER_S: Final = 0.5
"""Crossings of one spot within this are one event: neighbouring alignments of the same coincidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One spot decided at one instant of a stream.

    Attributes:
        spot: index of the print.
        onset_s: where its first audible sample is thought to lie.
        decided_s: end of the last sample that was needed.
        score: nats.
    """

    spot: int
    onset_s: float
    decided_s: float
    score: float


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Impostor:
    """A coincidence: a spot that is not on air, and the best score it reached before its hypothesis died.

    Attributes:
        spot: index of the print.
        onset_s: where it seemed to begin.
        score: nats.
    """

    spot: int
    onset_s: float
    score: float


def impostors(matcher: OnsetMatcher, prints: Sequence[Print], bits: StreamBits, *, floor: float) -> list[Impostor]:
    """The best score of every coincidence above `floor`, one a spot and place.

    The matcher runs with its threshold lowered to the floor, filters and caps as on air; each hypothesis that crosses is then
    followed by the same row scores until it would have died.
    """
    matcher.restart()
    matcher.threshold = floor
    best: dict[int, list[Impostor]] = {}
    for crossing in matcher.advance(bits):
        print_ = prints[crossing.spot]
        score = _peak(matcher, print_, bits, crossing)
        onset_s = crossing.onset * PHASE_SAMPLES / SAMPLE_RATE_HZ
        events = best.setdefault(crossing.spot, [])
        if events and abs(events[-1].onset_s - onset_s) < CLUSTER_S:
            score = max(score, events.pop().score)
        events.append(Impostor(spot=crossing.spot, onset_s=onset_s, score=score))
    return [event for events in best.values() for event in events]


def _peak(matcher: OnsetMatcher, print_: Print, bits: StreamBits, crossing: Crossing) -> float:
    rest = bits.between(crossing.frame + 1, bits.first_frame + len(bits)).between(0, crossing.frame + 1 + print_.rows)
    if not len(rest):
        return crossing.score
    phase, row = row_of(frame=rest.first_frame, onset=crossing.onset)
    rows = kernels.row_scores(print_.words[phase], print_.gains[phase], row, rest.signs, rest.stills, LOSSES)
    path = crossing.score + np.cumsum(np.minimum(rows, matcher.row_most), dtype=np.float64)
    dead = np.nonzero(path <= matcher.lower_bound)[0]
    lived = path[: dead[0]] if len(dead) else path
    return max(crossing.score, float(lived.max())) if len(lived) else crossing.score


def needed_nats(*, n_library: int, false_per_feed_year: float = 1.0) -> float:
    """The evidence that no test can do without: the logarithm of starts a year over false decisions a year."""
    starts = SECONDS_A_YEAR * SAMPLE_RATE_HZ / HOP_SAMPLES * PHASES * len(BIRTH_FRAMES) * n_library
    return math.log(starts / false_per_feed_year)


def evidence_by_frame(print_: Print, bits: StreamBits, *, onset_s: float, frames: int) -> Pcm:
    """What each frame tells for the truth, along the better of the alignments nearest to it.

    Returns:
        float32 [shape=(frames,)], nats, not capped; the first is the frame that begins before the onset.
    """
    near = round(onset_s * SAMPLE_RATE_HZ / PHASE_SAMPLES)
    paths = [_path(print_, bits, onset=onset, frames=frames) for onset in (near - 1, near, near + 1)]
    return max(paths, key=lambda path: float(path.sum()))


def _path(print_: Print, bits: StreamBits, *, onset: int, frames: int) -> Pcm:
    first = max(bits.first_frame, -((LEAD_SAMPLES - onset * PHASE_SAMPLES) // HOP_SAMPLES))
    part = bits.between(first, first + frames)
    phase, row = row_of(frame=part.first_frame, onset=onset)
    scores = kernels.row_scores(print_.words[phase], print_.gains[phase], row, part.signs, part.stills, LOSSES)
    path = np.zeros(frames, np.float32)
    path[: len(scores)] = scores
    return path


FIRST_FRAME_S: Final = (WINDOW_SAMPLES - LEAD_SAMPLES) / SAMPLE_RATE_HZ
"""How long after the onset the first frame is complete."""
HOP_S: Final = HOP_SAMPLES / SAMPLE_RATE_HZ
