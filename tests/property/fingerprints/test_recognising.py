"""Delivery changes nothing, and no bytes break the reader of prints."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fingerprints.audio import SAMPLE_RATE_HZ, AudioBlock
from fingerprints.errors import PrintFileError
from fingerprints.events import FollowEnd
from fingerprints.features import FeatureStream, Floats
from fingerprints.library import SpotLibrary, read_recording
from fingerprints.onset import Onset
from fingerprints.prints import dump_print, load_print, make_print
from fingerprints.rates import Rate, played_at
from fingerprints.recogniser import Recogniser

MEDIA = Path(__file__).parents[3] / "examples" / "media"
SAMPLES = 4_000
PCM = (0.1 * np.random.default_rng(1).standard_normal(SAMPLES)).astype(np.float32)


@pytest.fixture(scope="module")
def library() -> SpotLibrary:
    """The example spots."""
    return SpotLibrary.open(MEDIA / "spots")


@pytest.fixture(scope="module")
def programme() -> Floats:
    """Ten seconds of the example programme in which a spot ends and a cut-down begins."""
    return read_recording(MEDIA / "programme.opus")[15 * SAMPLE_RATE_HZ : 25 * SAMPLE_RATE_HZ]


@pytest.fixture(scope="module")
def squeezed() -> Floats:
    """A spot at tempo 1.04, broken off after six seconds by the programme."""
    spot = played_at(read_recording(MEDIA / "spots" / "brus-10.opus"), Rate(speed=1.04, keeps_pitch=True))
    other = read_recording(MEDIA / "programme.opus")[: 6 * SAMPLE_RATE_HZ]
    return np.concatenate([other[: 2 * SAMPLE_RATE_HZ], spot[: 6 * SAMPLE_RATE_HZ], other[2 * SAMPLE_RATE_HZ :]])


@given(cuts=st.lists(st.integers(0, SAMPLES), max_size=30))
@settings(max_examples=100, deadline=None)
def test_chunking_never_changes_features(cuts: list[int]) -> None:
    """Bits depend on the samples to the last bit, not on how they were delivered."""
    whole = FeatureStream().feed(PCM)
    stream = FeatureStream()
    parts = [stream.feed(part) for part in np.split(PCM, sorted(cuts))]

    assert np.array_equal(np.concatenate([part.signs for part in parts]), whole.signs)
    assert np.array_equal(np.concatenate([part.stills for part in parts]), whole.stills)
    assert [part.first_frame for part in parts if len(part)][:1] == [whole.first_frame]


def _events(library: SpotLibrary, pcm: Floats, sizes: list[int], first_sample: int) -> list[Onset | FollowEnd]:
    recogniser = Recogniser(library, feed_id="feed")
    events: list[Onset | FollowEnd] = []
    at = 0
    for size in itertools.cycle(sizes):
        part = pcm[at : at + size]
        if not len(part):
            break
        events += recogniser.feed(AudioBlock(pcm=part, first_sample=first_sample + at, seen_mono_ns=0))
        at += size
    return events + recogniser.finish()


@given(sizes=st.lists(st.integers(1, 20_000), min_size=1, max_size=8).filter(lambda sizes: sum(sizes) > 800 * len(sizes)))
@settings(max_examples=25, deadline=None)
def test_chunking_never_changes_decisions(library: SpotLibrary, programme: Floats, sizes: list[int]) -> None:
    """Onsets and ends are the same, in the same order, whatever the sizes of the blocks."""
    whole = _events(library, programme, [len(programme)], 7)

    assert [type(event) for event in whole] == [Onset, FollowEnd]
    assert _events(library, programme, sizes, 7) == whole


@given(sizes=st.lists(st.integers(1, 20_000), min_size=1, max_size=8).filter(lambda sizes: sum(sizes) > 800 * len(sizes)))
@settings(max_examples=15, deadline=None)
def test_chunking_never_changes_what_is_followed_at_another_tempo(
    library: SpotLibrary, squeezed: Floats, sizes: list[int]
) -> None:
    """End, speed and confidence are the same to the last bit."""
    whole = _events(library, squeezed, [len(squeezed)], 11)

    assert [type(event) for event in whole] == [Onset, FollowEnd]
    assert _events(library, squeezed, sizes, 11) == whole


@given(data=st.binary(max_size=400))
@settings(max_examples=100)
def test_any_bytes_as_a_print_file_are_refused(data: bytes) -> None:
    """A clear error, whatever the bytes."""
    with pytest.raises(PrintFileError, match=r"^x\.print: .*delete it"):
        load_print(data, content_sha256="c" * 64, name="x.print")


@given(at=st.integers(0, 10_000), value=st.integers(1, 255))
@settings(max_examples=100, deadline=None)
def test_any_changed_byte_of_a_print_file_is_noticed(at: int, value: int) -> None:
    """The digest at its end covers all of it."""
    print_ = make_print("spot", np.tile(PCM, 10))
    data = bytearray(dump_print(print_, content_sha256="c" * 64))
    data[at % len(data)] ^= value

    with pytest.raises(PrintFileError):
        load_print(bytes(data), content_sha256="c" * 64, name="x.print")
