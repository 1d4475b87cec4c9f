"""What has begun is brought to its end, whoever stops waiting for it."""

import asyncio
import logging

import pytest

from sync.errors import FencedError
from sync.finishing import finished


class Work:
    """Something with two halves; the second one waits for `go_on`."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()
        self.is_over = False
        self._error = error

    async def run(self) -> str:
        self.begun.set()
        await self.go_on.wait()
        self.is_over = True
        if self._error is not None:
            raise self._error
        return "done"


async def cancelled_in_the_middle(work: Work, *, times: int = 1) -> asyncio.Task[str]:
    """Whoever waits for the work, cancelled while it is under way; the work goes on a few turns later."""
    waiting = asyncio.create_task(finished(work.run(), name="work"))
    await work.begun.wait()
    for _ in range(times):
        waiting.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert not waiting.done()
    work.go_on.set()
    await asyncio.wait({waiting})
    return waiting


async def test_its_result_is_given() -> None:
    """Undisturbed it is the work itself."""
    work = Work()
    work.go_on.set()
    assert await finished(work.run()) == "done"


async def test_its_error_is_given() -> None:
    """An error reaches whoever waits as it is, and nothing is logged for it."""
    work = Work(ValueError("broken"))
    work.go_on.set()
    with pytest.raises(ValueError, match="broken"):
        await finished(work.run())


@pytest.mark.parametrize("times", [1, 3])
async def test_a_cancellation_waits_for_its_end(times: int) -> None:
    """However often it is asked for: the work comes to its end first, and the cancellation is not lost."""
    work = Work()
    waiting = await cancelled_in_the_middle(work, times=times)
    assert work.is_over
    assert waiting.cancelled()


async def test_its_task_carries_a_name() -> None:
    """So that a crash report tells what was under way."""

    async def name_of_task() -> str:
        task = asyncio.current_task()
        return "" if task is None else task.get_name()

    assert await finished(name_of_task(), name="renewal") == "renewal"
    assert await finished(name_of_task()) == "firing"


async def test_an_error_nobody_waits_for_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """With its traceback: nobody else will tell of it."""
    waiting = await cancelled_in_the_middle(Work(ValueError("broken")))
    assert waiting.cancelled()
    (record,) = caplog.records
    assert (record.message, record.levelno, record.__dict__["task"]) == ("failed_while_stopping", logging.ERROR, "work")
    assert record.__dict__["reason"] == "broken"
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ValueError)


async def test_being_fenced_is_logged_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """An engine that was replaced may have begun hundreds."""
    await cancelled_in_the_middle(Work(FencedError("another engine has taken over")))
    (record,) = caplog.records
    assert record.__dict__["reason"] == "another engine has taken over"
    assert not record.exc_info


async def test_work_that_was_cancelled_itself_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """A loop that ends cancels everything: that is no failure."""
    work = Work()
    waiting = asyncio.create_task(finished(work.run(), name="work"))
    await work.begun.wait()
    (inner,) = [task for task in asyncio.all_tasks() if task.get_name() == "work"]
    inner.cancel()
    await asyncio.wait({waiting})
    assert waiting.cancelled()
    assert not caplog.records
