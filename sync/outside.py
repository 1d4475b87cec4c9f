"""What other processes have put into the ledger: plans and alarms. The engine looks for itself, so that nobody has to tell it.

Whoever imports a plan asks the engine to read it at once; if that process dies in between, this look finds the plan.
"""

import logging
from collections.abc import Awaitable, Callable

from sync.alarms import Alarms
from sync.board import ALARMS_SHOWN, Board
from sync.firings import Firings
from sync.ledger import Ledger
from sync.receipts import FiringRecord
from sync.showing import Showing
from sync.states import FiringState
from sync.writer import Writer
from timebase import Clock

LOOKED_EVERY_S = 0.5
"""An airing that was taken out is disarmed within this and the time of reading."""

_log = logging.getLogger(__name__)


class Outside:
    """Looks twice a second, by one statement.

    Args:
        reload: reads cues, approvals and airings again.
    """

    def __init__(
        self,
        *,
        board: Board,
        ledger: Ledger,
        firings: Firings,
        writer: Writer,
        clock: Clock,
        showing: Showing,
        alarms: Alarms,
        reload: Callable[[], Awaitable[None]],
    ) -> None:
        self._board, self._ledger, self._firings, self._writer, self._clock = board, ledger, firings, writer, clock
        self._showing, self._alarms, self._reload = showing, alarms, reload
        self._plans = 0
        self._alarm_id = 0

    async def note(self) -> None:
        """Remember how plans stand now: asked right before they are read.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        self._plans, newest_alarm = await self._writer.run(self._ledger.marks)
        self._alarm_id = self._alarm_id or newest_alarm

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._clock.sleep(LOOKED_EVERY_S)
            await self._alarms.unless_failed(self.look())

    async def look(self) -> None:
        """Take up what is new.

        Raises:
            LedgerError: it cannot be read; the next look tries again.
        """
        plans, newest_alarm = await self._writer.run(self._ledger.marks)
        if newest_alarm > self._alarm_id:
            await self._show_alarms(after=self._alarm_id)
            self._alarm_id = newest_alarm
        if plans != self._plans:
            _log.info("plans_changed", extra={"version_id": plans})
            await self._reload()
            await self._show_withdrawn()
            self._showing.refresh()

    async def _show_alarms(self, *, after: int) -> None:
        newest = await self._writer.run(self._ledger.alarms, limit=ALARMS_SHOWN)
        known = {alarm.alarm_id for alarm in self._board.alarms}
        for alarm in reversed(newest):
            if alarm.alarm_id > after and alarm.alarm_id not in known:
                self._board.alarms.appendleft(alarm)
                self._showing.publish("alarm", alarm)

    async def _show_withdrawn(self) -> None:
        """Firings that wait for an audience delay may have been withdrawn with their airing."""
        for record in self._board.waiting_firings():
            now: FiringRecord | None = await self._writer.run(self._firings.get, record.firing_id)
            if now is not None and now.state is FiringState.WITHDRAWN:
                self._showing.firing(now)
