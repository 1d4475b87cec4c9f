"""Small tracks of made sound, so that the corpus can be tested without the games' music."""

import wave
from pathlib import Path

import numpy as np
import pytest

from bench.corpus import Corpus, Place, Spot
from bench.material import Kind, Track


def write_wav(path: Path, *, seconds: float, seed: int, rate_hz: int = 48_000) -> Path:
    rng = np.random.default_rng(seed)
    t = np.arange(rate_hz // 5) / rate_hz
    notes = [
        sum(np.sin(2 * np.pi * hz * t) for hz in rng.uniform(150, 5000, 6)) * np.exp(-rng.uniform(2, 20) * t)
        for _ in range(round(seconds * 5))
    ]
    mono = np.concatenate(notes)
    pcm = np.stack([mono, 0.8 * mono], axis=1) + 0.01 * rng.standard_normal((len(mono), 2))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((np.clip(0.1 * pcm, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def track(folder: Path, name: str, kind: Kind, seconds: float, seed: int) -> Track:
    return Track(
        name=name, kind=kind, files=(write_wav(folder / f"{name}.wav", seconds=seconds, seed=seed),), lengths_s=(seconds,)
    )


EXAMPLE = Path(__file__).parents[3] / "examples" / "media" / "programme.opus"


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Two spots, one of music and one of music with a voice, cut from the example programme, and made sound around them."""
    folder = tmp_path_factory.mktemp("tracks")
    example = Track(name="example", kind="music", files=(EXAMPLE,), lengths_s=(60.0,))
    spot_tracks = (example, track(folder, "voice", "speech", 15.0, 2))
    programme = (track(folder, "programme", "music", 15.0, 3), track(folder, "presenter", "speech", 15.0, 4))
    spots = (
        Spot(number=0, kind="music", place=Place(track=0, start_s=5.0), voice=Place(track=0, start_s=5.0)),
        Spot(number=1, kind="voice over music", place=Place(track=0, start_s=20.0), voice=Place(track=1, start_s=2.0)),
    )
    return Corpus(seed=1, spot_tracks=spot_tracks, programme_tracks=programme, spots=spots, heads=())
