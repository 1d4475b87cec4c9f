"""The engine's tasks: begun while it runs, gone when it ends."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from sync.finishing import end_of


class Tasks:
    """Begins tasks in the engine's task group; `group` is set while it runs."""

    def __init__(self) -> None:
        self.group: asyncio.TaskGroup | None = None
        self._finishing: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None] | None:
        """A task of the engine's; None (and nothing begun) before it runs and while it stops."""
        if self.group is not None:
            with contextlib.suppress(RuntimeError):
                return self.group.create_task(work, name=name)
        work.close()
        return None

    def begin_finishing(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None] | None:
        """As `begin`, for work that is brought to its end while the engine stops; it begins before the task that waits for it."""
        if self.group is None:
            work.close()
            return None
        task = asyncio.create_task(work, name=name)
        if (waiting := self.begin(end_of(task), name=name)) is None:
            task.cancel()
            return None
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)
        return waiting

    async def ended(self) -> None:
        """Return when all that was to be brought to its end is there, also where whoever waited for it has gone."""
        while self._finishing:
            await asyncio.wait(self._finishing)
