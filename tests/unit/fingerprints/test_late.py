"""Airings joined in the middle."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from fingerprints import rates, whole
from fingerprints.audio import AudioBlock
from fingerprints.ear import Ear, Event
from fingerprints.events import FollowEnd, LateFound
from fingerprints.library import SpotLibrary
from fingerprints.onset import Onset

Pcm = npt.NDArray[np.float32]
Music = Callable[[int, float], Pcm]
LibraryOf = Callable[[dict[str, Pcm]], SpotLibrary]


def index_of(sounds: dict[str, Pcm]) -> whole.WholeIndex:
    """The whole-spot index of sounds at hand."""
    return whole.WholeIndex(
        [whole.WholePrint(spot_id=name, rows=whole.rows_of(pcm), length_samples=len(pcm)) for name, pcm in sounds.items()]
    )


def listen(
    sounds: dict[str, Pcm], library_of: LibraryOf, pcm: Pcm, *, block_samples: int = 700, first_sample: int = 0
) -> list[Event]:
    """What an ear makes of a sound, fed in blocks."""
    ear = Ear(library_of(sounds), index=index_of(sounds), feed_id="feed")
    events: list[Event] = []
    for first in range(0, len(pcm), block_samples):
        part = pcm[first : first + block_samples]
        events += ear.feed(AudioBlock(pcm=part, first_sample=first_sample + first, seen_mono_ns=0))
    return events + ear.finish()


def kinds(events: Sequence[Event]) -> list[type]:
    """The events' types, in order."""
    return [type(event) for event in events]


@pytest.mark.parametrize("cut_s", [2.0, 4.5, 9.0])
def test_a_spot_without_its_head_is_found_within_two_seconds(music: Music, library_of: LibraryOf, cut_s: float) -> None:
    """Late, never a detection; with where it would have begun, where it was joined, and where it ended."""
    spot = music(1, 14.0)
    heard = spot[round(cut_s * 16_000) :]
    events = listen({"spot": spot, "other": music(2, 9.0)}, library_of, np.concatenate([music(3, 3.0), heard, music(4, 4.0)]))

    found, end = events
    assert isinstance(found, LateFound)
    assert isinstance(end, FollowEnd)
    assert (found.spot_id, found.spot_ids, found.feed_id, found.speed) == ("spot", ("spot",), "feed", 1.0)
    assert found.onset_s == pytest.approx(3.0 - cut_s, abs=0.04)
    assert found.joined_s == pytest.approx(3.0, abs=0.3)
    assert found.decided_s < 5.0
    assert found.score >= found.threshold
    assert (end.spot_id, end.onset_s, end.late) == ("spot", found.onset_s, True)
    assert end.end_s == pytest.approx(17.0 - cut_s, abs=0.1)
    assert end.coverage == pytest.approx(1 - cut_s / 14, abs=0.04)
    assert end.cut_s is None
    assert end.confidence > 0.8
    told = [one for one in end.confidences if one is not None]
    assert len(told) == len(end.confidences) == 14
    assert max([0.0, *told[: int(cut_s)]]) < 0.1
    assert min(told[int(cut_s) + 1 :]) > 0.7


def test_a_late_airing_that_breaks_off_says_where(music: Music, library_of: LibraryOf) -> None:
    """Joined after 3 s, cut at 9 s of the spot."""
    spot = music(5, 15.0)
    events = listen({"spot": spot}, library_of, np.concatenate([music(6, 2.0), spot[48_000:144_000], music(7, 4.0)]))

    assert kinds(events) == [LateFound, FollowEnd]
    end = events[1]
    assert isinstance(end, FollowEnd)
    assert end.cut_s == pytest.approx(9.0, abs=0.25)
    assert end.end_s == pytest.approx(8.0, abs=0.25)


def test_an_airing_heard_from_its_head_is_not_told_again(music: Music, library_of: LibraryOf) -> None:
    """One onset, one end, nothing late: alone, cut off in the middle, or with a hole of a second."""
    spot = music(8, 9.0)
    holed = np.concatenate([spot[:64_000], music(9, 1.0), spot[80_000:]])
    for aired in (spot, spot[:80_000], holed):
        events = listen({"spot": spot}, library_of, np.concatenate([music(10, 2.0), aired, music(11, 3.0)]))
        assert kinds(events) == [Onset, FollowEnd]


def test_the_body_of_a_cut_down_does_not_name_its_long_version(music: Music, library_of: LibraryOf) -> None:
    """While an airing is followed, what else it resembles is no airing."""
    body = music(12, 8.0)
    sounds = {"long": np.concatenate([music(13, 4.0), body]), "short": np.concatenate([music(14, 1.0), body])}
    events = listen(sounds, library_of, np.concatenate([music(15, 2.0), sounds["short"], music(16, 2.0)]))

    assert kinds(events) == [Onset, FollowEnd]


def test_bodies_alike_are_told_apart_by_how_far_they_agree(music: Music, library_of: LibraryOf) -> None:
    """Joined where two versions are the same: both names at first, the right one at the end."""
    body = music(17, 6.0)
    sounds = {"one": np.concatenate([body, music(18, 5.0)]), "two": np.concatenate([body, music(19, 5.0)])}
    events = listen(sounds, library_of, np.concatenate([music(20, 2.0), sounds["two"][32_000:], music(21, 3.0)]))

    found, end = events
    assert isinstance(found, LateFound)
    assert isinstance(end, FollowEnd)
    assert found.spot_ids == ("one", "two")
    assert end.spot_id == "two"


def test_other_music_is_no_spot(music: Music, library_of: LibraryOf) -> None:
    """Nothing is found in half a minute of something else, nor in silence, nor in a tone."""
    tone = 0.1 * np.sin(np.arange(80_000) * 0.2).astype(np.float32)
    other = np.concatenate([music(22, 25.0), np.zeros(80_000, np.float32), tone])

    assert listen({"spot": music(23, 10.0), "hum": np.concatenate([music(24, 3.0), tone])}, library_of, other) == []


@pytest.mark.parametrize("block_samples", [128, 2048, 5000, 400_000])
def test_the_sizes_of_the_blocks_change_nothing(music: Music, library_of: LibraryOf, block_samples: int) -> None:
    """The same events from any blocks, a late airing followed by one from its head."""
    sounds = {"a": music(25, 7.0), "b": music(26, 6.0)}
    pcm = np.concatenate([music(27, 1.0), sounds["a"][40_000:], sounds["b"], sounds["a"], music(28, 1.0)])

    expected = listen(sounds, library_of, pcm, block_samples=1000)
    assert sorted(kind.__name__ for kind in kinds(expected)) == ["FollowEnd"] * 3 + ["LateFound", "Onset", "Onset"]
    assert listen(sounds, library_of, pcm, block_samples=block_samples) == expected


def test_after_a_gap_positions_are_absolute(music: Music, library_of: LibraryOf) -> None:
    """A late airing ends at the gap with what was heard; the next is placed after it."""
    spot = music(29, 12.0)
    sounds = {"spot": spot}
    ear = Ear(library_of(sounds), index=index_of(sounds), feed_id="feed")
    before = ear.feed(AudioBlock(pcm=np.concatenate([music(30, 1.0), spot[48_000:112_000]]), first_sample=0, seen_mono_ns=0))
    pcm = np.concatenate([music(31, 1.0), spot[64_000:]])
    after = ear.feed(AudioBlock(pcm=pcm, first_sample=800_000, seen_mono_ns=0, gap=True)) + ear.finish()

    assert kinds(before) == [LateFound]
    assert kinds(after) == [FollowEnd, LateFound, FollowEnd]
    assert isinstance(after[1], LateFound)
    assert after[1].joined_s == pytest.approx(51.0, abs=0.3)


def test_the_speed_of_a_variant_is_told(music: Music, library_of: LibraryOf) -> None:
    """A spot kept at 1.042 as well, joined in the middle of a fast airing."""
    spot = music(32, 12.0)
    fast = rates.played_at(spot, rates.Rate(speed=1.042))
    prints = [
        whole.WholePrint(spot_id="spot", rows=whole.rows_of(spot), length_samples=len(spot)),
        whole.WholePrint(spot_id="spot", rows=whole.rows_of(fast), length_samples=len(fast), speed=1.042),
    ]
    ear = Ear(library_of({"spot": spot}), index=whole.WholeIndex(prints), feed_id="feed")
    pcm = np.concatenate([music(33, 1.0), fast[64_000:], music(34, 2.0)])
    found, end = ear.feed(AudioBlock(pcm=pcm, first_sample=0, seen_mono_ns=0)) + ear.finish()

    assert isinstance(found, LateFound)
    assert isinstance(end, FollowEnd)
    assert (found.spot_id, found.speed, end.speed) == ("spot", 1.042, 1.042)


def test_without_an_index_only_heads_are_heard(music: Music, library_of: LibraryOf) -> None:
    """Late airings are an extra that can be left out."""
    spot = music(35, 8.0)
    ear = Ear(library_of({"spot": spot}), index=None, feed_id="feed")

    assert ear.feed(AudioBlock(pcm=spot[48_000:], first_sample=0, seen_mono_ns=0)) + ear.finish() == []


def test_an_empty_block_is_no_news(music: Music, library_of: LibraryOf) -> None:
    """A block without samples is taken and changes nothing."""
    ear = Ear(library_of({"spot": music(36, 4.0)}), index=index_of({}), feed_id="feed")
    block = AudioBlock(pcm=np.empty(0, np.float32), first_sample=0, seen_mono_ns=0)

    assert ear.feed(block) == ear.feed(replace(block, gap=True)) == []
