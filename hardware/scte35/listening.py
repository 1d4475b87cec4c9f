"""Listening to a source of markers: open it, follow it, open it again, and say all the time how it is."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from hardware.errors import SourceLostError
from hardware.markers import MarkerReport, MarkerSourceState, MarkerSourceStatus
from hardware.scte35.sources import FileSource, TransportSource, parse_source
from hardware.scte35.stream import MarkerStream
from timebase import Backoff, Clock

STATUS_EVERY_S = 0.5
STALL_NS = 1_500_000_000
"""Without data for so long a source is stalled."""

log = logging.getLogger(__name__)

MarkerSink = Callable[[MarkerReport | MarkerSourceStatus], Awaitable[None]]
"""Takes what a source tells; never waits for long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkerSourceSetup:
    """A source of markers.

    Attributes:
        url: `udp://`, `rtp://`, `srt://`, or a file.
        program: the programme that is followed; None for all.
        spots: spot ids by identifier, in capital letters.
        by_position: the plan lists every spot of a break, so that the place in it names a spot.
        offset_ms: added to each instant.
    """

    source_id: str
    url: str
    program: int | None = None
    spots: Mapping[str, str] = field(default_factory=dict)
    by_position: bool = False
    offset_ms: float = 0.0


class MarkerListener:
    """Follows one source until cancelled, or until a file ends.

    Raises:
        SettingError: its address is none.
    """

    def __init__(self, setup: MarkerSourceSetup, *, clock: Clock, sink: MarkerSink) -> None:
        self._source: TransportSource = parse_source(setup.url)
        self._id, self._clock, self._sink = setup.source_id, clock, sink
        self._stream = MarkerStream(
            setup.source_id, setup.spots, program=setup.program, by_position=setup.by_position, offset_ms=setup.offset_ms
        )
        self._state, self._detail = MarkerSourceState.CONNECTING, ""
        self._seen_mono_ns = 0

    async def run(self) -> None:
        """Listen."""
        async with asyncio.TaskGroup() as tasks:
            telling = tasks.create_task(self._tell(), name=f"status of {self._id}")
            await self._listen()
            telling.cancel()
        await self._sink(self.status())

    def status(self) -> MarkerSourceStatus:
        """How the source is now."""
        state, detail, now_ns = self._state, self._detail, self._clock.mono_ns()
        if state is MarkerSourceState.LIVE and now_ns - self._seen_mono_ns > STALL_NS:
            state, detail = MarkerSourceState.STALLED, f"nothing for {(now_ns - self._seen_mono_ns) / 1e9:.0f} s"
        elif state is MarkerSourceState.LIVE and not self._stream.has_markers:
            detail = "no programme of it names a stream of markers (type 86)"
        return MarkerSourceStatus(
            source_id=self._id,
            state=state,
            messages=self._stream.messages,
            damaged=self._stream.damaged,
            ignored=self._stream.ignored,
            seen_mono_ns=self._seen_mono_ns,
            sent_utc=self._clock.utc(),
            detail=detail,
        )

    async def _listen(self) -> None:
        backoff = Backoff(first_s=0.25, most_s=5.0, floor_s=0.05)
        while True:
            try:
                async with contextlib.aclosing(self._source.chunks(self._clock)) as chunks:
                    async for chunk in chunks:
                        backoff.reset()
                        await self._take(chunk.data, chunk.mono_ns)
            except SourceLostError as lost:
                log.warning("markers.lost", extra={"source_id": self._id, "reason": str(lost)})
                self._state, self._detail = MarkerSourceState.FAILED, str(lost)
            else:
                self._state, self._detail = MarkerSourceState.ENDED, f"{self._source}: the end of the file"
            if isinstance(self._source, FileSource):
                return
            await self._clock.sleep(backoff.next_s())
            self._stream.restart()

    async def _take(self, data: bytes, mono_ns: int) -> None:
        self._state, self._detail, self._seen_mono_ns = MarkerSourceState.LIVE, "", mono_ns
        for report in self._stream.feed(data, mono_ns, self._clock.utc()):
            facts = {"source_id": self._id, "event": report.event, "what": report.what, "spots": report.spot_ids}
            log.info("markers.heard", extra={**facts, "kind": report.kind.value, "ahead_ms": (report.at_mono_ns - mono_ns) / 1e6})
            await self._sink(report)

    async def _tell(self) -> None:
        while True:
            await self._sink(self.status())
            await self._clock.sleep(STATUS_EVERY_S)
