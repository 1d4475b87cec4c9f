"""One channel inverted is noticed and turned over; everything else is left alone."""

import numpy as np
import numpy.typing as npt
import pytest

from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.downmix import CELL_SAMPLES, FADE_SAMPLES, SHARES, Downmix, correlation

Pcm = npt.NDArray[np.float32]


def stereo(seconds: float, *, width: float = 0.4, seed: int = 1) -> tuple[Pcm, Pcm]:
    """Noise with a middle of 1 and sides of `width`: correlation (1 - width²) / (1 + width²)."""
    rng = np.random.default_rng(seed)
    middle, side = rng.normal(0, 0.1, (2, round(seconds * SAMPLE_RATE_HZ))).astype(np.float32)
    return middle + np.float32(width) * side, middle - np.float32(width) * side


def rms(pcm: Pcm) -> float:
    return float(np.sqrt(np.mean(np.square(pcm))))


def right_mix(left: Pcm, right: Pcm) -> Pcm:
    mixed: Pcm = np.float32(SHARES[1]) * right + np.float32(SHARES[0]) * left
    return mixed


def test_an_inverted_channel_is_turned_over() -> None:
    """After some seconds the mix is exactly that of a right feed."""
    left, right = stereo(20.0)
    downmix = Downmix()
    mixed = downmix.feed(left, -right)
    late = 8 * SAMPLE_RATE_HZ

    assert downmix.inverted
    assert np.array_equal(mixed[late:], right_mix(left, right)[late:])
    assert rms(mixed[: 2 * SAMPLE_RATE_HZ]) < 0.5 * rms(right_mix(left, right))


def test_a_right_feed_is_never_touched() -> None:
    """Not even where it is wide."""
    for width in (0.0, 0.5, 1.0, 1.5):
        left, right = stereo(30.0, width=width)
        assert np.array_equal(Downmix().feed(left, right), right_mix(left, right)), width


def test_one_channel_alone_says_nothing() -> None:
    """Whichever it is."""
    left, _ = stereo(30.0)
    downmix = Downmix()
    downmix.feed(left, np.zeros_like(left))
    downmix.feed(np.zeros_like(left), left)

    assert not downmix.inverted


def test_a_station_that_is_put_right_is_followed() -> None:
    """Both ways within 8 s, and music that is neither changes nothing between."""
    downmix, heard = Downmix(), []
    for sign, width in ((1, 0.2), (-1, 0.2), (1, 1.0), (1, 0.2)):
        left, right = stereo(8.5, width=width)
        downmix.feed(left, np.float32(sign) * right)
        heard.append(downmix.inverted)

    assert heard == [False, True, True, False]


@pytest.mark.parametrize("level", [0.0, 1e-5], ids=["digital silence", "-100 dB"])
def test_silence_changes_nothing(level: float) -> None:
    """Neither what is known nor what was nearly known."""
    left, right = stereo(60.0)
    long, plain = Downmix(), Downmix()
    at = 5 * SAMPLE_RATE_HZ // CELL_SAMPLES * CELL_SAMPLES
    first, later = slice(0, at), slice(at, at + 2 * SAMPLE_RATE_HZ)
    quiet = np.zeros(100 * CELL_SAMPLES, np.float32) + np.float32(level)
    for one, pause in ((long, quiet), (plain, quiet[:0])):
        one.feed(left[first], -right[first])
        one.feed(pause, pause)
        assert not one.inverted
        one.feed(left[later], -right[later])

    assert (long.inverted, plain.inverted) == (True, True)


def test_turning_over_does_not_click() -> None:
    """The largest step from one sample to the next is that of the sound itself."""
    at = np.arange(8 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    tone = (0.5 * np.sin(2 * np.pi * 200 * at)).astype(np.float32)
    downmix = Downmix()
    mixed = downmix.feed(tone, -tone)

    assert downmix.inverted
    assert np.abs(np.diff(mixed)).max() <= np.abs(np.diff(tone)).max() + 2 * 0.5 * SHARES[1] / FADE_SAMPLES


def test_a_new_connection_goes_on_with_what_is_known() -> None:
    """The first sample is mixed right."""
    left, right = stereo(1.0)

    assert np.array_equal(Downmix(inverted=True).feed(left, -right), right_mix(left, right))


def test_a_recording_is_judged_whole() -> None:
    """Compared, but mixed as it is."""
    left, right = stereo(10.0)
    downmix = Downmix(follows=False)
    mixed = downmix.feed(left, -right)

    assert downmix.seems_inverted
    assert not downmix.inverted
    assert np.array_equal(mixed, right_mix(left, -right))
    assert not Downmix().seems_inverted


def test_samples_that_are_no_numbers_do_no_harm() -> None:
    """What is known stays known."""
    left, right = stereo(8.0)
    downmix = Downmix()
    with np.errstate(invalid="ignore"):
        for bad in (np.nan, np.inf):
            downmix.feed(np.full(5 * CELL_SAMPLES, bad, np.float32), np.full(5 * CELL_SAMPLES, bad, np.float32))
    downmix.feed(left, -right)

    assert downmix.inverted


def test_correlation() -> None:
    """Its ends, its middle, and silence."""
    left, right = stereo(1.0, width=0.5)

    assert correlation(left, left) == pytest.approx(1.0)
    assert correlation(left, -left) == pytest.approx(-1.0)
    assert correlation(left, right) == pytest.approx(0.6, abs=0.02)
    assert correlation(left, np.zeros_like(left)) == 0.0
    assert correlation(left * 0, left * 0) is None
