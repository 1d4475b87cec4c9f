"""The commands as a person runs them: real processes, a real broker, a serial line."""

import asyncio
import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from hardware.events import DeviceState, DeviceStatus, Reading, Refusal, ScoreEvent
from hardware.keys import DeviceKey
from hardware.lines import parse_line
from hardware.link import LinkHandlers, MqttLink
from hardware.mqtt import BrokerAddress
from hardware.scoreboards import oes, stramatel
from hardware.scoreboards.board import Board
from hardware.scoreboards.protocols import PROTOCOLS, protocol_named
from hardware.simulator import PtyLine, pty_line
from timebase import SystemClock

pytestmark = pytest.mark.system

CUEBIRD = (sys.executable, "-m", "console.cli")
GOLDEN = Path(__file__).parents[2] / "golden" / "hardware"
KEY = "0123456789abcdef" * 4
PATIENCE_S = 30.0
CONFIG = """
[paths]
state_dir = "state"
[mqtt]
port = {port}
protocol = "5"
[[fixture]]
id = "final"
home = "Eisbären Nord"
away = "HC Süd"
sport = "ice_hockey"
venue = "eishalle"
[[device]]
id = "oes-1"
venue = "eishalle"
fixture = "final"
key_file = "oes-1.key"
[gateway]
device = "oes-1"
protocol = "oes"
source = "{source}"
"""


def cuebird(*arguments: str, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*CUEBIRD, *arguments], input=data, capture_output=True, timeout=PATIENCE_S, check=False)


def test_decode_prints_every_reading_as_json() -> None:
    """One object a line with the promised keys, the same from a file and from standard input."""
    file = GOLDEN / "oes_isc9000_hockey.bin"
    ran = cuebird("scoreboard", "decode", "--protocol", "oes", str(file), "--format", "jsonl")
    piped = cuebird("scoreboard", "decode", "--protocol", "oes", "-", "--format", "jsonl", data=file.read_bytes())
    lines = [json.loads(line) for line in ran.stdout.splitlines()]

    assert ran.returncode == 0
    assert ran.stdout == piped.stdout
    assert len(lines) == 519
    assert lines[36] == {
        "offset": 36 * 45, "home": 0, "away": 0, "clock": "19:15", "period": "1", "running": True, "valid": True
    }  # fmt: skip
    assert b"519 good frames, 0 damaged" in ran.stderr


def test_decode_finds_out_the_console() -> None:
    """The same readings as with the name, which standard error tells with how the protocol is known."""
    file = GOLDEN / "stramatel_basketball.bin"
    ran = cuebird("scoreboard", "decode", "--protocol", "auto", str(file), "--format", "jsonl")
    named = cuebird("scoreboard", "decode", "--protocol", "Stramatel_TV", str(file), "--format", "jsonl")

    assert (ran.returncode, named.returncode) == (0, 0)
    assert ran.stdout == named.stdout != b""
    assert b"recognised as stramatel" in ran.stderr
    assert b"basis: manual, capture" in ran.stderr


def test_the_consoles_are_listed_with_how_they_are_known() -> None:
    """For people and for programs; what is known from code only is marked."""
    shown = cuebird("scoreboard", "protocols").stdout.decode()
    facts = json.loads(cuebird("scoreboard", "protocols", "--json").stdout)

    assert "swiss-timing  (provisional: known from other people's code only)" in shown
    assert [one["name"] for one in facts] == list(PROTOCOLS)
    assert facts[0]["transport"] == "serial 19200 8N1"
    assert {one["name"] for one in facts if one["provisional"]} == {"swiss-timing", "mp70"}


def test_decode_prints_a_table() -> None:
    """The same for people."""
    ran = cuebird("scoreboard", "decode", "--protocol", "stramatel", str(GOLDEN / "stramatel_cable.bin"))

    assert ran.returncode == 0
    assert ran.stdout.splitlines()[0].split() == [b"offset", b"home", b"away", b"clock", b"period", b"running", b"valid"]
    assert b"1 damaged" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("scoreboard", "decode", "--protocol", "daktro", "x"),
            "daktro: not a known scoreboard protocol; known are bodet, cts, daktronics, favero, livestats, mp70, oes, stramatel",
        ),
        (("scoreboard", "decode", "--protocol", "oes", "/no/such.bin"), "/no/such.bin: No such file or directory"),
        (("scoreboard", "simulate", "oes", "--script", "/no/such.toml"), "/no/such.toml: No such file or directory"),
        (("scoreboard", "simulate", "oes", "--listen", "4001"), "is not HOST:PORT"),
        (
            ("scoreboard", "simulate", "oes", "--sport", "curling"),
            "sport 'curling': oes has no frames for it; use one of ice_hockey",
        ),
        (("scoreboard", "decode", "/dev/null"), "0 bytes and no frame of a known console"),
        (("gateway", "--config", "/no/cuebird.toml"), "/no/cuebird.toml"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(arguments: tuple[str, ...], message: str) -> None:
    """On standard error, with a code, without a traceback."""
    ran = cuebird(*arguments)

    assert ran.returncode in (1, 2)
    assert message in ran.stderr.decode()
    assert b"Traceback" not in ran.stderr


def test_a_port_in_use_is_one_sentence() -> None:
    """Two consoles on one port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = cuebird("scoreboard", "simulate", "oes", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")

    assert ran.returncode == 1
    assert b"another program uses this port" in ran.stderr
    assert b"Traceback" not in ran.stderr


@contextlib.asynccontextmanager
async def running(*command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, stdin=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        # The output is read to its end, so that its transport is closed with the process.
        await process.communicate()


async def facts_of(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        line = await process.stdout.readline()
    facts: dict[str, Any] = json.loads(line)
    return facts


async def test_simulate_speaks_the_protocol() -> None:
    """What the simulated console serves over TCP decodes as valid readings of a running clock."""
    command = (*CUEBIRD, "scoreboard", "simulate", "stramatel", "--listen", "127.0.0.1:0", "--json")
    async with running(*command) as simulated, asyncio.timeout(PATIENCE_S):
        chunks = parse_line((await facts_of(simulated))["address"], PROTOCOLS["stramatel"]).chunks(SystemClock())
        decoder, readings = stramatel.decoder(), list[Reading]()
        while len(readings) < 3:
            readings += decoder.feed((await anext(chunks)).data)
        await chunks.aclose()
        simulated.terminate()
        assert await simulated.wait() == 0

    assert all(reading.valid and reading.running and (reading.home, reading.away) == (0, 0) for reading in readings)


def online_at(home: int) -> Callable[[DeviceStatus], bool]:
    return lambda status: status.state is DeviceState.ONLINE and status.home == home


async def show(line: PtyLine, board: Board) -> None:
    while True:
        for frame in oes.encode(board):
            line.send(frame)
        await asyncio.sleep(0.05)


async def test_from_a_serial_console_to_the_engine_over_mosquitto(tmp_path: Path) -> None:
    """A console on a pseudo-terminal, gateway process, mosquitto, link: goal, correction, and the will after kill -9."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mosquitto = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    assert mosquitto, "mosquitto is not installed: apt-get install mosquitto"
    (tmp_path / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    (tmp_path / "oes-1.key").write_text(KEY + "\n")
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

    async def until(holds: Callable[[DeviceStatus], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S), changed:
            await changed.wait_for(lambda: bool(states) and holds(states[-1]))

    handlers = LinkHandlers(score=into(events), status=into(states), refusal=into(refusals), alarm=into([]), replay=into([]))
    device = DeviceKey(venue="eishalle", device="oes-1", fixture="final", key=KEY.encode())
    link = MqttLink(address=BrokerAddress(port=port), devices=(device,), handlers=handlers, clock=SystemClock())
    async with (
        running(mosquitto, "-c", str(tmp_path / "mosquitto.conf")),
        pty_line(protocol_named("oes")) as line,
        asyncio.TaskGroup() as tasks,
    ):
        (tmp_path / "cuebird.toml").write_text(CONFIG.format(port=port, source=line.address))
        listening = tasks.create_task(link.run())
        async with running(*CUEBIRD, "gateway", "--config", str(tmp_path / "cuebird.toml"), "--json") as gateway:
            assert (await facts_of(gateway))["source"] == line.address
            for home in (0, 1, 0):
                showing = tasks.create_task(show(line, Board(home=home, clock_tenths=6000, period="1", running=True)))
                await until(online_at(home))
                showing.cancel()
            gateway.send_signal(signal.SIGKILL)
            await until(lambda status: status.state is DeviceState.OFFLINE)
        listening.cancel()

    assert [(event.kind.value, event.home, event.away, event.ordinal) for event in events] == [
        ("goal", 1, 0, 1),
        ("correction", 0, 0, 0),
    ]
    assert refusals == []
    assert (states[-1].home, states[-1].away, states[-1].detail) == (0, 0, "the gateway vanished")
