"""Transactions asked for at the same time share one commit: while one group is being written the next one gathers.

A commit waits for the disk; a hundred claims of one goal, one after the other, would wait a hundred times. Alone, a claim
waits no longer than before (docs/adr/0013-group-commit.md).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from sync.errors import SyncError
from sync.writer import Writer

_Q = TypeVar("_Q")
_R = TypeVar("_R")

TOGETHER_MAX = 128
"""Requests of one commit. Not fewer: while one group's tweets leave, the next group's claims compete with them for the
interpreter, and both take several times as long."""

TOLD_AT_ONCE = 16
"""Results told in one turn of the loop: what follows on each is a quarter of a millisecond, and a kill cannot wait for all."""


class GroupCommit(Generic[_Q, _R]):
    """Gathers requests and has them written together.

    Args:
        write: takes requests in one transaction; gives for each its result, or why it alone has none. It may leave the
            last ones: they are asked for again.
        turn: whose turn a request takes, an account for instance: those that wait take turns, so that a crowd of one
            does not keep another waiting. Within a turn the order is that of asking.
    """

    def __init__(
        self, writer: Writer, write: Callable[[Sequence[_Q]], Sequence[_R | SyncError]], *, turn: Callable[[_Q], str]
    ) -> None:
        self._writer, self._write, self._turn = writer, write, turn
        self._waiting: dict[str, deque[tuple[_Q, asyncio.Future[_R]]]] = {}
        self._writing: asyncio.Task[None] | None = None

    async def ask(self, request: _Q) -> _R:
        """The request's result, once it is durable.

        Raises:
            SyncError: why there is none.
        """
        done: asyncio.Future[_R] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(self._turn(request), deque()).append((request, done))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all(), name="group-commit")
        return await done

    async def _write_all(self) -> None:
        try:
            while group := self._next_group():
                await self._write_group(group)
        finally:
            self._writing = None

    def _next_group(self) -> list[tuple[_Q, "asyncio.Future[_R]"]]:
        """Those whose turn it is, one of each in turn; whoever asks again later stands at the end."""
        group = list[tuple[_Q, asyncio.Future[_R]]]()
        while self._waiting and len(group) < TOGETHER_MAX:
            name, own = next(iter(self._waiting.items()))
            del self._waiting[name]
            request, done = own.popleft()
            # One whose caller has gone before it began is not done at all.
            if not done.done():
                group.append((request, done))
            if own:
                self._waiting[name] = own
        return group

    async def _write_group(self, group: list[tuple[_Q, "asyncio.Future[_R]"]]) -> None:
        try:
            results = await self._writer.run(self._write, [request for request, _ in group])
        except BaseException as error:
            for _, done in group:
                if isinstance(error, asyncio.CancelledError):
                    done.cancel()
                elif not done.done():
                    done.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for request, done in reversed(group[len(results) :]):
            self._waiting = {self._turn(request): deque(), **self._waiting}
            self._waiting[self._turn(request)].appendleft((request, done))
        for number, ((_, done), result) in enumerate(zip(group, results, strict=False), start=1):
            if number % TOLD_AT_ONCE == 0:
                await asyncio.sleep(0)
            if done.done():
                continue
            if isinstance(result, SyncError):
                done.set_exception(result)
            else:
                done.set_result(result)
