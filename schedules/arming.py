"""The clock that opens and closes windows: `schedules.windows` driven by APScheduler."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC
from typing import TYPE_CHECKING

from schedules.airing import Airing
from schedules.windows import WindowChange, Windows
from timebase import Clock

if TYPE_CHECKING:
    from apscheduler.schedulers.asyncio import AsyncIOScheduler

STEP_CHECK_S = 1
"""The wall clock is looked at this often besides the planned instants: a stepped clock is noticed within it."""

_log = logging.getLogger(__name__)


class AiringClock:
    """Tells of each window's opening and closing, once, at its instant.

    `run` is the task that tells; `load` may be called at any time, before or while it runs. Nothing is
    stored here: after a restart the airings are loaded from the database again, windows open at that
    moment are told open, passed ones are told closed, once.

    Args:
        clock: whose `utc` decides what is due.
        on_change: awaited for each change, one at a time, in order. What it raises ends `run`.
    """

    def __init__(self, clock: Clock, on_change: Callable[[Airing, WindowChange], Awaitable[None]]) -> None:
        self._clock, self._on_change = clock, on_change
        self._windows = Windows()
        self._wake = asyncio.Event()

    def load(self, airings: Iterable[Airing]) -> None:
        """Take `airings` in place of those before; what is due is told by `run`."""
        self._windows.load(airings, self._clock.utc())
        self._wake.set()

    async def tell_due(self) -> None:
        """Tell every change that is due by now; `run` does so by itself."""
        while (due := self._windows.take_due(self._clock.utc())) is not None:
            late_s = (self._clock.utc() - due.at_utc).total_seconds()
            _log.info("window", extra={"airing_id": due.airing.airing_id, "change": due.change.value, "late_s": late_s})
            await self._on_change(due.airing, due.change)

    async def run(self) -> None:
        """Tell changes as they fall due, until cancelled."""
        from apscheduler.schedulers.asyncio import AsyncIOScheduler
        from apscheduler.triggers.interval import IntervalTrigger

        # APScheduler logs every run of every job; `window` above says all there is to say.
        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        scheduler = AsyncIOScheduler(timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True})
        scheduler.add_job(self._wake_up, IntervalTrigger(seconds=STEP_CHECK_S, timezone=UTC), id="clock-steps")
        scheduler.start()
        try:
            while True:
                self._wake.clear()
                await self.tell_due()
                self._plan_next(scheduler)
                await self._wake.wait()
        finally:
            # Shutting down is itself a callback of the loop: give it its turn, or its timer outlives us.
            scheduler.shutdown(wait=False)
            await asyncio.sleep(0)

    def _plan_next(self, scheduler: "AsyncIOScheduler") -> None:
        from apscheduler.triggers.date import DateTrigger

        at_utc = self._windows.next_utc()
        if at_utc is not None:
            scheduler.add_job(self._wake_up, DateTrigger(at_utc, timezone=UTC), id="next-window", replace_existing=True)

    async def _wake_up(self) -> None:
        # A coroutine, since APScheduler runs plain functions in threads.
        self._wake.set()
