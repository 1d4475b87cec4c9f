"""The pieces of work, on a corpus of made sound."""

from dataclasses import fields, replace

import numpy as np
import pytest

from bench.corpus import HEADS_REGION, Corpus, render_spot
from bench.costs import _as_many
from bench.hearing import hear_library
from bench.impostor_sound import impostor_places
from bench.matching import needed_nats
from bench.measuring import BESIDE_TIMES, Shared, _beside, measure_condition, reference, share
from bench.setting import QUICK
from fingerprints.heads import heads_of
from fingerprints.prints import Print, make_print

SETTING = replace(QUICK, n_spots=2, batch=2, aired_s=2.0)


@pytest.fixture
def prints(corpus: Corpus) -> list[Print]:
    """Of the corpus's two spots."""
    return [make_print(spot.id, reference(render_spot(corpus, spot))) for spot in corpus.spots]


@pytest.mark.system
@pytest.mark.parametrize("whole_library", [False, True])
@pytest.mark.parametrize("name", ["clean", "AAC 48k"])
def test_airings_are_found_where_they_are(corpus: Corpus, prints: list[Print], name: str, whole_library: bool) -> None:
    """Both spots are decided within half a second of the truth, none that is not on air, never before the bound of physics."""
    share(Shared(setting=SETTING, corpus=corpus, library=prints, heads=heads_of(prints), library_places=[None, None]))
    result = measure_condition(name, 0, whole_library)
    assert len(result["delays_ms"]) == 2
    assert all(ms is not None and 24 < ms < 500 for ms in result["delays_ms"])
    assert result["others"] == []
    assert all(evidence > 0 for evidence in result["evidence"])


@pytest.mark.system
def test_a_spot_whose_head_is_lost_is_heard_late(corpus: Corpus, prints: list[Print]) -> None:
    """The index of whole spots finds what the matcher cannot, and takes longer."""
    share(Shared(setting=SETTING, corpus=corpus, library=prints, heads=heads_of(prints), library_places=[None, None]))
    result = measure_condition("head cut off by up to 2 s", 0, False)
    assert any(ms is not None for ms in result["delays_ms"])


def test_spots_of_the_library_that_do_not_air_are_numbered_behind(corpus: Corpus, prints: list[Print]) -> None:
    """A batch that begins with the second spot calls it the first, and the first a stranger."""
    heard = np.concatenate([reference(render_spot(corpus, spot)) for spot in corpus.spots])
    decided = hear_library(heads_of(prints), 1, 1, heard).decisions
    assert {one.spot for one in decided if one.onset_s < 5} == {1}
    assert {one.spot for one in decided if one.onset_s > 5} == {0}


def test_taking_heads_in_turn_is_making_them_of_prints_in_turn(prints: list[Print]) -> None:
    """A library grown for the cost curve is laid out as a real one of that size."""
    grown, made = _as_many(heads_of(prints), 7), heads_of([prints[index % 2] for index in range(7)])
    for field in fields(grown):
        if field.name not in {"rows", "starts"}:
            np.testing.assert_array_equal(getattr(grown, field.name), getattr(made, field.name), err_msg=field.name)
    for spot in range(7):
        np.testing.assert_array_equal(grown.of(spot), made.of(spot))


def test_ten_times_the_spots_need_little_more_evidence() -> None:
    """The logarithm of ten."""
    more = needed_nats(n_library=10_000) - needed_nats(n_library=1_000)
    assert more == pytest.approx(np.log(10))


def long_tracks(corpus: Corpus) -> Corpus:
    """The same, of tracks that say they are ten minutes long."""
    longer = [
        tuple(replace(track, lengths_s=(600.0,)) for track in tracks) for tracks in (corpus.spot_tracks, corpus.programme_tracks)
    ]
    return replace(corpus, spot_tracks=longer[0], programme_tracks=longer[1])


def test_no_sound_without_spots_is_played_twice(corpus: Corpus) -> None:
    """At one speed no two pieces of a track overlap, and none of a spots' track reaches into where its spots were cut."""
    places = [place for place in impostor_places(long_tracks(corpus), hours=1.0) if place.track is not None]
    assert len(places) > 20
    assert {place.kind for place in places} == {"other", "related"}
    for place in places:
        assert place.kind == "other" or (place.track and place.start_s > place.track.length_s * HEADS_REGION)
        others = [one for one in places if one is not place and (one.track, one.speed) == (place.track, place.speed)]
        assert all(one.start_s + one.seconds <= place.start_s or one.start_s >= place.start_s + place.seconds for one in others)


def test_more_hours_than_there_are_is_an_error(corpus: Corpus) -> None:
    """Nothing is drawn again to fill them."""
    with pytest.raises(ValueError, match=r"without spots only, 1000 wanted"):
        impostor_places(long_tracks(corpus), hours=1000)


def test_one_recording_goes_on_to_agree_and_its_neighbour_does_not(corpus: Corpus) -> None:
    """Under other sound as loud as itself, at its own lag and at no other."""
    pcm = reference(render_spot(corpus, corpus.spots[0]))
    noise = np.random.default_rng(1).standard_normal(len(pcm) + 16_000).astype(np.float32) * pcm.std()
    heard = noise
    heard[8_000 : 8_000 + len(pcm)] += pcm
    assert _beside(pcm, heard, 0.5) > BESIDE_TIMES
    assert _beside(pcm, heard, 0.6) < BESIDE_TIMES
    assert _beside(pcm, heard, len(heard) / 16_000) == 0.0
