"""An event loop whose time is a number, and the clock that reads it: a day of timers runs in the time their work takes.

Unlike `VirtualClock` this moves everything that waits, also what asyncio itself schedules (`call_later`, time-outs), and
never spins: time goes on exactly when nothing is left to do. A run repeats exactly.
"""

import asyncio
import heapq
import itertools
import math
import selectors
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from timebase.clock import NS_PER_S


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop that never waits. It serves no sockets: there is nobody outside whose time would be another."""

    def __init__(self, *, start_mono_ns: int = NS_PER_S) -> None:
        self.now_ns = start_mono_ns
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        super().__init__(_NothingOutside(self))

    def time(self) -> float:
        """Seconds, as timers of this loop count them."""
        return self.now_ns / NS_PER_S

    async def settled_at(self, mono_ns: int) -> None:
        """Return when it is that late and everything due by then has been done."""
        reached: asyncio.Future[None] = self.create_future()
        heapq.heappush(self._waiting, (mono_ns, next(self._order), reached))
        await reached

    def _move(self, timeout_s: float | None) -> None:
        """Go to the next instant at which something happens; called when nothing is left to do now."""
        due_ns = None if timeout_s is None else self.now_ns + math.ceil(timeout_s * NS_PER_S)
        # A timer's instant is a float: one that is due a nanosecond later is due now.
        while self._waiting and (due_ns is None or self._waiting[0][0] < due_ns - 1):
            at_ns, _, reached = heapq.heappop(self._waiting)
            self.now_ns = max(self.now_ns, at_ns)
            if not reached.done():
                reached.set_result(None)
                return
        if due_ns is None:
            raise RuntimeError("everything waits for something that will never happen")
        self.now_ns = due_ns


class LoopClock:
    """The `Clock` of a `VirtualLoop`. `step_utc` moves the wall clock alone, as NTP or a person would."""

    def __init__(self, loop: VirtualLoop, *, start_utc: datetime = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)) -> None:
        self._loop = loop
        self._utc_at_zero = start_utc - timedelta(microseconds=loop.now_ns // 1000)

    def mono_ns(self) -> int:
        return self._loop.now_ns

    def utc(self) -> datetime:
        return self._utc_at_zero + timedelta(microseconds=self._loop.now_ns // 1000)

    def step_utc(self, step: timedelta) -> None:
        """Move the wall clock by `step`; `mono_ns` stays."""
        self._utc_at_zero += step

    async def sleep(self, seconds: float) -> None:
        await self.sleep_until(self._loop.now_ns + round(seconds * NS_PER_S))

    async def sleep_until(self, mono_ns: int) -> None:
        await asyncio.sleep(max(0, mono_ns - self._loop.now_ns) / NS_PER_S)
        if mono_ns > self._loop.now_ns:
            # A timer's instant is a float, and may be a nanosecond early.
            await self.sleep_until(mono_ns)

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass; everything due by then has been done when this returns."""
        await self._loop.settled_at(self._loop.now_ns + round(seconds * NS_PER_S))


class _NothingOutside(selectors.BaseSelector):
    """Instead of waiting for sockets, moves the loop's time."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        self._keys[fileobj] = selectors.SelectorKey(fileobj, fileobj, events, data)
        return self._keys[fileobj]

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys[fileobj]

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout > 0:
            self._loop._move(timeout)
        return []

    def close(self) -> None:
        self._keys.clear()
