"""Where intents become firings: with what stands against them just now, and never more than the engine can bear."""

import asyncio
import dataclasses
from collections.abc import Iterable

from sync.alarms import Alarms
from sync.board import Board
from sync.corroboration import Corroboration
from sync.decide import Intent
from sync.interlocks import Interlocks
from sync.outlets import Outlets
from sync.shooter import Shooter
from sync.tasks import Tasks
from timebase import Clock

FIRINGS_AT_ONCE_MAX = 2000
"""Firings that wait or are under way; a further one is refused with an alarm."""


class FiringLine:
    """Begins the firing of each intent, in a task of its own."""

    def __init__(
        self,
        *,
        board: Board,
        shooter: Shooter,
        corroboration: Corroboration,
        interlocks: Interlocks,
        outlets: Outlets,
        alarms: Alarms,
        tasks: Tasks,
        clock: Clock,
    ) -> None:
        self._board, self._shooter, self._corroboration, self._interlocks = board, shooter, corroboration, interlocks
        self._outlets, self._alarms, self._tasks, self._clock = outlets, alarms, tasks, clock
        self._shots: set[asyncio.Task[None]] = set()
        self._not_fired = 0

    def fire(self, intents: Iterable[Intent]) -> None:
        """Begin them in this order; what comes of each is told by the shooter."""
        for intent in intents:
            if len(self._shots) >= FIRINGS_AT_ONCE_MAX:
                self._too_many(intent)
                continue
            if fault := self._board.cue_faults.get(intent.cue.cue_id):
                intent = dataclasses.replace(intent, text_fault=fault)  # noqa: PLW2901 - the same intent, known better
            asked = self._interlocks.seen_by(self._corroboration.asked(intent), now_mono_ns=self._clock.mono_ns())
            shot = self._shooter.begin(asked, self._outlets.faults, self._tasks)
            if shot is not None:
                self._shots.add(shot)
                shot.add_done_callback(self._shots.discard)

    def _too_many(self, intent: Intent) -> None:
        """One alarm for all that come in a second: an alarm is a transaction, and would take the claims' time."""
        self._not_fired += 1
        if self._not_fired == 1:
            self._tasks.begin(self._alarm_too_many(intent.cue.name), name="alarm")

    async def _alarm_too_many(self, first_name: str) -> None:
        await self._clock.sleep(1.0)
        others, self._not_fired = self._not_fired - 1, 0
        more = f" and {others} more" if others else ""
        sentence = f"{first_name}{more} not fired: {FIRINGS_AT_ONCE_MAX} firings are under way already"
        await self._alarms.sound("critical", sentence)
