"""Real processes, killed again and again; and bugs planted to see that this finds them."""

import json
import os
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from bench.chaos.blows import Blow, Kind
from bench.chaos.run import Round, run_chaos
from bench.chaos.steps import Step

pytestmark = pytest.mark.system
KILLS = 100
BUG_PATIENCE_S = 8.0
"""How long a house with a bug may take to rest; a bug may be that it never does."""


@pytest.mark.timeout(900)
async def test_a_hundred_kills_break_no_guarantee(tmp_path: Path) -> None:
    """Every step, every process, the disk, the switch: as typed."""
    process = await create_subprocess_exec(
        *(sys.executable, "-m", "console.cli", "chaos", "--kills", str(KILLS), "--json"),
        env={"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "PYTHONPATH": ":".join(sys.path)},
        stdout=PIPE,
        stderr=PIPE,
    )
    told, complaints = await process.communicate()
    assert process.returncode == 0, f"{told.decode()}\n{complaints.decode()}"
    outcome = json.loads(told)
    print(json.dumps(outcome, indent=1))
    assert sum(outcome["kills"].values()) == KILLS
    assert outcome["broken"] == {}
    assert outcome["posts"] > KILLS
    assert {f"{Kind.STEP}: {step}" for step in (Step.CLAIMED, Step.FIRST_BYTE, Step.ANSWERED)} <= set(outcome["kills"])
    assert os.listdir(tmp_path) == []


@pytest.mark.timeout(300)
async def test_the_database_server_dies_too(tmp_path: Path) -> None:
    """The ledger in PostgreSQL: its server is killed, and so are engines in the middle of its transactions."""
    blows = [
        Blow(kind=Kind.DATABASE, after_s=0.3),
        Blow(kind=Kind.STEP, step=Step.CLAIMING, passes=3),
        Blow(kind=Kind.DATABASE, after_s=0.3),
        Blow(kind=Kind.STEP, step=Step.ANSWERED, passes=2),
        Blow(kind=Kind.REPLACED, after_s=0.1),
    ]
    one = await played(blows, tmp_path, postgresql=True)
    assert one.broken == ""
    assert one.posts > 0


def steps(step: Step, times: int) -> list[Blow]:
    return [Blow(kind=Kind.STEP, step=step, passes=1 + number, after_s=0.1) for number in range(times)]


BUGS = (
    ("claim_after_send", steps(Step.CLAIMED, 1), {"G1"}),
    ("recovery_sends_again", steps(Step.FIRST_BYTE, 3), {"G1", "G4"}),
    ("recovery_forgets", steps(Step.CLAIMED, 2), {"G2"}),
    ("kill_of_one_process", [Blow(kind=Kind.SWITCH_RESTART, after_s=0.3)] * 2, {"G5"}),
    ("no_epoch", [Blow(kind=Kind.REPLACED, after_s=0.3)], {"G1", "G4"}),
)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("bug", "blows", "guarantees"), BUGS, ids=[bug for bug, _, _ in BUGS])
async def test_a_planted_bug_is_found(bug: str, blows: list[Blow], guarantees: set[str], tmp_path: Path) -> None:
    """By the guarantee it breaks; what is left of the round is kept."""
    one = await played(blows, tmp_path, bug=bug)
    print(one.broken)
    assert one.broken.partition(":")[0] in guarantees
    assert (one.folder / "ledger" / "ledger.db").exists()


async def played(blows: list[Blow], folder: Path, *, postgresql: bool = False, bug: str = "") -> Round:
    patience_s = BUG_PATIENCE_S if bug else None
    rounds = [
        told.round
        async for told in run_chaos(
            len(blows), 1, postgresql=postgresql, bug=bug, folder=folder, blows=blows, rest_patience_s=patience_s
        )
        if told.blow is None
    ]
    assert len(rounds) == 1
    return rounds[0]
