"""The program as its processes: a real mosquitto, the X sandbox, the engine and whatever a test adds, on free ports."""

import asyncio
import contextlib
import json
import shutil
import socket
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import aiomqtt
import tomli_w

from console.supervisor import Child, Running, Supervisor
from hardware.events import ScoreKind, Side
from hardware.keys import DeviceKey, key_id
from hardware.messages import EventBody, sign
from hardware.topics import DeviceTopic
from hardware.ulid import new_ulid
from sync.client import ControlClient
from sync.cues import parse_cues
from sync.ledger import Ledger
from sync.states import Mode

ACCOUNTS = tuple(f"sponsor{number}" for number in range(1, 9))
GOALS_MAX = 30
PATIENCE_S = 30.0


def free_port() -> int:
    """A TCP port of the loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Scoreboard:
    """A gateway played by hand: it signs what it is told to, and publishes it."""

    key: DeviceKey
    port: int
    boot: str = field(default_factory=lambda: new_ulid(time.time_ns()))
    sequence: int = 0
    home: int = 0

    @property
    def topic(self) -> DeviceTopic:
        return DeviceTopic(venue=self.key.venue, device=self.key.device, leaf="event")

    def goal(self, *, key: bytes | None = None) -> bytes:
        """The signed message of the next home goal."""
        self.sequence += 1
        self.home += 1
        now_ns = time.time_ns()
        body = EventBody(
            version=1, id=new_ulid(now_ns), boot=self.boot, sequence=self.sequence, venue=self.key.venue, device=self.key.device,
            fixture=self.key.fixture, type=ScoreKind.GOAL, side=Side.HOME, delta=1, home=self.home, away=0, ordinal=self.home,
            period="1", clock="12:34", t_event_ns=now_ns, t_pub_ns=now_ns, clock_source="system", clock_error_us=None,
            confidence="checked", protocol="oes", frame_sha256="0" * 64, key=key_id(key or self.key.key),
        )  # fmt: skip
        return sign(self.topic, body, key or self.key.signing_key)

    async def publish(self, *messages: bytes, retain: bool = False, pause_s: float = 0.0) -> None:
        async with aiomqtt.Client("127.0.0.1", self.port) as client:
            for message in messages:
                await client.publish(str(self.topic), message, qos=1, retain=retain)
                await asyncio.sleep(pause_s)


@dataclass(kw_only=True)
class Program:
    """A running program and what a test may ask of it."""

    folder: Path
    family: Supervisor
    engine: Running
    page_url: str
    state: str = "state"

    @property
    def socket_path(self) -> Path:
        return self.folder / self.state / "engine.sock"

    def child(self, name: str, *arguments: str) -> Child:
        return Child(name=name, arguments=(*arguments, "--config", str(self.folder / "cuebird.toml")))

    async def tweets(self) -> list[dict[str, Any]]:
        """Every tweet the sandbox has accepted, deleted ones too."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.page_url}sandbox/tweets") as answer:
            found: list[dict[str, Any]] = await answer.json()
            return found

    async def fault(self, **fault: Any) -> None:
        """Have the sandbox do something wrong."""
        async with aiohttp.ClientSession() as session, session.post(f"{self.page_url}sandbox/faults", json=fault) as answer:
            assert answer.status == 200, await answer.text()

    def firings(self) -> list[dict[str, Any]]:
        """The ledger's firing records, read beside the engine."""
        with contextlib.closing(sqlite3.connect(f"file:{self.folder / 'state' / 'ledger.db'}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute("SELECT * FROM firing ORDER BY firing_id")]

    async def snapshot(self) -> dict[str, Any]:
        async with ControlClient(self.socket_path) as client:
            return dict(await client.request("snapshot"))

    async def until(
        self, holds: Callable[[], bool], what: str, *, patience_s: float = PATIENCE_S, look_every_s: float = 0.05
    ) -> None:
        """Return once `holds()`; fail, naming `what`, when it takes longer than the patience of a test."""
        try:
            async with asyncio.timeout(patience_s):
                while not holds():
                    await asyncio.sleep(look_every_s)
        except TimeoutError:
            logs = "\n".join(f"== {log.name}\n{log.read_text()[-3000:]}" for log in (self.folder / "log").glob("*.log"))
            raise AssertionError(f"{what}: not within {patience_s} s\n{logs}") from None

    async def kill_engine(self) -> None:
        """SIGKILL; the supervisor starts the engine again, and we wait until it answers."""
        await killed(self.engine)


async def killed(child: Running) -> None:
    """SIGKILL; the supervisor starts the child again, and we wait until it is ready."""
    process = child.process
    assert process is not None
    starts = child.starts
    process.kill()
    await process.wait()
    async with asyncio.timeout(PATIENCE_S):
        while child.starts == starts or not child.ready.is_set():
            await asyncio.sleep(0.01)


@dataclass(kw_only=True)
class House(Program):
    """The program with one scoreboard that a test plays by hand."""

    scoreboard: Scoreboard
    console_port: int


def write_config(folder: Path, *, mqtt_port: int, api_port: int, console_port: int, key_file: Path) -> None:
    """A configuration with eight accounts, one fixture and one device."""
    sandbox = folder / "sandbox"
    table = {
        "paths": {"state_dir": "state", "spots_dir": "spots"},
        "engine": {"mode": "LIVE"},
        "caps": {"spot": [60, 600, 600], "account": [60, 600, 600], "everything": [1000, 1000, 1000]},
        "publisher": {"api_base": f"https://127.0.0.1:{api_port}", "ca_file": str(sandbox / "ca.pem"), "timeout_s": 2.0},
        "mqtt": {"port": mqtt_port, "protocol": "5"},
        "console": {"port": console_port},
        "account": [
            {"id": name, "handle": name, "credentials_file": str(sandbox / "credentials" / f"{name}.json")} for name in ACCOUNTS
        ],
        "fixture": [{"id": "final", "home": "Nord", "away": "Süd", "sport": "ice_hockey", "venue": "eishalle"}],
        "device": [{"id": "oes-1", "venue": "eishalle", "fixture": "final", "key_file": str(key_file)}],
    }
    (folder / "cuebird.toml").write_text(tomli_w.dumps(table))


def store_cues(ledger_file: Path) -> None:
    """One approved cue an account, each wanting every home goal."""
    cues = [
        {
            "id": f"goal-{name}",
            "name": f"Goal for {name}",
            "author": "author@example.org",
            "account": name,
            "deadline_ms": 4000,
            "variants": [f"{name} cheers in its way number {number}: {{home_score}}" for number in range(1, GOALS_MAX + 1)],
            "caps": {"per_minute": 60, "per_hour": 600, "per_day": 600},
            "on": {"kind": "goal", "fixture": "final", "side": "home"},
        }
        for name in ACCOUNTS
    ]
    ledger = Ledger.open(ledger_file, mode=Mode.LIVE)
    parsed = parse_cues(tomli_w.dumps({"cue": cues}).encode(), source="test")
    ledger.import_cues(parsed, actor="test")
    for cue in parsed:
        ledger.approve_cue(cue.cue_id, approved_by="approver@example.org")
    ledger.close()


@contextlib.asynccontextmanager
async def mosquitto(folder: Path, port: int) -> AsyncIterator[None]:
    """A real broker on a port of the loopback."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin")
    assert program, "mosquitto is not installed; `make test` installs it"
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n")
    process = await asyncio.create_subprocess_exec(
        program, "-c", str(config), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                await asyncio.sleep(0.02)
        yield
    finally:
        process.terminate()
        await process.wait()


async def subscribed(house: House) -> None:
    """Return once the engine listens to the broker: what is published before that reaches nobody."""
    line = json.dumps({"probe": True}).encode()
    topic = str(house.scoreboard.topic)
    async with asyncio.timeout(PATIENCE_S), aiomqtt.Client("127.0.0.1", house.scoreboard.port) as client:
        # A message that is refused is seen as a refusal: the device's count rises when the link is there.
        while not any(device["refused"] for device in (await house.snapshot())["devices"]):
            await client.publish(topic, line, qos=1)
            await asyncio.sleep(0.1)
