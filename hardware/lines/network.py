"""Lines over a network: we call the console, the console calls us, or it sends datagrams."""

import asyncio
import ipaddress
import logging
import socket
from collections.abc import AsyncGenerator

from hardware.errors import ConsoleLostError
from hardware.lines.line import Arrivals, Chunk, LineCounters, why
from hardware.udp import listening_socket
from timebase import Clock

CONNECT_TIMEOUT_S = 5.0
HANDOVER_NS = 1_000_000_000
"""Another console is taken only when the one that is heard has said nothing for so long: consoles speak ten times a second."""
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 2))
"""A peer that cannot be reached for three seconds is lost, however rarely it speaks: what TCP delivers later would be late."""

log = logging.getLogger(__name__)


class TcpClientLine:
    """A serial-to-TCP server or a scorer's computer that we connect to."""

    remark = ""

    def __init__(self, host: str, port: int, *, greeting: bytes = b"", silence_s: float) -> None:
        """`greeting` is what the console wants to hear before it speaks."""
        self.host, self.port, self.greeting, self.silence_s = host, port, greeting, silence_s
        self.idle = f"{self}: nothing has come yet"
        self.counters = LineCounters()

    def __str__(self) -> str:
        return f"tcp://{_shown(self.host)}:{self.port}"

    async def chunks(self, clock: Clock) -> AsyncGenerator[Chunk, None]:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                transport, arrivals = await asyncio.get_running_loop().create_connection(
                    lambda: Arrivals(clock, self.counters), self.host, self.port
                )
        except (OSError, TimeoutError) as error:
            raise ConsoleLostError(f"{self}: not reachable ({why(error)}); is the console on?") from error
        self.counters.connections += 1
        try:
            _watch(transport)
            if self.greeting:
                transport.write(self.greeting)
            while True:
                yield await arrivals.next(str(self), silence_s=self.silence_s)
        finally:
            transport.abort()

    def close(self) -> None:
        """Nothing: the connection is closed with its reading."""


class TcpServerLine:
    """A port of ours that the console calls; it stays open between calls, and one console is heard at a time.

    A second caller is taken in place of one that has never spoken or not for `HANDOVER_NS`, and turned away otherwise.
    """

    remark = ""

    def __init__(self, host: str, port: int, *, sender: str | None = None, silence_s: float) -> None:
        """Only `sender`, an IP address, may call when it is given; port 0 takes a free one."""
        self.host, self.port, self.sender, self.silence_s = host, port, sender, silence_s
        self.idle = f"{self}: no console has called yet"
        self.counters = LineCounters()
        self._server: asyncio.Server | None = None
        self._caller: _Caller | None = None
        self._called = asyncio.Event()

    def __str__(self) -> str:
        return f"tcp-listen://{_shown(self.host)}:{self.port}"

    async def chunks(self, clock: Clock) -> AsyncGenerator[Chunk, None]:
        await self._listen(clock)
        while (caller := self._caller) is None:
            self._called.clear()
            await self._called.wait()
        self.counters.connections += 1
        try:
            while True:
                yield await caller.next(str(self), silence_s=self.silence_s)
        finally:
            caller.transport.abort()
            if self._caller is caller:
                self._caller = None

    def close(self) -> None:
        """Stop listening and hang up."""
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._caller is not None:
            self._caller.transport.abort()
            self._caller = None

    async def _listen(self, clock: Clock) -> None:
        if self._server is not None:
            return
        try:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: _Caller(self, clock, self.counters), self.host, self.port
            )
        except OSError as error:
            raise ConsoleLostError(
                f"{self}: cannot be listened on ({why(error)}); is the address one of this machine, and the port free?"
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]

    def admit(self, caller: "_Caller", *, now_mono_ns: int) -> None:
        """Take a caller, or turn it away."""
        address = str(caller.transport.get_extra_info("peername")[0])
        heard = self._caller
        if self._server is None or not _wanted(address, self.sender) or (heard is not None and heard.alive(now_mono_ns)):
            self.counters.refused += 1
            log.warning("gateway.caller_refused", extra={"source": str(self), "caller": address})
            caller.transport.abort()
            return
        _watch(caller.transport)
        self._caller = caller
        self._called.set()
        if heard is not None:
            heard.end(f"{address} called while the console before it was silent")
            heard.transport.abort()


class _Caller(Arrivals):
    """A console that has called."""

    transport: asyncio.Transport

    def __init__(self, line: TcpServerLine, clock: Clock, counters: LineCounters) -> None:
        super().__init__(clock, counters)
        self._line = line

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._line.admit(self, now_mono_ns=self._clock.mono_ns())

    def alive(self, now_mono_ns: int) -> bool:
        """Whether it may not be replaced."""
        return (
            not self.transport.is_closing() and self.heard_mono_ns is not None and now_mono_ns - self.heard_mono_ns < HANDOVER_NS
        )


class UdpLine:
    """Datagrams to an address of this machine or to a group, one sender at a time."""

    remark = ""

    def __init__(self, host: str, port: int, *, sender: str | None = None, silence_s: float) -> None:
        """Only `sender`, an IP address, is heard when it is given; port 0 takes a free one."""
        self.host, self.port, self.sender, self.silence_s = host, port, sender, silence_s
        self.idle = f"{self}: no datagram has come yet"
        self.counters = LineCounters()

    def __str__(self) -> str:
        return f"udp://{_shown(self.host)}:{self.port}"

    async def chunks(self, clock: Clock) -> AsyncGenerator[Chunk, None]:
        try:
            listening = listening_socket(self.host, self.port)
        except OSError as error:
            raise ConsoleLostError(
                f"{self}: cannot be received ({why(error)}); is the address one of this machine, and the port free?"
            ) from error
        self.port = listening.getsockname()[1]
        arrivals = Arrivals(clock, self.counters)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Datagrams(arrivals, clock, self.counters, self.sender), sock=listening
        )
        try:
            # It costs nothing to wait for a console that is still off.
            yield await arrivals.next(str(self), silence_s=None)
            while True:
                yield await arrivals.next(str(self), silence_s=self.silence_s)
        finally:
            transport.abort()

    def close(self) -> None:
        """Nothing: the port is closed with its reading."""


class _Datagrams(asyncio.DatagramProtocol):
    """Lets one sender's datagrams in; by its address alone, because some consoles change their port with each datagram."""

    def __init__(self, arrivals: Arrivals, clock: Clock, counters: LineCounters, sender: str | None) -> None:
        self._arrivals, self._clock, self._counters, self._wanted = arrivals, clock, counters, sender
        self._sender: str | None = None

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        address, heard_ns = str(addr[0]), self._arrivals.heard_mono_ns
        if not _wanted(address, self._wanted):
            self._counters.refused += 1
            return
        if self._sender not in (None, address):
            if heard_ns is not None and self._clock.mono_ns() - heard_ns >= HANDOVER_NS:
                self._arrivals.end(f"{address} sends while the console before it is silent")
            else:
                self._counters.refused += 1
            return
        if self._sender is None:
            self._sender = address
            self._counters.connections += 1
        self._arrivals.data_received(data)


def _watch(transport: asyncio.Transport) -> None:
    """Let the kernel find out that the other end is gone."""
    connection: socket.socket = transport.get_extra_info("socket")
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE:
        connection.setsockopt(socket.IPPROTO_TCP, option, value)


def _wanted(address: str, sender: str | None) -> bool:
    return sender is None or ipaddress.ip_address(address) == ipaddress.ip_address(sender)


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
