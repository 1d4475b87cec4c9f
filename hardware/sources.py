"""Where a console's bytes come from: a serial-to-TCP server, or a serial port of this machine."""

import asyncio
import os
import socket
import termios
import tty
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from hardware.errors import ConsoleLostError, SettingError

SILENCE_S = 3.0
"""A console that sends nothing for this long is lost: consoles repeat themselves ten times a second."""
CONNECT_TIMEOUT_S = 5.0
CHUNK_BYTES_MAX = 4096

_SPEEDS = {2400: termios.B2400, 9600: termios.B9600, 19200: termios.B19200, 115200: termios.B115200}


class ConsoleSource(Protocol):
    """A way to a console's bytes; printable, to tell people which."""

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """Bytes as they arrive, never empty, from one connection.

        Raises:
            ConsoleLostError: it cannot be reached, has closed, or is silent. The connection is closed by then.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpSource:
    """A serial-to-TCP server that we connect to."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"tcp://{self.host}:{self.port}"

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(self.host, self.port)
        except (OSError, TimeoutError) as error:
            raise ConsoleLostError(f"{self}: not reachable ({_why(error)}); is the console on?") from error
        try:
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async for chunk in _read(reader, str(self)):
                yield chunk
        finally:
            writer.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialSource:
    """A serial port, or a pseudo-terminal that imitates one: 8 data bits, 1 stop bit, parity `N` or `E`."""

    path: str
    baud: int
    parity: str = "N"

    def __str__(self) -> str:
        return self.path

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        async with self._opened() as reader:
            async for chunk in _read(reader, str(self)):
                yield chunk

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[asyncio.StreamReader]:
        try:
            port = os.fdopen(os.open(self.path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK), "rb", buffering=0)
        except OSError as error:
            raise ConsoleLostError(f"{self.path}: cannot be opened ({_why(error)}); is the cable in?") from error
        try:
            set_raw(port.fileno(), baud=self.baud, parity=self.parity)
            # Frames that waited in the buffer are old: reading them now would date goals wrongly.
            termios.tcflush(port.fileno(), termios.TCIFLUSH)
        except termios.error as error:
            port.close()
            raise ConsoleLostError(f"{self.path}: not a serial port ({error.args[-1]}); name one such as /dev/ttyUSB0") from error
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), port)
        try:
            yield reader
        finally:
            transport.close()


def set_raw(descriptor: int, *, baud: int, parity: str = "N") -> None:
    """Make a terminal pass bytes as they are: 8 data bits and 1 stop bit at `baud`, modem lines ignored.

    A byte with wrong parity is passed on: the decoder sees the damage.

    Raises:
        termios.error: it is no terminal.
    """
    tty.setraw(descriptor)
    settings = termios.tcgetattr(descriptor)
    settings[2] |= termios.CLOCAL | termios.CREAD
    settings[2] &= ~(termios.CSTOPB | termios.PARENB | termios.PARODD)
    if parity == "E":
        settings[2] |= termios.PARENB
    settings[4] = settings[5] = _SPEEDS[baud]
    termios.tcsetattr(descriptor, termios.TCSANOW, settings)


def parse_source(source: str, *, baud: int, parity: str = "N") -> TcpSource | SerialSource:
    """The console at `tcp://host:port`, or at the path of a serial port.

    Raises:
        SettingError: it is neither.
    """
    if source.startswith("/"):
        return SerialSource(path=source, baud=baud, parity=parity)
    try:
        parts = urlsplit(source)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not source.startswith("tcp://") or not host or not port:
        raise SettingError(f"source {source!r}: write tcp://host:port, or the path of a serial port such as /dev/ttyUSB0")
    return TcpSource(host=host, port=port)


async def _read(reader: asyncio.StreamReader, name: str) -> AsyncGenerator[bytes, None]:
    while True:
        try:
            async with asyncio.timeout(SILENCE_S):
                chunk = await reader.read(CHUNK_BYTES_MAX)
        except TimeoutError as error:
            raise ConsoleLostError(f"{name}: silent for {SILENCE_S:g} s") from error
        except OSError as error:
            raise ConsoleLostError(f"{name}: lost ({_why(error)})") from error
        if not chunk:
            raise ConsoleLostError(f"{name}: closed by the other end")
        yield chunk


def _why(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
