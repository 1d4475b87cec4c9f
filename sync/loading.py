"""Reading from the ledger what the engine works with: cues, approvals, airings, and what has been used."""

from datetime import timedelta

from sync.board import Loaded
from sync.cues import Catalogue, cue_fault
from sync.firings import Firings
from sync.ledger import Ledger, StoredCue
from sync.states import Mode
from sync.writer import Writer
from timebase import Clock

CUES_AT_ONCE = 8
"""Cues whose texts are looked up in one turn of the ledger's thread, a fraction of a millisecond: claims wait behind it."""
AIRINGS_KEPT = timedelta(days=1)
"""How long a closed airing stays in the engine's sight."""


class Loader:
    """Loads; remembers only which texts it has weighed already.

    Args:
        catalogue: what cues must keep; their texts are weighed with its names.
    """

    def __init__(self, *, ledger: Ledger, firings: Firings, writer: Writer, clock: Clock, catalogue: Catalogue) -> None:
        self._ledger, self._firings, self._writer, self._clock = ledger, firings, writer, clock
        self._catalogue = catalogue
        self._faults: dict[str, str] = {}

    async def load(self) -> Loaded:
        """What the ledger says now.

        Raises:
            LedgerError: it cannot be read.
        """
        cues = await self._writer.run(self._ledger.cues)
        since_utc = self._clock.utc() - AIRINGS_KEPT
        await self._weigh(cues)
        return Loaded(
            cues=cues,
            cue_faults={one.cue.cue_id: fault for one in cues if (fault := self._faults[one.sha256])},
            # A year's plan takes a while to read: beside the ledger's thread, where claims wait.
            airings=await self._writer.aside(self._ledger.airings, closes_after_utc=since_utc),
            heard=await self._writer.run(self._ledger.heard_airings, closes_after_utc=since_utc),
            fired=await self._writer.run(self._firings.fired_airings, since_utc=since_utc),
            used_texts=await self._used_texts(cues),
        )

    async def _weigh(self, cues: tuple[StoredCue, ...]) -> None:
        """Weigh the texts of cues that are new; a millisecond a text, so beside the ledger's thread."""
        for one in cues:
            if one.sha256 not in self._faults:
                self._faults[one.sha256] = await self._writer.aside(cue_fault, one.cue, self._catalogue)
        self._faults = {one.sha256: self._faults[one.sha256] for one in cues}

    async def _used_texts(self, cues: tuple[StoredCue, ...]) -> frozenset[tuple[str, Mode, str]]:
        used = set[tuple[str, Mode, str]]()
        for begin in range(0, len(cues), CUES_AT_ONCE):
            some = [one.cue for one in cues[begin : begin + CUES_AT_ONCE]]
            used |= await self._writer.run(self._firings.used_texts, some, (Mode.REHEARSAL, Mode.LIVE))
        return frozenset(used)
