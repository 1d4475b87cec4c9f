"""The waveform's evidence: what agrees, what cannot, and how surely chance stays below."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from fingerprints import kernels
from fingerprints.coherence import (
    LAG_SAMPLES,
    PIECE_SAMPLES,
    UNSPREAD_NATS,
    WAVE_SAMPLES,
    WAVE_WORDS,
    chance_variance,
    coherence_nats,
    extent,
    flawless_nats,
    periodicity,
    signs_of,
    wave_of,
    whitened,
)

Pcm = npt.NDArray[np.float32]
Music = Callable[[int, float], Pcm]
N = 2000 + 2 * LAG_SAMPLES


def test_a_wave_is_680_bytes_and_gives_its_signs_back(music: Music) -> None:
    """One bit a sample of 8 kHz for 0.68 s, lowest bit first."""
    pcm = music(1, 1.0)
    wave = wave_of(pcm)

    assert wave.shape == (WAVE_WORDS,)
    assert wave.nbytes == 680
    assert np.array_equal(signs_of(wave) > 0, whitened(pcm[: 2 * WAVE_SAMPLES])[::2] > 0)


@pytest.mark.parametrize("skipped", [0, 1000, 4096])
@pytest.mark.parametrize("gain", [1.0, 0.01, -1.0])
def test_the_recording_itself_agrees_anywhere_at_any_gain_and_polarity(music: Music, skipped: int, gain: float) -> None:
    """From any place of the wave on, 40 dB lower, or inverted: more than a decision needs, but for a note held on."""
    pcm = music(2, 1.0)
    heard = np.asarray(gain * np.concatenate([np.zeros(LAG_SAMPLES, np.float32), pcm])[skipped : skipped + N], np.float32)

    assert coherence_nats(wave_of(pcm), heard=heard, skipped=skipped) > (40 if skipped == 0 else 12)


@pytest.mark.parametrize("shift", [-60, -7, 0, 33, 60])
def test_a_few_milliseconds_beside_it_is_found_and_more_is_not(music: Music, shift: int) -> None:
    """Within the searched lags the evidence stays; a hop beside, nothing agrees."""
    pcm = music(3, 2.0)
    wave = wave_of(pcm[4000:])
    at = 4000 - LAG_SAMPLES + shift

    assert coherence_nats(wave, heard=pcm[at : at + N], skipped=0) > 40
    assert coherence_nats(wave, heard=pcm[at + 200 : at + 200 + N], skipped=0) < 20


def test_a_voice_over_it_leaves_evidence(music: Music) -> None:
    """Another sound 6 dB below takes some of it away, not all."""
    pcm, other = music(4, 1.0), 0.5 * music(5, 1.0)
    whole = coherence_nats(wave_of(pcm), heard=pcm[:N], skipped=LAG_SAMPLES)
    mixed = coherence_nats(wave_of(pcm), heard=(pcm + other)[:N], skipped=LAG_SAMPLES)

    assert 20 < mixed < whole


def test_one_drum_from_the_same_sample_is_not_the_spot(music: Music) -> None:
    """64 ms equal to the last bit, then other music: more evidence than chance ever gives, and it counts for next to nothing."""
    pcm = music(12, 1.0)
    heard = np.concatenate([np.zeros(LAG_SAMPLES, np.float32), pcm[:1024], music(13, 1.0)])[:N]

    assert coherence_nats(wave_of(pcm), heard=heard, skipped=0) <= UNSPREAD_NATS


def test_the_extent_counts_pieces_of_the_wave() -> None:
    """A signal is all of itself, nothing of another, and a burst is what it lasts."""
    rng = np.random.default_rng(14)
    aired = rng.standard_normal(4 * PIECE_SAMPLES).astype(np.float32)
    other = rng.standard_normal(4 * PIECE_SAMPLES).astype(np.float32)
    half = np.concatenate([aired[: 2 * PIECE_SAMPLES], other[: 2 * PIECE_SAMPLES]])

    assert extent(np.sign(aired), aired) == pytest.approx(4.0)
    assert extent(np.sign(other), aired) < 0.3
    assert 2.0 <= extent(np.sign(aired), half) < 2.3
    assert extent(np.sign(aired)[:128], aired[:128]) == pytest.approx(0.5)
    assert extent(np.sign(aired), np.zeros_like(aired)) == 0.0


def test_what_is_expected_of_a_flawless_reception_is_what_one_gives(music: Music) -> None:
    """The prediction shown to media buyers is right to a factor of two."""
    pcm = music(6, 1.0)
    heard = np.concatenate([np.zeros(LAG_SAMPLES, np.float32), pcm])[:N]

    assert 0.5 < flawless_nats(wave_of(pcm), skipped=0, n_samples=2000) / coherence_nats(wave_of(pcm), heard=heard, skipped=0) < 2


SOUNDS = ("noise", "tone", "music", "clicks", "buzz", "noisy buzz", "silence", "chord")


def _sound(kind: str, rng: np.random.Generator, music: Music) -> Pcm:
    t = np.arange(16_000) / 16_000
    pcm: npt.NDArray[np.floating] = np.zeros(16_000)
    match kind:
        case "noise":
            pcm = 0.1 * rng.standard_normal(16_000)
        case "tone":
            pcm = 0.3 * np.sin(2 * np.pi * 440.0 * t + rng.uniform(0, 6))
        case "music":
            pcm = music(int(rng.integers(1000)), 1.0)
        case "clicks":
            pcm = (np.arange(16_000) % 160 == int(rng.integers(160))) * 0.9
        case "buzz" | "noisy buzz":
            pcm = 0.2 * (2 * ((440.0 * t + rng.uniform()) % 1) - 1)
            pcm += (0.01 if kind == "noisy buzz" else 0.0) * rng.standard_normal(16_000)
        case "chord":
            pcm = 0.1 * np.sum([np.sin(2 * np.pi * f * t + rng.uniform(0, 6)) for f in (220, 277, 330, 440)], axis=0)
    return np.asarray(pcm, np.float32)


@pytest.mark.parametrize("kind", SOUNDS)
@pytest.mark.parametrize("other", SOUNDS)
def test_another_recording_of_the_same_sound_is_no_evidence(kind: str, other: str, music: Music) -> None:
    """Two hums, two chords of the same notes, two noises: 60 pairs of each kind stay below what any decision needs.

    Any two buzzes of one pitch are the same waveform, and still tell nothing, since each repeats itself.
    """
    rng = np.random.default_rng(7)
    scores = [
        coherence_nats(wave_of(_sound(kind, rng, music)), heard=_sound(other, rng, music)[3000 : 3000 + N], skipped=1000)
        for _ in range(60)
    ]

    assert max(scores) < 14.0
    assert np.median(scores) < 6.0


def test_chance_falls_by_a_nat_a_nat(music: Music) -> None:
    """Of 3,000 unrelated pairs a share of about exp(-4) goes 4 nats further than the median's neighbourhood."""
    rng = np.random.default_rng(8)
    waves = [wave_of(music(seed, 1.0)) for seed in range(40)]
    pcm = music(99, 40.0)
    scores = np.sort([
        coherence_nats(waves[int(rng.integers(40))], heard=pcm[at : at + N], skipped=0)
        for at in rng.integers(0, len(pcm) - N, 3000).tolist()
    ])  # fmt: skip

    assert scores[1500] < 4.5
    assert np.mean(scores > 8.0) < 0.01
    assert scores[-1] < 14.0


def test_the_variance_by_chance_is_that_of_many_pairs() -> None:
    """Bartlett's formula against what 4,000 pairs of coloured noise show; white noise has one over its length."""
    rng = np.random.default_rng(9)
    n, kernel = 800, np.exp(-np.arange(40) / 8.0)
    coloured = np.array([np.convolve(rng.standard_normal(n + 39), kernel, mode="valid") for _ in range(400)])
    unit = coloured / np.linalg.norm(coloured, axis=1, keepdims=True)
    seen = float(np.var((unit[:200] @ unit[200:].T).ravel()))
    told = np.mean([chance_variance(*coloured[[i, i + 200]].astype(np.float32)) for i in range(200)])

    assert told == pytest.approx(seen, rel=0.25)
    white = rng.standard_normal((2, n)).astype(np.float32)
    assert 1 / n <= chance_variance(white[0], white[1]) < 1.6 / n


def test_periodicity_tells_notes_from_noise() -> None:
    """A buzz repeats itself, noise does not, and silence is neither."""
    rng = np.random.default_rng(11)

    assert periodicity(np.sign(np.sin(np.arange(1000) / 7)).astype(np.float32)) > 0.95
    assert periodicity(rng.standard_normal(1000).astype(np.float32)) < 0.25
    assert periodicity(np.zeros(1000, np.float32)) == 0.0
    assert periodicity(np.ones(10, np.float32)) == 0.0


def test_too_little_sound_is_no_evidence(music: Music) -> None:
    """Fewer than 50 ms, or past the end of the wave."""
    pcm = music(10, 1.0)

    assert coherence_nats(wave_of(pcm), heard=pcm[:500], skipped=0) == 0.0
    assert coherence_nats(wave_of(pcm), heard=pcm[:0], skipped=0) == 0.0
    assert coherence_nats(wave_of(pcm), heard=pcm[:N], skipped=2 * WAVE_SAMPLES) == 0.0


def test_silence_is_no_evidence() -> None:
    """Neither against itself nor against a wave."""
    silence = np.zeros(N, np.float32)

    assert coherence_nats(wave_of(silence), heard=silence, skipped=0) == 0.0


@pytest.mark.parametrize("seed", range(3))
def test_the_best_lag_is_that_of_plain_numpy(seed: int) -> None:
    """Even lags in one phase, odd ones in the other."""
    rng = np.random.default_rng(seed)
    signs = np.sign(rng.standard_normal(500)).astype(np.float32)
    sound = rng.standard_normal(1200).astype(np.float32)
    squares = []
    for lag in range(129):
        part = sound[lag : lag + 1000 : 2].astype(np.float64)
        squares.append(float(signs @ part) ** 2 / (500 * float(part @ part)))
    lag, squared = kernels.best_lag(signs, sound[::2].copy(), sound[1::2].copy(), 65)

    assert lag == int(np.argmax(squares))
    assert squared == pytest.approx(max(squares), rel=1e-4)
