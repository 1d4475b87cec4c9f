"""The processes of a measurement: the sandbox, the engine, mosquitto. Loopback only; each ends with its context."""

import asyncio
import contextlib
import json
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from bench.firing.engine import ORDER_FILE
from bench.firing.scene import EngineOrder, Scene, write_ledger
from sync.client import ControlClient
from sync.sandbox import Sandbox, SandboxSettings
from sync.setup import LEDGER_NAME, SOCKET_NAME
from timebase import SystemClock

PATIENCE_S = 60.0
CLOCK = SystemClock()


class ServerProcess:
    """An X sandbox in a process of its own."""

    def __init__(self, folder: Path, api_base: str, page_url: str) -> None:
        self.folder, self.api_base, self._page_url = folder, api_base, page_url

    @property
    def port(self) -> int:
        """Of the API."""
        return int(self.api_base.rsplit(":", 1)[1])

    async def arrivals(self) -> dict[str, int]:
        """When each text's request arrived, in mono_ns, from the sandbox's own log (its newest five thousand)."""
        async with aiohttp.ClientSession(self._page_url) as session, session.get("sandbox/export") as response:
            log = await response.json()
        texts = {tweet["id"]: tweet["text"] for tweet in log["tweets"]}
        return {texts[one["tweet_id"]]: one["arrived_mono_ns"] for one in log["requests"] if one["tweet_id"] in texts}


class EngineProcess:
    """An engine in a process of its own, and a client of its control socket."""

    def __init__(self, process: asyncio.subprocess.Process, client: ControlClient) -> None:
        self._process, self.client = process, client

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def score(self, *, rate: float, seconds: float) -> None:
        """Have it score so many goals a second."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"rate": rate, "seconds": seconds}).encode() + b"\n")

    async def scored(self) -> dict[str, Any]:
        """What became of `score`, once it is over."""
        return await _line(self._process)

    def resident_mib(self) -> float:
        """Memory the process holds."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * 4096 / (1 << 20)


@contextlib.asynccontextmanager
async def sandbox(folder: Path, accounts: tuple[str, ...]) -> AsyncIterator[ServerProcess]:
    """A sandbox for these accounts, without rate limits."""
    async with _child("bench.firing.processes", str(folder), *accounts) as process:
        place = await _line(process)
        yield ServerProcess(folder, place["api_base"], place["page_url"])


@contextlib.asynccontextmanager
async def engine(folder: Path, scene: Scene, server: ServerProcess, *, mqtt_port: int = 0) -> AsyncIterator[EngineProcess]:
    """An engine that knows the scene and speaks to the sandbox."""
    await asyncio.to_thread(write_ledger, scene, folder / LEDGER_NAME, CLOCK)
    order = EngineOrder(
        accounts=scene.accounts,
        fixtures=scene.fixtures,
        mqtt_fixture=scene.mqtt_fixture,
        mqtt_port=mqtt_port,
        connections=scene.connections,
        api_base=server.api_base,
        sandbox_dir=str(server.folder),
    )
    order.write(folder / ORDER_FILE)
    async with _child("bench.firing.engine", str(folder)) as process:
        await _line(process)
        async with ControlClient(folder / SOCKET_NAME, timeout_s=PATIENCE_S) as client:
            yield EngineProcess(process, client)


@contextlib.asynccontextmanager
async def mosquitto(folder: Path) -> AsyncIterator[int]:
    """The port of a broker; 0 when mosquitto is not installed."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if program is None:
        yield 0
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\npersistence false\n")
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(program, "-c", str(config), stdout=quiet, stderr=quiet)
    try:
        await _answering(port)
        yield port
    finally:
        process.terminate()
        await process.wait()


async def _answering(port: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def _child(module: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, *arguments, stdin=pipe, stdout=pipe)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _line(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_S * 30):
        line = await process.stdout.readline()
    if not line:
        raise RuntimeError("bench: a process of the measurement ended early; its message stands above")
    found: dict[str, Any] = json.loads(line)
    return found


async def _serve(folder: Path, accounts: list[str]) -> None:
    """Be the server process: print where it is, stay until terminated."""
    generous = SandboxSettings(user_posts_per_window=10**6, user_posts_per_day=10**6, app_posts_per_day=10**6)
    async with Sandbox(folder, [(name, name) for name in accounts], settings=generous) as running:
        print(json.dumps({"api_base": running.api_base, "page_url": running.page_url}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), sys.argv[2:]))
