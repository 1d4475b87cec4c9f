"""When the first bytes of each request reached this process."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from timebase import Clock


@dataclass(slots=True)
class Arrival:
    """A connection and the request that is coming in on it.

    Attributes:
        connection: counted from 1.
        first_byte_mono_ns: of the present request; 0 while none is coming in.
    """

    connection: int
    first_byte_mono_ns: int = 0


class Arrivals:
    """Wraps a server's protocol factory so that the first data of each request is stamped, before any parsing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_transport: dict[asyncio.BaseTransport, Arrival] = {}
        self._count = 0

    @property
    def open_count(self) -> int:
        """How many connections are open."""
        return len(self._by_transport)

    @property
    def made_count(self) -> int:
        """How many connections there have been."""
        return self._count

    def wrap(self, factory: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """A protocol factory for `loop.create_server`."""
        return lambda: _Stamped(factory(), self)

    def begin(self, transport: asyncio.BaseTransport) -> Arrival:
        """The arrival of the request now being handled."""
        arrival = self._by_transport.get(transport)
        if arrival is None or not arrival.first_byte_mono_ns:
            return Arrival(arrival.connection if arrival else 0, self._clock.mono_ns())
        return Arrival(arrival.connection, arrival.first_byte_mono_ns)

    def end(self, transport: asyncio.BaseTransport) -> None:
        """The next data begins a new request."""
        if (arrival := self._by_transport.get(transport)) is not None:
            arrival.first_byte_mono_ns = 0

    def reset_connections(self) -> None:
        """Reset every connection, as a crash would."""
        for transport in list(self._by_transport):
            if isinstance(transport, asyncio.Transport):
                transport.abort()

    def made(self, transport: asyncio.BaseTransport) -> None:
        """A connection is open."""
        self._count += 1
        self._by_transport[transport] = Arrival(self._count)

    def data(self, transport: asyncio.BaseTransport) -> None:
        """Data came in."""
        arrival = self._by_transport.get(transport)
        if arrival is not None and not arrival.first_byte_mono_ns:
            arrival.first_byte_mono_ns = self._clock.mono_ns()

    def lost(self, transport: asyncio.BaseTransport) -> None:
        """A connection is gone."""
        self._by_transport.pop(transport, None)


class _Stamped(asyncio.Protocol):
    """Passes everything on, stamping on the way."""

    def __init__(self, inner: asyncio.Protocol, arrivals: Arrivals) -> None:
        self._inner, self._arrivals = inner, arrivals
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._arrivals.made(transport)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._transport is not None:
            self._arrivals.data(self._transport)
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._arrivals.lost(self._transport)
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()
