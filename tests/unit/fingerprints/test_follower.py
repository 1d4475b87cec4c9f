"""Following an airing to its end, wherever its alignment wanders."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest

from fingerprints.audio import AudioBlock
from fingerprints.ear import Ear
from fingerprints.events import FollowEnd
from fingerprints.features import StreamBits
from fingerprints.follower import DROP_NATS, WINDOW_FRAMES, Candidate
from fingerprints.library import SpotLibrary
from fingerprints.onset import Onset
from fingerprints.prints import LOSSES, Print, make_print
from fingerprints.rates import Rate, played_at
from fingerprints.tracking import PLACES, REACH_HALF_HOPS, STEP_NATS, track

Pcm = npt.NDArray[np.float32]
Music = Callable[[int, float], Pcm]
LibraryOf = Callable[[dict[str, Pcm]], SpotLibrary]
Hear = Callable[..., list[object]]
TEMPOS = (0.96, 0.98, 0.99, 1.01, 1.02, 1.04)


def squeezed(pcm: Pcm, tempo: float) -> Pcm:
    """At another tempo, the pitch kept."""
    return played_at(pcm, Rate(speed=tempo, keeps_pitch=True))


def only_end(events: Sequence[object]) -> FollowEnd:
    """The end of the one airing there is."""
    onset, end = events
    assert isinstance(onset, Onset)
    assert isinstance(end, FollowEnd)
    return end


@pytest.mark.parametrize("tempo", TEMPOS)
def test_a_spot_at_another_tempo_is_followed_to_its_end(tempo: float, music: Music, library_of: LibraryOf, hear: Hear) -> None:
    """No rate is kept: the drift of the alignment tells it."""
    spot = music(60, 10.0)
    aired = squeezed(spot, tempo)
    end = only_end(hear(library_of({"spot": spot}), np.concatenate([music(61, 2.0), aired, music(62, 3.0)])))

    assert end.coverage > 0.98
    assert end.cut_s is None
    assert end.end_s == pytest.approx(2.0 + len(aired) / 16_000, abs=0.1)
    assert end.speed == pytest.approx(tempo, rel=0.003)
    assert end.confidence > 0.7


@pytest.mark.parametrize("tempo", TEMPOS)
@pytest.mark.parametrize("into", ["music", "spot"])
def test_a_squeezed_spot_cut_off_ends_at_the_cut(
    tempo: float, into: str, music: Music, library_of: LibraryOf, hear: Hear
) -> None:
    """Looking in many places costs evidence, so what comes after the cut is not followed."""
    spot, other = music(63, 12.0), music(64, 12.0)
    whole = squeezed(spot, tempo)
    aired = whole[: round(0.55 * len(whole))]
    after = music(65, 5.0) if into == "music" else other[40_000:]
    end = only_end(hear(library_of({"spot": spot, "other": other}), np.concatenate([music(66, 1.0), aired, after])))

    assert end.end_s == pytest.approx(1.0 + len(aired) / 16_000, abs=0.15)
    assert end.cut_s == pytest.approx(len(aired) / 16_000, abs=0.15)
    assert end.coverage == pytest.approx(0.55, abs=0.02)
    assert end.speed == pytest.approx(tempo, rel=0.005)


@pytest.mark.parametrize("parts_per_million", [-300, 300])
def test_clocks_that_differ_are_no_other_speed(parts_per_million: int, music: Music, library_of: LibraryOf, hear: Hear) -> None:
    """All of a 30 s spot is heard, and its speed is 1."""
    spot = music(67, 30.0)
    at = np.arange(0, len(spot) - 1, 1 + 1e-6 * parts_per_million)
    aired = np.interp(at, np.arange(len(spot)), spot).astype(np.float32)
    end = only_end(hear(library_of({"spot": spot}), np.concatenate([music(68, 1.0), aired, music(69, 2.0)])))

    assert (end.speed, end.cut_s) == (1.0, None)
    assert end.coverage > 0.99


@pytest.mark.parametrize("tempo", [0.97, 1.0, 1.03])
def test_squeezed_cut_downs_are_told_apart_at_the_end(tempo: float, music: Music, library_of: LibraryOf, hear: Hear) -> None:
    """Alike for three seconds; the right one at the end, each time it airs."""
    head = music(70, 3.0)
    sounds = {"long": np.concatenate([head, music(71, 6.0)]), "short": np.concatenate([head, music(72, 3.0)])}
    for name, pcm in sounds.items():
        aired = squeezed(pcm, tempo)
        end = only_end(hear(library_of(sounds), np.concatenate([music(73, 1.0), aired, music(74, 2.0)])))

        assert end.spot_id == name
        assert end.coverage > 0.97
        assert end.speed == pytest.approx(tempo, rel=0.004)


def test_looped_music_at_another_tempo_airs_once(music: Music, library_of: LibraryOf, hear: Hear) -> None:
    """Where the music repeats is known from where the spot now lies, not from where it began."""
    bar = music(75, 2.0)
    loop = np.concatenate([bar, bar, bar, bar, bar, music(76, 1.0)])
    events = hear(library_of({"loop": loop}), np.concatenate([music(77, 1.0), squeezed(loop, 1.04), music(78, 2.0)]))

    assert only_end(events).coverage > 0.97


@pytest.mark.parametrize("tempo", [0.98, 1.02, 1.04])
def test_with_a_rate_kept_the_speed_is_still_that_of_the_airing(tempo: float, music: Music, library_of: LibraryOf) -> None:
    """The rate that agrees best is not the last word: the drift against it counts too. Very near a kept rate, it is that rate."""
    spot = music(79, 8.0)
    pcm = np.concatenate([music(80, 1.0), squeezed(spot, tempo), music(81, 2.0)])
    ear = Ear(library_of({"spot": spot, "spot@1.04t": squeezed(spot, 1.04)}), index=None, feed_id="feed")
    end = only_end(ear.feed(AudioBlock(pcm=pcm, first_sample=0, seen_mono_ns=0)) + ear.finish())

    assert end.spot_id == "spot"
    assert end.speed == pytest.approx(tempo, abs=0.0 if tempo == 1.04 else 0.003)
    assert end.coverage > 0.98


def test_a_fade_out_is_heard_to_its_end(music: Music, library_of: LibraryOf, hear: Hear) -> None:
    """Its last frames say little; nothing contradicts that they aired."""
    spot = music(82, 6.0)
    spot[-16_000:] *= np.linspace(1, 0.02, 16_000, dtype=np.float32)
    end = only_end(hear(library_of({"spot": spot}), np.concatenate([music(83, 1.0), squeezed(spot, 0.97), music(84, 2.0)])))

    assert end.cut_s is None
    assert end.end_s == pytest.approx(1.0 + 6.0 / 0.97, abs=0.25)


def test_tracking_equals_a_slow_search_through_all_paths(music: Music) -> None:
    """Plain Python over each place and step gives the same totals, tops and places."""
    print_ = make_print("spot", music(85, 2.5))
    rng = np.random.default_rng(86)
    signs = (print_.words[0, 20:50, 0] ^ (rng.integers(0, 2**32, 30, dtype=np.uint32) & np.uint32(0x1111_1111))).copy()
    stills = np.where(rng.random(30) < 0.1, 0xFFFF, 0).astype(np.uint32)
    totals = rng.uniform(-5, 5, PLACES).astype(np.float32)
    first_place, first_frame = 2 * (100 - 21) - REACH_HALF_HOPS, 100
    slow = [float(value) for value in totals]
    tops, places = np.empty(30, np.float32), np.empty(30, np.int64)
    track(
        print_.words, print_.gains[0], signs, stills, first_frame, first_place, LOSSES, np.float32(4.0), STEP_NATS,
        totals, tops, places,
    )  # fmt: skip

    reach = len(STEP_NATS) // 2
    for i in range(30):
        stepped = [
            max(slow[one] + float(STEP_NATS[reach + to - one]) for one in range(PLACES) if abs(to - one) <= reach)
            for to in range(PLACES)
        ]
        slow = [stepped[to] + _slow_score(print_, signs[i], stills[i], first_frame + i, first_place + to) for to in range(PLACES)]
        assert tops[i] == pytest.approx(max(slow), abs=1e-2)
        assert slow[places[i] - first_place] == pytest.approx(max(slow), abs=1e-2)
    assert np.allclose(totals, slow, atol=1e-2)


def _slow_score(print_: Print, sign: int, still: int, frame: int, onset: int) -> float:
    half_hops = 2 * frame - onset
    phase, row = half_hops % 2, half_hops // 2 - 1
    if not 0 <= row < print_.rows:
        return 0.0
    reference, low, high = (int(word) for word in print_.words[phase, row])
    score = float(print_.gains[phase, row])
    for bit in range(32):
        magnitude = (low >> bit & 1) + 2 * (high >> bit & 1)
        if magnitude and ((reference ^ int(sign)) | int(still)) >> bit & 1:
            score -= float(LOSSES[magnitude - 1])
    return min(4.0, max(-4.0, score))


def test_noise_is_given_up_within_two_seconds(music: Music) -> None:
    """However many places are searched, nothing is followed that is not there."""
    candidate = Candidate(make_print("spot", music(87, 30.0)), onset=0, frame=20, score=40.0, placed=True)
    rng = np.random.default_rng(88)
    for window in range(10):
        signs = rng.integers(0, 2**32, WINDOW_FRAMES, dtype=np.uint32)
        candidate.feed(StreamBits(first_frame=21 + WINDOW_FRAMES * window, signs=signs, stills=np.zeros_like(signs)))

    assert candidate.over
    assert not candidate.complete
    assert candidate.best_total < 40.0 + DROP_NATS / 10


def test_confidence_is_told_for_each_second_that_was_heard(music: Music, library_of: LibraryOf, hear: Hear) -> None:
    """Noise over one second shows there and nowhere else; what was cut off is not in the list."""
    spot = music(90, 10.0)
    aired = spot[:112_000].copy()
    aired[48_000:64_000] += 0.06 * np.random.default_rng(91).standard_normal(16_000).astype(np.float32)
    end = only_end(hear(library_of({"spot": spot}), np.concatenate([music(92, 1.0), aired, music(93, 3.0)])))
    told = [one for one in end.confidences if one is not None]

    assert end.cut_s == pytest.approx(7.0, abs=0.15)
    assert len(told) == 7
    assert min(told[:3] + told[4:]) > 0.9
    assert told[3] < 0.6
    assert end.confidence == pytest.approx(np.mean(told), abs=0.1)


def test_a_second_in_which_the_spot_is_silent_tells_nothing(music: Music, library_of: LibraryOf, hear: Hear) -> None:
    """Neither clean nor unclean."""
    spot = np.concatenate([music(94, 2.0), np.zeros(40_000, np.float32), music(95, 3.0)])
    end = only_end(hear(library_of({"spot": spot}), np.concatenate([music(96, 1.0), spot, music(97, 2.0)])))

    assert [one is None for one in end.confidences] == [second in (2, 3) for second in range(8)]
    assert end.coverage > 0.98
