"""The engine's tasks: begun while it runs, gone when it ends."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any


class Tasks:
    """Begins tasks in the engine's task group; `group` is set while it runs."""

    def __init__(self) -> None:
        self.group: asyncio.TaskGroup | None = None

    def begin(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None] | None:
        """A task of the engine's; None (and nothing begun) before it runs and while it stops."""
        if self.group is not None:
            with contextlib.suppress(RuntimeError):
                return self.group.create_task(work, name=name)
        work.close()
        return None
