"""Plans that change while the engine runs: what moves is rearmed, what goes is disarmed, what is being fired is left alone."""

import dataclasses
from collections.abc import Iterator
from datetime import timedelta

import pytest

from schedules import Airing
from sync.engine import Engine
from sync.outside import LOOKED_EVERY_S
from sync.plan_versions import PlanImport, PlanSource, PlanVersions
from sync.simulation.storage import Storage
from sync.simulation.world import World
from tests.scenario.sync.test_engine_scenarios import check, virtual, world_of

WITHIN_S = LOOKED_EVERY_S + 0.1


@pytest.fixture(scope="module")
def storage() -> Iterator[Storage]:
    """One ledger in memory for all worlds, set back for each."""
    storage = Storage()
    yield storage
    storage.close()


def imported(world: World, *airings: Airing) -> PlanImport:
    """A new version of the plan, from another process: nobody tells the engine."""
    sha256 = f"{len(PlanVersions(world.ledger).versions('plan')):064}"
    return PlanVersions(world.ledger).commit("plan", airings, PlanSource(actor="mia", sha256=sha256))


def later(airing: Airing, seconds: float) -> Airing:
    shift = timedelta(seconds=seconds)
    return dataclasses.replace(
        airing,
        planned_utc=airing.planned_utc + shift,
        opens_utc=airing.opens_utc + shift,
        closes_utc=airing.closes_utc + shift,
    )


def states(engine: Engine) -> dict[str, str]:
    return {one["airing_id"]: one["state"] for one in engine.snapshot()["airings"]}


async def started(world: World) -> Engine:
    process = await world.start()
    await world.clock.advance(0.2)
    assert process.engine is not None
    return process.engine


@virtual
async def test_a_dropped_airing_is_disarmed_within_a_second(storage: Storage) -> None:
    """Its spot is heard in what was its window, and nothing fires."""
    async with world_of(storage) as world:
        world.looks_outside = True
        engine = await started(world)
        first, *others = storage.airings
        imported(world, *others)
        await world.clock.advance(WITHIN_S)
        assert first.airing_id not in states(engine)
        await world.clock.advance(4)
        world.hear()
        await world.clock.advance(1)
        assert {(record.state, record.guard) for record in world.records()} == {("DECLINED", "window")}
        check(world)


@virtual
async def test_a_moved_airing_is_disarmed_and_rearmed(storage: Storage) -> None:
    """What is heard at the old time is off plan; what is heard at the new time fires, under the name it had."""
    async with world_of(storage) as world:
        world.looks_outside = True
        await started(world)
        first, *others = storage.airings
        done = imported(world, later(first, 60), *others)
        assert [move.after.airing_id for move in done.changes.moved] == [first.airing_id]
        await world.clock.advance(5)
        world.hear()
        await world.clock.advance(1)
        assert [record for record in world.records() if record.claimed_mono_ns is not None] == []
        await world.clock.advance(59)
        world.hear()
        await world.clock.advance(20)
        assert world.states("now") == ["DECLINED", "POSTED"]
        assert world.records()[-1].occurrence_id == f"airing:{first.airing_id}"
        check(world)


@virtual
async def test_a_tweet_that_waits_for_a_dropped_airing_is_withdrawn_for_good(storage: Storage) -> None:
    """At once, by the import itself; the backup feed, which hears the same broadcast, does not fire it either."""
    async with world_of(storage) as world:
        world.looks_outside = True
        await started(world)
        await world.clock.advance(5)
        world.hear()
        await world.clock.advance(0.5)
        assert world.states("later") == ["ARMED"]
        done = imported(world, *storage.airings[1:])
        assert len(done.withdrawn) == 1
        assert world.states("later") == ["WITHDRAWN"]
        world.hear(feed_id="backup")
        await world.clock.advance(20)
        assert world.states("later") == ["WITHDRAWN"]
        (record,) = [record for record in world.records() if record.cue_id == "later"]
        assert record.reason == "its airing was taken out of the plan plan by mia"
        check(world)


@virtual
async def test_what_is_being_fired_is_left_alone_and_said_so(storage: Storage) -> None:
    """Moved or taken out, it stays under its name, and is not fired a second time."""
    async with world_of(storage) as world:
        world.looks_outside = True
        engine = await started(world)
        await world.clock.advance(5)
        world.hear()
        await world.clock.advance(1)
        assert world.states("now") == ["POSTED"]
        first, *others = storage.airings
        done = imported(world, later(first, 4), *others)
        (alone,) = done.changes.left_alone
        assert str(alone).startswith(f"{first.airing_id} is to move to 12:00:09 UTC (row 1), but it")
        await world.clock.advance(WITHIN_S)
        assert states(engine)[first.airing_id] == "fired"
        world.hear(feed_id="backup")
        await world.clock.advance(20)
        assert world.states("now") == ["POSTED"]
        check(world)


@virtual
async def test_an_alarm_of_another_process_is_shown(storage: Storage) -> None:
    """A refused file is told on the live page, once, beside the engine's own alarms."""
    async with world_of(storage) as world:
        world.looks_outside = True
        engine = await started(world)
        before = len(engine.alarms)
        world.ledger.add_alarm("warning", "plan.csv of agency was refused")
        await world.clock.advance(3 * WITHIN_S)
        assert [alarm.text for alarm in engine.alarms[: len(engine.alarms) - before]] == ["plan.csv of agency was refused"]
