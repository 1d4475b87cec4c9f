"""A source's bytes to its markers: the decoder, each programme's clock and what is known of its markers, together. Pure."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from hardware.markers import MarkerReport
from hardware.scte35.keeper import CLOCK_AWAITED_MAX, Arrival, MarkerKeeper, pts_of
from hardware.scte35.stream_clock import StreamClock
from hardware.scte35.transport import ClockReading, HeardMessage, TransportDecoder


class MarkerStream:
    """Everything that is known of one transport stream.

    Args:
        spots: spot ids by identifier, in capital letters.
        program: the one that is followed; None for all.
        by_position: the place in a break names a spot.
        offset_ms: added to each instant: how much later it counts than the stream's clock says.
    """

    def __init__(
        self,
        source_id: str,
        spots: Mapping[str, str],
        *,
        program: int | None = None,
        by_position: bool = False,
        offset_ms: float = 0.0,
    ) -> None:
        self._source_id, self._spots, self._by_position = source_id, spots, by_position
        self._program, self._offset_ns = program, round(offset_ms * 1e6)
        self._clocks: dict[int, StreamClock] = {}
        self._keepers: dict[int, MarkerKeeper] = {}
        self._waiting: deque[tuple[HeardMessage, Arrival]] = deque(maxlen=CLOCK_AWAITED_MAX)
        self._decoder = TransportDecoder(program=program)
        self._earlier = (0, 0)

    def restart(self) -> None:
        """Begin with another connection: its clock and packets have nothing to do with those before, its markers have."""
        self._earlier = (self.messages, self.damaged)
        self._decoder = TransportDecoder(program=self._program)
        self._clocks.clear()
        self._waiting.clear()

    @property
    def messages(self) -> int:
        """Messages understood so far."""
        return self._earlier[0] + self._decoder.good_sections

    @property
    def damaged(self) -> int:
        """Messages that could not be."""
        return self._earlier[1] + self._decoder.bad_sections

    @property
    def ignored(self) -> int:
        """Markers without an instant, too far ahead, or over."""
        return sum(keeper.ignored for keeper in self._keepers.values())

    @property
    def has_markers(self) -> bool:
        """Whether a programme names a stream of markers."""
        return any(self._decoder.programs.values())

    def feed(self, data: bytes, mono_ns: int, utc: datetime) -> list[MarkerReport]:
        """What bytes that arrived at an instant tell that is new."""
        reports: list[MarkerReport] = []
        for event in self._decoder.feed(data):
            if isinstance(event, ClockReading):
                self._clocks.setdefault(event.program, StreamClock()).observe(event.pcr, mono_ns, jumped=event.jumped)
                reports += self._with_clock(event.program)
            else:
                reports += self._heard(event, Arrival(mono_ns=mono_ns, utc=utc, at_mono_ns=None))
        return reports

    def _with_clock(self, program: int) -> Iterator[MarkerReport]:
        """What waited for the programme's first clock reference."""
        for _ in range(len(self._waiting)):
            heard, arrival = self._waiting.popleft()
            if heard.program == program:
                yield from self._heard(heard, arrival)
            else:
                self._waiting.append((heard, arrival))

    def _heard(self, heard: HeardMessage, arrival: Arrival) -> list[MarkerReport]:
        pts, clock = pts_of(heard.message), self._clocks.get(heard.program)
        if pts is not None and clock is None:
            self._waiting.append((heard, arrival))
            return []
        at_ns = None if pts is None or clock is None else clock.instant_of(pts, arrival.mono_ns)
        keeper = self._keepers.setdefault(
            heard.program, MarkerKeeper(self._source_id, self._spots, by_position=self._by_position)
        )
        reports = keeper.take(heard.message, replace(arrival, at_mono_ns=at_ns))
        return [
            replace(one, event=f"{heard.program}/{one.event}", at_mono_ns=one.at_mono_ns + self._offset_ns) for one in reports
        ]
