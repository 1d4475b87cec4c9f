"""Two takes of one programme are aligned to a few milliseconds; what is not the same is not said to be."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from fingerprints.alignment import Alignment, BitsTape, Playout, align, unpacked
from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.features import FeatureStream

Pcm = npt.NDArray[np.float32]
LENGTH_S = 30.0


def tape_of(pcm: Pcm, *, block_samples: int = 4_000) -> BitsTape:
    tape, features = BitsTape(length_s=98.0), FeatureStream()
    for first in range(0, len(pcm), block_samples):
        tape.add(features.feed(pcm[first : first + block_samples]))
    return tape


def later(pcm: Pcm, seconds: float) -> Pcm:
    return pcm[round(seconds * SAMPLE_RATE_HZ) :]


@pytest.mark.parametrize("offset_s", [0.0, 0.0017, 0.0123, 1.0035, 7.7779])
def test_an_offset_is_found_within_two_milliseconds(music: Callable[[int, float], Pcm], offset_s: float) -> None:
    """Between the hops too, and whichever of the two is behind."""
    pcm = music(1, LENGTH_S)
    a, b = tape_of(pcm), tape_of(later(pcm, offset_s)[: 18 * SAMPLE_RATE_HZ])

    assert align(a, b).offset_s == pytest.approx(offset_s, abs=0.002)
    assert align(b, a).offset_s == pytest.approx(-offset_s, abs=0.002)
    assert align(a, b).same
    assert align(a, b).confidence > 0.8


def test_noise_and_level_do_not_matter(music: Callable[[int, float], Pcm]) -> None:
    """20 dB quieter, with noise 12 dB below, and another tone colour."""
    pcm = music(2, LENGTH_S)
    rough = np.convolve(later(pcm, 2.5), [0.1, 0.05, -0.03])[: 20 * SAMPLE_RATE_HZ]
    rough += np.random.default_rng(3).normal(0, 0.25 * np.std(rough), len(rough))

    found = align(tape_of(pcm), tape_of(rough.astype(np.float32)))

    assert found.offset_s == pytest.approx(2.5, abs=0.005)
    assert found.same


@pytest.mark.parametrize("seed", range(4))
def test_other_programmes_are_not_the_same(music: Callable[[int, float], Pcm], seed: int) -> None:
    """It says so, and is not confident."""
    found = align(tape_of(music(10 + seed, LENGTH_S)), tape_of(music(20 + seed, LENGTH_S)))

    assert not found.same
    assert found.confidence == 0.0
    assert "do not carry the same programme" in found.reason


def test_a_loop_is_not_certain(music: Callable[[int, float], Pcm]) -> None:
    """A bar of 4 s again and again fits at many places."""
    loop = np.tile(music(5, 4.0), 8)

    found = align(tape_of(loop), tape_of(loop[: 20 * SAMPLE_RATE_HZ]))

    assert not found.same
    assert "repeats itself" in found.reason


@pytest.mark.parametrize("pcm", [np.zeros(20 * SAMPLE_RATE_HZ, np.float32), np.zeros(0, np.float32)], ids=["silence", "nothing"])
def test_silence_aligns_with_nothing(music: Callable[[int, float], Pcm], pcm: Pcm) -> None:
    """No division by nothing, no claim."""
    assert not align(tape_of(pcm), tape_of(music(1, LENGTH_S))).same
    assert not align(tape_of(pcm), tape_of(pcm)).same


def test_bits_are_unpacked_lowest_first() -> None:
    """One word, 32 numbers."""
    assert unpacked(np.array([0b101], np.uint32))[0, :4].tolist() == [1, 0, 1, 0]


def test_the_tape_keeps_the_newest() -> None:
    """Its memory is bounded, and it knows where it ends."""
    tape, features = BitsTape(length_s=1.0), FeatureStream()
    tape.add(features.feed(np.random.default_rng(1).normal(0, 0.1, 5 * SAMPLE_RATE_HZ).astype(np.float32)))

    assert (len(tape), tape.end_frame) == (125, (5 * SAMPLE_RATE_HZ - 512) // 128 + 1)


def test_a_stream_is_heard_as_it_arrives_and_segments_when_they_can_be_played() -> None:
    """Jitter of a block is outvoted; a burst of 4 s waits for its turn."""
    stream, segments = Playout(bursts=False), Playout(bursts=True)
    for block in range(100):
        late_ns = 200_000_000 if block % 10 == 0 else 0
        stream.note(first_sample=block * 320, n_samples=320, seen_mono_ns=(block + 1) * 20_000_000 + late_ns)
        segments.note(first_sample=block * 320, n_samples=320, seen_mono_ns=(block // 50 + 1) * 1_000_000_000)

    assert stream.origin_s == pytest.approx(0.0)
    assert segments.origin_s == pytest.approx(1.0)


def test_doubt_has_no_confidence() -> None:
    """Whatever the peak was."""
    assert Alignment(offset_s=1.0, correlation=0.9, z=50.0, same=False, reason="").confidence == 0.0
