"""Spots played faster or slower."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from fingerprints.audio import AudioBlock
from fingerprints.ear import Ear
from fingerprints.errors import FingerprintsError
from fingerprints.events import FollowEnd
from fingerprints.library import SpotLibrary
from fingerprints.onset import Onset
from fingerprints.rates import AS_DELIVERED, Rate, name_and_speed, played_at, rates_of
from fingerprints.variants import at_rates

Pcm = npt.NDArray[np.float32]
Music = Callable[[int, float], Pcm]
WriteWav = Callable[[Path, Pcm], Path]
RATES = rates_of([1.042, 0.96], [0.96, 1.04])


@pytest.fixture(scope="module")
def library(music: Music, write_wav: WriteWav, tmp_path_factory: pytest.TempPathFactory) -> SpotLibrary:
    """Two spots in a folder."""
    folder = tmp_path_factory.mktemp("spots")
    for name, seed in (("one", 1), ("two", 2)):
        write_wav(folder / f"{name}.wav", music(seed, 6.0))
    return SpotLibrary.open(folder)


@pytest.mark.parametrize("rate", RATES)
def test_each_rate_is_heard_once_and_told(rate: Rate, library: SpotLibrary, music: Music) -> None:
    """One detection by the spot's own name, with its speed; the end covers all of it."""
    aired = played_at(music(1, 6.0), rate)
    ear = Ear(at_rates(library, RATES), index=None, feed_id="feed")
    pcm = np.concatenate([music(3, 2.0), aired, music(4, 3.0)])
    events = ear.feed(AudioBlock(pcm=pcm, first_sample=0, seen_mono_ns=0)) + ear.finish()

    onset, end = events
    assert isinstance(onset, Onset)
    assert isinstance(end, FollowEnd)
    assert (onset.spot_id, onset.spot_ids, end.spot_id) == ("one", ("one",), "one")
    assert end.speed == rate.speed
    assert onset.onset_sample == pytest.approx(32_000, abs=500)
    assert end.coverage > 0.9


def test_without_other_rates_the_library_is_as_it_was(library: SpotLibrary) -> None:
    """1.0 alone makes no copies."""
    assert at_rates(library, (AS_DELIVERED,)) is library
    assert rates_of() == rates_of([1.0], [1.0]) == (AS_DELIVERED,)


def test_variants_are_kept_and_read_again(library: SpotLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time no recording is read."""
    first = at_rates(library, RATES)
    monkeypatch.setattr("fingerprints.variants.read_recording", lambda path: pytest.fail(f"{path} was read again"))
    again = at_rates(library, RATES)

    assert [spot.id for spot in again.spots] == [spot.id for spot in first.spots]
    assert len(again.spots) == 2 * len(RATES)
    assert {group[0] for group in again.groups} == {"one", "two"}


def test_lengths_are_those_of_the_rate(music: Music) -> None:
    """A fast spot is shorter; with its pitch kept too."""
    pcm = music(5, 8.0)
    for rate in RATES:
        assert len(played_at(pcm, rate)) == pytest.approx(len(pcm) / rate.speed, rel=0.004)
    assert played_at(pcm, AS_DELIVERED) is pcm


def test_names_of_variants_hold_their_rate() -> None:
    """And a spot's own name is left alone."""
    assert name_and_speed("kaffee-30" + Rate(speed=1.042).suffix) == ("kaffee-30", 1.042)
    assert name_and_speed("kaffee-30" + Rate(speed=0.96, keeps_pitch=True).suffix) == ("kaffee-30", 0.96)
    assert name_and_speed("kaffee-30") == ("kaffee-30", 1.0)


@pytest.mark.parametrize("speed", [0.5, 1.3, float("nan"), float("inf"), -1.0, 0.0])
def test_impossible_rates_are_refused(speed: float) -> None:
    """A spot at half its speed is no spot."""
    with pytest.raises(FingerprintsError, match="rate"):
        rates_of([speed])
    with pytest.raises(FingerprintsError, match="at most"):
        rates_of([0.9 + 0.01 * n for n in range(20)])


@pytest.mark.parametrize("name", ["ask@home", "a@b@c", "@", "10@", "x@1.2.3", "x@fast"])
def test_a_spot_with_an_at_sign_in_its_name_is_no_variant(name: str) -> None:
    """A file may be called as its owner likes."""
    assert name_and_speed(name) == (name, 1.0)
