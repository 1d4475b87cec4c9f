"""How an engine that stands by says so: a socket of its own, which answers with one line and is there only while it waits.

Not the engine's control socket: whoever reached that would believe in an engine, and a detection reported to it would be lost,
while listeners that find no engine keep theirs for the one that takes over. Not a file: it would outlive the process.
"""

import asyncio
import contextlib
import json
import logging
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from sync.control import bind_socket, unlink_own
from sync.errors import SyncError
from sync.lease import Lease
from timebase import Clock

STANDBY_NAME: Final = "standby.sock"
ANSWER_MOST_S: Final = 1.0
LINE_BYTES_MAX: Final = 4096

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standby:
    """An engine that waits for another one's end.

    Attributes:
        holder: the machine and state folder of the one that fires.
        epoch: that one's.
        since_utc: since when this one stands by.
    """

    holder: str
    epoch: int
    since_utc: datetime

    def __str__(self) -> str:
        return f"This engine stands by since {self.since_utc:%Y-%m-%d %H:%M:%S} UTC; the one of {self.holder} fires"


_STANDBY: Final = TypeAdapter(Standby)


class StandbySign:
    """Answers whoever asks. Made by the engine before it takes over; `close` when it has, or ends."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path, self._clock = path, clock
        self._server: asyncio.Server | None = None
        self._inode = 0
        self._standby: Standby | None = None

    async def show(self, lease: Lease) -> None:
        """Say from now on that the engine of this lease fires. A sign that cannot be put up is logged: standing by goes on."""
        since_utc = self._standby.since_utc if self._standby else self._clock.utc()
        self._standby = Standby(holder=lease.holder, epoch=lease.epoch, since_utc=since_utc)
        if self._server is None:
            try:
                listening, self._inode = bind_socket(self._path)
            except SyncError as error:
                _log.warning("standby_not_shown", extra={"reason": str(error)})
                return
            self._server = await asyncio.start_unix_server(self._answer, sock=listening)

    async def close(self) -> None:
        """Take the sign down."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            unlink_own(self._path, self._inode)

    async def _answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            if self._standby is not None:
                writer.write(json.dumps(to_jsonable_python(asdict(self._standby))).encode() + b"\n")
                await writer.drain()
        writer.close()


async def standby_at(path: Path) -> Standby | None:
    """What the sign at `path` says; None when nobody stands by there, or does not answer in time."""
    try:
        async with asyncio.timeout(ANSWER_MOST_S):
            reader, writer = await asyncio.open_unix_connection(path, limit=LINE_BYTES_MAX)
            try:
                return _STANDBY.validate_json(await reader.readline())
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError, ValidationError):
        return None
