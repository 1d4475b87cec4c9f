"""Where the ledger's transactions run: one thread, in order, so that no page and no import can delay a claim for long.

A kill goes before everything that waits: in a burst of thousands it must not stand in line.
"""

import asyncio
import contextlib
import functools
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
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

    async def standing_still(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """As `at_once`; the loop does nothing else meanwhile, for `AT_ONCE_S` at most."""
        ...

    def is_urgent(self) -> bool:
        """Whether something asked for at once waits for what runs now."""
        ...

    async def aside(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """The result of slow work that needs no ledger and must not hold it up."""
        ...

    def close(self) -> None:
        """Finish what has begun."""
        ...


AT_ONCE_S = 0.05
"""How long the loop stands still, at most, for what is asked for at once."""


Told = Callable[[Any, BaseException | None], None]
"""Called on the loop with the result of a transaction, or its error."""


@dataclass(frozen=True, slots=True)
class _Job:
    call: Callable[[], Any]
    told: Told
    loop: asyncio.AbstractEventLoop
    gone: Callable[[], bool] = lambda: False
    over: threading.Event | None = None

    def answer(self, result: Any, error: BaseException | None) -> None:
        """Tell whoever asked; nobody does any more when the loop is closed."""
        if self.over is not None:
            self.over.set()
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.told, result, error)


def _teller(done: "asyncio.Future[Any]") -> Told:
    def tell(result: Any, error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    return tell


class ThreadWriter:
    """One thread for the ledger; what waits is bounded by those who ask (`sync.engine.FIRINGS_AT_ONCE_MAX`).

    Two hand-overs lie between a claim and its first byte, so they are made of the cheapest there is: a deque, a queue that
    waits in C, and the loop's own call from another thread.
    """

    def __init__(self) -> None:
        self._urgent, self._usual = deque[_Job](), deque[_Job]()
        self._bell: SimpleQueue[bool] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)
        self._thread.start()

    async def run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await self._asked(self._usual, functools.partial(work, *args, **kwargs))

    async def at_once(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await self._asked(self._urgent, functools.partial(work, *args, **kwargs))

    async def standing_still(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        over = threading.Event()
        done: asyncio.Future[_T] = self._asked(self._urgent, functools.partial(work, *args, **kwargs), over)
        # A loop that computes lets this thread's transaction have the interpreter a few instants in a hundred. Nothing that
        # the loop could do now is worth that: for some milliseconds it waits, and the transaction has the interpreter alone.
        over.wait(AT_ONCE_S)
        return await done

    def then(self, work: Callable[[], Any], told: Told) -> None:
        """As `run`, for whoever is no coroutine: begun at once, and told without another turn of the loop."""
        self._usual.append(_Job(work, told, asyncio.get_running_loop()))
        self._bell.put(True)

    def is_urgent(self) -> bool:
        return bool(self._urgent)

    async def aside(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await asyncio.to_thread(work, *args, **kwargs)

    def close(self) -> None:
        self._bell.put(False)
        self._thread.join()

    def _asked(self, waiting: deque[_Job], call: Callable[[], _T], over: threading.Event | None = None) -> "asyncio.Future[_T]":
        loop = asyncio.get_running_loop()
        done: asyncio.Future[_T] = loop.create_future()
        waiting.append(_Job(call, _teller(done), loop, done.cancelled, over))
        self._bell.put(True)
        return done

    def _work(self) -> None:
        # One ring a job, and the last one says that no more will come.
        while self._bell.get():
            job = self._urgent.popleft() if self._urgent else self._usual.popleft()
            # One whose caller has gone before it began is not done at all.
            if job.gone():
                if job.over is not None:
                    job.over.set()
                continue
            try:
                job.answer(job.call(), None)
            except BaseException as error:
                job.answer(None, error)


def begin(writer: Writer, work: Callable[[], Any], told: Told) -> None:
    """Have a transaction run in its turn; `told` is called with what came of it, on the loop."""
    if isinstance(writer, ThreadWriter):
        writer.then(work, told)
        return
    running = asyncio.ensure_future(writer.run(work))

    def tell(done: "asyncio.Future[Any]") -> None:
        if done.cancelled():
            told(None, asyncio.CancelledError())
        else:
            error = done.exception()
            told(None if error else done.result(), error)

    running.add_done_callback(tell)


class InlineWriter:
    """No thread: for simulations, whose steps must come in the same order each time."""

    async def run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return work(*args, **kwargs)

    async def at_once(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return work(*args, **kwargs)

    async def standing_still(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return work(*args, **kwargs)

    def is_urgent(self) -> bool:
        return False

    async def aside(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return work(*args, **kwargs)

    def close(self) -> None:
        pass
