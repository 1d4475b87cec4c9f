"""Cutting tracks."""

from pathlib import Path

import numpy as np
import pytest

from bench import material
from bench.corpus import Corpus
from bench.errors import MissingError
from bench.material import Track, cut, find_tracks


def test_cut_runs_over_the_files_of_a_reel(corpus: Corpus) -> None:
    """A piece across two files is the end of one and the beginning of the other."""
    one, other = corpus.programme_tracks
    reel = Track(name="reel", kind="speech", files=(*one.files, *other.files), lengths_s=(15.0, 15.0))
    piece = cut(reel, start_s=14.0, seconds=2.0, rate_hz=48_000, channels=2)
    assert len(piece) == 2 * 48_000
    np.testing.assert_array_equal(piece[48_000:], cut(other, start_s=0.0, seconds=1.0, rate_hz=48_000, channels=2))


def test_cut_begins_where_it_is_told(corpus: Corpus) -> None:
    """Seeking lands on the same samples as decoding from the beginning."""
    track = corpus.programme_tracks[0]
    whole = cut(track, start_s=0.0, seconds=15.0, rate_hz=48_000, channels=2)
    np.testing.assert_allclose(
        cut(track, start_s=7.5, seconds=1.0, rate_hz=48_000, channels=2), whole[360_000:408_000], atol=1e-4
    )


def test_missing_sound_names_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without the games' music is told what to type."""
    monkeypatch.setattr(material, "GAMES", tmp_path)
    with pytest.raises(MissingError, match=r"apt-get install .*wesnoth-1\.16-music"):
        find_tracks(seed=1)
