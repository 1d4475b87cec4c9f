"""EBU R 128 against the values of EBU Tech 3341 and ITU-R BS.1770."""

import math

import numpy as np
import pytest

from fingerprints.loudness import Channels, k_filters, measure

RATE_HZ = 48_000


def sine(level_db: float, length_s: float, *, rate_hz: int = RATE_HZ, pitch_hz: float = 1000.0, channels: int = 2) -> Channels:
    """A steady tone, the same in each channel."""
    wave = 10 ** (level_db / 20) * np.sin(2 * np.pi * pitch_hz * np.arange(round(length_s * rate_hz)) / rate_hz)
    return np.stack([wave] * channels)


@pytest.mark.parametrize("rate_hz", [16_000, 32_000, 44_100, 48_000])
@pytest.mark.parametrize("level_db", [-23.0, -33.0])
def test_tech_3341_cases_1_and_2(level_db: float, rate_hz: int) -> None:
    """A stereo 1 kHz tone of 20 s reads its own level, at any sample rate."""
    assert measure(sine(level_db, 20.0, rate_hz=rate_hz), rate_hz).integrated_lufs == pytest.approx(level_db, abs=0.1)


def test_tech_3341_case_3() -> None:
    """The gate leaves the quiet parts out: -36, -23, -36 dB reads -23."""
    pcm = np.concatenate([sine(-36, 10), sine(-23, 60), sine(-36, 10)], axis=1)

    assert measure(pcm, RATE_HZ).integrated_lufs == pytest.approx(-23.0, abs=0.1)


def test_tech_3341_case_4() -> None:
    """With -72 dB at both ends too, which the absolute gate leaves out."""
    pcm = np.concatenate([sine(-72, 10), sine(-36, 10), sine(-23, 60), sine(-36, 10), sine(-72, 10)], axis=1)

    assert measure(pcm, RATE_HZ).integrated_lufs == pytest.approx(-23.0, abs=0.1)


def test_one_channel_at_full_scale_reads_minus_3_01() -> None:
    """BS.1770: 997 Hz, 0 dB full scale in one channel."""
    found = measure(sine(0.0, 5.0, pitch_hz=997.0, channels=1), RATE_HZ)

    assert found.integrated_lufs == pytest.approx(-3.01, abs=0.05)
    assert found.peak_db == pytest.approx(0.0, abs=0.01)


def test_the_filters_at_48_khz_are_those_of_the_recommendation() -> None:
    """BS.1770-4, tables 1 and 2."""
    shelf, high_pass = k_filters(RATE_HZ)

    assert shelf[0] == pytest.approx([1.53512485958697, -2.69169618940638, 1.19839281085285], abs=1e-8)
    assert shelf[1] == pytest.approx([1.0, -1.69065929318241, 0.73248077421585], abs=1e-8)
    assert high_pass[1] == pytest.approx([1.0, -1.99004745483398, 0.99007225036621], abs=1e-8)


def test_silence_and_scraps_have_no_loudness() -> None:
    """Nothing above the gate, or less than one block, is minus infinity."""
    assert measure(np.zeros((2, RATE_HZ)), RATE_HZ).integrated_lufs == -math.inf
    assert measure(np.zeros((2, RATE_HZ)), RATE_HZ).peak_db == -math.inf
    assert measure(sine(-20, 0.3), RATE_HZ).integrated_lufs == -math.inf


def test_flat_tops_are_counted() -> None:
    """Four full samples in a row are clipping, three are a peak."""
    pcm = np.zeros((1, 1000))
    pcm[0, 10:13], pcm[0, 50:54], pcm[0, 90:99] = 1.0, -1.0, 1.0

    assert measure(pcm, RATE_HZ).clipped_runs == 2
