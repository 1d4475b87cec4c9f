"""The on-air interlock in the whole engine: closed unless known to be open, at the claim and not before."""

import asyncio
import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from fingerprints.events import FeedState, FeedStatus
from hardware.events import ScoreKind
from hardware.markers import MarkerSourceState, MarkerSourceStatus
from hardware.tally import TallyState, TallyStatus
from sync.errors import ControlError
from sync.interlocks import InterlockSetup, TallyLimits
from sync.setup import EngineSetup
from sync.simulation.storage import Storage
from sync.simulation.world import World
from tests.scenario.sync.test_engine_scenarios import check, virtual, world_of
from tests.scenario.sync.test_marker_scenarios import by, snapshot, to


@pytest.fixture(scope="module")
def storage() -> Iterator[Storage]:
    """One ledger in memory for all worlds, set back for each."""
    storage = Storage()
    yield storage
    storage.close()


@pytest.fixture(autouse=True)
def interlocked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every world of this file has a tally that its channel must be on air by."""
    setup = World.setup
    locks = InterlockSetup(tallies={"pgm": TallyLimits(silence_ns=5_000_000_000)}, channels={"nord": "pgm"}, feeds={})

    def with_tally(self: World, process: Any) -> EngineSetup:
        return dataclasses.replace(setup(self, process), interlocks=locks, heartbeat_s=1.0)

    monkeypatch.setattr(World, "setup", with_tally)


def tell(world: World, *, on_air: bool, tally_id: str = "pgm", state: TallyState = TallyState.LIVE) -> None:
    """The tally's listener reports."""
    status = TallyStatus(
        tally_id=tally_id,
        state=state,
        on_air=on_air,
        label="PGM",
        frames=1,
        damaged=0,
        refused=0,
        seen_mono_ns=world.clock.mono_ns(),
        sent_utc=world.clock.utc(),
        detail="" if state is TallyState.LIVE else "the mixer has closed its connection",
    )
    process = world.processes[-1]
    assert process.engine is not None
    process.do(process.engine.take_tally, status)


def told(world: World, cue_id: str) -> list[tuple[str, str, str]]:
    """State, guard and reason of a cue's firings."""
    return [(one.state.value, one.guard, one.reason) for one in world.records() if one.cue_id == cue_id]


def texts_of_alarms(world: World) -> list[str]:
    return [alarm["text"] for alarm in snapshot(world)["alarms"]]


@virtual
async def test_on_air_it_fires_and_off_air_it_says_why(storage: Storage) -> None:
    """The same spot: declined while the lamp is off, fired by the other feed's report once it is on."""
    async with world_of(storage) as world:
        by(world, "sound")
        await world.start()
        await to(world, 5)
        tell(world, on_air=False)
        world.hear()
        await world.clock.advance(0.2)
        assert told(world, "now") == [("DECLINED", "on_air", "not on air: tally pgm is off")]
        tell(world, on_air=True)
        world.hear(feed_id="backup", ago_s=0.5)
        await world.clock.advance(1)
        assert world.texts("coffee") == ["one"]
        check(world)


@virtual
async def test_what_is_not_heard_of_does_not_fire(storage: Storage) -> None:
    """Nobody has ever listened; and a listener that died while the lamp was on."""
    async with world_of(storage) as world:
        by(world, "sound")
        await world.start()
        await to(world, 2)
        world.hear()
        await world.clock.advance(0.2)
        assert told(world, "now")[-1] == ("DECLINED", "on_air", "nobody listens to tally pgm")
        tell(world, on_air=True)
        await to(world, 5)
        world.hear()
        await world.clock.advance(1)
        assert told(world, "now")[-1][1:] == ("on_air", "the listener of tally pgm was last heard of 2.8 s before")
        assert world.texts("coffee") == []
        assert "the listener of tally pgm has fallen silent; cues that wait for it do not fire" in texts_of_alarms(world)


@virtual
async def test_a_marker_ahead_is_judged_when_it_is_due(storage: Storage) -> None:
    """It arms while the lamp is off, and fires if it is on at the first frame; if it is not, it does not."""
    for on_air, texts in ((True, ["one"]), (False, [])):
        async with world_of(storage) as world:
            by(world, "marker")
            await world.start()
            await to(world, 3)
            tell(world, on_air=not on_air)
            await world.mark("1/segmentation/7", ahead_s=2)
            await world.clock.advance(0.2)
            assert world.states("now") == ["ARMED"]
            await to(world, 4.9)
            tell(world, on_air=on_air)
            await world.clock.advance(2)
            assert world.texts("coffee") == texts
            check(world)


@virtual
async def test_only_its_own_cues_wait_and_the_tile_says_so(storage: Storage) -> None:
    """A goal's cue has no tally; the spot's is shown idle with the reason, and armed when the lamp is on."""
    async with world_of(storage) as world:
        by(world, "sound")
        await world.start()
        await to(world, 5)
        tell(world, on_air=False)
        shown = {cue["cue_id"]: (cue["state"], cue["detail"]) for cue in snapshot(world)["cues"]}
        assert shown["now"] == ("idle", "not on air: tally pgm is off")
        await world.goal(1)
        await world.clock.advance(1)
        assert len(world.texts("bank")) == 1
        tell(world, on_air=True)
        (cue,) = [cue for cue in snapshot(world)["cues"] if cue["cue_id"] == "now"]
        assert (cue["state"], snapshot(world)["tallies"][0]["on_air"]) == ("armed", True)


@virtual
async def test_a_goals_cue_waits_for_its_tally_and_its_correction_does_not(storage: Storage) -> None:
    """What was said on air is corrected also when it is not on air any more."""
    async with world_of(storage) as world:
        cue = dataclasses.replace(
            world.cue("goal"), on_air="pgm", taken_back="correct", corrections=("No goal for {side} after all.",)
        )
        world.store(cue)
        await world.start()
        await world.clock.advance(1)
        await world.goal(1)
        await world.clock.advance(0.5)
        assert told(world, "goal") == [("DECLINED", "on_air", "nobody listens to tally pgm")]
        tell(world, on_air=True)
        await world.goal(2)
        await world.clock.advance(1)
        tell(world, on_air=False)
        await world.score(ScoreKind.CORRECTION, 1)
        await world.clock.advance(3)
        assert world.texts("bank") == ["2:0 after 12:34", "No goal for North after all."]


@virtual
async def test_a_mixer_that_goes_is_an_alarm_once(storage: Storage) -> None:
    """Its tile says it too; an unknown tally's report is refused."""
    async with world_of(storage) as world:
        process = await world.start()
        await world.clock.advance(1)
        tell(world, on_air=True)
        for _ in range(3):
            tell(world, on_air=False, state=TallyState.WAITING)
            await world.clock.advance(1)
        sentence = "tally pgm: the mixer has closed its connection; cues that wait for it do not fire"
        assert texts_of_alarms(world).count(sentence) == 1
        assert process.engine is not None
        with pytest.raises(ControlError, match="tally other: it is not configured"):
            tell(world, on_air=True, tally_id="other")


@virtual
async def test_a_source_that_stalls_while_its_process_lives_is_an_alarm_once(storage: Storage) -> None:
    """A feed and a source of markers; one that never lived is only shown."""
    async with world_of(storage) as world:
        process = await world.start()
        engine = process.engine
        assert engine is not None

        def feed(state: FeedState) -> None:
            now_ns, now_utc = world.clock.mono_ns(), world.clock.utc()
            status = FeedStatus(
                feed_id="main", state=state, level_db=-20.0, position_s=1.0, seen_mono_ns=now_ns, sent_utc=now_utc
            )
            process.do(engine.take_feed, status)

        def markers(state: MarkerSourceState) -> None:
            status = MarkerSourceStatus(
                source_id="ts",
                state=state,
                messages=1,
                damaged=0,
                ignored=0,
                seen_mono_ns=1,
                sent_utc=world.clock.utc(),
                detail="nothing for 3 s",
            )
            process.do(engine.take_marker_source, status)

        async def a_second(feed_state: FeedState, marker_state: MarkerSourceState) -> None:
            feed(feed_state)
            markers(marker_state)
            await world.clock.advance(1)

        await a_second(FeedState.FAILED, MarkerSourceState.FAILED)
        assert texts_of_alarms(world) == []
        await a_second(FeedState.LIVE, MarkerSourceState.LIVE)
        for _ in range(3):
            await a_second(FeedState.STALLED, MarkerSourceState.STALLED)
        await a_second(FeedState.LIVE, MarkerSourceState.LIVE)
        await a_second(FeedState.STALLED, MarkerSourceState.STALLED)
        await asyncio.sleep(0)
        assert sorted(texts_of_alarms(world)) == [
            "feed main is stalled: no sound comes",
            "source of markers ts is stalled: nothing for 3 s; its markers are not heard",
        ]
