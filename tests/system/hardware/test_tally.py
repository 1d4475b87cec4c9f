"""A mixer's lamp on a real wire, through the process that listens, to the engine that waits for it."""

import asyncio
import contextlib
import socket
import sys
from pathlib import Path

import pytest

from sync.client import ControlClient
from sync.engine import run_engine
from sync.interlocks import InterlockSetup, TallyLimits
from sync.setup import EngineSetup
from sync.states import Mode
from tests.system.hardware.test_markers import free_udp_port

pytestmark = pytest.mark.system

PATIENCE_S = 30.0
CONFIG = """
[[tally]]
id = "pgm"
url = "udp://127.0.0.1:{port}"
display = 3
[[tally]]
id = "cam"
url = "udp://127.0.0.1:{port}"
display = 4
"""


def packet(display: int, control: int) -> bytes:
    """TSL UMD 5.0, one display without a label."""
    body = bytes(4) + display.to_bytes(2, "little") + control.to_bytes(2, "little") + bytes(2)
    return len(body).to_bytes(2, "little") + body


async def test_from_the_wire_to_the_interlock(tmp_path: Path) -> None:
    """Two tallies share the mixer's port; the engine knows of each what its own display says."""
    port = free_udp_port()
    (tmp_path / "spots").mkdir()
    (tmp_path / "cuebird.toml").write_text(CONFIG.format(port=port))
    ready = asyncio.Event()
    limits = TallyLimits(silence_ns=10_000_000_000)
    setup = EngineSetup(
        state_dir=tmp_path / "var",
        accounts=(),
        feeds={},
        fixtures=(),
        publisher=None,
        mode=Mode.REHEARSAL,
        interlocks=InterlockSetup(tallies={"pgm": limits, "cam": limits}, channels={}, feeds={}),
        on_ready=ready.set,
    )
    engine = asyncio.create_task(run_engine(setup))
    await ready.wait()
    listener = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "console.cli", "run", "markers", "--config", str(tmp_path / "cuebird.toml")),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert listener.stdout is not None
        await asyncio.wait_for(listener.stdout.readline(), PATIENCE_S)
        async with ControlClient(tmp_path / "var" / "engine.sock") as client:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mixer:
                for control, shown in ((0x01, ("live", True)), (0x02, ("live", False))):
                    await tell(client, mixer, port, control, {"pgm": shown, "cam": ("live", False)})
    finally:
        listener.terminate()
        await listener.wait()
        engine.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await engine


async def tell(client: ControlClient, mixer: socket.socket, port: int, control: int, shown: dict[str, tuple[str, bool]]) -> None:
    """Let the mixer tell of its displays, again and again, until the engine shows both so."""
    async with asyncio.timeout(PATIENCE_S):
        views: dict[str, tuple[str, bool]] = {}
        while views != shown:
            for display, told in ((3, control), (4, 0x00)):
                mixer.sendto(packet(display, told), ("127.0.0.1", port))
            await asyncio.sleep(0.1)
            tallies = (await client.request("snapshot"))["tallies"]
            views = {view["tally_id"]: (view["state"], view["on_air"]) for view in tallies}
