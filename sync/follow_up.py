"""What becomes of a firing whose goal is taken back: withdrawn, taken down, corrected, or left, as its cue has it."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta

from sync.alarms import Alarms
from sync.board import Board
from sync.decide import Intent, Moment, decide_correction
from sync.firings import Firings
from sync.matches import Matches
from sync.receipts import FiringRecord
from sync.shooter import Shooter
from sync.signals import GoalTakenBack, goal_taken_back
from sync.states import Action, FiringState
from sync.tasks import Tasks
from sync.writer import Writer
from timebase import Clock

FOLLOW_UP_WITHIN_NS = 600_000_000_000
"""A tweet of a goal that was taken back is deleted or corrected within ten minutes of the correction, or by a person."""


class FollowUp:
    """Follows goals that are taken back.

    Args:
        names: home and away by fixture.
        fire: brings an intent to rest.
        announce: told of firings that change.
    """

    def __init__(
        self,
        *,
        board: Board,
        matches: Matches,
        names: Mapping[str, tuple[str, str]],
        firings: Firings,
        writer: Writer,
        shooter: Shooter,
        alarms: Alarms,
        clock: Clock,
        tasks: Tasks,
        fire: Callable[[Iterable[Intent]], None],
        announce: Callable[[FiringRecord], Awaitable[None]],
    ) -> None:
        self._board, self._matches, self._names = board, matches, names
        self._firings, self._writer, self._shooter = firings, writer, shooter
        self._alarms, self._clock, self._tasks = alarms, clock, tasks
        self._fire, self._announce = fire, announce

    async def take_back(self, signal: GoalTakenBack) -> None:
        """Do about every firing of a goal what its cue wants, now that the goal does not stand."""
        for record in await self._alarms.saved(self._firings.of_occurrence, signal.occurrence_id) or ():
            if record.state is FiringState.ARMED:
                withdrawn = await self._alarms.saved(
                    self._firings.resolve, record.firing_id, FiringState.WITHDRAWN, reason="the goal has been taken back"
                )
                if withdrawn is not None:
                    await self._announce(withdrawn)
            elif self.is_wanted(record):
                self._begin(record, signal)

    def is_wanted(self, record: FiringRecord) -> bool:
        """Whether a tweet's goal does not stand any more and its cue wants something done about it."""
        if record.action is not Action.POST or record.state is not FiringState.POSTED:
            return False
        cue = self._board.cue(record.cue_id)
        return cue is not None and cue.taken_back != "leave" and self._matches.is_taken_back(record.occurrence_id)

    def begin_late(self, record: FiringRecord) -> None:
        """Follow up a tweet that turns out to be there only now."""
        now_ns, now_utc = self._clock.mono_ns(), self._clock.utc()
        self._begin(
            record, goal_taken_back(record.occurrence_id, on_air_mono_ns=now_ns, on_air_utc=now_utc, heard_mono_ns=now_ns)
        )

    async def take_up(self) -> None:
        """Follow up what an engine before this one had no time for."""
        recent_utc = self._clock.utc() - timedelta(seconds=FOLLOW_UP_WITHIN_NS / 1e9)
        for shown in self._board.firings():
            if shown.updated_utc > recent_utc and self._matches.is_taken_back(shown.occurrence_id):
                record = await self._writer.run(self._firings.get, shown.firing_id)
                if record is not None and self.is_wanted(record):
                    self.begin_late(record)

    def _begin(self, record: FiringRecord, signal: GoalTakenBack) -> None:
        cue = self._board.cue(record.cue_id)
        deadline_ns = signal.on_air_mono_ns + FOLLOW_UP_WITHIN_NS
        if cue is not None and cue.taken_back == "correct":
            intent = decide_correction(
                signal,
                cue,
                firing_id=record.firing_id,
                mode=record.mode,
                names=self._names,
                deadline_mono_ns=deadline_ns,
                now=Moment(mono_ns=self._clock.mono_ns(), utc=self._clock.utc()),
            )
            self._fire([intent])
        else:
            down = self._shooter.take_down(
                record,
                deadline_mono_ns=deadline_ns,
                on_air_mono_ns=signal.on_air_mono_ns,
                heard_mono_ns=signal.heard_mono_ns,
            )
            self._tasks.begin(down, name="take-down")
