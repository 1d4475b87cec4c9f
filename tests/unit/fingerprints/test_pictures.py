"""Pictures of a spot's beginning."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from fingerprints.errors import FingerprintsError, SpotError
from fingerprints.library import SpotLibrary
from fingerprints.pictures import draw_spot, evidence_of, signed_classes
from fingerprints.prints import make_print

Pcm = npt.NDArray[np.float32]
Music = Callable[[int, float], Pcm]
WriteWav = Callable[[Path, Pcm], Path]


def test_evidence_decides_when_the_matcher_would(music: Music) -> None:
    """A flawless reception reaches the threshold in a fifth of a second; other sound never."""
    spot, before = music(1, 4.0), music(2, 1.0)
    print_ = make_print("spot", spot)
    heard = evidence_of(print_, np.concatenate([before, spot]), onset_sample=16_000, seconds=1.5, threshold=36.0)
    other = evidence_of(print_, np.concatenate([before, music(3, 4.0)]), onset_sample=16_000, seconds=1.5, threshold=36.0)

    assert heard.decided_s is not None
    assert 0.1 < heard.decided_s < 0.3
    assert other.decided_s is None
    assert np.all(np.diff(heard.bits[heard.time_s > 0.1]) > -1.0)
    assert np.all(heard.nats[heard.time_s > 0.2] > 36.0)


def test_bits_are_drawn_with_their_class(music: Music) -> None:
    """Sign and class of each bit of a row, as the print holds them."""
    print_ = make_print("spot", music(4, 3.0))
    values = signed_classes(print_, rows=5)
    signs, low, high = (int(word) for word in print_.words[0, 2])
    expected = [(1 if signs >> b & 1 else -1) * ((low >> b & 1) + 2 * (high >> b & 1)) for b in range(32)]

    assert values[2].tolist() == expected


def test_a_spot_and_its_reception_are_drawn(music: Music, write_wav: WriteWav, tmp_path: Path) -> None:
    """PNG files of some size; a spot that is not there, or not heard, is one sentence."""
    folder = tmp_path / "spots"
    folder.mkdir()
    spot = music(5, 4.0)
    write_wav(folder / "spot.wav", spot)
    library = SpotLibrary.open(folder)
    aired = write_wav(tmp_path / "aired.wav", np.concatenate([music(6, 20.0), spot]))
    for name, heard in (("own.png", None), ("aired.png", str(aired))):
        draw_spot(library, "spot", tmp_path / name, heard=heard)
        assert (tmp_path / name).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert (tmp_path / name).stat().st_size > 20_000

    with pytest.raises(SpotError, match="nothing: no such spot; there are spot"):
        draw_spot(library, "nothing", tmp_path / "x.png")
    with pytest.raises(SpotError, match="it is not heard in"):
        draw_spot(library, "spot", tmp_path / "x.png", heard=str(write_wav(tmp_path / "other.wav", music(7, 3.0))))
    with pytest.raises(FingerprintsError, match="cannot be written"):
        draw_spot(library, "spot", tmp_path / "no" / "x.png")
