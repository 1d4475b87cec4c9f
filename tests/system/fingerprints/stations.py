"""Senders and servers for the tests: what ffmpeg plays, an Icecast, and what is heard of it."""

import asyncio
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.capture import Capture, CaptureError
from fingerprints.events import Detection, FeedState, FeedStatus
from fingerprints.listener import Report
from timebase import SystemClock

ROOT = Path(__file__).parents[3]
SPOT = ROOT / "examples" / "media" / "spots" / "kaffee-30.opus"
PROGRAMME = ROOT / "examples" / "media" / "programme.opus"
PLAY = ["ffmpeg", "-v", "error", "-nostdin", "-re", "-stream_loop", "-1", "-i", str(SPOT)]
HEARD_S = 1.5
PATIENCE_S = 20.0
AAC = ["-c:a", "aac", "-b:a", "96k"]


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], *, gently: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is gone afterwards; `gently` lets it end its own children."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        (process.terminate if gently else process.kill)()
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
def icecast(folder: Path, *, port: int = 0, burst_bytes: int = 0) -> Iterator[int]:
    """A real Icecast server; the port it listens on."""
    port, folder = port or free_port(socket.SOCK_STREAM), folder / "icecast"
    folder.mkdir(exist_ok=True)
    # Icecast refuses to run as root; it becomes nobody itself, who must be able to write its logs.
    owner = "<changeowner><user>nobody</user><group>nogroup</group></changeowner>" if os.geteuid() == 0 else ""
    for place in (folder, *list(folder.parents)[:3]):
        place.chmod(0o777)
    config = folder / "icecast.xml"
    config.write_text(
        f"""<icecast>
          <limits><sources>4</sources><burst-size>{burst_bytes}</burst-size></limits>
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


class Evening:
    """What a listener tells of one feed; `until` waits for something in it."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self._changed = asyncio.Event()

    async def sink(self, report: Report) -> None:
        self.reports.append(report)
        self._changed.set()

    def heard(self) -> list[str]:
        return [report.spot_ids[0] for report in self.reports if isinstance(report, Detection)]

    def state(self) -> FeedState | None:
        return next((report.state for report in reversed(self.reports) if isinstance(report, FeedStatus)), None)

    async def until(self, wanted: Callable[[], bool]) -> None:
        async with asyncio.timeout(90):
            while not wanted():
                self._changed.clear()
                await self._changed.wait()
