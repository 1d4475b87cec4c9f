"""Frames, slopes, contrasts and bits."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from fingerprints.features import (
    BITS,
    HOP_SAMPLES,
    STILL_NATS,
    WINDOW_SAMPLES,
    FeatureStream,
    band_weights,
    contrasts_of,
    pack_bits,
    slopes_of,
    stream_bits,
)

Pcm = npt.NDArray[np.float32]


def test_words_hold_the_lowest_band_in_bit_0() -> None:
    """Bit b of a word is column b of its row."""
    bits = np.zeros((2, BITS), np.bool_)
    bits[0, 0] = bits[0, 3] = bits[1, 31] = True

    assert pack_bits(bits).tolist() == [0b1001, 1 << 31]


def test_rows_of_another_width_are_refused() -> None:
    """A word holds 32 bits, no more and no fewer."""
    with pytest.raises(ValueError, match="rows of 32"):
        pack_bits(np.zeros((4, 31), np.bool_))


def test_bands_share_each_bin_once() -> None:
    """No bin inside the range counts twice, and each band holds at least one whole bin."""
    weights = band_weights()

    assert weights.sum(axis=0).max() <= 1.0 + 1e-6
    assert weights.sum(axis=1).min() >= 1.0


def test_gain_and_static_equalisation_leave_contrasts_alone(music: Callable[[int, float], Pcm]) -> None:
    """Contrasts compare a spectrum with itself a moment ago, so what is constant cancels."""
    pcm = music(1, 2.0)

    assert np.allclose(contrasts_of(pcm), contrasts_of(pcm * np.float32(3.0)), atol=0.05)


def test_silence_does_not_move() -> None:
    """Digital silence and a steady tone have only still bits."""
    stream = FeatureStream()
    bits = stream.feed(np.zeros(16_000, np.float32))

    assert len(bits) == 120
    assert (bits.stills == 0xFFFF_FFFF).all()


def test_broken_samples_count_as_silence() -> None:
    """A NaN or infinity from a decoder must not poison the frames that follow."""
    pcm = np.zeros(4_000, np.float32)
    pcm[1_000], pcm[1_001] = np.nan, np.inf

    assert (FeatureStream().feed(pcm).stills == 0xFFFF_FFFF).all()


def test_less_than_a_window_has_no_frame() -> None:
    """The first frame needs 32 ms of sound."""
    assert len(slopes_of(np.zeros(WINDOW_SAMPLES - 1, np.float32))) == 0
    assert len(slopes_of(np.zeros(WINDOW_SAMPLES + HOP_SAMPLES, np.float32))) == 2


def test_stream_bits_are_signs_and_stillness_bit_by_bit() -> None:
    """The compiled loop packs what plain comparisons say, lowest band first."""
    contrasts = np.random.default_rng(12).normal(0, 0.05, (50, 32)).astype(np.float32)
    contrasts[3] = 0.0
    contrasts[4, :2] = [np.nan, -0.0]
    bits = stream_bits(contrasts, first_frame=9, sound=np.zeros(4, np.float32), sound_first=5)

    assert (bits.first_frame, len(bits.sound), bits.sound_first) == (9, 4, 5)
    assert np.array_equal(bits.signs, pack_bits(contrasts > 0))
    assert np.array_equal(bits.stills, pack_bits(np.abs(contrasts) < STILL_NATS))
