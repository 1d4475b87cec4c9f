"""The brokers that gateway and link must work with, and a match played by hand."""

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeVar

import aiomqtt
import pytest

from hardware.broker import EmbeddedBroker
from hardware.events import DeviceState, DeviceStatus, Refusal, ScoreEvent
from hardware.gateway import Gateway, GatewaySettings
from hardware.keys import DeviceKey
from hardware.link import LinkHandlers, MqttLink
from hardware.mqtt import BrokerAddress
from hardware.replay import ReplayState
from hardware.scoreboards.board import Board
from hardware.scoreboards.oes import encode
from hardware.simulator import TcpLine, tcp_line
from timebase import Backoff, Clock, SystemClock

T = TypeVar("T")
PATIENCE_S = 20.0
DEVICE = DeviceKey(venue="eishalle", device="oes-1", fixture="final", key=b"0123456789abcdef" * 4)
EVENT_TOPIC = "cuebird/v1/eishalle/oes-1/event"
STATE_TOPIC = "cuebird/v1/eishalle/oes-1/state"


class RunningBroker(Protocol):
    """A broker under test that can be stopped and started on one port."""

    address: BrokerAddress

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class Embedded:
    def __init__(self, port: int) -> None:
        self.address = BrokerAddress(port=port, protocol="3.1.1")
        self._stack = contextlib.AsyncExitStack()

    async def start(self) -> None:
        await self._stack.enter_async_context(EmbeddedBroker(self.address.host, self.address.port))

    async def stop(self) -> None:
        await self._stack.aclose()


class Mosquitto:
    def __init__(self, port: int, folder: Path, protocol: Literal["3.1.1", "5"], *, more: str = "") -> None:
        self.address = BrokerAddress(port=port, protocol=protocol)
        self._config = folder / "mosquitto.conf"
        settings = f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\npersistence false\n"
        self._config.write_text(settings + more)
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
        assert program, "mosquitto is not installed: apt-get install mosquitto"
        quiet = asyncio.subprocess.DEVNULL
        self._process = await asyncio.create_subprocess_exec(program, "-c", str(self._config), stdout=quiet, stderr=quiet)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection(self.address.host, self.address.port)
                    writer.close()
                    await writer.wait_closed()
                    return
                await asyncio.sleep(0.02)

    async def stop(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            await self._process.wait()
            self._process = None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(
    params=[
        pytest.param("embedded", id="embedded"),
        pytest.param("3.1.1", id="mosquitto-3.1.1", marks=pytest.mark.system),
        pytest.param("5", id="mosquitto-5", marks=pytest.mark.system),
    ]
)
async def broker(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RunningBroker]:
    """Each broker in turn, running."""
    port = free_port()
    running: RunningBroker = Embedded(port) if request.param == "embedded" else Mosquitto(port, tmp_path, request.param)
    await running.start()
    yield running
    await running.stop()


@pytest.fixture(params=["3.1.1", "5"])
async def mosquitto(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RunningBroker]:
    """A broker that keeps events for an engine that is away, in both versions of the protocol."""
    running = Mosquitto(free_port(), tmp_path, request.param)
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
async def unlimited_mosquitto(tmp_path: Path) -> AsyncIterator[RunningBroker]:
    """A broker that sends everything at once, however little was acknowledged."""
    running = Mosquitto(free_port(), tmp_path, "3.1.1", more="max_inflight_messages 0\nmax_queued_messages 0\n")
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
async def mosquitto_5(tmp_path: Path) -> AsyncIterator[RunningBroker]:
    """A broker that says what becomes of a publication."""
    running = Mosquitto(free_port(), tmp_path, "5")
    await running.start()
    yield running
    await running.stop()


@dataclass
class Received:
    """Everything the link has delivered."""

    scores: list[ScoreEvent] = field(default_factory=list)
    unheard: list[DeviceStatus] = field(default_factory=list)
    statuses: list[DeviceStatus] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    replays: list[ReplayState] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def handlers(self) -> LinkHandlers:
        return LinkHandlers(
            score=self._into(self.scores),
            status=self._status,
            refusal=self._into(self.refusals),
            alarm=self._into(self.alarms),
            replay=self._into(self.replays),
        )

    async def _status(self, status: DeviceStatus) -> None:
        """What is said of a device before it says anything itself is kept apart."""
        await self._into(self.statuses if status.seen_mono_ns else self.unheard)(status)

    def _into(self, target: list[T]) -> Callable[[T], Awaitable[None]]:
        async def deliver(item: T) -> None:
            target.append(item)
            async with self.changed:
                self.changed.notify_all()

        return deliver

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return once `holds()`; fail when it does not within the patience of a test."""
        async with asyncio.timeout(PATIENCE_S), self.changed:
            await self.changed.wait_for(holds)

    async def until_scores(self, *expected: tuple[int, int]) -> None:
        """Return once the last event's score is the last expected, then check that these came and no others."""
        await self.until(lambda: bool(self.scores) and (self.scores[-1].home, self.scores[-1].away) == expected[-1])
        assert [(event.home, event.away) for event in self.scores] == list(expected)


@dataclass
class Tasks:
    """The tasks of one match."""

    group: asyncio.TaskGroup
    running: list[asyncio.Task[None]] = field(default_factory=list)

    def create(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = self.group.create_task(work)
        self.running.append(task)
        return task


@dataclass
class Match:
    """A console played by hand, its gateway, a link, and a stranger who listens in."""

    broker: RunningBroker
    tasks: Tasks
    line: TcpLine
    received: Received = field(default_factory=Received)
    board: Board = field(default_factory=lambda: Board(clock_tenths=6000, period="1", running=True))
    captured: list[bytes] = field(default_factory=list)

    def show(self, *, home: int, away: int) -> None:
        """Let the console show this score from now on."""
        self.board = Board(home=home, away=away, clock_tenths=self.board.clock_tenths - 1, period="1", running=True)

    async def play(self) -> None:
        while True:
            for frame in encode(self.board):
                self.line.send(frame)
            await asyncio.sleep(0.02)

    async def start_link(
        self,
        *,
        handlers: LinkHandlers | None = None,
        replay: ReplayState | None = None,
        clock: Clock | None = None,
        identifier: str | None = "engine",
        device: DeviceKey = DEVICE,
    ) -> asyncio.Task[None]:
        """Run a link until its task is cancelled; back when it is subscribed."""
        link = MqttLink(
            address=self.broker.address,
            devices=(device,),
            handlers=handlers or self.received.handlers,
            clock=clock or SystemClock(),
            replay=replay,
            identifier=identifier,
            backoff=Backoff(first_s=0.05, most_s=0.2),
        )
        task = self.tasks.create(link.run())
        async with asyncio.timeout(PATIENCE_S):
            await link.connected.wait()
        return task

    async def start_gateway(self, *, freshness_s: float = 5.0) -> asyncio.Task[None]:
        """Run the gateway until its task is cancelled; back when it has a baseline."""
        settings = GatewaySettings(
            identity=DEVICE,
            sport="ice_hockey",
            protocol="oes",
            source=self.line.address,
            address=self.broker.address,
            freshness_s=freshness_s,
        )
        gateway = Gateway(settings, clock=SystemClock())
        task = self.tasks.create(gateway.run())
        shown = (self.board.home, self.board.away)
        await self.received.until(
            lambda: (
                bool(self.received.statuses)
                and self.received.statuses[-1].state is DeviceState.ONLINE
                and (self.received.statuses[-1].home, self.received.statuses[-1].away) == shown
            )
        )
        return task

    async def listen_in(self) -> None:
        """Keep every event message that passes, as anyone on the broker could."""
        subscribed = asyncio.Event()

        async def keep() -> None:
            async with aiomqtt.Client(self.broker.address.host, self.broker.address.port) as stranger:
                await stranger.subscribe(EVENT_TOPIC, qos=1)
                subscribed.set()
                async for message in stranger.messages:
                    # amqtt hands every new client the retained messages of other clients' subscriptions.
                    if message.topic.value != EVENT_TOPIC:
                        continue
                    self.captured.append(message.payload)
                    async with self.received.changed:
                        self.received.changed.notify_all()

        self.tasks.create(keep())
        await subscribed.wait()

    async def publish(self, message: bytes, *, topic: str = EVENT_TOPIC, retain: bool = False) -> None:
        """Publish as a stranger; back when the broker has it."""
        async with aiomqtt.Client(self.broker.address.host, self.broker.address.port) as stranger:
            await stranger.publish(topic, message, qos=1, retain=retain)


Playing = Callable[[RunningBroker], contextlib.AbstractAsyncContextManager[Match]]


@contextlib.asynccontextmanager
async def _playing(broker: RunningBroker) -> AsyncIterator[Match]:
    async with tcp_line("127.0.0.1", 0) as line, asyncio.TaskGroup() as tasks:
        match = Match(broker, Tasks(tasks), line)
        match.tasks.create(match.play())
        yield match
        for task in match.tasks.running:
            task.cancel()


@pytest.fixture
def playing() -> Playing:
    """`async with playing(broker) as match:` a match at 0-0 on a running console; its tasks end with the block."""
    return _playing
