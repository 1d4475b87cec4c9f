"""The processes around an engine, as the harness holds them: what the nursery forks, and mosquitto."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.chaos.engine import EngineOrder
from bench.chaos.sandbox import SandboxOrder
from bench.errors import BenchError
from timebase import SystemClock

PATIENCE_S = 60.0
"""How long anything may take that must come: a loaded machine is slow, and a hang is found all the same."""
CLOCK = SystemClock()


@dataclass(eq=False)
class Life:
    """One process from its fork to its end.

    Attributes:
        ready: it takes signals in.
        standby: it waits for another engine's end.
        begun_ns, ready_ns, ended_ns: by CLOCK_MONOTONIC; 0 before.
        exit_code: negative when a signal ended it.
    """

    name: str
    pid: int
    begun_ns: int
    ready_ns: int = 0
    ended_ns: int = 0
    exit_code: int = 0
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    standby: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens when it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        await within(self.ended.wait(), f"{self.name} is gone")


class Nursery:
    """Starts engines and sandboxes (`bench.chaos.nursery`)."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._lives: dict[int, Life] = {}
        self._begun: asyncio.Queue[Life] = asyncio.Queue()
        self._turn = asyncio.Lock()
        self._there = asyncio.Event()

    async def start(self, name: str, order: EngineOrder | SandboxOrder, *, log: Path) -> Life:
        """A new process, forked just now."""
        part = "engine" if isinstance(order, EngineOrder) else "sandbox"
        line = json.dumps({"part": part, "name": name, "log": str(log), "order": asdict(order)})
        async with self._turn:
            assert self._process.stdin is not None
            self._process.stdin.write(line.encode() + b"\n")
            life: Life = await within(self._begun.get(), f"{name} is forked")
            return life

    async def there(self) -> None:
        """Return once it has imported everything."""
        await within(self._there.wait(), "the nursery is there")

    async def read(self) -> None:
        """Take in what it tells, until it ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self._take(json.loads(line))

    def _take(self, told: dict[str, Any]) -> None:
        now_ns = CLOCK.mono_ns()
        if "nursery" in told:
            self._there.set()
            return
        life = self._lives.get(told["pid"])
        if life is None or (life.ended_ns and "begun" in told):
            # A child may speak before its parent has told of it.
            life = self._lives[told["pid"]] = Life(told.get("begun") or told["name"], told["pid"], now_ns)
        if "begun" in told:
            self._begun.put_nowait(life)
        elif told.get("ready"):
            life.ready_ns = now_ns
            life.ready.set()
        elif told.get("standby"):
            life.standby.set()
        elif "ended" in told:
            life.ended_ns, life.exit_code = now_ns, told["ended"]
            life.ended.set()


@contextlib.asynccontextmanager
async def nursery() -> AsyncIterator[Nursery]:
    """A nursery; with it end all its children."""
    pipe = asyncio.subprocess.PIPE
    # A session of its own: Ctrl-C is for the harness, which then puts everything away in order.
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.chaos.nursery", stdin=pipe, stdout=pipe, start_new_session=True
    )
    running = Nursery(process)
    reading = asyncio.create_task(running.read(), name="nursery")
    try:
        await running.there()
        yield running
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        reading.cancel()


class Broker:
    """A mosquitto on a port of its own that can be killed and comes back there."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\npersistence false\n"
            "max_queued_messages 10000\nmax_inflight_messages 1000\n"
        )
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Return once it answers.

        Raises:
            BenchError: mosquitto is not installed.
        """
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
        if program is None:
            raise BenchError("mosquitto is not installed; install it (Debian: apt-get install mosquitto)")
        quiet = asyncio.subprocess.DEVNULL
        self._process = await asyncio.create_subprocess_exec(
            program, "-c", str(self._config), stdout=quiet, stderr=quiet, start_new_session=True
        )
        await within(_answering(self.port), "mosquitto answers")

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


async def _answering(port: int) -> None:
    while True:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await CLOCK.sleep(0.02)


def free_port() -> int:
    """A TCP port of the loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def within(work: Any, what: str, patience_s: float = PATIENCE_S) -> Any:
    """The result of `work`.

    Raises:
        StuckError: it takes too long.
    """
    try:
        async with asyncio.timeout(patience_s):
            return await work
    except TimeoutError:
        raise StuckError(f"{what}: not within {patience_s:g} s") from None


class StuckError(Exception):
    """Something that must come does not: the house does not recover."""
