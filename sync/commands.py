"""What people command: kill, release, change the mode, settle an unknown firing, veto one that waits."""

import logging
from collections.abc import Awaitable, Callable, Collection

from sync.alarms import Alarms
from sync.board import Board
from sync.errors import ControlError, IllegalTransitionError, LedgerError
from sync.firings import Firings
from sync.ledger import Ledger
from sync.receipts import FiringRecord, firing_view
from sync.showing import Showing
from sync.snapshot import JsonObject, as_json
from sync.standing import Standing
from sync.states import FiringState, Mode
from sync.tasks import Tasks
from sync.wire import Kill, Release, SetMode, Settle, Veto
from sync.writer import Writer

_log = logging.getLogger(__name__)


class Commands:
    """Carries out commands, each in one transaction, and answers when it holds.

    Args:
        modes: those that have a publisher.
        announce: told of firings that change.
        look_again: called when other media or fresher tokens may be needed than before.
    """

    def __init__(
        self,
        *,
        standing: Standing,
        modes: Collection[Mode],
        ledger: Ledger,
        firings: Firings,
        writer: Writer,
        board: Board,
        showing: Showing,
        alarms: Alarms,
        tasks: Tasks,
        announce: Callable[[FiringRecord], Awaitable[None]],
        look_again: Callable[[], None],
    ) -> None:
        self._standing, self._modes = standing, modes
        self._ledger, self._firings, self._writer = ledger, firings, writer
        self._board, self._showing, self._alarms, self._tasks = board, showing, alarms, tasks
        self._announce, self._look_again = announce, look_again

    async def kill(self, request: Kill) -> JsonObject:
        """Let no POST begin any more, in this process or another; what waits is withdrawn.

        Raises:
            ControlError: it holds in this process, but could not be saved.
        """
        # First the flag that the last look before the first byte reads, then the durable switch. Once both
        # stand nothing can start, in this process or in another one.
        self._standing.stop_reason = f"killed: {request.reason}"
        try:
            self._standing.switch, withdrawn = await self._writer.standing_still(
                self._firings.kill, actor=request.actor, reason=request.reason
            )
        except LedgerError as error:
            sentence = f"killed in this process, but it could not be saved and a restart would forget it: {error}"
            await self._alarms.sound("critical", sentence)
            raise ControlError("ledger", sentence) from error
        # Both stand: that is the answer. Telling everybody takes turns with whatever else waits for the ledger.
        self._tasks.begin(self._tell_killed(request, withdrawn), name="tell-killed")
        return {"killed": True}

    async def release(self, request: Release) -> JsonObject:
        """Undo a kill; what fell into it stays unsent.

        Raises:
            LedgerError: it could not be saved; the kill stands.
        """
        self._standing.switch = await self._writer.run(
            self._ledger.release, actor=request.actor, reason=request.reason, epoch=self._standing.epoch
        )
        self._standing.stop_reason = ""
        _log.warning("released", extra={"actor": request.actor, "reason": request.reason})
        self._showing.heartbeat()
        self._look_again()
        await self._alarms.sound("info", f"the kill was released by {request.actor}: {request.reason}")
        return {"killed": False}

    async def set_mode(self, request: SetMode) -> JsonObject:
        """Change the mode.

        Raises:
            ControlError: that mode has no publisher.
            LedgerError: it could not be saved; the mode is what it was.
        """
        mode = Mode(request.mode)
        if mode is not Mode.OFF and mode not in self._modes:
            raise ControlError("refused", f"mode {mode}: no publisher is configured for it")
        self._standing.switch = await self._writer.run(
            self._ledger.set_mode, mode, actor=request.actor, epoch=self._standing.epoch
        )
        _log.warning("mode_changed", extra={"mode": mode.value, "actor": request.actor})
        self._showing.heartbeat()
        self._look_again()
        await self._alarms.sound("info", f"the mode is {mode}, set by {request.actor}")
        self._showing.refresh()
        return {"mode": mode.value}

    async def settle(self, request: Settle) -> JsonObject:
        """Say what became of an unknown firing, as a person saw it.

        Raises:
            ControlError: POSTED without the tweet's id.
            IllegalTransitionError: the firing is not unknown.
            LedgerError: it could not be saved.
        """
        if request.state == "POSTED" and request.tweet_id is None:
            raise ControlError("bad_request", "settle: tweet_id: give the id of the tweet that was posted")
        record = await self._writer.run(
            self._firings.resolve,
            request.firing_id,
            FiringState(request.state),
            tweet_id=request.tweet_id,
            reason=request.reason,
            settled_by=request.actor,
        )
        await self._announce(record)
        return as_json(firing_view(record))

    async def veto(self, request: Veto) -> JsonObject:
        """Stop a firing that waits, for good.

        Raises:
            ControlError: it waits no more.
            LedgerError: it could not be saved.
        """
        # Before all that waits: the claim it must forestall may be due in a moment.
        try:
            record = await self._writer.at_once(
                self._firings.resolve,
                request.firing_id,
                FiringState.WITHDRAWN,
                reason=f"vetoed: {request.reason}",
                settled_by=request.actor,
                for_good=True,
            )
        except IllegalTransitionError as error:
            raise ControlError("refused", f"too late for a veto: {error}") from error
        _log.warning("vetoed", extra={"firing_id": record.firing_id, "actor": request.actor, "reason": request.reason})
        await self._announce(record)
        return as_json(firing_view(record))

    async def _tell_killed(self, request: Kill, withdrawn: tuple[FiringRecord, ...]) -> None:
        _log.warning("killed", extra={"actor": request.actor, "reason": request.reason})
        self._showing.heartbeat()
        for record in withdrawn:
            await self._announce(record)
        await self._alarms.sound("critical", f"killed by {request.actor}: {request.reason}")
