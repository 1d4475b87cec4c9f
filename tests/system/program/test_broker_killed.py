"""A thousand goals while the broker dies: each one fires once."""

import asyncio
import collections
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from hardware.gateway import Gateway, GatewaySettings
from hardware.scoreboards.board import Board
from hardware.scoreboards.oes import encode
from hardware.simulator import TcpLine, tcp_line
from tests.system.program.rink import rink
from timebase import SystemClock

pytestmark = pytest.mark.system

FIXTURES, GOALS = 50, 20
TURN_S = 0.1
PATIENCE_S = 120.0
FRESHNESS_S = 120.0
"""So that a slow machine makes no goal stale: then every one of them must fire."""
DEVICES = {f"oes-{number}": f"match-{number}" for number in range(1, FIXTURES + 1)}
ACCOUNTS = tuple(f"sponsor{number}" for number in range(1, 21))


class Consoles:
    """Fifty boards that score together."""

    def __init__(self, lines: list[TcpLine]) -> None:
        self._lines, self.home, self.scoring = lines, 0, False

    async def run(self) -> None:
        while True:
            for line in self._lines:
                for frame in encode(Board(home=self.home, clock_tenths=6000, period="1", running=True)):
                    line.send(frame)
            await asyncio.sleep(TURN_S)
            if self.scoring and self.home < GOALS:
                self.home += 1

    async def until(self, home: int) -> None:
        while self.home < home:
            await asyncio.sleep(0.01)


def goal_cue(number: int, fixture: str) -> dict[str, object]:
    return {
        "id": f"goal-{fixture}",
        "name": f"Goal in {fixture}",
        "author": "author@example.org",
        "account": ACCOUNTS[number % len(ACCOUNTS)],
        "deadline_ms": 60_000,
        "variants": [f"{fixture} scores in its way {number}: {{home_score}}" for number in range(1, GOALS + 1)],
        "caps": {"per_minute": 60, "per_hour": 600, "per_day": 600},
        "on": {"kind": "goal", "fixture": fixture, "side": "home"},
    }


async def test_every_goal_fires_once_though_the_broker_is_killed(tmp_path: Path) -> None:
    """kill -9 in the middle of the burst: what the broker had acknowledged and lost is told again, what was taken fires once."""
    cues = [goal_cue(number, fixture) for number, fixture in enumerate(DEVICES.values())]
    async with (
        rink(tmp_path, devices=DEVICES, accounts=ACCOUNTS, cues=cues, freshness_s=FRESHNESS_S) as program,
        AsyncExitStack() as stack,
        asyncio.TaskGroup() as tasks,
    ):
        lines = [await stack.enter_async_context(tcp_line("127.0.0.1", 0)) for _ in DEVICES]
        consoles = Consoles(lines)
        running = [tasks.create_task(consoles.run())]
        for line, (device, key) in zip(lines, program.keys.items(), strict=True):
            settings = GatewaySettings(
                identity=key, sport="ice_hockey", protocol="oes", source=line.address,
                address=program.broker.address(device), freshness_s=FRESHNESS_S,
            )  # fmt: skip
            running.append(tasks.create_task(Gateway(settings, clock=SystemClock()).run()))
        await program.online()
        consoles.scoring = True
        await consoles.until(GOALS // 2)
        killed_mono_ns = time.monotonic_ns()
        await program.broker.kill()
        await asyncio.sleep(3 * TURN_S)
        await program.broker.start()
        await consoles.until(GOALS)
        resting = ("POSTED", "REFUSED", "NOT_SENT", "NOT_SEEN", "DECLINED", "EXPIRED", "WITHDRAWN")
        await program.until(
            lambda: sum(one["state"] in resting for one in program.firings()) >= FIXTURES * GOALS,
            "a firing for every goal", patience_s=PATIENCE_S, look_every_s=0.5,
        )  # fmt: skip
        await program.online()
        firings, tweets, alarms = program.firings(), await program.tweets(), (await program.snapshot())["alarms"]
        for task in running:
            task.cancel()

    expected = {f"goal:{fixture}/home/{ordinal}/1" for fixture in DEVICES.values() for ordinal in range(1, GOALS + 1)}
    assert collections.Counter(one["occurrence_id"] for one in firings) == collections.Counter(expected)
    assert {one["state"] for one in firings} == {"POSTED"}
    assert sorted(tweet["text"] for tweet in tweets) == sorted(one["text"] for one in firings)
    before = sum(one["claimed_mono_ns"] < killed_mono_ns for one in firings)
    assert 0 < before < FIXTURES * GOALS
    sentences = [alarm["text"] for alarm in alarms]
    assert any("is not reachable" in sentence for sentence in sentences)
    assert [sentence for sentence in sentences if "not taken" in sentence] == []
