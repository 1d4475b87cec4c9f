"""Finding out what became of an unknown firing, by reading the account's timeline. Never sends anything."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from datetime import datetime, timedelta
from typing import Any, Protocol

from sync.errors import IllegalTransitionError, LedgerError
from sync.firings import Firings
from sync.posting import Publisher, TimelineTweet
from sync.receipts import FiringRecord
from sync.states import Action, FiringState
from sync.timeline import find, since_id
from sync.writer import Writer
from timebase import Clock

FIRST_READS_S = (0.5, 2.0, 5.0)
"""Reads after an outcome turned out unknown, in seconds; from then on each interval doubles."""
INTERVAL_S_MAX = 3600.0
NOT_SEEN_AFTER = timedelta(seconds=60)
"""A tweet that no read has shown by then counts as not seen, provisionally."""
ALLOWANCE = timedelta(seconds=2)
"""How far X's clock may be behind ours at the first reads, which should cost little."""
WIDE_ALLOWANCE = timedelta(hours=3)
"""How far at the later ones: our clock may have been wrong by hours. The text is ours alone, so wide is safe."""
PROVISIONAL = timedelta(hours=24)
"""How long a server may still apply a request that seemed lost, and so how long we go on reading."""


class Spawn(Protocol):
    """Begins a task of the engine's; None when it stops."""

    def __call__(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None] | None: ...


_log = logging.getLogger(__name__)


class Reconciler:
    """Follows each unknown firing until its tweet is seen, a person settles it, or 24 hours have passed.

    Args:
        announce: told of every record that changes.
    """

    def __init__(
        self,
        *,
        firings: Firings,
        publisher: Publisher,
        writer: Writer,
        clock: Clock,
        announce: Callable[[FiringRecord], Awaitable[None]],
    ) -> None:
        self._firings, self._publisher, self._writer, self._clock = firings, publisher, writer, clock
        self._announce = announce
        self._following: set[int] = set()
        # Two unknown firings of one account must not both take the same tweet for theirs.
        self._turns: dict[str, asyncio.Lock] = {}

    def follow(self, record: FiringRecord, spawn: Spawn) -> None:
        """Look for the record's tweet in a task of its own; a second call for the same firing does nothing."""
        if record.firing_id not in self._following and spawn(self._follow(record), name=f"reconcile-{record.firing_id}"):
            self._following.add(record.firing_id)

    async def _follow(self, record: FiringRecord) -> None:
        # By the monotonic clock: a wall clock that steps neither ends the search nor hurries its verdict.
        began_ns = self._clock.mono_ns()
        passed = max(timedelta(0), self._clock.utc() - _claimed_utc(record))
        try:
            for number, wait_s in enumerate(_waits()):
                await self._clock.sleep(wait_s)
                followed = timedelta(microseconds=(self._clock.mono_ns() - began_ns) / 1000)
                if passed + followed > PROVISIONAL:
                    return
                allowance = ALLOWANCE if number < len(FIRST_READS_S) else WIDE_ALLOWANCE
                async with self._turns.setdefault(record.account_id, asyncio.Lock()):
                    if await self._look(record, allowance=allowance, followed=followed):
                        return
        finally:
            self._following.discard(record.firing_id)

    async def _look(self, record: FiringRecord, *, allowance: timedelta, followed: timedelta) -> bool:
        """Read once; whether there is nothing more to find out."""
        try:
            current = await self._writer.run(self._firings.get, record.firing_id)
            if current is None or current.settled_by or current.state not in (FiringState.UNKNOWN, FiringState.NOT_SEEN):
                return True
            after_utc = _claimed_utc(current) - allowance
            since = int(current.tweet_id) - 1 if current.action is Action.DELETE and current.tweet_id else since_id(after_utc)
            tweets = await self._publisher.timeline(record.account_id, since_id=since)
            if tweets is None:
                return False
            return await self._conclude(current, tweets, after_utc=after_utc, waited=followed >= NOT_SEEN_AFTER)
        except (LedgerError, IllegalTransitionError) as error:
            # Settled by a person meanwhile, or a ledger in trouble: the next read decides.
            _log.warning("reconcile_postponed", extra={"firing_id": record.firing_id, "reason": str(error)})
            return False

    async def _conclude(self, current: FiringRecord, tweets: list[TimelineTweet], *, after_utc: datetime, waited: bool) -> bool:
        if current.action is Action.DELETE:
            # A timeline lags: a tweet that is missing at once may only not have appeared yet.
            gone = all(tweet.tweet_id != current.tweet_id for tweet in tweets)
            found, reason = (current.tweet_id if gone and waited else None), "no longer on the timeline"
        else:
            known = await self._writer.run(self._firings.known_tweets, current.account_id)
            found, reason = find(current.text, tweets, known=known, after_utc=after_utc), "found on the timeline"
        if found is not None:
            await self._resolve(current, FiringState.POSTED, tweet_id=found, reason=reason)
            return True
        if current.state is FiringState.UNKNOWN and waited:
            await self._resolve(current, FiringState.NOT_SEEN, tweet_id=None, reason="not seen on the timeline so far")
        return False

    async def _resolve(self, current: FiringRecord, state: FiringState, *, tweet_id: str | None, reason: str) -> None:
        record = await self._writer.run(self._firings.resolve, current.firing_id, state, tweet_id=tweet_id, reason=reason)
        await self._announce(record)


def _claimed_utc(record: FiringRecord) -> datetime:
    return record.claimed_utc or record.updated_utc


def _waits() -> Iterator[float]:
    """Seconds to wait before each read."""
    before = 0.0
    for at_s in FIRST_READS_S:
        yield at_s - before
        before = at_s
    wait_s = before
    while True:
        yield wait_s
        wait_s = min(wait_s * 2, INTERVAL_S_MAX)
