"""A standby takes over from the silent, never from the living."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from sync.errors import LedgerError
from sync.lease import SILENT_NS, Lease, LeaseHeldError, SilenceWatch, holder_of, take_over
from timebase import VirtualClock

MAIN = Lease(holder="main", epoch=3, beat=10)


def beats(beat: int) -> Lease:
    return Lease(holder="main", epoch=3, beat=beat)


def test_silence_begins_with_the_last_change() -> None:
    """A beat, a new epoch, or another holder is a sign of life; the first look is one too."""
    watch = SilenceWatch()

    assert not watch.is_silent(beats(1), 5 * SILENT_NS)
    assert not watch.is_silent(beats(1), 6 * SILENT_NS - 1)
    assert watch.is_silent(beats(1), 6 * SILENT_NS)
    assert not watch.is_silent(beats(2), 6 * SILENT_NS)
    assert not watch.is_silent(Lease(holder="main", epoch=4, beat=2), 7 * SILENT_NS)
    assert not watch.is_silent(Lease(holder="third", epoch=4, beat=2), 8 * SILENT_NS)


class Story:
    """A ledger whose lease is told look by look; the last stays. `taken` tells at which look it was taken, and on what word."""

    def __init__(self, looks: Sequence[Lease | Exception | None], *, refuses: int = 0) -> None:
        self.looks, self.refuses = list(looks), refuses
        self.looked = 0
        self.taken: tuple[int, Lease | None] | None = None
        self.stood_by: list[str] = []
        self.clock = VirtualClock()

    async def read(self) -> Lease | None:
        found = self.looks[min(self.looked, len(self.looks) - 1)]
        self.looked += 1
        if isinstance(found, Exception):
            raise found
        return found

    async def take(self, seen: Lease | None) -> int:
        if self.refuses:
            self.refuses -= 1
            raise LeaseHeldError("lives")
        self.taken = (self.looked, seen)
        return 9

    async def run(self, *, seconds: float) -> int | None:
        async def note(lease: Lease) -> None:
            self.stood_by.append(lease.holder)

        work = asyncio.ensure_future(take_over(self.read, self.take, holder="us", clock=self.clock, on_standby=note))
        await self.clock.advance(seconds)
        if work.done():
            return work.result()
        work.cancel()
        return None


@pytest.mark.parametrize("lease", [None, Lease(holder="", epoch=3, beat=1), Lease(holder="us", epoch=3, beat=1)])
async def test_nobody_ourselves_and_who_stopped_in_order_are_not_waited_for(lease: Lease | None) -> None:
    """A restart after a crash fires again at once."""
    story = Story([lease])

    assert await story.run(seconds=0.2) == 9
    assert story.taken == (1, lease)
    assert story.stood_by == []


async def test_the_living_is_waited_for_and_the_silent_replaced_within_three_seconds() -> None:
    """Beats once a second for six seconds, then none."""
    story = Story([beats(look // 5) for look in range(30)])

    assert await story.run(seconds=5.9) is None
    assert story.taken is None
    story = Story([beats(look // 5) for look in range(30)])
    assert await story.run(seconds=6.0 + 3.0) == 9
    assert story.stood_by == [MAIN.holder]


async def test_each_engine_that_is_waited_for_is_told_once() -> None:
    """Another standby was quicker: people learn whose engine fires now."""
    story = Story([MAIN, beats(11), Lease(holder="third", epoch=4, beat=0), Lease(holder="third", epoch=4, beat=1)])

    assert await story.run(seconds=2.0) is None
    assert story.stood_by == [MAIN.holder, "third"]


async def test_who_beats_in_the_last_moment_keeps_it() -> None:
    """The transaction finds another count than the one seen: nothing is taken, watching goes on."""
    story = Story([MAIN], refuses=3)

    assert await story.run(seconds=4.0) == 9
    assert story.taken is not None
    assert story.looked > 15


async def test_a_ledger_that_cannot_be_read_is_no_silence() -> None:
    """While standing by it is waited out; at the first look it is an error."""
    with pytest.raises(LedgerError, match="gone"):
        await Story([LedgerError("gone")]).run(seconds=1)
    story = Story([MAIN, *[LedgerError("gone")] * 40, beats(99)])
    assert await story.run(seconds=8.5) is None


async def test_after_an_outage_the_other_has_time_to_beat_again() -> None:
    """The count stands where it stood before: the silence is measured from the first look that succeeds (found by a seed)."""
    story = Story([MAIN, *[LedgerError("gone")] * 40, *[MAIN] * 10, beats(99)])
    assert await story.run(seconds=11.0) is None
    story = Story([MAIN, *[LedgerError("gone")] * 40, MAIN])
    assert await story.run(seconds=8.0 + 3.0) == 9


async def test_a_stop_in_order_ends_the_wait(tmp_path: Path) -> None:
    """The next look takes over."""
    story = Story([MAIN, MAIN, Lease(holder="", epoch=3, beat=11)])

    assert await story.run(seconds=1.0) == 9
    assert str(tmp_path) in holder_of(tmp_path)
