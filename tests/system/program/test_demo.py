"""The demonstration, as a person runs it: once through, judged by itself."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system


@pytest.mark.timeout(480)
async def test_every_expected_firing_and_no_other_happens(tmp_path: Path) -> None:
    """Sound, scoreboard, plan, rehearsal, LIVE, a disallowed goal, an unplanned spot: all as expected."""
    folder = tmp_path / "demo"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "console.cli", "demo", "--once", "--json", "--state-dir", str(folder)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    told, complaints = await process.communicate()
    logs = "\n".join(f"== {log.name}\n{log.read_text()[-2000:]}" for log in (folder / "log").glob("*.log"))

    assert process.returncode == 0, f"{told.decode()}\n{complaints.decode()}\n{logs}"
    outcome = json.loads(told)
    print(json.dumps(outcome, indent=1))
    assert outcome["ok"] is True
    assert outcome["spots_heard"] == outcome["spots_aired"] == 8
    modes = [one["mode"] for one in outcome["expected"]]
    assert modes.count("REHEARSAL") >= 2
    assert modes.count("LIVE") >= 8


async def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    """Which port, and what to do; no traceback."""
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "console.cli", "demo", "--state-dir", str(tmp_path / "demo"), "--port", str(port)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaint = await process.communicate()
    server.close()
    await server.wait_closed()

    assert process.returncode == 1
    assert complaint.decode() == f"cuebird: port {port} is in use; choose another with --port\n"


async def test_a_folder_that_is_not_its_own_is_left_alone(tmp_path: Path) -> None:
    """The demonstration empties its folder; never somebody else's."""
    (tmp_path / "thesis.txt").write_text("three years of work")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "console.cli", "demo", "--state-dir", str(tmp_path)), stderr=asyncio.subprocess.PIPE
    )
    _, complaint = await process.communicate()

    assert process.returncode == 1
    assert "not empty and not the demonstration's" in complaint.decode()
    assert (tmp_path / "thesis.txt").read_text() == "three years of work"
