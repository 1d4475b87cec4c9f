"""Streams with the truth about them: programme, a spot's airing, programme, the next airing."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.corpus import LEVEL_DB, STREAM_RATE_HZ, Corpus, Spot, at_level, programme_piece, render_spot
from bench.degradations import Condition
from bench.material import Pcm

PROGRAMME_S: Final = (1.0, 2.0)
"""Between two airings."""

LEAD_IN_PIECES: Final = 5
LEAD_IN_PIECE_S: Final = 8.0
"""A feed has been on for a while when its first spot airs: which way round its channels are is known by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Airing:
    """What is on air when.

    Attributes:
        spot: index into the stream's spots.
        onset_s: where the spot's first delivered sample lies, or would lie had its head not been cut off.
        aired_s: where its first aired sample lies.
        end_s: where its last aired sample lies.
    """

    spot: int
    onset_s: float
    aired_s: float
    end_s: float


def make_stream(
    corpus: Corpus, spots: Sequence[Spot], condition: Condition, *, seed: int, aired_s: float
) -> tuple[Pcm, list[Airing], list[Pcm]]:
    """Every spot aired once in programme, in order, mixed as the condition asks.

    Returns:
        (float32 [shape=(n_samples, 2)] at 48 kHz, the truth, the spots as delivered)
    """
    rng = random.Random(f"{seed} {condition.name} {spots[0].id}")
    noise = np.random.default_rng(rng.randrange(2**32))
    fade = round(condition.cross_fade_s * STREAM_RATE_HZ)
    parts: list[Pcm] = []
    airings: list[Airing] = []
    references: list[Pcm] = []
    parts += [programme_piece(corpus, rng, seconds=LEAD_IN_PIECE_S) for _ in range(LEAD_IN_PIECES)]
    position = sum(map(len, parts))
    for index, spot in enumerate(spots):
        reference = render_spot(corpus, spot)
        references.append(reference)
        piece = programme_piece(corpus, rng, seconds=rng.uniform(*PROGRAMME_S) + condition.cross_fade_s)
        before, under = piece[: len(piece) - fade], piece[len(piece) - fade :]
        skipped = round(rng.uniform(0.0, condition.head_cut_s_max) * STREAM_RATE_HZ)
        aired = reference[skipped : skipped + round(aired_s * STREAM_RATE_HZ)].copy()
        if condition.voice_over_db is not None:
            aired += _voice_over(corpus, rng, aired, condition.voice_over_db)
        if fade:
            ramp = np.linspace(0.0, 1.0, fade, dtype=np.float32)[:, None]
            aired[:fade] = aired[:fade] * np.sqrt(ramp) + under * np.sqrt(1.0 - ramp)
        start = position + len(before)
        airings.append(
            Airing(
                spot=index,
                onset_s=(start - skipped) / STREAM_RATE_HZ,
                aired_s=start / STREAM_RATE_HZ,
                end_s=(start + len(aired)) / STREAM_RATE_HZ,
            )
        )
        parts += [before, aired]
        position = start + len(aired)
    parts.append(programme_piece(corpus, rng, seconds=PROGRAMME_S[1]))
    return _worn(np.concatenate(parts), condition, noise), airings, references


def _voice_over(corpus: Corpus, rng: random.Random, aired: Pcm, level_db: float) -> Pcm:
    """A presenter's voice under way when the spot begins, as loud as asked against the spot's first two seconds."""
    voice = programme_piece(corpus, rng, seconds=len(aired) / STREAM_RATE_HZ, kind="speech")[: len(aired)]
    audible = np.abs(voice).max(axis=1) > 0.02
    first = int(np.argmax(audible)) if audible.any() else 0
    head = 2 * STREAM_RATE_HZ
    loud_db = 20 * np.log10(float(np.sqrt(np.mean(np.square(aired[:head], dtype=np.float64)))) + 1e-9)
    return at_level(np.roll(voice, -first, axis=0), loud_db + level_db)


def _worn(pcm: Pcm, condition: Condition, noise: np.random.Generator) -> Pcm:
    if condition.noise_db is not None:
        white = noise.standard_normal(pcm.shape).astype(np.float32)
        brown = np.cumsum(white, axis=0)
        brown -= np.repeat(brown[:: STREAM_RATE_HZ // 50], STREAM_RATE_HZ // 50, axis=0)[: len(brown)]
        mixed = at_level(white, LEVEL_DB) + at_level(brown.astype(np.float32), LEVEL_DB)
        pcm = pcm + at_level(mixed, LEVEL_DB + condition.noise_db)
    if condition.dropouts:
        at = 0
        while at < len(pcm):
            at += int(noise.uniform(0.4, 1.0) * STREAM_RATE_HZ)
            pcm[at : at + STREAM_RATE_HZ // 50] = 0.0
    return pcm
