"""Markers straight from playout automation (SCTE-104): we are the injector that it connects to.

    automation ─► TCP ─► AutomationDecoder ─► MarkerKeeper ─► MarkerReport

Two connections of one automation (main and backup) tell of the same markers, which count once.
"""

import asyncio
import contextlib
import logging
from dataclasses import replace
from urllib.parse import urlsplit

from hardware.errors import SettingError
from hardware.markers import MarkerReport, MarkerSourceState, MarkerSourceStatus
from hardware.scte35.keeper import Arrival, MarkerKeeper
from hardware.scte35.listening import STATUS_EVERY_S, MarkerSink, MarkerSourceSetup
from hardware.scte35.message import PTS_MODULUS, SpliceMessage
from hardware.scte35.scte104 import Asked, AutomationDecoder
from timebase import Clock

SCHEME = "scte104"
PORT = 5167
"""Where automation systems look for an injector, unless told otherwise (SCTE 104, section 7)."""
SILENCE_S = 70.0
"""An automation asks at least once a minute whether we live; one that does not is lost."""
CONNECTIONS_MAX = 8
CHUNK_BYTES_MAX = 65_536

log = logging.getLogger(__name__)


def parse_address(url: str) -> tuple[str, int]:
    """The address we listen on, `scte104://host:port`.

    Raises:
        SettingError: it is none.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise SettingError(f"not an address ({error}); write for example scte104://0.0.0.0:{PORT}") from error
    if parts.scheme != SCHEME or not host:
        raise SettingError(f"names no address to listen on; write for example scte104://0.0.0.0:{PORT}")
    return host, PORT if port is None else port


class AutomationListener:
    """Listens for automation systems until cancelled.

    Raises:
        SettingError: its address is none.
    """

    def __init__(self, setup: MarkerSourceSetup, *, clock: Clock, sink: MarkerSink) -> None:
        self._host, self._port = parse_address(setup.url)
        self._id, self._clock, self._sink = setup.source_id, clock, sink
        self._offset_ns = round(setup.offset_ms * 1e6)
        self._keeper = MarkerKeeper(setup.source_id, setup.spots, by_position=setup.by_position)
        self._connections: set[asyncio.StreamWriter] = set()
        self._messages = self._damaged = self._untimed = 0
        self._seen_mono_ns = 0
        self.port = 0
        """Where it listens, once it does."""

    async def run(self) -> None:
        """Listen."""
        server = await asyncio.start_server(self._serve, self._host, self._port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            while True:
                await self._sink(self.status())
                await self._clock.sleep(STATUS_EVERY_S)
        finally:
            server.close()
            for writer in tuple(self._connections):
                writer.transport.abort()

    def status(self) -> MarkerSourceStatus:
        """How the source is now."""
        state, detail = MarkerSourceState.LIVE, ""
        if not self._connections:
            state, detail = MarkerSourceState.CONNECTING, f"no automation is connected to {self._host}:{self.port}"
        elif self._clock.mono_ns() - self._seen_mono_ns > SILENCE_S * 1e9:
            state, detail = MarkerSourceState.STALLED, f"the automation has said nothing for {SILENCE_S:g} s"
        return MarkerSourceStatus(
            source_id=self._id,
            state=state,
            messages=self._messages,
            damaged=self._damaged,
            ignored=self._keeper.ignored + self._untimed,
            seen_mono_ns=self._seen_mono_ns,
            sent_utc=self._clock.utc(),
            detail=detail,
        )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= CONNECTIONS_MAX:
            log.warning("markers.automation_refused", extra={"source_id": self._id, "connections_max": CONNECTIONS_MAX})
            writer.close()
            return
        self._connections.add(writer)
        try:
            with contextlib.suppress(ConnectionError):
                await self._converse(reader, writer)
        finally:
            self._connections.discard(writer)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        decoder = AutomationDecoder()
        while not decoder.lost and (data := await reader.read(CHUNK_BYTES_MAX)):
            self._seen_mono_ns = self._clock.mono_ns()
            before = decoder.good_messages, decoder.bad_messages
            for done in decoder.feed(data):
                if isinstance(done, bytes):
                    writer.write(done)
                else:
                    await self._take(done)
            self._messages += decoder.good_messages - before[0]
            self._damaged += decoder.bad_messages - before[1]
            await writer.drain()

    async def _take(self, asked: Asked) -> None:
        if asked.timed:
            self._untimed += 1
            return
        now_ns = self._clock.mono_ns()
        at_ns = now_ns + (asked.pre_roll_ms or 0) * 1_000_000
        arrival = Arrival(mono_ns=now_ns, utc=self._clock.utc(), at_mono_ns=at_ns)
        message = asked.message if asked.pre_roll_ms is None else _at(asked.message, at_ns)
        for report in self._keeper.take(message, arrival):
            await self._tell(replace(report, at_mono_ns=report.at_mono_ns + self._offset_ns))

    async def _tell(self, report: MarkerReport) -> None:
        facts = {"source_id": self._id, "event": report.event, "what": report.what, "spots": report.spot_ids}
        log.info("markers.heard", extra={**facts, "kind": report.kind.value})
        await self._sink(report)


def _at(message: SpliceMessage, at_mono_ns: int) -> SpliceMessage:
    """The message with its instant in place of its pre-roll, so that the same event at another time is another one."""
    pts = at_mono_ns * 9 // 100_000 % PTS_MODULUS
    if message.splice is not None:
        return replace(message, splice=replace(message.splice, splice_pts=pts))
    return replace(message, signal_pts=pts)
