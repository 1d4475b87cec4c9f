"""What sound without any spot scores: the material a calibration is made from."""

from dataclasses import dataclass
from typing import Final

from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.calibration import FLOOR_NATS
from fingerprints.coherence import LAG_SAMPLES, STRIDE, WAVE_SAMPLES, coherence_nats
from fingerprints.errors import SpotError
from fingerprints.features import HOP_SAMPLES, FeatureStream, Floats
from fingerprints.heads import Heads
from fingerprints.onset import Crossing, OnsetMatcher
from fingerprints.prints import PHASE_SAMPLES, Print, make_print

CLUSTER_S: Final = 0.5
"""Scores of one spot within this are one coincidence: neighbouring alignments, and the same hypothesis a little older."""

REPEATED_NATS: Final = 12.0
"""Evidence in the rest of the wave, which the score did not rest on, that makes a coincidence the same recording."""

PARTS: Final = 4
"""Of 0.2 s, in which the wave is compared for that."""

DECOY_S: Final = 2.2
DECOY_STEP_S: Final = 2.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Impostor:
    """A coincidence: a spot that is not on air, and the best score it reached.

    Attributes:
        spot: index of its head.
        onset_s: where it seemed to begin, seconds into the sound.
        score: nats.
        bits: the part of the bits alone, nats, not weighed.
        repeated: whether it is no coincidence: the same recording is really there, as in music that is used twice.
    """

    spot: int
    onset_s: float
    score: float
    bits: float
    repeated: bool


def impostors_in(matcher: OnsetMatcher, pcm: Floats) -> list[Impostor]:
    """Every coincidence above the floor, one a spot and place, in order of the sound.

    Nothing is decided meanwhile: the matcher's threshold is out of reach, so each hypothesis lives until it dies.

    Args:
        matcher: of the spots; it is restarted, and its threshold is put back afterwards.
        pcm: float32 [shape=(n_samples,)], mono, 16 kHz, without any of the spots.
    """
    threshold, matcher.threshold = matcher.threshold, 1e9
    matcher.restart()
    features = FeatureStream()
    best: dict[int, list[Crossing]] = {}
    for first in range(0, len(pcm), SAMPLE_RATE_HZ):
        matcher.advance(features.feed(pcm[first : first + SAMPLE_RATE_HZ]))
        for crossing in matcher.take_coincidences():
            mine = best.setdefault(crossing.spot, [])
            known = bool(mine) and abs(mine[-1].onset - crossing.onset) * PHASE_SAMPLES < CLUSTER_S * SAMPLE_RATE_HZ
            mine.append(max(crossing, mine.pop(), key=lambda one: one.score) if known else crossing)
    matcher.threshold = threshold
    matcher.restart()
    found = [
        _impostor(matcher.heads, crossing, pcm) for mine in best.values() for crossing in mine if crossing.score >= FLOOR_NATS
    ]
    return sorted(found, key=lambda one: one.onset_s)


def decoys_of(pcm: Floats) -> list[Print]:
    """Heads cut from the sound itself every few seconds, for libraries too small to meet chance: the same voices and music.

    Where each was cut it is of course repeated (`Impostor.repeated`).
    """
    decoys: list[Print] = []
    for first in range(0, len(pcm) - round(DECOY_S * SAMPLE_RATE_HZ), round(DECOY_STEP_S * SAMPLE_RATE_HZ)):
        try:
            decoys.append(make_print(f"decoy-{first}", pcm[first : first + round(DECOY_S * SAMPLE_RATE_HZ)]))
        except SpotError:
            continue  # silence
    return decoys


def _impostor(heads: Heads, crossing: Crossing, pcm: Floats) -> Impostor:
    return Impostor(
        spot=crossing.spot,
        onset_s=crossing.onset * PHASE_SAMPLES / SAMPLE_RATE_HZ,
        score=crossing.score,
        bits=crossing.bits,
        repeated=_is_repeated(heads, crossing, pcm),
    )


def _is_repeated(heads: Heads, crossing: Crossing, pcm: Floats) -> bool:
    """Whether the wave goes on to agree after the frame of the best score, or agreed before what that rests on."""
    start = crossing.onset * PHASE_SAMPLES + int(heads.skipped[crossing.spot]) * HOP_SAMPLES
    part = WAVE_SAMPLES * STRIDE // PARTS
    evidence = []
    for skipped in range(0, PARTS * part, part):
        first = start + skipped - LAG_SAMPLES
        heard = pcm[first : start + skipped + part + LAG_SAMPLES] if first >= 0 else pcm[:0]
        evidence.append(coherence_nats(heads.waves[crossing.spot], heard=heard, skipped=skipped))
    # The score rests on two parts at most; a third must agree by itself.
    return sorted(evidence)[-3] >= REPEATED_NATS
