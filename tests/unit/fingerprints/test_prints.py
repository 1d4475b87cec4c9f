"""Prints of recordings, and their files."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from fingerprints import prints
from fingerprints.errors import PrintFileError, SpotError
from fingerprints.prints import audible_span, dump_print, load_print, make_print

Pcm = npt.NDArray[np.float32]
Music = Callable[[int, float], Pcm]


def test_leading_and_trailing_silence_are_left_out(music: Music) -> None:
    """The onset is the first audible sample, to within a 4 ms block."""
    silence = np.zeros(12_800, np.float32)
    print_ = make_print("spot", np.concatenate([silence, music(2, 3.0), silence]))

    assert print_.lead_in_samples == 12_800
    assert abs(print_.audible_s - 3.0) < 0.3
    assert np.array_equal(print_.words, make_print("spot", music(2, 3.0)).words)


@pytest.mark.parametrize(
    ("pcm", "reason"),
    [
        (np.zeros(80_000, np.float32), "nothing audible"),
        (np.zeros(0, np.float32), "nothing audible"),
        (np.full(16_000, 0.1, np.float32), "1.0 s audible; a spot needs at least 2 s"),
        (np.full(16_000 * 601, 0.1, np.float32), "a spot is at most 600 s"),
    ],
    ids=["silent", "empty", "short", "long"],
)
def test_what_cannot_be_a_spot_is_refused_by_name(pcm: Pcm, reason: str) -> None:
    """The message names the recording, its value and the limit."""
    with pytest.raises(SpotError, match=f"^jingle.*{reason}"):
        make_print("jingle", pcm)


def test_quiet_noise_before_the_sound_is_not_audible(music: Music) -> None:
    """A codec's pre-echo, 60 dB below the sound, does not move the onset."""
    noise = (1e-4 * np.random.default_rng(3).standard_normal(16_000)).astype(np.float32)

    assert audible_span(np.concatenate([noise, music(4, 3.0)]))[0] == 16_000


def test_a_breath_before_the_first_word_is_not_its_head(music: Music) -> None:
    """What is 41 dB below the loudest is not what a spot begins with, even well above the floor."""
    spot = music(3, 3.0)
    loudest = np.sqrt(np.max(np.mean(np.square(spot[: len(spot) // 64 * 64].reshape(-1, 64)), axis=1)))
    breath = np.full(4_800, loudest * 10 ** (-41 / 20), np.float32)
    first, _ = audible_span(np.concatenate([breath, spot]))

    assert first >= 4_800


def test_a_print_survives_its_file(music: Music) -> None:
    """What was dumped is loaded, to the bit."""
    print_ = make_print("spot", music(5, 3.0))
    loaded = load_print(dump_print(print_, content_sha256="c" * 64), content_sha256="c" * 64, name="x.print")

    assert np.array_equal(loaded.words, print_.words)
    assert np.array_equal(loaded.gains, print_.gains)
    assert (loaded.spot_id, loaded.audible_samples) == (print_.spot_id, print_.audible_samples)


def test_a_print_made_with_other_parameters_is_refused(music: Music, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every parameter that changes a print stands in its header."""
    data = dump_print(make_print("spot", music(5, 3.0)), content_sha256="c" * 64)
    monkeypatch.setitem(prints.PARAMETERS, "lag_frames", 9)

    with pytest.raises(PrintFileError, match="other parameters"):
        load_print(data, content_sha256="c" * 64, name="x.print")


def test_a_print_of_another_recording_is_refused(music: Music) -> None:
    """The header names the recording by its content."""
    data = dump_print(make_print("spot", music(5, 3.0)), content_sha256="c" * 64)

    with pytest.raises(PrintFileError, match="another recording"):
        load_print(data, content_sha256="d" * 64, name="x.print")
