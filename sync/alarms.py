"""What a person should know of: kept in the ledger, shown, logged."""

import logging
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from sync.board import Board
from sync.errors import FencedError, LedgerError, SyncError
from sync.ledger import Ledger
from sync.snapshot import AlarmView
from sync.writer import Writer
from timebase import Clock

P = ParamSpec("P")
T = TypeVar("T")
_log = logging.getLogger(__name__)


class Alarms:
    """Raises alarms, also for transactions that fail.

    Args:
        publish: tells subscribers.
    """

    def __init__(
        self, *, board: Board, ledger: Ledger, writer: Writer, clock: Clock, publish: Callable[[str, object], None]
    ) -> None:
        self._board, self._ledger, self._writer, self._clock, self._publish = board, ledger, writer, clock, publish

    async def sound(self, level: str, text: str) -> None:
        """Tell everybody; `level` is `info`, `warning` or `critical`."""
        _log.warning("alarm", extra={"level": level, "text": text})
        try:
            alarm = await self._writer.run(self._ledger.add_alarm, level, text)
        except LedgerError:
            # The alarm may well be about the ledger: people see it all the same.
            alarm = AlarmView(alarm_id=0, utc=self._clock.utc(), level=level, text=text)
        self._board.alarms.appendleft(alarm)
        self._publish("alarm", alarm)

    async def saved(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """The result of a transaction; None, and an alarm, when it fails."""
        return await self.unless_failed(self._writer.run(work, *args, **kwargs))

    async def unless_failed(self, work: Coroutine[Any, Any, T]) -> T | None:
        """The result of `work`; when the ledger does not obey, an alarm and None, not the end.

        Raises:
            FencedError: another engine has taken over.
        """
        try:
            return await work
        except FencedError:
            raise
        except SyncError as error:
            await self.sound("critical", str(error))
            return None
