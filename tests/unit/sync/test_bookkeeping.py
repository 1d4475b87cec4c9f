"""What the engine must remember is written while more of it comes."""

import asyncio
from pathlib import Path
from types import MappingProxyType

from hardware.replay import DeviceHistory, ReplayState
from sync.alarms import Alarms
from sync.board import Board
from sync.bookkeeping import REPLAY_LINK, Bookkeeping
from sync.firings import Firings
from sync.ledger import Ledger
from sync.matches import Matches
from sync.tasks import Tasks
from sync.writer import InlineWriter
from timebase import VirtualClock


def heard(sequence: int) -> ReplayState:
    history = DeviceHistory(boot="01" * 13, sequence=sequence, ids=())
    return ReplayState(devices=MappingProxyType({("arena", "board"): history}))


async def test_which_messages_have_been_taken_is_written_though_more_keep_coming(tmp_path: Path) -> None:
    """A crash in the middle of a busy hour forgets the last fraction of a second of it, not the hour."""
    clock, writer, tasks = VirtualClock(), InlineWriter(), Tasks()
    ledger = Ledger.open(tmp_path / "ledger.db", clock=clock)
    firings = Firings(ledger, epoch=ledger.become_engine(), boot_id="boot")
    matches = Matches((), ledger=ledger, firings=firings, writer=writer)
    alarms = Alarms(board=Board({}), ledger=ledger, writer=writer, clock=clock, publish=lambda *_: None)
    books = Bookkeeping(ledger=ledger, writer=writer, matches=matches, alarms=alarms, clock=clock, tasks=tasks)

    async with asyncio.TaskGroup() as group:
        tasks.group = group
        for sequence in range(1, 31):
            await books.note_replay(heard(sequence))
            await clock.advance(0.1)
            if sequence > 3:
                known = (await books.replay()).devices["arena", "board"].sequence
                assert sequence - 3 < known <= sequence
        await clock.advance(1.0)

    assert (await books.replay()) == heard(30)
    assert ledger.replay_state(REPLAY_LINK) is not None
    ledger.close()
