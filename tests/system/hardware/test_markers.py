"""Markers over real transports, and from there through the program's processes to a firing."""

import asyncio
import contextlib
import functools
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from hardware.markers import MarkerReport, MarkerSourceState, MarkerSourceStatus
from hardware.scte35.listening import MarkerListener, MarkerSourceSetup
from schedules.airing import Airing
from sync.cues import parse_cues
from sync.engine import run_engine
from sync.ledger import Ledger
from sync.plan_versions import PlanSource, PlanVersions
from sync.receipts import FiringRecord
from sync.setup import AccountSetup, EngineSetup
from sync.simulation.storage import CUES
from sync.states import FiringState, Mode
from tests.transport_maker import StreamMaker, insert, segmentation, signal
from timebase import SystemClock

pytestmark = pytest.mark.system

CLOCK = SystemClock()
PATIENCE_S = 30.0
AHEAD_S = 2.0
PCR_EVERY_S = 0.04
GOLDEN = Path(__file__).parents[2] / "golden" / "scte35"


def free_udp_port() -> int:
    """A UDP port of the loopback that is free now."""
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def send_to(out: socket.socket, port: int, data: bytes) -> None:
    """A datagram to a port of the loopback."""
    out.sendto(data, ("127.0.0.1", port))


class Station:
    """A broadcaster: its clock runs, and it marks a spot when told to.

    Attributes:
        at_mono_ns: when the marked spot begins.
    """

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send, self._maker = send, StreamMaker()
        self._begun_ns = CLOCK.mono_ns()
        self._marks: list[bytes] = []
        self.at_mono_ns = 0

    def _pts(self, mono_ns: int) -> int:
        return (8_589_934_592 - 90_000 + (mono_ns - self._begun_ns) * 9 // 100_000) % 8_589_934_592

    def mark(self) -> None:
        """Announce a spot, twice."""
        self.at_mono_ns = CLOCK.mono_ns() + round(AHEAD_S * 1e9)
        pts = self._pts(self.at_mono_ns)
        self._marks += [signal(pts, segmentation(7, 0x30, upid=(3, b"ABCD1234000H")))] * 2

    async def run(self) -> None:
        """Broadcast until cancelled."""
        while True:
            packets = self._maker.tables() + self._maker.markers(*self._marks) + self._maker.clock(self._pts(CLOCK.mono_ns()))
            self._marks.clear()
            for begin in range(0, len(packets), 188 * 7):
                self._send(packets[begin : begin + 188 * 7])
            await asyncio.sleep(PCR_EVERY_S)


@contextlib.asynccontextmanager
async def datagrams(*, rtp: bool) -> AsyncIterator[tuple[str, Callable[[bytes], None]]]:
    """An address that datagrams go to, and who sends them there."""
    port, count = free_udp_port(), iter(range(1 << 16))
    with socket.socket(type=socket.SOCK_DGRAM) as out:

        def send(data: bytes) -> None:
            header = b"\x80\x21" + next(count).to_bytes(2, "big") + b"\x00" * 8 if rtp else b""
            out.sendto(header + data, ("127.0.0.1", port))

        yield f"{'rtp' if rtp else 'udp'}://127.0.0.1:{port}", send


@contextlib.asynccontextmanager
async def srt() -> AsyncIterator[tuple[str, Callable[[bytes], None]]]:
    """The same through ffmpeg, which waits for whoever listens."""
    port, ffmpeg = free_udp_port(), shutil.which("ffmpeg")
    assert ffmpeg is not None, "Debian's ffmpeg is needed"
    process = await asyncio.create_subprocess_exec(
        *(ffmpeg, "-hide_banner", "-loglevel", "error", "-f", "data", "-i", "pipe:0", "-map", "0:0", "-c", "copy"),
        *("-flush_packets", "1", "-f", "data", f"srt://127.0.0.1:{port}?mode=listener&pkt_size=1316"),
        stdin=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    try:
        yield f"srt://127.0.0.1:{port}?mode=caller", process.stdin.write
    finally:
        process.kill()
        await process.wait()


@contextlib.asynccontextmanager
async def broadcast(transport: str) -> AsyncIterator[tuple[str, Station]]:
    """A station on the air, and where it can be received."""
    opening = srt() if transport == "srt" else datagrams(rtp=transport == "rtp")
    async with opening as (url, send):
        station = Station(send)
        running = asyncio.create_task(station.run())
        try:
            yield url, station
        finally:
            running.cancel()


class Heard:
    """What a listener tells."""

    def __init__(self) -> None:
        self.markers: list[MarkerReport] = []
        self.states: list[MarkerSourceStatus] = []

    async def take(self, report: MarkerReport | MarkerSourceStatus) -> None:
        (self.markers if isinstance(report, MarkerReport) else self.states).append(report)  # type: ignore[arg-type]


async def stopped(task: "asyncio.Task[None]") -> None:
    """A listener that is told to stop, and has: its ffmpeg too."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that happens soon."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("transport", ["udp", "rtp", "srt"])
async def test_marker_over_a_transport(transport: str) -> None:
    """It is told once, with the instant on this machine's clock, across the wrap of the stream's own."""
    heard = Heard()
    async with broadcast(transport) as (url, station):
        setup = MarkerSourceSetup(source_id="ts", url=url, spots={"ABCD1234000H": "kaffee-30"})
        listening = asyncio.create_task(MarkerListener(setup, clock=CLOCK, sink=heard.take).run())
        await until(lambda: any(one.state is MarkerSourceState.LIVE and not one.detail for one in heard.states))
        station.mark()
        await until(lambda: heard.markers)
        await until(lambda: heard.states[-1].messages == 2)
        await stopped(listening)

    (marker,) = heard.markers
    assert marker.spot_ids == ("kaffee-30",)
    print(f"{transport}: {(marker.at_mono_ns - station.at_mono_ns) / 1e6:+.3f} ms from the sender's instant")
    assert marker.seen_mono_ns < marker.at_mono_ns


async def test_source_that_falls_silent_and_comes_back() -> None:
    """It is stalled, failed, and live again without being asked."""
    heard, port = Heard(), free_udp_port()
    with socket.socket(type=socket.SOCK_DGRAM) as out:
        setup = MarkerSourceSetup(source_id="ts", url=f"udp://127.0.0.1:{port}")
        listening = asyncio.create_task(MarkerListener(setup, clock=CLOCK, sink=heard.take).run())
        for _ in range(2):
            station = Station(functools.partial(send_to, out, port))
            running = asyncio.create_task(station.run())
            heard.states.clear()
            await until(lambda: heard.states and heard.states[-1].state is MarkerSourceState.LIVE)
            running.cancel()
            # A busy machine may let the moments pass in which it is only stalled.
            await until(lambda: heard.states[-1].state in (MarkerSourceState.STALLED, MarkerSourceState.FAILED))
            await until(lambda: any(one.state is MarkerSourceState.FAILED for one in heard.states))
        await stopped(listening)

    failed = [one for one in heard.states if one.state is MarkerSourceState.FAILED]
    assert "nothing for 3 s" in failed[-1].detail


async def test_a_recording_plays_at_its_own_pace_and_ends(tmp_path: Path) -> None:
    """Its markers are told ahead, and its end is said."""
    maker, file = StreamMaker(), tmp_path / "evening.ts"
    head = maker.tables() + maker.clock(0) + maker.markers(insert(1, 45_000))
    file.write_bytes(head + b"".join(maker.clock(pts) for pts in range(3600, 54_000, 3600)))
    heard = Heard()
    await MarkerListener(MarkerSourceSetup(source_id="ts", url=f"file://{file}"), clock=CLOCK, sink=heard.take).run()

    (marker,) = heard.markers
    assert marker.at_mono_ns > marker.seen_mono_ns
    assert (heard.states[-1].state, heard.states[-1].messages) == (MarkerSourceState.ENDED, 1)
    assert CLOCK.mono_ns() > marker.at_mono_ns


async def test_a_recording_that_is_not_there(tmp_path: Path) -> None:
    """It fails in a sentence."""
    heard = Heard()
    await MarkerListener(MarkerSourceSetup(source_id="ts", url=f"{tmp_path}/gone.ts"), clock=CLOCK, sink=heard.take).run()

    assert heard.states[-1].state is MarkerSourceState.FAILED
    assert "gone.ts: cannot be read" in heard.states[-1].detail


CONFIG = """
[[channel]]
id = "nord"
name = "Nord"
timezone = "UTC"
[[marker_source]]
id = "ts"
channel = "nord"
url = "{url}"
"""


def ledger_with_an_airing(folder: Path) -> None:
    """A cue that waits for a marker, approved, and an airing that is planned now."""
    cues = CUES.replace('id = "now"', 'id = "now"', 1).replace('channel = "nord"', 'channel = "nord"\nby = "marker"', 1)
    (now, *_) = parse_cues(cues.encode(), source="test")
    ledger = Ledger.open(folder / "ledger.db", mode=Mode.REHEARSAL)
    ledger.import_cues([now], actor="sponsor")
    ledger.approve_cue(now.cue_id, approved_by="approver")
    planned = CLOCK.utc()
    width = timedelta(minutes=5)
    airing = Airing(
        airing_id="nord/kaffee-30/1", channel="nord", spot_id="kaffee-30", number=1, planned_utc=planned,
        opens_utc=planned - width, closes_utc=planned + width, raw="", row=1,
    )  # fmt: skip
    PlanVersions(ledger).commit("plan", [airing], PlanSource(actor="planner"))
    ledger.close()


async def test_from_the_wire_to_the_firing(tmp_path: Path) -> None:
    """A marker on UDP, heard by the markers' process, fires the engine's cue at the spot's first frame, once."""
    (tmp_path / "spots").mkdir()
    (tmp_path / "spots" / "kaffee-30.spot.json").write_text('{"identifiers": {"ad_id": "ABCD1234000H"}}')
    ledger_with_an_airing(tmp_path / "var")
    ready = asyncio.Event()
    setup = EngineSetup(
        state_dir=tmp_path / "var",
        accounts=(AccountSetup(account_id="coffee", handle="coffee"),),
        feeds={},
        fixtures=(),
        publisher=None,
        marker_sources={"ts": "nord"},
        on_ready=ready.set,
    )

    def fired() -> tuple[FiringRecord, ...]:
        with contextlib.closing(Ledger.open(tmp_path / "var" / "ledger.db")) as ledger:
            from sync.firings import Firings

            return Firings(ledger, epoch=0, boot_id="test").recent(limit=10)

    async with broadcast("udp") as (url, station):
        (tmp_path / "cuebird.toml").write_text(CONFIG.format(url=url))
        engine = asyncio.create_task(run_engine(setup))
        await ready.wait()
        listener = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "console.cli", "run", "markers", "--config", str(tmp_path / "cuebird.toml")),
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert listener.stdout is not None
            await asyncio.wait_for(listener.stdout.readline(), PATIENCE_S)
            await asyncio.sleep(1.0)
            station.mark()
            await until(lambda: any(one.state is FiringState.POSTED for one in fired()))
        finally:
            listener.terminate()
            await listener.wait()
            engine.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await engine

    (record,) = fired()
    assert record.on_air_mono_ns is not None
    assert record.claimed_mono_ns is not None
    away_ms, late_ms = (record.on_air_mono_ns - station.at_mono_ns) / 1e6, (record.claimed_mono_ns - record.on_air_mono_ns) / 1e6
    print(f"its instant is {away_ms:+.3f} ms from the sender's; claimed {late_ms:.3f} ms after it")
    assert late_ms >= 0
    assert abs(away_ms) < 1000
