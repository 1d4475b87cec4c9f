"""Transactions that share a commit: who goes with whom, in which order, and what one's error means for the others."""

import asyncio
from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar

import pytest

from sync.errors import IllegalTransitionError, LedgerError, SyncError
from sync.group_commit import TOGETHER_MAX, GroupCommit
from sync.writer import InlineWriter

P = ParamSpec("P")
T = TypeVar("T")


class SlowWriter(InlineWriter):
    """Holds every transaction until it is let go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        await self.go.wait()
        return work(*args, **kwargs)


class Book:
    """Keeps what was written together."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []

    def write(self, asked: Sequence[str]) -> list[str | SyncError]:
        self.groups.append(list(asked))
        return [IllegalTransitionError("no") if one.endswith("!") else one.upper() for one in asked]


async def test_what_waits_is_written_together_and_accounts_take_turns() -> None:
    """A hundred of one account do not stand before the first of another one."""
    writer, book = SlowWriter(), Book()
    commit: GroupCommit[str, str] = GroupCommit(writer, book.write, turn=lambda asked: asked[0])
    names = ["a1", *(f"a{number}" for number in range(2, 6)), "b1", "b2", "c1"]
    asked = [asyncio.ensure_future(commit.ask(name)) for name in names]
    await asyncio.sleep(0)
    writer.go.set()

    assert await asyncio.gather(*asked) == [name.upper() for name in names]
    assert book.groups == [["a1"], ["b1", "c1", "a2", "b2", "a3", "a4", "a5"]]


async def test_a_group_has_an_end() -> None:
    """The rest goes into the next commit."""
    writer, book = SlowWriter(), Book()
    commit: GroupCommit[str, str] = GroupCommit(writer, book.write, turn=lambda _: "")
    asked = [asyncio.ensure_future(commit.ask(f"{number}")) for number in range(1 + TOGETHER_MAX + 5)]
    await asyncio.sleep(0)
    writer.go.set()
    await asyncio.gather(*asked)

    assert [len(group) for group in book.groups] == [1, TOGETHER_MAX, 5]


async def test_the_error_of_one_is_not_that_of_the_others() -> None:
    """Only who cannot be written hears so."""
    commit: GroupCommit[str, str] = GroupCommit(InlineWriter(), Book().write, turn=lambda _: "")
    results = await asyncio.gather(*(commit.ask(name) for name in ("a", "b!", "c")), return_exceptions=True)

    assert [str(result) for result in results] == ["A", "no", "C"]


async def test_a_commit_that_fails_failed_for_everybody() -> None:
    """Nothing of it is durable, so nobody may go on; the next commit is another one."""
    failing = [LedgerError("disk full"), LedgerError("disk full")]

    def write(asked: Sequence[str]) -> list[str | SyncError]:
        if failing:
            raise failing.pop()
        return list(asked)

    commit: GroupCommit[str, str] = GroupCommit(InlineWriter(), write, turn=lambda _: "")
    results = await asyncio.gather(*(commit.ask(name) for name in "abc"), return_exceptions=True)

    assert [str(result) for result in results] == ["disk full"] * 3
    assert await commit.ask("d") == "d"


async def test_what_was_left_is_asked_for_again_in_its_order() -> None:
    """A transaction in a hurry writes the first ones; the others keep their places."""
    groups = list[list[str]]()

    def write(asked: Sequence[str]) -> list[str | SyncError]:
        groups.append(list(asked))
        return list(asked[:2])

    commit: GroupCommit[str, str] = GroupCommit(InlineWriter(), write, turn=lambda asked: asked[0])
    names = ["first", "a1", "b1", "a2", "b2", "a3"]
    assert await asyncio.gather(*(commit.ask(name) for name in names)) == names
    assert groups == [["first"], ["a1", "b1", "a2", "b2", "a3"], ["a2", "b2", "a3"], ["a3"]]


async def test_who_has_gone_is_not_written() -> None:
    """A caller that was cancelled before its group began gets no claim it would not know of."""
    writer, book = SlowWriter(), Book()
    commit: GroupCommit[str, str] = GroupCommit(writer, book.write, turn=lambda asked: asked)
    first = asyncio.ensure_future(commit.ask("first"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gone, stays = asyncio.ensure_future(commit.ask("gone")), asyncio.ensure_future(commit.ask("stays"))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    writer.go.set()
    with pytest.raises(asyncio.CancelledError):
        await gone

    assert [await first, await stays] == ["FIRST", "STAYS"]
    assert book.groups == [["first"], ["stays"]]
