"""What listening costs a core, by number of spots, and what a spot costs: memory, and time to add it."""

import tempfile
import time
import wave
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import soxr

from bench.matching import features_of
from bench.material import Pcm
from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.features import HOP_SAMPLES, FeatureStream
from fingerprints.heads import BIRTH_FRAMES, Heads, grouped
from fingerprints.library import read_recording
from fingerprints.onset import OnsetMatcher
from fingerprints.prints import make_print

SIZES: Final = (100, 1_000, 10_000, 100_000)
BLOCK_SAMPLES: Final = 320
"""What a live feed delivers at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Measured costs.

    Attributes:
        table: (spots, live feeds a core, times real time of matching alone in one long piece).
        verdicts: (what, target, measured, met).
        notes: lines for the report.
    """

    table: list[tuple[int, float, float]]
    verdicts: list[tuple[str, str, str, bool]]
    notes: list[str]

    @property
    def feeds_a_core(self) -> list[tuple[int, float]]:
        """(spots, feeds) for the plot."""
        return [(n_spots, feeds) for n_spots, feeds, _ in self.table]


def measure_costs(heads: Heads, heard: Pcm, *, features_pace: float) -> Costs:
    """Listen with ever more spots, live (blocks of 20 ms) and in one long piece.

    Args:
        heads: of the library; more spots than there are are made by taking its in turn.
        heard: some seconds of programme, mono, 16 kHz.
        features_pace: times real time of the features alone, for the notes.
    """
    bits = features_of(heard)
    length_s = len(heard) / SAMPLE_RATE_HZ
    table: list[tuple[int, float, float]] = []
    for n_spots in SIZES:
        many = _as_many(heads, n_spots)
        feeds = length_s / _spent_s(lambda: _live(many, heard))  # noqa: B023 # called at once
        pace = length_s / _spent_s(lambda: OnsetMatcher(many).advance(bits))  # noqa: B023 # called at once
        table.append((n_spots, feeds, pace))
    return Costs(table=table, verdicts=_verdicts(heads, heard, table), notes=_notes(heads, features_pace))


def _live(heads: Heads, heard: Pcm) -> None:
    features, matcher = FeatureStream(), OnsetMatcher(heads)
    for first in range(0, len(heard), BLOCK_SAMPLES):
        matcher.advance(features.feed(heard[first : first + BLOCK_SAMPLES]))


def _spent_s(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return max(1e-6, time.process_time() - began)


def _verdicts(heads: Heads, heard: Pcm, table: list[tuple[int, float, float]]) -> list[tuple[str, str, str, bool]]:
    feeds = {n_spots: value for n_spots, value, _ in table}
    kilobytes = heads.nbytes / 1000 / (float(heads.lengths.sum()) * HOP_SAMPLES / SAMPLE_RATE_HZ)
    adding_ms = _adding_ms(heard)
    return [
        ("live feeds a core, 10,000 spots", "≥ 200", f"{feeds[10_000]:.0f}", feeds[10_000] >= 200),
        ("live feeds a core, 100,000 spots", "≥ 50", f"{feeds[100_000]:.0f}", feeds[100_000] >= 50),
        ("memory a second of spot head", "≤ 2.5 kB", f"{kilobytes:.2f} kB", kilobytes <= 2.5),
        ("adding a 30 s spot (WAV), reading included", "≤ 100 ms", f"{adding_ms:.0f} ms", adding_ms <= 100),
    ]


def _as_many(heads: Heads, n_spots: int) -> Heads:
    """So many heads, taken in turn. Filters stand birth after birth, so each birth's are taken apart."""
    spots = np.arange(n_spots) % heads.n_spots
    chosen = (np.arange(len(BIRTH_FRAMES))[:, None] * heads.n_spots + spots[None, :]).reshape(-1)
    births, filters, limits, planes = grouped(heads.births[chosen], heads.filters[chosen], heads.limits[chosen])
    by_spot = {name: getattr(heads, name)[spots] for name in ("starts", "lengths", "skipped", "waves")}
    return replace(heads, **by_spot, births=births, filters=filters, limits=limits, planes=planes)


def _adding_ms(heard: Pcm) -> float:
    """A stereo WAV of 30 s and 48 kHz from the disk to its print."""
    rate_hz = 48_000
    mono = soxr.resample(np.resize(heard, 30 * SAMPLE_RATE_HZ), SAMPLE_RATE_HZ, rate_hz)
    samples = np.round(32_000 * np.clip(np.stack([mono, 0.8 * mono], axis=1), -1, 1)).astype("<i2")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spot.wav"
        with wave.open(str(path), "wb") as file:
            file.setparams((2, 2, rate_hz, 0, "NONE", ""))
            file.writeframes(samples.tobytes())
        make_print("warm", read_recording(path))
        return 1000 * _spent_s(lambda: make_print("new", read_recording(path)))


def _notes(heads: Heads, features_pace: float) -> list[str]:
    return [
        f"Features alone run {features_pace:.0f} times faster than real time. More spots than the library's {heads.n_spots:,} are"
        " its heads taken in turn. Live feeds deliver 20 ms at a time, features included; a scan matches long pieces"
        " and is faster. Processor time of one core."
    ]
