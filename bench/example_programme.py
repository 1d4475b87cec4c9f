"""How soon spots are decided, how often wrongly, and what listening costs.

`python -m bench.example_programme [--other FILE...]` plays the example programme through the codecs of broadcast, then any other
recordings that hold none of the spots, and prints Markdown. The floor of a decision is the sound it must have heard when every
bit agrees; the floor of the cost is the Fourier transform alone.
"""

import argparse
import json
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np

from fingerprints import features
from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.features import FeatureStream
from fingerprints.library import SpotLibrary, read_recording
from fingerprints.onset import Onset, OnsetMatcher
from fingerprints.prints import make_print
from fingerprints.scan import scan

MEDIA = Path(__file__).parents[1] / "examples" / "media"
BUDGET_MS = 250
CODECS = {
    "AAC 64k": ["-c:a", "aac", "-b:a", "64k", "out.m4a"],
    "AAC 48k": ["-c:a", "aac", "-b:a", "48k", "out.m4a"],
    "MP3 32k": ["-ac", "1", "-ar", "32000", "-b:a", "32k", "out.mp3"],
    "Opus 32k": ["-c:a", "libopus", "-b:a", "32k", "out.opus"],
}


def main() -> None:
    """Run everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--other", nargs="*", default=[], metavar="FILE", help="recordings that hold none of the example spots")
    arguments = parser.parse_args()
    library = SpotLibrary.open(MEDIA / "spots")
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, ", end="")
    print(", ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "av")), "\n")
    print_latency(library)
    print_cost()
    if arguments.other:
        print_false(library, arguments.other)


def print_latency(library: SpotLibrary) -> None:
    """Milliseconds from the first audible sample to the last sample the decision needed."""
    truth = json.loads((MEDIA / "programme.json").read_text())["airings"]
    floor_ms = 1000 * float(np.median([library.earliest_decision_s(spot) or np.nan for spot in library.spots]))
    print(f"floor {floor_ms:.0f} ms, budget {BUDGET_MS} ms\n")
    print("| through | found | false | p50 | p99 | max | p50 to floor |\n|---|---|---|---|---|---|---|")
    for name, (*options, file) in CODECS.items():
        with tempfile.TemporaryDirectory() as folder:
            media = Path(folder) / file
            subprocess.run(["ffmpeg", "-v", "error", "-i", MEDIA / "programme.opus", *options, media], check=True)
            onsets = [event for event in scan(str(media), library) if isinstance(event, Onset)]
        late_ms = [
            1000 * (onset.decided_sample / SAMPLE_RATE_HZ - airing["onset_s"])
            for airing in truth
            for onset in onsets
            if airing["spot"] in onset.spot_ids and abs(onset.onset_sample / SAMPLE_RATE_HZ - airing["onset_s"]) < 0.1
        ]
        p50, p99 = np.percentile(late_ms, [50, 99])
        row = (
            f"| {name} | {len(late_ms)}/{len(truth)} | {len(onsets) - len(late_ms)} | {p50:.0f} | {p99:.0f} | {max(late_ms):.0f}"
        )
        print(f"{row} | {p50 / floor_ms:.2f} |")


def print_cost() -> None:
    """How many times faster than real time each step runs on one core."""
    rng = np.random.default_rng(1)
    pcm = read_recording(MEDIA / "programme.opus")
    length_s = len(pcm) / SAMPLE_RATE_HZ
    frames = np.lib.stride_tricks.sliding_window_view(pcm, features.WINDOW_SAMPLES)[:: features.HOP_SAMPLES]
    bits = FeatureStream().feed(pcm)
    starts = rng.integers(0, len(pcm) - 3 * SAMPLE_RATE_HZ, 100)
    # Backwards, so that nothing of it is in the programme.
    prints = [make_print(str(at), np.ascontiguousarray(pcm[at : at + 3 * SAMPLE_RATE_HZ][::-1])) for at in starts]
    fft_s = _best_s(lambda: np.fft.rfft(frames.astype(np.float32), axis=1))
    features_s = _best_s(lambda: FeatureStream().feed(pcm))
    print("\n| step | × real time | to the Fourier transform alone |\n|---|---|---|")
    print(f"| features | {length_s / features_s:.0f} | {features_s / fft_s:.2f} |")
    for n_spots in (10, 100):
        matching_s = _best_s(lambda: OnsetMatcher(prints[:n_spots]).advance(bits))  # noqa: B023 # called at once
        print(f"| matching {n_spots} spots | {length_s / matching_s:.0f} | {matching_s / fft_s:.2f} |")


def print_false(library: SpotLibrary, others: list[str]) -> None:
    """Decisions in recordings that hold no spot."""
    heard_s, decided = 0.0, 0
    for other in others:
        position_s = 0.0

        def heard(at_s: float) -> None:
            nonlocal position_s
            position_s = at_s

        for event in scan(other, library, heard=heard):
            if isinstance(event, Onset):
                decided += 1
                print(f"\n{other}: {event.spot_id} at {event.onset_sample / SAMPLE_RATE_HZ:.2f} s, score {event.score:.1f}")
        heard_s += position_s
    print(f"\n{decided} decisions in {heard_s / 60:.0f} min of other sound")


def _best_s(work: Callable[[], object], *, rounds: int = 3) -> float:
    def once() -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    return min(once() for _ in range(rounds))


if __name__ == "__main__":
    main()
