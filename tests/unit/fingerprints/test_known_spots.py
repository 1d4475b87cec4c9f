from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from fingerprints.known_spots import kept_facts
from fingerprints.library import SpotLibrary

Pcm = npt.NDArray[np.float32]


def test_a_folder_is_known_without_being_read(
    music: Callable[[int, float], Pcm], write_wav: Callable[[Path, Pcm], Path], tmp_path: Path
) -> None:
    """Lengths and spots that begin alike come from the library file; a recording that changed is not known any more."""
    head, other = music(1, 3.0), music(2, 4.0)
    write_wav(tmp_path / "a.wav", np.concatenate([head, music(3, 2.0)]))
    write_wav(tmp_path / "b.wav", np.concatenate([head, music(4, 2.0)]))
    changed = write_wav(tmp_path / "c.wav", other)
    assert kept_facts(tmp_path) == {}

    SpotLibrary.open(tmp_path)
    facts = kept_facts(tmp_path)
    assert facts["c"].length_s == pytest.approx(4.0, abs=0.2)
    assert facts["a"].alike["b"] == pytest.approx(3.0, abs=1.0)
    assert (set(facts["b"].alike), dict(facts["c"].alike)) == ({"a"}, {})

    write_wav(changed, other[:40_000])
    assert set(kept_facts(tmp_path)) == {"a", "b"}
