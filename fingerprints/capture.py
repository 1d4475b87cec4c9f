"""Sound in: a file or a network stream becomes mono blocks at `SAMPLE_RATE_HZ`.

The only module of this package, with `broadcast`, that talks to the network through FFmpeg's libraries. Everything here
blocks; the listener runs it in a thread of its own. Settings and their reasons: docs/capture.md.
"""

import errno
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, assert_never

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.audio.fifo import AudioFifo
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer

from fingerprints.audio import SAMPLE_RATE_HZ, AudioBlock
from fingerprints.downmix import Downmix
from fingerprints.external import ExternalSound
from fingerprints.sources import PROTOCOLS, CaptureError, Channel, Transport, masked, parse_source, transport_of
from timebase import Clock

OPEN_TIMEOUT_S = 8.0
"""A server that does not answer, or sends nothing to recognise a format by, is given up after this."""
READ_TIMEOUT_S = 4.0
"""A stream that sends nothing is given up after this; the watch has called it stalled long before."""
SEGMENT_READ_TIMEOUT_S = 25.0
"""The same for HLS, which is quiet between segments: two target durations of 10 s and some."""
CALLED_TIMEOUT_S = 60.0
"""How long we wait to be called (`listen=1`) before the port is opened anew."""
PROBE_BYTES = 1_000_000
"""Enough for the tables of a transport stream full of pictures; sound alone never needs as much."""
WAVE_PROBE_BYTES = 65_536
"""FFmpeg searches that much of a WAV for DTS that says it was PCM: 30 ms of work for a megabyte."""
LIVE_ANALYSE_US = 200_000
BAD_PACKETS_MAX = 100
"""Undecodable packets in a row (about 2 s: another codec has taken the place of the first) after which a source is given up."""
GATHERED_SAMPLES = 16_384
"""Of a source that is read at once, resampled together."""
PIPE_BUFFER_BYTES = 4096
"""Of the pipe from ffmpeg: 10 ms of samples."""
JUMP_MIN_S = 0.1
"""Time stamps that leap by more than this mean lost sound; less is jitter of the container."""
JUMP_MAX_S = 30.0
"""A leap forward of more than this is a new time line, not lost sound."""

FILE_FORMATS = "aac,mp3,ogg,mpegts,wav,w64,aiff,flac,mov,matroska,caf,mpeg,ac3,eac3,au,mxf"
"""Containers that may be opened from the disk: none that names further files inside."""
STREAM_FORMATS = f"{FILE_FORMATS},hls,rtp,sdp,rtsp,flv"
"""Containers that may come from the network."""

__all__ = ["Capture", "CaptureError", "Channel", "Resampler", "Timeline", "Transport", "masked", "translate", "transport_of"]


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

    Args:
        channel: which sound of a stereo source is made.
        downmix: makes it where that is the mix; None makes one of its own.
        gathered: samples of the source that are waited for and resampled together; 0 resamples every frame as it comes.
    """

    def __init__(self, channel: Channel = "mix", *, downmix: Downmix | None = None, gathered: int = 0) -> None:
        self._channel: Channel = channel
        self._downmix = downmix or Downmix()
        self._gathered = gathered
        self._fifo = AudioFifo()
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
            parts += self._resampled(self._gather(frame))
        else:
            parts += self._drain()
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.float32)

    def _gather(self, frame: av.AudioFrame) -> av.AudioFrame | None:
        if not self._gathered:
            return frame
        frame.pts = None  # what is lost between frames is the timeline's affair, which has seen it by now
        self._fifo.write(frame)
        return self._fifo.read(self._gathered)

    def _resampled(self, frame: av.AudioFrame | None) -> list[npt.NDArray[np.float32]]:
        assert self._inner is not None
        return [] if frame is None else [self._pick(out) for out in self._inner.resample(frame)]

    def _drain(self) -> list[npt.NDArray[np.float32]]:
        if self._inner is None:
            return []
        parts = self._resampled(self._fifo.read() if self._fifo.samples else None)
        parts += [self._pick(out) for out in self._inner.resample(None)]
        self._inner, self._source, self._fifo = None, None, AudioFifo()
        return parts

    def _pick(self, frame: av.AudioFrame) -> npt.NDArray[np.float32]:
        planes = frame.to_ndarray()
        match self._channel:
            case "mix" if len(planes) == 1:
                return np.array(planes[0], dtype=np.float32)
            case "mix":
                return self._downmix.feed(planes[0], planes[-1])
            case "left":
                return np.array(planes[0], dtype=np.float32)
            case "right":
                return np.array(planes[-1], dtype=np.float32)
            case "side":
                return np.asarray((planes[0] - planes[-1]) * np.float32(0.5), dtype=np.float32)
        assert_never(self._channel)


class Capture:
    """One opened source: a context manager whose `blocks` come as the sound arrives.

    Positions begin at 0 with each capture. `stop` may be called from any thread: the iteration ends with the next
    packet, or when the read timeout passes if none comes.

    Args:
        url: a file name, a URL or `-`, with settings after `#` (docs/capture.md).
        clock: gives each packet its instant of arrival.
        channel: both channels mixed, or one of them, when the URL does not say.
        downmix: mixes them and knows whether one is inverted; None makes one of its own.
        at_once: blocks of a third of a second instead of as they arrive: a third of the work, for who reads a file whole.

    Raises:
        CaptureError: the address cannot be understood; on entering: the source cannot be opened as audio.
    """

    def __init__(
        self, url: str, *, clock: Clock, channel: Channel = "mix", downmix: Downmix | None = None, at_once: bool = False
    ) -> None:
        self.url = url
        self._downmix = downmix
        self._gathered = GATHERED_SAMPLES if at_once else 0
        self._source = parse_source(url)
        self.transport = self._source.transport
        self._clock, self._channel = clock, self._source.channel_mix or channel
        self._stopping = threading.Event()
        self._container: InputContainer | None = None
        self._external: ExternalSound | None = None

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
        if self._external is not None:
            self._external.close()
            self._external = None

    def stop(self) -> None:
        """Make `blocks` end soon, from any thread."""
        self._stopping.set()

    def blocks(self) -> Iterator[AudioBlock]:
        """The sound, block by block, none longer than the codec's frame (about 20 to 50 ms) unless read at once.

        Raises:
            CaptureError: the source failed, fell silent as a connection, or cannot be decoded.
        """
        assert self._container is not None, "blocks: enter the capture first"
        stream = self._audio_stream(self._container)
        resampler = Resampler(self._channel, downmix=self._downmix, gathered=self._gathered)
        timeline, bad_packets, over = Timeline(), 0, False
        while not (over or self._stopping.is_set()):
            packet = self._next_packet(stream)
            if packet is None:
                break
            over = packet.size == 0  # the last: it makes the decoder give what it holds
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

    def _next_packet(self, stream: AudioStream) -> "av.Packet[AudioStream] | None":
        """The next packet of the sound; None at the end."""
        assert self._container is not None
        try:
            # A generator for each packet: one that lives on reads past its arrays when a stream appears later.
            packet = next(self._container.demux(stream), None)
        except (av.error.FFmpegError, OSError) as error:
            if self._is_end(error):
                return None
            raise translate(self.url, error) from error
        if self._external is not None and self._external.failure is not None:
            raise self._external.failure
        return packet

    def _is_end(self, error: BaseException) -> bool:
        """Whether this is how FFmpeg tells the end of an HTTP answer that named no length."""
        return (
            self.transport is Transport.STREAM
            and self._source.scheme in ("http", "https")
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
        try:
            container = self._open_external() if self._source.external else self._open_here()
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise translate(self.url, error) from error
        try:
            self._audio_stream(container)
        except BaseException:
            container.close()
            raise
        return container

    def _open_external(self) -> InputContainer:
        timeout_s = SEGMENT_READ_TIMEOUT_S if self.transport is Transport.SEGMENTS else OPEN_TIMEOUT_S
        self._external = ExternalSound(self._source, stopping=self._stopping, timeout_s=timeout_s)
        try:
            return av.open(self._external, "r", format="nut", buffer_size=PIPE_BUFFER_BYTES)
        except BaseException as error:
            self._external.close()
            if self._external.failure is not None:
                raise self._external.failure from error
            raise

    def _open_here(self) -> InputContainer:
        source = self._source
        options = self._options()
        match source.scheme:
            case "stdin":
                stdin = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115  not ours to close; nothing waits for a full buffer
                return av.open(stdin, "r", format=source.sample_format, options=options)
            case "alsa":
                return av.open(source.address, "r", format="alsa", timeout=(OPEN_TIMEOUT_S, READ_TIMEOUT_S))
            case "file":
                return av.open(str(Path(source.address)), "r", options=options)
        open_timeout_s = CALLED_TIMEOUT_S if source.listens else OPEN_TIMEOUT_S
        read_timeout_s = SEGMENT_READ_TIMEOUT_S if self.transport is Transport.SEGMENTS else READ_TIMEOUT_S
        timeouts_s = (open_timeout_s, read_timeout_s)
        try:
            return av.open(source.address, "r", options=options, timeout=timeouts_s)
        except (av.error.HTTPBadRequestError, av.error.HTTPOtherClientError):
            # 461, or 400: this server sends by UDP only, and says so as well as it can.
            if source.scheme != "rtsp" or source.listens:
                raise
            return av.open(source.address, "r", options=options | {"rtsp_transport": "udp"}, timeout=timeouts_s)

    def _options(self) -> dict[str, str]:
        source = self._source
        if source.scheme == "stdin":
            layout = {1: "mono", 2: "stereo"}.get(source.channels, f"{source.channels}C")
            return {"sample_rate": str(source.rate_hz), "ch_layout": layout}
        options = {"protocol_whitelist": PROTOCOLS[source.scheme], "format_whitelist": FILE_FORMATS}
        if self.transport is Transport.FILE:
            is_wave = Path(source.address).suffix.lower() == ".wav"
            return options | {"probesize": str(WAVE_PROBE_BYTES if is_wave else PROBE_BYTES)}
        options |= {"format_whitelist": STREAM_FORMATS}
        options |= {"probesize": str(PROBE_BYTES), "analyzeduration": str(LIVE_ANALYSE_US)}
        if self.transport is Transport.SEGMENTS:
            return options | {"live_start_index": "-1", "user_agent": "Cuebird"}  # from the newest segment on
        special = {
            "udp": {"overrun_nonfatal": "1", "fifo_size": "4096", "reuse": "1"},
            "rtsp": {"rtsp_flags": "listen", "listen_timeout": str(round(CALLED_TIMEOUT_S))}
            if source.listens
            else {"rtsp_transport": "tcp"},
            "rtmp": {"listen": "1"} if source.listens else {"rtmp_live": "live"},
        }
        name = source.scheme.removesuffix("s")
        return options | special.get(name, {"icy": "0", "seekable": "0", "user_agent": "Cuebird"} if name == "http" else {})

    def _audio_stream(self, container: InputContainer) -> AudioStream:
        tracks = container.streams.audio
        wanted = 1 if self._source.external else self._source.track
        if not tracks:
            raise CaptureError(
                self.url, "there is no audio in it", "choose another source", permanent=self.transport is Transport.FILE
            )
        if wanted > len(tracks):
            raise CaptureError(
                self.url,
                f"track {wanted} of {len(tracks)} is not there",
                "choose another track",
                permanent=self.transport is Transport.FILE,
            )
        stream = tracks[wanted - 1]
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
    on_network = transport_of(url) is not Transport.FILE
    for kind, cause, fix, permanent in _CAUSES:
        if isinstance(error, kind):
            return CaptureError(url, cause, fix, permanent=permanent and not on_network)
    text: Any = getattr(error, "strerror", None) or error
    fix = "check the address and the network" if on_network else "check the file"
    return CaptureError(url, f"it cannot be read ({text})", fix)
