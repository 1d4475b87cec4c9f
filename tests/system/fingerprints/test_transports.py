"""Real servers and senders: Icecast, HLS over HTTP, MPEG-TS over UDP and RTP, each fed by ffmpeg."""

import functools
import http.server
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.capture import Capture, CaptureError
from timebase import SystemClock

pytestmark = pytest.mark.system

SPOT = Path(__file__).parents[3] / "examples" / "media" / "spots" / "kaffee-30.opus"
PLAY = ["ffmpeg", "-v", "error", "-nostdin", "-re", "-stream_loop", "-1", "-i", str(SPOT)]
HEARD_S = 1.5
PATIENCE_S = 20.0


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is gone afterwards."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def hear(url: str, seconds: float = HEARD_S) -> npt.NDArray[np.float32]:
    """The next seconds of a stream, tried until its server is up."""
    clock = SystemClock()
    give_up_ns = clock.mono_ns() + round(PATIENCE_S * 1e9)
    while True:
        try:
            parts: list[npt.NDArray[np.float32]] = []
            with Capture(url, clock=clock) as capture:
                for block in capture.blocks():
                    parts.append(block.pcm)
                    if sum(map(len, parts)) >= seconds * SAMPLE_RATE_HZ:
                        break
            return np.concatenate(parts)
        except CaptureError:
            if clock.mono_ns() > give_up_ns:
                raise
            threading.Event().wait(0.1)  # a server takes a moment to open its port


def likeness(heard: npt.NDArray[np.float32]) -> float:
    """Highest correlation, 0 to 1, of a second of `heard` with any place of the spot it should come from."""
    with Capture(str(SPOT), clock=SystemClock()) as capture:
        spot = np.concatenate([block.pcm for block in capture.blocks()])
    piece = heard[-SAMPLE_RATE_HZ:]
    spot = np.concatenate([spot, spot[: len(piece)]])
    size = 1 << (len(spot) + len(piece)).bit_length()
    dots = np.fft.irfft(np.fft.rfft(spot, size) * np.conj(np.fft.rfft(piece, size)), size)[: len(spot) - len(piece)]
    power = np.cumsum(np.concatenate([[0.0], spot.astype(np.float64) ** 2]))
    norms = np.sqrt((power[len(piece) :] - power[: -len(piece)])[: len(dots)])
    return float(np.max(dots / (norms * np.linalg.norm(piece) + 1e-9)))


@contextmanager
def icecast(folder: Path) -> Iterator[int]:
    """A real Icecast server; the port it listens on."""
    port, folder = free_port(socket.SOCK_STREAM), folder / "icecast"
    folder.mkdir()
    # Icecast refuses to run as root; it becomes nobody itself, who must be able to write its logs.
    owner = "<changeowner><user>nobody</user><group>nogroup</group></changeowner>" if os.geteuid() == 0 else ""
    for place in (folder, *list(folder.parents)[:3]):
        place.chmod(0o777)
    config = folder / "icecast.xml"
    config.write_text(
        f"""<icecast>
          <limits><sources>4</sources><burst-on-connect>0</burst-on-connect></limits>
          <authentication><source-password>hackme</source-password></authentication>
          <hostname>127.0.0.1</hostname>
          <listen-socket><port>{port}</port><bind-address>127.0.0.1</bind-address></listen-socket>
          <paths><basedir>{folder}</basedir><logdir>{folder}</logdir><webroot>{folder}</webroot><adminroot>{folder}</adminroot></paths>
          <logging><accesslog>access.log</accesslog><errorlog>error.log</errorlog></logging>
          <security>{owner}</security>
        </icecast>""",
        encoding="utf-8",
    )
    with running(["/usr/bin/icecast2", "-c", str(config)]):
        yield port


MOUNTS = {
    "live.mp3": ["-c:a", "libmp3lame", "-b:a", "128k", "-content_type", "audio/mpeg", "-f", "mp3"],
    "live.aac": ["-c:a", "aac", "-b:a", "64k", "-content_type", "audio/aac", "-f", "adts"],
    "live.ogg": ["-c:a", "libopus", "-b:a", "96k", "-page_duration", "60000", "-content_type", "application/ogg", "-f", "ogg"],
}


def test_icecast(tmp_path: Path) -> None:
    """What an Icecast server relays is heard, whatever its codec."""
    with icecast(tmp_path) as port, ExitStack() as sources, ThreadPoolExecutor(len(MOUNTS)) as listeners:
        for mount, encoder in MOUNTS.items():
            sources.enter_context(running([*PLAY, *encoder, f"icecast://source:hackme@127.0.0.1:{port}/{mount}"]))
        heard = dict(zip(MOUNTS, listeners.map(hear, [f"http://127.0.0.1:{port}/{mount}" for mount in MOUNTS]), strict=True))

    assert {mount: likeness(pcm) > 0.8 for mount, pcm in heard.items()} == dict.fromkeys(MOUNTS, True)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files and logs nothing."""

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_hls(tmp_path: Path) -> None:
    """A playlist that grows while it is read; what is heard is longer than one of its segments."""
    with ExitStack() as stack:
        handler = functools.partial(QuietHandler, directory=str(tmp_path))
        server = stack.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
        thread = threading.Thread(target=server.serve_forever, name="hls server")
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        hls = ["-c:a", "aac", "-b:a", "96k", "-f", "hls", "-hls_time", "1", "-hls_list_size", "5", str(tmp_path / "live.m3u8")]
        stack.enter_context(running([*PLAY, *hls]))

        assert likeness(hear(f"http://127.0.0.1:{server.server_address[1]}/live.m3u8")) > 0.8


PICTURES_IN = ["-f", "lavfi", "-re", "-i", "testsrc2=s=640x360:r=25"]
PICTURES_OUT = ["-map", "1:v", "-c:v", "mpeg2video", "-b:v", "3M"]


@pytest.mark.parametrize(
    ("scheme", "muxer", "television"),
    [("udp", "mpegts", False), ("udp", "mpegts", True), ("rtp", "rtp_mpegts", False)],
    ids=["udp", "udp television", "rtp"],
)
def test_mpeg_ts(scheme: str, muxer: str, television: bool) -> None:
    """A transport stream in datagrams, bare, between pictures, and in RTP."""
    address = f"{scheme}://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    encoder = ["-c:a", "aac", "-b:a", "96k", "-f", muxer, f"{address}?pkt_size=1316"]
    command = [*PLAY, *(PICTURES_IN if television else []), "-map", "0:a", *(PICTURES_OUT if television else []), *encoder]
    with running(command):
        assert likeness(hear(address)) > 0.8
