"""Sound in: a file or a network stream becomes mono blocks at `SAMPLE_RATE_HZ`.

The only module of this package, with `broadcast`, that talks to the network through FFmpeg's libraries. Everything here
blocks; the listener runs it in a thread of its own. Settings and their reasons: docs/capture.md.
"""

import enum
import errno
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, assert_never

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer

from fingerprints.audio import SAMPLE_RATE_HZ, AudioBlock
from fingerprints.errors import MediaError
from timebase import Clock

OPEN_TIMEOUT_S = 8.0
"""A server that does not answer, or sends nothing to recognise a format by, is given up after this."""
READ_TIMEOUT_S = 4.0
"""A stream that sends nothing is given up after this; the watch has called it stalled long before."""
SEGMENT_READ_TIMEOUT_S = 25.0
"""The same for HLS, which is quiet between segments: two target durations of 10 s and some."""
LIVE_PROBE_BYTES = 1_000_000
"""Enough for the tables of a transport stream full of pictures; sound alone never needs as much."""
LIVE_ANALYSE_US = 200_000
BAD_PACKETS_MAX = 250
"""Undecodable packets in a row (about 5 s) after which a source is given up."""
JUMP_MIN_S = 0.1
"""Time stamps that leap by more than this mean lost sound; less is jitter of the container."""
JUMP_MAX_S = 30.0
"""A leap forward of more than this is a new time line, not lost sound."""

FILE_FORMATS = "aac,mp3,ogg,mpegts,wav,w64,aiff,flac,mov,matroska,caf,mpeg,ac3,eac3,au,mxf"
"""Containers that may be opened from the disk: none that names further files inside."""
STREAM_FORMATS = f"{FILE_FORMATS},hls,rtp,sdp"
"""Containers that may come from the network."""

Channel = Literal["mix", "left", "right"]


class Transport(enum.StrEnum):
    """How sound arrives, which decides timeouts and what a pause means."""

    FILE = "file"
    STREAM = "stream"
    SEGMENTS = "segments"


_PROTOCOLS = {
    "file": "file",
    "http": "http,https,tcp,tls,httpproxy,crypto",
    "https": "https,http,tcp,tls,httpproxy,crypto",
    "udp": "udp",
    "rtp": "rtp,udp",
}
"""What FFmpeg may use for a source of each scheme. A playlist on the network must not open local files."""


class CaptureError(MediaError):
    """A source that cannot be opened or has failed.

    Attributes:
        url: the source, without its password.
        cause: what happened.
        fix: what a person can do.
        permanent: trying again cannot help (no such scheme, no such file).
    """

    def __init__(self, url: str, cause: str, fix: str, *, permanent: bool = False) -> None:
        self.url, self.cause, self.fix, self.permanent = masked(url), cause, fix, permanent
        super().__init__(f"{self.url}: {cause}; {fix}")


_CREDENTIALS = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#]*@")


def masked(url: str) -> str:
    """The URL with any user name and password replaced by `***`; a file name as it is."""
    return _CREDENTIALS.sub(r"\1***@", url)


def transport_of(url: str) -> Transport:
    """How a source will arrive, judged by its name alone.

    Raises:
        CaptureError: the scheme is none that may be opened.
    """
    scheme = _scheme(url)
    if scheme not in _PROTOCOLS:
        fix = "use a file name, or a URL that begins with http, https, udp or rtp"
        raise CaptureError(url, f"sources of the kind {scheme!r} are not opened", fix, permanent=True)
    if scheme == "file":
        return Transport.FILE
    path = re.split("[?#]", url, maxsplit=1)[0]
    return Transport.SEGMENTS if path.endswith((".m3u8", ".m3u")) else Transport.STREAM


def _scheme(url: str) -> str:
    scheme, separator, _ = url.partition("://")
    return scheme.lower() if separator else "file"


@dataclass(slots=True)
class Timeline:
    """Stream positions for a run of decoded frames, holes included.

    Positions count samples that were delivered. When the container's time stamps leap ahead, sound was lost on
    the way and the position leaps too; when they fall back or leap very far, a new time line has begun: the position
    goes on where it was. Either way the next block is marked as following a gap.
    """

    next_sample: int = 0
    _expected_s: float | None = field(default=None, init=False)
    _gap: bool = field(default=False, init=False)

    def place(self, n_samples: int, time_s: float | None, duration_s: float) -> tuple[int, bool]:
        """Where the next block begins, and whether sound is missing before it.

        Args:
            n_samples: its size after resampling.
            time_s: the container's time of the frame it came from, None where it has none.
            duration_s: that frame's duration.
        """
        jump_s = 0.0 if time_s is None or self._expected_s is None else time_s - self._expected_s
        self._gap = self._gap or abs(jump_s) > JUMP_MIN_S
        if JUMP_MIN_S < jump_s <= JUMP_MAX_S:
            self.next_sample += round(jump_s * SAMPLE_RATE_HZ)
        first, gap = self.next_sample, self._gap
        self.next_sample += n_samples
        if time_s is not None:
            self._expected_s = time_s + duration_s
        elif self._expected_s is not None:
            self._expected_s += duration_s
        if n_samples:
            self._gap = False  # an empty block is not handed out: the next one tells of the gap
        return first, gap


class Resampler:
    """Decoded frames of any rate and layout become mono float32 at `SAMPLE_RATE_HZ`.

    The samples do not depend on how the sound was cut into frames. A change of the source's rate or layout in the
    middle of a stream begins a new resampler.
    """

    def __init__(self, channel: Channel = "mix") -> None:
        self._channel: Channel = channel
        self._inner: AudioResampler | None = None
        self._source: tuple[str, int, str] | None = None

    def feed(self, frame: av.AudioFrame | None) -> npt.NDArray[np.float32]:
        """The samples that are ready after this frame; None asks for what is left at the end.

        Returns:
            float32 [shape=(n_samples,)], possibly empty, new memory.
        """
        parts: list[npt.NDArray[np.float32]] = []
        if frame is not None:
            source = (frame.layout.name, frame.sample_rate, frame.format.name)
            if source != self._source:
                parts += self._drain()
                # Never FFmpeg's own way to mono: it adds 3 dB and may pass full scale.
                layout = "mono" if frame.layout.nb_channels == 1 else "stereo"
                self._inner, self._source = AudioResampler(format="fltp", layout=layout, rate=SAMPLE_RATE_HZ), source
            assert self._inner is not None
            parts += [self._pick(out) for out in self._inner.resample(frame)]
        else:
            parts += self._drain()
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.float32)

    def _drain(self) -> list[npt.NDArray[np.float32]]:
        inner, self._inner, self._source = self._inner, None, None
        return [] if inner is None else [self._pick(out) for out in inner.resample(None)]

    def _pick(self, frame: av.AudioFrame) -> npt.NDArray[np.float32]:
        planes = frame.to_ndarray()
        match self._channel:
            case "mix":
                return np.asarray(planes.mean(axis=0), dtype=np.float32)
            case "left":
                return np.array(planes[0], dtype=np.float32)
            case "right":
                return np.array(planes[-1], dtype=np.float32)
        assert_never(self._channel)


class Capture:
    """One opened source: a context manager whose `blocks` come as the sound arrives.

    Positions begin at 0 with each capture. `stop` may be called from any thread: the iteration ends with the next
    packet, or when the read timeout passes if none comes.

    Args:
        url: a file name, or an http, https, udp or rtp URL.
        clock: gives each packet its instant of arrival.
        channel: both channels mixed, or one of them.

    Raises:
        CaptureError: on entering: the source cannot be opened as audio.
    """

    def __init__(self, url: str, *, clock: Clock, channel: Channel = "mix") -> None:
        self.url = url
        self.transport = transport_of(url)
        self._clock, self._channel = clock, channel
        self._stopping = threading.Event()
        self._container: InputContainer | None = None

    def __enter__(self) -> Self:
        self._container = self._open()
        if self._container.format.name == "hls" and self.transport is Transport.STREAM:
            # A playlist without the usual suffix: its pauses between segments need the longer timeout.
            self._container.close()
            self.transport = Transport.SEGMENTS
            self._container = self._open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._container is not None:
            self._container.close()
            self._container = None

    def stop(self) -> None:
        """Make `blocks` end soon, from any thread."""
        self._stopping.set()

    def blocks(self) -> Iterator[AudioBlock]:
        """The sound, block by block, none longer than the codec's frame (about 20 to 50 ms).

        Raises:
            CaptureError: the source failed, fell silent as a connection, or cannot be decoded.
        """
        assert self._container is not None, "blocks: enter the capture first"
        stream = self._audio_stream(self._container)
        resampler, timeline, bad_packets = Resampler(self._channel), Timeline(), 0
        packets = self._container.demux(stream)
        while not self._stopping.is_set():
            try:
                packet = next(packets, None)
            except (av.error.FFmpegError, OSError) as error:
                if self._is_end(error):
                    break
                raise translate(self.url, error) from error
            if packet is None:
                break
            seen_mono_ns = self._clock.mono_ns()
            try:
                frames = stream.decode(packet)
                bad_packets = 0
            except av.error.FFmpegError as error:
                bad_packets += 1
                if bad_packets > BAD_PACKETS_MAX:
                    raise translate(self.url, error) from error
                continue
            for frame in frames:
                yield from self._block(frame, resampler, timeline, seen_mono_ns)
        yield from self._block(None, resampler, timeline, self._clock.mono_ns())
        if timeline.next_sample == 0 and not self._stopping.is_set():
            # A server that calls rubbish audio/aac is believed by FFmpeg, and nothing comes of it.
            raise CaptureError(
                self.url, "no sound in it could be decoded", "look at what is sent", permanent=self.transport is Transport.FILE
            )

    def _is_end(self, error: BaseException) -> bool:
        """Whether this is how FFmpeg tells the end of an HTTP answer that named no length."""
        return (
            self.transport is Transport.STREAM
            and self.url.lower().startswith("http")
            and getattr(error, "errno", None) == errno.EIO
        )

    def _block(
        self, frame: av.AudioFrame | None, resampler: Resampler, timeline: Timeline, seen_mono_ns: int
    ) -> Iterator[AudioBlock]:
        time_s, duration_s = (None, 0.0) if frame is None else (frame.time, frame.samples / frame.sample_rate)
        pcm = resampler.feed(frame)
        first, gap = timeline.place(len(pcm), time_s, duration_s)
        if len(pcm):
            pcm.flags.writeable = False
            yield AudioBlock(pcm=pcm, first_sample=first, seen_mono_ns=seen_mono_ns, gap=gap)

    def _open(self) -> InputContainer:
        local = self.transport is Transport.FILE
        name = str(Path(self.url.removeprefix("file://"))) if local else self.url
        read_timeout_s = SEGMENT_READ_TIMEOUT_S if self.transport is Transport.SEGMENTS else READ_TIMEOUT_S
        try:
            container = av.open(name, "r", options=self._options(), timeout=None if local else (OPEN_TIMEOUT_S, read_timeout_s))
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise translate(self.url, error) from error
        try:
            self._audio_stream(container)
        except BaseException:
            container.close()
            raise
        return container

    def _options(self) -> dict[str, str]:
        options = {"protocol_whitelist": _PROTOCOLS[_scheme(self.url)], "format_whitelist": FILE_FORMATS}
        if self.transport is Transport.FILE:
            return options
        options |= {"format_whitelist": STREAM_FORMATS}
        options |= {"probesize": str(LIVE_PROBE_BYTES), "analyzeduration": str(LIVE_ANALYSE_US)}
        if self.transport is Transport.SEGMENTS:
            return options | {"live_start_index": "-1", "user_agent": "Cuebird"}  # from the newest segment on
        if self.url.lower().startswith("http"):
            return options | {"icy": "0", "seekable": "0", "user_agent": "Cuebird"}
        if self.url.lower().startswith("udp"):
            return options | {"overrun_nonfatal": "1", "fifo_size": "4096"}
        return options

    def _audio_stream(self, container: InputContainer) -> AudioStream:
        if not container.streams.audio:
            raise CaptureError(
                self.url, "there is no audio in it", "choose another source", permanent=self.transport is Transport.FILE
            )
        stream = container.streams.audio[0]
        stream.codec_context.thread_count = 1  # more threads would hold frames back
        return stream


_CAUSES: tuple[tuple[type[BaseException], str, str, bool], ...] = (
    (FileNotFoundError, "there is no such file", "check the name", True),
    (IsADirectoryError, "this is a folder", "name an audio file", True),
    (PermissionError, "it may not be read", "give this user the right to read it", True),
    (ConnectionRefusedError, "nothing answers at this address", "start the server, or check host and port", False),
    (ConnectionResetError, "the server broke the connection off", "look at the server", False),
    (av.error.HTTPNotFoundError, "the server has no such stream (404)", "check the path of the URL", False),
    (av.error.HTTPUnauthorizedError, "the server wants a user name and password (401)", "put the right ones into the URL", False),
    (av.error.HTTPForbiddenError, "the server refuses it (403)", "ask whoever runs the server", False),
    (av.error.HTTPError, "the server answered with an error", "look at the server", False),
    (av.error.ExitError, "no data came in time", "look at the server and the network", False),
    (TimeoutError, "no data came in time", "look at the server and the network", False),
    (av.error.InvalidDataError, "this is not audio in any format that can be read", "convert it to WAV, Opus, AAC or MP3", True),
    (av.error.EOFError, "it is empty", "choose another source", True),
)
"""What FFmpeg's errors mean to a person, first match wins: cause, fix, permanent for a file."""


def translate(url: str, error: BaseException) -> CaptureError:
    """The `CaptureError` that says what an error of FFmpeg or the system means for this source."""
    on_network = _scheme(url) != "file"
    for kind, cause, fix, permanent in _CAUSES:
        if isinstance(error, kind):
            return CaptureError(url, cause, fix, permanent=permanent and not on_network)
    text: Any = getattr(error, "strerror", None) or error
    fix = "check the address and the network" if on_network else "check the file"
    return CaptureError(url, f"it cannot be read ({text})", fix)
