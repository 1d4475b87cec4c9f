"""Degradations go through real codecs, and what they delay is measured."""

import numpy as np
import pytest

from bench.degradations import CONDITIONS, delay_s, through
from bench.material import Pcm

RATE_HZ = 48_000


@pytest.fixture
def sound() -> Pcm:
    """Three seconds of noise whose level moves."""
    rng = np.random.default_rng(8)
    envelope = np.repeat(rng.uniform(0.02, 0.2, 60), RATE_HZ // 20)[:, None]
    smooth = np.cumsum(rng.standard_normal((3 * RATE_HZ, 2)), axis=0)
    return (envelope * (smooth[:, :] - np.roll(smooth, 12, axis=0)) / 3).astype(np.float32)


def test_names_are_told_apart() -> None:
    """Results are kept by name."""
    assert len({condition.name for condition in CONDITIONS}) == len(CONDITIONS)


@pytest.mark.parametrize("delay_samples", [0, 80, 777])
def test_delay_is_measured(sound: Pcm, delay_samples: int) -> None:
    """To a sample, with noise on it."""
    heard = sound.mean(axis=1)[::3]
    late = np.concatenate([np.zeros(delay_samples, np.float32), heard])[: len(heard)]
    noise = 0.01 * np.random.default_rng(9).standard_normal(len(late)).astype(np.float32)
    assert delay_s(sound, late + noise) == pytest.approx(delay_samples / 16_000, abs=1 / 16_000)


def test_unlike_sound_has_no_delay(sound: Pcm) -> None:
    """Correlating with something else would name an arbitrary delay."""
    other = np.random.default_rng(10).standard_normal(len(sound) // 3).astype(np.float32)
    assert delay_s(sound, other) == 0.0


@pytest.mark.system
@pytest.mark.parametrize("name", ["clean", "broadcast chain, AAC 64k", "MP3 32k mono", "AC-3 96k", "Opus 24k", "MP2 96k"])
def test_sound_comes_through_a_real_codec(sound: Pcm, name: str) -> None:
    """All of it arrives, and no codec of ours is later than 50 ms."""
    heard, late_s = through(next(one for one in CONDITIONS if one.name == name), sound)
    assert len(heard) >= 2.9 * 16_000
    assert -0.02 <= late_s < 0.05


@pytest.mark.system
def test_speed_changes_the_length(sound: Pcm) -> None:
    """4.2 % faster is 4 % shorter."""
    heard, _ = through(next(one for one in CONDITIONS if one.name == "speed +4.2 %"), sound)
    assert len(heard) == pytest.approx(3 * 16_000 / 1.042, rel=0.01)
