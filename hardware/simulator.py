"""A simulated console: real frames at the real pace, over TCP or a pseudo-terminal.

TCP, because consoles are usually read through a serial-to-TCP server; the pseudo-terminal stands for
the serial cable itself. Damage and junk come from a seeded generator, so a run repeats exactly.
"""

import asyncio
import logging
import os
import pty
import random
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from hardware.errors import ScriptError
from hardware.lines import set_raw
from hardware.match import LINE_ACTIONS, Action, Match, Step
from hardware.scoreboards.board import Board, Encoder
from hardware.scoreboards.protocols import ScoreboardProtocol
from timebase import Clock

log = logging.getLogger(__name__)

CLIENTS_MAX = 16
UNSENT_BYTES_MAX = 16_384
"""A client that reads slower than the console speaks is dropped here."""
JUNK_BYTES_MAX = 40
NS_PER_S = 1_000_000_000


class Line(Protocol):
    """Where a console's bytes go. Like a cable it never waits: bytes that nobody reads are lost."""

    address: str
    """What a gateway is told to read, as in its setting `source`."""

    def send(self, data: bytes) -> None:
        """Put bytes on the line."""
        ...

    def drop(self) -> None:
        """Break every connection there is."""
        ...


class TcpLine:
    """A serial-to-TCP server: every client gets every byte from when it connected."""

    def __init__(self) -> None:
        self.address = ""
        self.clients: set[asyncio.Transport] = set()

    def send(self, data: bytes) -> None:
        for client in list(self.clients):
            if client.get_write_buffer_size() > UNSENT_BYTES_MAX:
                log.warning("simulator.client_too_slow", extra={"client": str(client.get_extra_info("peername"))})
                client.abort()
            else:
                client.write(data)

    def drop(self) -> None:
        for client in list(self.clients):
            client.abort()


class _Client(asyncio.Protocol):
    """One connection of a `TcpLine`; what it sends is forgotten."""

    def __init__(self, line: TcpLine) -> None:
        self._line = line

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if len(self._line.clients) >= CLIENTS_MAX:
            log.warning("simulator.too_many_clients", extra={"clients_max": CLIENTS_MAX})
            transport.abort()
            return
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._line.clients.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio names it
        self._line.clients.discard(self._transport)


class PtyLine:
    """A pseudo-terminal: `address` is the path a gateway opens like a serial port."""

    def __init__(self, descriptor: int, address: str) -> None:
        self._descriptor, self.address = descriptor, address

    def send(self, data: bytes) -> None:
        # Full because nobody reads: a cable would lose the bytes as well.
        with suppress(BlockingIOError):
            os.write(self._descriptor, data)

    def drop(self) -> None:
        """Nothing: a serial cable has no connection to break."""


@asynccontextmanager
async def tcp_line(host: str, port: int) -> AsyncIterator[TcpLine]:
    """A `TcpLine` listening on `host:port`; port 0 takes a free one.

    Raises:
        OSError: the address cannot be listened on.
    """
    line = TcpLine()
    server = await asyncio.get_running_loop().create_server(lambda: _Client(line), host, port)
    taken = server.sockets[0].getsockname()[1]
    line.address = f"tcp://{host}:{taken}"
    try:
        yield line
    finally:
        server.close()
        line.drop()
        await server.wait_closed()


@asynccontextmanager
async def pty_line(protocol: ScoreboardProtocol) -> AsyncIterator[PtyLine]:
    """A `PtyLine` on a new pseudo-terminal, set to the protocol's speed."""
    ours, theirs = pty.openpty()
    try:
        set_raw(theirs, baud=protocol.baud, parity=protocol.parity)
        os.set_blocking(ours, False)
        # Their end stays open here too, so that a gateway may come and go without hanging up the line.
        yield PtyLine(ours, os.ttyname(theirs))
    finally:
        os.close(theirs)
        os.close(ours)


async def play(
    protocol: ScoreboardProtocol,
    match: Match,
    line: Line,
    *,
    clock: Clock,
    sport: str | None = None,
    seed: int = 1,
    speed: float = 1.0,
) -> None:
    """Play `match` on `line` from now on, then keep showing its last board, until cancelled.

    Args:
        sport: chooses the frames where a protocol has several; None plays the console's usual sport.
        seed: of the damage and the junk.
        speed: how many times faster than in earnest, frames and all.

    Raises:
        SettingError: the console has no frames for the sport.
        ScriptError: a step leads to a board that the console does not show.
    """
    rng, encode = random.Random(seed), protocol.encoder(protocol.sport(sport))
    begin_ns, cycle, done_s = clock.mono_ns(), 0, -1.0
    while True:
        at_s = cycle * protocol.cycle_ms / 1000
        frames = _encoded(encode, match.board(at_s), at_s)
        for step in _due(match.steps, after_s=done_s, until_s=at_s):
            log.info("simulator.step", extra={"at_s": step.at_s, "action": step.action.value, "line": line.address})
            frames = _on_the_line(step, frames, line, rng)
        for frame in frames:
            line.send(frame)
        done_s, cycle = at_s, cycle + 1
        await clock.sleep_until(begin_ns + round(cycle * protocol.cycle_ms * NS_PER_S / 1000 / speed))


def _encoded(encode: Encoder, board: Board, at_s: float) -> list[bytes]:
    try:
        return encode(board)
    except ValueError as error:
        raise ScriptError(f"match script: at {at_s:g} s: {error}") from error


def _due(steps: Iterable[Step], *, after_s: float, until_s: float) -> list[Step]:
    return [step for step in steps if after_s < step.at_s <= until_s]


def _on_the_line(step: Step, frames: list[bytes], line: Line, rng: random.Random) -> list[bytes]:
    """What an action on the line makes of this cycle's frames."""
    if step.action not in LINE_ACTIONS:
        return frames
    if step.action is Action.DROP_CONNECTION:
        line.drop()
        return frames
    if step.action is Action.JUNK:
        return [rng.randbytes(rng.randint(1, JUNK_BYTES_MAX)), *frames]
    return [damaged_frame(frame, rng) for frame in frames]


def damaged_frame(frame: bytes, rng: random.Random) -> bytes:
    """The frame with one of its bytes changed to another value, as a bad cable does; start and end stay."""
    at = rng.randint(2, len(frame) - 2)
    return frame[:at] + bytes([frame[at] ^ rng.randint(1, 0xFF)]) + frame[at + 1 :]
