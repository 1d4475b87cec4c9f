"""The program with many scoreboards behind a broker as it should be run: TLS, certificates, an access list."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from bench.hardware.secure_broker import ENGINE, SecureBroker, secure_broker
from console.supervisor import Child, Running, Supervisor
from hardware.keys import DeviceKey
from hardware.mqtt import BrokerAddress
from sync.cues import parse_cues
from sync.ledger import Ledger
from sync.states import Mode
from tests.system.program.house import PATIENCE_S, Program, free_port
from timebase import SystemClock

VENUE = "eishalle"


@dataclass(kw_only=True)
class Rink(Program):
    """A running program, LIVE, with its broker."""

    broker: SecureBroker
    keys: Mapping[str, DeviceKey]
    table: dict[str, Any]

    async def start_gateway(self, device: str, *, source: str) -> Running:
        """A gateway in a process of its own that reads the console at `source`; back when it is ready."""
        path = self.folder / f"{device}.toml"
        told = {"device": device, "protocol": "oes", "source": source}
        write_config(path, self.table, self.broker.address(device), gateway=told)
        return await self.family.start_ready(Child(name=device, arguments=("gateway", "--json", "--config", str(path))))

    async def online(self) -> None:
        """Return once the engine hears every device."""
        async with asyncio.timeout(PATIENCE_S):
            while {device["state"] for device in (await self.snapshot())["devices"]} != {"online"}:
                await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def rink(
    folder: Path, *, devices: Mapping[str, str], accounts: Sequence[str], cues: Sequence[dict[str, Any]], freshness_s: float
) -> AsyncIterator[Rink]:
    """Broker, sandbox and engine as processes; `devices`: which fixture each keeps the score of."""
    api_port, page_port = free_port(), free_port()
    for name in ("spots", "state", "keys"):
        (folder / name).mkdir()
    keys = {}
    for device, fixture in devices.items():
        secret = secrets.token_hex(32)
        (folder / "keys" / device).write_text(secret)
        keys[device] = DeviceKey(venue=VENUE, device=device, fixture=fixture, key=secret.encode())
    _store_cues(folder / "state" / "ledger.db", cues)
    async with (
        secure_broker(folder / "broker", venue=VENUE, names=devices) as broker,
        Supervisor(clock=SystemClock(), log_dir=folder / "log") as family,
    ):
        table = _config(folder, devices=devices, accounts=accounts, api_port=api_port, freshness_s=freshness_s)
        write_config(folder / "cuebird.toml", table, broker.address(ENGINE))
        named = [f"--account={name}:{name}" for name in accounts]
        ports = (f"--port={api_port}", f"--page-port={page_port}", f"--state-dir={folder / 'sandbox'}")
        await family.start_ready(Child(name="sandbox", arguments=("sandbox", "x", "--json", *ports, *named)))
        arguments = ("run", "engine", "--config", str(folder / "cuebird.toml"))
        engine = await family.start_ready(Child(name="engine", arguments=arguments))
        page_url = f"http://127.0.0.1:{page_port}/"
        yield Rink(folder=folder, family=family, engine=engine, page_url=page_url, broker=broker, keys=keys, table=table)


def write_config(path: Path, table: dict[str, Any], address: BrokerAddress, **more: Any) -> None:
    """Write `table` as the configuration of somebody who connects to the broker by `address`."""
    files = {name: str(getattr(address, name)) for name in ("ca_file", "cert_file", "key_file")}
    mqtt = {**table["mqtt"], "port": address.port, **files}
    path.write_text(tomli_w.dumps({**table, "mqtt": mqtt, **more}))


def _config(
    folder: Path, *, devices: Mapping[str, str], accounts: Sequence[str], api_port: int, freshness_s: float
) -> dict[str, Any]:
    sandbox = folder / "sandbox"
    return {
        "paths": {"state_dir": "state", "spots_dir": "spots"},
        "engine": {"mode": "LIVE"},
        "caps": {"spot": [60, 600, 600], "account": [100, 600, 600], "everything": [2000, 2000, 2000]},
        "publisher": {"api_base": f"https://127.0.0.1:{api_port}", "ca_file": str(sandbox / "ca.pem")},
        "mqtt": {"protocol": "5", "freshness_s": freshness_s},
        "account": [
            {"id": name, "handle": name, "credentials_file": str(sandbox / "credentials" / f"{name}.json")} for name in accounts
        ],
        "fixture": [
            {"id": fixture, "home": f"Nord {fixture}", "away": f"Süd {fixture}", "sport": "ice_hockey", "venue": VENUE}
            for fixture in dict.fromkeys(devices.values())
        ],
        "device": [
            {"id": device, "venue": VENUE, "fixture": fixture, "key_file": str(folder / "keys" / device)}
            for device, fixture in devices.items()
        ],
    }


def _store_cues(ledger_file: Path, cues: Sequence[dict[str, Any]]) -> None:
    ledger = Ledger.open(ledger_file, mode=Mode.LIVE)
    parsed = parse_cues(tomli_w.dumps({"cue": list(cues)}).encode(), source="test")
    ledger.import_cues(parsed, actor="test")
    for cue in parsed:
        ledger.approve_cue(cue.cue_id, approved_by="approver@example.org")
    ledger.close()
