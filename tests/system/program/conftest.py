"""The program's processes as a fixture."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from console.supervisor import Child, Supervisor
from hardware.keys import DeviceKey
from tests.system.program.house import ACCOUNTS, House, Scoreboard, free_port, mosquitto, store_cues, subscribed, write_config
from timebase import SystemClock


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """The program, LIVE, listening to one scoreboard."""
    mqtt_port, api_port, page_port, console_port = (free_port() for _ in range(4))
    key_file = tmp_path / "oes-1.key"
    key_file.write_text(secrets.token_hex(32))
    (tmp_path / "spots").mkdir()
    (tmp_path / "state").mkdir()
    write_config(tmp_path, mqtt_port=mqtt_port, api_port=api_port, console_port=console_port, key_file=key_file)
    store_cues(tmp_path / "state" / "ledger.db")
    key = DeviceKey(venue="eishalle", device="oes-1", fixture="final", key=key_file.read_text().encode())
    async with mosquitto(tmp_path, mqtt_port), Supervisor(clock=SystemClock(), log_dir=tmp_path / "log") as family:
        accounts = [f"--account={name}:{name}" for name in ACCOUNTS]
        ports = (f"--port={api_port}", f"--page-port={page_port}", f"--state-dir={tmp_path / 'sandbox'}")
        await family.start_ready(Child(name="sandbox", arguments=("sandbox", "x", "--json", *ports, *accounts)))
        engine = await family.start_ready(
            Child(name="engine", arguments=("run", "engine", "--config", str(tmp_path / "cuebird.toml")))
        )
        running = House(
            folder=tmp_path,
            family=family,
            engine=engine,
            scoreboard=Scoreboard(key=key, port=mqtt_port),
            page_url=f"http://127.0.0.1:{page_port}/",
            console_port=console_port,
        )
        await subscribed(running)
        yield running
