"""Provisioned gateways at a real mosquitto: each publishes on its own topics only, strangers stay outside, little is needed."""

import asyncio
import contextlib
import datetime as dt
import json
import os
import re
import shutil
import socket
import sys
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from console.config import load_config
from console.devices import broker_address, device_key
from console.gateway_authority import GatewayAuthority
from hardware.events import DeviceState, DeviceStatus, Refusal, ScoreEvent
from hardware.link import LinkHandlers, MqttLink
from hardware.mqtt import BrokerAddress, client, tls_context
from hardware.scoreboards import oes
from hardware.scoreboards.board import Board
from hardware.scoreboards.protocols import protocol_named
from hardware.simulator import PtyLine, pty_line
from timebase import SystemClock

pytestmark = pytest.mark.system

CUEBIRD = (sys.executable, "-m", "console.cli")
ROOT = Path(__file__).parents[3]
PATIENCE_S = 30.0
MEMORY_KIB_MAX = 60_000_000 // 1024
SMALL_COMPUTER = """
import sys
from importlib.abc import MetaPathFinder

at = sys.argv.index("--")
refused, sys.argv = set(sys.argv[1:at]), ["cuebird", *sys.argv[at + 1:]]

class NotInstalled(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in refused:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NotInstalled())
from console.cli import main
main()
"""
"""`cuebird` where nothing but a gateway's packages is installed; the others stand before `--`."""
FIXTURE = """
[[fixture]]
id = "final"
home = "Eisbären Nord"
away = "HC Süd"
sport = "ice_hockey"
venue = "eishalle"
"""


@dataclass(frozen=True)
class Venue:
    """A running broker with its rights, two gateways' folders, and the engine's configuration."""

    folder: Path
    engine_config: Path

    def address(self, name: str) -> BrokerAddress:
        """The broker as one of the gateways reaches it."""
        return broker_address(load_config(self.folder / name / "cuebird.toml"))

    @property
    def engine_address(self) -> BrokerAddress:
        return broker_address(load_config(self.engine_config))


async def output_of(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(PATIENCE_S):
        out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()


@contextlib.asynccontextmanager
async def running(*command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdin=quiet, stdout=asyncio.subprocess.PIPE, stderr=quiet)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


@pytest.fixture
async def venue(tmp_path: Path) -> AsyncIterator[Venue]:
    """Two gateways provisioned by the command, and mosquitto with the listener and the rights it wrote."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "cuebird.toml").write_text(FIXTURE)
    tables = ""
    async with pty_line(protocol_named("oes")) as line:
        for device in ("oes-1", "oes-2"):
            provisioned = json.loads(
                await output_of(
                    *CUEBIRD, "gateway", "provision", "--config", str(tmp_path / "cuebird.toml"), "--venue", "eishalle",
                    "--device", device, "--protocol", "oes", "--source", line.address,
                    "--broker", f"127.0.0.1:{port}", "--json",
                )
            )  # fmt: skip
            tables += provisioned["device_table"]
    listener = Path(provisioned["listener_file"])
    assert tomllib.loads(provisioned["mqtt_table"])["mqtt"]["port"] == port
    (tmp_path / "engine.toml").write_text(FIXTURE + provisioned["mqtt_table"] + tables)
    # Started by root mosquitto would become a user who may not read pytest's folders.
    user = "user root\n" if os.geteuid() == 0 else ""
    (tmp_path / "mosquitto.conf").write_text(f"{user}persistence false\ninclude_dir {listener.parent}\n")
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    assert program, "mosquitto is not installed: apt-get install mosquitto"
    async with running(program, "-c", str(tmp_path / "mosquitto.conf")):
        made = Venue(folder=listener.parents[1], engine_config=tmp_path / "engine.toml")
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                await asyncio.sleep(0.02)
        yield made


def connection(address: BrokerAddress) -> aiomqtt.Client:
    return client(address, tls=tls_context(address))


async def publish(address: BrokerAddress, *topics: str) -> None:
    async with connection(address) as publisher:
        for topic in topics:
            with contextlib.suppress(aiomqtt.MqttError):
                await publisher.publish(topic, topic.encode(), qos=1)


async def test_a_gateway_publishes_on_its_own_topics_and_nowhere_else(venue: Venue) -> None:
    """Neither as its neighbour, nor elsewhere, nor may it listen to what others say."""
    own = ["cuebird/v1/eishalle/oes-1/event", "cuebird/v1/eishalle/oes-1/state"]
    foreign = [
        "cuebird/v1/eishalle/oes-2/event",
        "cuebird/v1/eishalle/oes-2/state",
        "cuebird/v1/stadion/oes-1/event",
        "cuebird/v1/eishalle/oes-1/other",
        "elsewhere",
    ]
    heard: list[str] = []
    async with connection(venue.engine_address) as engine, connection(venue.address("eishalle.oes-2")) as neighbour:
        for leaf in ("event", "state"):
            await engine.subscribe(f"cuebird/v1/+/+/{leaf}", qos=1)
        with contextlib.suppress(aiomqtt.MqttError):
            await neighbour.subscribe("#", qos=1)
        await publish(venue.address("eishalle.oes-1"), *foreign, *own)
        await publish(venue.address("eishalle.oes-2"), "cuebird/v1/eishalle/oes-2/event")
        async with asyncio.timeout(PATIENCE_S):
            async for message in engine.messages:
                heard.append(message.payload.decode())
                if message.topic.value.endswith("oes-2/event") and message.payload == b"cuebird/v1/eishalle/oes-2/event":
                    break

        assert heard == [*own, "cuebird/v1/eishalle/oes-2/event"]
        assert len(neighbour.messages) == 0


@pytest.mark.parametrize("who", ["a certificate of another authority", "no certificate"])
async def test_a_stranger_is_not_let_in(venue: Venue, tmp_path: Path, who: str) -> None:
    """A right name is not enough; the broker closes before anything is said."""
    address = venue.address("eishalle.oes-1")
    context = tls_context(BrokerAddress(ca_file=address.ca_file))
    assert context is not None
    if who != "no certificate":
        issued = GatewayAuthority(tmp_path / "other", now_utc=dt.datetime.now(dt.UTC)).client("eishalle.oes-1", days=1)
        (tmp_path / "strange.pem").write_bytes(issued.certificate + issued.key)
        context.load_cert_chain(tmp_path / "strange.pem")
    with pytest.raises(aiomqtt.MqttError):
        async with client(address, tls=context):
            pass


def online_at(states: list[DeviceStatus], home: int) -> Callable[[], bool]:
    return lambda: bool(states) and states[-1].state is DeviceState.ONLINE and states[-1].home == home


async def show(line: PtyLine, home: int) -> None:
    while True:
        for frame in oes.encode(Board(home=home, clock_tenths=6000, period="1", running=True)):
            line.send(frame)
        await asyncio.sleep(0.05)


def refused_packages() -> list[str]:
    """What is installed here and not on a gateway: everything that requirements/gateway.lock does not name."""
    lines = (ROOT / "requirements" / "gateway.lock").read_text().splitlines()
    locked = {line.partition("==")[0] for line in lines if re.match(r"[a-z0-9]", line)}
    there: list[str] = []
    for package, owners in packages_distributions().items():
        owned = {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners}
        if not owned & {*locked, "cuebird"} and package.isidentifier():
            there.append(package)
    assert {"numpy", "fastapi", "sqlalchemy", "librosa", "segno"} <= set(there)
    return there


def peak_kib(pid: int) -> int:
    """The most memory that a process has had, in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


async def test_a_goal_of_a_provisioned_gateway_reaches_the_engine(venue: Venue, tmp_path: Path) -> None:
    """The folder copied onto a small computer, TLS, rights and Ed25519: the engine with the printed tables believes it.

    The gateway's process finds no package but those of its own lock, and needs at most 60 MB.
    """
    events: list[ScoreEvent] = []
    states: list[DeviceStatus] = []
    refusals: list[Refusal] = []
    changed = asyncio.Condition()

    def into(target: list[Any]) -> Callable[[Any], Awaitable[None]]:
        async def deliver(item: Any) -> None:
            target.append(item)
            async with changed:
                changed.notify_all()

        return deliver

    config = load_config(venue.engine_config)
    handlers = LinkHandlers(score=into(events), status=into(states), refusal=into(refusals), alarm=into([]), replay=into([]))
    link = MqttLink(address=venue.engine_address, devices=(device_key(config, "oes-1"),), handlers=handlers, clock=SystemClock())
    copied = tmp_path / "copied"
    shutil.copytree(venue.folder / "eishalle.oes-1", copied)
    async with pty_line(protocol_named("oes")) as line, asyncio.TaskGroup() as tasks:
        old = load_config(copied / "cuebird.toml").gateway
        assert old is not None
        text = (copied / "cuebird.toml").read_text().replace(old.source, line.address)
        (copied / "cuebird.toml").write_text(text)
        listening = tasks.create_task(link.run())
        small = (sys.executable, "-c", SMALL_COMPUTER, *refused_packages())
        command = ("gateway", "--config", str(copied / "cuebird.toml"), "--json")
        async with running(*small, "--", *command) as gateway:
            for home in (0, 1):
                showing = tasks.create_task(show(line, home))
                async with asyncio.timeout(PATIENCE_S), changed:
                    await changed.wait_for(online_at(states, home))
                showing.cancel()
            memory_kib = peak_kib(gateway.pid)
        listening.cancel()

    assert [(event.kind.value, event.home) for event in events] == [("goal", 1)]
    assert refusals == []
    assert states[-1].clock_source in ("synchronised", "unsynchronised", "unknown")
    assert memory_kib <= MEMORY_KIB_MAX


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("spots", "list", "--spots", "."), "numpy is not installed: a gateway's installation runs cuebird gateway only"),
        (("gateway", "schema", "event"), None),
        (("--help",), None),
    ],
)
async def test_a_small_computer_says_what_it_lacks(command: tuple[str, ...], sentence: str | None) -> None:
    """Help and whatever needs no more work; the rest names what is missing, without a traceback."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SMALL_COMPUTER, *refused_packages(), "--", *command,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(PATIENCE_S):
        _, said = await process.communicate()

    assert "Traceback" not in said.decode()
    assert process.returncode == (0 if sentence is None else 1)
    assert (sentence or "") in said.decode()
