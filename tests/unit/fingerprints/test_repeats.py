"""Sound that a new connection brings again is left out; new sound never is."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from fingerprints.audio import SAMPLE_RATE_HZ, AudioBlock
from fingerprints.repeats import HELD_S, HISTORY_S, Repeats

Pcm = npt.NDArray[np.float32]


def feed(repeats: Repeats, pcm: Pcm, *, block_samples: int = 340) -> list[AudioBlock]:
    ready: list[AudioBlock] = []
    for first in range(0, len(pcm), block_samples):
        part = pcm[first : first + block_samples]
        ready += repeats.sift(AudioBlock(pcm=part, first_sample=first, seen_mono_ns=0))
    return ready


def sound(blocks: list[AudioBlock]) -> Pcm:
    return np.concatenate([block.pcm for block in blocks]) if blocks else np.empty(0, np.float32)


def at(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE_HZ)


@pytest.mark.parametrize("back_s", [0.3, 0.9, 4.0, 20.0])
@pytest.mark.parametrize("block_samples", [340, 5_000])
def test_a_burst_of_the_past_is_heard_once(music: Callable[[int, float], Pcm], back_s: float, block_samples: int) -> None:
    """However far it reaches back; the seam is exact, and said to be one."""
    pcm, repeats = music(1, 32.0), Repeats()
    feed(repeats, pcm[: at(25)])
    repeats.reconnect()

    again = feed(repeats, pcm[at(25 - back_s) :], block_samples=block_samples)

    assert np.array_equal(sound(again), pcm[at(25) :])
    assert repeats.take_joined()
    assert not repeats.take_joined()
    assert repeats.left_out_s == pytest.approx(back_s)


def test_new_sound_is_held_a_second_and_kept_whole(music: Callable[[int, float], Pcm]) -> None:
    """Nothing of it is lost, nothing comes before the second is over, and it is no seam."""
    repeats, other = Repeats(), music(2, 5.0)
    feed(repeats, music(1, 10.0))
    repeats.reconnect()

    assert feed(repeats, other[: at(HELD_S) - 340]) == []
    ready = feed(repeats, other[at(HELD_S) - 340 :])

    assert np.array_equal(sound(ready), other)
    assert not repeats.take_joined()


def test_without_a_break_nothing_is_held(music: Callable[[int, float], Pcm]) -> None:
    """The first connection, and a loop within one, pass at once."""
    repeats, loop = Repeats(), np.tile(music(3, 2.0), 3)
    repeats.reconnect()

    assert np.array_equal(sound(feed(repeats, loop)), loop)


def test_sound_that_begins_alike_and_goes_on_differently_is_new(music: Callable[[int, float], Pcm]) -> None:
    """A jingle heard ten seconds before the break comes again with another programme behind it: only the jingle is left out."""
    pcm, jingle, other = music(4, 10.0), music(5, 1.5), music(6, 5.0)
    repeats = Repeats()
    feed(repeats, np.concatenate([pcm, jingle, music(7, 10.0)]))
    repeats.reconnect()

    ready = sound(feed(repeats, np.concatenate([jingle, other])))

    assert len(other) - 400 <= len(ready) <= len(other) + at(0.3)
    assert np.array_equal(ready[-len(other) + 400 :], other[400:])
    assert not repeats.take_joined()


def test_silence_is_never_left_out() -> None:
    """It is like all silence."""
    repeats, still = Repeats(), np.zeros(at(3.0), np.float32)
    feed(repeats, still)
    repeats.reconnect()

    assert len(sound(feed(repeats, still))) == len(still)


def test_what_is_held_is_given_out_when_the_connection_ends(music: Callable[[int, float], Pcm]) -> None:
    """Half a second between two breaks is heard, too."""
    repeats, short = Repeats(), music(8, 0.5)
    feed(repeats, music(1, 3.0))
    repeats.reconnect()

    assert feed(repeats, short) == []
    assert np.array_equal(sound(repeats.release()), short)


def test_memory_is_bounded(music: Callable[[int, float], Pcm]) -> None:
    """What was heard longer ago than the history is forgotten, and so would be heard again."""
    pcm, repeats = music(9, HISTORY_S + 5.0), Repeats()
    feed(repeats, pcm)
    repeats.reconnect()

    assert len(sound(feed(repeats, pcm[: at(2.0)]))) == at(2.0)
