"""What a listener tells an engine under test."""

from bench.firing.scene import FEED
from fingerprints.events import Detection, FeedState, FeedStatus
from timebase import SystemClock

CLOCK = SystemClock()


def status(feed_id: str = FEED) -> FeedStatus:
    """The feed is heard now."""
    return FeedStatus(
        feed_id=feed_id, state=FeedState.LIVE, level_db=-20.0, position_s=1.0, seen_mono_ns=CLOCK.mono_ns(), sent_utc=CLOCK.utc()
    )


def detection(spot_id: str, feed_id: str = FEED) -> Detection:
    """A spot whose first audible sample came 200 ms ago is recognised now."""
    now_ns = CLOCK.mono_ns()
    return Detection(
        spot_id=spot_id,
        spot_ids=(spot_id,),
        feed_id=feed_id,
        onset_s=8.0,
        decided_s=8.2,
        score=50.0,
        threshold=40.0,
        speed=1.0,
        onset_mono_ns=now_ns - 200_000_000,
        decided_mono_ns=now_ns,
        decided_utc=CLOCK.utc(),
    )
