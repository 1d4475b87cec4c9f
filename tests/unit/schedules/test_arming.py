import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from schedules import Airing, AiringClock, WindowChange
from timebase import Clock, SystemClock, VirtualClock


def airing(name: str, opens_utc: datetime, closes_utc: datetime) -> Airing:
    return Airing(
        airing_id=name,
        channel="nord",
        spot_id="kaffee-30",
        number=1,
        planned_utc=opens_utc,
        opens_utc=opens_utc,
        closes_utc=closes_utc,
        raw="",
        row=1,
    )


class Heard:
    """Keeps what an `AiringClock` tells, with the clock's time."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.changes = clock, asyncio.Queue[tuple[str, str, datetime]]()

    async def __call__(self, airing: Airing, change: WindowChange) -> None:
        self.changes.put_nowait((airing.airing_id, change.value, self.clock.utc()))

    def all(self) -> list[tuple[str, str]]:
        return [self.changes.get_nowait()[:2] for _ in range(self.changes.qsize())]


async def turns() -> None:
    """Let the loop's other tasks run until they wait for time."""
    for _ in range(20):
        await asyncio.sleep(0)


def waiting_timers() -> int:
    """Callbacks the loop will still make by itself; it has no public list of them."""
    handles: list[asyncio.TimerHandle] = vars(asyncio.get_running_loop())["_scheduled"]
    return sum(not handle.cancelled() for handle in handles)


@contextlib.asynccontextmanager
async def running(arming: AiringClock) -> AsyncIterator[None]:
    task = asyncio.create_task(arming.run(), name="arming")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_virtual_day_opens_and_closes_windows() -> None:
    """Decided by the clock handed in, at its instants."""
    clock = VirtualClock()
    heard = Heard(clock)
    arming = AiringClock(clock, heard)
    start = clock.utc()
    arming.load([airing("a", start + timedelta(seconds=10), start + timedelta(seconds=20))])

    await arming.tell_due()
    assert heard.all() == []
    await clock.advance(10)
    await arming.tell_due()
    assert heard.all() == [("a", "opened")]
    clock.step_utc(timedelta(seconds=-30))
    await arming.tell_due()
    assert heard.all() == []
    clock.step_utc(timedelta(hours=1))
    await arming.tell_due()
    assert heard.all() == [("a", "closed")]


async def test_the_scheduler_wakes_at_the_planned_instants() -> None:
    """APScheduler on the machine's clock: never early, in order, and what is due at the start at once."""
    clock = SystemClock()
    heard = Heard(clock)
    arming = AiringClock(clock, heard)
    now = clock.utc()
    opens, closes = now + timedelta(milliseconds=60), now + timedelta(milliseconds=120)
    arming.load([airing("passed", now - timedelta(hours=2), now - timedelta(hours=1)), airing("a", opens, closes)])

    async with asyncio.timeout(10), running(arming):
        told = [await heard.changes.get() for _ in range(3)]

    assert [one[:2] for one in told] == [("passed", "closed"), ("a", "opened"), ("a", "closed")]
    assert told[1][2] >= opens
    assert told[2][2] >= closes


async def test_loading_while_it_runs_tells_at_once() -> None:
    """An import waits neither for the next planned instant nor for the look once a second."""
    clock = SystemClock()
    heard = Heard(clock)
    arming = AiringClock(clock, heard)

    async with running(arming):
        await turns()
        arming.load([airing("a", clock.utc() - timedelta(seconds=1), clock.utc() + timedelta(hours=1))])
        await turns()

        assert heard.all() == [("a", "opened")]


async def test_a_step_of_the_wall_clock_is_noticed_without_any_planned_instant() -> None:
    """The virtual clock jumps while APScheduler believes the window to be a day away."""
    clock = VirtualClock(start_utc=SystemClock().utc())
    heard = Heard(clock)
    arming = AiringClock(clock, heard)
    arming.load([airing("a", clock.utc() + timedelta(days=1), clock.utc() + timedelta(days=2))])

    async with asyncio.timeout(10), running(arming):
        await asyncio.sleep(0)
        clock.step_utc(timedelta(days=1))
        assert (await heard.changes.get())[:2] == ("a", "opened")


async def test_what_the_listener_raises_ends_the_task() -> None:
    """A failure is the engine's to handle, never swallowed by the scheduler."""

    async def broken(airing: Airing, change: WindowChange) -> None:
        raise RuntimeError("the ledger is gone")

    clock = SystemClock()
    arming = AiringClock(clock, broken)
    arming.load([airing("a", clock.utc() - timedelta(seconds=1), clock.utc() + timedelta(hours=1))])

    with pytest.raises(RuntimeError, match="the ledger is gone"):
        await asyncio.wait_for(arming.run(), timeout=10)


async def test_stopping_leaves_neither_task_nor_timer_behind() -> None:
    """Cancelled, the scheduler is shut down with it."""
    clock = SystemClock()
    arming = AiringClock(clock, Heard(clock))
    tasks, timers = asyncio.all_tasks(), waiting_timers()

    async with running(arming):
        await turns()
        assert waiting_timers() > timers

    assert asyncio.all_tasks() == tasks
    assert waiting_timers() == timers
