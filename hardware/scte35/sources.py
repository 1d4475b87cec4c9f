"""Where a transport stream comes from: UDP, RTP, SRT through the system's ffmpeg, or a file at its own pace.

The bytes are handed on as they were sent. ffmpeg only carries them: it would give the clock and the markers other times if it
took the stream apart.
"""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from hardware.errors import SettingError, SourceLostError
from hardware.scte35.message import PTS_MODULUS
from hardware.scte35.stream_clock import JUMP_NS
from hardware.scte35.transport import PACKET_BYTES, ClockReading, TransportDecoder
from hardware.udp import listening_socket
from timebase import Clock

SILENCE_S = 3.0
"""A stream that brings nothing for so long is lost: it has a clock reference ten times a second."""
CONNECT_S = 10.0
"""How long a connection may take until its first bytes."""
DATAGRAMS_WAITING_MAX = 4096
"""Some 40 Mbit/s for a second; beyond it the newest are dropped, which the continuity counters then show."""
BLOCK_PACKETS = 512
CHUNK_BYTES_MAX = 65_536
SCHEMES = ("udp", "rtp", "srt", "file")
_PROGRAM = "ffmpeg"
_RTP_HEADER_BYTES = 12


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes and when they arrived."""

    data: bytes
    mono_ns: int


class TransportSource(Protocol):
    """A way to a stream's bytes; printable, to tell people which, without passwords."""

    def chunks(self, clock: Clock) -> AsyncGenerator[Chunk, None]:
        """Bytes as they arrive, from one connection; ends where a file does.

        Raises:
            SourceLostError: it cannot be opened, has ended, or is silent. It is closed by then.
        """
        ...


def parse_source(url: str) -> TransportSource:
    """The source at an address.

    Raises:
        SettingError: it is none.
    """
    scheme, colon, _ = url.partition("://")
    if not colon or scheme == "file":
        return FileSource(path=Path(url.removeprefix("file://")))
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise SettingError(f"{url!r}: not an address ({error}); write for example udp://239.1.1.1:5000") from error
    if scheme not in SCHEMES:
        raise SettingError(f"begins with '{scheme}:'; markers come by {', '.join(SCHEMES)} or scte104")
    if port is None:
        raise SettingError("names no port; write for example udp://239.1.1.1:5000")
    if scheme == "srt":
        return SrtSource(url=url)
    return DatagramSource(host=host or "0.0.0.0", port=port, rtp=scheme == "rtp")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSource:
    """A recording, played as fast as its own clock says."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    async def chunks(self, clock: Clock) -> AsyncGenerator[Chunk, None]:
        decoder, pace, waiting = TransportDecoder(), _Pace(), b""
        try:
            with self.path.open("rb") as file:
                while block := await asyncio.to_thread(file.read, PACKET_BYTES * BLOCK_PACKETS):
                    for at in range(0, len(block), PACKET_BYTES):
                        packet = block[at : at + PACKET_BYTES]
                        readings = [event for event in decoder.feed(packet) if isinstance(event, ClockReading)]
                        if readings and waiting:
                            yield Chunk(waiting, clock.mono_ns())
                            waiting = b""
                        for reading in readings:
                            await clock.sleep_until(pace.due(reading, clock.mono_ns()))
                        waiting += packet
            yield Chunk(waiting, clock.mono_ns())
        except OSError as error:
            raise SourceLostError(f"{self}: cannot be read ({error.strerror}); check the path") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class DatagramSource:
    """UDP, to an address of this machine or to a group, with or without RTP's header."""

    host: str
    port: int
    rtp: bool = False

    def __str__(self) -> str:
        return f"{'rtp' if self.rtp else 'udp'}://{self.host}:{self.port}"

    async def chunks(self, clock: Clock) -> AsyncGenerator[Chunk, None]:
        arrivals: asyncio.Queue[Chunk] = asyncio.Queue(maxsize=DATAGRAMS_WAITING_MAX)
        try:
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: _Datagrams(arrivals, clock), sock=listening_socket(self.host, self.port)
            )
        except OSError as error:
            raise SourceLostError(
                f"{self}: cannot be received ({error.strerror}); is the address one of this machine?"
            ) from error
        try:
            while True:
                try:
                    async with asyncio.timeout(SILENCE_S):
                        chunk = await arrivals.get()
                except TimeoutError as error:
                    raise SourceLostError(f"{self}: nothing for {SILENCE_S:g} s; is it sent here?") from error
                yield Chunk(_without_header(chunk.data), chunk.mono_ns) if self.rtp else chunk
        finally:
            transport.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class SrtSource:
    """SRT, caller or listener, carried by the system's ffmpeg."""

    url: str

    def __str__(self) -> str:
        parts = urlsplit(self.url)
        return f"srt://{parts.hostname or ''}:{parts.port}"

    async def chunks(self, clock: Clock) -> AsyncGenerator[Chunk, None]:
        process = await self._started()
        assert process.stdout is not None
        patience_s = CONNECT_S
        try:
            while True:
                try:
                    async with asyncio.timeout(patience_s):
                        data = await process.stdout.read(CHUNK_BYTES_MAX)
                except TimeoutError as error:
                    raise SourceLostError(f"{self}: nothing for {patience_s:g} s; look at the sender") from error
                if not data:
                    raise SourceLostError(f"{self}: {await self._last_words(process)}")
                yield Chunk(data, clock.mono_ns())
                patience_s = SILENCE_S
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()  # its pipes are read to their end, or they would stay open

    async def _started(self) -> asyncio.subprocess.Process:
        ffmpeg = shutil.which(_PROGRAM)
        if ffmpeg is None:
            raise SourceLostError(
                f"{self}: SRT needs the program ffmpeg, which is not installed; install Debian's ffmpeg package"
            )
        guard = shutil.which("setpriv")  # util-linux: the kernel ends ffmpeg with us, however we end
        command = [
            *([guard, "--pdeathsig", "TERM", "--"] if guard else []),
            *(ffmpeg, "-nostdin", "-hide_banner", "-loglevel", "error", "-protocol_whitelist", "srt"),
            *("-f", "data", "-i", self.url, "-map", "0:0", "-c", "copy", "-flush_packets", "1", "-f", "data", "pipe:1"),
        ]
        pipe = asyncio.subprocess.PIPE
        try:
            return await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe)
        except OSError as error:
            raise SourceLostError(f"{self}: ffmpeg cannot be started ({error.strerror}); look at the machine") from error

    async def _last_words(self, process: asyncio.subprocess.Process) -> str:
        """The last sentence of ffmpeg, without the address, which may hold a passphrase."""
        assert process.stderr is not None
        words = b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                words = await process.stderr.read(CHUNK_BYTES_MAX)
        lines = words.decode("utf-8", "replace").replace(self.url, "the sender").strip().splitlines()
        return f"ended ({lines[-1].strip()})" if lines else "ended by the sender"


class _Pace:
    """When a recording's clock references are due, one after the other from its first."""

    def __init__(self) -> None:
        self._pcr: int | None = None
        self._due_ns = 0

    def due(self, reading: ClockReading, now_mono_ns: int) -> int:
        """When this one is; at once where the recording's clock begins anew."""
        step_ns = 0 if self._pcr is None else (reading.pcr - self._pcr) % (PTS_MODULUS * 300) * 1000 // 27
        begins = self._pcr is None or reading.jumped or step_ns > JUMP_NS
        self._pcr = reading.pcr
        self._due_ns = now_mono_ns if begins else self._due_ns + step_ns
        return self._due_ns


class _Datagrams(asyncio.DatagramProtocol):
    """Stamps each datagram as it comes."""

    def __init__(self, arrivals: asyncio.Queue[Chunk], clock: Clock) -> None:
        self._arrivals, self._clock = arrivals, clock

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - the protocol's signature
        with contextlib.suppress(asyncio.QueueFull):
            self._arrivals.put_nowait(Chunk(data, self._clock.mono_ns()))


def _without_header(data: bytes) -> bytes:
    """What an RTP packet carries, its contributors and extension passed over; nothing when it is none. Source: RFC 3550."""
    if len(data) < _RTP_HEADER_BYTES or data[0] >> 6 != 2:
        return b""
    begin = _RTP_HEADER_BYTES + (data[0] & 0x0F) * 4
    if data[0] & 0x10 and len(data) >= begin + 4:
        begin += 4 + int.from_bytes(data[begin + 2 : begin + 4], "big") * 4
    end = len(data) - (data[-1] if data[0] & 0x20 else 0)
    return data[begin:end]
