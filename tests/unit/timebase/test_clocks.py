"""The system's clock and the virtual one."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from timebase import SystemClock, VirtualClock


async def test_sleepers_wake_in_order_of_their_instants() -> None:
    """Each sleeper sees the instant it asked for, however far time is moved at once."""
    clock = VirtualClock(start_mono_ns=0)
    woken: list[tuple[str, int]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.mono_ns()))

    tasks = [asyncio.create_task(sleeper(name, s)) for name, s in (("late", 3.0), ("early", 1.0), ("tie", 3.0))]
    await clock.advance(10.0)
    await asyncio.gather(*tasks)

    assert woken == [("early", 1_000_000_000), ("late", 3_000_000_000), ("tie", 3_000_000_000)]
    assert clock.mono_ns() == 10_000_000_000


async def test_a_sleeper_that_sleeps_again_is_served_within_one_advance() -> None:
    """A loop of short sleeps runs as often as it would in real time."""
    clock = VirtualClock()
    ticks: list[int] = []

    async def ticker() -> None:
        while True:
            await clock.sleep(0.5)
            ticks.append(clock.mono_ns())

    task = asyncio.create_task(ticker())
    await clock.advance(5.0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert len(ticks) == 10


async def test_stepping_the_wall_clock_wakes_nobody() -> None:
    """Waiting follows the monotonic clock alone."""
    clock = VirtualClock(start_utc=datetime(2027, 10, 31, 0, 30, tzinfo=UTC))
    task = asyncio.create_task(clock.sleep(60))
    await clock.advance(1.0)
    clock.step_utc(timedelta(hours=-1))
    await clock.advance(1.0)

    assert not task.done()
    assert clock.utc() == datetime(2027, 10, 30, 23, 30, 2, tzinfo=UTC)
    await clock.advance(60.0)
    assert task.done()


async def test_time_does_not_go_back() -> None:
    """A negative advance is refused."""
    with pytest.raises(ValueError, match="does not go back"):
        await VirtualClock().advance(-1)


def test_a_naive_start_is_refused() -> None:
    """The wall clock is always aware."""
    with pytest.raises(ValueError, match="naive"):
        VirtualClock(start_utc=datetime(2027, 1, 1))  # noqa: DTZ001


async def test_system_clock_waits_at_least_as_long_as_asked() -> None:
    """Neither kind of wait returns early, and instants in the past return at once."""
    clock = SystemClock()
    begun = clock.mono_ns()
    await clock.sleep(0.01)
    await clock.sleep_until(begun + 20_000_000)
    await clock.sleep_until(begun)

    assert clock.mono_ns() - begun >= 20_000_000
    assert clock.utc().tzinfo is UTC
