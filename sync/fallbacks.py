"""When nobody can hear an airing, and what a person is told of one that was not heard. Pure: feeds and instants are arguments.

A feed is down when its own listener says so, now and for a while. That nothing is heard of a listener proves nothing: it may hear
the spot and fire a moment later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fingerprints.events import FeedState
from schedules.airing import Airing
from sync.decide import Evidence
from sync.gate import FEED_STATUS_AGE_MAX_NS

DOWN_LEAST_NS = 5_000_000_000
"""A feed that stumbles comes back within it; one that is down for longer will not hear the beginning of a spot."""
DOWN = frozenset({FeedState.STALLED, FeedState.FAILED, FeedState.ENDED})
"""States by which a listener says that it hears nothing. A silent feed is heard, and one that connects may hear at any moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedWord:
    """What a feed's listener said last.

    Attributes:
        age_ns: how long ago, None if it never has.
        down_for_ns: for how long it has said without a break that the feed is down, 0 when it does not.
    """

    feed_id: str
    state: str
    age_ns: int | None
    down_for_ns: int

    @property
    def is_fresh(self) -> bool:
        """Whether the listener still speaks."""
        return self.age_ns is not None and self.age_ns <= FEED_STATUS_AGE_MAX_NS


def deaf_evidence(feeds: Sequence[FeedWord]) -> Evidence | None:
    """What an airing that nobody can hear rests on; None while any of the channel's feeds may hear it.

    The gate judges it: a listener that has fallen silent is no evidence, and neither is a channel without feeds.
    """
    if any(feed.is_fresh and (feed.state not in DOWN or feed.down_for_ns < DOWN_LEAST_NS) for feed in feeds):
        return None
    if not feeds:
        return None
    # The least certain feed counts for all of them.
    weakest = max(feeds, key=lambda feed: (feed.age_ns is None, feed.age_ns or 0))
    return Evidence(feed_id=weakest.feed_id, score=0.0, threshold=0.0, status_age_ns=weakest.age_ns)


def as_planned_sentence(airing: Airing, feeds: Sequence[FeedWord]) -> str:
    """What a person is told of an airing that is taken to begin as planned, or would be if its feeds were known to be down."""
    what = "is taken to begin" if all(feed.is_fresh for feed in feeds) else "is not taken to begin"
    return f"{airing.spot_id} on {airing.channel} {what} as planned, at {airing.planned_utc:%H:%M:%S} UTC: {_words(feeds)}"


def unheard_sentence(airing: Airing, feeds: Sequence[FeedWord]) -> str:
    """What a person is told of an airing whose window has closed."""
    return (
        f"{airing.spot_id} on {airing.channel}, planned for {_instant(airing.planned_utc)}, was not heard until its window "
        f"closed at {airing.closes_utc:%H:%M:%S}; {_words(feeds)}"
    )


def _instant(utc: datetime) -> str:
    return f"{utc:%Y-%m-%d %H:%M:%S} UTC"


def _words(feeds: Sequence[FeedWord]) -> str:
    return ", ".join(map(_word, feeds)) or "the channel has no feed"


def _word(feed: FeedWord) -> str:
    if not feed.is_fresh:
        return f"nothing is heard of feed {feed.feed_id}'s listener"
    lasts = f" for {feed.down_for_ns / 1e9:.0f} s" if feed.down_for_ns else ""
    return f"feed {feed.feed_id} is {feed.state}{lasts}"
