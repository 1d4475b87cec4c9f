"""From a console to the engine: how soon one event is there, and whether ten thousand a minute all are."""

import asyncio
import contextlib
import json
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import tomli_w
from paho.mqtt.enums import CallbackAPIVersion

from bench.hardware.link_end import CLOCK, KEY, VENUE, device_key, device_name
from bench.hardware.secure_broker import SecureBroker, secure_broker
from hardware.scoreboards.board import Board
from hardware.scoreboards.protocols import PROTOCOLS
from hardware.simulator import PtyLine, pty_line

PATIENCE_S = 60.0
REST_S = 0.03
POINTS_MAX = 99
"""Where an OES board, of two digits, begins again."""
FLOOR, ECHO_TOPIC = "floor", "floor/echo"
MESSAGE_BYTES = 700
"""About as long as an event."""
PROTOCOL = PROTOCOLS["oes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How long an event was under way; milliseconds, sorted.

    Attributes:
        ours_ms: from the gateway's stamp of the last byte of the changed frame to the engine's handler.
        line_ms: from the write of that frame on the console's line, which is a pseudo-terminal, to the stamp.
        floor_ms: paho, from the publish to a subscriber, on the same broker, by turns.
    """

    ours_ms: list[float]
    line_ms: list[float]
    floor_ms: list[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """What became of the events of many devices.

    Attributes:
        asked, published, taken: how many.
        twice: events that came to the engine more than once.
        late_ms: from the gateway's stamp to the engine's handler, sorted.
        refusals: messages that were not believed, by reason.
        alarms: what the link told of.
        memory: seconds since the beginning, MiB held by the engine's end.
    """

    devices: int
    seconds: float
    asked: int
    published: int
    taken: int
    twice: int
    late_ms: list[float]
    refusals: dict[str, int]
    alarms: list[str]
    memory: list[tuple[float, float]]

    @property
    def growth_mib(self) -> float:
        """Memory at the end less memory after a quarter of the time."""
        after = [mib for _, mib in self.memory]
        return after[-1] - after[len(after) // 4]


# --- one event at a time -------------------------------------------------------------------------


async def measure_way(folder: Path, *, goals: int) -> Way:
    """Goals on a console's pseudo-terminal, and paho's round trip, by turns."""
    ours_ms, line_ms, floor_ms = list[float](), list[float](), list[float]()
    access = f"user {FLOOR}\ntopic readwrite {ECHO_TOPIC}\n"
    async with contextlib.AsyncExitStack() as stack:
        names = (device_name(1), FLOOR)
        broker = await stack.enter_async_context(secure_broker(folder, venue=VENUE, names=names, access=access))
        end = await stack.enter_async_context(_child("bench.hardware.link_end", str(folder), str(broker.port), "1", "--tell"))
        line = await stack.enter_async_context(pty_line(PROTOCOL))
        await end.line()
        config = _gateway_config(folder, broker, source=f"serial:{line.address}")
        await stack.enter_async_context(_child("console.cli", "gateway", "--json", "--config", str(config)))
        console = _Console(line)
        await console.until(end, "online")
        echo = await asyncio.to_thread(_Echo, broker)
        stack.callback(echo.close)
        for number in range(goals):
            shown_ns, seen_ns, taken_ns = await console.goal(end)
            line_ms.append((seen_ns - shown_ns) / 1e6)
            ours_ms.append((taken_ns - seen_ns) / 1e6)
            await asyncio.sleep(REST_S)
            floor_ms.append(await asyncio.to_thread(echo.once))
            await asyncio.sleep(REST_S)
            if (number + 1) % POINTS_MAX == 0:
                await console.begin_again()
    return Way(ours_ms=sorted(ours_ms), line_ms=sorted(line_ms), floor_ms=sorted(floor_ms))


class _Console:
    """A board on a line: it shows each score once, and whoever reads it has seen it."""

    def __init__(self, line: PtyLine) -> None:
        self._line, self._home = line, 0

    async def until(self, end: "_Child", word: str) -> None:
        """Show the board until the other end says the word."""
        waiting = asyncio.create_task(end.line(), name="waiting")
        while not waiting.done():
            self._show()
            await asyncio.wait({waiting}, timeout=0.1)
        if word not in await waiting:
            raise RuntimeError(f"bench: {await waiting} came, and not {word}")

    async def goal(self, end: "_Child") -> tuple[int, int, int]:
        """When its frame was written, seen by the gateway, and taken by the engine."""
        self._home += 1
        begin_ns = CLOCK.mono_ns()
        self._show()
        told = await end.line()
        if told.get("ordinal") != self._home:
            raise RuntimeError(f"bench: {told} came, and not goal {self._home}")
        return begin_ns, int(told["seen_ns"]), int(told["taken_ns"])

    async def begin_again(self) -> None:
        """Show 0-0 for long enough that the gateway takes it for another match."""
        self._home = 0
        for _ in range(5):
            self._show()
            await asyncio.sleep(REST_S)

    def _show(self) -> None:
        for frame in PROTOCOL.encoder("ice_hockey")(Board(home=self._home, clock_tenths=6000, period="1", running=True)):
            self._line.send(frame)


class _Echo:
    """paho as it comes: a publisher and a subscriber, each with its thread."""

    def __init__(self, broker: SecureBroker) -> None:
        self._heard, self._heard_ns = threading.Event(), 0
        self._publisher, self._subscriber = (_connected(broker) for _ in range(2))
        self._subscriber.on_message = self._hear
        ready = threading.Event()
        self._subscriber.on_subscribe = lambda *_: ready.set()
        self._subscriber.subscribe(ECHO_TOPIC, qos=1)
        if not ready.wait(PATIENCE_S):
            raise RuntimeError("bench: the broker did not take the floor's subscription")

    def once(self) -> float:
        """Milliseconds of one round trip."""
        self._heard.clear()
        begin_ns = CLOCK.mono_ns()
        self._publisher.publish(ECHO_TOPIC, b"x" * MESSAGE_BYTES, qos=1)
        if not self._heard.wait(PATIENCE_S):
            raise RuntimeError("bench: the broker did not give the floor's message")
        return (self._heard_ns - begin_ns) / 1e6

    def close(self) -> None:
        """Disconnect."""
        for client in (self._publisher, self._subscriber):
            client.disconnect()
            client.loop_stop()

    def _hear(self, *_: object) -> None:
        self._heard_ns = CLOCK.mono_ns()
        self._heard.set()


def _connected(broker: SecureBroker) -> paho.Client:
    address = broker.address(FLOOR)
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.tls_set(str(address.ca_file), str(address.cert_file), str(address.key_file))
    client.connect(address.host, address.port)
    client.loop_start()
    return client


def _gateway_config(folder: Path, broker: SecureBroker, *, source: str) -> Path:
    key, address = device_key(1), broker.address(device_name(1))
    (folder / "device.key").write_bytes(KEY)
    table = {
        "mqtt": {"port": address.port, **{name: str(getattr(address, name)) for name in ("ca_file", "cert_file", "key_file")}},
        "fixture": [{"id": key.fixture, "home": "Nord", "away": "Süd", "sport": "ice_hockey", "venue": VENUE}],
        "device": [{"id": key.device, "venue": VENUE, "fixture": key.fixture, "key_file": "device.key"}],
        "gateway": {"device": key.device, "protocol": PROTOCOL.name, "source": source},
    }
    path = folder / "gateway.toml"
    path.write_text(tomli_w.dumps(table))
    return path


# --- many devices --------------------------------------------------------------------------------


async def measure_crowd(folder: Path, *, devices: int, per_minute: int, seconds: float) -> Crowd:
    """So many events a minute from all devices together, while each tells its state once a second."""
    each = round(per_minute * seconds / 60 / devices)
    memory = list[tuple[float, float]]()
    async with contextlib.AsyncExitStack() as stack:
        names = [device_name(number) for number in range(1, devices + 1)]
        broker = await stack.enter_async_context(secure_broker(folder, venue=VENUE, names=names))
        place = (str(folder), str(broker.port), str(devices))
        end = await stack.enter_async_context(_child("bench.hardware.link_end", *place))
        await end.line()
        crowd = await stack.enter_async_context(_child("bench.hardware.crowd", *place, str(each), str(seconds)))
        await crowd.line()
        while (await end.line()).get("online") != devices:
            pass
        crowd.tell()
        begin_ns = CLOCK.mono_ns()
        done = asyncio.create_task(crowd.line(patience_s=seconds + PATIENCE_S), name="crowd")
        while not done.done():
            await asyncio.wait({done}, timeout=0.5)
            memory.append(((CLOCK.mono_ns() - begin_ns) / 1e9, end.resident_mib()))
        published = (await done)["published"]
        await asyncio.sleep(1.0)
        end.tell()
        found = await end.line()
        crowd.tell()
    return Crowd(
        devices=devices, seconds=seconds, asked=each * devices, published=sum(published.values()),
        taken=sum(found["taken"].values()), twice=found["twice"], late_ms=found["late_ms"], refusals=found["refusals"],
        alarms=found["alarms"], memory=memory,
    )  # fmt: skip


# --- processes -----------------------------------------------------------------------------------


class _Child:
    """A process of the measurement, spoken to by lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def line(self, *, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        """The next thing it says."""
        assert self._process.stdout is not None
        async with asyncio.timeout(patience_s):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("bench: a process of the measurement ended early; its message stands above")
        found: dict[str, Any] = json.loads(line)
        return found

    def tell(self) -> None:
        """Let it go on."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")

    def resident_mib(self) -> float:
        """Memory it holds."""
        return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * 4096 / (1 << 20)


@contextlib.asynccontextmanager
async def _child(module: str, *arguments: str) -> AsyncIterator[_Child]:
    pipe = asyncio.subprocess.PIPE
    # The sum of ten minutes is a long line.
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdin=pipe, stdout=pipe, limit=64 << 20
    )
    try:
        yield _Child(process)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
