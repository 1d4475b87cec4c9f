"""The other end of the engine's control socket, for the console, the listeners and the command line."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sync.errors import ControlError, EngineUnreachableError
from sync.snapshot import JsonObject
from sync.wire import LINE_BYTES_MAX, dump_line, parse_object


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlEvent:
    """Something the engine told its subscribers.

    Attributes:
        event: `snapshot` for the first one, then the names of docs/engine-socket.md.
        seq: 0 for the snapshot, then rising by one.
        data: a JSON object.
    """

    event: str
    seq: int
    data: JsonObject


class ControlClient:
    """Talks to a running engine over its socket.

    Connects at the first use and again after a broken connection; requests take turns. Nothing is
    repeated by itself: a request whose answer was lost raises `EngineUnreachableError`, and its effect is unknown.
    """

    def __init__(self, path: Path, *, timeout_s: float = 5.0) -> None:
        self._path, self._timeout_s = path, timeout_s
        self._turn = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._next_id = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def request(self, op: str, **fields: Any) -> JsonObject:
        """The result of a request; dataclasses among the fields are sent as objects.

        Raises:
            ControlError: the engine refused it; `code` says why.
            EngineUnreachableError: nobody answers, or not within the timeout.
        """
        async with self._turn:
            self._next_id += 1
            line = dump_line({"id": self._next_id, "op": op, **fields})
            try:
                async with asyncio.timeout(self._timeout_s):
                    reader, writer = await self._connected()
                    writer.write(line)
                    await writer.drain()
                    reply = await self._read(reader)
            except TimeoutError as error:
                await self.close()
                raise EngineUnreachableError(f"{self._path}: the engine did not answer within {self._timeout_s} s") from error
            except OSError as error:
                await self.close()
                raise self._gone() from error
            except BaseException:
                # A reply that is still under way must not be taken for the next request's.
                self._abandon()
                raise
        return _result_of(reply)

    async def report(self, op: str, **fields: Any) -> None:
        """Send a line that gets no reply.

        Raises:
            EngineUnreachableError: nobody takes it.
        """
        async with self._turn:
            line = dump_line({"op": op, **fields})
            try:
                async with asyncio.timeout(self._timeout_s):
                    _, writer = await self._connected()
                    writer.write(line)
                    await writer.drain()
            except (OSError, TimeoutError) as error:
                await self.close()
                raise self._gone() from error

    async def events(self) -> AsyncIterator[ControlEvent]:
        """The snapshot, then every event, over a connection of its own; ends when the engine ends it.

        Raises:
            EngineUnreachableError: nobody answers.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                reader, writer = await asyncio.open_unix_connection(self._path, limit=LINE_BYTES_MAX)
        except (OSError, TimeoutError) as error:
            raise self._gone() from error
        try:
            writer.write(dump_line({"id": 0, "op": "subscribe"}))
            try:
                async with asyncio.timeout(self._timeout_s):
                    reply = await self._read(reader)
            except TimeoutError as error:
                raise EngineUnreachableError(f"{self._path}: the engine did not answer within {self._timeout_s} s") from error
            yield ControlEvent(event="snapshot", seq=0, data=_result_of(reply))
            while line := await _line_or_end(reader):
                message = parse_object(line)
                yield ControlEvent(event=message["event"], seq=message["seq"], data=message["data"])
        finally:
            writer.transport.abort()

    async def close(self) -> None:
        """Close the connection for requests; the next request opens a new one."""
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()
            with contextlib.suppress(OSError):
                await streams[1].wait_closed()

    def _abandon(self) -> None:
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].transport.abort()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is not None and (self._streams[0].at_eof() or self._streams[1].is_closing()):
            await self.close()
        if self._streams is None:
            self._streams = await asyncio.open_unix_connection(self._path, limit=LINE_BYTES_MAX)
        return self._streams

    async def _read(self, reader: asyncio.StreamReader) -> JsonObject:
        line = await _line_or_end(reader)
        if not line:
            await self.close()
            raise EngineUnreachableError(f"{self._path}: the engine closed the connection before it answered")
        return parse_object(line)

    def _gone(self) -> EngineUnreachableError:
        return EngineUnreachableError(f"{self._path}: no engine answers here; is it running?")


async def _line_or_end(reader: asyncio.StreamReader) -> bytes:
    """A whole line, or nothing at the end of the connection (however it came)."""
    try:
        line = await reader.readline()
    except (ConnectionError, ValueError):
        return b""
    return line if line.endswith(b"\n") else b""


def _result_of(reply: JsonObject) -> JsonObject:
    if reply.get("ok"):
        result: JsonObject = reply["result"]
        return result
    error = reply.get("error") or {}
    raise ControlError(str(error.get("code", "internal")), str(error.get("message", "the engine gave no reason")))
