"""Tasks of the engine: what must come to its end does so, whoever is cancelled meanwhile."""

import asyncio

import pytest

from sync.tasks import Tasks


async def test_what_must_end_is_waited_for_although_its_waiter_went_before_it_began() -> None:
    """An engine that stops in the very turn of the loop in which a firing began does not close under it."""
    tasks, done = Tasks(), list[str]()
    go = asyncio.Event()

    async def claim() -> None:
        await go.wait()
        done.append("claimed")

    async with asyncio.TaskGroup() as group:
        tasks.group = group
        waiting = tasks.begin_finishing(claim(), name="fire")
        assert waiting is not None
        waiting.cancel()
        await asyncio.wait({waiting})
    ended = asyncio.ensure_future(tasks.ended())
    await asyncio.sleep(0)
    assert not ended.done()
    go.set()
    await ended

    assert done == ["claimed"]


async def test_what_must_end_ends_before_its_waiter_does() -> None:
    """The group is left only when the firing has come to rest."""
    tasks, done = Tasks(), list[str]()

    async def claim() -> None:
        await asyncio.sleep(0)
        done.append("claimed")

    async def stop() -> None:
        raise RuntimeError("stopping")

    with pytest.RaisesGroup(RuntimeError):
        async with asyncio.TaskGroup() as group:
            tasks.group = group
            tasks.begin_finishing(claim(), name="fire")
            tasks.begin(stop(), name="stop")

    assert done == ["claimed"]


async def test_nothing_begins_without_an_engine() -> None:
    """Before it runs and after it has stopped, a firing is neither begun nor left half begun."""
    tasks, done = Tasks(), list[str]()

    async def claim() -> None:
        done.append("claimed")

    assert tasks.begin_finishing(claim(), name="fire") is None
    async with asyncio.TaskGroup() as group:
        tasks.group = group
    assert tasks.begin_finishing(claim(), name="fire") is None
    await asyncio.sleep(0)
    await tasks.ended()

    assert done == []
