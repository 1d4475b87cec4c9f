"""Real servers and senders, each fed by ffmpeg: Icecast, HLS, DASH, transport streams, SRT, RIST, RTMP, RTSP, a sound card."""

import functools
import http.server
import os
import shlex
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.capture import Capture, CaptureError
from tests.system.fingerprints.stations import AAC, PLAY, ROOT, SPOT, free_port, hear, icecast, likeness, running
from timebase import SystemClock

pytestmark = pytest.mark.system

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


SEGMENTED = {
    "hls": ("live.m3u8", ["-f", "hls", "-hls_time", "1", "-hls_list_size", "5"]),
    "dash": ("live.mpd", ["-f", "dash", "-seg_duration", "1", "-window_size", "5"]),
}


@pytest.mark.parametrize("kind", SEGMENTED)
def test_segments_over_http(tmp_path: Path, kind: str) -> None:
    """A playlist that grows while it is read; what is heard is longer than one of its segments."""
    name, muxer = SEGMENTED[kind]
    with ExitStack() as stack:
        handler = functools.partial(QuietHandler, directory=str(tmp_path))
        server = stack.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
        thread = threading.Thread(target=server.serve_forever, name=f"{kind} server")
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        stack.enter_context(running([*PLAY, "-c:a", "aac", "-b:a", "96k", *muxer, str(tmp_path / name)]))

        assert likeness(hear(f"http://127.0.0.1:{server.server_address[1]}/{name}", 3.0)) > 0.8


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


@pytest.mark.parametrize(("scheme", "muxer"), [("udp", "mpegts"), ("rtp", "rtp_mpegts")])
def test_multicast(scheme: str, muxer: str) -> None:
    """A group on the loopback, which has no route for it: `localaddr` names the network for us as it does for the sender."""
    address = f"{scheme}://239.255.77.1:{free_port(socket.SOCK_DGRAM)}?localaddr=127.0.0.1"
    with running([*PLAY, "-c:a", "aac", "-b:a", "96k", "-f", muxer, f"{address}&ttl=0&pkt_size=1316"]):
        assert likeness(hear(address)) > 0.8


TS = [*AAC, "-f", "mpegts"]


@pytest.mark.parametrize(
    ("address", "sender", "kind"),
    [
        ("srt://127.0.0.1:{port}?mode=caller", [*TS, "srt://127.0.0.1:{port}?mode=listener"], socket.SOCK_DGRAM),
        (
            "rtmp://127.0.0.1:{port}/live/a",
            [*AAC, "-f", "flv", "-listen", "1", "rtmp://127.0.0.1:{port}/live/a"],
            socket.SOCK_STREAM,
        ),
        ("tcp://127.0.0.1:{port}", [*TS, "tcp://127.0.0.1:{port}?listen=1"], socket.SOCK_STREAM),
        ("rist://127.0.0.1:{port}", [*TS, "rist://@127.0.0.1:{port}"], socket.SOCK_DGRAM),
    ],
    ids=["srt", "rtmp", "tcp", "rist"],
)
def test_servers_that_are_called(address: str, sender: list[str], kind: socket.SocketKind) -> None:
    """Where the sender waits for us."""
    port = free_port(kind)
    with running([*PLAY, *(part.format(port=port) for part in sender)]):
        assert likeness(hear(address.format(port=port))) > 0.8


@pytest.mark.parametrize(
    ("address", "sender", "kind"),
    [
        ("srt://127.0.0.1:{port}?mode=listener", [*TS, "srt://127.0.0.1:{port}?mode=caller"], socket.SOCK_DGRAM),
        ("rtmp://127.0.0.1:{port}/live/a#listen=1", [*AAC, "-f", "flv", "rtmp://127.0.0.1:{port}/live/a"], socket.SOCK_STREAM),
        (
            "rtsp://127.0.0.1:{port}/live#listen=1",
            [*AAC, "-f", "rtsp", "-rtsp_transport", "tcp", "rtsp://127.0.0.1:{port}/live"],
            socket.SOCK_STREAM,
        ),
        ("rist://@127.0.0.1:{port}", [*TS, "rist://127.0.0.1:{port}"], socket.SOCK_DGRAM),
    ],
    ids=["srt", "rtmp", "rtsp", "rist"],
)
def test_senders_that_call(address: str, sender: list[str], kind: socket.SocketKind) -> None:
    """Where we wait for the sender, who tries until somebody answers."""
    port = free_port(kind)
    call = " ".join(shlex.quote(part) for part in [*PLAY, *(part.format(port=port) for part in sender)])
    with running(["/bin/sh", "-c", f"trap 'kill $!; exit' TERM; until {call} & wait $!; do sleep 0.2; done"], gently=True):
        assert likeness(hear(address.format(port=port))) > 0.8


def test_the_programme_and_the_track_are_chosen() -> None:
    """Of two programmes in a transport stream, the second's second track: a tone no other track has."""
    address = f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    tones = [part for pitch_hz in (300, 600, 1200) for part in ("-f", "lavfi", "-re", "-i", f"sine={pitch_hz}")]
    maps = [part for track in range(3) for part in ("-map", f"{track}:a")]
    programmes = ["-program", "program_num=1:st=0", "-program", "program_num=2:st=1:st=2"]
    stream = [*maps, *programmes, "-c:a", "mp2", "-f", "mpegts", f"{address}?pkt_size=1316"]
    heard_hz = {}
    with running(["ffmpeg", "-v", "error", "-nostdin", *tones, *stream]):
        for setting in ("", "#track=2", "#program=2&track=2"):
            pcm = hear(address + setting, 0.6)[-4096:]
            spectrum = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm))))
            heard_hz[setting] = round(int(np.argmax(spectrum)) * SAMPLE_RATE_HZ / len(pcm), -1)

    assert heard_hz == {"": 300, "#track=2": 600, "#program=2&track=2": 1200}


def test_what_ffmpeg_says_reaches_people() -> None:
    """Nobody listens: the sentence names the address and the cause."""
    capture = Capture(f"srt://127.0.0.1:{free_port(socket.SOCK_DGRAM)}", clock=SystemClock())

    with pytest.raises(CaptureError, match=r"srt://127\.0\.0\.1:\d+: ffmpeg gave up \(.+\); check the address"):
        capture.__enter__()


HEAR = """
import sys
from fingerprints.capture import Capture
from timebase import SystemClock

with Capture(sys.argv[1], clock=SystemClock()) as capture:
    samples = 0
    for block in capture.blocks():
        sys.stdout.buffer.write(block.pcm.tobytes())
        samples += len(block.pcm)
        if samples > 24_000:
            break
"""


def heard_by_a_process(url: str, *, stdin: bytes = b"", **environment: str) -> npt.NDArray[np.float32]:
    done = subprocess.run(
        [sys.executable, "-c", HEAR, url],
        input=stdin,
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return np.frombuffer(done.stdout, np.float32)


def raw(rate_hz: int) -> bytes:
    decoded = ["ffmpeg", "-v", "error", "-i", str(SPOT), "-t", "2", "-ar", str(rate_hz), "-ac", "2", "-f", "s16le", "-"]
    return subprocess.run(decoded, capture_output=True, check=True).stdout


def test_raw_samples_on_standard_input() -> None:
    """Whatever writes samples into a pipe can be heard."""
    assert likeness(heard_by_a_process("-#rate=44100", stdin=raw(44_100))) > 0.8


def test_a_sound_card(tmp_path: Path) -> None:
    """A card of ALSA's own making, which plays a file into its input."""
    (tmp_path / "samples.raw").write_bytes(raw(48_000))
    config = tmp_path / "asound.conf"
    config.write_text(
        f"""pcm.tape {{ type file slave.pcm "still" file "/dev/null" infile "{tmp_path}/samples.raw" format "raw" }}
            pcm.still {{ type null }}"""
    )
    assert likeness(heard_by_a_process("alsa://tape", ALSA_CONFIG_PATH=str(config))) > 0.8
