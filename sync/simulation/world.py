"""What outlives processes: time, the ledger, X, the gateways, the operator; and what really happened."""

import asyncio
import contextvars
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiomqtt

from fingerprints.events import Detection, FeedState, FeedStatus
from hardware.events import ScoreEvent, ScoreKind, Side
from hardware.keys import DeviceKey, key_id
from hardware.link import LinkHandlers
from hardware.markers import MarkerKind, MarkerReport, MarkerSourceState, MarkerSourceStatus
from hardware.messages import EventBody, sign
from hardware.replay import ReplayState
from hardware.topics import DeviceTopic
from sync.cues import Cue
from sync.engine import Engine
from sync.errors import ControlError, FencedError
from sync.firings import Firings
from sync.ledger import Ledger
from sync.media_uploading import MediaUploader
from sync.receipts import FiringRecord
from sync.setup import AccountSetup, EngineSetup, FixtureSetup
from sync.simulation.plot import Plot
from sync.simulation.process import Hands, Line, Process, own_tasks
from sync.simulation.service import Service
from sync.simulation.storage import FIRST, GATEWAYS, Storage, goal_cue, scene_cues
from sync.simulation.upkeep import Upkeep
from sync.states import Action
from sync.translate import airing_at
from timebase import LoopClock, VirtualLoop

DEVICES = tuple(DeviceKey(venue="arena", device=device, fixture="final", key=b"k" * 32) for device in GATEWAYS)
"""Two gateways that read the same scoreboard."""
SELDOM_S = 100_000.0
"""Between two heartbeats where nobody listens for them."""
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Span:
    """From an instant until another, or without end so far; the instants themselves belong to neither side."""

    from_ns: int
    until_ns: int | None = None

    def holds(self, at_ns: int) -> bool:
        return self.from_ns < at_ns and (self.until_ns is None or at_ns < self.until_ns)


@dataclass(slots=True)
class Truth:
    """What really happened, for the invariants to judge by.

    Attributes:
        killed: spans from a kill's acknowledgement to its release.
        stopped: those of them that the engine itself has acknowledged.
        held, unapproved: spans by cue.
        texts: every text that has been approved, by cue.
        caps: claims a minute allowed, by cue.
        of_goal, of_onset: the real event behind a report, by its instant: two gateways, two feeds tell of one.
        taken_back: real goals that do not stand.
        heard_live: reports by the engine that heard them as they happened.
        told: engine, gateway and instant of each report that a gateway published.
        rearmed: when a cue was last let go again, by a person.
        not_live: spans from the acknowledgement of another mode to the return.
        vetoed: firings whose veto was acknowledged.
        settled: firings a person has settled, and as what.
        priorities: of cues.
    """

    killed: list[Span] = field(default_factory=list)
    stopped: list[Span] = field(default_factory=list)
    held: dict[str, list[Span]] = field(default_factory=dict)
    unapproved: dict[str, list[Span]] = field(default_factory=dict)
    texts: dict[str, set[str]] = field(default_factory=dict)
    caps: dict[str, int] = field(default_factory=dict)
    of_goal: dict[datetime, str] = field(default_factory=dict)
    of_onset: dict[int, str] = field(default_factory=dict)
    taken_back: set[str] = field(default_factory=set)
    heard_live: set[tuple[int, datetime]] = field(default_factory=set)
    told: set[tuple[int, str, datetime]] = field(default_factory=set)
    rearmed: dict[str, int] = field(default_factory=dict)
    not_live: list[Span] = field(default_factory=list)
    vetoed: set[int] = field(default_factory=set)
    settled: dict[int, str] = field(default_factory=dict)
    priorities: dict[str, int] = field(default_factory=dict)


SCENE = Plot()
"""A world in which nothing happens by itself: for scenarios."""


class World:
    """Everything around the engines, and the hand that moves time."""

    def __init__(self, storage: Storage, plot: Plot = SCENE) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.set_task_factory(own_tasks)
        self.plot = plot
        self.rng = random.Random(plot.seed)
        self.clock = LoopClock(loop)
        self.x = Service(self.clock, self.rng)
        self.storage = storage
        goal = goal_cue(plot)
        self.ledger: Ledger = storage.ledger(self.clock, goal=goal)
        self.airings = storage.airings
        self.ledger_broken = False
        self.heartbeat_s = SELDOM_S
        self.looks_outside = False
        self.upkeep = Upkeep(self.clock, self.rng)
        self.state_dir: Path | None = None
        self.uploader: MediaUploader | None = None
        self.processes: list[Process] = []
        self.truth = Truth()
        for cue in (goal if one.cue_id == goal.cue_id else one for one in scene_cues()):
            self.truth.texts[cue.cue_id] = set(cue.variants)
            self.truth.caps[cue.cue_id] = cue.caps.per_minute
            self.truth.priorities[cue.cue_id] = cue.priority
        self.story: list[str] = []
        self._ids = itertools.count(1)
        self._sequences = {device.device: itertools.count(1) for device in DEVICES}

    def store(self, *cues: Cue) -> None:
        """Import cues and approve them."""
        self.ledger.import_cues(cues, actor="sponsor")
        for cue in cues:
            self.ledger.approve_cue(cue.cue_id, approved_by="approver")

    def cue(self, cue_id: str) -> Cue:
        """A cue as the ledger has it."""
        return next(one.cue for one in self.ledger.cues() if one.cue.cue_id == cue_id)

    def say(self, sentence: str) -> None:
        """Add a line to the story."""
        self.story.append(f"{self.clock.mono_ns() / 1e9 - 1:9.3f} s  {sentence}")

    def setup(self, process: Process) -> EngineSetup:
        """What an engine of this world is built from."""

        def link(handlers: LinkHandlers, replay: ReplayState) -> Line:
            process.line = Line(process, handlers, replay, DEVICES)
            return process.line

        return EngineSetup(
            state_dir=self.state_dir or self.storage.state_dir(process.machine),
            accounts=tuple(AccountSetup(account_id=name, handle=name) for name in ("coffee", "cable", "bank")),
            feeds={"main": "nord", "backup": "nord"},
            marker_sources={"ts": "nord"},
            fixtures=(FixtureSetup(fixture="final", home="North", away="South"),),
            publisher=Hands(process),
            media=self.uploader or (self.upkeep.uploader(process) if self.plot.has_media else None),
            tokens=self.upkeep.tokens(process) if self.plot.has_tokens else None,
            link=link,
            clock=self.clock,
            heartbeat_s=self.heartbeat_s,
            timer_probe_s=None,
            looks_outside=self.looks_outside,
            boot_id="simulated",
        )

    async def start(self, machine: str = FIRST) -> Process:
        """A new engine, which takes over the ledger, or stands by while one on another machine beats."""
        process = Process(self, len(self.processes) + 1, machine)
        self.processes.append(process)
        await self.clock.advance(0)
        self.say(f"engine {process.number} starts")
        return process

    async def close(self) -> None:
        """Kill what still lives."""
        for process in reversed(self.processes):
            await process.kill()

    def later(self, seconds: float, work: Callable[[], object]) -> None:
        """Do something of X's later, whatever becomes of the engine."""
        asyncio.get_running_loop().call_later(seconds, work, context=contextvars.Context())

    # --- what happens out there -----------------------------------------------------------------

    def engines(self) -> list[Engine]:
        """Those that can take anything in."""
        return [engine for one in self.processes if (engine := one.listening) is not None]

    def hear(
        self, spot_id: str = "kaffee-30", *, feed_id: str = "main", ago_s: float = 0.3, score: float = 50.0, fresh: bool = True
    ) -> None:
        """A listener reports that a spot began a moment ago."""
        now_ns, now_utc = self.clock.mono_ns(), self.clock.utc()
        onset_ns = now_ns - round(ago_s * 1e9)
        status = FeedStatus(
            feed_id=feed_id, state=FeedState.LIVE, level_db=-20.0, position_s=1.0, seen_mono_ns=now_ns, sent_utc=now_utc
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
            onset_mono_ns=onset_ns,
            decided_mono_ns=now_ns,
            decided_utc=now_utc,
        )
        onset_utc = now_utc - timedelta(microseconds=(now_ns - onset_ns) / 1000)
        airing = airing_at(self.airings, channel="nord", spot_ids=[spot_id], instant_utc=onset_utc)
        self.truth.of_onset[onset_ns] = f"spot {airing.number if airing else onset_ns}"
        for process in self.processes:
            if (engine := process.listening) is not None:
                if fresh:
                    process.do(engine.take_feed, status)
                process.do(engine.hear, detection)

    async def mark(
        self,
        event: str,
        *,
        ahead_s: float,
        spot_ids: tuple[str, ...] = ("kaffee-30",),
        position: int | None = None,
        canceled: bool = False,
        fresh: bool = True,
    ) -> None:
        """A source of markers reports that a spot begins so much later, or does not after all."""
        now_ns, now_utc = self.clock.mono_ns(), self.clock.utc()
        status = MarkerSourceStatus(
            source_id="ts",
            state=MarkerSourceState.LIVE,
            messages=1,
            damaged=0,
            ignored=0,
            seen_mono_ns=now_ns,
            sent_utc=now_utc,
        )
        report = MarkerReport(
            source_id="ts",
            event=event,
            kind=MarkerKind.CANCELED if canceled else MarkerKind.BEGINS,
            what="provider advertisement start",
            spot_ids=spot_ids,
            position=position,
            upids=("ABCD1234000H",),
            at_mono_ns=now_ns + round(ahead_s * 1e9),
            seen_mono_ns=now_ns,
            sent_utc=now_utc,
        )
        for process in self.processes:
            if (engine := process.listening) is not None:
                if fresh:
                    process.do(engine.take_marker_source, status)
                await asyncio.wait({process.begin(_fenced_or_done(engine.take_marker(report)), name="marker")}, timeout=0.05)

    async def score(
        self,
        kind: ScoreKind,
        points: int,
        *,
        side: Side = Side.HOME,
        event_utc: datetime | None = None,
        ago_s: float = 0.05,
        device: str = "oes-1",
    ) -> datetime:
        """A verified score event reaches every engine; its instant."""
        now_ns, now_utc = self.clock.mono_ns(), self.clock.utc()
        event_utc = event_utc or now_utc - timedelta(seconds=ago_s)
        age_s = max(0.0, (now_utc - event_utc).total_seconds())
        event = ScoreEvent(
            event_id=f"{next(self._ids):026d}",
            venue="arena",
            device=device,
            fixture="final",
            kind=kind,
            side=None if kind is ScoreKind.RESTART else side,
            delta={ScoreKind.GOAL: 1, ScoreKind.CORRECTION: -1}.get(kind, 0),
            home=points if side is Side.HOME else 0,
            away=points if side is Side.AWAY else 0,
            ordinal=0 if kind is ScoreKind.RESTART else points,
            period="1",
            clock="12:34",
            event_utc=event_utc,
            event_mono_ns=now_ns - round(age_s * 1e9),
            received_mono_ns=now_ns,
        )
        for process in self.processes:
            if (engine := process.listening) is not None:
                self.truth.heard_live.add((process.number, event_utc))
                await asyncio.wait({process.begin(_fenced_or_done(engine.take_score(event)), name="score")}, timeout=0.05)
        return event_utc

    async def goal(self, points: int, **where: Any) -> datetime:
        """A goal, told to every engine."""
        return await self.score(ScoreKind.GOAL, points, **where)

    async def correct(self, points: int, **where: Any) -> datetime:
        """A correction, told to every engine."""
        return await self.score(ScoreKind.CORRECTION, points, **where)

    def signed(self, kind: ScoreKind, points: int, *, event_utc: datetime, device: DeviceKey = DEVICES[0]) -> aiomqtt.Message:
        """The message a gateway would publish."""
        topic = DeviceTopic(venue=device.venue, device=device.device, leaf="event")
        sequence = next(self._sequences[device.device])
        body = EventBody(
            version=1,
            boot=f"{1:026d}",
            venue=device.venue,
            device=device.device,
            fixture=device.fixture,
            t_pub_ns=_utc_ns(self.clock.utc()),
            id=f"{next(self._ids):026d}",
            sequence=sequence,
            type=kind,
            side=None if kind is ScoreKind.RESTART else Side.HOME,
            delta={ScoreKind.GOAL: 1, ScoreKind.CORRECTION: -1}.get(kind, 0),
            home=points,
            away=0,
            ordinal=0 if kind is ScoreKind.RESTART else points,
            period="1",
            clock="12:34",
            t_event_ns=_utc_ns(event_utc),
            clock_source="ntp",
            clock_error_us=100,
            confidence="checked",
            protocol="oes",
            frame_sha256="0" * 64,
            key=key_id(device.key),
        )
        return aiomqtt.Message(str(topic), sign(topic, body, device.signing_key), qos=1, retain=False, mid=0, properties=None)

    def publish(self, message: aiomqtt.Message, *, event_utc: datetime) -> None:
        """The broker passes a message on to every engine that listens."""
        for process in self.processes:
            if process.line is not None and process.listening is not None:
                self.truth.heard_live.add((process.number, event_utc))
                self.truth.told.add((process.number, message.topic.value.split("/")[3], event_utc))
                process.do(process.line.deliver, message)

    # --- what became of it ----------------------------------------------------------------------

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """The ledger's rows, read past the engine."""
        found: list[tuple[Any, ...]] = self.storage.driver.execute(statement, values).fetchall()
        return found

    @staticmethod
    def utc_of(microseconds: int) -> datetime:
        """An instant as the ledger keeps it."""
        return _UNIX_EPOCH + timedelta(microseconds=microseconds)

    def newest_epoch(self) -> int:
        """The epoch of the engine that has the ledger."""
        epoch: int = self.rows("SELECT epoch FROM switch")[0][0]
        return epoch

    def records(self) -> tuple[FiringRecord, ...]:
        """Every firing, oldest first."""
        return Firings(self.ledger, epoch=0, boot_id="test").recent(limit=1000)[::-1]

    def states(self, cue_id: str) -> list[str]:
        """States of a cue's posts, oldest first."""
        return [record.state.value for record in self.records() if record.cue_id == cue_id and record.action is Action.POST]

    def texts(self, account_id: str) -> list[str]:
        """What stands on an account's timeline."""
        return [tweet.text for tweet in self.x.tweets.get(account_id, [])]


async def _fenced_or_done(work: Any) -> None:
    try:
        await work
    except (ControlError, FencedError):
        return


def _utc_ns(utc: datetime) -> int:
    return (utc - _UNIX_EPOCH) // timedelta(microseconds=1) * 1000
