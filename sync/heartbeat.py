"""What the engine does once a second: say that it lives, and look whether everything else still does."""

from datetime import datetime, timedelta

from sync.alarms import Alarms
from sync.approval_watch import ApprovalWatch
from sync.board import Board
from sync.errors import LedgerError
from sync.interlocks import Interlocks
from sync.ledger import Ledger
from sync.markers import Markers
from sync.showing import Showing
from sync.source_watch import SourceWatch
from sync.writer import Writer
from timebase import Clock

CHECKPOINT_EVERY = 10
"""Heartbeats between two copies of the write-ahead log, on a thread that no claim waits for."""
APPROVALS_EVERY = 60
"""Heartbeats between two looks at the approvals."""
CLOCK_STEP_MAX = timedelta(seconds=2)
"""A wall clock that leaves the monotonic one by more is reported."""


class Heartbeat:
    """Beats until cancelled.

    Args:
        epoch: the engine's, for the lease.
        every_s: between two beats.
    """

    def __init__(
        self,
        *,
        board: Board,
        markers: Markers,
        interlocks: Interlocks,
        showing: Showing,
        alarms: Alarms,
        ledger: Ledger,
        writer: Writer,
        clock: Clock,
        epoch: int,
        every_s: float,
    ) -> None:
        self._showing, self._alarms = showing, alarms
        self._ledger, self._writer, self._clock = ledger, writer, clock
        self._epoch, self._every_s = epoch, every_s
        self._approvals = ApprovalWatch(board=board, ledger=ledger, alarms=alarms, clock=clock)
        self._sources = SourceWatch(board=board, markers=markers, interlocks=interlocks, alarms=alarms, clock=clock)
        self._anchor_fault = ""
        self._wall_offset = self._wall_offset_now()

    async def run(self) -> None:
        """Beat until cancelled.

        Raises:
            FencedError: another engine has taken over the ledger.
        """
        beats = 0
        while True:
            self._showing.heartbeat()
            self._showing.refresh()
            await self._sources.look()
            await self._watch_clock()
            await self._alarms.unless_failed(self._writer.at_once(self._ledger.beat, self._epoch))
            await self.anchor()
            if beats % APPROVALS_EVERY == 0:
                await self._approvals.look()
            beats += 1
            if beats % CHECKPOINT_EVERY == 0:
                await self._alarms.unless_failed(self._writer.aside(self._ledger.database.checkpoint))
            await self._clock.sleep(self._every_s)

    async def anchor(self) -> None:
        """Note the newest audit record outside the ledger; what is wrong with it is told once."""
        fault, before = "", self._anchor_fault
        try:
            await self._writer.aside(self._ledger.anchor)
        except LedgerError as error:
            fault = str(error)
        self._anchor_fault = fault
        if fault and fault != before:
            await self._alarms.sound("critical", fault)

    async def _watch_clock(self) -> None:
        offset = self._wall_offset_now()
        step, self._wall_offset = offset - self._wall_offset, offset
        if abs(step) > CLOCK_STEP_MAX:
            sentence = f"the wall clock stepped by {step.total_seconds():+.1f} s; windows follow it, deadlines do not"
            await self._alarms.sound("critical", sentence)

    def _wall_offset_now(self) -> datetime:
        return self._clock.utc() - timedelta(microseconds=self._clock.mono_ns() / 1000)
