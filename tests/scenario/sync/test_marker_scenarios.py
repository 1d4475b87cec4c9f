"""Markers and second sources in the whole engine: on the first frame, once, cancelled, and only together."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest

from sync.conditions import By, GoalCondition, SpotCondition
from sync.errors import ControlError
from sync.simulation.storage import Storage
from sync.simulation.world import World
from sync.states import FiringState
from tests.scenario.sync.test_engine_scenarios import check, virtual, world_of


@pytest.fixture(scope="module")
def storage() -> Iterator[Storage]:
    """One ledger in memory for all worlds, set back for each."""
    storage = Storage()
    yield storage
    storage.close()


def by(world: World, who: By, **changes: Any) -> None:
    """Only the cue `now` is left, and waits for this teller."""
    cue = world.cue("now")
    assert isinstance(cue.on, SpotCondition)
    on = dataclasses.replace(cue.on, by=who, **changes)
    world.store(dataclasses.replace(cue, on=on, deadline_ms=4000))
    for other in ("else", "later"):
        world.ledger.hold_cue(other, actor="ops", reason="not in this story")


async def to(world: World, second: float) -> None:
    """Move to a second after the world's beginning; the airing is planned at 5 s."""
    await world.clock.advance(second - (world.clock.mono_ns() / 1e9 - 1))


def snapshot(world: World) -> dict[str, Any]:
    """What the engine shows."""
    engine = world.processes[-1].engine
    assert engine is not None
    return engine.snapshot()


@virtual
async def test_it_fires_on_the_first_frame(storage: Storage) -> None:
    """The marker comes seconds ahead and arms; the tweet leaves at the instant it names, and not before."""
    async with world_of(storage) as world:
        by(world, "marker")
        await world.start()
        await to(world, 1)
        await world.mark("1/segmentation/7", ahead_s=4.25)
        await to(world, 5.2)
        assert (world.states("now"), world.texts("coffee")) == (["ARMED"], [])
        await world.clock.advance(1)
        (record,) = [record for record in world.records() if record.cue_id == "now"]
        assert world.texts("coffee") == ["one"]
        assert record.claimed_mono_ns == record.on_air_mono_ns == 6_250_000_000
        check(world)


@virtual
async def test_repeats_and_other_markers_of_the_airing_fire_once(storage: Storage) -> None:
    """The same marker again, the break's besides the spot's, and then its sound: one occurrence."""
    async with world_of(storage) as world:
        by(world, "either")
        await world.start()
        await to(world, 3)
        await world.mark("1/segmentation/7", ahead_s=2)
        await world.mark("1/segmentation/7", ahead_s=2)
        await world.mark("1/splice/1", ahead_s=2.01, spot_ids=(), position=1)
        await to(world, 5.3)
        world.hear()
        await world.clock.advance(3)
        assert world.texts("coffee") == ["one"]
        assert [view["sound_later_ms"] for view in snapshot(world)["markers"]] == [-10.0, 0.0]
        check(world)


@virtual
async def test_approved_for_its_sound_it_does_not_fire_on_a_marker(storage: Storage) -> None:
    """Who approved a cue for what is heard did not approve markers; nor the other way round."""
    async with world_of(storage) as world:
        by(world, "sound")
        await world.start()
        await to(world, 3)
        await world.mark("1/segmentation/7", ahead_s=2)
        await world.clock.advance(4)
        assert (world.records(), world.texts("coffee")) == ((), [])
    async with world_of(storage) as world:
        by(world, "marker")
        await world.start()
        await to(world, 5)
        world.hear()
        await world.clock.advance(2)
        assert [record for record in world.records() if record.cue_id == "now"] == []


@virtual
async def test_cancelled_in_time(storage: Storage) -> None:
    """What waits is withdrawn with its reason, and nothing leaves."""
    async with world_of(storage) as world:
        by(world, "marker")
        await world.start()
        await to(world, 1)
        await world.mark("1/segmentation/7", ahead_s=4)
        await to(world, 3)
        await world.mark("1/segmentation/7", ahead_s=2, canceled=True)
        await world.clock.advance(6)
        (record,) = [record for record in world.records() if record.cue_id == "now"]
        assert (record.state, record.reason) == (FiringState.WITHDRAWN, "its marker has been cancelled")
        assert world.texts("coffee") == []
        assert [view["state"] for view in snapshot(world)["markers"]] == ["canceled"]
        check(world)


@virtual
async def test_cancelled_between_claim_and_first_byte(storage: Storage) -> None:
    """The last look before the first byte asks for a cancellation too."""
    async with world_of(storage) as world:
        by(world, "marker")
        await world.start()
        await to(world, 3)
        await world.mark("1/segmentation/7", ahead_s=2)
        await to(world, 5.1)
        assert (world.states("now"), world.texts("coffee")) == (["CLAIMED"], [])
        await world.mark("1/segmentation/7", ahead_s=0, canceled=True)
        await world.clock.advance(4)
        (record,) = [record for record in world.records() if record.cue_id == "now"]
        assert (record.state, record.reason) == (FiringState.NOT_SENT, "its marker has been cancelled")


@virtual
async def test_cancelled_and_announced_anew(storage: Storage) -> None:
    """An event that is moved fires at its new time, once."""
    async with world_of(storage) as world:
        by(world, "marker")
        await world.start()
        await to(world, 1)
        await world.mark("1/segmentation/7/100", ahead_s=4)
        await to(world, 2)
        await world.mark("1/segmentation/7/100", ahead_s=3, canceled=True)
        await world.mark("1/segmentation/7/200", ahead_s=5)
        await to(world, 6.9)
        assert world.texts("coffee") == []
        await world.clock.advance(1)
        assert world.states("now") == ["WITHDRAWN", "POSTED"]
        check(world)


@virtual
async def test_what_was_heard_cannot_be_cancelled(storage: Storage) -> None:
    """A cancellation that comes after the sound withdraws nothing."""
    async with world_of(storage) as world:
        by(world, "either")
        await world.start()
        await to(world, 4.5)
        await world.mark("1/segmentation/7", ahead_s=2)
        world.hear()
        await world.mark("1/segmentation/7", ahead_s=2, canceled=True)
        await world.clock.advance(4)
        assert world.texts("coffee") == ["one"]


@pytest.mark.parametrize(
    ("changes", "guard"),
    [({"ahead_s": 4.5}, "window"), ({"ahead_s": 2, "fresh": False}, "evidence"), ({"ahead_s": -4.5}, "deadline")],
)
@virtual
async def test_declined_with_its_reason(storage: Storage, changes: dict[str, Any], guard: str) -> None:
    """Off plan, of a source that says nothing, or too late."""
    async with world_of(storage) as world:
        by(world, "marker")
        await world.start()
        await to(world, 8 if guard != "evidence" else 3)
        await world.mark("1/segmentation/7", **changes)
        await world.clock.advance(6)
        (record,) = [record for record in world.records() if record.cue_id == "now"]
        assert (record.guard, world.texts("coffee")) == (guard, [])


@virtual
async def test_too_far_ahead_is_refused(storage: Storage) -> None:
    """A source whose clock is wrong does not arm anything for tomorrow."""
    async with world_of(storage) as world:
        by(world, "marker")
        process = await world.start()
        await to(world, 3)
        assert process.engine is not None
        recorded = json.loads(json.dumps(snapshot(world)["markers"]))
        await world.mark("1/segmentation/7", ahead_s=1000)
        assert snapshot(world)["markers"] == recorded == []
        assert world.records() == ()


class TestBoth:
    """A cue that waits for sound and marker."""

    @pytest.mark.parametrize("order", ["marker first", "sound first", "marker long before"])
    @virtual
    async def test_fires_once_they_agree(self, storage: Storage, order: str) -> None:
        """Whoever tells first, the other one lets it go; once."""
        async with world_of(storage) as world:
            by(world, "both")
            await world.start()
            await to(world, 5 if order != "marker long before" else 1)
            if order == "sound first":
                world.hear(ago_s=0.3)
                await world.clock.advance(0.5)
                assert (world.states("now"), world.texts("coffee")) == (["ARMED"], [])
                await world.mark("1/segmentation/7", ahead_s=-0.7)
            else:
                await world.mark("1/segmentation/7", ahead_s=4 if order == "marker long before" else -0.2)
                await to(world, 5.2)
                assert (world.states("now"), world.texts("coffee")) == (["ARMED"], [])
                world.hear(ago_s=0.3)
            await world.clock.advance(0.5)
            assert world.texts("coffee") == ["one"]
            await world.clock.advance(6)
            assert world.texts("coffee") == ["one"]
            check(world)

    @virtual
    async def test_marker_is_missing(self, storage: Storage) -> None:
        """The record says who told of it alone, and who is missing."""
        async with world_of(storage) as world:
            by(world, "both")
            await world.start()
            await to(world, 5)
            world.hear()
            await world.clock.advance(6)
            (record,) = [record for record in world.records() if record.cue_id == "now"]
            assert (record.state, record.guard) == (FiringState.DECLINED, "quorum")
            assert record.reason == "the marker is missing: the sound of feed main told of it alone"
            assert world.texts("coffee") == []
            check(world)

    @virtual
    async def test_sound_is_missing(self, storage: Storage) -> None:
        """A break that was marked and not aired."""
        async with world_of(storage) as world:
            by(world, "both")
            await world.start()
            await to(world, 3)
            await world.mark("1/segmentation/7", ahead_s=2)
            await world.clock.advance(6)
            (record,) = [record for record in world.records() if record.cue_id == "now"]
            assert record.reason == "the sound is missing: the marker of ts told of it alone"

    @virtual
    async def test_too_far_apart(self, storage: Storage) -> None:
        """Both told, but not of the same moment."""
        async with world_of(storage) as world:
            by(world, "both", within_ms=500)
            await world.start()
            await to(world, 3)
            await world.mark("1/segmentation/7", ahead_s=2)
            await to(world, 6)
            world.hear(ago_s=0.4)
            await world.clock.advance(6)
            (record,) = [record for record in world.records() if record.cue_id == "now"]
            assert record.reason == (
                "the sound is missing: the marker of ts told of it alone within 500 ms (its nearest was 600 ms later)"
            )
            assert world.texts("coffee") == []

    @virtual
    async def test_weak_sound_is_no_second_source(self, storage: Storage) -> None:
        """Evidence that the gate would not believe does not make a quorum either."""
        async with world_of(storage) as world:
            by(world, "both")
            await world.start()
            await to(world, 3)
            await world.mark("1/segmentation/7", ahead_s=2)
            await to(world, 5.3)
            world.hear(score=39.0)
            await world.clock.advance(6)
            assert world.texts("coffee") == []

    @virtual
    async def test_marker_of_a_silent_source_is_no_second_source(self, storage: Storage) -> None:
        """Nor does a marker whose listener has not spoken."""
        async with world_of(storage) as world:
            by(world, "both")
            await world.start()
            await to(world, 3)
            await world.mark("1/segmentation/7", ahead_s=2, fresh=False)
            await to(world, 5.3)
            world.hear()
            await world.clock.advance(6)
            assert world.texts("coffee") == []

    @virtual
    async def test_cancelled_marker_is_no_second_source(self, storage: Storage) -> None:
        """What was taken back does not count, though the sound comes."""
        async with world_of(storage) as world:
            by(world, "both")
            await world.start()
            await to(world, 3)
            await world.mark("1/segmentation/7", ahead_s=2)
            await world.mark("1/segmentation/7", ahead_s=2, canceled=True)
            await to(world, 5.3)
            world.hear()
            await world.clock.advance(6)
            assert world.texts("coffee") == []


@virtual
async def test_a_cue_whose_source_is_dead_is_not_shown_as_armed(storage: Storage) -> None:
    """The page does not look healthy while nobody could tell."""
    async with world_of(storage) as world:
        by(world, "marker")
        await world.start()
        await to(world, 4)
        (cue,) = [view for view in snapshot(world)["cues"] if view["cue_id"] == "now"]
        assert (cue["state"], cue["detail"]) == ("idle", "no source of nord's markers is live")
        await world.mark("9/splice/1", ahead_s=60, spot_ids=())
        (cue,) = [view for view in snapshot(world)["cues"] if view["cue_id"] == "now"]
        assert cue["state"] == "armed"
        await world.clock.advance(3)
        (cue,) = [view for view in snapshot(world)["cues"] if view["cue_id"] == "now"]
        assert cue["state"] == "idle"


@virtual
async def test_marker_of_a_source_that_is_not_configured(storage: Storage) -> None:
    """It is refused in a sentence."""
    async with world_of(storage) as world:
        process = await world.start()
        assert process.engine is not None
        await world.mark("1/splice/1", ahead_s=60, spot_ids=())
        marker = process.engine._markers
        marker._channels = {}
        with pytest.raises(ControlError, match="source of markers ts: it is not configured"):
            process.engine._marking._channel("ts")


class TestTwoDevices:
    """A goal cue that two devices must both tell of."""

    def wants(self, world: World) -> None:
        cue = world.cue("goal")
        assert isinstance(cue.on, GoalCondition)
        world.store(dataclasses.replace(cue, on=dataclasses.replace(cue.on, devices=("oes-1", "oes-2"))))

    @virtual
    async def test_fires_once_both_tell(self, storage: Storage) -> None:
        """In whatever order, and whoever repeats itself."""
        async with world_of(storage) as world:
            self.wants(world)
            await world.start()
            await to(world, 1)
            goal_utc = await world.goal(1, device="oes-2")
            await world.goal(1, device="oes-2", event_utc=goal_utc)
            await world.clock.advance(0.5)
            assert (world.states("goal"), world.texts("bank")) == (["ARMED"], [])
            await world.goal(1, device="oes-1")
            await world.clock.advance(0.5)
            await world.goal(1, device="oes-2")
            await world.clock.advance(5)
            assert len(world.texts("bank")) == 1
            check(world)

    @virtual
    async def test_one_alone_is_not_enough(self, storage: Storage) -> None:
        """The record says whose word was missing; a third device's does not count."""
        async with world_of(storage) as world:
            self.wants(world)
            await world.start()
            await to(world, 1)
            await world.goal(1, device="oes-1")
            await world.goal(1, device="oes-3")
            await world.clock.advance(6)
            assert world.texts("bank") == []
            assert {record.reason for record in world.records()} == {
                "device oes-2 is missing: device oes-1 told of it alone",
            }

    @virtual
    async def test_third_device_alone(self, storage: Storage) -> None:
        """It is declined, and the cue is not shown as armed while neither of the two is there."""
        async with world_of(storage) as world:
            self.wants(world)
            await world.start()
            await to(world, 1)
            await world.goal(1, device="oes-3")
            await world.clock.advance(6)
            (record,) = world.records()
            assert (record.guard, record.reason) == ("condition", "device oes-3 told of it; the cue waits for oes-1 and oes-2")
            (cue,) = [view for view in snapshot(world)["cues"] if view["cue_id"] == "goal"]
            assert (cue["state"], cue["detail"]) == ("idle", "not online: oes-1, oes-2; the cue waits for both")

    @virtual
    async def test_taken_back_before_the_second_tells(self, storage: Storage) -> None:
        """A correction withdraws what waits, and the late second report fires nothing."""
        async with world_of(storage) as world:
            self.wants(world)
            await world.start()
            await to(world, 1)
            goal_utc = await world.goal(1, device="oes-1")
            await world.clock.advance(0.5)
            await world.correct(0, device="oes-1")
            await world.goal(1, device="oes-2", event_utc=goal_utc)
            await world.clock.advance(6)
            assert world.texts("bank") == []
            assert world.states("goal")[0] == "WITHDRAWN"
