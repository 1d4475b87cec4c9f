"""What a gateway needs of a small computer: how soon it has published after its start, and how much memory it takes."""

import contextlib
import datetime as dt
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from bench.chaos.processes import free_port
from bench.errors import BenchError, MissingError
from bench.report import MET, NOT_MET
from console.provisioning import ENGINE_NAME, GatewayPlan, provision
from console.settings import Fixture
from hardware.keys import SignatureKind

START_S_MAX: Final = 2.0
MEMORY_MB_MAX: Final = 60.0
SETTLE_S: Final = 3.0
PATIENCE_S: Final = 20.0
FIXTURE: Final = Fixture(id="bench", home="Home", away="Away", sport="ice_hockey", venue="bench")


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayNeeds:
    """Of several starts.

    Attributes:
        start_s: from the process's start to its first state at the broker, with TLS and an Ed25519 signature.
        processor_s: the processor time that this took, the median; what a start takes where nobody else works.
        floor_s: a bare interpreter's start and end, by turns with the others.
        resident_mb, peak_mb: memory after `SETTLE_S` and at most, the largest of all starts.
    """

    start_s: tuple[float, ...]
    processor_s: float
    floor_s: tuple[float, ...]
    resident_mb: float
    peak_mb: float

    @property
    def met(self) -> bool:
        """Whether both targets are."""
        return max(self.start_s) <= START_S_MAX and self.peak_mb <= MEMORY_MB_MAX

    def lines(self) -> list[str]:
        """The section of the report."""
        median_s, floor_s = statistics.median(self.start_s), statistics.median(self.floor_s)
        verdict = MET if self.met else NOT_MET
        return [
            "",
            "## Gateway",
            "",
            "`cuebird gateway` as provisioned, on mosquitto with TLS, client certificates and Ed25519, in the environment that"
            f" runs this. *Start*: from the process's start to its first state at the broker, {len(self.start_s)} starts;"
            " *processor*: what that took of one, the better measure where others work too; *floor*: a bare interpreter that ends"
            f" at once, by turns. Memory {SETTLE_S:g} s later and at most. Target:"
            f" {START_S_MAX:g} s, {MEMORY_MB_MAX:g} MB.",
            "",
            "| start, median | start, longest | processor | floor | over the floor | memory | memory at most | verdict |",
            "|---|---|---|---|---|---|---|---|",
            f"| {median_s:.2f} s | {max(self.start_s):.2f} s | {self.processor_s:.2f} s | {floor_s:.3f} s"
            f" | {median_s / floor_s:.0f}× | {self.resident_mb:.1f} MB | {self.peak_mb:.1f} MB | {verdict} |",
        ]


def measure_gateway(*, rounds: int) -> GatewayNeeds:
    """Start a gateway again and again.

    Raises:
        BenchError: mosquitto is not installed, or a gateway publishes nothing.
    """
    starts_s, processor_s, floors_s, resident, peak = [], [], [], [0.0], [0.0]
    with tempfile.TemporaryDirectory(prefix="cuebird-bench-") as folder, _silent_console() as source:
        port = free_port()
        made = provision(_plan(source, port), Path(folder), now_utc=dt.datetime.now(dt.UTC))
        with _mosquitto(Path(folder), made.listener.parent), _states(Path(folder), port) as published:
            for _ in range(rounds):
                floors_s.append(_floor_s())
                published.clear()
                begin_s = time.monotonic()
                with _running(made.folder / "cuebird.toml") as process:
                    if not published.wait(PATIENCE_S):
                        raise BenchError(f"the gateway published nothing within {PATIENCE_S:g} s; run it by hand: {made.folder}")
                    starts_s.append(time.monotonic() - begin_s)
                    processor_s.append(_processor_s(process.pid))
                    time.sleep(SETTLE_S)
                    resident.append(_memory_mb(process.pid, "VmRSS"))
                    peak.append(_memory_mb(process.pid, "VmHWM"))
    return GatewayNeeds(
        start_s=tuple(starts_s),
        processor_s=statistics.median(processor_s),
        floor_s=tuple(floors_s),
        resident_mb=max(resident),
        peak_mb=max(peak),
    )


def _plan(source: str, port: int) -> GatewayPlan:
    return GatewayPlan(
        device="oes-1",
        fixture=FIXTURE,
        protocol="oes",
        source=source,
        host="127.0.0.1",
        port=port,
        mqtt_protocol="5",
        freshness_s=5.0,
        kind=SignatureKind.ED25519,
        days=1,
    )


@contextlib.contextmanager
def _silent_console() -> Iterator[str]:
    """A console that accepts and says nothing: what is measured is the gateway."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"tcp://127.0.0.1:{listening.getsockname()[1]}"


@contextlib.contextmanager
def _mosquitto(folder: Path, broker: Path) -> Iterator[None]:
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if program is None:
        raise MissingError("mosquitto is not installed; apt-get install mosquitto")
    # Started by root it would become a user who may not read our folder.
    user = "user root\n" if os.geteuid() == 0 else ""
    config = folder / "mosquitto.conf"
    config.write_text(f"{user}persistence false\ninclude_dir {broker}\n")
    process = subprocess.Popen([program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def _states(folder: Path, port: int) -> Iterator[threading.Event]:
    """Set when a state of the gateway passes the broker; clear it before each start."""
    published = threading.Event()
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=ENGINE_NAME)
    engine = folder / "engine"
    client.tls_set(ca_certs=str(engine / "ca.pem"), certfile=str(engine / "client.pem"), keyfile=str(engine / "client.key"))
    client.on_message = lambda _client, _data, message: published.set() if b'"offline"' not in message.payload else None
    client.on_connect = lambda one, *_: one.subscribe("cuebird/v1/+/+/state", qos=1)
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            client.connect("127.0.0.1", port)
            break
        except OSError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.05)
    client.loop_start()
    try:
        yield published
    finally:
        client.disconnect()
        client.loop_stop()


@contextlib.contextmanager
def _running(config: Path) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "console.cli", "gateway", "--config", str(config), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _floor_s() -> float:
    begin_s = time.monotonic()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.monotonic() - begin_s


def _processor_s(pid: int) -> float:
    # After the name, which may hold spaces: state is the first, user and system time the twelfth and thirteenth.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory_mb(pid: int, field: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(field))
