"""`cuebird engine` beside a running house, as typed."""

import asyncio
import json
import sys

import pytest

from tests.system.program.house import House

pytestmark = pytest.mark.system


async def typed(house: House, *words: str, answer: str = "") -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "console.cli", "engine", *words, "--config", str(house.folder / "cuebird.toml")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, problems = await process.communicate(answer.encode())
    assert process.returncode is not None
    return process.returncode, out.decode(), problems.decode()


async def test_an_engine_is_asked_and_ordered(house: House) -> None:
    """Its mode and its kill switch, each with who did it; going live asks for the word."""
    _, told, _ = await typed(house, "status")
    assert "LIVE" in told
    assert "KILLED" not in told
    assert (await typed(house, "mode", "rehearsal", "--by", "maria"))[:2] == (0, "the mode is REHEARSAL\n")
    code, refused, _ = await typed(house, "mode", "live", answer="live\n")
    assert code == 1
    assert refused.endswith("The mode has not changed.\n")
    assert (await typed(house, "mode", "live", answer="LIVE\n"))[0] == 0
    assert (await typed(house, "kill", "--reason", "wrong spot", "--by", "maria"))[0] == 0
    facts = json.loads((await typed(house, "status", "--json"))[1])["engine"]
    assert (facts["mode"], facts["killed"], facts["kill_actor"], facts["kill_reason"]) == ("LIVE", True, "maria", "wrong spot")
    assert (await typed(house, "release"))[0] == 2
    assert (await typed(house, "release", "--reason", "mended"))[0] == 0
    assert not json.loads((await typed(house, "status", "--json"))[1])["engine"]["killed"]


async def test_a_kill_needs_no_engine_that_answers(house: House) -> None:
    """An engine that hangs is killed by the ledger: when it goes on it fires nothing."""
    engine = house.engine.process
    assert engine is not None
    engine.send_signal(19)  # SIGSTOP
    try:
        code, told, _ = await typed(house, "kill", "--reason", "it hangs")
        assert (code, told.startswith("KILLED in the ledger")) == (0, True)
    finally:
        engine.send_signal(18)  # SIGCONT
    await house.scoreboard.publish(house.scoreboard.goal())
    await house.until(lambda: bool(house.firings()), "the goal is accounted for")
    assert {(one["state"], one["guard"]) for one in house.firings()} == {("DECLINED", "kill")}
