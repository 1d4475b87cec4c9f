"""Signed messages that come over the socket instead of the broker: one verifier, one memory, one goal."""

from collections.abc import Iterator
from datetime import timedelta

import aiomqtt
import pytest

from hardware.events import ScoreKind
from hardware.link import MqttLink
from sync.errors import ControlError
from sync.simulation.process import Process
from sync.simulation.storage import Storage
from sync.simulation.world import World
from sync.snapshot import JsonObject
from sync.wire import DeviceMessage
from tests.scenario.sync.test_engine_scenarios import check, virtual, world_of


@pytest.fixture(scope="module")
def storage() -> Iterator[Storage]:
    """One ledger in memory for all worlds, set back for each."""
    storage = Storage()
    yield storage
    storage.close()


async def post(world: World, process: Process, message: aiomqtt.Message) -> JsonObject:
    """Hand the engine a message as the console does."""
    for one in world.processes:
        world.truth.heard_live.add((one.number, world.clock.utc() - timedelta(milliseconds=50)))
    request = DeviceMessage(op="device_message", topic=message.topic.value, message=message.payload.decode())
    asked = process.begin(process.ask(request), name="ask")
    await world.clock.advance(0.1)
    return await asked


def goal(world: World) -> aiomqtt.Message:
    """A goal that happened a moment ago, signed."""
    utc = world.clock.utc() - timedelta(milliseconds=50)
    world.truth.of_goal[utc] = "goal 1, take 1"
    return world.signed(ScoreKind.GOAL, 1, event_utc=utc)


@virtual
async def test_a_goal_fires_once_whichever_way_it_comes(storage: Storage) -> None:
    """The same message over HTTP, over the broker, and again after a restart."""
    async with world_of(storage) as world:
        process = await world.start()
        await world.clock.advance(1)
        message = goal(world)
        assert await post(world, process, message) == {"admission": "accepted", "reason": ""}
        world.publish(message, event_utc=world.clock.utc() - timedelta(milliseconds=50))
        assert (await post(world, process, message))["admission"] == "duplicate"
        await world.clock.advance(1)
        await process.kill()
        process = await world.start()
        await world.clock.advance(0.1)
        told = await post(world, process, message)
        assert (told["admission"], "was received before" in told["reason"]) == ("duplicate", True)
        await world.clock.advance(2)
        assert len(world.texts("bank")) == 1
        check(world)


@virtual
async def test_what_is_not_believed_is_refused_with_its_reason(storage: Storage) -> None:
    """A changed byte and a message of another device's topic; each is counted against the device."""
    async with world_of(storage) as world:
        process = await world.start()
        await world.clock.advance(1)
        forged = goal(world)
        forged.payload = forged.payload.replace(b'"period":"1"', b'"period":"2"')
        elsewhere = goal(world)
        elsewhere.topic = aiomqtt.Topic("cuebird/v1/arena/oes-2/event")
        late = goal(world)

        assert await post(world, process, forged) == {"admission": "refused", "reason": "bad signature"}
        assert await post(world, process, elsewhere) == {"admission": "refused", "reason": "bad signature"}
        await world.clock.advance(6)
        assert "ago; 5 s is the limit" in (await post(world, process, late))["reason"]
        assert world.texts("bank") == []


@virtual
async def test_an_engine_without_devices_says_so(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nobody to verify it."""
    async with world_of(storage) as world:
        process = await world.start()
        assert process.engine is not None
        assert isinstance(process.engine._link, MqttLink)
        monkeypatch.setattr(process.engine, "_link", None)
        with pytest.raises(ControlError, match=r"no device is configured; add a \[\[device\]\]"):
            await post(world, process, goal(world))
