"""What happens outside while engines die: goals on scoreboards, spots on air, an X that errs. Written by a seed.

The story knows the truth the judge needs: which reports tell of one goal, which must never fire, which cannot have been lost.
"""

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import aiomqtt

from bench.chaos.processes import CLOCK
from bench.chaos.scene import DEVICES_A_FIXTURE, FEEDS, FIXTURES, devices
from bench.firing.inputs import detection, status
from bench.firing.scene import Scene
from hardware.connection import Connection
from hardware.events import ScoreKind, Side
from hardware.keys import DeviceKey, key_id
from hardware.messages import EventBody, sign
from hardware.mqtt import BrokerAddress, client, entered
from hardware.topics import DeviceTopic
from hardware.ulid import new_ulid
from sync.client import ControlClient
from sync.errors import SyncError
from sync.setup import SOCKET_NAME

TURN_S = 0.1
"""A turn of the story; what belongs to it is told at once, as a scoreboard and a listener do it."""
GOALS_A_TURN = 4
DETECTIONS_A_TURN = 3
LAG_MS_MAX = 80.0
"""A house that takes longer to answer has more to do than this machine can: an engine that cannot beat its heart is replaced,
rightly, and that is not what is looked at here. It is told one thing in `SLOW_TURNS` turns then."""
SLOW_TURNS = 4
RETAINED, REPLAYED, FAULT = 0.05, 0.1, 0.04
"""Shares: goals that only a retained message tells, goals followed by an old message, turns in which X begins to err."""
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "drop", "commit": True},
    {"kind": "drop"},
    {"kind": "hang", "commit": True},
    {"kind": "html_503", "commit": True},
    {"kind": "html_503"},
    {"kind": "cut_201"},
    {"kind": "garbled_201"},
    {"kind": "duplicate_403"},
    {"kind": "rate_429_bare"},
    {"kind": "latency", "latency_ms": 150, "times": 10},
)
PROBE_EVERY_S = 0.05
POINTS_MAX = 999
EAR_LINES_MAX = 20
"""Reports that wait for an engine; more are lost, as a listener loses them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A real goal, whoever tells of it."""

    fixture: str
    side: Side
    points: int

    @property
    def occurrence(self) -> str:
        """The occurrence's id, without its take."""
        return f"goal:{self.fixture}/{self.side}/{self.points}"

    @property
    def text(self) -> str:
        """The tweet that every cue posts for it."""
        home, away = (self.points, 0) if self.side is Side.HOME else (0, self.points)
        return f"{self.fixture} home {home}:{away} {self.fixture} away #ad"


@dataclass(slots=True)
class Truth:
    """What really happened, for the judge.

    Attributes:
        retained: texts of goals that were only told by retained messages: none may ever leave.
        told: every other goal, in the order of telling.
        sure: those of them that were told to an engine that nothing disturbed: each must be accounted for.
        killed: spans in which no POST may begin, in mono_ns: from a kill's acknowledgement to its release.
        probes: when the sandbox was asked for a sign, and when it gave it.
    """

    retained: set[str] = field(default_factory=set)
    told: list[Goal] = field(default_factory=list)
    sure: list[Goal] = field(default_factory=list)
    killed: list[tuple[int, int]] = field(default_factory=list)
    probes: list[tuple[int, int]] = field(default_factory=list)


class Story:
    """Tells the story until cancelled; `going` pauses it.

    Attributes:
        gentle: as if the house were slow to answer.
        undisturbed: every goal told now is one of `Truth.sure`.
        signals: how many messages and detections have been sent.
    """

    def __init__(self, seed: int, scene: Scene, *, mqtt_port: int, page_url: str, state_dirs: tuple[Path, ...]) -> None:
        self.truth, self.signals, self.undisturbed, self.gentle = Truth(), 0, False, False
        self.going = asyncio.Event()
        self._rng = random.Random(f"story {seed}")
        self._address, self._page_url = BrokerAddress(port=mqtt_port), page_url
        self._ears = tuple(_Ear(path / SOCKET_NAME) for path in state_dirs)
        self._gateways = {(one.fixture, number % DEVICES_A_FIXTURE): _Gateway(one) for number, one in enumerate(devices())}
        self._x_lag = _Lag()
        self._goals, self._spots, self._heard = self._every_goal(), iter(scene.spots), list[str]()

    async def tell(self) -> None:
        """Tell it."""
        async with asyncio.TaskGroup() as tasks:
            for ear in self._ears:
                tasks.create_task(ear.run(), name="ear")
            tasks.create_task(self._watch_feeds(), name="feeds")
            tasks.create_task(self._score(), name="scoreboards")
            tasks.create_task(self._hear(), name="listeners")
            tasks.create_task(self._err(), name="faults")
            tasks.create_task(self._probe(), name="probes")

    async def behave(self) -> None:
        """Have the sandbox forget the faults it was told."""
        async with aiohttp.ClientSession() as session:
            with contextlib.suppress(aiohttp.ClientError):
                await session.delete(f"{self._page_url}sandbox/faults")

    def _pace(self, most: int) -> int:
        if not self.gentle and max(lag.ms for lag in (self._x_lag, *(ear.lag for ear in self._ears))) <= LAG_MS_MAX:
            return most
        return int(self._rng.randrange(SLOW_TURNS) == 0)

    # --- scoreboards ----------------------------------------------------------------------------

    async def _score(self) -> None:
        while True:
            with contextlib.suppress(aiomqtt.MqttError):
                async with entered(client(self._address)) as connection:
                    while True:
                        await self.going.wait()
                        for _ in range(self._pace(GOALS_A_TURN)):
                            await self._one_goal(connection)
                        await CLOCK.sleep(TURN_S)
            await CLOCK.sleep(0.05)

    async def _one_goal(self, connection: Connection) -> None:
        goal, rng, sure = next(self._goals), self._rng, self.undisturbed
        retained = rng.random() < RETAINED
        if retained:
            self.truth.retained.add(goal.text)
        for number in range(DEVICES_A_FIXTURE):
            gateway = self._gateways[goal.fixture, number]
            await connection.deliver(str(gateway.topic), gateway.message(goal, keep=not retained), retain=retained)
            self.signals += 1
        if not retained:
            self.truth.told.append(goal)
        if sure and self.undisturbed and not retained:
            self.truth.sure.append(goal)
        gateway = self._gateways[goal.fixture, 0]
        if gateway.said and rng.random() < REPLAYED:
            await connection.deliver(str(gateway.topic), rng.choice(gateway.said), retain=False)
            self.signals += 1

    def _every_goal(self) -> Iterator[Goal]:
        counts = {(fixture, side): itertools.count(1) for fixture in FIXTURES for side in Side}
        while True:
            fixture, side = self._rng.choice(FIXTURES), self._rng.choice(tuple(Side))
            if (points := next(counts[fixture, side])) <= POINTS_MAX:
                yield Goal(fixture=fixture, side=side, points=points)

    # --- listeners ------------------------------------------------------------------------------

    async def _watch_feeds(self) -> None:
        while True:
            for feed_id in FEEDS:
                self._report("feed", feed=status(feed_id))
            await CLOCK.sleep(0.2)

    async def _hear(self) -> None:
        while True:
            await self.going.wait()
            for _ in range(self._pace(DETECTIONS_A_TURN)):
                fresh = None if self._heard and self._rng.random() < 0.7 else next(self._spots, None)
                spot_id = fresh or self._rng.choice(self._heard)
                if fresh is not None:
                    self._heard.append(fresh)
                for feed_id in FEEDS:
                    self._report("detection", detection=detection(spot_id, feed_id))
                    self.signals += 1
            await CLOCK.sleep(TURN_S)

    def _report(self, op: str, **fields: Any) -> None:
        for ear in self._ears:
            ear.take(op, fields)

    # --- X --------------------------------------------------------------------------------------

    async def _err(self) -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                await self.going.wait()
                if not self.undisturbed and self._rng.random() < FAULT:
                    with contextlib.suppress(aiohttp.ClientError):
                        await session.post(f"{self._page_url}sandbox/faults", json=self._rng.choice(FAULTS))
                await CLOCK.sleep(TURN_S)

    async def _probe(self) -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    await self._asked(session)
                await CLOCK.sleep(PROBE_EVERY_S)

    async def _asked(self, session: aiohttp.ClientSession) -> None:
        asked_ns = CLOCK.mono_ns()
        with self._x_lag.measured():
            async with session.get(f"{self._page_url}sandbox/faults") as answer:
                await answer.read()
        self.truth.probes.append((asked_ns, CLOCK.mono_ns()))


class _Gateway:
    """A device that signs what it is told to."""

    def __init__(self, device: DeviceKey) -> None:
        self.topic = DeviceTopic(venue=device.venue, device=device.device, leaf="event")
        self.said: list[bytes] = []
        self._device, self._boot, self._sequences = device, new_ulid(time.time_ns()), itertools.count(1)

    def message(self, goal: Goal, *, keep: bool) -> bytes:
        """The signed message of a goal that was scored just now; kept, it may be sent once more, later."""
        now_ns = time.time_ns()
        body = EventBody(
            version=1,
            id=new_ulid(now_ns),
            boot=self._boot,
            sequence=next(self._sequences),
            venue=self._device.venue,
            device=self._device.device,
            fixture=goal.fixture,
            type=ScoreKind.GOAL,
            side=goal.side,
            delta=1,
            home=goal.points if goal.side is Side.HOME else 0,
            away=goal.points if goal.side is Side.AWAY else 0,
            ordinal=goal.points,
            period="1",
            clock="12:34",
            t_event_ns=now_ns,
            t_pub_ns=now_ns,
            clock_source="system",
            clock_error_us=None,
            confidence="checked",
            protocol="oes",
            frame_sha256="0" * 64,
            key=key_id(self._device.key),
        )
        signed = sign(self.topic, body, self._device.signing_key)
        if keep:
            self.said.append(signed)
        return signed


class _Lag:
    """How long an answer took lately, or has been waited for; 0 while nobody is there to answer."""

    def __init__(self) -> None:
        self._last_ms, self._asked_ns = 0.0, 0

    @property
    def ms(self) -> float:
        return max(self._last_ms, (CLOCK.mono_ns() - self._asked_ns) / 1e6 if self._asked_ns else 0.0)

    @contextlib.contextmanager
    def measured(self) -> Iterator[None]:
        self._asked_ns, self._last_ms = CLOCK.mono_ns(), 0.0
        try:
            yield
            self._last_ms = (CLOCK.mono_ns() - self._asked_ns) / 1e6
        finally:
            self._asked_ns = 0


class _Ear:
    """The listeners of one engine: what they report is lost while it is not there, and waits while it stands still."""

    def __init__(self, socket_path: Path) -> None:
        self._path, self.lag = socket_path, _Lag()
        self._lines: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue(EAR_LINES_MAX)

    def take(self, op: str, fields: dict[str, Any]) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self._lines.put_nowait((op, fields))

    async def run(self) -> None:
        async with ControlClient(self._path, timeout_s=1.0) as engine:
            while True:
                op, fields = await self._lines.get()
                try:
                    await engine.report(op, **fields)
                    if op == "feed":
                        with self.lag.measured():
                            await engine.request("ping")
                except SyncError:
                    continue
