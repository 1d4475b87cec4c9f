"""A clock that moves only when told to, for tests and simulation."""

import asyncio
import heapq
import itertools
from datetime import UTC, datetime, timedelta

from timebase.clock import NS_PER_S

_SETTLE_ROUNDS = 50
"""Turns of the event loop granted to woken tasks before time moves on."""


class VirtualClock:
    """A `Clock` whose time is a number that `advance` moves.

    Sleepers wake in order of their instants, ties in order of falling asleep, so a run repeats
    exactly. `step_utc` moves the wall clock alone, as NTP or a person would.
    """

    def __init__(self, *, start_utc: datetime = datetime(2027, 3, 1, 12, 0, tzinfo=UTC), start_mono_ns: int = NS_PER_S) -> None:
        if start_utc.tzinfo is None:
            raise ValueError(f"start_utc: {start_utc!r} is naive; give it a time zone")
        self._utc_at_zero = start_utc - timedelta(microseconds=start_mono_ns / 1000)
        self._mono_ns = start_mono_ns
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def mono_ns(self) -> int:
        return self._mono_ns

    def utc(self) -> datetime:
        return self._utc_at_zero + timedelta(microseconds=self._mono_ns / 1000)

    def step_utc(self, step: timedelta) -> None:
        """Move the wall clock by `step`; `mono_ns` stays."""
        self._utc_at_zero += step

    async def sleep(self, seconds: float) -> None:
        await self.sleep_until(self._mono_ns + round(seconds * NS_PER_S))

    async def sleep_until(self, mono_ns: int) -> None:
        if mono_ns <= self._mono_ns:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (mono_ns, next(self._order), woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Move time forward, waking each sleeper at its own instant and letting it run.

        Raises:
            ValueError: `seconds` is negative.
        """
        if seconds < 0:
            raise ValueError(f"advance: {seconds} s; time does not go back")
        target_ns = self._mono_ns + round(seconds * NS_PER_S)
        await self._settle()
        while self._sleepers and self._sleepers[0][0] <= target_ns:
            wake_ns, _, woken = heapq.heappop(self._sleepers)
            self._mono_ns = max(self._mono_ns, wake_ns)
            if not woken.done():
                woken.set_result(None)
            await self._settle()
        self._mono_ns = target_ns
        await self._settle()

    async def _settle(self) -> None:
        for _ in range(_SETTLE_ROUNDS):
            await asyncio.sleep(0)
