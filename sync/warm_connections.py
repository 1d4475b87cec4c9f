"""Connections to X that are open before they are needed, and the last look before a request's first byte.

Two things aiohttp does not offer by itself. A pool drops what it does not use; here a keeper holds a few TLS
connections ready while an account is armed, and renews them before the other side's idle limit. And aiohttp
connects, waits and only then writes; here every POST and DELETE is judged at that last instant, synchronously with
the write, so that a kill acknowledged while connecting stops it (docs/adr/0007-tweepy-warm-session.md).
"""

import asyncio
import logging
import select
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast
from weakref import WeakSet

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection
from aiohttp.resolver import ThreadedResolver
from aiohttp.tracing import Trace
from yarl import URL

from sync.errors import SyncError
from sync.outcomes import DeadConnectionError, SecondWriteError, WithheldError, judge_error
from sync.posting import Limits, Withhold
from timebase import Backoff, Clock

_log = logging.getLogger(__name__)

IDLE_S_MAX = 240.0
"""Renewed after this long unused: X's edge closes at 400 s, and some middle boxes at 300 s."""

_CHECK_S = 5.0
"""How often the keeper looks at its connections' ages; a request that ends and a connection that closes wake it."""

_QUIET_S = 0.1
"""How long after a request the keeper looks at its connections."""

_DNS_S = 300
"""How long an address is remembered: longer than IDLE_S_MAX, so that only the keeper ever resolves."""

_EXTRA_CONNECTIONS = 16
"""How many beyond the kept ones a burst may open; further requests wait for one, within their time."""

_PEER_GONE = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR

_NS_PER_S = 1_000_000_000


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One request on its way: what may still stop it, and what was seen of it.

    Attributes:
        first_byte_mono_ns: set in the same step of the loop that hands the bytes to the connection.
        stopped: why the last look stopped it; nothing was written then.
    """

    clock: Clock
    withhold: Withhold
    deadline_mono_ns: int | None = None
    transport: asyncio.Transport | None = None
    warm: bool = True
    first_byte_mono_ns: int | None = None
    stopped: SyncError | None = None
    http_status: int | None = None
    limits: Limits = field(default_factory=Limits)

    @property
    def byte_written(self) -> bool:
        """Whether X may have received anything of it."""
        return self.first_byte_mono_ns is not None

    def connect_s(self, most_s: float) -> float:
        """How long connecting is worth waiting for, at most `most_s`."""
        if self.deadline_mono_ns is None:
            return most_s
        return min(most_s, max(0.001, (self.deadline_mono_ns - self.clock.mono_ns()) / _NS_PER_S))

    def look_once_more(self) -> None:
        """Let the write happen, or raise; nothing may be awaited between this and the write.

        Raises:
            SyncError: a second write, a closed connection, a passed deadline, or a reason to withhold.
        """
        self.stopped = self._objection()
        if self.stopped is not None:
            raise self.stopped
        self.first_byte_mono_ns = self.clock.mono_ns()

    def _objection(self) -> SyncError | None:
        if self.byte_written:
            return SecondWriteError("the request was about to be written a second time; it was stopped")
        if self.transport is None or peer_has_closed(self.transport):
            return DeadConnectionError("the connection was closed by the other side before anything was sent")
        if (reason := self.withhold()) is not None:
            return WithheldError(reason)
        # Last: the look at the ledger takes its time, and what is judged here leaves in the next instruction.
        late_ns = 0 if self.deadline_mono_ns is None else self.clock.mono_ns() - self.deadline_mono_ns
        return (
            WithheldError(f"the deadline had passed by {late_ns / 1e6:.1f} ms when the connection was ready")
            if late_ns > 0
            else None
        )


CURRENT_ATTEMPT: ContextVar[Attempt | None] = ContextVar("current_attempt", default=None)
"""The attempt whose request runs in this task; None for reads, which need no last look."""


def peer_has_closed(transport: asyncio.Transport) -> bool:
    """Whether the other side has closed the connection, even if the loop has not read that yet.

    A closed keep-alive connection accepts one write into nowhere, and the answer to it is silence: that write
    would make a certain NOT_SENT an UNKNOWN. So the kernel is asked; it costs one system call.
    """
    if transport.is_closing():
        return True
    poller = select.poll()
    poller.register(transport.get_extra_info("socket").fileno(), _PEER_GONE)
    return bool(poller.poll(0))


def last_look_hooks() -> aiohttp.TraceConfig:
    """The trace hooks that let `CURRENT_ATTEMPT` judge a request without a body as the final step before the write.

    aiohttp writes such a request right after the headers hook. A contract test pins this
    (tests/contract/sync/test_publisher_last_look.py). A request with ready bytes needs no hook: whoever takes its
    connection (`WarmConnector.take`) asks, and writes.
    """

    async def headers_composed(_session: aiohttp.ClientSession, _context: SimpleNamespace, _params: Any) -> None:
        if (attempt := CURRENT_ATTEMPT.get()) is not None:
            attempt.look_once_more()

    hooks = aiohttp.TraceConfig()
    hooks.on_request_headers_sent.append(headers_composed)
    hooks.on_connection_create_start.append(_connecting)
    return hooks


async def _connecting(_session: aiohttp.ClientSession, _context: SimpleNamespace, _params: Any) -> None:
    if (attempt := CURRENT_ATTEMPT.get()) is not None:
        attempt.warm = False


def _connecting_trace() -> Trace:
    """The trace of a connection that is taken without a session."""
    hooks = aiohttp.TraceConfig()
    hooks.on_connection_create_start.append(_connecting)
    hooks.freeze()
    return Trace(cast(aiohttp.ClientSession, None), hooks, hooks.trace_config_ctx())


class RedirectingResolver(AbstractResolver):
    """Sends every name to one address, so that URL, SNI, Host and signature stay what X would see."""

    def __init__(self, *, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._names = ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:  # noqa: ARG002  # the port asked for is replaced
        """The addresses of the fixed target, whatever was asked for."""
        found = await self._names.resolve(self._host, self._port, family)
        return [ResolveResult({**address, "hostname": host, "port": self._port}) for address in found]

    async def close(self) -> None:
        """Nothing is held."""
        await self._names.close()


@dataclass(frozen=True, slots=True)
class _Ready:
    connection: Connection
    since_mono_ns: int

    def open(self) -> bool:
        """Whether it is open as far as the loop has noticed."""
        protocol = self.connection.protocol
        return protocol is not None and not self.connection.closed and not protocol.should_close

    def usable(self) -> bool:
        """Whether it is open; asks the kernel too."""
        transport = self.connection.transport
        return self.open() and transport is not None and not peer_has_closed(transport)


class WarmConnector(aiohttp.TCPConnector):
    """A TCP connector that can hold connections ready, handshake done, without sending a request on them.

    Args:
        url: whose host and port the kept connections lead to.
        keep: how many to hold ready while `keep_ready` runs.
        connect_timeout_s: limit for opening one.

    Attributes:
        on_held: told how many are held, each time that has been looked after.
    """

    def __init__(
        self,
        *,
        url: URL,
        keep: int,
        connect_timeout_s: float,
        clock: Clock,
        ssl_context: ssl.SSLContext,
        resolver: AbstractResolver | None,
    ) -> None:
        super().__init__(
            ssl=ssl_context,
            resolver=resolver,
            ttl_dns_cache=_DNS_S,
            keepalive_timeout=IDLE_S_MAX,
            limit=keep + _EXTRA_CONNECTIONS,
        )
        self._url, self._keep, self._clock = url, keep, clock
        self.on_held: Callable[[int], None] = lambda _: None
        self._connect_timeout = aiohttp.ClientTimeout(total=connect_timeout_s, sock_connect=connect_timeout_s)
        self._ready: deque[_Ready] = deque()
        self._watched: WeakSet[Any] = WeakSet()
        self._keeping = False
        self._tracing = _connecting_trace()
        self._wake = asyncio.Event()
        self.detail = ""

    @property
    def ready_count(self) -> int:
        """How many connections are open and unused now."""
        return sum(held.open() for held in self._ready)

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # aiohttp's signature
    ) -> Connection:
        """A connection for the request: a held one, a pooled one, or a new one."""
        connection = self._take_ready(req) or await super().connect(req, traces, timeout)
        if (attempt := CURRENT_ATTEMPT.get()) is not None:
            attempt.transport = connection.transport
        return connection

    async def take(self, *, connect_s: float) -> Connection:
        """A connection to write ready bytes to, where none is held: a pooled one, or a new one. Release or close it.

        Raises:
            aiohttp.ClientError, OSError: none could be opened, or not within `connect_s`.
        """
        request = aiohttp.ClientRequest("POST", self._url, loop=asyncio.get_running_loop())
        try:
            return await super().connect(request, [self._tracing], aiohttp.ClientTimeout(connect=connect_s))
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError(f"no connection to {self._url.host} within {connect_s:.1f} s") from error

    def give_back(self, connection: Connection) -> None:
        """Hold a taken connection again, its answer read; it is as ready as one that was never used."""
        held = _Ready(connection, self._clock.mono_ns())
        if self._keeping and len(self._ready) < self._keep and held.open():
            self._hold(held)
        else:
            connection.release()

    def wake(self) -> None:
        """Let the keeper look now; called after a request, never during one, so that no handshake delays it."""
        self._wake.set()

    async def fill(self) -> None:
        """Hold as many connections as asked for, renewing the closed and the old.

        Raises:
            aiohttp.ClientError, OSError, TimeoutError: one could not be opened.
        """
        self._keeping = True
        oldest_mono_ns = self._clock.mono_ns() - round(IDLE_S_MAX * _NS_PER_S)
        kept = [held for held in self._ready if held.usable() and held.since_mono_ns > oldest_mono_ns]
        gone = [held for held in self._ready if held not in kept]
        self._ready = deque(kept)
        for held in gone:
            held.connection.close()
        while len(self._ready) < self._keep:
            await self._hold_one_more()
        self.on_held(len(self._ready))

    async def keep_ready(self) -> None:
        """Hold connections until cancelled, then let them go."""
        backoff = Backoff(first_s=0.25, most_s=15.0)
        try:
            if self._ready:  # filled just now: what is missing is in use, and comes back
                await self._pause()
            while True:
                try:
                    await self.fill()
                except (aiohttp.ClientError, OSError) as error:
                    self.detail = judge_error(error, byte_written=False).reason
                    _log.warning("connection_not_kept", extra={"host": self._url.host, "reason": self.detail})
                    await self._clock.sleep(backoff.next_s())
                else:
                    self.detail = ""
                    backoff.reset()
                    await self._pause()
        finally:
            self.let_go()

    def let_go(self) -> None:
        """Close every held connection, and hold none from now on."""
        self._keeping = False
        while self._ready:
            self._ready.popleft().connection.close()

    def _take_ready(self, req: aiohttp.ClientRequest) -> Connection | None:
        if (req.url.host, req.url.port) != (self._url.host, self._url.port):
            return None
        return self.take_held()

    def take_held(self) -> Connection | None:
        """A held connection, None when there is none. Give it back or close it."""
        while self._ready:
            # It is the least likely to be just closing.
            held = self._ready.pop()
            if held.usable():
                return held.connection
            held.connection.close()
        return None

    async def _hold_one_more(self) -> None:
        request = aiohttp.ClientRequest("GET", self._url, loop=asyncio.get_running_loop())
        async with asyncio.timeout(self._connect_timeout.total):
            connection = await super().connect(request, [], self._connect_timeout)
        held = _Ready(connection, self._clock.mono_ns())
        if not held.usable():
            connection.close()
            raise aiohttp.ServerDisconnectedError
        self._hold(held)

    def _hold(self, held: _Ready) -> None:
        protocol = held.connection.protocol
        assert protocol is not None  # it is open
        if protocol not in self._watched and (closed := protocol.closed) is not None:
            self._watched.add(protocol)
            closed.add_done_callback(self._note_closed)
        self._ready.append(held)

    def _note_closed(self, closed: "asyncio.Future[None]") -> None:
        if not closed.cancelled():
            closed.exception()  # read, or asyncio would report it as never retrieved
        self.wake()

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_CHECK_S):
                await self._wake.wait()
                # Where one request ends others may be on their way: a handshake costs as much as four of them.
                await self._clock.sleep(_QUIET_S)
        self._wake.clear()
