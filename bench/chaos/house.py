"""A running house: two engines on one ledger, mosquitto, the sandbox; whatever ends comes back."""

import asyncio
import contextlib
import signal
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.chaos.disk import SmallDisk
from bench.chaos.engine import EngineOrder
from bench.chaos.postgresql import PostgreSql
from bench.chaos.processes import CLOCK, Broker, Life, Nursery, StuckError, free_port, within
from bench.chaos.sandbox import SandboxOrder
from bench.chaos.scene import FIXTURES, scene
from bench.chaos.steps import Step, lay_fuse
from bench.firing.scene import Scene, write_ledger
from sync.setup import LEDGER_NAME

LOCKED_S = 0.5
"""A transaction that is not over by then is not going on: it takes a few milliseconds."""
AGAIN_S = 0.02
"""How long after a process's end its next life begins."""


@dataclass
class Place:
    """Where one process lives, life after life.

    Attributes:
        fuse: at which step its next life is to end; then the lives after it go on.
    """

    name: str
    order: EngineOrder | SandboxOrder
    log: Path
    nursery: Nursery
    fuse: Step | None = None
    life: Life | None = None
    lives: int = 0
    stopped: bool = False

    async def keep(self) -> None:
        """Begin a new life at each end, until cancelled.

        Raises:
            StuckError: it has ended by an error of its own.
        """
        while True:
            if isinstance(self.order, EngineOrder):
                lay_fuse(Path(self.order.state_dir), self.fuse)
            self.fuse = None
            self.life = await self.nursery.start(self.name, self.order, log=self.log)
            self.lives += 1
            await self.life.ended.wait()
            if self.life.exit_code > 0:
                words = await asyncio.to_thread(self.log.read_text)
                raise StuckError(f"{self.name} failed, which nothing that is done to it explains: {words.strip()[-500:]}")
            await CLOCK.sleep(AGAIN_S)

    def burn(self, step: Step | None, passes: int = 1) -> None:
        """Tell the present life at which step it ends."""
        assert isinstance(self.order, EngineOrder)
        lay_fuse(Path(self.order.state_dir), step, passes)
        if self.life is not None:
            self.life.signal(signal.SIGUSR1)


@dataclass
class House:
    """Everything that runs, and how to ask for it.

    Attributes:
        engines: main and standby; which is which changes.
        room: the ledger's own file system; None with PostgreSQL.
        database: None with SQLite.
    """

    folder: Path
    scene: Scene
    engines: tuple[Place, Place]
    sandbox: Place
    broker: Broker
    page_url: str
    room: SmallDisk | None
    database: PostgreSql | None
    keepers: list["asyncio.Task[None]"] = field(default_factory=list)

    @property
    def order(self) -> EngineOrder:
        """What the first engine is started with."""
        assert isinstance(self.engines[0].order, EngineOrder)
        return self.engines[0].order

    def is_locked(self) -> bool:
        """Whether a process holds the ledger's file and does not let go; False with PostgreSQL, which ends such a session."""
        if self.database is not None:
            return False
        with contextlib.closing(sqlite3.connect(self.order.ledger, timeout=LOCKED_S, isolation_level=None)) as ledger:
            try:
                ledger.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
            ledger.execute("ROLLBACK")
        return False

    def firing(self) -> Place | None:
        """The engine that fires; None while none does."""
        able = [
            (place.life.ready_ns, number)
            for number, place in enumerate(self.engines)
            if place.life and place.life.ready.is_set() and not place.life.ended.is_set() and not place.stopped
        ]
        return self.engines[max(able)[1]] if able else None

    async def until_firing(self) -> Place:
        """The engine that fires, once one does and the sandbox answers."""

        async def look() -> Place:
            while True:
                sandbox, found = self.sandbox.life, self.firing()
                if found is not None and sandbox is not None and sandbox.ready.is_set() and not sandbox.ended.is_set():
                    return found
                if broken := next((keeper for keeper in self.keepers if keeper.done()), None):
                    broken.result()
                await CLOCK.sleep(0.005)

        found: Place = await within(look(), "an engine fires")
        return found

    async def other_fires(self, than: Place) -> Place:
        """The other engine, once it has taken over."""

        async def look() -> Place:
            while (found := self.firing()) is None or found is than:
                await CLOCK.sleep(0.01)
            return found

        found: Place = await within(look(), f"the standby takes over from {than.name}")
        return found


@contextlib.asynccontextmanager
async def house(folder: Path, nursery: Nursery, *, postgresql: bool = False, bug: str = "") -> AsyncIterator[House]:
    """A house in an empty folder, up and firing.

    Raises:
        BenchError: a program is not installed.
        StuckError: something does not come up.
    """
    async with contextlib.AsyncExitStack() as stack:
        database = await stack.enter_async_context(PostgreSql.running()) if postgresql else None
        room = None if postgresql else SmallDisk(folder / "ledger")
        if room is not None:
            stack.callback(room.release)
        broker = Broker(folder)
        await broker.start()
        stack.push_async_callback(broker.kill)
        built = _build(folder, nursery, broker, database, room, bug=bug)
        order = built.order
        await asyncio.to_thread(write_ledger, built.scene, order.target, CLOCK, audit=order.audit_files)
        await _kept(stack, built, built.sandbox)
        await within(_ready(built.sandbox), "the sandbox is ready")
        for place in built.engines:
            await _kept(stack, built, place)
            await built.until_firing()
        yield built


def _build(
    folder: Path, nursery: Nursery, broker: Broker, database: PostgreSql | None, room: SmallDisk | None, *, bug: str
) -> House:
    told = scene()
    sandbox_dir, api_port, page_port = folder / "sandbox", free_port(), free_port()
    ledger = str(folder / "ledger" / LEDGER_NAME) if database is None else database.url
    for name in ("sandbox", "main", "standby", "ledger"):
        (folder / name).mkdir(exist_ok=True)

    def engine(name: str) -> Place:
        order = EngineOrder(
            state_dir=str(folder / name),
            ledger=ledger,
            audit_dir=str(folder / "ledger"),
            accounts=told.accounts,
            fixtures=FIXTURES,
            mqtt_port=broker.port,
            api_base=f"https://127.0.0.1:{api_port}",
            sandbox_dir=str(sandbox_dir),
            bug=bug,
        )
        return Place(name=name, order=order, log=folder / f"{name}.err", nursery=nursery)

    sandbox_order = SandboxOrder(folder=str(sandbox_dir), accounts=told.accounts, api_port=api_port, page_port=page_port)
    return House(
        folder=folder,
        scene=told,
        engines=(engine("main"), engine("standby")),
        sandbox=Place(name="sandbox", order=sandbox_order, log=folder / "sandbox.err", nursery=nursery),
        broker=broker,
        page_url=f"http://127.0.0.1:{page_port}/",
        room=room,
        database=database,
    )


async def _kept(stack: contextlib.AsyncExitStack, built: House, place: Place) -> None:
    keeper = asyncio.create_task(place.keep(), name=f"keep {place.name}")
    built.keepers.append(keeper)

    async def end() -> None:
        keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError, StuckError):
            await keeper
        if place.life is not None:
            place.life.signal(signal.SIGCONT)
            await place.life.kill()

    stack.push_async_callback(end)


async def _ready(place: Place) -> None:
    while place.life is None or not place.life.ready.is_set():
        await CLOCK.sleep(0.01)
