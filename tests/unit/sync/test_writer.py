"""The ledger's thread: order, urgency, errors, cancellation."""

import asyncio
import threading

import pytest

from sync.writer import ThreadWriter


async def test_a_kill_goes_before_all_that_waits() -> None:
    """In a burst of thousands the operator's transaction is the next one."""
    writer, done, gate = ThreadWriter(), list[str](), threading.Event()
    begun = asyncio.create_task(writer.run(gate.wait))
    waiting = [asyncio.create_task(writer.run(done.append, f"claim {number}")) for number in range(100)]
    await asyncio.sleep(0)
    kill = asyncio.create_task(writer.at_once(done.append, "kill"))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(begun, kill, *waiting)
    writer.close()

    assert done == ["kill", *(f"claim {number}" for number in range(100))]


async def test_what_fails_is_told_to_whoever_asked_and_to_nobody_else() -> None:
    """An error of one transaction does not end the thread."""
    writer = ThreadWriter()
    with pytest.raises(ZeroDivisionError):
        await writer.run(lambda: 1 / 0)

    assert await writer.run(lambda: 7) == 7
    writer.close()


async def test_what_was_cancelled_before_it_began_is_not_done() -> None:
    """A caller that has gone gets no claim it would not know of."""
    writer, done, gate = ThreadWriter(), list[str](), threading.Event()
    begun = asyncio.create_task(writer.run(gate.wait))
    await asyncio.sleep(0)
    gone = asyncio.create_task(writer.run(done.append, "gone"))
    stays = asyncio.create_task(writer.run(done.append, "stays"))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(begun, stays)
    writer.close()

    assert done == ["stays"]


async def test_closing_finishes_what_waits() -> None:
    """An outcome that is being recorded when the engine stops is recorded."""
    writer, done = ThreadWriter(), list[int]()
    waiting = [asyncio.create_task(writer.run(done.append, number)) for number in range(50)]
    await asyncio.sleep(0)
    await asyncio.to_thread(writer.close)
    await asyncio.gather(*waiting)

    assert done == list(range(50))


async def test_whoever_writes_can_see_that_something_urgent_waits() -> None:
    """A group of claims asks between two of them; and the loop stands still for what is urgent, but not for ever."""
    writer, seen, gate = ThreadWriter(), list[bool](), threading.Event()

    def group() -> None:
        seen.append(writer.is_urgent())
        gate.wait()
        seen.append(writer.is_urgent())

    begun = asyncio.create_task(writer.run(group))
    await asyncio.sleep(0.01)
    asyncio.get_running_loop().call_later(0, gate.set)
    assert await writer.standing_still(lambda: "killed") == "killed"
    await begun
    writer.close()

    assert seen == [False, True]
