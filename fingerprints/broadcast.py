"""A station on this machine: plays an audio file as a live compressed stream over HTTP, in real time.

It is what `cuebird demo` listens to, and what tests and benchmarks measure against, so it behaves as an Icecast server
does: no length, no seeking, every client gets what is on air now, and a frame leaves when its last sample has been played.
"""

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import av
import av.error
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream

from fingerprints.capture import CaptureError, translate
from timebase import Clock

log = logging.getLogger(__name__)

Codec = Literal["aac", "mp3"]

RATE_HZ = 48_000
CLIENTS_MAX = 64
CLIENT_BACKLOG_PACKETS = 250
"""A client that is about 5 s behind is disconnected, as a radio server would."""
DRAIN_S = 2.0
"""What the last frames may take to reach the clients once the file has ended."""
REQUEST_BYTES_MAX = 8_192
REQUEST_TIMEOUT_S = 5.0
AHEAD_PACKETS = 48
"""Encoded at a time, about 1 s, in a thread."""
_FORMATS: dict[Codec, tuple[str, str, str, dict[str, str]]] = {
    "aac": ("aac", "adts", "audio/aac", {}),
    "mp3": ("libmp3lame", "mp3", "audio/mpeg", {"write_xing": "0", "id3v2_version": "0"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One encoded frame.

    Attributes:
        until_sample: samples of the source played when it may leave, at `RATE_HZ`, counted over all passes.
        pass_number: which playing of the file it belongs to, from 0.
        pass_first_sample: where that pass began.
    """

    data: bytes
    until_sample: int
    pass_number: int
    pass_first_sample: int


class _Sink(RawIOBase):
    """Collects what the muxer writes."""

    def __init__(self) -> None:
        self.pending = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.pending += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self.pending)
        self.pending.clear()
        return taken


def encode(file: Path, *, codec: Codec, bit_rate: int, loop: bool) -> Generator[Chunk, None, None]:
    """The file as a run of encoded frames; without end when `loop`, and then without a seam.

    Raises:
        CaptureError: the file cannot be read as audio.
    """
    name, container_format, _, options = _FORMATS[codec]
    sink = _Sink()
    played, pass_first = 0, 0
    with av.open(sink, "w", format=container_format, options={"flush_packets": "1", **options}, buffer_size=4096) as output:
        encoder = output.add_stream(name, rate=RATE_HZ)
        assert isinstance(encoder, AudioStream)
        encoder.bit_rate, encoder.layout = bit_rate, "stereo"
        for pass_number in itertools.count() if loop else range(1):
            pass_first = played
            for frame in _frames(file, encoder.codec_context.frame_size or 1024):
                played += frame.samples
                frame.pts = None
                output.mux(encoder.encode(frame))
                if data := sink.take():
                    yield Chunk(data=data, until_sample=played, pass_number=pass_number, pass_first_sample=pass_first)
            if played == pass_first:
                raise CaptureError(str(file), "there is no sound in it", "choose another file", permanent=True)
        output.mux(encoder.encode(None))
    yield Chunk(data=sink.take(), until_sample=played, pass_number=0, pass_first_sample=pass_first)


def _frames(file: Path, frame_size: int) -> Iterator[av.AudioFrame]:
    """The file decoded to stereo frames of the encoder's size; the last may be shorter."""
    try:
        with av.open(str(file), "r") as source:
            if not source.streams.audio:
                raise CaptureError(str(file), "there is no audio in it", "choose another file", permanent=True)
            resampler = AudioResampler(format="fltp", layout="stereo", rate=RATE_HZ, frame_size=frame_size)
            for frame in source.decode(audio=0):
                yield from resampler.resample(frame)
            yield from resampler.resample(None)
    except (av.error.FFmpegError, OSError) as error:
        raise translate(str(file), error) from error


class Broadcast:
    """A live stream of a file: an async context manager with the stream's `url`.

    The station goes on air when its first listener has come (or at once), so that a listener that is
    there in time hears the file from its first sample. In once mode the stream ends with the file: every client gets the
    rest, the connections are closed cleanly, and then `finished` is set.

    Args:
        file: what to play; anything FFmpeg's libraries read.
        clock: paces the stream.
        port: 0 takes a free one.
        path: of the stream, with or without the leading slash.
        bit_rate: in bit/s.
        on_pass: called with the pass number and the mono_ns at which sample 0 of that pass is on air.
        wait_for_client: False goes on air at once.

    Raises:
        CaptureError: on entering: the file cannot be read as audio.
        OSError: on entering: the port is taken.
    """

    def __init__(
        self,
        file: Path,
        *,
        clock: Clock,
        host: str = "127.0.0.1",
        port: int = 0,
        path: str = "live.aac",
        codec: Codec = "aac",
        bit_rate: int = 64_000,
        loop: bool = True,
        on_pass: Callable[[int, int], None] | None = None,
        wait_for_client: bool = True,
    ) -> None:
        self._file, self._clock, self._host, self._port, self._path = file, clock, host, port, path.lstrip("/")
        self._codec, self._bit_rate, self._loop, self._on_pass = codec, bit_rate, loop, on_pass
        self._clients: dict[asyncio.Task[None], asyncio.Queue[bytes | None]] = {}
        self._heard = asyncio.Event()
        if not wait_for_client:
            self._heard.set()
        self._stack = AsyncExitStack()
        self._over = False
        self.finished = asyncio.Event()
        self.url = ""

    async def __aenter__(self) -> Self:
        chunks = encode(self._file, codec=self._codec, bit_rate=self._bit_rate, loop=self._loop)
        ahead = await asyncio.to_thread(_take, chunks)
        server = await asyncio.start_server(self._serve, self._host, self._port, limit=REQUEST_BYTES_MAX)
        host, port = server.sockets[0].getsockname()[:2]
        self.url = f"http://{host}:{port}/{self._path}"
        player = asyncio.create_task(self._play(chunks, ahead), name=f"broadcast {self._path}")
        self._stack.push_async_callback(self._close, server, player)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def clients(self) -> int:
        """How many listen now."""
        return len(self._clients)

    async def _close(self, server: asyncio.Server, player: asyncio.Task[None]) -> None:
        server.close()
        for task in (player, *self._clients):
            task.cancel()
        results = await asyncio.gather(player, *self._clients, return_exceptions=True)
        await server.wait_closed()
        if isinstance(results[0], Exception):
            raise results[0]

    async def _play(self, chunks: Generator[Chunk, None, None], ahead: deque[Chunk]) -> None:
        """Send the programme to its end; whatever ends it, nobody waits for `finished` in vain."""
        try:
            await self._heard.wait()
            await self._send_in_time(chunks, ahead)
            self._over = True
            for queue in self._clients.values():
                queue.put_nowait(None)
            if self._clients:
                await asyncio.wait(list(self._clients), timeout=DRAIN_S)
        finally:
            self.finished.set()
            chunks.close()

    async def _send_in_time(self, chunks: Iterator[Chunk], ahead: deque[Chunk]) -> None:
        """Send each frame to every client at the instant its last sample has been played."""
        began_mono_ns = self._clock.mono_ns()
        pass_number = -1
        while ahead:
            following = asyncio.create_task(asyncio.to_thread(_take, chunks), name="broadcast encoder")
            try:
                for chunk in ahead:
                    if chunk.pass_number != pass_number and chunk.data:
                        pass_number = chunk.pass_number
                        self._tell_pass(pass_number, began_mono_ns + _ns(chunk.pass_first_sample))
                    await self._clock.sleep_until(began_mono_ns + _ns(chunk.until_sample))
                    self._send(chunk.data)
            finally:
                # The thread is using the encoder: nobody else may before it has returned.
                await asyncio.shield(following)
            ahead = following.result()

    def _tell_pass(self, pass_number: int, mono_ns: int) -> None:
        log.info("broadcast.pass", extra={"pass_number": pass_number, "mono_ns": mono_ns, "file": str(self._file)})
        if self._on_pass is not None:
            self._on_pass(pass_number, mono_ns)

    def _send(self, data: bytes) -> None:
        for task, queue in list(self._clients.items()):
            if queue.qsize() >= CLIENT_BACKLOG_PACKETS:
                log.warning("broadcast.client_too_slow", extra={"backlog_packets": queue.qsize()})
                task.cancel()
            else:
                queue.put_nowait(data)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                status = self._judge(await reader.readuntil(b"\r\n\r\n"))
            writer.write(self._head(status))
            await writer.drain()
            if status == "200 OK":
                await self._feed(writer)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ConnectionError) as error:
            log.info("broadcast.client_gone", extra={"reason": type(error).__name__})
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            writer.close()

    async def _feed(self, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._clients[task] = queue
        self._heard.set()
        try:
            while (data := await queue.get()) is not None:
                writer.write(data)
                await writer.drain()
        finally:
            del self._clients[task]

    def _judge(self, request: bytes) -> str:
        """The status line for a request."""
        words = request.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if len(words) != 3 or words[0] != "GET":
            return "405 Method Not Allowed"
        if words[1] != f"/{self._path}":
            return "404 Not Found"
        if self._over:
            return "410 Gone"
        return "200 OK" if len(self._clients) < CLIENTS_MAX else "503 Service Unavailable"

    def _head(self, status: str) -> bytes:
        content_type = _FORMATS[self._codec][2] if status == "200 OK" else "text/plain"
        head = f"HTTP/1.0 {status}\r\nContent-Type: {content_type}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
        return head.encode("latin-1")


def _take(chunks: Iterator[Chunk]) -> deque[Chunk]:
    return deque(itertools.islice(chunks, AHEAD_PACKETS))


def _ns(samples: int) -> int:
    return samples * 1_000_000_000 // RATE_HZ
