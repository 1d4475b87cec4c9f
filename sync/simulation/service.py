"""X as badly as X may behave: it never removes a duplicate, and applies late what seemed lost."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sync.posting import TimelineTweet
from sync.timeline import TWITTER_EPOCH_MS
from timebase import LoopClock


@dataclass(slots=True, kw_only=True)
class Sent:
    """A request whose first byte has left: it may have been accepted.

    Attributes:
        engine: number of the process that sent it.
        epoch, newest_epoch: the sender's, and the ledger's at that instant.
        is_lost: it never arrives.
    """

    kind: str
    firing_id: int
    account_id: str
    text: str
    tweet_id: str
    deadline_mono_ns: int
    engine: int
    epoch: int
    newest_epoch: int = 0
    at_mono_ns: int = 0
    body: str = ""
    is_lost: bool = False


@dataclass(slots=True)
class Service:
    """The timelines, and every request that reached the wire. It outlives engines.

    Attributes:
        faults: what happens to the next requests, first one first; then all goes well.
        ever: every tweet there has been, by id, with its account.
    """

    clock: LoopClock
    rng: random.Random
    faults: list[str] = field(default_factory=list)
    tweets: dict[str, list[TimelineTweet]] = field(default_factory=dict)
    ever: dict[str, str] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    readable: bool = True
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def utc(self) -> datetime:
        """X keeps its own time: our wall clock may step, X's does not."""
        return datetime(2027, 3, 1, 11, 59, 59, tzinfo=UTC) + timedelta(microseconds=self.clock.mono_ns() / 1000)

    def next_fault(self) -> str:
        return self.faults.pop(0) if self.faults else "none"

    def apply_post(self, account_id: str, text: str) -> str:
        millis = int(self.utc().timestamp() * 1000) - TWITTER_EPOCH_MS
        tweet_id = str((millis << 22) + next(self._numbers))
        self.tweets.setdefault(account_id, []).append(TimelineTweet(tweet_id=tweet_id, text=text, created_utc=self.utc()))
        self.ever[tweet_id] = account_id
        return tweet_id

    def apply_delete(self, account_id: str, tweet_id: str) -> None:
        self.tweets[account_id] = [tweet for tweet in self.tweets.get(account_id, []) if tweet.tweet_id != tweet_id]
