"""Triggers and horns in the whole engine: a press fires once, and a goal may need its horn."""

import asyncio
import dataclasses
import itertools
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from hardware.events import ScoreEvent, ScoreKind
from sync.conditions import GoalCondition, TriggerCondition
from sync.cues import Cue
from sync.simulation.storage import Storage
from sync.simulation.world import World, _fenced_or_done
from tests.scenario.sync.test_engine_scenarios import check, virtual, world_of

IDS = itertools.count(1)


@pytest.fixture(scope="module")
def storage() -> Iterator[Storage]:
    """One ledger in memory for all worlds, set back for each."""
    storage = Storage()
    yield storage
    storage.close()


def show_cue(world: World, **changes: Any) -> Cue:
    """A cue that waits for the show's beginning."""
    on = TriggerCondition(**{"kind": "trigger", "fixture": "final", "name": "show-begins", **changes})
    cue = dataclasses.replace(world.cue("now"), cue_id="show", name="The show begins", on=on, deadline_ms=6000)
    world.store(cue)
    world.truth.texts["show"], world.truth.priorities["show"] = set(cue.variants), 0
    world.truth.caps["show"] = cue.caps.per_minute
    return cue


async def press(
    world: World, name: str = "show-begins", *, device: str = "button-1", ago_s: float = 0.1, kind: ScoreKind = ScoreKind.TRIGGER
) -> None:
    """A gateway tells of a press, or of a horn."""
    now_ns, event_utc = world.clock.mono_ns(), world.clock.utc() - timedelta(seconds=ago_s)
    event = ScoreEvent(
        event_id=f"{next(IDS):026d}",
        venue="arena",
        device=device,
        fixture="final",
        kind=kind,
        side=None,
        delta=0,
        home=0,
        away=0,
        ordinal=0,
        period="",
        clock="",
        event_utc=event_utc,
        event_mono_ns=now_ns - round(ago_s * 1e9),
        received_mono_ns=now_ns,
        name="" if kind is ScoreKind.HORN else name,
    )
    for process in world.processes:
        if (engine := process.listening) is not None:
            await asyncio.wait({process.begin(_fenced_or_done(engine.take_score(event)), name="score")}, timeout=0.05)


async def horn(world: World, **where: Any) -> None:
    """A horn sounds."""
    await press(world, "", kind=ScoreKind.HORN, **where)


def told(world: World, cue_id: str) -> list[tuple[str, str, str]]:
    """State, guard and reason of a cue's firings."""
    return [(one.state.value, one.guard, one.reason) for one in world.records() if one.cue_id == cue_id]


@virtual
async def test_a_press_fires_once_whoever_reports_it(storage: Storage) -> None:
    """Two gateways with clocks a second apart, a report after a restart, and then a press of its own."""
    async with world_of(storage) as world:
        show_cue(world)
        process = await world.start()
        await world.clock.advance(1)
        await press(world)
        await press(world, device="button-2", ago_s=1.0)
        await world.clock.advance(1)
        await process.kill()
        await world.start()
        await press(world, device="button-2", ago_s=2.0)
        await world.clock.advance(1)
        assert world.texts("coffee") == ["one"]
        await world.clock.advance(5)
        await press(world)
        await world.clock.advance(1)
        assert world.texts("coffee") == ["one", "two"]
        check(world)


@virtual
async def test_another_name_is_another_cues(storage: Storage) -> None:
    """Nothing fires on a trigger it does not wait for, nor on a horn of that name."""
    async with world_of(storage) as world:
        show_cue(world)
        await world.start()
        await world.clock.advance(1)
        await press(world, "show-ends")
        await horn(world)
        await world.clock.advance(1)
        assert told(world, "show") == []


@virtual
async def test_two_devices_must_both_tell_of_a_press(storage: Storage) -> None:
    """One alone is declined, and the record says who was missing."""
    async with world_of(storage) as world:
        show_cue(world, devices=("button-1", "button-2"))
        await world.start()
        await world.clock.advance(1)
        await press(world)
        await world.clock.advance(5)
        sentence = "device button-2 is missing: device button-1 told of it alone"
        assert told(world, "show") == [("DECLINED", "quorum", sentence)]
        await world.clock.advance(10)
        await press(world)
        await press(world, device="button-2")
        await world.clock.advance(1)
        assert world.texts("coffee") == ["one"]


def wants_horn(world: World, **changes: Any) -> None:
    """The goal's cue needs the horn besides."""
    cue = world.cue("goal")
    assert isinstance(cue.on, GoalCondition)
    on = dataclasses.replace(cue.on, witness="horn", **changes)
    world.store(dataclasses.replace(cue, on=on, deadline_ms=6000, taken_back="leave"))


@virtual
async def test_a_goal_waits_for_its_horn(storage: Storage) -> None:
    """It leaves when the horn sounds; a goal without one is declined and says what was missing."""
    async with world_of(storage) as world:
        wants_horn(world)
        await world.start()
        await world.clock.advance(1)
        await world.goal(1)
        await world.clock.advance(1)
        assert world.texts("bank") == []
        await horn(world, device="gpio-1")
        await world.clock.advance(0.5)
        assert len(world.texts("bank")) == 1
        await world.clock.advance(5)
        await world.goal(2)
        await world.clock.advance(5)
        (reason,) = [reason for state, guard, reason in told(world, "goal") if (state, guard) == ("DECLINED", "quorum")]
        assert reason.startswith("the horn is missing: device oes-1 told of it alone within 2000 ms (its nearest was")
        assert len(world.texts("bank")) == 1


@virtual
async def test_only_the_device_that_is_named_is_a_witness(storage: Storage) -> None:
    """The horn of another one does not count; one that sounded just before does."""
    async with world_of(storage) as world:
        wants_horn(world, witness_device="gpio-1")
        await world.start()
        await world.clock.advance(1)
        await horn(world, device="gpio-2")
        await world.goal(1)
        await world.clock.advance(5)
        assert told(world, "goal")[-1][2] == "the horn of device gpio-1 is missing: device oes-1 told of it alone"
        await horn(world, device="gpio-1")
        await world.clock.advance(0.5)
        await world.goal(2)
        await world.clock.advance(1)
        assert len(world.texts("bank")) == 1


@virtual
async def test_a_trigger_can_be_the_witness(storage: Storage) -> None:
    """A light behind the goal, an operator's nod."""
    async with world_of(storage) as world:
        wants_horn(world)
        cue = world.cue("goal")
        assert isinstance(cue.on, GoalCondition)
        world.store(dataclasses.replace(cue, on=dataclasses.replace(cue.on, witness="red-light")))
        await world.start()
        await world.clock.advance(1)
        await world.goal(1)
        await horn(world)
        await world.clock.advance(0.5)
        assert world.texts("bank") == []
        await press(world, "red-light")
        await world.clock.advance(0.5)
        assert len(world.texts("bank")) == 1
