"""`FeedWatch` on plain values: which state follows from what arrived and when."""

from collections.abc import Iterator

import numpy as np
import pytest

from fingerprints.audio import SAMPLE_RATE_HZ, AudioBlock
from fingerprints.events import FeedState
from fingerprints.watch import NO_LEVEL_DB, FeedWatch

NS_PER_S = 1_000_000_000
BLOCK_SAMPLES = 320


def blocks(*, from_s: float, to_s: float, amplitude: float) -> Iterator[AudioBlock]:
    """Sound of one amplitude that arrives as it is played; the stream's position 0 is the instant 0."""
    for first in range(round(from_s * SAMPLE_RATE_HZ), round(to_s * SAMPLE_RATE_HZ), BLOCK_SAMPLES):
        pcm = np.full(BLOCK_SAMPLES, amplitude, dtype=np.float32)
        yield AudioBlock(pcm=pcm, first_sample=first, seen_mono_ns=(first + BLOCK_SAMPLES) * NS_PER_S // SAMPLE_RATE_HZ)


def watch_after(*pieces: tuple[float, float, float]) -> FeedWatch:
    watch = FeedWatch(silence_db=-60.0)
    for from_s, to_s, amplitude in pieces:
        for block in blocks(from_s=from_s, to_s=to_s, amplitude=amplitude):
            watch.hear(block)
    return watch


def at(seconds: float) -> int:
    return round(seconds * NS_PER_S)


def test_a_new_feed_is_connecting() -> None:
    """Nothing is known before the first block."""
    view = FeedWatch(silence_db=-60.0).view(at(10))

    assert (view.state, view.level_db, view.position_s, view.seen_mono_ns) == (FeedState.CONNECTING, NO_LEVEL_DB, 0.0, 0)


def test_sound_makes_a_feed_live() -> None:
    """The level is the RMS of the last 100 ms, the position that of the newest sample."""
    view = watch_after((0, 1, 1.0), (1, 2, 0.1)).view(at(2))

    assert view.state is FeedState.LIVE
    assert view.level_db == pytest.approx(-20.0, abs=0.01)
    assert (view.position_s, view.seen_mono_ns) == (2.0, at(2))


def test_a_block_alone_is_live_already() -> None:
    """State does not wait for a full level window."""
    assert watch_after((0, 0.02, 0.5)).view(at(0.02)).state is FeedState.LIVE


@pytest.mark.parametrize(("silent_s", "state"), [(1.7, FeedState.LIVE), (1.95, FeedState.SILENT)])
def test_silence_is_reported_within_two_seconds_and_not_before(silent_s: float, state: FeedState) -> None:
    """A pause of 1.7 s is none; 1.95 s of silence is reported, so that 2 s are never exceeded."""
    assert watch_after((0, 3.01, 0.2), (3.02, 3.02 + silent_s, 0.0005)).view(at(3.02 + silent_s)).state is state


def test_sound_ends_silence() -> None:
    """One window above the limit is enough to be live again."""
    assert watch_after((0, 3, 0.0), (3, 3.1, 0.2)).view(at(3.1)).state is FeedState.LIVE


def test_digital_silence_has_the_lowest_level() -> None:
    """The meter never shows minus infinity."""
    view = watch_after((0, 3, 0.0)).view(at(3))

    assert (view.state, view.level_db) == (FeedState.SILENT, NO_LEVEL_DB)
    assert view.detail == "silent for 3 s"


@pytest.mark.parametrize(("wait_s", "state"), [(1.4, FeedState.LIVE), (1.5, FeedState.STALLED)])
def test_a_feed_that_sends_nothing_is_stalled(wait_s: float, state: FeedState) -> None:
    """It takes no event: asking is enough."""
    view = watch_after((0, 1, 0.2)).view(at(1 + wait_s))

    assert view.state is state
    assert (view.level_db == NO_LEVEL_DB) is (state is FeedState.STALLED)


def test_a_stalled_feed_recovers() -> None:
    """The next block is live at once."""
    watch = watch_after((0, 1, 0.2), (4, 4.1, 0.2))

    assert watch.view(at(4.1)).state is FeedState.LIVE


@pytest.mark.parametrize(("wait_s", "state"), [(7.0, FeedState.LIVE), (7.6, FeedState.STALLED)])
def test_a_burst_of_a_segmented_feed_is_played_to_its_end_first(wait_s: float, state: FeedState) -> None:
    """With HLS, 6 s that arrive at once are followed by 6 s of rest, which is no stall."""
    watch = FeedWatch(silence_db=-60.0)
    watch.segmented = True
    for block in blocks(from_s=0, to_s=6, amplitude=0.2):
        watch.hear(AudioBlock(pcm=block.pcm, first_sample=block.first_sample, seen_mono_ns=at(1)))

    assert watch.view(at(1 + wait_s)).state is state


def test_an_end_stays_an_end() -> None:
    """Time alone turns no ended feed into a stalled one, and it has no level."""
    watch = watch_after((0, 1, 0.2))
    watch.end("the stream has ended")

    view = watch.view(at(100))

    assert (view.state, view.detail, view.level_db, view.position_s) == (
        FeedState.ENDED,
        "the stream has ended",
        NO_LEVEL_DB,
        1.0,
    )


def test_a_failure_is_told_with_its_reason() -> None:
    """The sentence of the error reaches the view."""
    watch = watch_after((0, 1, 0.2))
    watch.fail("http://h/x: nothing answers at this address")

    assert watch.view(at(1)).state is FeedState.FAILED
    assert "nothing answers" in watch.view(at(1)).detail


def test_silence_before_a_reconnect_does_not_count_after_it() -> None:
    """A feed is silent for 1.8 s of one connection."""
    watch = watch_after((0, 1, 0.0))
    watch.connecting()
    for block in blocks(from_s=5, to_s=6, amplitude=0.0):
        watch.hear(block)

    assert watch.view(at(6)).state is FeedState.LIVE


def test_a_gap_begins_the_levels_anew() -> None:
    """What was measured before missing sound says nothing about after it."""
    watch = watch_after((0, 1.5, 0.0))
    for number, block in enumerate(blocks(from_s=5, to_s=6, amplitude=0.0)):
        watch.hear(AudioBlock(pcm=block.pcm, first_sample=block.first_sample, seen_mono_ns=block.seen_mono_ns, gap=number == 0))

    assert watch.view(at(6)).state is FeedState.LIVE


def test_a_note_shows_while_the_feed_is_live() -> None:
    """Dropped blocks are said where the operator looks."""
    watch = watch_after((0, 1, 0.2))
    watch.note("3 blocks were dropped")

    assert watch.view(at(1)).detail == "3 blocks were dropped"


def test_a_sender_with_a_fast_clock_is_granted_no_more_than_half_a_minute() -> None:
    """Segments of 4 s that come every 3.9 s for an hour: when they stop, the stall shows within 32 s, not after minutes."""
    watch = FeedWatch(silence_db=-60.0)
    watch.segmented = True
    pcm = np.full(4 * SAMPLE_RATE_HZ, 0.2, dtype=np.float32)
    for number in range(900):
        watch.hear(AudioBlock(pcm=pcm, first_sample=number * len(pcm), seen_mono_ns=at(3.9 * number)))

    assert watch.view(at(3.9 * 899 + 29)).state is FeedState.LIVE
    assert watch.view(at(3.9 * 899 + 32)).state is FeedState.STALLED
