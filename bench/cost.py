"""What one live feed costs by the real path: blocks of 20 ms into a recogniser, and how fast a big library opens.

`python -m bench.cost [--spots N...]` prints Markdown. The heads are made from the example recordings cut every 0.1 s, their
bands rotated, which keeps how many bits there are and how sure. The sound is the example programme: none of them is on air.
Time is the thread's own, so that other work on the machine disturbs it little.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np

from fingerprints.audio import SAMPLE_RATE_HZ, AudioBlock
from fingerprints.coherence import WAVE_WORDS
from fingerprints.features import Words
from fingerprints.heads import Head, head_of, stack
from fingerprints.library import SpotLibrary, read_recording
from fingerprints.onset import OnsetMatcher
from fingerprints.recogniser import Recogniser
from fingerprints.store import KeptLibrary, KeptSpot, echo_array, read_library, write_library

MEDIA: Final = Path(__file__).parents[1] / "examples" / "media"
BLOCK_SAMPLES: Final = 320
SOUND_S: Final = 20
HEAD_ROWS: Final = 500


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--spots", type=int, nargs="*", default=[100, 1_000, 10_000, 100_000])
    arguments = parser.parse_args()
    pcm = read_recording(MEDIA / "programme.opus")[: SOUND_S * SAMPLE_RATE_HZ]
    tables = [spot.print.table for spot in SpotLibrary.open(MEDIA / "spots").spots]
    heads = _cut(tables)
    print("| spots | ms a second of sound and feed | feeds a core | opening the library file | file |\n|---|---|---|---|---|")
    for n_spots in arguments.spots:
        kept = _library(heads, n_spots)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "library"
            write_library(file, kept)
            began = time.perf_counter()
            opened = read_library(file)
            opening_s = time.perf_counter() - began
            size_mb = file.stat().st_size / 1e6
            cost_ms = 1000 * _feeding_s(opened, pcm) / SOUND_S
        print(f"| {n_spots:,} | {cost_ms:.2f} | {1000 / cost_ms:.0f} | {opening_s:.2f} s | {size_mb:.0f} MB |", flush=True)


def _cut(tables: list[Words]) -> list[Head]:
    noise = np.random.default_rng(1)
    return [
        head_of(table[at : at + HEAD_ROWS], noise.integers(0, 2**32, WAVE_WORDS, dtype=np.uint32))
        for table in tables
        for at in range(0, max(1, len(table) - HEAD_ROWS), 12)
    ]


def _library(heads: list[Head], n_spots: int) -> KeptLibrary:
    chosen: list[Head] = []
    turn = 1
    while len(chosen) < n_spots:
        left, right = np.uint32(turn), np.uint32(32 - turn)
        chosen += [head_of((head.rows << left) | (head.rows >> right), head.wave) for head in heads[: n_spots - len(chosen)]]
        turn = turn % 31 + 1
    spots = tuple(
        KeptSpot(
            name=f"{i}.wav",
            size=0,
            changed_ns=0,
            content_sha256="0" * 64,
            rows=HEAD_ROWS,
            lead_in_samples=0,
            audible_samples=64_000,
        )
        for i in range(n_spots)
    )
    return KeptLibrary(spots=spots, heads=stack(chosen[:n_spots]), echoes=echo_array([]))


def _feeding_s(library: KeptLibrary, pcm: "np.ndarray[tuple[int], np.dtype[np.float32]]") -> float:
    """Processor seconds of the features, the matching and everything between them."""
    recogniser = Recogniser(SpotLibrary(spots=()), feed_id="bench")
    recogniser._matcher = OnsetMatcher(library.heads)  # heads without recordings; a decision would need them
    recogniser._matcher.threshold = 1e9
    began = time.thread_time()
    for first in range(0, len(pcm), BLOCK_SAMPLES):
        recogniser.feed(AudioBlock(pcm=pcm[first : first + BLOCK_SAMPLES], first_sample=first, seen_mono_ns=0))
    return time.thread_time() - began


if __name__ == "__main__":
    main()
