"""Looks whether approvals have ended, or will before they are needed, and tells people while there is time."""

import asyncio

from sync.alarms import Alarms
from sync.board import Board
from sync.ledger import Ledger
from timebase import Clock

CUES_AT_ONCE = 8
"""Cues looked at in one turn of the loop."""


class ApprovalWatch:
    """Sounds an alarm once for each approval that ends, and once for each that will not hold as long as its plan."""

    def __init__(self, *, board: Board, ledger: Ledger, alarms: Alarms, clock: Clock) -> None:
        self._board, self._ledger, self._alarms, self._clock = board, ledger, alarms, clock
        self._told: frozenset[tuple[str, str]] = frozenset()

    async def look(self) -> None:
        """Look now; what has ended goes into the audit record."""
        for ended in await self._alarms.saved(self._ledger.note_expired_approvals) or ():
            cue = self._board.cue(ended.cue_id)
            name = ended.cue_id if cue is None else cue.name
            sentence = f"{name}: its approval by {ended.approved_by} ended at {ended.expires_utc:%Y-%m-%d %H:%M} UTC"
            await self._alarms.sound("warning", sentence)
        found = set[tuple[str, str]]()
        for number, (name, sentence) in enumerate(self._board.lapses(self._clock.utc()), start=1):
            if sentence:
                found.add((name, sentence))
            if number % CUES_AT_ONCE == 0:
                await asyncio.sleep(0)
        news, self._told = found - self._told, frozenset(found)
        for name, sentence in sorted(news):
            await self._alarms.sound("warning", f"{name}: {sentence}; have it approved again")
