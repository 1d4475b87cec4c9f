"""How late the timer is, and when that is an alarm."""

import asyncio
import itertools

import pytest

from sync.firing_timer import BUCKETS_MS, JUDGED_FROM, LOOK_EVERY, RECENT_MAX, FiringTimer, Lateness
from timebase import VirtualClock


class LateClock(VirtualClock):
    """A machine that is busy: every wait ends `late_ns` after its instant."""

    late_ns = 0

    async def sleep_until(self, mono_ns: int) -> None:
        await super().sleep_until(mono_ns + self.late_ns)


def noted(*late_ms: float) -> Lateness:
    lateness = Lateness()
    for one in late_ms:
        lateness.note(round(one * 1e6))
    return lateness


def test_nothing_measured_is_not_nothing_late() -> None:
    """Before the first wait there are no percentiles."""
    view = Lateness().view()

    assert (view.waits, view.p50_ms, view.p99_ms, view.max_ms) == (0, None, None, None)


def test_percentiles_are_those_of_the_newest_waits_and_the_histogram_of_all() -> None:
    """An old outlier leaves the percentiles, not the histogram."""
    lateness = noted(700.0, *([0.4] * (RECENT_MAX - 20)), *([3.0] * 20))
    view = lateness.view()

    assert (view.p50_ms, view.p99_ms, view.max_ms) == (0.4, 3.0, 3.0)
    assert view.waits == RECENT_MAX + 1
    assert view.sum_ms == pytest.approx(700 + 0.4 * 980 + 60)
    within = dict(view.buckets)
    assert (within[0.5], within[5.0], within[500.0]) == (980, 1000, 1000)


def test_a_bound_belongs_to_its_bucket() -> None:
    """As Prometheus has it: less than or equal; each bucket holds those before it."""
    assert noted(*BUCKETS_MS).view().buckets == tuple(zip(BUCKETS_MS, itertools.count(1), strict=False))


def test_one_late_wait_in_a_hundred_is_an_alarm_and_told_once() -> None:
    """It is told again only after it has been half as late."""
    lateness = noted(*([1.0] * (RECENT_MAX - 10)), *([21.0] * 9))
    assert lateness.alarm(20.0) == ""
    for _ in range(2):
        lateness.note(21_000_000)
    assert "by 21.0 ms or more, over 20 ms" in lateness.alarm(20.0)
    assert lateness.alarm(20.0) == ""
    for late_ms in (15.0, 25.0, 5.0):
        for _ in range(RECENT_MAX):
            lateness.note(round(late_ms * 1e6))
        assert lateness.alarm(20.0) == ""
    for _ in range(RECENT_MAX):
        lateness.note(25_000_000)
    assert lateness.alarm(20.0) != ""


def test_few_waits_are_not_judged() -> None:
    """One hiccup at the start says nothing of one in a hundred."""
    assert noted(*([99.0] * (JUDGED_FROM - 1))).alarm(20.0) == ""
    assert noted(*([99.0] * JUDGED_FROM)).alarm(20.0) != ""


async def test_a_firing_that_waited_is_measured() -> None:
    """From its instant, not from when it began to wait; also one that came too late to wait."""
    clock, lateness = LateClock(), Lateness()
    clock.late_ns = 3_000_000
    timer = FiringTimer(lateness, clock=clock, alarm_above_ms=20.0, alarm=_nobody)
    waiting = asyncio.create_task(timer.until(clock.mono_ns() + 500_000_000))
    await clock.advance(0.502)
    assert not waiting.done()
    await clock.advance(0.001)
    assert waiting.done()
    clock.late_ns = 0
    await timer.until(clock.mono_ns() - 7_000_000)

    assert sorted(lateness._recent_ms) == [3.0, 7.0]


async def test_it_is_measured_while_nothing_fires() -> None:
    """The probes find a busy machine before a firing does."""
    clock, lateness, told = LateClock(), Lateness(), list[tuple[str, str]]()
    clock.late_ns = 30_000_000

    async def tell(level: str, sentence: str) -> None:
        told.append((level, sentence))

    timer = FiringTimer(lateness, clock=clock, alarm_above_ms=20.0, alarm=tell)
    running = asyncio.create_task(timer.run(0.1))
    await clock.advance(0.13 * (JUDGED_FROM - LOOK_EVERY))
    assert told == []
    await clock.advance(0.13 * 2 * LOOK_EVERY)
    running.cancel()

    assert [level for level, _ in told] == ["warning"]
    assert lateness.view().p50_ms == 30.0


async def _nobody(level: str, sentence: str) -> None:
    raise AssertionError(f"{level}: {sentence}")
