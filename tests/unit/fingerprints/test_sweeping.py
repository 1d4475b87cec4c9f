"""One head looked for in a reference: what the onset matcher finds there."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from fingerprints.coherence import BITS_SHARE
from fingerprints.echoes import ALIKE_BITS_NATS, crossings_swept, find_echoes
from fingerprints.heads import head_at, heads_of
from fingerprints.onset import OnsetMatcher
from fingerprints.prints import Print, make_print
from fingerprints.streams import as_stream

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
        "looped": np.tile(music(311, 0.37), 20),
        "long": np.concatenate([head, music(307, 5.0)]),
        "loop": np.concatenate([bar, bar, bar, music(308, 1.0)]),
        "noisy": head + 0.02 * np.random.default_rng(309).standard_normal(len(head)).astype(np.float32),
        "stranger": music(310, 4.0),
    }
    return [make_print(name, pcm.astype(np.float32)) for name, pcm in sounds.items()]


def test_few_guests_are_found_as_a_matcher_finds_many(prints: list[Print], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same echoes to the last number, whichever way they were looked for."""
    monkeypatch.setattr("fingerprints.echoes.SWEPT_MAX", len(prints))
    swept = find_echoes(prints)
    monkeypatch.setattr("fingerprints.echoes.SWEPT_MAX", 0)

    assert swept == find_echoes(prints)
    assert swept == find_echoes(prints, heads=heads_of(prints), jobs=3)
    assert {("long", "cut-down"), ("host", "long"), ("loop", "loop"), ("early", "cut-down")} <= {
        (echo.host_id, echo.guest_id) for echo in swept
    }
    assert not any("stranger" in (echo.host_id, echo.guest_id) for echo in swept)
    places_s = [echo.offset_s for echo in swept if echo.host_id == echo.guest_id == "looped"]
    assert all(any(abs(place_s - 0.37 * bar) < 0.02 for place_s in places_s) for bar in range(1, 19))


@pytest.mark.parametrize("room", [1, 4096])
def test_every_crossing_is_the_matcher_s(room: int, prints: list[Print], monkeypatch: pytest.MonkeyPatch) -> None:
    """Frame, onset and score, and which are left out as decided already; however many there are."""
    monkeypatch.setattr("fingerprints.echoes.CROSSINGS_ROOM", room)
    heads = heads_of(prints)
    matcher = OnsetMatcher(heads)
    matcher.threshold = BITS_SHARE * ALIKE_BITS_NATS
    for print_ in prints:
        matcher.restart()
        swept = crossings_swept([head_at(heads, spot) for spot in range(len(prints))], as_stream(print_))
        assert swept == matcher.advance(as_stream(print_))
