"""The timer that fires after an audience delay, and how late it is: measured at every firing, and all the time in between.

asyncio's own timers serve (a heap, one wake-up for whatever is due). They wait in epoll's whole milliseconds, rounded up, so
an idle engine is up to 1.1 ms late and never early (docs/firing.md); what makes them later is a busy machine, and that is
what the figures show before a firing meets it.
"""

import bisect
import itertools
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from sync.snapshot import TimerView
from timebase import Clock

BUCKETS_MS: Final = (0.5, 1.0, 1.5, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 500.0)
"""Upper bounds of the histogram; what is later counts in none of them."""
RECENT_MAX: Final = 1000
"""Waits that the percentiles are of."""
JUDGED_FROM: Final = 300
"""Waits before there is an alarm: the 99th percentile of fewer is a single one of them."""
LOOK_EVERY: Final = 10
"""Probes between two looks at the percentile."""


class Lateness:
    """How late waits have ended. Holds numbers only."""

    def __init__(self) -> None:
        self._recent_ms: deque[float] = deque(maxlen=RECENT_MAX)
        self._counts = [0] * (len(BUCKETS_MS) + 1)
        self._sum_ms = 0.0
        self._alarmed = False

    def note(self, late_ns: int) -> None:
        """Count a wait that ended so much later than it should have."""
        late_ms = late_ns / 1e6
        self._recent_ms.append(late_ms)
        self._counts[bisect.bisect_left(BUCKETS_MS, late_ms)] += 1
        self._sum_ms += late_ms

    def view(self) -> TimerView:
        """The figures; the percentiles (nearest rank) and the maximum are those of the newest waits."""
        ordered = sorted(self._recent_ms)
        return TimerView(
            waits=sum(self._counts),
            sum_ms=round(self._sum_ms, 3),
            p50_ms=_rank(ordered, 0.50),
            p99_ms=_rank(ordered, 0.99),
            max_ms=_rank(ordered, 1.0),
            buckets=tuple(zip(BUCKETS_MS, itertools.accumulate(self._counts), strict=False)),
        )

    def alarm(self, above_ms: float) -> str:
        """What a person should know, once each time the 99th percentile passes `above_ms`; else empty.

        It must fall to half of that before it is told again.
        """
        if len(self._recent_ms) < JUDGED_FROM:
            return ""
        p99_ms = _rank(sorted(self._recent_ms), 0.99) or 0.0
        news = p99_ms > above_ms and not self._alarmed
        self._alarmed = p99_ms > (above_ms / 2 if self._alarmed else above_ms)
        if not news:
            return ""
        return (
            f"firings after an audience delay would be late: one timer in a hundred by {p99_ms:.1f} ms or more,"
            f" over {above_ms:g} ms; the machine is too busy"
        )


class FiringTimer:
    """Waits for the instants at which firings are due.

    Args:
        lateness: takes what is measured.
        alarm_above_ms: what the 99th percentile of lateness may be.
        alarm: told, with its level, when it is more.
    """

    def __init__(
        self, lateness: Lateness, *, clock: Clock, alarm_above_ms: float, alarm: Callable[[str, str], Awaitable[None]]
    ) -> None:
        self._lateness, self._clock = lateness, clock
        self._alarm_above_ms, self._alarm = alarm_above_ms, alarm

    async def until(self, due_mono_ns: int) -> None:
        """Return once it is due, never before."""
        await self._clock.sleep_until(due_mono_ns)
        self._lateness.note(self._clock.mono_ns() - due_mono_ns)

    async def run(self, probe_s: float) -> None:
        """Measure with a wait every `probe_s`, until cancelled."""
        while True:
            for _ in range(LOOK_EVERY):
                await self.until(self._clock.mono_ns() + round(probe_s * 1e9))
            if sentence := self._lateness.alarm(self._alarm_above_ms):
                await self._alarm("warning", sentence)


def _rank(ordered: list[float], share: float) -> float | None:
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 3)
