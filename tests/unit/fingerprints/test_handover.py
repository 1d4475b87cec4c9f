"""Spots exchanged while a feed plays: no sample missed, no airing told twice."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from fingerprints.audio import SAMPLE_RATE_HZ, AudioBlock
from fingerprints.events import FollowEnd
from fingerprints.handover import MATCHERS_MAX, Handover
from fingerprints.library import SpotLibrary
from fingerprints.onset import Onset
from fingerprints.recogniser import Recogniser

Pcm = npt.NDArray[np.float32]
LibraryOf = Callable[[dict[str, Pcm]], SpotLibrary]
BLOCK = 400


def play(handover: Handover, pcm: Pcm, changes: dict[int, Recogniser] | None = None) -> list[object]:
    """The events of a sound; `changes` names the block before which another matcher is used."""
    events: list[object] = []
    for number, first in enumerate(range(0, len(pcm), BLOCK)):
        if changes and number in changes:
            handover.use(changes[number])
        events += handover.feed(AudioBlock(pcm=pcm[first : first + BLOCK], first_sample=first, seen_mono_ns=0))
    return events + list(handover.finish())


def onsets(events: Sequence[object]) -> list[tuple[str, float]]:
    return [(one.spot_id, round(one.onset_sample / SAMPLE_RATE_HZ, 1)) for one in events if isinstance(one, Onset)]


def ends(events: Sequence[object]) -> list[tuple[str, float]]:
    return [(one.spot_id, round(one.onset_s, 1)) for one in events if isinstance(one, FollowEnd)]


def evening(music: Callable[[int, float], Pcm]) -> tuple[dict[str, Pcm], Pcm]:
    """Two spots and a programme: a at 3 s, b at 9 s, a again at 15 s."""
    spots = {"a": music(1, 5.0), "b": music(2, 5.0)}
    fill = [music(seed, length_s) for seed, length_s in ((3, 3.0), (4, 1.0), (5, 1.0), (6, 2.0))]
    return spots, np.concatenate([fill[0], spots["a"], fill[1], spots["b"], fill[2], spots["a"], fill[3]])


def test_any_moment_of_change_tells_each_airing_once(music: Callable[[int, float], Pcm], library_of: LibraryOf) -> None:
    """Before, in the head of, within, and after an airing: the list is that of an unchanged library."""
    spots, pcm = evening(music)
    library = library_of(spots)
    for changed_s in (0.0, 2.9, 3.05, 3.2, 5.0, 8.5, 9.1, 12.0):
        other = Recogniser(library, feed_id="f")

        events = play(Handover(Recogniser(library, feed_id="f")), pcm, {round(changed_s * SAMPLE_RATE_HZ / BLOCK): other})

        assert onsets(events) == [("a", 3.0), ("b", 9.0), ("a", 15.0)], changed_s
        assert sorted(ends(events)) == [("a", 3.0), ("a", 15.0), ("b", 9.0)], changed_s


def test_no_sample_is_missed_around_a_beginning(music: Callable[[int, float], Pcm], library_of: LibraryOf) -> None:
    """Exchanged at each 25 ms around a spot's beginning: heard exactly as if nothing had been exchanged, and the new spot too."""
    spot, other = music(50, 4.0), music(51, 3.0)
    pcm = np.concatenate([music(52, 1.0), spot, music(53, 1.0), other, music(54, 0.5)])
    before, after = library_of({"spot": spot, "zz": music(55, 4.0)}), library_of({"a": other, "spot": spot})
    for changed_at in range(15_200, 21_000, BLOCK):
        exchanged = {changed_at // BLOCK: Recogniser(after, feed_id="f")}
        events = play(Handover(Recogniser(before, feed_id="f")), pcm, exchanged)

        assert onsets(events) == [("spot", 1.0), ("a", 6.0)], changed_at
        assert [one.coverage > 0.95 for one in events if isinstance(one, FollowEnd)] == [True, True], changed_at


def test_a_spot_that_begins_with_the_change_is_told_once(music: Callable[[int, float], Pcm], library_of: LibraryOf) -> None:
    """A few milliseconds before or after, where one matcher places it on this side of the change and one on that."""
    spot = music(62, 3.0)
    library = library_of({"spot": spot})
    for shift in range(-256, 257, 32):
        pcm = np.concatenate([music(63, 1.0 + shift / SAMPLE_RATE_HZ), spot, music(64, 0.5)])
        exchanged = {SAMPLE_RATE_HZ // BLOCK: Recogniser(library, feed_id="f")}
        events = play(Handover(Recogniser(library, feed_id="f")), pcm, exchanged)

        assert [name for name, _ in onsets(events)] == ["spot"], shift
        assert [name for name, _ in ends(events)] == ["spot"], shift


def test_a_spot_whose_recording_was_replaced_is_heard_as_the_new_one(
    music: Callable[[int, float], Pcm], library_of: LibraryOf
) -> None:
    """Under the same name: the old sound no more, the new one from the exchange on."""
    old, new = music(56, 4.0), music(57, 4.0)
    pcm = np.concatenate([music(58, 1.0), old, music(59, 1.0), old, music(60, 1.0), new, music(61, 1.0)])
    before, after = (Recogniser(library_of({"spot": sound}), feed_id="f") for sound in (old, new))

    events = play(Handover(before), pcm, {round(3.0 * SAMPLE_RATE_HZ / BLOCK): after})

    assert onsets(events) == [("spot", 1.0), ("spot", 11.0)]
    assert ends(events) == [("spot", 1.0), ("spot", 11.0)]


def test_a_new_spot_is_heard_and_a_removed_one_is_not(music: Callable[[int, float], Pcm], library_of: LibraryOf) -> None:
    """From the change on; what had begun is followed to its end."""
    spots, pcm = evening(music)
    only_a, only_b = (Recogniser(library_of({name: spots[name]}), feed_id="f") for name in "ab")

    events = play(Handover(only_a), pcm, {round(5.0 * SAMPLE_RATE_HZ / BLOCK): only_b})

    assert onsets(events) == [("a", 3.0), ("b", 9.0)]
    followed = [one for one in events if isinstance(one, FollowEnd) and one.spot_id == "a"]
    assert followed[0].coverage > 0.95


def test_few_matchers_live_at_once(music: Callable[[int, float], Pcm], library_of: LibraryOf) -> None:
    """However often the folder changes."""
    library = library_of({"a": music(1, 5.0)})
    handover = Handover(Recogniser(library, feed_id="f"))
    for number in range(10):
        handover.use(Recogniser(library, feed_id="f"))
        handover.feed(AudioBlock(pcm=np.zeros(BLOCK, np.float32), first_sample=number * BLOCK, seen_mono_ns=0))
        assert handover.matchers <= MATCHERS_MAX

    play(handover, np.zeros(20 * SAMPLE_RATE_HZ, np.float32))

    assert handover.matchers == 1
