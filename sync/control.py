"""The engine's control socket: lines in, replies and events out (docs/engine-socket.md)."""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from sync.errors import ControlError, LedgerError, SyncError
from sync.snapshot import JsonObject
from sync.wire import LINE_BYTES_MAX, Request, Subscribe, dump_line, parse_object, parse_request, reply_id_of

_log = logging.getLogger(__name__)

CONNECTIONS_MAX = 64
"""Clients at a time; a further one is told so and disconnected."""
EVENTS_WAITING_MAX = 1000
"""Lines a client may fall behind before it is disconnected."""
SOCKET_PATH_BYTES_MAX = 107
"""Linux stores a Unix socket's path in 108 bytes with its ending zero (unix(7))."""
TAKEOVER_PROBE_S = 1.0
"""How long a running engine has to answer a ping before its socket counts as abandoned."""


class ControlDesk(Protocol):
    """Who answers the requests: the engine."""

    async def answer(self, request: Request) -> JsonObject:
        """The result of a request.

        Raises:
            ControlError: refused, with its code.
            LedgerError: the ledger could not be read or written.
        """
        ...

    def snapshot(self) -> JsonObject:
        """Everything as of this instant, without waiting."""
        ...


class ControlServer:
    """Answers clients and tells subscribers what happens.

    Made by `control_server`. `publish` never waits: a subscriber that cannot keep up is dropped.
    """

    def __init__(self, desk: ControlDesk, group: asyncio.TaskGroup) -> None:
        self._desk = desk
        self._group = group
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def subscribers(self) -> int:
        """How many clients follow the events."""
        return sum(connection.subscribed for connection in self._connections)

    def publish(self, event: str, data: JsonObject) -> None:
        """Queue an event for every subscriber."""
        for connection in tuple(self._connections):
            connection.send_event(event, data)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a new client in a task of its own."""
        if len(self._connections) >= CONNECTIONS_MAX:
            message = f"the engine serves {CONNECTIONS_MAX} clients already; close one"
            writer.write(dump_line({"id": None, "ok": False, "error": {"code": "refused", "message": message}}))
            writer.close()
            return
        connection = _Connection(self._desk, reader, writer)
        self._connections.add(connection)
        task = self._group.create_task(self._serve(connection), name="control-client")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: "_Connection") -> None:
        try:
            await connection.serve()
        except (ConnectionError, TimeoutError):
            pass
        except Exception:
            _log.exception("control_client_failed")
        finally:
            self._connections.discard(connection)
            connection.abort()

    def close(self) -> None:
        """End every connection."""
        for task in tuple(self._tasks):
            task.cancel()


class _Connection:
    """One client: requests are answered in order, events go out between replies."""

    def __init__(self, desk: ControlDesk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._desk, self._reader, self._writer = desk, reader, writer
        self._outgoing: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._seq = 0
        self.subscribed = False

    def send_event(self, event: str, data: JsonObject) -> None:
        if not self.subscribed:
            return
        if self._outgoing.qsize() >= EVENTS_WAITING_MAX:
            _log.warning("control_subscriber_dropped", extra={"events_waiting": self._outgoing.qsize()})
            self.subscribed = False
            self.abort()
            return
        self._seq += 1
        self._outgoing.put_nowait(dump_line({"event": event, "seq": self._seq, "data": data}))

    def abort(self) -> None:
        self._writer.transport.abort()

    async def serve(self) -> None:
        sending = asyncio.create_task(self._send(), name="control-send")
        try:
            while await self._answer_one():
                # Replies are bounded like events: a client that only asks and never reads is dropped too.
                if self._outgoing.qsize() >= EVENTS_WAITING_MAX:
                    return
            self._outgoing.put_nowait(None)
            await sending
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await sending

    async def _send(self) -> None:
        while (line := await self._outgoing.get()) is not None:
            self._writer.write(line)
            await self._writer.drain()

    async def _answer_one(self) -> bool:
        try:
            line = await self._reader.readline()
        except ValueError:
            self._reply(None, ControlError("bad_request", f"a line has at most {LINE_BYTES_MAX} bytes"))
            return False
        if not line.endswith(b"\n"):
            return False
        reply_id: int | str | None = None
        message: JsonObject = {}
        try:
            message = parse_object(line)
            reply_id = reply_id_of(message)
            request = parse_request(message)
            if isinstance(request, Subscribe):
                # No await between the snapshot and the first event: nothing falls between them.
                result = self._desk.snapshot()
                self.subscribed = True
            else:
                result = await self._desk.answer(request)
        except SyncError as error:
            self._refuse(reply_id, error, is_report=bool(message) and "id" not in message)
        except Exception:
            _log.exception("control_request_failed")
            self._refuse(
                reply_id, ControlError("internal", "the engine could not answer; see its log"), is_report="id" not in message
            )
        else:
            if reply_id is not None:
                self._outgoing.put_nowait(dump_line({"id": reply_id, "ok": True, "result": result}))
        return True

    def _refuse(self, reply_id: int | str | None, error: SyncError, *, is_report: bool) -> None:
        if is_report:
            _log.warning("control_report_refused", extra={"reason": str(error)})
        else:
            self._reply(reply_id, error)

    def _reply(self, reply_id: int | str | None, error: SyncError) -> None:
        by_kind = "ledger" if isinstance(error, LedgerError) else "refused"
        code = error.code if isinstance(error, ControlError) else by_kind
        self._outgoing.put_nowait(dump_line({"id": reply_id, "ok": False, "error": {"code": code, "message": str(error)}}))


@contextlib.asynccontextmanager
async def control_server(path: Path, desk: ControlDesk) -> AsyncIterator[ControlServer]:
    """A server listening on `path` (mode 0600) while the context lasts.

    A socket whose engine answers is left alone; one whose engine is gone or does not answer within
    a second is taken over (the ledger's epoch fences the other engine).

    Raises:
        SyncError: another engine answers there, or the socket cannot be made.
    """
    await ensure_no_engine(path)
    listening, inode = bind_socket(path)
    try:
        async with asyncio.TaskGroup() as group:
            control = ControlServer(desk, group)
            server = await asyncio.start_unix_server(control.accept, sock=listening, limit=LINE_BYTES_MAX)
            try:
                yield control
            finally:
                server.close()
                control.close()
    finally:
        listening.close()
        unlink_own(path, inode)


def unlink_own(path: Path, inode: int) -> None:
    """Remove a socket's file, if it is still the one that `bind_socket` made."""
    # A newer engine may have put its own socket there meanwhile.
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_ino == inode:
            path.unlink()


async def ensure_no_engine(path: Path) -> None:
    """Return when no engine answers on the socket.

    Raises:
        SyncError: one does.
    """
    if await _somebody_answers(path):
        raise SyncError(f"{path}: another engine is running here; stop it, or use another state_dir")


def bind_socket(path: Path) -> tuple[socket.socket, int]:
    """A Unix socket bound to `path` in place of whatever was there, for this user only, and the inode of its file.

    Raises:
        SyncError: it cannot be made.
    """
    if len(os.fsencode(path)) > SOCKET_PATH_BYTES_MAX:
        raise SyncError(f"{path}: a socket's path has at most {SOCKET_PATH_BYTES_MAX} bytes; choose a shorter state_dir")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        previous = os.umask(0o177)
        try:
            listening.bind(str(path))
        finally:
            os.umask(previous)
    except OSError as error:
        listening.close()
        raise SyncError(f"{path}: the socket cannot be made ({error.strerror}); check the folder") from error
    return listening, path.stat().st_ino


async def _somebody_answers(path: Path) -> bool:
    try:
        async with asyncio.timeout(TAKEOVER_PROBE_S):
            reader, writer = await asyncio.open_unix_connection(path, limit=LINE_BYTES_MAX)
            try:
                writer.write(dump_line({"id": 0, "op": "ping"}))
                return bool(await reader.readline())
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError):
        return False
