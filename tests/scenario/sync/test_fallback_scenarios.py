"""Airings that nobody hears, in the whole engine: fired as planned where that was approved, held elsewhere, told of."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from fingerprints.events import FeedState, FeedStatus
from sync.conditions import SpotCondition
from sync.receipts import FiringRecord
from sync.simulation.storage import Storage
from sync.simulation.world import World
from sync.states import FiringState
from tests.scenario.sync.test_engine_scenarios import virtual, world_of

FEEDS = ("main", "backup")
THIRD_S = 23
"""When the third airing is planned; its window is four seconds long on both sides."""


@pytest.fixture(scope="module")
def storage() -> Iterator[Storage]:
    """One ledger in memory for all worlds, set back for each."""
    storage = Storage()
    yield storage
    storage.close()


def ask(world: World, **policy: Any) -> None:
    """Only the cue `now` is left, with this policy."""
    cue = world.cue("now")
    assert isinstance(cue.on, SpotCondition)
    world.store(dataclasses.replace(cue, on=dataclasses.replace(cue.on, **policy)))
    for other in ("else", "later"):
        world.ledger.hold_cue(other, actor="ops", reason="not in this story")


async def until(world: World, second: float, **states: FeedState | None) -> None:
    """Move to a second after the beginning; meanwhile each feed's listener says its state, or nothing."""
    while (world.clock.mono_ns() / 1e9 - 1) < second - 1e-6:
        for engine in world.engines():
            for feed_id, state in states.items():
                if state is not None:
                    engine.take_feed(status(world, feed_id, state))
        await world.clock.advance(0.5)


def status(world: World, feed_id: str, state: FeedState) -> FeedStatus:
    now_ns, now_utc = world.clock.mono_ns(), world.clock.utc()
    return FeedStatus(feed_id=feed_id, state=state, level_db=-120.0, position_s=0.0, seen_mono_ns=now_ns, sent_utc=now_utc)


def records(world: World) -> list[FiringRecord]:
    return [record for record in world.records() if record.cue_id == "now"]


def third(world: World) -> list[FiringRecord]:
    return [record for record in records(world) if record.occurrence_id.endswith("/3")]


def alarms(world: World, word: str) -> list[str]:
    (engine,) = world.engines()
    return [alarm.text for alarm in engine.alarms if word in alarm.text]


@virtual
async def test_it_fires_as_planned_while_every_feed_is_down(storage: Storage) -> None:
    """At the planned instant, once; a person is told that nobody heard it."""
    async with world_of(storage) as world:
        ask(world, feed_down="fire_as_planned")
        await world.start()
        await until(world, THIRD_S - 1, main=FeedState.FAILED, backup=FeedState.STALLED)
        assert third(world) == []
        await until(world, THIRD_S + 3, main=FeedState.FAILED, backup=FeedState.STALLED)

        (record,) = third(world)
        assert record.state is FiringState.POSTED
        assert (record.claimed_mono_ns or 0) - (record.on_air_mono_ns or 0) <= 500_000_000
        (told,) = [text for text in alarms(world, "is taken to begin as planned") if "12:00:23" in text]
        assert "feed main is failed" in told


@virtual
async def test_the_spot_that_is_heard_after_all_does_not_fire_again(storage: Storage) -> None:
    """The feed comes back in time to hear it late: the airing has its tweet."""
    async with world_of(storage) as world:
        ask(world, feed_down="fire_as_planned")
        await world.start()
        await until(world, THIRD_S + 1, main=FeedState.FAILED, backup=FeedState.FAILED)
        posted = len(world.texts("coffee"))
        world.hear()
        await world.clock.advance(2)

        assert len(world.texts("coffee")) == posted


@pytest.mark.parametrize(
    ("main", "backup"),
    [
        (FeedState.FAILED, FeedState.LIVE),
        (FeedState.SILENT, FeedState.FAILED),
        (FeedState.CONNECTING, FeedState.CONNECTING),
        (FeedState.LIVE, FeedState.LIVE),
    ],
)
@virtual
async def test_nothing_fires_while_a_feed_may_hear_it(storage: Storage, main: FeedState, backup: FeedState) -> None:
    """One feed of the channel is enough."""
    async with world_of(storage) as world:
        ask(world, feed_down="fire_as_planned")
        await world.start()
        await until(world, THIRD_S + 5, main=main, backup=backup)

        assert (records(world), world.texts("coffee")) == ([], [])


@virtual
async def test_a_listener_that_says_nothing_proves_nothing(storage: Storage) -> None:
    """One feed is known to be down; of the other nothing is heard: declined, with its reason, and told."""
    async with world_of(storage) as world:
        ask(world, feed_down="fire_as_planned")
        await world.start()
        await until(world, THIRD_S + 3, main=FeedState.FAILED, backup=None)

        assert [(record.state, record.guard) for record in third(world)] == [(FiringState.DECLINED, "evidence")]
        assert world.texts("coffee") == []
        assert alarms(world, "is not taken to begin as planned")


@virtual
async def test_the_author_did_not_allow_it(storage: Storage) -> None:
    """Fire only when heard is what a cue does by itself."""
    async with world_of(storage) as world:
        ask(world)
        await world.start()
        await until(world, THIRD_S + 5, main=FeedState.FAILED, backup=FeedState.FAILED)

        assert (records(world), world.texts("coffee")) == ([], [])


@virtual
async def test_whoever_only_wants_to_be_told_is_told_of_nothing_else(storage: Storage) -> None:
    """No word of an airing as planned where none may fire so."""
    async with world_of(storage) as world:
        ask(world, alert_unheard_s=1)
        await world.start()
        await until(world, THIRD_S + 6, main=FeedState.FAILED, backup=FeedState.FAILED)

        assert alarms(world, "as planned") == []
        assert alarms(world, "was not heard")


@virtual
async def test_a_feed_that_fails_too_late_fires_nothing(storage: Storage) -> None:
    """Known to be down only after the deadline: no record, and no word of it."""
    async with world_of(storage) as world:
        ask(world, feed_down="fire_as_planned")
        await world.start()
        await until(world, THIRD_S - 0.5, main=FeedState.LIVE, backup=FeedState.LIVE)
        await until(world, THIRD_S + 8, main=FeedState.FAILED, backup=FeedState.FAILED)

        assert (third(world), alarms(world, "as planned, at 12:00:23")) == ([], [])


@virtual
async def test_the_policy_needs_its_approval(storage: Storage) -> None:
    """Who approved the cue as it was did not approve that it fires unheard."""
    async with world_of(storage) as world:
        cue = world.cue("now")
        assert isinstance(cue.on, SpotCondition)
        changed = dataclasses.replace(cue, on=dataclasses.replace(cue.on, feed_down="fire_as_planned"))
        world.ledger.import_cues([changed], actor="sponsor")
        await world.start()
        await until(world, THIRD_S + 3, main=FeedState.FAILED, backup=FeedState.FAILED)

        assert {record.guard for record in records(world)} == {"approval"}
        assert world.texts("coffee") == []


@virtual
async def test_heard_too_far_from_its_plan(storage: Storage) -> None:
    """Inside its window, and still not what the author wanted."""
    async with world_of(storage) as world:
        ask(world, near_plan_s=1)
        await world.start()
        await until(world, 8)
        world.hear()
        await world.clock.advance(2)
        (record,) = records(world)
        assert (record.state, record.guard) == (FiringState.DECLINED, "condition")
        assert "after its planned instant; the cue asks for 1 s at most" in record.reason


@virtual
async def test_a_person_is_told_of_what_was_not_heard(storage: Storage) -> None:
    """So long after the window as the cue says, once, and with what the feeds say; not of what was heard."""
    async with world_of(storage) as world:
        ask(world, alert_unheard_s=3)
        await world.start()
        await until(world, 5, main=FeedState.LIVE)
        world.hear()
        await until(world, THIRD_S + 6, main=FeedState.LIVE)
        assert len(alarms(world, "was not heard")) == 1, "the second one's window closed at 18 s, the third one's at 27 s"
        await until(world, THIRD_S + 8, main=FeedState.LIVE)

        told, before = alarms(world, "was not heard")
        assert "planned for 2027-03-01 12:00:23 UTC" in told
        assert "feed main is live, nothing is heard of feed backup's listener" in told
        assert "planned for 2027-03-01 12:00:14 UTC" in before


@virtual
async def test_an_alarm_that_was_told_is_not_told_again(storage: Storage) -> None:
    """The next engine finds it in the ledger."""
    async with world_of(storage) as world:
        ask(world, alert_unheard_s=0)
        process = await world.start()
        await until(world, 12, main=FeedState.LIVE)
        assert len(alarms(world, "was not heard")) == 1
        await process.kill()
        await world.start()
        await until(world, 14, main=FeedState.LIVE)

        assert len(alarms(world, "was not heard")) == 1
