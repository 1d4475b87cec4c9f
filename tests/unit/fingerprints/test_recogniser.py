"""From blocks to onsets and ends."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest

from fingerprints.audio import AudioBlock
from fingerprints.events import FollowEnd
from fingerprints.library import SpotLibrary
from fingerprints.onset import Onset
from fingerprints.recogniser import Recogniser

Pcm = npt.NDArray[np.float32]
Music = Callable[[int, float], Pcm]
LibraryOf = Callable[[dict[str, Pcm]], SpotLibrary]
Hear = Callable[..., list[object]]


def onsets(events: Sequence[object]) -> list[Onset]:
    """The decisions among the events."""
    return [event for event in events if isinstance(event, Onset)]


def ends(events: Sequence[object]) -> list[FollowEnd]:
    """The ends among the events."""
    return [event for event in events if isinstance(event, FollowEnd)]


def test_an_airing_is_decided_once_and_followed_to_its_end(music: Music, library_of: LibraryOf, hear: Hear) -> None:
    """One onset within a hop, decided within 0.3 s, one end, all of it heard."""
    spot = music(1, 5.0)
    events = hear(library_of({"spot": spot, "other": music(2, 5.0)}), np.concatenate([music(3, 2.0), spot, music(4, 3.0)]))

    (onset,) = onsets(events)
    (end,) = ends(events)
    assert (onset.spot_id, onset.spot_ids) == ("spot", ("spot",))
    assert abs(onset.onset_sample - 32_000) <= 128
    assert 0 < onset.decided_sample - onset.onset_sample < 4_800
    assert onset.score >= onset.threshold
    assert (end.spot_id, end.feed_id, end.onset_s) == ("spot", "feed", onset.onset_sample / 16_000)
    assert end.coverage > 0.97
    assert end.end_s == pytest.approx(7.0, abs=0.15)


def test_the_same_spot_right_after_itself_is_reported_again(music: Music, library_of: LibraryOf, hear: Hear) -> None:
    """Two airings back to back are two detections, each followed to its end."""
    spot = music(5, 4.0)
    events = hear(library_of({"spot": spot}), np.concatenate([music(6, 1.0), spot, spot, music(7, 2.0)]))

    assert [round(onset.onset_sample / 16_000, 2) for onset in onsets(events)] == [1.0, 5.0]
    assert [end.coverage > 0.95 for end in ends(events)] == [True, True]


def test_a_spot_cut_off_and_begun_again_is_two_airings(music: Music, library_of: LibraryOf, hear: Hear) -> None:
    """A break-off after two seconds does not hide the repeat."""
    spot = music(8, 6.0)
    events = hear(library_of({"spot": spot}), np.concatenate([music(9, 1.0), spot[:32_000], spot, music(10, 2.0)]))

    assert [round(onset.onset_sample / 16_000, 2) for onset in onsets(events)] == [1.0, 3.0]
    assert sorted(round(end.coverage, 1) for end in ends(events)) == [0.3, 1.0]


def test_cut_downs_are_one_decision_by_group_and_told_apart_at_the_end(music: Music, library_of: LibraryOf, hear: Hear) -> None:
    """Both names at the decision, the right one at the end, for the long and for the short version."""
    head = music(11, 3.0)
    long, short = np.concatenate([head, music(12, 6.0)]), np.concatenate([head, music(13, 3.0)])
    library = library_of({"long": long, "short": short})
    events = hear(library, np.concatenate([music(14, 1.0), short, music(15, 2.0), long, music(16, 2.0)]))

    assert library.groups == (("long", "short"),)
    assert [onset.spot_ids for onset in onsets(events)] == [("long", "short")] * 2
    assert [end.spot_id for end in ends(events)] == ["short", "long"]
    assert all(end.coverage > 0.95 for end in ends(events))


def test_a_spot_that_repeats_its_own_beginning_airs_once(music: Music, library_of: LibraryOf, hear: Hear) -> None:
    """Looped music inside a spot is an echo the library knows of, not another airing."""
    bar = music(17, 2.0)
    events = hear(
        library_of({"loop": np.concatenate([bar, bar, bar, music(18, 1.0)])}), np.concatenate([music(19, 1.0), bar, bar, bar])
    )

    assert [round(onset.onset_sample / 16_000, 2) for onset in onsets(events)] == [1.0]


def test_leading_silence_of_the_reference_does_not_count(music: Music, library_of: LibraryOf, hear: Hear) -> None:
    """The onset is the first audible sample, whatever the reference file begins with."""
    spot = music(20, 4.0)
    library = library_of({"spot": np.concatenate([np.zeros(12_800, np.float32), spot])})

    (onset,) = onsets(hear(library, np.concatenate([music(21, 2.0), spot])))
    assert abs(onset.onset_sample - 32_000) <= 128


def test_a_spot_faded_in_over_other_sound_is_still_found(music: Music, library_of: LibraryOf, hear: Hear) -> None:
    """A cross-fade of 240 ms out of louder sound takes the head; the hypotheses born later find it."""
    spot, before = music(22, 4.0), 3 * music(23, 2.0)
    fade_samples = 3_840
    ramp = np.linspace(0, 1, fade_samples, dtype=np.float32)
    mixed = before[-fade_samples:] * (1 - ramp) + spot[:fade_samples] * ramp
    events = hear(library_of({"spot": spot}), np.concatenate([before[:-fade_samples], mixed, spot[fade_samples:]]))

    (onset,) = onsets(events)
    assert abs(onset.onset_sample - (32_000 - fade_samples)) <= 128


def test_a_gap_ends_the_airing_and_matching_starts_afresh(music: Music, library_of: LibraryOf) -> None:
    """What was heard before the gap is reported, and positions after it are absolute."""
    spot = music(24, 4.0)
    recogniser = Recogniser(library_of({"spot": spot}), feed_id="feed")
    before = recogniser.feed(AudioBlock(pcm=np.concatenate([music(25, 1.0), spot[:32_000]]), first_sample=0, seen_mono_ns=0))
    after = recogniser.feed(
        AudioBlock(pcm=np.concatenate([music(26, 1.0), spot]), first_sample=1_000_003, seen_mono_ns=0, gap=True)
    )

    assert len(onsets(before)) == 1
    assert ends(before) == []
    assert [round(end.coverage, 1) for end in ends(after)] == [0.5]
    assert [abs(onset.onset_sample - 1_016_003) <= 128 for onset in onsets(after)] == [True]


def test_half_a_head_on_either_side_of_a_gap_is_not_a_spot(music: Music, library_of: LibraryOf) -> None:
    """Evidence from before a gap does not count after it, even where the sound goes on as if nothing were missing."""
    spot = music(27, 4.0)
    recogniser = Recogniser(library_of({"spot": spot}), feed_id="feed")
    first = recogniser.feed(AudioBlock(pcm=np.concatenate([music(35, 1.0), spot[:1_536]]), first_sample=0, seen_mono_ns=0))
    # The last frame was row 7; the first frame after the gap, 256 samples in, is row 8.
    rest = spot[7 * 128 : 7 * 128 + 1_792]
    second = recogniser.feed(AudioBlock(pcm=rest, first_sample=17_536, seen_mono_ns=0, gap=True))

    assert onsets(first) == onsets(second) == []


def test_looped_music_cut_off_does_not_hide_the_next_airing(music: Music, library_of: LibraryOf, hear: Hear) -> None:
    """A spot that has been seen to end no longer explains what is heard where its music would have repeated."""
    bar = music(36, 2.0)
    loop = np.concatenate([bar, bar, bar, bar])
    events = hear(
        library_of({"loop": loop}), np.concatenate([music(37, 1.0), loop[:40_000], music(38, 1.5), loop, music(39, 1.0)])
    )

    assert [type(event) for event in events] == [Onset, FollowEnd, Onset, FollowEnd]
    assert [round(onset.onset_sample / 16_000, 2) for onset in onsets(events)] == [1.0, 5.0]
    assert ends(events)[0].end_s == pytest.approx(3.5, abs=0.1)


def test_clocks_that_differ_do_not_lose_a_spot(music: Music, library_of: LibraryOf, hear: Hear) -> None:
    """A sound card 300 ppm fast still hears all of a 30 s spot."""
    spot = music(28, 30.0)
    at = np.arange(0, len(spot) - 1, 1.0003)
    fast = np.interp(at, np.arange(len(spot)), spot).astype(np.float32)
    events = hear(library_of({"spot": spot}), np.concatenate([music(29, 1.0), fast, music(30, 2.0)]))

    assert len(onsets(events)) == 1
    assert ends(events)[0].coverage > 0.95


def test_evidence_rises_with_a_spot_and_falls_after_it(music: Music, library_of: LibraryOf) -> None:
    """The figure for people stays between 0 and 1."""
    spot = music(33, 3.0)
    recogniser = Recogniser(library_of({"spot": spot}), feed_id="feed")
    pcm, seen = np.concatenate([music(34, 1.0), spot]), []
    for first in range(0, len(pcm), 160):
        recogniser.feed(AudioBlock(pcm=pcm[first : first + 160], first_sample=first, seen_mono_ns=0))
        seen.append(recogniser.evidence())

    assert max(seen[:100]) < 0.8 < max(seen[100:125])
    assert all(0.0 <= share <= 1.0 for share in seen)
