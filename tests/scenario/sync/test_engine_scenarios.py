"""The whole engine on a virtual clock, against an X that behaves as badly as X may: it never removes a duplicate.

A `World` holds what outlives a process: the clock, the ledger's file, X. A `Process` is one engine that can be killed
(nothing it does has any effect any more, as after kill -9), paused and resumed. `test_seed` lets a seeded generator
write the story; the named scenarios below tell one story each.
"""

import asyncio
import contextlib
import dataclasses
import itertools
import json
import os
import random
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import pytest

from fingerprints.events import Detection, FeedState, FeedStatus
from hardware.events import ScoreEvent, ScoreKind, Side
from schedules.airing import Airing
from sync.audit import AuditChain
from sync.control import ControlServer
from sync.cues import Caps, parse_cues
from sync.database import Database
from sync.engine import Engine
from sync.errors import FencedError, LedgerError
from sync.firings import Firings
from sync.ledger import Ledger
from sync.posting import AccountHealth, Certainty, Limits, Outcome, Shot, TimelineTweet, Withhold
from sync.receipts import FiringRecord
from sync.schema import METADATA
from sync.setup import AccountSetup, EngineSetup, FixtureSetup
from sync.states import SETTLED, Action, FiringState, Mode
from sync.timeline import TWITTER_EPOCH_MS
from sync.wire import Kill, Release, SetMode, Settle
from timebase import VirtualClock

P = ParamSpec("P")
T = TypeVar("T")

SEEDS = int(os.environ.get("CUEBIRD_SEEDS", "80"))
CUES = b"""
[[cue]]
id = "now"
name = "Coffee on air"
author = "sponsor"
account = "coffee"
deadline_ms = 3000
variants = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
caps = { per_minute = 60, per_hour = 600, per_day = 2400 }
[cue.on]
kind = "spot"
spots = ["kaffee-30", "kaffee-20"]
channel = "nord"

[[cue]]
id = "later"
name = "Coffee for cable viewers"
author = "sponsor"
account = "cable"
deadline_ms = 6000
audience_delay_ms = 2500
variants = ["eins", "zwei", "drei", "vier", "f\xc3\xbcnf", "sechs", "sieben", "acht"]
caps = { per_minute = 60, per_hour = 600, per_day = 2400 }
[cue.on]
kind = "spot"
spots = ["kaffee-30"]
channel = "nord"

[[cue]]
id = "goal"
name = "Goal"
author = "sponsor"
account = "bank"
deadline_ms = 4000
taken_back = "delete"
variants = [
  "Goal! {home} {home_score}:{away_score} {away}",
  "{home_score}:{away_score} after {clock}",
  "{home_score}:{away_score}, {home}!",
]
caps = { per_minute = 60, per_hour = 600, per_day = 2400 }
[cue.on]
kind = "goal"
fixture = "final"
side = "any"
"""


# --- the world ----------------------------------------------------------------------------------


@dataclass(slots=True)
class Sent:
    """A request whose first byte has left: it may have been accepted."""

    kind: str
    firing_id: int
    account_id: str
    text: str
    tweet_id: str
    at_mono_ns: int
    at_utc: datetime
    deadline_mono_ns: int


@dataclass(slots=True)
class X:
    """The service. It outlives engines, applies what it is told, and never removes a duplicate."""

    clock: VirtualClock
    rng: random.Random
    faults: list[str] = field(default_factory=list)
    tweets: dict[str, list[TimelineTweet]] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    readable: bool = True

    def utc(self) -> datetime:
        """X keeps its own time: our wall clock may step, X's does not."""
        return datetime(2027, 3, 1, 11, 59, 59, tzinfo=UTC) + timedelta(microseconds=self.clock.mono_ns() / 1000)

    def next_fault(self) -> str:
        return self.faults.pop(0) if self.faults else "none"

    def apply_post(self, account_id: str, text: str) -> str:
        millis = int(self.utc().timestamp() * 1000) - TWITTER_EPOCH_MS
        tweet_id = str((millis << 22) + next(self.numbers))
        self.tweets.setdefault(account_id, []).append(TimelineTweet(tweet_id=tweet_id, text=text, created_utc=self.utc()))
        return tweet_id

    def apply_delete(self, account_id: str, tweet_id: str) -> None:
        self.tweets[account_id] = [tweet for tweet in self.tweets.get(account_id, []) if tweet.tweet_id != tweet_id]


class Process:
    """One engine. `kill` takes away every effect it could still have."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.alive = True
        self.running = asyncio.Event()
        self.running.set()
        self.effects_left: int | None = None
        self.engine: Engine | None = None
        self.ended_with: BaseException | None = None
        self._tasks_before = asyncio.all_tasks()
        self.task = asyncio.create_task(self._run(), name="process")

    async def point(self) -> None:
        """Pass, or stop here for ever when the process is dead, or as long as it is paused."""
        await self.running.wait()
        if self.effects_left is not None:
            self.effects_left -= 1
            if self.effects_left <= 0:
                self.alive = False
        if not self.alive:
            await asyncio.get_running_loop().create_future()

    async def _run(self) -> None:
        setup = self.world.setup(self)
        try:
            engine = await Engine.start(setup, self.world.ledger, Pen(self))
            async with asyncio.TaskGroup() as group:
                self.engine = engine
                await engine.run(ControlServer(engine, group))
        except* FencedError as fenced:
            self.ended_with = fenced
        finally:
            self.engine = None

    async def kill(self) -> None:
        """End as kill -9 does: what had an effect keeps it, nothing more happens."""
        self.alive = False
        self.running.set()
        await self.end()

    async def end(self) -> None:
        """Cancel everything of this process, again and again, until it is gone."""
        while not self.task.done():
            for task in asyncio.all_tasks() - self._tasks_before - self.world.others(self):
                if task is not asyncio.current_task():
                    task.cancel()
            await asyncio.sleep(0)
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


class Pen:
    """The ledger's writer of a process: each transaction is an effect it can die before or after."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        await self._process.point()
        if self._process.world.ledger_broken:
            raise LedgerError("ledger: database or disk is full")
        result = work(*args, **kwargs)
        await asyncio.sleep(0)
        await self._process.point()
        return result

    async def at_once(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.run(work, *args, **kwargs)

    async def aside(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return work(*args, **kwargs)

    def close(self) -> None:
        pass


class Hands:
    """The publisher of a process: X as seen over a network that loses things."""

    def __init__(self, process: Process) -> None:
        self._process, self._x, self._clock = process, process.world.x, process.world.clock
        self.warmed: set[str] = set()

    async def warm(self, account_id: str) -> None:
        self.warmed.add(account_id)

    async def cool(self, account_id: str) -> None:
        self.warmed.discard(account_id)

    async def post(self, shot: Shot, withhold: Withhold) -> Outcome:
        text = json.loads(shot.body)["text"]
        sent = Sent("post", shot.firing_id, shot.account_id, text, "", 0, self._clock.utc(), shot.deadline_mono_ns)
        return await self._exchange(sent, withhold, lambda: self._x.apply_post(shot.account_id, text))

    async def delete(self, account_id: str, tweet_id: str, withhold: Withhold) -> Outcome:
        sent = Sent("delete", 0, account_id, "", tweet_id, 0, self._clock.utc(), 1 << 62)

        def apply() -> str:
            self._x.apply_delete(account_id, tweet_id)
            return tweet_id

        return await self._exchange(sent, withhold, apply)

    async def _exchange(self, sent: Sent, withhold: Withhold, apply: Callable[[], str]) -> Outcome:
        fault, latency_s = self._x.next_fault(), self._x.rng.uniform(0.001, 0.3)
        await self._process.point()
        if fault == "no_route":
            return self._outcome(Certainty.NOT_SENT, "connection refused", None)
        await self._clock.sleep(latency_s)
        await self._process.point()
        # The last look and the first byte are one step, as the port demands.
        late = "the deadline has passed" if self._clock.mono_ns() > sent.deadline_mono_ns else None
        if reason := late or withhold():
            return self._outcome(Certainty.NOT_SENT, reason, None)
        sent.at_mono_ns, sent.at_utc = self._clock.mono_ns(), self._clock.utc()
        self._x.sent.append(sent)
        return await self._answered(fault, latency_s, apply)

    async def _answered(self, fault: str, latency_s: float, apply: Callable[[], str]) -> Outcome:
        first_byte_ns = self._clock.mono_ns()
        if fault == "late":
            asyncio.get_running_loop().create_task(self._apply_late(apply), name="x-late")
            return self._outcome(Certainty.UNKNOWN, "timeout", first_byte_ns)
        if fault == "lost_before":
            return self._outcome(Certainty.UNKNOWN, "connection reset", first_byte_ns)
        if fault == "refused":
            return self._outcome(Certainty.REFUSED, "403 you are not permitted", first_byte_ns)
        tweet_id = apply()
        await self._process.point()
        await self._clock.sleep(latency_s)
        await self._process.point()
        if fault == "lost_after":
            return self._outcome(Certainty.UNKNOWN, "connection reset", first_byte_ns)
        if fault == "bug":
            raise RuntimeError("a bug in the publisher")
        return self._outcome(Certainty.POSTED, "", first_byte_ns, tweet_id)

    async def _apply_late(self, apply: Callable[[], str]) -> None:
        await self._clock.sleep(120)
        apply()

    def _outcome(self, certainty: Certainty, reason: str, first_byte_ns: int | None, tweet_id: str | None = None) -> Outcome:
        return Outcome(
            certainty=certainty,
            tweet_id=tweet_id,
            reason=reason,
            http_status=None,
            first_byte_mono_ns=first_byte_ns,
            answered_mono_ns=self._clock.mono_ns(),
            warm=True,
        )

    async def timeline(self, account_id: str, *, since_id: int) -> list[TimelineTweet] | None:
        await self._process.point()
        if not self._x.readable:
            return None
        return [tweet for tweet in self._x.tweets.get(account_id, []) if int(tweet.tweet_id) > since_id][::-1]

    def health(self, account_id: str) -> AccountHealth:
        return AccountHealth(
            account_id=account_id, handle=account_id, connections=1, warm=True, limits=Limits(), last_answer_utc=None
        )

    async def close(self) -> None:
        pass


class World:
    """What outlives processes, and the hand that moves time."""

    def __init__(self, database: Database, seed: int, *, mode: Mode = Mode.LIVE) -> None:
        self.rng = random.Random(seed)
        self.clock = VirtualClock()
        self.x = X(clock=self.clock, rng=self.rng)
        self.ledger_broken = False
        self.processes: list[Process] = []
        self.ids = itertools.count(1)
        start = self.clock.utc()
        self.airings = tuple(
            Airing(
                airing_id=f"nord/kaffee-{length}/2027-03-01/{number}",
                channel="nord",
                spot_id=f"kaffee-{length}",
                number=number,
                planned_utc=start + timedelta(seconds=at_s),
                opens_utc=start + timedelta(seconds=at_s - 4),
                closes_utc=start + timedelta(seconds=at_s + 4),
                raw="",
                row=number,
            )
            for number, (at_s, length) in enumerate([(5, 30), (14, 20), (23, 30), (32, 30)], start=1)
        )
        self.ledger = ledger = Ledger(database, self.clock, AuditChain(None))
        ledger.begin(mode)
        cues = parse_cues(CUES, source="test")
        ledger.import_cues(cues, actor="sponsor")
        for cue in cues:
            ledger.approve_cue(cue.cue_id, approved_by="approver")
        ledger.replace_airings({"plan": self.airings})

    def setup(self, process: Process) -> EngineSetup:
        return EngineSetup(
            state_dir=Path(),
            accounts=tuple(AccountSetup(account_id=name, handle=name) for name in ("coffee", "cable", "bank")),
            feeds={"main": "nord", "backup": "nord"},
            fixtures=(FixtureSetup(fixture="final", home="North", away="South"),),
            publisher=Hands(process),
            clock=self.clock,
            heartbeat_s=100_000.0,
            boot_id="simulated",
        )

    def others(self, process: Process) -> set["asyncio.Task[Any]"]:
        """Tasks that a process must not take along: other processes, and what X still does."""
        newer = [one for one in self.processes if one is not process and not one.task.done()]
        late = {task for task in asyncio.all_tasks() if task.get_name() == "x-late"}
        return late | {one.task for one in newer} | set().union(*(self._tasks_of(one) for one in newer))

    def _tasks_of(self, process: Process) -> set["asyncio.Task[Any]"]:
        """Tasks begun since that process began and before the next one did."""
        later = [one for one in self.processes if self.processes.index(one) > self.processes.index(process)]
        known = asyncio.all_tasks() - process._tasks_before
        return known - set().union(*(asyncio.all_tasks() - one._tasks_before for one in later)) if later else known

    async def start(self) -> Process:
        process = Process(self)
        self.processes.append(process)
        await self.clock.advance(0)
        return process

    async def close(self) -> None:
        for process in reversed(self.processes):
            await process.kill()
        for task in asyncio.all_tasks():
            if task.get_name() == "x-late":
                task.cancel()

    # --- what happens out there -----------------------------------------------------------------

    def engines(self) -> list[Engine]:
        return [one.engine for one in self.processes if one.engine is not None and one.alive and one.running.is_set()]

    def hear(
        self, spot_id: str = "kaffee-30", *, feed_id: str = "main", ago_s: float = 0.3, score: float = 50.0, fresh: bool = True
    ) -> None:
        now_ns = self.clock.mono_ns()
        status = FeedStatus(
            feed_id=feed_id, state=FeedState.LIVE, level_db=-20.0, position_s=1.0, seen_mono_ns=now_ns, sent_utc=self.clock.utc()
        )
        detection = Detection(
            spot_id=spot_id,
            spot_ids=(spot_id,),
            feed_id=feed_id,
            onset_s=1.0,
            decided_s=1.2,
            score=score,
            threshold=40.0,
            speed=1.0,
            onset_mono_ns=now_ns - round(ago_s * 1e9),
            decided_mono_ns=now_ns,
            decided_utc=self.clock.utc(),
        )
        for engine in self.engines():
            if fresh:
                engine.take_feed(status)
            engine.hear(detection)

    async def score(
        self, kind: ScoreKind, points: int, *, side: Side = Side.HOME, event_utc: datetime | None = None, ago_s: float = 0.05
    ) -> datetime:
        now_ns, now_utc = self.clock.mono_ns(), self.clock.utc()
        event_utc = event_utc or now_utc - timedelta(seconds=ago_s)
        age_s = max(0.0, (now_utc - event_utc).total_seconds())
        event = ScoreEvent(
            event_id=f"{next(self.ids):026d}",
            venue="arena",
            device="oes-1",
            fixture="final",
            kind=kind,
            side=side,
            delta=1 if kind is ScoreKind.GOAL else -1,
            home=points if side is Side.HOME else 0,
            away=points if side is Side.AWAY else 0,
            ordinal=points,
            period="1",
            clock="12:34",
            event_utc=event_utc,
            event_mono_ns=now_ns - round(age_s * 1e9),
            received_mono_ns=now_ns,
        )
        for engine in self.engines():
            with contextlib.suppress(FencedError):
                await asyncio.wait({asyncio.create_task(engine.take_score(event), name="score")}, timeout=0.05)
        return event_utc

    async def goal(self, points: int, **where: Any) -> datetime:
        return await self.score(ScoreKind.GOAL, points, **where)

    async def correct(self, points: int, **where: Any) -> datetime:
        return await self.score(ScoreKind.CORRECTION, points, **where)

    # --- what became of it ----------------------------------------------------------------------

    def records(self) -> tuple[FiringRecord, ...]:
        return Firings(self.ledger, epoch=0, boot_id="test").recent(limit=1000)[::-1]

    def states(self, cue_id: str) -> list[str]:
        return [record.state.value for record in self.records() if record.cue_id == cue_id and record.action is Action.POST]

    def texts(self, account_id: str) -> list[str]:
        return [tweet.text for tweet in self.x.tweets.get(account_id, [])]

    def check(self) -> None:
        """The guarantees, whatever happened."""
        records = {record.firing_id: record for record in self.records()}
        posts = Counter(
            (records[sent.firing_id].occurrence_id, records[sent.firing_id].cue_id, sent.account_id)
            for sent in self.x.sent
            if sent.kind == "post"
        )
        assert not [key for key, count in posts.items() if count > 1], "G1: posted twice"
        deletes = Counter(sent.tweet_id for sent in self.x.sent if sent.kind == "delete")
        assert not [key for key, count in deletes.items() if count > 1], "a tweet was deleted twice"
        unsettled = [record for record in records.values() if record.state not in SETTLED]
        assert not unsettled, f"G2: {[(record.firing_id, record.state) for record in unsettled]}"
        for account_id, tweets in self.x.tweets.items():
            known = {
                record.tweet_id
                for record in records.values()
                if record.account_id == account_id and record.state is FiringState.POSTED
            }
            assert {tweet.tweet_id for tweet in tweets} <= known, "G2: a tweet nobody knows of"
            assert len({tweet.text for tweet in tweets}) == len(tweets), "the same text twice"
        late = [sent for sent in self.x.sent if sent.at_mono_ns > sent.deadline_mono_ns]
        assert not late, "G4: sent after its deadline"
        for record in records.values():
            if record.state is FiringState.POSTED and record.action is Action.POST and record.mode is Mode.LIVE:
                assert any(sent.firing_id == record.firing_id for sent in self.x.sent), "posted without a request"


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    """One ledger file for all worlds, in memory where the machine has such a place: a crash here is not a power cut."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as folder:
        database = Database(Path(folder) / "ledger.db")
        yield database
        database.close()


@contextlib.asynccontextmanager
async def world_of(database: Database, seed: int = 0, *, mode: Mode = Mode.LIVE) -> AsyncIterator[World]:
    with database.writing() as connection:
        for table in reversed(METADATA.sorted_tables):
            connection.execute(table.delete())
    world = World(database, seed, mode=mode)
    try:
        yield world
    finally:
        await world.close()


# --- the seeded story ---------------------------------------------------------------------------

FAULTS = ("none", "none", "none", "no_route", "lost_before", "lost_after", "refused", "bug")


class Story:
    """Half a minute in which anything may happen, then quiet until everything has come to rest."""

    def __init__(self, world: World) -> None:
        self.world, self.rng = world, world.rng
        self.goals: list[tuple[int, datetime]] = []
        self.corrections: list[tuple[int, datetime]] = []
        self.killed_ns: list[tuple[int, int]] = []
        self.points, self.wrong_s = 0, 0

    async def play(self) -> None:
        self.world.x.faults = [self.rng.choice(FAULTS) for _ in range(100)]
        self.current = await self.world.start()
        likely = [self.hear] * 4 + [self.score] * 3 + [self.wait]
        rare = [self.score_again, self.correct, self.correct_again, self.die_soon, self.restart, self.pause, self.kill, self.step]
        for _ in range(40):
            await self.rng.choice(likely + rare)()
            await self.world.clock.advance(self.rng.uniform(0, 0.4))
            await self.revive()
        self.current.effects_left = None
        await self.revive()
        await self.world.clock.advance(10)
        for sent in self.world.x.sent:
            caught = any(begin < sent.at_mono_ns < end for begin, end in self.killed_ns)
            assert not caught, "G5: sent after a kill was acknowledged"

    async def revive(self) -> None:
        if not self.current.alive or self.current.task.done():
            await self.world.clock.advance(self.rng.uniform(0, 3))
            await self.restart()

    async def restart(self) -> None:
        await self.current.kill()
        self.current = await self.world.start()

    async def die_soon(self) -> None:
        self.current.effects_left = self.rng.randrange(1, 12)

    async def wait(self) -> None:
        await self.world.clock.advance(self.rng.uniform(0, 1))

    async def step(self) -> None:
        """The wall clock steps, but is never wrong by more than two hours: the reconciler looks back three."""
        step_s = self.rng.choice([-3600, -5, 5, 3600])
        if abs(self.wrong_s + step_s) <= 7200:
            self.wrong_s += step_s
            self.world.clock.step_utc(timedelta(seconds=step_s))

    async def hear(self) -> None:
        spot_id, feed_id = self.rng.choice(["kaffee-30", "kaffee-20"]), self.rng.choice(["main", "backup"])
        self.world.hear(spot_id, feed_id=feed_id, ago_s=self.rng.uniform(0.1, 5))

    async def score(self) -> None:
        self.points += 1
        self.goals.append((self.points, await self.world.goal(self.points)))

    async def score_again(self) -> None:
        """A second gateway's report, with a clock of its own."""
        if self.goals:
            points, event_utc = self.rng.choice(self.goals)
            await self.world.goal(points, event_utc=event_utc + timedelta(milliseconds=self.rng.randrange(20)))

    async def correct(self) -> None:
        if self.points:
            self.points -= 1
            self.corrections.append((self.points, await self.world.correct(self.points)))

    async def correct_again(self) -> None:
        if self.corrections:
            points, event_utc = self.rng.choice(self.corrections)
            await self.world.correct(points, event_utc=event_utc)

    async def pause(self) -> None:
        """A paused engine is replaced, and later goes on where it stood."""
        self.current.running.clear()
        paused, self.current = self.current, await self.world.start()
        self.world.hear()
        await self.world.clock.advance(self.rng.uniform(0, 2))
        paused.running.set()

    async def kill(self) -> None:
        """Kill, wait for the answer, see that nothing leaves until the release, go on with a new engine."""
        for engine in self.world.engines()[-1:]:
            asked = asyncio.create_task(engine.answer(Kill(op="kill", actor="ops", reason="test")), name="kill")
            await self.world.clock.advance(0)
            if asked.done() and not asked.cancelled() and asked.exception() is None:
                begin_ns = self.world.clock.mono_ns()
                self.world.hear()
                await self.world.clock.advance(self.rng.uniform(0.1, 3))
                self.killed_ns.append((begin_ns, self.world.clock.mono_ns()))
            asked.cancel()
            with contextlib.suppress(asyncio.CancelledError, LedgerError):
                await asked
            self.world.ledger.release(actor="ops", reason="test")
            await self.restart()


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_seed(database: Database, seed: int) -> None:
    """At most one POST for each occurrence, cue and account, and every firing comes to rest (replay with this seed)."""
    async with world_of(database, seed) as world:
        await Story(world).play()
        world.x.readable = True
        await world.clock.advance(400)
        world.check()


# --- stories by name ----------------------------------------------------------------------------


async def _at(world: World, second: float) -> None:
    """Move to a second after the world's beginning."""
    await world.clock.advance(second - (world.clock.mono_ns() / 1e9 - 1))


async def test_main_and_backup_fire_once(database: Database) -> None:
    """Both feeds hear the same airing; it fires each cue once, the delayed one after its delay."""
    async with world_of(database) as world:
        await world.start()
        await _at(world, 5)
        world.hear(feed_id="main")
        world.hear(feed_id="backup", ago_s=0.31)
        await world.clock.advance(0.7)
        assert (world.texts("coffee"), world.texts("cable")) == (["one"], [])
        assert world.states("later") == ["ARMED"]
        await world.clock.advance(5)
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
async def test_declined_with_its_reason(
    database: Database, at_s: float, heard: dict[str, Any], guard: str, state: FiringState
) -> None:
    """Off plan, late, weak or from a listener that has gone silent: nothing is sent and the record says why."""
    async with world_of(database) as world:
        await world.start()
        await _at(world, at_s)
        world.hear(**heard)
        await world.clock.advance(5)
        record = next(record for record in world.records() if record.cue_id == "now")
        assert (record.guard, record.state) == (guard, state)
        assert world.texts("coffee") == []


async def test_weak_main_does_not_block_good_backup(database: Database) -> None:
    """A declined detection reserves nothing: the other feed may still fire the airing."""
    async with world_of(database) as world:
        await world.start()
        await _at(world, 5)
        world.hear(feed_id="main", score=10)
        world.hear(feed_id="backup")
        await world.clock.advance(1)
        assert world.texts("coffee") == ["one"]


async def test_goal_twice_then_corrected_then_scored_again(database: Database) -> None:
    """A second gateway's report fires nothing; the corrected goal is taken down once; scored again it fires again."""
    async with world_of(database) as world:
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
        world.check()


async def test_goal_taken_back_while_its_answer_is_lost(database: Database) -> None:
    """The tweet of a goal that was taken back is found on the timeline, and then deleted."""
    async with world_of(database) as world:
        world.x.faults = ["lost_after"]
        await world.start()
        await world.goal(1)
        await world.clock.advance(0.65)
        await world.correct(0)
        await world.clock.advance(90)
        assert world.texts("bank") == []
        assert [sent.kind for sent in world.x.sent] == ["post", "delete"]
        world.check()


async def test_memory_of_a_match_survives_a_crash(database: Database) -> None:
    """A goal fired just before a kill -9 is known afterwards: its repetition fires nothing, its correction takes it down."""
    async with world_of(database) as world:
        process = await world.start()
        utc = await world.goal(1)
        await world.clock.advance(1)
        await process.kill()
        with database.writing() as connection:
            connection.execute(METADATA.tables["fixture_state"].delete())
        await world.start()
        await world.goal(1, event_utc=utc)
        await world.clock.advance(1)
        assert world.texts("bank") == ["Goal! North 1:0 South"]
        await world.correct(0)
        await world.clock.advance(1)
        assert world.texts("bank") == []
        world.check()


async def test_kill_during_connect_stops_the_post(database: Database) -> None:
    """A kill that is acknowledged while a claimed firing connects keeps its first byte from leaving, and nothing is caught up."""
    async with world_of(database) as world:
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


async def test_kill_outlives_a_restart(database: Database) -> None:
    """The switch is durable: after a restart nothing fires until a release."""
    async with world_of(database) as world:
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


async def test_kill_by_another_process_counts_at_the_first_byte(database: Database) -> None:
    """A kill written to the ledger by the command line stops a firing that this engine has claimed already."""
    async with world_of(database) as world:
        await world.start()
        await _at(world, 5)
        world.hear()
        await world.clock.advance(0)
        world.ledger.kill(actor="cli", reason="from outside")
        await world.clock.advance(1)
        assert world.x.sent == []
        assert world.states("now") == ["NOT_SENT"]


@pytest.mark.parametrize(("mode", "state"), [(Mode.OFF, "DECLINED"), (Mode.REHEARSAL, "POSTED")])
async def test_only_live_reaches_x(database: Database, mode: Mode, state: str) -> None:
    """OFF claims nothing, a rehearsal ends before X, and neither keeps LIVE from firing the same airing."""
    async with world_of(database, mode=mode) as world:
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


async def test_paused_engine_that_resumes_is_fenced(database: Database) -> None:
    """SIGSTOP between claim and first byte, a new engine, SIGCONT: the old one sends nothing more and stops."""
    async with world_of(database) as world:
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
        world.check()


async def test_full_disk_means_no_post_and_an_alarm(database: Database) -> None:
    """Without a durable claim nothing leaves; a person is told; when there is room again nothing is caught up."""
    async with world_of(database) as world:
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


async def test_outcome_is_written_when_the_disk_has_room_again(database: Database) -> None:
    """An answer that could not be recorded at once is recorded later, and nothing is sent twice."""
    async with world_of(database) as world:
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


async def test_not_sent_is_tried_again_until_the_deadline(database: Database) -> None:
    """A connection refused before the first byte proves that nothing left: the same claim is tried again."""
    async with world_of(database) as world:
        world.x.faults = ["no_route", "no_route"]
        await world.start()
        await _at(world, 14)
        world.hear("kaffee-20")
        await world.clock.advance(2)
        assert (world.states("now"), len(world.x.sent)) == (["POSTED"], 1)


async def test_late_application_is_found_after_not_seen(database: Database) -> None:
    """A server that applies a request two minutes late turns NOT_SEEN into POSTED, without a second request."""
    async with world_of(database) as world:
        world.x.faults = ["late"]
        await world.start()
        await _at(world, 14)
        world.hear("kaffee-20")
        await world.clock.advance(90)
        assert world.states("now") == ["NOT_SEEN"]
        await world.clock.advance(3600)
        assert (world.states("now"), len(world.x.sent)) == (["POSTED"], 1)
        world.check()


async def test_person_settles_an_unknown(database: Database) -> None:
    """While the timeline cannot be read, a person may say what became of it; the search then ends."""
    async with world_of(database) as world:
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


async def test_cap_disarms_the_cue(database: Database) -> None:
    """A cap that trips declines, holds the cue and raises an alarm; nothing queues behind it."""
    async with world_of(database) as world:
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


async def test_engine_stopped_by_its_user_finishes_what_it_began(database: Database) -> None:
    """Cancelling the engine between claim and answer lets the answer be recorded."""
    async with world_of(database) as world:
        process = await world.start()
        await _at(world, 14)
        world.hear("kaffee-20")
        await world.clock.advance(0)
        process.task.cancel()
        await world.clock.advance(2)
        assert process.task.done()
        assert world.states("now") == ["POSTED"]


async def test_snapshot_shows_every_part(database: Database) -> None:
    """The snapshot has the parts and words of docs/engine-socket.md."""
    async with world_of(database) as world:
        process = await world.start()
        await _at(world, 5)
        world.hear()
        await world.goal(1)
        await world.clock.advance(1)
        assert process.engine is not None
        shown = process.engine.snapshot()
        assert set(shown) == {"engine", "feeds", "detections", "devices", "cues", "airings", "firings", "accounts", "alarms"}
        assert {cue["cue_id"]: cue["state"] for cue in shown["cues"]} == {"goal": "idle", "later": "idle", "now": "idle"}
        assert [airing["state"] for airing in shown["airings"]] == ["fired", "planned", "planned", "planned"]
        assert {feed["feed_id"]: feed["last_spot"] for feed in shown["feeds"]} == {"main": "kaffee-30", "backup": ""}
        assert {firing["state"] for firing in shown["firings"]} == {"POSTED", "ARMED"}
        assert json.loads(json.dumps(shown)) == shown


async def test_a_feed_that_loses_sound_is_shown_and_an_alarm_once(database: Database) -> None:
    """Its listener cannot keep up: the count goes on in the status, the alarm is told once."""
    async with world_of(database) as world:
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
