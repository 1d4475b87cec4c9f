"""Sound without spots, that must not be taken for any: hours of it, no piece twice."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import soxr

from bench.corpus import HEAD_SPEEDS, HEADS_REGION, STREAM_RATE_HZ, SYNTHESISED, Corpus, at_level
from bench.degradations import CONDITIONS, through
from bench.material import Pcm, Track, cut

PIECE_S: Final = 120.0
PIECE_LEAST_S: Final = 20.0
KINDS_IN_TURN: Final = ("related", "other", "made", "other", "related", "other")
IMPOSTOR_SPEEDS: Final = (*HEAD_SPEEDS, 0.92, 1.09)
SPOT_MARGIN_S: Final = 12.0
"""A spot or head that begins at the end of its region must not reach into related sound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpostorPlace:
    """Where a piece of sound without spots is cut.

    Attributes:
        kind: `related`, `other` or `made`.
        track: None where it is made.
        start_s, seconds: into the track; what is heard lasts `seconds / speed`.
        speed: how fast it is played.
        seed: of what is made.
        chained: whether it goes through the broadcast chain.
    """

    kind: str
    track: Track | None = None
    start_s: float = 0.0
    seconds: float = PIECE_S
    speed: float = 1.0
    seed: int = 0
    chained: bool

    @property
    def heard_s(self) -> float:
        """How long it lasts."""
        return self.seconds / self.speed


def impostor_places(corpus: Corpus, *, hours: float) -> list[ImpostorPlace]:
    """Where sound without spots is cut, no piece twice: as it is first, then at other speeds, to which every matcher is deaf.

    Raises:
        ValueError: the material does not yield as many hours.
    """
    rng = random.Random(f"{corpus.seed} impostors")
    pools = {related: _tiles(corpus, rng, related=related) for related in (True, False)}
    places: list[ImpostorPlace] = []
    heard_s = 0.0
    while heard_s < hours * 3600:
        turn, at = divmod(len(places), len(KINDS_IN_TURN))
        kind, chained = KINDS_IN_TURN[at], (turn + at) % 2 == 1
        if kind == "made":
            place = ImpostorPlace(kind=kind, seed=rng.randrange(2**32), chained=chained)
        else:
            tile = next(pools[kind == "related"], None)
            if tile is None:
                raise ValueError(f"corpus: {heard_s / 3600:.1f} h without spots only, {hours} wanted; ask for fewer")
            track, start_s, seconds, speed = tile
            place = ImpostorPlace(kind=kind, track=track, start_s=start_s, seconds=seconds, speed=speed, chained=chained)
        places.append(place)
        heard_s += place.heard_s
    return places


def _tiles(corpus: Corpus, rng: random.Random, *, related: bool) -> Iterator[tuple[Track, float, float, float]]:
    """(track, start, length, speed) of pieces that do not overlap; what is left at the end of a track is one, if long enough."""
    for speed in IMPOSTOR_SPEEDS:
        tiles: list[tuple[Track, float, float, float]] = []
        for track in corpus.spot_tracks if related else corpus.programme_tracks:
            if track.name.startswith(SYNTHESISED):
                continue  # espeak-ng splices the same recorded consonants into all it says, spots and programme alike
            start_s = track.length_s * HEADS_REGION + SPOT_MARGIN_S if related else 0.0
            while track.length_s - start_s >= PIECE_LEAST_S:
                seconds = min(PIECE_S, track.length_s - start_s)
                tiles.append((track, start_s, seconds, speed))
                start_s += seconds
        rng.shuffle(tiles)
        yield from tiles


def impostor_sound(place: ImpostorPlace) -> tuple[str, Pcm]:
    """Some minutes without any spot: of related music and voices, of others, of tones, silence and applause.

    Returns:
        (what it is, float32 mono 16 kHz)
    """
    if place.track is None:
        stereo = np.repeat(_made(np.random.default_rng(place.seed))[:, None], 2, axis=1)
    else:
        pcm = cut(place.track, start_s=place.start_s, seconds=place.seconds, rate_hz=STREAM_RATE_HZ, channels=2)
        if place.speed != 1.0:
            pcm = np.asarray(soxr.resample(pcm, STREAM_RATE_HZ * place.speed, STREAM_RATE_HZ), np.float32)
        stereo = at_level(pcm, -20.0)
    condition = CONDITIONS[0] if place.chained else next(one for one in CONDITIONS if one.name == "clean")
    return f"{place.kind}, {condition.name}", through(condition, stereo)[0]


def _made(noise: np.random.Generator) -> Pcm:
    """Tones, chords, sweeps, silence, hum and applause, five seconds each, in a random order."""
    n = 5 * STREAM_RATE_HZ
    t = np.arange(n) / STREAM_RATE_HZ
    parts: list[Pcm] = []
    while len(parts) * 5 < PIECE_S:
        kind = int(noise.integers(6))
        hz = float(noise.uniform(200, 3000))
        if kind == 0:
            pcm = np.sin(2 * np.pi * hz * t)
        elif kind == 1:
            gate = (np.sin(2 * np.pi * float(noise.uniform(1, 6)) * t) > 0).astype(float)
            pcm = gate * sum(np.sin(2 * np.pi * hz * k * t) / k for k in range(1, 6))
        elif kind == 2:
            pcm = np.sin(2 * np.pi * (hz + 300 * t) * t)
        elif kind == 3:
            pcm = np.zeros(n)
        elif kind == 4:
            pcm = np.sign(np.sin(2 * np.pi * 50 * t)) + 0.02 * noise.standard_normal(n)
        else:
            claps = noise.random(n) < 400 / STREAM_RATE_HZ
            decay = np.exp(-np.arange(STREAM_RATE_HZ // 50) / 150.0) * noise.standard_normal(STREAM_RATE_HZ // 50)
            pcm = np.convolve(claps * noise.uniform(0.2, 1.0, n), decay)[:n]
        parts.append(at_level(pcm.astype(np.float32), -20.0))
    return np.concatenate(parts)
