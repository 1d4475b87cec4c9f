"""The seeded corpus: spots, the heads of ten thousand others, programme without spots, and streams that say what airs when.

Tracks are divided once: the larger part belongs to the spots, the rest to the programme, and no track to both. Of a spots'
track the first two thirds are cut into spots and heads, none overlapping another; its last third is *related sound*:
other cuts of the same music, other lines of the same voices, which must not be taken for a spot.
"""

import hashlib
import random
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import numpy as np

from bench.material import Pcm, Track, cut, find_tracks
from bench.sentences import OF_PROGRAMME, OF_SPOTS, Sentence

STREAM_RATE_HZ: Final = 48_000
SPOT_S: Final = 10.0
SPOT_SLOT_S: Final = 11.0
HEAD_S: Final = 2.2
TRACK_EDGE_S: Final = 2.0
SPOTS_SHARE: Final = 0.6
HEADS_REGION: Final = 2 / 3
LEVEL_DB: Final = -20.0
FADE_IN_S: Final = 0.002
HEAD_SPEEDS: Final = (1.0, 0.84, 1.19)
"""Heads are first cut as they are; when the material is used up, again at these speeds, a minor third down and up: other
pitch, other tempo, so another sound to every matcher."""

SYNTHESISED: Final = "synthesised"
"""How the names of tracks that computed voices speak begin."""

SpotKind = Literal["music", "voice over music", "speech"]
KINDS: Final[tuple[SpotKind, ...]] = ("music", "voice over music", "music", "voice over music", "speech")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a piece is cut.

    Attributes:
        track: index into `Corpus.spot_tracks`.
        start_s: seconds into the track.
        speed: how fast it is played.
    """

    track: int
    start_s: float
    speed: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A spot of the corpus before it is rendered."""

    number: int
    kind: SpotKind
    place: Place
    voice: Place

    @property
    def id(self) -> str:
        """Its name in the library."""
        return f"spot-{self.number:04d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Everything that can be rendered; equal for equal seed, sizes and packages.

    Attributes:
        seed: what it was made from.
        spot_tracks: spots, heads and related sound come from here.
        programme_tracks: everything else that is on air.
        spots: the ones that are aired.
        heads: the first seconds of all other spots in the library.
    """

    seed: int
    spot_tracks: tuple[Track, ...]
    programme_tracks: tuple[Track, ...]
    spots: tuple[Spot, ...]
    heads: tuple[Place, ...]


def make_corpus(*, seed: int, n_spots: int, n_heads: int, folder: Path) -> Corpus:
    """Divide the material.

    Args:
        seed: decides everything.
        n_spots: spots that will be aired.
        n_heads: further spots in the library.
        folder: where synthesised speech is kept.

    Raises:
        MissingError: Debian packages are missing.
        ValueError: the material does not yield as many.
    """
    tracks = find_tracks(seed=seed)
    spot_tracks: list[Track] = []
    programme_tracks: list[Track] = []
    for kind in ("music", "speech"):
        of_kind = [track for track in tracks if track.kind == kind]
        wanted_s = SPOTS_SHARE * sum(track.length_s for track in of_kind)
        for track in of_kind:
            side = spot_tracks if sum(one.length_s for one in spot_tracks if one.kind == kind) < wanted_s else programme_tracks
            side.append(track)
    spot_tracks.append(_synthesised(folder, f"{SYNTHESISED}-spots", OF_SPOTS, pitches=range(35, 99, 2)))
    programme_tracks.append(_synthesised(folder, f"{SYNTHESISED}-programme", OF_PROGRAMME, pitches=range(5, 35)))
    rng = random.Random(seed + 1)
    spots, taken = _spots(spot_tracks, n_spots, rng)
    heads = _heads(spot_tracks, taken, n_heads)
    return Corpus(seed=seed, spot_tracks=tuple(spot_tracks), programme_tracks=tuple(programme_tracks), spots=spots, heads=heads)


def _spots(tracks: Sequence[Track], wanted: int, rng: random.Random) -> tuple[tuple[Spot, ...], set[tuple[int, int]]]:
    """Spots dealt over the tracks, and the slots (track, number) they take."""
    slots: dict[str, list[tuple[int, int]]] = {"music": [], "speech": []}
    for index, track in enumerate(tracks):
        count = int((track.length_s * HEADS_REGION - TRACK_EDGE_S) / SPOT_SLOT_S)
        slots[track.kind] += [(index, number) for number in range(count)]
    for places in slots.values():
        rng.shuffle(places)
    spots: list[Spot] = []
    taken: set[tuple[int, int]] = set()
    for number in range(wanted):
        kind = KINDS[number % len(KINDS)]
        main = slots["speech" if kind == "speech" else "music"]
        if not main or not slots["speech"]:
            raise ValueError(f"corpus: material for {number} spots only, {wanted} wanted; air fewer")
        slot = main.pop()
        voice = slots["speech"].pop() if kind == "voice over music" else slot
        taken |= {slot, voice}
        spots.append(Spot(number=number, kind=kind, place=_place(slot), voice=_place(voice)))
    return tuple(spots), taken


def _place(slot: tuple[int, int]) -> Place:
    return Place(track=slot[0], start_s=TRACK_EDGE_S + slot[1] * SPOT_SLOT_S)


def _heads(tracks: Sequence[Track], taken: set[tuple[int, int]], wanted: int) -> tuple[Place, ...]:
    heads: list[Place] = []
    for speed in HEAD_SPEEDS:
        step_s = HEAD_S * max(1.0, speed)
        for index, track in enumerate(tracks):
            start_s = TRACK_EDGE_S
            while start_s + step_s <= track.length_s * HEADS_REGION:
                slot = (index, int((start_s - TRACK_EDGE_S) / SPOT_SLOT_S))
                ends_in = (index, int((start_s + step_s - TRACK_EDGE_S) / SPOT_SLOT_S))
                if slot not in taken and ends_in not in taken:
                    heads.append(Place(track=index, start_s=start_s, speed=speed))
                    if len(heads) == wanted:
                        return tuple(heads)
                start_s += step_s
    raise ValueError(f"corpus: material for {len(heads)} heads only, {wanted} wanted; ask for fewer")


def _synthesised(folder: Path, name: str, sentences: Sequence[Sentence], *, pitches: Sequence[int]) -> Track:
    """Spoken by computed voices, each sentence at a pitch of its own: at one pitch a syllable is the same to the last sample."""
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    for number, ((voice, text), pitch) in enumerate(zip(sentences, pitches, strict=False)):
        command = ["espeak-ng", "-v", voice, "-s", str(140 + 12 * (number % 5)), "-p", str(pitch), text]
        path = folder / f"{name}-{number}-{hashlib.sha256(' '.join(command).encode()).hexdigest()[:8]}.wav"
        if not path.exists():
            subprocess.run([*command, "-w", path], check=True)
        files.append(path)
    lengths_s = tuple((path.stat().st_size - 44) / 2 / 22050 for path in files)
    return Track(name=name, kind="speech", files=tuple(files), lengths_s=lengths_s)


@lru_cache(maxsize=256)
def render_spot(corpus: Corpus, spot: Spot) -> Pcm:
    """A spot as it would be delivered: float32 [shape=(n_samples, 2)], 48 kHz, -20 dB full scale RMS, faded in over 2 ms.

    It is kept, since every condition airs it, and must not be written to.
    """
    pcm = _cut(corpus.spot_tracks[spot.place.track], spot.place.start_s, SPOT_S)
    if spot.kind == "voice over music":
        voice = _cut(corpus.spot_tracks[spot.voice.track], spot.voice.start_s, SPOT_S)
        length = min(len(pcm), len(voice))
        pcm = at_level(pcm[:length], -26.0) + at_level(voice[:length], LEVEL_DB)
    pcm = at_level(pcm, LEVEL_DB)
    fade = round(FADE_IN_S * STREAM_RATE_HZ)
    pcm[:fade] *= np.linspace(0.0, 1.0, fade, dtype=np.float32)[:, None]
    pcm.flags.writeable = False
    return pcm


def programme_piece(corpus: Corpus, rng: random.Random, *, seconds: float, kind: str | None = None) -> Pcm:
    """Some seconds of programme from anywhere, float32 [shape=(n_samples, 2)], 48 kHz, exactly as long as asked."""
    tracks = [track for track in corpus.programme_tracks if kind in {None, track.kind}]
    track = rng.choice(tracks)
    pcm = _cut(track, rng.uniform(0.0, max(0.0, track.length_s - seconds - 1.0)), seconds)
    out = np.zeros((round(seconds * STREAM_RATE_HZ), 2), np.float32)
    out[: len(pcm)] = pcm[: len(out)]
    return at_level(out, LEVEL_DB)


def at_level(pcm: Pcm, level_db: float) -> Pcm:
    """The same sound at a level (RMS, dB full scale); silence stays silence."""
    rms = float(np.sqrt(np.mean(np.square(pcm, dtype=np.float64)))) if len(pcm) else 0.0
    return (pcm * np.float32(10 ** (level_db / 20) / rms)).astype(np.float32) if rms > 1e-6 else pcm.copy()


def _cut(track: Track, start_s: float, seconds: float) -> Pcm:
    return cut(track, start_s=start_s, seconds=seconds, rate_hz=STREAM_RATE_HZ, channels=2)
