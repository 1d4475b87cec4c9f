"""Work that is brought to its end even when whoever waits for it is cancelled."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from sync.errors import FencedError

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


async def finished(work: Coroutine[Any, Any, _T], *, name: str = "firing") -> _T:
    """The result of `work`, which runs to its end even when the caller is cancelled; the cancellation follows then."""
    return await end_of(asyncio.create_task(work, name=name))


async def end_of(task: "asyncio.Task[_T]") -> _T:
    """The result of a task, which runs to its end even when the caller is cancelled; the cancellation follows then."""
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError:
                continue
        if not task.cancelled() and (error := task.exception()) is not None:
            # Of hundreds that an engine which was replaced had begun, each would write a page.
            unforeseen = None if isinstance(error, FencedError) else error
            _log.error("failed_while_stopping", extra={"task": task.get_name(), "reason": str(error)}, exc_info=unforeseen)
        raise
