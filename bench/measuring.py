"""The pieces of work a run is divided into. Each takes plain values, runs in a process of its own and returns plain values.

What they share (the corpus and the prints of the library) is set once in the parent before the processes are forked.
"""

import time
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import soxr

from bench.corpus import HEAD_S, STREAM_RATE_HZ, Corpus, Place, at_level, render_spot
from bench.degradations import CONDITIONS, Condition, through
from bench.hearing import Heard, hear, hear_library, late_decisions
from bench.impostor_sound import ImpostorPlace, impostor_sound
from bench.matching import (
    FIRST_FRAME_S,
    HOP_S,
    SAME_ONSET_S,
    Decision,
    decisions,
    evidence_a_frame,
    features_of,
    needed_nats,
    promise,
)
from bench.material import Pcm, Track, cut
from bench.peers import Landmarks, chromaprint_evidence, chromaprint_items, item_known_s
from bench.setting import Setting
from bench.streams import Airing, make_stream
from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.calibration import CLUSTER_S
from fingerprints.coherence import LAG_SAMPLES
from fingerprints.errors import SpotError
from fingerprints.heads import Heads
from fingerprints.impostors import Impostor, impostors_in
from fingerprints.onset import OnsetMatcher
from fingerprints.prints import Print, dump_print, make_print

EVIDENCE_FRAMES: Final = 40
"""Frames (a third of a second) over which the information bound averages."""

SAME_RECORDING: Final = 0.55
COMPARED_S: Final = 0.5

GOES_ON_S: Final = (0.5, 2.0)
BESIDE_S: Final = 0.2
BESIDE_TIMES: Final = 20.0
"""Two pieces of music share a recording where, over 1.5 s after anything a decision rests on, their waveforms correlate so many
times as much at the onset's lag as they do in the median beside it. Elsewhere in the same pieces: 4 in the median, 6 to 16 in the
99th percentile; the pairs that were found: 31 to 38."""


@dataclass(slots=True)
class Shared:
    """What every piece of work may read."""

    setting: Setting
    corpus: Corpus
    library: list[Print]
    heads: Heads
    library_places: list[Place | None]
    impostors: list[ImpostorPlace] = field(default_factory=list)


_shared: list[Shared] = []


def share(shared: Shared) -> None:
    """Set what pieces of work may read; before any process is forked."""
    _shared[:] = [shared]


def shared() -> Shared:
    """What `share` was given last."""
    return _shared[0]


def reference(pcm: Pcm) -> Pcm:
    """A delivered spot as the library reads it: mono, 16 kHz."""
    mono: Pcm = np.asarray(soxr.resample(pcm.mean(axis=1), STREAM_RATE_HZ, SAMPLE_RATE_HZ), np.float32)
    return mono


def print_heads(track: int) -> list[tuple[int, bytes]]:
    """The prints of a track's heads as bytes, by number; those that cannot serve as a spot are left out."""
    corpus = shared().corpus
    mine = [(number, place) for number, place in enumerate(corpus.heads) if place.track == track]
    if not mine:
        return []
    region_s = max(place.start_s + HEAD_S * place.speed for _, place in mine) + 0.1
    sound = cut(corpus.spot_tracks[track], start_s=0.0, seconds=region_s, rate_hz=SAMPLE_RATE_HZ, channels=1)[:, 0]
    made: list[tuple[int, bytes]] = []
    for number, place in mine:
        try:
            made.append((number, dump_print(make_print(f"head-{number:05d}", head_pcm(sound, place)), content_sha256="")))
        except SpotError:
            continue
    return made


def head_pcm(sound: Pcm, place: Place) -> Pcm:
    """A head as its library would have it, cut from the sound of its track; both mono, 16 kHz."""
    first = round(place.start_s * SAMPLE_RATE_HZ)
    pcm = sound[first : first + round(HEAD_S * place.speed * SAMPLE_RATE_HZ)]
    if place.speed != 1.0:
        pcm = np.asarray(soxr.resample(pcm, SAMPLE_RATE_HZ * place.speed, SAMPLE_RATE_HZ), np.float32)
    return at_level(pcm, -20.0)


def measure_condition(name: str, first: int, whole_library: bool) -> dict[str, Any]:
    """One batch of airings through one condition.

    Returns:
        `delays_ms` (None where not heard in time), `late` (heard by the whole-spot index alone), `bounds_ms`, `evidence` (mean
        nats a frame), `others` (decisions for a spot that is not on air: when, score, how equal the waveforms are, whether
        both are of one track), `sound_s`, `matching_s`, `kinds`.
    """
    state = shared()
    setting, corpus = state.setting, state.corpus
    condition = next(one for one in CONDITIONS if one.name == name)
    spots = corpus.spots[first : first + setting.batch]
    pcm, airings, delivered = make_stream(corpus, spots, condition, seed=setting.seed, aired_s=setting.aired_s)
    heard, delay_s = through(condition, pcm)
    references = [reference(one) for one in delivered]
    prints = state.library[first : first + len(spots)]
    began = time.process_time()
    if whole_library:
        found = hear_library(state.heads, first, len(spots), heard)
        found.decisions.extend(late_decisions(prints, references, heard))
    else:
        found = hear(prints, references, heard, condition=condition, n_library=setting.n_library)
    matching_s = time.process_time() - began
    truths_s = [_heard_onset_s(airing, prints, condition, delay_s) for airing in airings]
    mine = [_mine(found, airing, at_s, condition, delay_s) for airing, at_s in zip(airings, truths_s, strict=True)]
    firsts = [min((s for s, late in one if condition.late or not late), default=None) for one in mine]
    others = _events([one for one in found.decisions if not one.late and not _belongs(one, truths_s)])
    bits = features_of(heard)
    evidence = [
        evidence_a_frame(prints[airing.spot], bits, onset_s=at_s, frames=EVIDENCE_FRAMES)
        for airing, at_s in zip(airings, truths_s, strict=True)
    ]
    need = needed_nats(n_library=setting.n_library)
    return {
        "delays_ms": [None if one is None else 1000 * one for one in firsts],
        "late": [bool(one) and first is None for one, first in zip(mine, firsts, strict=True)],
        "bounds_ms": [None if condition.rates else _bound_ms(nats, need) for nats in evidence],
        "evidence": evidence,
        "others": [
            [
                one.decided_s,
                one.score,
                _correlation(state, _index(one.spot, first, len(spots)), heard, one.onset_s),
                _of_same_track(state, _index(one.spot, first, len(spots)), on_air),
            ]
            for one, on_air in ((one, _on_air(one, airings, first, condition, delay_s)) for one in others)
        ],
        "sound_s": len(heard) / SAMPLE_RATE_HZ,
        "matching_s": matching_s,
        "kinds": [spot.kind for spot in spots],
        "threshold": found.threshold,
        "speeds": found.speeds,
    }


def _on_air(decision: Decision, airings: list[Airing], first: int, condition: Condition, delay_s: float) -> int | None:
    """Which spot of the library was on air where another one was decided."""
    return next(
        (
            first + airing.spot
            for airing in airings
            if airing.aired_s / condition.speed < decision.decided_s - delay_s < airing.end_s / condition.speed + CLUSTER_S
        ),
        None,
    )


def _of_same_track(state: Shared, index: int, on_air: int | None) -> bool:
    """Whether a spot of the library was cut from the tracks of what is on air."""
    names = {track.name for track in _tracks_of(state, on_air)} if on_air is not None else set()
    return any(track.name in names for track in _tracks_of(state, index))


def _events(found: list[Decision]) -> list[Decision]:
    """The first decision of each spot and place; its neighbours half a hop away are the same event."""
    events: list[Decision] = []
    for one in found:
        if not any(one.spot == other.spot and abs(one.onset_s - other.onset_s) < CLUSTER_S for other in events):
            events.append(one)
    return events


def _index(spot: int, first: int, count: int) -> int:
    """A decision's spot as the library counts it."""
    return first + spot if spot < count else spot - count


def _belongs(decision: Decision, truths_s: list[float]) -> bool:
    """Whether a decision is for a spot that is on air there."""
    return decision.spot < len(truths_s) and abs(decision.onset_s - truths_s[decision.spot]) < 3 * SAME_ONSET_S


def _bound_ms(evidence: float, need: float) -> float | None:
    return 1000 * (FIRST_FRAME_S + (need / evidence - 1) * HOP_S) if evidence > 0.05 else None


def _heard_onset_s(airing: Airing, prints: list[Print], condition: Condition, delay_s: float) -> float:
    audible_s = airing.onset_s + prints[airing.spot].lead_in_samples / SAMPLE_RATE_HZ
    return audible_s / condition.speed + delay_s


def _mine(found: Heard, airing: Airing, onset_s: float, condition: Condition, delay_s: float) -> list[tuple[float, bool]]:
    """Seconds from the first audible sample that was aired to each decision for this airing, and whether that was a late one."""
    aired_s, end_s = airing.aired_s / condition.speed + delay_s, airing.end_s / condition.speed + delay_s
    began_s = max(onset_s, aired_s)
    near_s = SAME_ONSET_S * 3 if condition.speed != 1.0 or condition.late else SAME_ONSET_S
    return [
        (one.decided_s - began_s, one.late)
        for one in found.decisions
        if one.spot == airing.spot
        and abs(one.onset_s - onset_s) < (near_s * 3 if one.late else near_s)
        and began_s < one.decided_s < end_s + 0.5
    ]


def measure_impostors(number: int, n_prints: int) -> dict[str, Any]:
    """A piece of programme without spots against `n_prints` of the library.

    Returns:
        `hours` of sound, `label`, `threshold`, `matching_s`, and `impostors` as (score, where in the sound, spot, bits, what
        makes it a repetition of the same recording or "", the two pieces of music it is between or "").
    """
    state = shared()
    place = state.impostors[number]
    label, heard = impostor_sound(place)
    # Every piece meets another part of the library when it cannot meet all of it.
    start = number * n_prints % len(state.library)
    chosen = [(start + k) % len(state.library) for k in range(n_prints)]
    everything = n_prints == len(state.library)
    matcher = OnsetMatcher(
        state.heads if everything else [state.library[index] for index in chosen],
        false_per_feed_year=promise(n_prints=n_prints, n_library=state.setting.n_library),
    )
    began = time.process_time()
    found = impostors_in(matcher, heard)
    matching_s = time.process_time() - began
    return {
        "hours": len(heard) / SAMPLE_RATE_HZ / 3600,
        "label": label,
        "threshold": matcher.threshold,
        "matching_s": matching_s,
        "impostors": [
            [
                one.score,
                one.onset_s,
                state.library[chosen[one.spot]].spot_id,
                one.bits,
                _repetition(state, chosen[one.spot], place, one, heard=heard if one.score >= matcher.threshold else None),
                _music_between(state, chosen[one.spot], place.track),
            ]
            for one in found
        ],
    }


GOES_ON: Final = "the waveform goes on to agree"
ONE_RECORDING: Final = "both are one recording"


def _repetition(state: Shared, index: int, place: ImpostorPlace, impostor: Impostor, *, heard: Pcm | None) -> str:
    """Why a coincidence is the same recording: its waveform goes on to agree, or music repeats its own bars or another's.

    Args:
        heard: the sound, where it would have been decided.
    """
    if impostor.repeated:
        return GOES_ON
    between = _music_between(state, index, place.track)
    if not between or place.track is None:
        return ""
    if _tracks_of(state, index)[0].name == place.track.name:
        return f"{place.track.name} repeats itself"
    if heard is not None and _beside(_sound_of(state, index), heard, impostor.onset_s) >= BESIDE_TIMES:
        return ONE_RECORDING
    return ""


def _music_between(state: Shared, index: int, track: Track | None) -> str:
    own = _tracks_of(state, index)[0]
    return f"{own.name} and {track.name}" if track is not None and track.kind == own.kind == "music" else ""


def _tracks_of(state: Shared, index: int) -> tuple[Track, ...]:
    """The tracks a spot of the library was cut from, the loudest first."""
    place = state.library_places[index]
    if place is not None:
        return (state.corpus.spot_tracks[place.track],)
    spot = state.corpus.spots[index]
    return state.corpus.spot_tracks[spot.place.track], state.corpus.spot_tracks[spot.voice.track]


def _sound_of(state: Shared, index: int) -> Pcm:
    """A spot of the library as it was delivered, mono, 16 kHz."""
    place = state.library_places[index]
    if place is None:
        return reference(render_spot(state.corpus, state.corpus.spots[index]))
    seconds = place.start_s + HEAD_S * place.speed + 0.1
    track = state.corpus.spot_tracks[place.track]
    return head_pcm(cut(track, start_s=0.0, seconds=seconds, rate_hz=SAMPLE_RATE_HZ, channels=1)[:, 0], place)


def _correlation(state: Shared, index: int, heard: Pcm, onset_s: float) -> float:
    """How equal the waveforms of a spot of the library and of the stream are where it seemed to begin, 0 to 1."""
    pcm = _sound_of(state, index)
    lead = state.library[index].lead_in_samples
    wanted = pcm[lead : lead + round(COMPARED_S * SAMPLE_RATE_HZ)]
    first = max(0, round((onset_s - 0.06) * SAMPLE_RATE_HZ))
    found = correlations(wanted, heard[first : first + len(wanted) + round(0.12 * SAMPLE_RATE_HZ)])
    return float(found.max()) if len(found) else 0.0


def _beside(pcm: Pcm, heard: Pcm, onset_s: float) -> float:
    """How many times as much the waveforms correlate `GOES_ON_S` after an onset as they do in the median a little beside it."""
    begin, end = (round(s * SAMPLE_RATE_HZ) for s in GOES_ON_S)
    onset, beside = round(onset_s * SAMPLE_RATE_HZ), round(BESIDE_S * SAMPLE_RATE_HZ)
    first = max(0, onset + begin - beside)
    found = correlations(pcm[begin:end], heard[first : onset + end + beside])
    at = onset + begin - first
    near = found[max(0, at - LAG_SAMPLES) : at + LAG_SAMPLES + 1]
    return float(near.max() / (np.median(found) + 1e-9)) if len(near) else 0.0


def correlations(wanted: Pcm, window: Pcm) -> Pcm:
    """How equal the waveforms are at each lag, float32 [shape=(n_lags,)], 0 to 1: of differences, so that basses weigh less."""
    wanted, window = np.diff(wanted), np.diff(window)
    if not len(wanted) or len(window) < len(wanted):
        return np.empty(0, np.float32)
    squares = np.concatenate([[0.0], np.cumsum(np.square(window, dtype=np.float64))])
    energy = np.sqrt(np.maximum(squares[len(wanted) :] - squares[: -len(wanted)], 1e-9)) * (np.linalg.norm(wanted) + 1e-9)
    return np.asarray(np.abs(np.correlate(window, wanted, mode="valid")) / energy, np.float32)


EMPTY_PIECES: Final = 5
"""Of programme without spots, above whose best the others' thresholds are put."""


def measure_peers(first: int, count: int) -> dict[str, Any]:
    """Whole spots through the broadcast chain, to chromaprint, landmarks and ourselves.

    Returns:
        for each method the delay in ms of each airing, None where missed, and the threshold its programme asked for.
    """
    state = shared()
    condition = CONDITIONS[0]
    spots = state.corpus.spots[first : first + count]
    pcm, airings, delivered = make_stream(state.corpus, spots, condition, seed=state.setting.seed + 1, aired_s=12.0)
    heard, delay_s = through(condition, pcm)
    references = [reference(one) for one in delivered]
    prints = [make_print(spot.id, one) for spot, one in zip(spots, references, strict=True)]
    truths_s = [_heard_onset_s(airing, prints, condition, delay_s) for airing in airings]
    ends_s = [airing.end_s + delay_s for airing in airings]
    chained = [place for place in state.impostors if place.chained][:EMPTY_PIECES]
    empty = np.concatenate([impostor_sound(place)[1] for place in chained])
    ours, _ = decisions(prints, features_of(heard), n_library=state.setting.n_library)
    return {
        "ours": _delays(ours, truths_s),
        "chromaprint": _chromaprint_delays(references, heard, empty, truths_s, ends_s),
        "landmarks": _landmark_delays(references, heard, empty, truths_s, ends_s),
    }


def _delays(found: list[Decision], truths_s: list[float]) -> list[float | None]:
    return [
        min(
            (1000 * (one.decided_s - at_s) for one in found if one.spot == spot and abs(one.onset_s - at_s) < SAME_ONSET_S),
            default=None,
        )
        for spot, at_s in enumerate(truths_s)
    ]


def _chromaprint_delays(
    references: list[Pcm], heard: Pcm, empty: Pcm, truths_s: list[float], ends_s: list[float]
) -> list[float | None]:
    items, nothing = chromaprint_items(heard), chromaprint_items(empty)
    prints = [chromaprint_items(one) for one in references]
    limit = max(float(chromaprint_evidence(one, nothing).max()) for one in prints)
    known_s = np.array([item_known_s(index) for index in range(len(items))])
    return [
        _first_above(known_s, chromaprint_evidence(one, items), limit, begin_s, end_s)
        for one, begin_s, end_s in zip(prints, truths_s, ends_s, strict=True)
    ]


def _landmark_delays(
    references: list[Pcm], heard: Pcm, empty: Pcm, truths_s: list[float], ends_s: list[float]
) -> list[float | None]:
    landmarks = Landmarks(references)
    limit = float(landmarks.votes(empty)[1].max())
    positions_s, votes = landmarks.votes(heard)
    return [
        _first_above(positions_s, votes[:, spot].astype(np.float64), limit, begin_s, end_s)
        for spot, (begin_s, end_s) in enumerate(zip(truths_s, ends_s, strict=True))
    ]


def _first_above(
    positions_s: "np.ndarray[Any, np.dtype[np.float64]]",
    values: "np.ndarray[Any, np.dtype[np.float64]]",
    limit: float,
    begin_s: float,
    end_s: float,
) -> float | None:
    over = np.nonzero((values > limit) & (positions_s > begin_s) & (positions_s < end_s + 3.0))[0]
    return 1000 * float(positions_s[over[0]] - begin_s) if len(over) else None
