"""The features against an independent short-time Fourier transform."""

import numpy as np

from fingerprints.features import ENERGY_FLOOR, HOP_SAMPLES, LAG_FRAMES, WINDOW_SAMPLES, band_weights, contrasts_of, slopes_of


def test_slopes_and_contrasts_equal_those_from_librosa() -> None:
    """Same window, hop, bands and logarithm through librosa.stft give the same numbers."""
    import librosa

    rng = np.random.default_rng(11)
    pcm = (0.1 * rng.standard_normal(16_000) * (1 + np.sin(np.arange(16_000) / 700))).astype(np.float32)
    spectra = librosa.stft(pcm, n_fft=WINDOW_SAMPLES, hop_length=HOP_SAMPLES, window="hann", center=False)
    levels = np.log(band_weights() @ (np.abs(spectra).astype(np.float64) ** 2) + ENERGY_FLOOR).T
    slopes = levels[:, :-1] - levels[:, 1:]

    assert slopes_of(pcm).shape == slopes.shape
    assert np.allclose(slopes_of(pcm), slopes, atol=2e-3)
    assert np.allclose(contrasts_of(pcm), slopes[LAG_FRAMES:] - slopes[:-LAG_FRAMES], atol=4e-3)
