"""Transactions asked for at the same time share one commit: while one group is being written the next one gathers.

A commit waits for the disk; a hundred claims of one goal, one after the other, would wait a hundred times. Alone, a claim
waits no longer than before (docs/adr/0013-group-commit.md).
"""

import asyncio
import functools
import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from sync.errors import SyncError
from sync.writer import Writer, begin

_Q = TypeVar("_Q")
_R = TypeVar("_R")

TOGETHER_MAX = 128
"""Requests of one commit. Not fewer: while one group's tweets leave, the next group's claims compete with them for the
interpreter, and both take several times as long."""

TOLD_AT_ONCE = 16
"""Results told in one turn of the loop: what follows on each is a quarter of a millisecond, and a kill cannot wait for all."""


_Asked = tuple[_Q, asyncio.Future[_R]]


class GroupCommit(Generic[_Q, _R]):
    """Gathers requests and has them written together.

    No task stands between whoever asks and the writer: each turn of the loop that is saved is one that a first byte waits less.

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
        self._waiting: dict[str, deque[_Asked[_Q, _R]]] = {}
        self._is_writing = False
        self._last_turn = ""

    def ask(self, request: _Q, done: "asyncio.Future[_R] | None" = None) -> "asyncio.Future[_R]":
        """The request's result, once it is durable; a `SyncError` says why there is none.

        Args:
            done: what is to hold it, where somebody waits for that already.
        """
        done = done or asyncio.get_running_loop().create_future()
        self._waiting.setdefault(self._turn(request), deque()).append((request, done))
        if not self._is_writing:
            self._write_next()
        return done

    def _write_next(self) -> None:
        group = self._next_group()
        self._is_writing = bool(group)
        if group:
            requests = [request for request, _ in group]
            begin(self._writer, functools.partial(self._write, requests), functools.partial(self._tell, group))

    def _next_group(self) -> "list[_Asked[_Q, _R]]":
        """Those whose turn it is, one of each in turn; whoever asks again later stands at the end."""
        group = list[_Asked[_Q, _R]]()
        if self._last_turn in self._waiting:
            self._waiting[self._last_turn] = self._waiting.pop(self._last_turn)
        while self._waiting and len(group) < TOGETHER_MAX:
            name, own = next(iter(self._waiting.items()))
            del self._waiting[name]
            request, done = own.popleft()
            # One whose caller has gone before it began is not done at all.
            if not done.done():
                group.append((request, done))
                self._last_turn = name
            if own:
                self._waiting[name] = own
        return group

    def _tell(self, group: "list[_Asked[_Q, _R]]", results: Sequence[_R | SyncError] | None, error: BaseException | None) -> None:
        if results is None:
            for _, done in group:
                _set(done, error or asyncio.CancelledError())
            self._write_next()
            return
        if len(results) < len(group):
            self._last_turn = ""  # Those that are left keep their places.
        for request, done in reversed(group[len(results) :]):
            self._waiting = {self._turn(request): deque(), **self._waiting}
            self._waiting[self._turn(request)].appendleft((request, done))
        self._tell_some(iter(list(zip(group, results, strict=False))))

    def _tell_some(self, results: "Iterator[tuple[_Asked[_Q, _R], _R | SyncError]]") -> None:
        """Tell the next results; what follows on them comes first, then the others, then the next group."""
        some = list(itertools.islice(results, TOLD_AT_ONCE))
        for (_, done), result in some:
            _set(done, result)
        if some:
            asyncio.get_running_loop().call_soon(self._tell_some, results)
        else:
            self._write_next()


def _set(done: "asyncio.Future[_R]", result: _R | BaseException) -> None:
    if done.done():
        return
    if isinstance(result, asyncio.CancelledError):
        done.cancel()
    elif isinstance(result, BaseException):
        done.set_exception(result)
    else:
        done.set_result(result)
