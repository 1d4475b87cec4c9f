"""An address of this machine that others send to: datagrams, or connections that they open, of one sender or of anybody."""

import asyncio
import contextlib
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from hardware.errors import SettingError, SourceLostError
from hardware.udp import listening_socket

CONNECTIONS_MAX = 8
CHUNK_BYTES_MAX = 4096
DATAGRAMS_WAITING_MAX = 1024
SCHEMES = ("udp", "tcp")

Feed = Callable[[bytes], None]
"""Takes bytes as they come; never waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenAddress:
    """Where we listen, and to whom.

    Attributes:
        sender: an IP address; of others nothing is taken. Empty: anybody's.
    """

    scheme: str
    host: str
    port: int
    sender: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse_listen_address(url: str, *, sender: str = "") -> ListenAddress:
    """The address of `udp://0.0.0.0:4003` or `tcp://0.0.0.0:4003`.

    Raises:
        SettingError: it is none, or the sender is no IP address.
    """
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname or "0.0.0.0", parts.port
    except ValueError as error:
        raise SettingError(f"{url!r}: not an address ({error}); write for example udp://0.0.0.0:4003") from error
    if scheme not in SCHEMES or port is None or parts.path not in ("", "/") or parts.query or parts.fragment or parts.username:
        raise SettingError(f"{url!r}: write udp:// or tcp:// with address and port only, such as udp://0.0.0.0:4003")
    try:
        return ListenAddress(scheme=scheme, host=host, port=port, sender=str(ipaddress.ip_address(sender)) if sender else "")
    except ValueError as error:
        raise SettingError(f"sender {sender!r}: not an IP address") from error


class Receiver:
    """Listens at an address until cancelled.

    Args:
        datagram: takes each datagram.
        connection: makes what takes the bytes of one connection; each has its own.
        ended: told, in words, that something of what was sent is gone: a connection, or datagrams that could not be kept.

    Attributes:
        port: where it listens, once it does.
        connections: how many have been opened, or whether datagrams have come.
        refused: datagrams and callers of others, and callers too many.
    """

    def __init__(
        self, address: ListenAddress, *, datagram: Feed, connection: Callable[[], Feed], ended: Callable[[str], None]
    ) -> None:
        self.address = address
        self._datagram, self._connection, self._ended = datagram, connection, ended
        self._open: set[asyncio.StreamWriter] = set()
        self.port = self.connections = self.refused = 0

    async def run(self) -> None:
        """Listen.

        Raises:
            SourceLostError: the address cannot be listened to.
        """
        try:
            await (self._receive() if self.address.scheme == "udp" else self._serve())
        except OSError as error:
            raise SourceLostError(
                f"{self.address}: cannot be listened to ({error.strerror or error}); is it one of this machine, and free?"
            ) from error

    async def _receive(self) -> None:
        arrivals: asyncio.Queue[tuple[bytes, str]] = asyncio.Queue(maxsize=DATAGRAMS_WAITING_MAX)
        sock = listening_socket(self.address.host, self.address.port)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Datagrams(arrivals, self._ended), sock=sock
        )
        self.port = transport.get_extra_info("sockname")[1]
        try:
            while True:
                data, sender = await arrivals.get()
                if self._is_wanted(sender):
                    self.connections = self.connections or 1
                    self._datagram(data)
        finally:
            transport.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._converse, self.address.host, self.address.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            server.close()
            for writer in tuple(self._open):
                writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._is_wanted(writer.get_extra_info("peername")[0]):
            writer.close()
            return
        if len(self._open) >= CONNECTIONS_MAX:
            self.refused += 1
            writer.close()
            return
        self._open.add(writer)
        self.connections += 1
        feed = self._connection()
        try:
            with contextlib.suppress(ConnectionError):
                while data := await reader.read(CHUNK_BYTES_MAX):
                    feed(data)
        finally:
            self._open.discard(writer)
            writer.close()
            self._ended(f"a connection to {self.address} was closed")

    def _is_wanted(self, sender: str) -> bool:
        wanted = self.address.sender in ("", sender)
        self.refused += not wanted
        return wanted


class _Datagrams(asyncio.DatagramProtocol):
    """Keeps each datagram with its sender; when too many wait none of them is kept."""

    def __init__(self, arrivals: asyncio.Queue[tuple[bytes, str]], ended: Callable[[str], None]) -> None:
        self._arrivals, self._ended = arrivals, ended

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            self._arrivals.put_nowait((data, addr[0]))
        except asyncio.QueueFull:
            while not self._arrivals.empty():
                self._arrivals.get_nowait()
            self._ended(f"more than {DATAGRAMS_WAITING_MAX} datagrams waited to be read")
