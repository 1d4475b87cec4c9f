"""The loop whose time is virtual."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from timebase import LoopClock, VirtualLoop


def run(story: Any) -> Any:
    """The result of `story(clock)` on a virtual loop."""

    async def told() -> Any:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        return await story(LoopClock(loop))

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(told())


def test_everything_due_has_been_done_when_advance_returns() -> None:
    """Sleepers, timers of asyncio and what they begin, in order of their instants; what is due later waits."""

    async def story(clock: LoopClock) -> list[str]:
        done: list[str] = []
        loop = asyncio.get_running_loop()

        async def sleeper(name: str, seconds: float) -> None:
            await clock.sleep(seconds)
            await asyncio.sleep(0)
            done.append(f"{name} {clock.mono_ns() - 10**9}")

        loop.call_later(0.5, lambda: done.append("timer"))
        tasks = [asyncio.create_task(sleeper(name, s)) for name, s in (("late", 2.0), ("early", 0.25), ("last", 2.000000001))]
        await clock.advance(2.0)
        for task in tasks:
            task.cancel()
        return done

    assert run(story) == ["early 250000000", "timer", "late 2000000000"]


def test_a_day_takes_no_time() -> None:
    """Time goes on when nothing is left to do, and never back."""

    async def story(clock: LoopClock) -> int:
        before = clock.mono_ns()
        await clock.sleep(86_400 * 3)
        return clock.mono_ns() - before

    assert run(story) == 86_400 * 3 * 10**9


def test_sleep_until_is_never_early() -> None:
    """Whatever the float makes of it."""

    async def story(clock: LoopClock) -> None:
        for step in range(1, 2000):
            target = clock.mono_ns() + step * 7_919 + 1
            await clock.sleep_until(target)
            assert clock.mono_ns() >= target

    run(story)


def test_the_wall_clock_steps_alone() -> None:
    """Nobody wakes; `mono_ns` stays."""

    async def story(clock: LoopClock) -> tuple[int, timedelta, bool]:
        task = asyncio.create_task(clock.sleep(10))
        await clock.advance(1)
        mono, utc = clock.mono_ns(), clock.utc()
        clock.step_utc(timedelta(hours=1))
        await clock.advance(0)
        woken = task.done()
        task.cancel()
        return clock.mono_ns() - mono, clock.utc() - utc, woken

    assert run(story) == (0, timedelta(hours=1), False)


def test_a_deadlock_is_an_error() -> None:
    """Waiting for what nobody will do ends at once instead of never."""

    async def story(clock: LoopClock) -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="never happen"):
        run(story)
