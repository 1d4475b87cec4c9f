"""What sound without any spot scores: the material a calibration is made from."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.calibration import CLUSTER_S, Calibration, calibrate
from fingerprints.capture import Capture
from fingerprints.coherence import LAG_SAMPLES, STRIDE, WAVE_SAMPLES, coherence_nats
from fingerprints.errors import SpotError
from fingerprints.features import HOP_SAMPLES, FeatureStream, Floats
from fingerprints.heads import Heads, head_at, head_of, stack
from fingerprints.library import SpotLibrary
from fingerprints.onset import Crossing, OnsetMatcher
from fingerprints.prints import PHASE_SAMPLES, Print, make_print
from timebase import SystemClock

REPEATED_NATS: Final = 12.0
"""Evidence in the rest of the wave, which the score did not rest on, that makes a coincidence the same recording."""

PARTS: Final = 4
"""Of 0.17 s, in which the wave is compared for that."""

DECOY_S: Final = 2.2
DECOY_STEP_S: Final = 2.5
LISTENED_FOR: Final = 4000
"""Spots and decoys together."""
PIECE_S: Final = 300.0
CERTAIN_NATS: Final = 20.0
"""More than chance ever gives: a sample or a bar that is used again, or a spot that airs after all."""
SUSPECTS_MAX: Final = 20
SOURCE_CHARACTERS: Final = 500


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
    found = [_impostor(matcher.heads, crossing, pcm) for mine in best.values() for crossing in mine]
    return sorted(found, key=lambda one: one.onset_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """What scored high in sound without spots, for a person to look at.

    Attributes:
        medium: the recording.
        onset_s: where in it.
        spot_id: what it was like; a decoy's names where it was cut.
        score: nats.
        repeated: whether the same recording is really there; it was left out of the calibration.
    """

    medium: str
    onset_s: float
    spot_id: str
    score: float
    repeated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A calibration and what it rests on.

    Attributes:
        calibration: of the recordings.
        hours: of sound.
        decoys: heads cut from it that were listened for besides the spots.
        repeated: how much was the same recording again and left out.
        suspects: the highest scores, highest first.
    """

    calibration: Calibration
    hours: float
    decoys: int
    repeated: int
    suspects: list[Suspect]


def measure(
    library: SpotLibrary, media: Sequence[str], *, heard: Callable[[str, float], None], piece_s: float = PIECE_S
) -> Measured:
    """Calibrate on recordings in which none of the spots airs.

    Libraries of fewer than `LISTENED_FOR` spots meet chance too rarely. So heads are cut from the recordings themselves and
    listened for in what follows: the same voices, the same music.

    Args:
        library: whose spots are listened for.
        media: files and addresses that `Capture` opens.
        heard: told of each recording and the seconds of it that have been heard.
        piece_s: how much is matched at a time; decoys are listened for from the piece after their own on.

    Raises:
        MediaError: one cannot be read.
        CalibrationError: too few coincidences.
    """
    heads = [head_at(library.heads, index) for index in range(library.heads.n_spots)]
    names = [spot.id for spot in library.spots]
    scores: list[float] = []
    suspects: list[Suspect] = []
    heard_s, spot_hours, repeated = 0.0, 0.0, 0
    for medium in media:
        for first_s, pcm in _pieces(medium, piece_s):
            matcher = OnsetMatcher(stack(heads))
            found = [replace(one, repeated=one.repeated or one.score >= CERTAIN_NATS) for one in impostors_in(matcher, pcm)]
            scores += [one.score for one in found if not one.repeated]
            repeated += sum(one.repeated for one in found)
            suspects += [
                Suspect(
                    medium=medium, onset_s=first_s + one.onset_s, spot_id=names[one.spot], score=one.score, repeated=one.repeated
                )
                for one in found
            ]
            suspects = sorted(suspects, key=lambda one: -one.score)[:SUSPECTS_MAX]
            seconds = len(pcm) / SAMPLE_RATE_HZ
            heard_s, spot_hours = heard_s + seconds, spot_hours + seconds / 3600 * len(heads)
            heard(medium, first_s + seconds)
            for decoy in decoys_of(pcm)[: max(0, LISTENED_FOR - len(heads))]:
                heads.append(head_of(decoy.table, decoy.wave))
                names.append(f"{medium} at {first_s + float(decoy.spot_id) / SAMPLE_RATE_HZ:.1f} s")
    source = ", ".join(media)[:SOURCE_CHARACTERS]
    return Measured(
        calibration=calibrate(scores, spot_hours=spot_hours, source=source),
        hours=heard_s / 3600,
        decoys=len(heads) - library.heads.n_spots,
        repeated=repeated,
        suspects=suspects,
    )


def _pieces(medium: str, piece_s: float) -> Iterator[tuple[float, Floats]]:
    """A recording in pieces of some minutes, and where each begins, seconds."""
    parts: list[Floats] = []
    first = have = 0
    with Capture(medium, clock=SystemClock()) as capture:
        for block in capture.blocks():
            parts.append(block.pcm)
            have += len(block.pcm)
            if have >= piece_s * SAMPLE_RATE_HZ:
                yield first / SAMPLE_RATE_HZ, np.concatenate(parts)
                parts, first, have = [], first + have, 0
    if parts:
        yield first / SAMPLE_RATE_HZ, np.concatenate(parts)


def decoys_of(pcm: Floats) -> list[Print]:
    """Heads cut from the sound itself every few seconds, named by the sample where they begin.

    Where each was cut it is of course repeated (`Impostor.repeated`).
    """
    decoys: list[Print] = []
    length, step = round(DECOY_S * SAMPLE_RATE_HZ), round(DECOY_STEP_S * SAMPLE_RATE_HZ)
    for first in range(0, len(pcm) - length, step):
        try:
            decoys.append(make_print(str(first), pcm[first : first + length]))
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
