"""The inbox as a process of its own, killed where it stands."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from sync.ledger import Ledger
from sync.plan_versions import PlanVersion, PlanVersions

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[3]
CONFIG = """
[paths]
state_dir = "state"
[plans]
inbox_dir = "inbox"
whole_after_s = 0.5
[[channel]]
id = "nord"
name = "Nord"
timezone = "Europe/Stockholm"
[[plan_sender]]
id = "agency"
"""
ROWS = "\n".join(["channel,date,time,spot", *(f"nord,2027-03-{day:02},20:15,kaffee-30" for day in range(1, 29))])
PATIENCE_S = 60


@pytest.fixture
def house(tmp_path: Path) -> Path:
    (tmp_path / "cuebird.toml").write_text(CONFIG)
    (tmp_path / "spots").mkdir()
    (tmp_path / "spots" / "kaffee-30.opus").touch()
    (tmp_path / "inbox" / "agency").mkdir(parents=True)
    return tmp_path


@contextlib.contextmanager
def inbox_process(house: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The inbox, once it looks."""
    command = [sys.executable, "-m", "console.cli", "run", "plans", "--config", str(house / "cuebird.toml")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline()) == {"ready": True}
            yield process
        finally:
            process.kill()


def until(true: Callable[[], bool]) -> None:
    begin_s = time.monotonic()
    while not true():
        assert time.monotonic() - begin_s < PATIENCE_S
        time.sleep(0.001)


def files(house: Path, where: str) -> list[str]:
    folder = house / "inbox" / "agency" / where
    return sorted(path.name.partition("-")[2] for path in folder.glob("[!.]*")) if folder.exists() else []


def is_in(house: Path, where: str, name: str) -> bool:
    return any(one.startswith(name) for one in files(house, where))


def versions(house: Path) -> list[PlanVersion]:
    with contextlib.closing(Ledger.open(house / "state" / "ledger.db")) as ledger:
        return list(PlanVersions(ledger).plans())


def test_killed_on_the_way_it_goes_on_where_it_was(house: Path) -> None:
    """At once when a file is taken, and at once when it is put away: one version of each, no file lost, none twice."""
    for name, place in (("first.csv", "taken"), ("second.csv", "done")):
        spot_rows = ROWS if name == "first.csv" else ROWS.replace("-03-", "-04-")
        with inbox_process(house) as process:
            part = house / "inbox" / "agency" / f"{name}.part"
            part.write_text(spot_rows)
            part.rename(house / "inbox" / "agency" / name)
            until(partial(is_in, house, place, name))
            os.kill(process.pid, signal.SIGKILL)

    with inbox_process(house):
        wanted = ["first.csv", "first.csv.json", "second.csv", "second.csv.json"]
        until(lambda: files(house, "done") == wanted)

    assert (files(house, "taken"), files(house, "refused")) == ([], [])
    assert [(one.plan_id, one.number, one.airing_count) for one in versions(house)] == [("first", 1, 28), ("second", 1, 28)]
