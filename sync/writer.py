"""Where the ledger's transactions run: one thread, in order, so that no page and no import can delay a claim for long.

A kill goes before everything that waits: in a burst of thousands it must not stand in line.
"""

import asyncio
import functools
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import PriorityQueue
from typing import Any, ParamSpec, Protocol, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Writer(Protocol):
    """Runs blocking work for coroutines."""

    async def run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """The result of a ledger transaction; transactions run one after the other, in the order of their calls."""
        ...

    async def at_once(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """As `run`, but before all that has not begun."""
        ...

    async def aside(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """The result of slow work that needs no ledger and must not hold it up."""
        ...

    def close(self) -> None:
        """Finish what has begun."""
        ...


_URGENT, _USUAL, _LAST = range(3)
_Job = tuple[Future[Any], Callable[[], Any]]


class ThreadWriter:
    """One thread for the ledger; what waits is bounded by those who ask (`sync.engine.FIRINGS_AT_ONCE_MAX`)."""

    def __init__(self) -> None:
        self._waiting: PriorityQueue[tuple[int, int, _Job | None]] = PriorityQueue()
        self._order = itertools.count()
        self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)
        self._thread.start()

    async def run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await self._asked(_USUAL, functools.partial(work, *args, **kwargs))

    async def at_once(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await self._asked(_URGENT, functools.partial(work, *args, **kwargs))

    async def aside(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await asyncio.to_thread(work, *args, **kwargs)

    def close(self) -> None:
        self._waiting.put((_LAST, next(self._order), None))
        self._thread.join()

    async def _asked(self, rank: int, call: Callable[[], _T]) -> _T:
        future: Future[_T] = Future()
        self._waiting.put((rank, next(self._order), (future, call)))
        return await asyncio.wrap_future(future)

    def _work(self) -> None:
        while (job := self._waiting.get()[2]) is not None:
            future, call = job
            # One whose caller has gone before it began is not done at all.
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except BaseException as error:
                future.set_exception(error)


class InlineWriter:
    """No thread: for simulations, whose steps must come in the same order each time."""

    async def run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return work(*args, **kwargs)

    async def at_once(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return work(*args, **kwargs)

    async def aside(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return work(*args, **kwargs)

    def close(self) -> None:
        pass
