"""`cuebird firing` against a running engine, as typed."""

import asyncio
import json
import sys

import pytest

from tests.system.program.house import ACCOUNTS, House

pytestmark = pytest.mark.system


async def typed(house: House, *words: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "console.cli", "firing", *words, "--config", str(house.folder / "cuebird.toml")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, problems = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), problems.decode()


async def test_what_fired_is_listed_and_what_is_unknown_is_settled(house: House) -> None:
    """A veto comes too late for what has been claimed; an answer that never came is settled by somebody who looked."""
    await house.fault(kind="drop", times=3)
    await house.scoreboard.publish(house.scoreboard.goal())
    await house.until(lambda: len([one for one in house.firings() if one["state"] != "CLAIMED"]) == len(ACCOUNTS), "all tried")
    unknown = next(one for one in house.firings() if one["state"] == "UNKNOWN")
    number = str(unknown["firing_id"])

    _, listed, _ = await typed(house, "list", "--state", "unknown", "--json")
    vetoed = await typed(house, "veto", number, "--reason", "too late")
    nameless = await typed(house, "settle", number, "posted", "--reason", "I saw it")
    settled = await typed(house, "settle", number, "not-seen", "--reason", "I looked", "--by", "maria")
    _, table, _ = await typed(house, "list")

    assert unknown["firing_id"] in [one["firing_id"] for one in json.loads(listed)["firings"]]
    assert vetoed[0] == 1
    assert "too late for a veto" in vetoed[2]
    assert nameless[0] == 2
    assert settled[0] == 0
    assert "NOT_SEEN" in settled[1]
    assert "POSTED" in table
    record = next(one for one in house.firings() if one["firing_id"] == unknown["firing_id"])
    assert (record["state"], record["settled_by"]) == ("NOT_SEEN", "maria")


async def test_without_an_engine_it_is_said(house: House) -> None:
    """One sentence and exit code 1."""
    assert house.engine.process is not None
    await house.family.stop("engine")
    code, _, problems = await typed(house, "list")
    assert code == 1
    assert "no engine answers here" in problems
