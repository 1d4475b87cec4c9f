"""The sandbox as a process of its own: killed, restarted, asked wrongly."""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

import pytest

from sync.accounts import load_credentials
from sync.posting import Certainty, Shot
from sync.publisher import XPublisher
from timebase import SystemClock

pytestmark = pytest.mark.system

CLOCK = SystemClock()
PROGRAM = "import typer; from console.commands import sandbox; app = typer.Typer(); sandbox.register(app); app()"


async def start(state_dir: Path, *arguments: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        "sandbox",
        "x",
        "--state-dir",
        str(state_dir),
        "--json",
        *arguments,
        stdout=PIPE,
        stderr=PIPE,
    )


async def places(process: Process) -> dict[str, Any]:
    assert process.stdout is not None
    async with asyncio.timeout(30):
        return json.loads(await process.stdout.readline())  # type: ignore[no-any-return]  # json is untyped


async def test_a_killed_sandbox_comes_back_with_its_tweets(tmp_path: Path) -> None:
    """kill -9, the same folder, the same credentials and certificate: the tweet is on the timeline."""
    arguments = ("--account", "anna:anna_tv", "--port", "0", "--page-port", "0", "--journal")
    first = await start(tmp_path, *arguments)
    place = await places(first)
    publisher = XPublisher(
        [load_credentials(Path(place["credentials_files"]["anna"]))],
        clock=CLOCK,
        api_base=place["api_base"],
        ca_file=Path(place["ca_file"]),
    )
    shot = Shot(firing_id=1, account_id="anna", body=b'{"text":"before"}', deadline_mono_ns=CLOCK.mono_ns() + 20_000_000_000)
    assert (await publisher.post(shot, lambda: None)).certainty is Certainty.POSTED
    first.kill()
    await first.communicate()
    assert (await publisher.post(shot, lambda: None)).certainty is Certainty.NOT_SENT
    await publisher.close()

    second = await start(tmp_path, *arguments)
    place = await places(second)
    again = XPublisher(
        [load_credentials(Path(place["credentials_files"]["anna"]))],
        clock=CLOCK,
        api_base=place["api_base"],
        ca_file=Path(place["ca_file"]),
    )
    timeline = await again.timeline("anna", since_id=0)
    await again.close()
    second.send_signal(signal.SIGTERM)
    _, errors = await second.communicate()
    assert timeline is not None
    assert [tweet.text for tweet in timeline] == ["before"]
    assert second.returncode == 0, errors.decode()


async def test_a_wrong_account_is_one_sentence(tmp_path: Path) -> None:
    """Exit code 2 and the form that is wanted; no traceback."""
    process = await start(tmp_path, "--account", "anna")
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert "ID:HANDLE" in errors.decode()
    assert "Traceback" not in errors.decode()
