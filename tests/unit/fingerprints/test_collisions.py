"""The collision report: heads, bodies, the same recording, and what to do."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from fingerprints import whole
from fingerprints.collisions import Collision, Kind, collisions_of
from fingerprints.library import SpotLibrary

Pcm = npt.NDArray[np.float32]
Music = Callable[[int, float], Pcm]
LibraryOf = Callable[[dict[str, Pcm]], SpotLibrary]


def report(sounds: dict[str, Pcm], library_of: LibraryOf, *, only: list[str] | None = None) -> tuple[Collision, ...]:
    """The report on sounds at hand."""
    prints = [whole.WholePrint(spot_id=name, rows=whole.rows_of(pcm), length_samples=len(pcm)) for name, pcm in sounds.items()]
    return collisions_of(library_of(sounds), whole.WholeIndex(prints), only=only)


def test_cut_downs_say_from_when_they_can_be_told_apart(music: Music, library_of: LibraryOf) -> None:
    """Heads alike for 1 s: wait; for 3 s: fire on the group."""
    for head_s, advice in ((1.2, "or wait 1."), (3.0, "a tweet that suits every version")):
        head = music(1, head_s)
        found = report({"a": np.concatenate([head, music(2, 4.0)]), "b": np.concatenate([head, music(3, 4.0)])}, library_of)

        assert [(one.kind, one.host_id, one.guest_id) for one in found] == [(Kind.HEADS_ALIKE, "a", "b")]
        assert found[0].apart_s == pytest.approx(head_s, abs=0.1)
        assert advice in found[0].advice
        assert "begin alike" in found[0].finding


def test_one_recording_under_two_names_is_told(music: Music, library_of: LibraryOf) -> None:
    """Even a little quieter and with noise: nothing tells them apart."""
    spot = music(4, 6.0)
    noisy = (0.5 * spot + 0.0005 * np.random.default_rng(1).standard_normal(len(spot))).astype(np.float32)
    (found,) = report({"a": spot, "b": noisy}, library_of)

    assert (found.kind, found.apart_s) == (Kind.SAME_RECORDING, None)
    assert "keep one" in found.advice


def test_a_head_inside_another_asks_for_the_plans_window(music: Music, library_of: LibraryOf) -> None:
    """The beginning of one spot is heard in the middle of the other."""
    guest = music(5, 5.0)
    found = report({"host": np.concatenate([music(6, 4.0), guest[:48_000], music(7, 2.0)]), "guest": guest}, library_of)

    assert [one.kind for one in found] == [Kind.HEAD_INSIDE]
    assert (found[0].host_id, found[0].guest_id) == ("host", "guest")
    assert found[0].host_s == pytest.approx(4.0, abs=0.05)
    assert "require the plan's window for guest" in found[0].advice


def test_shared_bodies_are_told_once_with_their_places(music: Music, library_of: LibraryOf) -> None:
    """A jingle of 4 s at 3 s of one and 6 s of the other; no cue has to do anything."""
    jingle = music(8, 4.0)
    sounds = {
        "a": np.concatenate([music(9, 3.0), jingle, music(10, 3.0)]),
        "b": np.concatenate([music(11, 6.0), jingle, music(12, 2.0)]),
        "c": music(13, 8.0),
    }
    (found,) = report(sounds, library_of)

    assert (found.kind, found.host_id, found.guest_id, found.advice) == (Kind.BODIES_ALIKE, "a", "b", "")
    assert found.host_s == pytest.approx(3.0, abs=0.4)
    assert found.guest_s == pytest.approx(6.0, abs=0.4)
    assert found.lasts_s == pytest.approx(4.0, abs=0.6)
    assert report(sounds, library_of, only=["b"])[0].kind is Kind.BODIES_ALIKE
    assert report(sounds, library_of, only=["c"]) == ()


def test_music_that_loops_is_told_without_advice(music: Music, library_of: LibraryOf) -> None:
    """A spot that repeats its own beginning needs nothing: the recogniser knows."""
    bar = music(14, 2.5)
    (found,) = report({"loop": np.concatenate([bar, bar, music(15, 1.0)])}, library_of)

    assert (found.kind, found.advice) == (Kind.HEAD_INSIDE, "")
    assert found.host_s == pytest.approx(2.5, abs=0.05)
    assert "loop is heard again in itself at 2." in found.finding
