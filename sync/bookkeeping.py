"""What the engine must remember and nobody waits for: written after the claims, which take one turn each at the ledger.

What a crash forgets of it, the claims mend (`Matches.remember`) or the ledger's occurrences refuse.
"""

from datetime import datetime

from hardware.replay import ReplayState, dump_replay, load_replay
from sync.alarms import Alarms
from sync.ledger import Ledger
from sync.matches import Matches
from sync.tasks import Tasks
from sync.writer import Writer
from timebase import Clock

MARKED_AFTER_S = 0.15
"""How much later than it is known it is written."""
REPLAY_LINK = "mqtt"


class Bookkeeping:
    """Writes airings that were heard, matches as they stand, and which messages have been taken."""

    def __init__(self, *, ledger: Ledger, writer: Writer, matches: Matches, alarms: Alarms, clock: Clock, tasks: Tasks) -> None:
        self._ledger, self._writer, self._matches = ledger, writer, matches
        self._alarms, self._clock, self._tasks = alarms, clock, tasks
        self._matches_unsaved: set[str] = set()
        self._replay_newest, self._replay_unsaved = ReplayState(), False

    def note_heard(self, airing_id: str, on_air_utc: datetime) -> None:
        """Write, a little later, that an airing was heard."""
        self._tasks.begin(self._mark_heard(airing_id, on_air_utc), name="mark-heard")

    def note_match(self, fixture: str) -> None:
        """Write a match as it stands a little later; several calls are one."""
        self._tasks.begin(self._save_match(fixture), name="save-match")

    async def note_replay(self, state: ReplayState) -> None:
        """Write which messages have been taken, a little later, also while others go on coming; several calls are one."""
        self._replay_newest = state
        if not self._replay_unsaved:
            self._tasks.begin(self._save_replay(), name="save-replay")

    async def replay(self) -> ReplayState:
        """Which messages have been taken, as last written.

        Raises:
            LedgerError: it cannot be read.
        """
        stored = await self._writer.run(self._ledger.replay_state, REPLAY_LINK)
        return ReplayState() if stored is None else load_replay(stored)

    async def _mark_heard(self, airing_id: str, on_air_utc: datetime) -> None:
        await self._clock.sleep(MARKED_AFTER_S)
        await self._alarms.saved(self._ledger.mark_heard, airing_id, on_air_utc)

    async def _save_match(self, fixture: str) -> None:
        if fixture in self._matches_unsaved:
            return
        self._matches_unsaved.add(fixture)
        await self._clock.sleep(MARKED_AFTER_S)
        self._matches_unsaved.discard(fixture)
        await self._alarms.unless_failed(self._matches.save(fixture))

    async def _save_replay(self) -> None:
        if self._replay_unsaved:
            return
        self._replay_unsaved = True
        await self._clock.sleep(MARKED_AFTER_S)
        self._replay_unsaved = False
        await self._alarms.saved(self._ledger.save_replay, REPLAY_LINK, dump_replay(self._replay_newest))
