"""The whole engine on a virtual clock, one story each; `test_simulation.py` has the stories that seeds write."""

import asyncio
import contextlib
import dataclasses
import functools
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, ParamSpec

import pytest

from fingerprints.events import Detection, FeedState, FeedStatus
from hardware.events import ScoreEvent, ScoreKind
from sync.audit import AuditFiles, read_anchor
from sync.conditions import GoalCondition, When
from sync.cues import Caps
from sync.firings import ClaimResult, Firings
from sync.recording import read_recording
from sync.schema import METADATA
from sync.simulation.invariants import Invariants
from sync.simulation.plot import Plot
from sync.simulation.storage import FIRST, SECOND, Storage
from sync.simulation.world import SCENE, World
from sync.states import Action, FiringState, Mode
from sync.wire import Kill, Release, SetMode, Settle, Veto
from timebase import VirtualLoop

P = ParamSpec("P")


@pytest.fixture(scope="module")
def storage() -> Iterator[Storage]:
    """One ledger in memory for all worlds, set back for each."""
    storage = Storage()
    yield storage
    storage.close()


@contextlib.asynccontextmanager
async def world_of(storage: Storage, plot: Plot = SCENE, *, mode: Mode = Mode.LIVE) -> AsyncIterator[World]:
    world = World(storage, plot)
    if mode is not Mode.LIVE:
        world.ledger.set_mode(mode, actor="ops")
    try:
        yield world
    finally:
        await world.close()


def virtual(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test on a loop whose time is virtual."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run


def check(world: World) -> None:
    """Every guarantee holds, and nothing is under way any more."""
    Invariants(world).check_at_rest()


async def _at(world: World, second: float) -> None:
    """Move to a second after the world's beginning."""
    await world.clock.advance(second - (world.clock.mono_ns() / 1e9 - 1))


@virtual
async def test_main_and_backup_fire_once(storage: Storage) -> None:
    """Both feeds hear the same airing; it fires each cue once, the delayed one after its delay."""
    async with world_of(storage) as world:
        process = await world.start()
        await _at(world, 5)
        world.hear(feed_id="main")
        world.hear(feed_id="backup", ago_s=0.31)
        await world.clock.advance(0.7)
        assert (world.texts("coffee"), world.texts("cable")) == (["one"], [])
        assert world.states("later") == ["ARMED"]
        assert process.engine is not None
        assert process.engine.snapshot()["engine"]["timer"]["waits"] == 0
        await world.clock.advance(5)
        timer = process.engine.snapshot()["engine"]["timer"]
        assert (timer["waits"], timer["max_ms"]) == (1, 0.0), "the wait of the delayed one was measured"
        assert (world.texts("coffee"), world.texts("cable")) == (["one"], ["eins"])
        record = next(record for record in world.records() if record.cue_id == "now")
        assert list(record.steps_ms()) == ["heard", "decided", "claimed", "first_byte", "answered"]
        assert list(record.steps_ms().values()) == sorted(record.steps_ms().values())


@pytest.mark.parametrize(
    ("at_s", "heard", "guard", "state"),
    [
        (10, {}, "window", FiringState.DECLINED),
        (5, {"ago_s": 3.5}, "deadline", FiringState.EXPIRED),
        (5, {"score": 39.9}, "evidence", FiringState.DECLINED),
        (5, {"fresh": False}, "evidence", FiringState.DECLINED),
    ],
)
@virtual
async def test_declined_with_its_reason(
    storage: Storage, at_s: float, heard: dict[str, Any], guard: str, state: FiringState
) -> None:
    """Off plan, late, weak or from a listener that has gone silent: nothing is sent and the record says why."""
    async with world_of(storage) as world:
        await world.start()
        await _at(world, at_s)
        world.hear(**heard)
        await world.clock.advance(5)
        record = next(record for record in world.records() if record.cue_id == "now")
        assert (record.guard, record.state) == (guard, state)
        assert world.texts("coffee") == []


@virtual
async def test_weak_main_does_not_block_good_backup(storage: Storage) -> None:
    """A declined detection reserves nothing: the other feed may still fire the airing."""
    async with world_of(storage) as world:
        await world.start()
        await _at(world, 5)
        world.hear(feed_id="main", score=10)
        world.hear(feed_id="backup")
        await world.clock.advance(1)
        assert world.texts("coffee") == ["one"]


@virtual
async def test_goal_twice_then_corrected_then_scored_again(storage: Storage) -> None:
    """A second gateway's report fires nothing; the corrected goal is taken down once; scored again it fires again."""
    async with world_of(storage) as world:
        await world.start()
        first_utc = await world.goal(1)
        await world.goal(1, event_utc=first_utc + timedelta(milliseconds=40))
        await world.clock.advance(3)
        assert world.texts("bank") == ["Goal! North 1:0 South"]
        corrected_utc = await world.correct(0)
        await world.correct(0, event_utc=corrected_utc + timedelta(milliseconds=30))
        await world.clock.advance(3)
        assert world.texts("bank") == []
        await world.goal(1, event_utc=first_utc + timedelta(milliseconds=60))
        await world.clock.advance(3)
        assert world.texts("bank") == []
        await world.goal(1)
        await world.clock.advance(3)
        assert world.texts("bank") == ["1:0 after 12:34"]
        assert [record.occurrence_id for record in world.records() if record.state is FiringState.POSTED] == [
            "goal:final/home/1/1",
            "goal:final/home/1/1",
            "goal:final/home/1/2",
        ]
        check(world)


@virtual
async def test_goal_taken_back_while_its_answer_is_lost(storage: Storage) -> None:
    """The tweet of a goal that was taken back is found on the timeline, and then deleted."""
    async with world_of(storage) as world:
        world.x.faults = ["lost_after"]
        await world.start()
        await world.goal(1)
        await world.clock.advance(0.65)
        await world.correct(0)
        await world.clock.advance(90)
        assert world.texts("bank") == []
        assert [sent.kind for sent in world.x.sent] == ["post", "delete"]
        check(world)


@virtual
async def test_memory_of_a_match_survives_a_crash(storage: Storage) -> None:
    """A goal fired just before a kill -9 is known afterwards: its repetition fires nothing, its correction takes it down."""
    async with world_of(storage) as world:
        process = await world.start()
        utc = await world.goal(1)
        await world.clock.advance(1)
        await process.kill()
        with world.storage.database.writing() as connection:
            connection.execute(METADATA.tables["fixture_state"].delete())
        await world.start()
        await world.goal(1, event_utc=utc)
        await world.clock.advance(1)
        assert world.texts("bank") == ["Goal! North 1:0 South"]
        await world.correct(0)
        await world.clock.advance(1)
        assert world.texts("bank") == []
        check(world)


@virtual
async def test_kill_during_connect_stops_the_post(storage: Storage) -> None:
    """A kill that is acknowledged while a claimed firing connects keeps its first byte from leaving, and nothing is caught up."""
    async with world_of(storage) as world:
        process = await world.start()
        await _at(world, 5)
        world.hear()
        await world.clock.advance(0)
        engine = process.engine
        assert engine is not None
        assert world.states("now") == ["CLAIMED"]
        assert await engine.answer(Kill(op="kill", actor="ops", reason="wrong creative")) == {"killed": True}
        await world.clock.advance(1)
        await engine.answer(Release(op="release", actor="ops", reason="mended"))
        await world.clock.advance(10)
        assert world.x.sent == []
        assert (world.states("now"), world.states("later")) == (["NOT_SENT"], ["WITHDRAWN"])


@virtual
async def test_kill_outlives_a_restart(storage: Storage) -> None:
    """The switch is durable: after a restart nothing fires until a release."""
    async with world_of(storage) as world:
        process = await world.start()
        assert process.engine is not None
        await process.engine.answer(Kill(op="kill", actor="ops", reason="stop"))
        await process.kill()
        await world.start()
        await _at(world, 5)
        world.hear()
        await world.clock.advance(5)
        assert {record.guard for record in world.records()} == {"kill"}
        assert world.x.sent == []


@virtual
async def test_kill_by_another_process_counts_at_the_first_byte(storage: Storage) -> None:
    """A kill written to the ledger by the command line stops a firing that this engine has claimed already."""
    async with world_of(storage) as world:
        await world.start()
        await _at(world, 5)
        world.hear()
        await world.clock.advance(0)
        world.ledger.kill(actor="cli", reason="from outside")
        await world.clock.advance(1)
        assert world.x.sent == []
        assert world.states("now") == ["NOT_SENT"]


@pytest.mark.parametrize(("mode", "state"), [(Mode.OFF, "DECLINED"), (Mode.REHEARSAL, "POSTED")])
@virtual
async def test_only_live_reaches_x(storage: Storage, mode: Mode, state: str) -> None:
    """OFF claims nothing, a rehearsal ends before X, and neither keeps LIVE from firing the same airing."""
    async with world_of(storage, mode=mode) as world:
        process = await world.start()
        await _at(world, 5)
        world.hear()
        await world.clock.advance(1)
        assert world.states("now") == [state]
        assert world.x.sent == []
        assert process.engine is not None
        await process.engine.answer(SetMode(op="mode", mode="LIVE", actor="ops"))
        world.hear(ago_s=1.3)
        await world.clock.advance(1)
        assert world.texts("coffee") == ["one"]


@virtual
async def test_paused_engine_that_resumes_is_fenced(storage: Storage) -> None:
    """SIGSTOP between claim and first byte, a new engine, SIGCONT: the old one sends nothing more and stops."""
    async with world_of(storage) as world:
        old = await world.start()
        await _at(world, 14)
        world.hear("kaffee-20")
        await world.clock.advance(0)
        old.running.clear()
        await world.clock.advance(0.5)
        await world.start()
        old.running.set()
        world.hear("kaffee-20")
        await world.clock.advance(100)
        assert world.x.sent == []
        assert world.states("now") == ["NOT_SEEN"]
        world.hear("kaffee-20")
        await world.clock.advance(1)
        assert old.ended_with is not None
        check(world)


@virtual
async def test_full_disk_means_no_post_and_an_alarm(storage: Storage) -> None:
    """Without a durable claim nothing leaves; a person is told; when there is room again nothing is caught up."""
    async with world_of(storage) as world:
        process = await world.start()
        await _at(world, 5)
        world.ledger_broken = True
        world.hear()
        await world.clock.advance(1)
        world.ledger_broken = False
        await world.clock.advance(5)
        assert process.engine is not None
        alarms = process.engine.snapshot()["alarms"]
        assert any("disk is full" in alarm["text"] for alarm in alarms)
        assert (world.x.sent, world.records()) == ([], ())


@virtual
async def test_armed_firing_that_could_not_be_claimed_expires(storage: Storage) -> None:
    """When the disk is full at the moment it comes due, it says so once there is room; it does not wait for ever."""
    async with world_of(storage) as world:
        await world.start()
        await _at(world, 5)
        world.hear()
        await world.clock.advance(0.5)
        assert world.states("later") == ["ARMED"]
        world.ledger_broken = True
        await world.clock.advance(4)
        world.ledger_broken = False
        await world.clock.advance(5)
        assert world.states("later") == ["EXPIRED"]
        assert world.texts("cable") == []
        check(world)


@virtual
async def test_outcome_is_written_when_the_disk_has_room_again(storage: Storage) -> None:
    """An answer that could not be recorded at once is recorded later, and nothing is sent twice."""
    async with world_of(storage) as world:
        await world.start()
        await _at(world, 14)
        world.hear("kaffee-20")
        await world.clock.advance(0)
        world.ledger_broken = True
        await world.clock.advance(3)
        world.ledger_broken = False
        await world.clock.advance(10)
        assert world.states("now") == ["POSTED"]
        assert len(world.x.sent) == 1


@virtual
async def test_not_sent_is_tried_again_until_the_deadline(storage: Storage) -> None:
    """A connection refused before the first byte proves that nothing left: the same claim is tried again."""
    async with world_of(storage) as world:
        world.x.faults = ["no_route", "no_route"]
        await world.start()
        await _at(world, 14)
        world.hear("kaffee-20")
        await world.clock.advance(2)
        assert (world.states("now"), len(world.x.sent)) == (["POSTED"], 1)


@virtual
async def test_late_application_is_found_after_not_seen(storage: Storage) -> None:
    """A server that applies a request two minutes late turns NOT_SEEN into POSTED, without a second request."""
    async with world_of(storage) as world:
        world.x.faults = ["late"]
        await world.start()
        await _at(world, 14)
        world.hear("kaffee-20")
        await world.clock.advance(90)
        assert world.states("now") == ["NOT_SEEN"]
        await world.clock.advance(3600)
        assert (world.states("now"), len(world.x.sent)) == (["POSTED"], 1)
        check(world)


@virtual
async def test_person_settles_an_unknown(storage: Storage) -> None:
    """While the timeline cannot be read, a person may say what became of it; the search then ends."""
    async with world_of(storage) as world:
        world.x.faults, world.x.readable = ["lost_before"], False
        process = await world.start()
        await _at(world, 14)
        world.hear("kaffee-20")
        await world.clock.advance(30)
        assert world.states("now") == ["UNKNOWN"]
        assert process.engine is not None
        (record,) = world.records()
        settle = Settle(op="settle", firing_id=record.firing_id, state="NOT_SEEN", actor="ops", reason="looked")
        assert (await process.engine.answer(settle))["state"] == "NOT_SEEN"
        world.x.readable = True
        await world.clock.advance(7200)
        assert [record.settled_by for record in world.records()] == ["ops"]


@virtual
async def test_cap_disarms_the_cue(storage: Storage) -> None:
    """A cap that trips declines, holds the cue and raises an alarm; nothing queues behind it."""
    async with world_of(storage) as world:
        ledger = world.ledger
        capped = tuple(
            dataclasses.replace(one.cue, caps=Caps(per_minute=1, per_hour=10, per_day=10))
            for one in ledger.cues()
            if one.cue.cue_id == "goal"
        )
        ledger.import_cues(capped, actor="sponsor")
        ledger.approve_cue("goal", approved_by="approver")
        await world.start()
        for points in (1, 2, 3):
            await world.goal(points)
            await world.clock.advance(2)
        await world.clock.advance(120)
        await world.goal(4)
        await world.clock.advance(2)
        assert world.states("goal") == ["POSTED", "DECLINED", "DECLINED", "DECLINED"]
        assert [record.guard for record in world.records()] == ["", "caps", "caps", "hold"]


@virtual
async def test_engine_stopped_by_its_user_finishes_what_it_began(storage: Storage) -> None:
    """Cancelling the engine between claim and answer lets the answer be recorded."""
    async with world_of(storage) as world:
        process = await world.start()
        await _at(world, 14)
        world.hear("kaffee-20")
        await world.clock.advance(0)
        process.task.cancel()
        await world.clock.advance(2)
        assert process.task.done()
        assert world.states("now") == ["POSTED"]


@virtual
async def test_snapshot_shows_every_part(storage: Storage) -> None:
    """The snapshot has the parts and words of docs/engine-socket.md."""
    async with world_of(storage) as world:
        process = await world.start()
        await _at(world, 5)
        world.hear()
        await world.goal(1)
        await world.clock.advance(1)
        assert process.engine is not None
        shown = process.engine.snapshot()
        of_sources = {"feeds", "detections", "devices", "marker_sources", "markers", "tallies"}
        assert set(shown) == {"engine", "cues", "airings", "firings", "accounts", "alarms"} | of_sources
        assert {cue["cue_id"]: cue["state"] for cue in shown["cues"]} == dict.fromkeys(("else", "goal", "later", "now"), "idle")
        assert [airing["state"] for airing in shown["airings"]] == ["fired", "planned", "planned", "planned"]
        assert {feed["feed_id"]: feed["last_spot"] for feed in shown["feeds"]} == {"main": "kaffee-30", "backup": ""}
        assert {firing["state"] for firing in shown["firings"]} == {"POSTED", "ARMED", "DECLINED"}
        assert json.loads(json.dumps(shown)) == shown


@virtual
async def test_a_spent_cue_is_over_after_its_last_window(storage: Storage) -> None:
    """While an airing may come somebody should add a text; after it nobody needs to look. A goal may always come."""
    async with world_of(storage) as world:
        world.store(
            dataclasses.replace(world.cue("now"), variants=("one",)),
            dataclasses.replace(world.cue("goal"), variants=("Goal!",)),
        )
        process = await world.start()
        assert process.engine is not None

        def states() -> dict[str, str]:
            assert process.engine is not None
            return {cue["cue_id"]: cue["state"] for cue in process.engine.snapshot()["cues"]}

        await _at(world, 5)
        world.hear()
        await world.goal(1)
        await _at(world, 8)
        assert (states()["now"], states()["goal"]) == ("spent", "spent")
        await _at(world, 36)
        assert states()["now"] == "spent", "the last window closes at 36 s"
        await _at(world, 36.1)
        assert (states()["now"], states()["goal"], states()["later"]) == ("over", "spent", "idle")


@virtual
async def test_a_feed_that_loses_sound_is_shown_and_an_alarm_once(storage: Storage) -> None:
    """Its listener cannot keep up: the count goes on in the status, the alarm is told once."""
    async with world_of(storage) as world:
        process = await world.start()
        assert process.engine is not None
        for dropped in (0, 3, 9):
            process.engine.take_feed(
                FeedStatus(
                    feed_id="main", state=FeedState.LIVE, level_db=-20.0, position_s=1.0, seen_mono_ns=1,
                    sent_utc=world.clock.utc(), delay_ms=2.5, dropped_blocks=dropped, gaps=1,
                )
            )  # fmt: skip
            await world.clock.advance(0.2)
        shown = process.engine.snapshot()
        feed = next(feed for feed in shown["feeds"] if feed["feed_id"] == "main")
        assert (feed["delay_ms"], feed["dropped_blocks"], feed["gaps"]) == (2.5, 9, 1)
        assert [alarm["level"] for alarm in shown["alarms"] if "feed main loses sound" in alarm["text"]] == ["critical"]


@virtual
async def test_an_engine_anchors_the_audit_record(storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It notes the newest record outside the ledger; one that finds less than was noted alarms once and notes nothing."""
    files = AuditFiles.beside(tmp_path / "ledger.db")
    monkeypatch.setattr(storage.chain, "_files", files)
    monkeypatch.setattr(storage.chain, "_anchored", None)
    async with world_of(storage) as world:
        first = await world.start()
        seen = read_anchor(files.anchor_file)
        assert seen is not None
        assert seen.number == world.rows("SELECT max(number) FROM audit")[0][0]
        await first.kill()
        with storage.database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM audit WHERE number > 2")
        second = await world.start()
        assert second.engine is not None
        await second.engine.heartbeat.anchor()
        alarms = [one["text"] for one in second.engine.snapshot()["alarms"] if one["text"].startswith("audit: record")]
        assert len(alarms) == 1
        assert read_anchor(files.anchor_file) == seen


@virtual
async def test_an_engine_records_what_it_takes(storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Detections, with how fresh their listener was, and goals; what has just come is written before it ends."""
    path, setup = tmp_path / "evening.jsonl", World.setup
    monkeypatch.setattr(World, "setup", lambda self, process: dataclasses.replace(setup(self, process), record=path))
    async with world_of(storage) as world:
        process = await world.start()
        await world.clock.advance(5)
        world.hear()
        await world.clock.advance(1.5)
        await world.goal(1)
        process.task.cancel()
        await asyncio.wait({process.task})
    heard, scored = read_recording(path)
    assert isinstance(heard.event, Detection)
    assert (heard.event.spot_id, heard.status_age_ns) == ("kaffee-30", 0)
    assert isinstance(scored.event, ScoreEvent)
    assert (scored.event.kind, scored.mono_ns - scored.event.event_mono_ns) == (ScoreKind.GOAL, 50_000_000)


# --- what a cue asks for ------------------------------------------------------------------------


@virtual
async def test_correction_is_posted_once(storage: Storage) -> None:
    """The tweet stays, its correction follows it, whoever reports the correction and however often; scored anew it fires anew."""
    async with world_of(storage, Plot(corrects=True)) as world:
        await world.start()
        await world.goal(1)
        await world.clock.advance(2)
        corrected_utc = await world.correct(0)
        await world.correct(0, event_utc=corrected_utc + timedelta(milliseconds=30))
        await world.clock.advance(2)
        assert world.texts("bank") == ["Goal! North 1:0 South", "No goal for North after all."]
        await world.goal(1)
        await world.clock.advance(2)
        assert world.texts("bank")[2:] == ["1:0 after 12:34"]
        assert [record.action for record in world.records()] == [Action.POST, Action.CORRECT, Action.POST]
        check(world)


@virtual
async def test_a_correction_that_was_declined_is_not_declined_again(storage: Storage) -> None:
    """One record and one alarm, however many engines find the goal taken back (found by a seed)."""
    async with world_of(storage, Plot(corrects=True)) as world:
        first = await world.start()
        await world.goal(1)
        await world.clock.advance(2)
        world.ledger.set_mode(Mode.OFF, actor="ops")
        await world.correct(0)
        await world.clock.advance(2)
        for _ in range(2):
            await first.kill()
            first = await world.start()
            await world.clock.advance(2)
        assert [(record.action, record.state) for record in world.records()] == [
            (Action.POST, FiringState.POSTED),
            (Action.CORRECT, FiringState.DECLINED),
        ]
        told = [alarm for alarm in world.ledger.alarms(limit=50) if "stands uncorrected" in alarm.text]
        assert len(told) == 1


@virtual
async def test_a_standby_that_could_not_read_does_not_take_over(storage: Storage) -> None:
    """A ledger that is out of order for a while keeps the one from beating and the other from looking; then both go on."""
    async with world_of(storage) as world:
        world.heartbeat_s = 1.0
        first = await world.start(FIRST)
        second = await world.start(SECOND)
        await world.clock.advance(2.5)
        world.ledger_broken = True
        await world.clock.advance(4)
        world.ledger_broken = False
        await world.clock.advance(5)
        assert (first.listening is not None, second.listening, world.newest_epoch()) == (True, None, 1)
        first.pause()
        await world.clock.advance(3)
        assert second.listening is not None
        first.resume()
        world.hear()
        await world.clock.advance(10)
        assert first.ended_with is not None
        check(world)


@virtual
async def test_a_veto_holds_in_every_mode(storage: Storage) -> None:
    """One that waits in a rehearsal is stopped after the mode has become LIVE: no later report fires it (found by a seed)."""
    async with world_of(storage, mode=Mode.REHEARSAL) as world:
        process = await world.start()
        await _at(world, 5)
        world.hear(feed_id="main")
        await world.clock.advance(0.5)
        (waiting,) = [record for record in world.records() if record.state is FiringState.ARMED]
        await process.ask(SetMode(op="mode", mode="LIVE", actor="ops"))
        await process.ask(Veto(op="veto", firing_id=waiting.firing_id, actor="ops", reason="wrong spot"))
        world.hear(feed_id="backup", ago_s=0.8)
        await world.clock.advance(10)
        assert world.texts("cable") == []
        assert world.texts("coffee") == ["one"]
        check(world)


@virtual
async def test_correction_follows_a_tweet_whose_answer_was_lost(storage: Storage) -> None:
    """What is found on the timeline after the goal was taken back is corrected then, also when the engine died in between."""
    async with world_of(storage, Plot(corrects=True)) as world:
        world.x.faults, world.x.readable = ["lost_after"], False
        process = await world.start()
        await world.goal(1)
        await world.clock.advance(0.65)
        await world.correct(0)
        await process.kill()
        world.x.readable = True
        await world.start()
        await world.clock.advance(90)
        assert world.texts("bank") == ["Goal! North 1:0 South", "No goal for North after all."]
        check(world)


@virtual
async def test_kill_keeps_a_correction_and_says_so(storage: Storage) -> None:
    """After a kill nothing leaves, corrections neither; a person is told that the tweet stands."""
    async with world_of(storage, Plot(corrects=True)) as world:
        process = await world.start()
        await world.goal(1)
        await world.clock.advance(2)
        assert process.engine is not None
        await process.engine.answer(Kill(op="kill", actor="ops", reason="stop"))
        await world.correct(0)
        await world.clock.advance(2)
        await process.engine.answer(Release(op="release", actor="ops", reason="go"))
        await world.clock.advance(2)
        assert world.texts("bank") == ["Goal! North 1:0 South"]
        alarms = [alarm["text"] for alarm in process.engine.snapshot()["alarms"]]
        assert any("stands uncorrected: DECLINED (killed: stop)" in text for text in alarms)
        await process.kill()
        await world.start()
        await world.clock.advance(5)
        assert world.texts("bank") == ["Goal! North 1:0 South"]


@virtual
async def test_other_bytes_than_were_claimed_do_not_leave(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever changes the request between the claim and its first byte, the last look sees it."""
    claim = Firings._claim_one

    def tampered(firings: Firings, *args: Any) -> ClaimResult:
        result = claim(firings, *args)
        assert result.record is not None
        return dataclasses.replace(result, record=dataclasses.replace(result.record, body='{"text":"buy something else"}'))

    monkeypatch.setattr(Firings, "_claim_one", tampered)
    async with world_of(storage) as world:
        await world.start()
        await world.goal(1)
        await world.clock.advance(2)
        assert world.x.sent == []
        (record,) = world.records()
        assert record.state is FiringState.NOT_SENT
        assert "not those that were claimed" in record.reason


@virtual
async def test_the_special_cue_goes_first_and_the_usual_one_fires_otherwise(storage: Storage) -> None:
    """The opening goal fires the cue of the higher priority; the second one fails its condition, and the usual cue fires."""
    async with world_of(storage) as world:
        usual = world.cue("goal")
        assert isinstance(usual.on, GoalCondition)
        opening = dataclasses.replace(usual.on, score_states=("opening",))
        special = dataclasses.replace(
            usual, cue_id="z-special", priority=5, on=opening, variants=("First goal: {home_score}:{away_score}",)
        )
        world.store(special)
        world.truth.priorities[special.cue_id] = special.priority
        await world.start()
        await world.goal(1)
        await world.clock.advance(2)
        await world.goal(2)
        await world.clock.advance(2)
        assert world.texts("bank") == ["First goal: 1:0", "2:0 after 12:34"]
        assert {(record.cue_id, record.guard) for record in world.records()} == {
            ("z-special", ""),
            ("goal", "priority"),
            ("z-special", "condition"),
            ("goal", ""),
        }
        check(world)


@virtual
async def test_a_goal_must_stand_before_it_fires(storage: Storage) -> None:
    """Taken back within the confirmation it is withdrawn and nothing is posted; one that stands fires after it."""
    async with world_of(storage) as world:
        world.store(dataclasses.replace(world.cue("goal"), confirm_ms=10_000, deadline_ms=20_000))
        await world.start()
        await world.goal(1)
        await world.clock.advance(8)
        assert world.states("goal") == ["ARMED"]
        await world.correct(0)
        await world.clock.advance(20)
        assert (world.states("goal"), world.x.sent) == (["WITHDRAWN"], [])
        await world.goal(1)
        await world.clock.advance(9.5)
        assert world.texts("bank") == []
        await world.clock.advance(1)
        assert world.texts("bank") == ["1:0 after 12:34"]
        check(world)


@virtual
async def test_a_goal_must_stand_until_play_goes_on(storage: Storage) -> None:
    """A restart before the goal does not count; one after it fires; without one the firing expires, and nothing is posted."""
    async with world_of(storage) as world:
        world.store(dataclasses.replace(world.cue("goal"), confirm_restart=True, deadline_ms=60_000))
        await world.start()
        early_utc = world.clock.utc()
        await world.clock.advance(1)
        await world.goal(1)
        await world.score(ScoreKind.RESTART, 1, event_utc=early_utc)
        await world.clock.advance(20)
        assert (world.states("goal"), world.x.sent) == (["ARMED"], [])
        await world.score(ScoreKind.RESTART, 1)
        await world.clock.advance(2)
        assert world.texts("bank") == ["Goal! North 1:0 South"]
        await world.goal(2)
        await world.clock.advance(30)
        await world.correct(1)
        await world.score(ScoreKind.RESTART, 1)
        await world.clock.advance(2)
        await world.goal(2)
        await world.clock.advance(61)
        assert world.states("goal") == ["POSTED", "WITHDRAWN", "EXPIRED"]
        assert len(world.x.sent) == 1
        check(world)


@virtual
async def test_every_cue_that_a_cap_holds_is_shown_as_held(storage: Storage) -> None:
    """The page does not call a cue armed that a cap has just disarmed."""
    async with world_of(storage) as world:
        sibling = dataclasses.replace(world.cue("now"), cue_id="sibling", account_id="bank", campaign="c")
        capped = dataclasses.replace(world.cue("goal"), campaign="c", caps=Caps(per_minute=1, per_hour=10, per_day=10))
        world.store(sibling, capped)
        process = await world.start()
        for points in (1, 2):
            await world.goal(points)
            await world.clock.advance(1)
        assert process.engine is not None
        shown = {cue["cue_id"]: cue["state"] for cue in process.engine.snapshot()["cues"]}
        assert shown["goal"] == "held"
        assert shown["sibling"] != "held"


@virtual
async def test_an_approval_that_expires_during_the_audience_delay_counts(storage: Storage) -> None:
    """Armed while it was approved, claimed when it is not any more: declined."""
    async with world_of(storage) as world:
        world.ledger.approve_cue("later", approved_by="approver", valid_for=timedelta(seconds=6))
        process = await world.start()
        await _at(world, 5)
        world.hear()
        await world.clock.advance(0.2)
        assert world.states("later") == ["ARMED"]
        await world.clock.advance(5)
        assert world.states("later") == ["DECLINED"]
        assert world.texts("cable") == []
        assert process.engine is not None
        shown = next(cue for cue in process.engine.snapshot()["cues"] if cue["cue_id"] == "later")
        assert (shown["state"], shown["detail"][:24]) == ("unapproved", "its approval expired at ")
        assert [record.guard for record in world.records() if record.cue_id == "later"] == ["approval"]


@virtual
async def test_a_cue_outside_its_hours_is_not_shown_as_armed(storage: Storage) -> None:
    """Its window is open and it would decline: the page says idle, and why."""
    async with world_of(storage) as world:
        evening = dataclasses.replace(world.cue("now"), when=When(dayparts=("18:00-23:00",)))
        world.store(evening)
        process = await world.start()
        await _at(world, 5)
        assert process.engine is not None
        shown = {cue["cue_id"]: (cue["state"], cue["detail"]) for cue in process.engine.snapshot()["cues"]}
        assert shown["now"] == ("idle", "it is 12:00 in UTC; the cue counts 18:00-23:00")
        assert shown["later"][0] == "armed"
        world.hear()
        await world.clock.advance(1)
        assert [record.guard for record in world.records() if record.cue_id == "now"] == ["condition"]
        assert world.texts("coffee") == ["uno"], "the cue of the next priority, which has no hours, fires instead"
