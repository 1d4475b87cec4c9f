"""The demonstration's stage: a folder of its own, free ports, keys and passwords, and the list of its processes."""

import fcntl
import json
import os
import secrets
import shutil
import socket
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import tomli_w

from console.catalogue import catalogue_of
from console.config import Config, load_config
from console.errors import ConsoleError
from console.ledgers import open_ledger
from console.supervisor import Child
from console.users import ConsoleDatabase, People, Role
from hardware.match import Match, parse_match
from sync.conditions import GoalCondition, SpotCondition
from sync.cues import Cue, read_cues
from timebase import Clock

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
MARK = ".cuebird-demo"
"""A folder with this file in it is the demonstration's own and may be emptied."""
CONSOLE_PORT = 8400
OPERATOR = "demo"
APPROVER = "approver@cuebird.example"
PLAN_TOLERANCE_S = 4


class DemoError(ConsoleError):
    """The demonstration cannot be set up here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What the programme holds: spot and first audible sample of each broadcast, and its length."""

    airings: tuple[tuple[str, float], ...]
    length_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything the story needs to know of the place it plays in."""

    folder: Path
    config_path: Path
    config: Config
    password: str
    page_port: int
    truth: Truth
    match: Match
    cues: tuple[Cue, ...]

    @property
    def spot_cues(self) -> dict[str, str]:
        """Which cue wants a spot."""
        return {spot: cue.cue_id for cue in self.cues if isinstance(cue.on, SpotCondition) for spot in cue.on.spots}

    @property
    def goal_cues(self) -> dict[str, str]:
        """Which cue wants a side's goals."""
        return {cue.on.side: cue.cue_id for cue in self.cues if isinstance(cue.on, GoalCondition)}

    @property
    def page_url(self) -> str:
        """The sandbox's timeline page."""
        return f"http://127.0.0.1:{self.page_port}/"

    @property
    def console_url(self) -> str:
        """The live page."""
        return f"http://{self.config.console.host}:{self.config.console.port}/"

    @property
    def socket_path(self) -> Path:
        """The engine's control socket."""
        return self.config.paths.socket_file

    def child(self, name: str, *arguments: str, restart: bool = True) -> Child:
        """One of the demonstration's processes."""
        return Child(name=name, arguments=arguments, restart=restart)

    def sandbox(self) -> Child:
        """The local X."""
        accounts = [f"--account={account.id}:{account.handle}" for account in self.config.accounts]
        port = self.config.publisher.api_base.rpartition(":")[2]
        places = (f"--state-dir={self.config.paths.state_dir / 'sandbox'}", f"--port={port}", f"--page-port={self.page_port}")
        return self.child("sandbox", "sandbox", "x", *places, *accounts, "--json")

    def broker(self) -> Child:
        """The embedded MQTT broker."""
        return self.child("broker", "run", "broker", f"--port={self.config.mqtt.port}")

    def television(self, *, once: bool) -> Child:
        """The programme on air."""
        _, _, address = self.config.feeds[0].url.partition("://")
        host, _, path = address.partition("/")
        arguments = ("run", "broadcast", str(EXAMPLES / "media/programme.opus"), path, f"--port={host.rpartition(':')[2]}")
        return self.child("television", *arguments, *(["--once"] if once else []), restart=not once)

    def scoreboard(self) -> Child:
        """The simulated console in the ice hall."""
        assert self.config.gateway is not None
        address = self.config.gateway.source.removeprefix("tcp://")
        script = str(self.folder / "match.toml")
        return self.child(
            "scoreboard",
            "scoreboard",
            "simulate",
            self.config.gateway.protocol,
            "--listen",
            address,
            "--script",
            script,
            "--json",
        )

    def gateway(self) -> Child:
        """The gateway beside the console."""
        return self.child("gateway", "gateway", "--config", str(self.config_path), "--json")

    def plan(self, begins_utc: list[datetime], *, left_out: str) -> Path:
        """Write the plan of the passes that begin at these instants; one spot is left out of it."""
        rows = ["channel,date,time,spot,window_before_s,window_after_s,timezone"]
        for begin in begins_utc:
            for spot_id, onset_s in self.truth.airings:
                if spot_id != left_out:
                    at = begin + timedelta(seconds=onset_s)
                    tolerances = f"{PLAN_TOLERANCE_S},{PLAN_TOLERANCE_S + 1}"
                    rows.append(f"{self.config.channels[0].id},{at:%Y-%m-%d},{at:%H:%M:%S},{spot_id},{tolerances},UTC")
        path = self.folder / "plan.csv"
        path.write_text("\n".join(rows) + "\n")
        return path


@contextmanager
def prepared_stage(folder: Path, *, clock: Clock, port: int | None, once: bool) -> Iterator[Stage]:
    """A stage in `folder`, emptied first and locked until the block ends.

    Args:
        port: the console's; None takes the usual one, or in once mode any free one.

    Raises:
        DemoError: the folder is somebody else's or in use, or the examples or the port are missing.
    """
    if not (EXAMPLES / "cuebird.toml").is_file():
        raise DemoError(f"{EXAMPLES}: the examples are not there; run the demonstration in a checkout of Cuebird")
    folder = folder.absolute()
    with _own(folder):
        yield _prepare(folder, clock=clock, port=port, once=once)


def _prepare(folder: Path, *, clock: Clock, port: int | None, once: bool) -> Stage:
    table = tomllib.loads((EXAMPLES / "cuebird.toml").read_text())
    console_port = _free_port(0 if once else CONSOLE_PORT) if port is None else port
    if not _is_free(console_port):
        raise DemoError(f"port {console_port} is in use; choose another with --port")
    _set_places(table, folder, console_port, once=once)
    config_path = folder / "cuebird.toml"
    config_path.write_text(tomli_w.dumps(table))
    config = load_config(config_path)
    for device in config.devices:
        _write_private(device.key_file, secrets.token_hex(32) + "\n")
    password = secrets.token_urlsafe(9) + "-Demo"
    people = ConsoleDatabase(config.paths.state_dir / "console.db")
    People(people, clock).add(OPERATOR, Role.OPERATOR, password)
    people.close()
    cues = _store_cues(config, clock)
    truth = json.loads((EXAMPLES / "media/programme.json").read_text())
    match_text = (EXAMPLES / "match.toml").read_text()
    (folder / "match.toml").write_text(match_text)
    return Stage(
        folder=folder,
        config_path=config_path,
        config=config,
        password=password,
        page_port=_free_port(0 if once else 8444),
        truth=Truth(
            airings=tuple((airing["spot"], airing["onset_s"]) for airing in truth["airings"]), length_s=truth["length_s"]
        ),
        match=parse_match(match_text, name="examples/match.toml"),
        cues=cues,
    )


def _set_places(table: dict[str, Any], folder: Path, console_port: int, *, once: bool) -> None:
    """Move the example configuration to this folder and to ports that are free."""

    def port_like(usual: int) -> int:
        return _free_port(0 if once else usual)

    table["paths"] = {"state_dir": str(folder / "state"), "spots_dir": str(EXAMPLES / "media/spots")}
    sandbox = folder / "state" / "sandbox"
    table["publisher"] |= {"api_base": f"https://127.0.0.1:{port_like(8443)}", "ca_file": str(sandbox / "ca.pem")}
    table["mqtt"]["port"] = port_like(18830)
    table["console"]["port"] = console_port
    for feed in table["feed"]:
        feed["url"] = f"http://127.0.0.1:{port_like(8450)}/{feed['url'].rpartition('/')[2]}"
    for account in table["account"]:
        account["credentials_file"] = str(sandbox / "credentials" / f"{account['id']}.json")
    for device in table["device"]:
        device["key_file"] = str(folder / "state" / "keys" / f"{device['id']}.key")
    table["gateway"]["source"] = f"tcp://127.0.0.1:{port_like(4001)}"


def _store_cues(config: Config, clock: Clock) -> tuple[Cue, ...]:
    """Import the example cues and approve each: the approval a person gives before going live."""
    path = EXAMPLES / "cues.toml"
    with open_ledger(config, clock=clock) as ledger:
        cues = read_cues(path, catalogue_of(config))
        ledger.import_cues(cues, actor=OPERATOR)
        for cue in cues:
            ledger.approve_cue(cue.cue_id, approved_by=APPROVER, sha256=cue.sha256())
        return cues


@contextmanager
def _own(folder: Path) -> Iterator[None]:
    mark = folder / MARK
    if folder.exists() and any(folder.iterdir()) and not mark.exists():
        raise DemoError(f"{folder}: not empty and not the demonstration's; choose another folder with --state-dir")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with mark.open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DemoError(f"{folder}: another demonstration runs here; stop it or choose another --state-dir") from error
        for entry in folder.iterdir():
            if entry.name != MARK:
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        (folder / "state").mkdir(mode=0o700)
        yield


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port(usual: int) -> int:
    """The usual port when it is free, else any."""
    if usual and _is_free(usual):
        return usual
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def utc_of(mono_ns: int, *, clock: Clock) -> datetime:
    """The wall clock's reading at an instant of the monotonic clock not long ago."""
    return (clock.utc() - timedelta(microseconds=(clock.mono_ns() - mono_ns) / 1000)).astimezone(UTC)
