"""The engine's process: `python -m bench.firing.engine FOLDER`.

A whole engine over the folder's ledger. Goals are made up in the process itself (`Scoreboard`) when standard input asks for
them, so that no other program's speed limits the rate; they take the way of every goal, through a link's handlers.
"""

import asyncio
import itertools
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.firing.scene import CHANNEL, FEED, NO_CAPS, EngineOrder
from hardware.events import Admission, Answer, DeviceState, DeviceStatus, ScoreEvent, ScoreKind, Side
from hardware.keys import DeviceKey
from hardware.link import LinkHandlers, MqttLink
from hardware.mqtt import BrokerAddress
from hardware.replay import ReplayState
from sync.accounts import load_credentials
from sync.caps import CapLimits
from sync.engine import run_engine
from sync.publisher import XPublisher
from sync.setup import AccountSetup, EngineSetup, FixtureSetup
from timebase import SystemClock

ORDER_FILE = "engine.json"
VENUE, DEVICE, KEY = "bench", "board", b"0123456789abcdef" * 2
POINTS_MAX = 999
_TICK_S = 0.005

CLOCK = SystemClock()


class Scoreboard:
    """Scoreboards that score when told to: `{"rate": 800, "seconds": 2}` a line on standard input, answered when it is done."""

    def __init__(self, fixtures: tuple[str, ...], handlers: LinkHandlers, mqtt: MqttLink | None) -> None:
        self._fixtures, self._handlers, self._mqtt = fixtures, handlers, mqtt
        self._goals = self._every_goal()

    async def run(self) -> None:
        """Score as told until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            if self._mqtt is not None:
                tasks.create_task(self._mqtt.run(), name="mqtt")
            for fixture in self._fixtures:
                await self._handlers.status(_online(fixture))
            async for line in await _lines():
                order = json.loads(line)
                tasks.create_task(self._score(rate=order["rate"], seconds=order["seconds"]), name="goals")

    async def take(self, topic: str, payload: bytes) -> Answer:  # noqa: ARG002 - the port's signature
        """A message that came another way: nobody sends any."""
        return Answer(admission=Admission.REFUSED, reason="this scoreboard scores by itself")

    async def _score(self, *, rate: float, seconds: float) -> None:
        """So many goals a second, on average; those that are late come at once, as from a queue."""
        begin_ns, done = CLOCK.mono_ns(), 0
        while (passed_s := (CLOCK.mono_ns() - begin_ns) / 1e9) < seconds:
            while done < passed_s * rate:
                await self._handlers.score(next(self._goals))
                done += 1
                # As from a connection: one signal, and then whatever else waits.
                await asyncio.sleep(0)
            await asyncio.sleep(_TICK_S)
        print(json.dumps({"goals": done, "seconds": (CLOCK.mono_ns() - begin_ns) / 1e9}), flush=True)

    def _every_goal(self) -> Iterator[ScoreEvent]:
        for points, side, fixture in itertools.product(range(1, POINTS_MAX + 1), (Side.HOME, Side.AWAY), self._fixtures):
            now_ns = CLOCK.mono_ns()
            yield ScoreEvent(
                event_id=f"{fixture}-{side}-{points}",
                venue=VENUE,
                device=fixture,
                fixture=fixture,
                kind=ScoreKind.GOAL,
                side=side,
                delta=1,
                home=points if side is Side.HOME else 0,
                away=points if side is Side.AWAY else 0,
                ordinal=points,
                period="1",
                clock="12:34",
                event_utc=CLOCK.utc(),
                event_mono_ns=now_ns,
                received_mono_ns=now_ns,
            )


def _online(fixture: str) -> DeviceStatus:
    return DeviceStatus(
        venue=VENUE,
        device=fixture,
        state=DeviceState.ONLINE,
        fixture=fixture,
        home=0,
        away=0,
        clock="",
        period="1",
        good_frames=1,
        bad_frames=0,
        seen_mono_ns=CLOCK.mono_ns(),
    )


async def _lines() -> "asyncio.StreamReader":
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def run(folder: Path) -> None:
    """Run the folder's engine until terminated."""
    logging.basicConfig(filename=folder / "engine.log", level=logging.INFO)
    order = EngineOrder.read(folder / ORDER_FILE)
    credentials = [load_credentials(Path(order.sandbox_dir) / "credentials" / f"{name}.json") for name in order.accounts]
    publisher = XPublisher(
        credentials,
        clock=CLOCK,
        api_base=order.api_base,
        ca_file=Path(order.sandbox_dir) / "ca.pem",
        connections=order.connections,
        timeout_s=30.0,
    )

    def link(handlers: LinkHandlers, replay: ReplayState) -> Scoreboard:
        device = DeviceKey(venue=VENUE, device=DEVICE, fixture=order.mqtt_fixture or "none", key=KEY)
        mqtt = MqttLink(
            address=BrokerAddress(port=order.mqtt_port), devices=(device,), handlers=handlers, clock=CLOCK, replay=replay
        )
        return Scoreboard(order.fixtures, handlers, mqtt if order.mqtt_port else None)

    fixtures = (*order.fixtures, *([order.mqtt_fixture] if order.mqtt_fixture else []))
    await run_engine(
        EngineSetup(
            state_dir=folder,
            accounts=tuple(AccountSetup(account_id=name, handle=name) for name in order.accounts),
            feeds={FEED: CHANNEL},
            fixtures=tuple(FixtureSetup(fixture=name, home=f"{name} home", away=f"{name} away") for name in fixtures),
            publisher=publisher,
            link=link,
            clock=CLOCK,
            limits=CapLimits(spot=NO_CAPS, campaign=NO_CAPS, account=NO_CAPS, everything=NO_CAPS),
            on_ready=lambda: print(json.dumps({"ready": True}), flush=True),
        )
    )


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1])))
