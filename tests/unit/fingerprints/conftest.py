"""Sound made from seeds, so that no test needs a recording."""

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from fingerprints.audio import SAMPLE_RATE_HZ, AudioBlock
from fingerprints.library import Spot, SpotLibrary
from fingerprints.prints import make_print
from fingerprints.recogniser import Recogniser

Pcm = npt.NDArray[np.float32]


def _music(seed: int, length_s: float) -> Pcm:
    rng = np.random.default_rng(seed)
    total = round(length_s * SAMPLE_RATE_HZ)
    pcm = 0.002 * rng.standard_normal(total)
    at = 0
    while at < total:
        n = min(total - at, int(rng.integers(2400, 9000)))
        t = np.arange(n) / SAMPLE_RATE_HZ
        for pitch_hz in rng.uniform(90, 900, 4):
            for harmonic in range(1, 9):
                level = 0.05 * rng.uniform(0.2, 1.0) / harmonic**0.7
                pcm[at : at + n] += level * np.exp(-t * rng.uniform(1, 12)) * np.sin(2 * np.pi * pitch_hz * harmonic * t)
        hit = min(n, 800)
        pcm[at : at + hit] += 0.1 * rng.standard_normal(hit) * np.exp(-np.arange(hit) / 150)
        at += n
    return pcm.astype(np.float32)


@pytest.fixture(scope="session")
def music() -> Callable[[int, float], Pcm]:
    """Notes and drum hits of a seed, for a number of seconds."""
    return _music


@pytest.fixture(scope="session")
def library_of() -> Callable[[dict[str, Pcm]], SpotLibrary]:
    """A library of sounds at hand."""

    def build(sounds: dict[str, Pcm]) -> SpotLibrary:
        return SpotLibrary.of(
            Spot(id=name, path=Path(f"{name}.wav"), print=make_print(name, pcm)) for name, pcm in sounds.items()
        )

    return build


@pytest.fixture(scope="session")
def hear() -> Callable[..., list[object]]:
    """What a recogniser makes of a sound, fed in blocks."""

    def run(library: SpotLibrary, pcm: Pcm, *, block_samples: int = 400) -> list[object]:
        recogniser = Recogniser(library, feed_id="feed")
        events: list[object] = []
        for first in range(0, len(pcm), block_samples):
            part = pcm[first : first + block_samples]
            events += recogniser.feed(AudioBlock(pcm=part, first_sample=first, seen_mono_ns=0))
        return events + list(recogniser.finish())

    return run


@pytest.fixture(scope="session")
def write_wav() -> Callable[[Path, Pcm], Path]:
    """Save a sound as a 16-bit WAV file."""

    def write(path: Path, pcm: Pcm) -> Path:
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE_HZ)
            file.writeframes((np.clip(pcm, -1, 1) * 32767).astype("<i2").tobytes())
        return path

    return write
