"""A console's line: bytes with the instants they arrived at, whatever carries them."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from hardware.errors import ConsoleLostError
from timebase import Clock

WAITING_BYTES_MAX = 1 << 20
"""When more waits to be decoded the line is begun anew: nothing old may be taken for news."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes and when the last of them arrived."""

    data: bytes
    mono_ns: int
    utc_ns: int


@dataclass(slots=True)
class LineCounters:
    """What a line has done since the gateway started.

    Attributes:
        connections: how often it was opened: ports, connections, senders.
        refused: connections and datagrams of others than the one console that is heard.
        received_bytes: of that console.
    """

    connections: int = 0
    refused: int = 0
    received_bytes: int = 0


class ConsoleLine(Protocol):
    """A way to a console's bytes; printable, to tell people which.

    Attributes:
        counters: kept up to date by the line.
        idle: what to tell people before the first byte.
        remark: what to tell people all the time, empty for a real console.
        silence_s: a console that sends nothing for this long is lost.
    """

    counters: LineCounters
    idle: str
    remark: str
    silence_s: float

    def chunks(self, clock: Clock) -> AsyncGenerator[Chunk, None]:
        """Bytes of one connection as they arrive, never empty; ends only where a recording does.

        Whoever asks again gets another connection: what it first shows may have happened while nobody looked.

        Raises:
            ConsoleLostError: it cannot be opened, has closed, is silent, or speaks for another console. That connection
                is closed by then.
        """
        ...

    def close(self) -> None:
        """Give up what outlives a connection."""
        ...


class Arrivals(asyncio.Protocol):
    """One connection: stamps what comes, and hands it on in order."""

    def __init__(self, clock: Clock, counters: LineCounters) -> None:
        self._clock, self._counters = clock, counters
        self._waiting: deque[Chunk] = deque()
        self._waiting_bytes = 0
        self._changed = asyncio.Event()
        self._ended = ""
        self.heard_mono_ns: int | None = None
        """When the last bytes came."""

    def data_received(self, data: bytes) -> None:
        if self._ended or not data:
            return
        self._waiting_bytes += len(data)
        if self._waiting_bytes > WAITING_BYTES_MAX:
            self._waiting.clear()
            self.end(f"more than {WAITING_BYTES_MAX} bytes wait to be decoded; is this machine fast enough?")
            return
        self.heard_mono_ns = self._clock.mono_ns()
        self._counters.received_bytes += len(data)
        self._waiting.append(stamped(data, self._clock))
        self._changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.end("closed by the other end" if exc is None else f"lost ({why(exc)})")

    def end(self, reason: str) -> None:
        """Let nothing more in; what waits is still handed on."""
        self._ended = self._ended or reason
        self._changed.set()

    async def next(self, name: str, *, silence_s: float | None) -> Chunk:
        """The next bytes.

        Args:
            name: of the line, for the error.
            silence_s: how long to wait; None waits for ever.

        Raises:
            ConsoleLostError: there are no more.
        """
        try:
            async with asyncio.timeout(silence_s):
                while not self._waiting and not self._ended:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError as error:
            raise ConsoleLostError(f"{name}: silent for {silence_s:g} s") from error
        if not self._waiting:
            raise ConsoleLostError(f"{name}: {self._ended}")
        chunk = self._waiting.popleft()
        self._waiting_bytes -= len(chunk.data)
        return chunk


def stamped(data: bytes, clock: Clock) -> Chunk:
    """The bytes as arrived just now."""
    return Chunk(data, clock.mono_ns(), (clock.utc() - _EPOCH) // timedelta(microseconds=1) * 1000)


def why(error: BaseException) -> str:
    """The reason in an error of the system, without its number."""
    if isinstance(error, TimeoutError):
        return "no answer"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
