"""Whether everything that tells the engine something still does: an alarm once, when it ceases to."""

from collections.abc import Iterator, Mapping

from sync.alarms import Alarms
from sync.board import Board
from sync.interlocks import Interlocks
from sync.markers import Markers
from timebase import Clock

LISTENER_SILENT_NS = 2_000_000_000
"""A listener that has not spoken for this long has died or hangs."""
WELL_FOR_NS = 10_000_000_000
"""What was well for less than this has not recovered: a source that comes and goes is one alarm."""

_WELL = frozenset(("live", "silent"))
_STALLED = frozenset(("stalled", "failed"))


class Episodes:
    """Troubles that last for a while; each is told of when it begins."""

    def __init__(self, *, well_for_ns: int) -> None:
        self._well_for_ns = well_for_ns
        self._going_on: frozenset[str] = frozenset()
        self._last_mono_ns: dict[str, int] = {}

    def begun(self, troubles: Mapping[str, str], *, now_mono_ns: int) -> list[str]:
        """The sentences of those that have just begun, by what is in trouble."""
        lately = {name: at_ns for name, at_ns in self._last_mono_ns.items() if now_mono_ns - at_ns < self._well_for_ns}
        known = self._going_on | lately.keys()
        self._going_on, self._last_mono_ns = frozenset(troubles), lately | dict.fromkeys(troubles, now_mono_ns)
        return [sentence for name, sentence in sorted(troubles.items()) if name not in known]


class SourceWatch:
    """Looks at feeds, sources of markers and tallies."""

    def __init__(self, *, board: Board, markers: Markers, interlocks: Interlocks, alarms: Alarms, clock: Clock) -> None:
        self._board, self._markers, self._interlocks = board, markers, interlocks
        self._alarms, self._clock = alarms, clock
        self._silent, self._stalled = Episodes(well_for_ns=0), Episodes(well_for_ns=WELL_FOR_NS)
        self._lived: set[str] = set()

    async def look(self) -> None:
        """Sound an alarm for whatever has ceased to tell since the last look."""
        now_ns = self._clock.mono_ns()
        for sentence in self._silent.begun(dict(self._silent_listeners(now_ns)), now_mono_ns=now_ns):
            await self._alarms.sound("critical", sentence)
        for sentence in self._stalled.begun(dict(self._stalled_sources(now_ns)), now_mono_ns=now_ns):
            await self._alarms.sound("warning", sentence)

    def _silent_listeners(self, now_ns: int) -> Iterator[tuple[str, str]]:
        """Those whose process says nothing any more."""
        for feed_id in self._board.silent_listeners(now_mono_ns=now_ns, older_than_ns=LISTENER_SILENT_NS):
            yield f"feed {feed_id}", f"the listener of feed {feed_id} has fallen silent; its detections are refused"
        for source_id in self._markers.silent(now_mono_ns=now_ns, older_than_ns=LISTENER_SILENT_NS):
            sentence = f"the listener of source of markers {source_id} has fallen silent; its markers are refused"
            yield f"markers {source_id}", sentence
        for tally_id in self._interlocks.silent(now_mono_ns=now_ns):
            yield f"tally {tally_id}", f"the listener of tally {tally_id} has fallen silent; cues that wait for it do not fire"

    def _stalled_sources(self, now_ns: int) -> Iterator[tuple[str, str]]:
        """Those whose process lives, and hears nothing where it did before."""
        for feed in self._board.feed_views():
            if self._has_stalled(f"feed {feed.feed_id}", feed.state, _STALLED):
                yield f"feed {feed.feed_id}", f"feed {feed.feed_id} is {feed.state}: {feed.detail or 'no sound comes'}"
        for source in self._markers.source_views():
            name = f"source of markers {source.source_id}"
            # Playout automation that has gone leaves its source waiting for it.
            if self._has_stalled(name, source.state, _STALLED | {"connecting"}):
                yield name, f"{name} is {source.state}: {source.detail or 'no data comes'}; its markers are not heard"
        for tally in self._interlocks.views():
            if trouble := self._interlocks.trouble(tally.tally_id, now_mono_ns=now_ns):
                yield f"tally {tally.tally_id}", trouble

    def _has_stalled(self, name: str, state: str, troubles: frozenset[str]) -> bool:
        if state in _WELL:
            self._lived.add(name)
        return name in self._lived and state in troubles
