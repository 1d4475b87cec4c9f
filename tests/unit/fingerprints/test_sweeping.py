"""One head looked for in a reference: what the onset matcher finds there."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from fingerprints.echoes import SWEPT_MAX, find_echoes
from fingerprints.heads import heads_of
from fingerprints.prints import Print, make_print

Pcm = npt.NDArray[np.float32]
Music = Callable[[int, float], Pcm]


@pytest.fixture(scope="module")
def prints(music: Music) -> list[Print]:
    """Spots that begin alike, hold each other's beginnings, repeat their own, or are strangers; one begins a few frames early."""
    head, bar = music(300, 2.5), music(301, 1.5)
    sounds = {
        "cut-down": np.concatenate([head, music(302, 2.0)]),
        "early": np.concatenate([music(303, 0.05), head, music(304, 1.0)]),
        "host": np.concatenate([music(305, 1.7), head, bar]),
        "later": np.concatenate([head[500:], music(306, 2.0)]),
        "long": np.concatenate([head, music(307, 5.0)]),
        "loop": np.concatenate([bar, bar, bar, music(308, 1.0)]),
        "noisy": head + 0.02 * np.random.default_rng(309).standard_normal(len(head)).astype(np.float32),
        "stranger": music(310, 4.0),
    }
    return [make_print(name, pcm.astype(np.float32)) for name, pcm in sounds.items()]


def test_few_guests_are_found_as_a_matcher_finds_many(prints: list[Print], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same echoes to the last number, whichever way they were looked for."""
    assert len(prints) <= SWEPT_MAX
    swept = find_echoes(prints)
    monkeypatch.setattr("fingerprints.echoes.SWEPT_MAX", 0)

    assert swept == find_echoes(prints)
    assert swept == find_echoes(prints, heads=heads_of(prints), jobs=3)
    assert {("long", "cut-down"), ("host", "long"), ("loop", "loop"), ("early", "cut-down")} <= {
        (echo.host_id, echo.guest_id) for echo in swept
    }
    assert not any("stranger" in (echo.host_id, echo.guest_id) for echo in swept)
