"""What is done to a house, and in which order: written by a seed."""

import asyncio
import enum
import random
import signal
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.chaos.disk import limit_files
from bench.chaos.house import House, Place
from bench.chaos.processes import CLOCK, Life, StuckError, within
from bench.chaos.steps import AT_START, OF_A_KILL, Step
from bench.chaos.story import Story
from sync.client import ControlClient
from sync.errors import SyncError
from sync.setup import SOCKET_NAME
from sync.simulation import BrokenGuaranteeError

FUSE_PATIENCE_S = 2.0
"""How long a step may take to be reached; past it the engine is killed where it is."""
FENCED_PATIENCE_S = 30.0
"""How long an engine that wakes and is no longer the one that fires may take to notice and to end."""
PASSES_MAX = 4
KILLED_FOR_S = (0.25, 0.6)
FULL_FOR_S = (0.3, 1.0)
PAUSE_S = (0.3, 1.8)
"""A pause that is shorter than the lease: the engine that wakes is still the one that fires."""


class Kind(enum.StrEnum):
    """What is done."""

    STEP = "engine killed at a step"
    RANDOM = "engine killed at random"
    BOTH = "both engines killed"
    STOPPED = "engine stopped in order"
    PAUSED = "engine paused"
    REPLACED = "engine paused until the standby has taken over"
    SANDBOX = "sandbox killed"
    BROKER = "broker killed"
    DATABASE = "database server killed"
    FULL = "disk full"
    LIMITED = "files at their largest"
    SWITCH = "kill switch"
    SWITCH_RESTART = "kill switch, engine killed while it stands"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    """One thing that is done.

    Attributes:
        step: where the engine dies, for `STEP`, and for `SWITCH` perhaps.
        passes: the so manyth time the step is reached.
        after_s: how long all goes well before.
    """

    kind: Kind
    step: Step | None = None
    passes: int = 1
    after_s: float = 0.0

    def __str__(self) -> str:
        return f"{self.kind}: {self.step}" if self.step else str(self.kind)


_OTHERS = {
    Kind.RANDOM: 8,
    Kind.BOTH: 1,
    Kind.STOPPED: 1,
    Kind.PAUSED: 1,
    Kind.REPLACED: 1,
    Kind.SANDBOX: 3,
    Kind.BROKER: 1,
    Kind.LIMITED: 1,
    Kind.SWITCH: 1,
    Kind.SWITCH_RESTART: 1,
}
"""How often each kind comes in a turn, beside every step once."""


def plan(seed: int, *, postgresql: bool = False, full: bool = False) -> Iterator[Blow]:
    """Blows without end: turns of everything there is, each shuffled.

    Args:
        postgresql: there is a database server.
        full: there is a file system that can be filled.
    """
    rng = random.Random(f"blows {seed}")
    others = _OTHERS | ({Kind.DATABASE: 2, Kind.LIMITED: 0} if postgresql else {}) | ({Kind.FULL: 1} if full else {})
    while True:
        turn: list[tuple[Kind, Step | None]] = [(Kind.SWITCH if step in OF_A_KILL else Kind.STEP, step) for step in Step]
        turn += [(kind, None) for kind, times in others.items() for _ in range(times)]
        rng.shuffle(turn)
        for kind, step in turn:
            yield Blow(kind=kind, step=step, passes=rng.randint(1, PASSES_MAX), after_s=rng.uniform(0.02, 0.3))


class Striker:
    """Strikes a house's blows; returns from each once the house fires again.

    Attributes:
        missed: steps that were not reached in time, and what else went another way than planned, by how often.
    """

    def __init__(self, house: House, story: Story, seed: int, *, fenced_patience_s: float = FENCED_PATIENCE_S) -> None:
        self._house, self._story, self._fenced_patience_s = house, story, fenced_patience_s
        self._rng = random.Random(f"striker {seed}")
        self.missed: dict[str, int] = {}

    async def strike(self, blow: Blow) -> None:
        """Do it.

        Raises:
            StuckError: the house does not recover.
            BrokenGuaranteeError: an engine that was replaced goes on.
        """
        await CLOCK.sleep(blow.after_s)
        firing = await self._house.until_firing()
        strikes: dict[Kind, Callable[[], Awaitable[None]]] = {
            Kind.STEP: lambda: self._at_step(firing, blow),
            Kind.RANDOM: lambda: _life(firing).kill(),
            Kind.BOTH: self._both,
            Kind.STOPPED: lambda: self._stopped(firing),
            Kind.PAUSED: lambda: self._paused(firing),
            Kind.REPLACED: lambda: self._replaced(firing),
            Kind.SANDBOX: lambda: _life(self._house.sandbox).kill(),
            Kind.BROKER: self._broker,
            Kind.DATABASE: self._database,
            Kind.FULL: self._full,
            Kind.LIMITED: lambda: self._limited(firing),
            Kind.SWITCH: lambda: self._switch(firing, blow.step),
            Kind.SWITCH_RESTART: lambda: self._switch(firing, None, restart=True),
        }
        await strikes[blow.kind]()
        await self._house.until_firing()

    # --- the engine -----------------------------------------------------------------------------

    async def _at_step(self, firing: Place, blow: Blow) -> None:
        assert blow.step is not None
        life = _life(firing)
        if blow.step not in AT_START:
            firing.burn(blow.step, blow.passes)
            await self._ends_there(life, blow.step)
            return
        firing.fuse = blow.step
        await life.kill()
        while firing.life is life or firing.life is None:
            await CLOCK.sleep(0.005)
        await self._ends_there(firing.life, blow.step)
        firing.burn(None)

    async def _ends_there(self, life: Life, step: Step) -> None:
        try:
            async with asyncio.timeout(FUSE_PATIENCE_S):
                await life.ended.wait()
        except TimeoutError:
            self._count(step.name)
            await life.kill()

    def _count(self, what: str) -> None:
        self.missed[what] = self.missed.get(what, 0) + 1

    async def _both(self) -> None:
        lives = [_life(place) for place in self._house.engines]
        for life in lives:
            life.signal(signal.SIGKILL)
        for life in lives:
            await life.kill()

    async def _stopped(self, firing: Place) -> None:
        life = _life(firing)
        life.signal(signal.SIGTERM)
        await within(life.ended.wait(), f"{firing.name} stops in order")

    async def _paused(self, firing: Place) -> None:
        life = _life(firing)
        life.signal(signal.SIGSTOP)
        await CLOCK.sleep(self._rng.uniform(*PAUSE_S))
        life.signal(signal.SIGCONT)

    async def _replaced(self, firing: Place) -> None:
        life = _life(firing)
        firing.stopped = True
        life.signal(signal.SIGSTOP)
        try:
            if await asyncio.to_thread(self._house.is_locked):
                # It stands still in the middle of a transaction: nobody else can write before it goes on, or is gone.
                self._count("stopped in a transaction")
                await life.kill()
                return
            await self._house.other_fires(firing)
            await CLOCK.sleep(self._rng.uniform(0.0, 0.5))
        finally:
            life.signal(signal.SIGCONT)
            firing.stopped = False
        try:
            await within(life.ended.wait(), f"{firing.name} ends", self._fenced_patience_s)
        except StuckError as stuck:
            raise BrokenGuaranteeError("G1", f"{firing.name} has been replaced and goes on ({stuck})") from stuck

    # --- what it stands on ----------------------------------------------------------------------

    async def _broker(self) -> None:
        await self._house.broker.kill()
        await CLOCK.sleep(self._rng.uniform(0.0, 0.3))
        await self._house.broker.start()

    async def _database(self) -> None:
        assert self._house.database is not None
        self._house.database.kill()
        await CLOCK.sleep(self._rng.uniform(0.0, 0.3))
        await self._house.database.start()

    async def _full(self) -> None:
        room = self._house.room
        assert room is not None
        await asyncio.to_thread(room.fill)
        try:
            await CLOCK.sleep(self._rng.uniform(*FULL_FOR_S))
        finally:
            room.make_room()

    async def _limited(self, firing: Place) -> None:
        life = _life(firing)
        limit_files(life.pid, limited=True)
        await CLOCK.sleep(self._rng.uniform(*FULL_FOR_S))
        if not life.ended.is_set():
            limit_files(life.pid, limited=False)

    # --- the kill switch ------------------------------------------------------------------------

    async def _switch(self, firing: Place, step: Step | None, *, restart: bool = False) -> None:
        """Kill, wait, release; where the engine dies before it answers, nothing has been promised."""
        life = _life(firing)
        if step is not None:
            firing.burn(step)
        acknowledged_ns = await self._asked("kill")
        if step is not None:
            await self._ends_there(life, step)
        elif restart:
            await life.kill()
        await CLOCK.sleep(self._rng.uniform(*KILLED_FOR_S))
        await self._house.until_firing()
        while True:
            released_ns = CLOCK.mono_ns()
            if await self._asked("release"):
                break
            await CLOCK.sleep(0.02)
        if acknowledged_ns:
            self._story.truth.killed.append((acknowledged_ns, released_ns))

    async def _asked(self, op: str) -> int:
        """When the engine that fires has answered; 0 when it did not."""
        firing = await self._house.until_firing()
        path = Path(firing.order.state_dir) / SOCKET_NAME  # type: ignore[union-attr]
        async with ControlClient(path, timeout_s=5.0) as client:
            try:
                await client.request(op, actor="chaos", reason="a round of chaos")
            except SyncError:
                return 0
            return CLOCK.mono_ns()


def _life(place: Place) -> Life:
    assert place.life is not None
    return place.life
