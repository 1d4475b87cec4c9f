"""Frames, slopes, contrasts and bits."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from fingerprints.features import (
    BANDS,
    BITS,
    ENERGY_FLOOR,
    HEARD_FLOOR,
    HOP_SAMPLES,
    SOUND_KEPT_SAMPLES,
    STILL_NATS,
    WINDOW_SAMPLES,
    FeatureStream,
    band_weights,
    contrasts_of,
    pack_bits,
    slopes_of,
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


def test_stream_bits_are_signs_and_stillness_bit_by_bit(music: Callable[[int, float], Pcm]) -> None:
    """The compiled loop packs what plain comparisons of the contrasts say, lowest band first, however the sound is cut."""
    pcm = music(12, 1.0)
    pcm[3_000:8_000] = 0.0
    contrasts = contrasts_of(pcm, floor=HEARD_FLOOR)
    stream = FeatureStream()
    parts = [stream.feed(part) for part in np.split(pcm, [1, 700, 701, 5_000])]

    assert [part.first_frame for part in parts] == [2, 2, 2, 2, 36]
    assert np.array_equal(np.concatenate([part.signs for part in parts]), pack_bits(contrasts > 0))
    assert np.array_equal(np.concatenate([part.stills for part in parts]), pack_bits(np.abs(contrasts) < STILL_NATS))


def test_a_feed_forty_decibels_quieter_says_the_same(music: Callable[[int, float], Pcm]) -> None:
    """Clear contrasts of a recording keep their signs when it comes rounded to 16 bits at a hundredth of its level."""
    pcm = music(2, 4.0)
    quiet = (np.round(pcm * 327.68) / 32768).astype(np.float32)
    contrasts = contrasts_of(pcm)
    clear = pack_bits(np.abs(contrasts) > np.median(np.abs(contrasts)))
    flips = np.bitwise_count((FeatureStream().feed(quiet).signs ^ pack_bits(contrasts > 0)) & clear).sum()

    assert flips < 0.04 * np.bitwise_count(clear).sum()


def test_half_a_second_of_sound_stays_at_hand(music: Callable[[int, float], Pcm]) -> None:
    """Each piece carries its own samples and those before its frames, without broken ones."""
    pcm = music(16, 2.0)
    pcm[20_000] = np.inf
    stream = FeatureStream()
    parts = [stream.feed(part) for part in np.split(pcm, [300, 20_100, 20_200])]
    pcm[20_000] = 0.0

    # 154 frames are done before the third piece, and as many before the fourth.
    assert [part.sound_first for part in parts] == [0, 0, *[154 * HOP_SAMPLES - SOUND_KEPT_SAMPLES] * 2]
    for part, end in zip(parts, (300, 20_100, 20_200, len(pcm)), strict=True):
        assert np.array_equal(part.sound, pcm[part.sound_first : end])


def test_slopes_are_those_of_numpys_transform(music: Callable[[int, float], Pcm]) -> None:
    """The transform written out here rounds to the bits of numpy's, so prints made with either are the same."""
    pcm = np.concatenate([music(13, 2.0), 1e-4 * music(14, 1.0), 30 * music(15, 1.0)]).astype(np.float32)
    window = (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(WINDOW_SAMPLES) / WINDOW_SAMPLES)).astype(np.float32)
    spectra = np.fft.rfft(np.lib.stride_tricks.sliding_window_view(pcm, WINDOW_SAMPLES)[::HOP_SAMPLES] * window, axis=1)
    energies = np.full((len(spectra), BANDS), ENERGY_FLOOR, np.float32)
    for band, weights in enumerate(band_weights()):
        for k in np.nonzero(weights)[0]:
            energies[:, band] += weights[k] * (spectra[:, k].real ** 2 + spectra[:, k].imag ** 2)
    levels = np.log(energies)

    assert np.allclose(slopes_of(pcm), levels[:, :-1] - levels[:, 1:], rtol=0.0, atol=2e-6)


def test_sound_may_be_memory_that_must_not_be_written() -> None:
    """Bytes of a decoder are read where they are."""
    pcm = np.frombuffer(np.ones(1_000, np.float32).tobytes(), np.float32)

    assert len(FeatureStream().feed(pcm)) == 2
    assert len(slopes_of(pcm)) == 4
