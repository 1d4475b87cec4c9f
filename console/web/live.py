"""The way from the engine to every browser: one subscription in, one stream of server-sent events out to each page."""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from console.web.view import EngineView, JsonObject, key_of
from timebase import Backoff, Clock

STALE_AFTER_MS: Final = 1900
"""A heartbeat older than this is stale: it comes once a second, and the page has to be grey within two."""
SILENCE_MOST_S: Final = 3.0
"""With no event for this long the engine hangs; the connection is dropped and tried again."""
FLUSH_EVERY_S: Final = 0.1
"""Levels and device states are sent together, ten times a second."""
TICKS_PER_FLUSH: Final = 5
"""Every so many flushes a tick tells the page the time and the heartbeat's age."""
CLIENTS_MAX: Final = 64
CLIENT_QUEUE_MAX: Final = 200
"""A browser this many messages behind is cut off; it reconnects and begins with a new snapshot."""

_EVENT_NAME: Final = re.compile(r"[a-z_]{1,32}")
_COALESCED: Final = frozenset({"feed", "device"})
_log = logging.getLogger(__name__)


class Subscription(Protocol):
    """One connection to the engine: `(event, data)` pairs, the first of them `("snapshot", …)`."""

    def __aiter__(self) -> AsyncIterator[tuple[str, object]]: ...


Subscribe = Callable[[], AbstractAsyncContextManager[Subscription]]
"""Opens a subscription; raises `EngineLostError` when it cannot, or when it breaks."""


class EngineLostError(Exception):
    """The engine does not answer, or not in the way agreed."""


class EngineStandsByError(EngineLostError):
    """It does not answer because another one fires and it waits for its turn; the sentence says so in full."""


class Client:
    """One browser's stream: what it has still to be sent."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(CLIENT_QUEUE_MAX)
        self.dropped = asyncio.Event()

    def offer(self, message: bytes) -> None:
        """Queue a message; a client that is too far behind is dropped instead."""
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            self.dropped.set()

    async def take(self) -> bytes:
        """The next message, once there is one."""
        return await self._queue.get()


@dataclass(slots=True)
class LiveHub:
    """Keeps the view of the engine and passes what changes on to the browsers."""

    clock: Clock
    view: EngineView = field(default_factory=EngineView)
    connected: bool = False
    stands_by: bool = False
    detail: str = "not connected to the engine yet"
    _clients: set[Client] = field(default_factory=set)
    _pending: dict[str, dict[tuple[str, ...], JsonObject]] = field(default_factory=dict)

    def heartbeat_age_ms(self) -> float | None:
        """How long ago the engine said it lives, by its own stamp; None when it has not or the stamp makes no sense."""
        stamp = self.view.engine.get("mono_ns")
        if not isinstance(stamp, int) or isinstance(stamp, bool):
            return None
        age_ms = (self.clock.mono_ns() - stamp) / 1e6
        return max(0.0, age_ms) if age_ms > -STALE_AFTER_MS else None

    def stale_reason(self) -> str | None:
        """Why the figures are not to be believed, in one sentence; None while they are fresh."""
        age_ms = self.heartbeat_age_ms()
        if self.stands_by:
            return self.detail
        if not self.connected:
            return f"No connection to the engine: {self.detail}"
        if age_ms is None:
            return "The engine sends no heartbeat that can be read"
        if age_ms > STALE_AFTER_MS:
            return f"The engine has not been heard for {age_ms / 1000:.1f} s"
        return None

    def reasons_not_ready(self) -> list[str]:
        """Everything that keeps the engine from firing now, as far as the console can see; empty when nothing does."""
        stale = self.stale_reason()
        if stale:
            return [stale]
        reasons = []
        if self.view.killed:
            reasons.append("The kill switch is set")
        if self.view.mode not in ("REHEARSAL", "LIVE"):
            reasons.append(f"The mode is {self.view.mode or 'unknown'}")
        return reasons

    def receive(self, event: str, data: object) -> None:
        """Take one event of the engine."""
        if event == "snapshot":
            self.view.replace(data)
            self._pending.clear()
            self.connected, self.stands_by, self.detail = True, False, ""
            self._broadcast(self._snapshot_message())
            return
        record = self.view.apply(event, data) if _EVENT_NAME.fullmatch(event) else None
        if record is None:
            _log.warning("engine_event_unreadable", extra={"event_name": event[:64]})
        elif event in _COALESCED:
            self._pending.setdefault(event, {})[key_of(event, record)] = record
        else:
            self._broadcast(sse("engine" if event == "heartbeat" else event, record))

    def lost(self, detail: str, *, stands_by: bool = False) -> None:
        """The engine's connection is gone; tell the browsers at once.

        Args:
            detail: why; a whole sentence of an engine that stands by.
            stands_by: it lives, and another one fires.
        """
        if self.connected or self.detail != detail:
            self.connected, self.stands_by, self.detail = False, stands_by, detail
            self._broadcast(self.tick_message())

    def join(self) -> Client:
        """A new browser, beginning with the whole picture.

        Raises:
            EngineLostError: there are `CLIENTS_MAX` browsers already.
        """
        if len(self._clients) >= CLIENTS_MAX:
            raise EngineLostError(f"{CLIENTS_MAX} pages are open already; close one")
        client = Client()
        client.offer(b"retry: 500\n\n")
        client.offer(self._snapshot_message())
        self._clients.add(client)
        return client

    def leave(self, client: Client) -> None:
        """Forget a browser."""
        self._clients.discard(client)

    def flush(self) -> None:
        """Send what was held back since the last flush."""
        pending, self._pending = self._pending, {}
        for event, records in pending.items():
            self._broadcast(sse(f"{event}s", {"rows": list(records.values())}))

    def tick(self) -> None:
        """Tell every browser the time and how fresh its picture is."""
        self._broadcast(self.tick_message())

    def close(self) -> None:
        """End every stream; the process stops."""
        for client in self._clients:
            client.dropped.set()

    def tick_message(self) -> bytes:
        """The heartbeat of the stream itself."""
        return sse("tick", self._tick())

    async def pulse(self) -> None:
        """Flush and tick for ever."""
        turn = 0
        while True:
            await self.clock.sleep(FLUSH_EVERY_S)
            self.flush()
            turn = (turn + 1) % TICKS_PER_FLUSH
            if turn == 0:
                self.tick()

    async def follow(self, subscribe: Subscribe) -> None:
        """Keep a subscription to the engine for ever, reconnecting with growing, jittered waits."""
        backoff = Backoff(first_s=0.1, most_s=2.0)
        while True:
            stands_by = False
            try:
                await self._follow_once(subscribe, backoff)
                detail = "it closed the connection"
            except EngineLostError as error:
                detail, stands_by = str(error), isinstance(error, EngineStandsByError)
            except TimeoutError:
                detail = f"it has said nothing for {SILENCE_MOST_S:g} s"
            except Exception:
                # A mistake of ours must not end the stream: the page turns grey and the next connection begins afresh.
                _log.exception("engine_follow_failed")
                detail = "the console could not read what it sent"
            if self.connected:
                _log.warning("engine_lost", extra={"detail": detail})
            self.lost(detail, stands_by=stands_by)
            await self.clock.sleep(backoff.next_s())

    async def _follow_once(self, subscribe: Subscribe, backoff: Backoff) -> None:
        async with asyncio.timeout(SILENCE_MOST_S) as connecting, subscribe() as events:
            connecting.reschedule(None)
            following = aiter(events)
            while True:
                async with asyncio.timeout(SILENCE_MOST_S):
                    try:
                        event, data = await anext(following)
                    except StopAsyncIteration:
                        return
                self.receive(event, data)
                backoff.reset()

    def _tick(self) -> JsonObject:
        return {
            "mono_ns": self.clock.mono_ns(),
            "utc": self.clock.utc().isoformat(),
            "heartbeat_age_ms": self.heartbeat_age_ms(),
            "stale_after_ms": STALE_AFTER_MS,
            "connected": self.connected,
            "stands_by": self.stands_by,
            "detail": self.detail,
        }

    def _snapshot_message(self) -> bytes:
        return sse("snapshot", {"tick": self._tick(), **self.view.snapshot()})

    def _broadcast(self, message: bytes) -> None:
        for client in self._clients:
            client.offer(message)


def sse(event: str, data: Any) -> bytes:
    """One server-sent event; JSON keeps it on one line."""
    return f"event: {event}\ndata: {json.dumps(data, allow_nan=False, separators=(',', ':'))}\n\n".encode()


async def run_live(hub: LiveHub, subscribe: Subscribe) -> None:
    """Keep the hub going until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hub.follow(subscribe), name="console-follow-engine")
        tasks.create_task(hub.pulse(), name="console-pulse")
