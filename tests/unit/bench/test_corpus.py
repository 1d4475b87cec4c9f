"""The corpus: places that do not overlap, streams whose truth is the truth."""

import itertools
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.corpus import HEAD_S, HEADS_REGION, SPOT_S, SPOT_SLOT_S, STREAM_RATE_HZ, Corpus, _heads, _spots, render_spot
from bench.degradations import CONDITIONS
from bench.material import Kind, Track
from bench.streams import make_stream

CLEAN = next(one for one in CONDITIONS if one.name == "clean")


def lengths(*kinds: Kind) -> list[Track]:
    return [
        Track(name=str(number), kind=kind, files=(Path("none"),), lengths_s=(200.0 + 7 * number,))
        for number, kind in enumerate(kinds)
    ]


def test_heads_and_spots_never_overlap() -> None:
    """No two pieces of one track at one speed share a sample, and none reaches into the related sound."""
    tracks = lengths("music", "speech", "music", "speech")
    spots, taken = _spots(tracks, 10, random.Random(1))
    heads = _heads(tracks, taken, 200)
    pieces = [(place.track, place.start_s, place.start_s + SPOT_S) for spot in spots for place in {spot.place, spot.voice}]
    pieces += [(place.track, place.start_s, place.start_s + HEAD_S) for place in heads if place.speed == 1.0]
    for one, other in itertools.pairwise(sorted(pieces)):
        assert one[0] != other[0] or one[2] <= other[1] + 1e-9
    for index, start_s, end_s in pieces:
        assert start_s >= 0
        assert end_s <= tracks[index].length_s * HEADS_REGION + SPOT_SLOT_S


def test_more_heads_than_material_is_said() -> None:
    """The corpus never repeats a place in silence."""
    with pytest.raises(ValueError, match="heads only"):
        _heads(lengths("music"), set(), 100_000)


def test_stream_holds_each_spot_where_the_truth_says(corpus: Corpus) -> None:
    """The samples at an airing are the spot's own."""
    pcm, airings, delivered = make_stream(corpus, corpus.spots, CLEAN, seed=3, aired_s=2.0)
    assert len(airings) == 2
    for airing in airings:
        first, last = round(airing.onset_s * STREAM_RATE_HZ), round(airing.end_s * STREAM_RATE_HZ)
        assert last - first == 2 * STREAM_RATE_HZ
        np.testing.assert_array_equal(pcm[first:last], delivered[airing.spot][: last - first])


def test_head_cut_off_moves_the_onset_before_the_airing(corpus: Corpus) -> None:
    """The truth keeps where the spot would have begun, and where it was first heard."""
    condition = replace(CLEAN, head_cut_s_max=2.0)
    pcm, airings, delivered = make_stream(corpus, corpus.spots, condition, seed=3, aired_s=2.0)
    for airing in airings:
        skipped = round((airing.aired_s - airing.onset_s) * STREAM_RATE_HZ)
        first = round(airing.aired_s * STREAM_RATE_HZ)
        assert 0 < skipped <= 2 * STREAM_RATE_HZ
        np.testing.assert_array_equal(pcm[first : first + 1000], delivered[airing.spot][skipped : skipped + 1000])


def test_voice_over_is_as_loud_as_asked(corpus: Corpus) -> None:
    """What is added to the spot lies 6 dB below its head."""
    condition = replace(CLEAN, voice_over_db=-6.0)
    pcm, airings, delivered = make_stream(corpus, corpus.spots[:1], condition, seed=3, aired_s=2.0)
    first = round(airings[0].onset_s * STREAM_RATE_HZ)
    spot = delivered[0][: 2 * STREAM_RATE_HZ]
    voice = pcm[first : first + len(spot)] - spot
    assert 10 * np.log10(np.mean(voice**2) / np.mean(spot**2)) == pytest.approx(-6.0, abs=0.3)


def test_spot_is_rendered_the_same_every_time(corpus: Corpus) -> None:
    """A seed is a promise."""
    for spot in corpus.spots:
        np.testing.assert_array_equal(render_spot(corpus, spot), render_spot(corpus, spot))
