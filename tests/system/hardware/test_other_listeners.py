"""What a gateway tells others than the engine, over a real mosquitto: Home Assistant, and plants that speak Sparkplug."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiomqtt
import pytest

from bench.hardware.secure_broker import SecureBroker, secure_broker
from hardware.gateway import Gateway, GatewaySettings
from hardware.keys import DeviceKey
from hardware.mqtt import client, entered, tls_context
from hardware.scoreboards.board import Board
from hardware.scoreboards.oes import encode
from hardware.simulator import TcpLine, tcp_line
from timebase import SystemClock

pytestmark = pytest.mark.system

PATIENCE_S = 30.0
KEY = DeviceKey(venue="eishalle", device="oes-1", fixture="final", key=b"0123456789abcdef" * 4)
ACCESS = """
user listener
topic readwrite #
user oes-1
topic write homeassistant/device/cuebird-eishalle-oes-1/config
topic write spBv1.0/halls/NBIRTH/oes-1
topic write spBv1.0/halls/NDATA/oes-1
topic write spBv1.0/halls/NDEATH/oes-1
topic read spBv1.0/halls/NCMD/oes-1
"""


class Listener:
    """Hears everything there is."""

    def __init__(self, connection: aiomqtt.Client) -> None:
        self.connection, self.heard = connection, list[tuple[str, bytes]]()
        self._changed = asyncio.Condition()

    async def listen(self) -> None:
        async for message in self.connection.messages:
            async with self._changed:
                self.heard.append((message.topic.value, message.payload))
                self._changed.notify_all()

    async def until(self, topic: str, *, holds: bytes = b"", times: int = 1) -> bytes:
        """Return the newest message on a topic once so many that hold these bytes have come."""
        async with asyncio.timeout(PATIENCE_S), self._changed:
            await self._changed.wait_for(lambda: len(self._of(topic, holds)) >= times)
        return self._of(topic, holds)[-1]

    def _of(self, topic: str, holds: bytes) -> list[bytes]:
        return [payload for heard, payload in self.heard if heard == topic and holds in payload]


@contextlib.asynccontextmanager
async def listening(broker: SecureBroker) -> AsyncIterator[Listener]:
    address = broker.address("listener")
    async with entered(client(address, tls=tls_context(address))) as connection:
        await connection.subscribe("#", qos=0)
        listener = Listener(connection)
        task = asyncio.create_task(listener.listen())
        yield listener
        task.cancel()
        await asyncio.wait({task})


async def show(line: TcpLine, boards: list[Board]) -> None:
    while True:
        for frame in encode(boards[0]):
            line.send(frame)
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("wanted", [True, False], ids=["both", "neither"])
async def test_a_gateway_is_known_to_others_where_that_is_wanted(tmp_path: Path, *, wanted: bool) -> None:
    """Discovery once; a birth, what changes, a birth again on command, a death: or nothing at all."""
    boards = [Board(home=2, away=1, clock_tenths=6000, period="3", running=True)]
    async with (
        secure_broker(tmp_path, venue="eishalle", names=("oes-1", "listener"), access=ACCESS) as broker,
        tcp_line("127.0.0.1", 0) as line,
        listening(broker) as listener,
    ):
        settings = GatewaySettings(
            identity=KEY, sport="ice_hockey", protocol="oes", source=line.address, address=broker.address("oes-1"),
            home_assistant="homeassistant" if wanted else None, sparkplug="halls" if wanted else None,
        )  # fmt: skip
        showing = asyncio.create_task(show(line, boards))
        gateway = asyncio.create_task(Gateway(settings, clock=SystemClock()).run())
        await listener.until("cuebird/v1/eishalle/oes-1/state", holds=b'"home":2')
        if wanted:
            told = json.loads(await listener.until("homeassistant/device/cuebird-eishalle-oes-1/config"))
            assert told["state_topic"] == "cuebird/v1/eishalle/oes-1/state"
            birth = await listener.until("spBv1.0/halls/NBIRTH/oes-1")
            assert b"Score/Home" in birth
            boards[0] = Board(home=3, away=1, clock_tenths=6000, period="3", running=True)
            await listener.until("spBv1.0/halls/NDATA/oes-1", holds=b"Score/Home")
            await listener.connection.publish("spBv1.0/halls/NCMD/oes-1", b"Node Control/Rebirth", qos=1)
            await listener.until("spBv1.0/halls/NBIRTH/oes-1", times=2)
        gateway.cancel()
        await asyncio.wait({gateway})
        await listener.until("cuebird/v1/eishalle/oes-1/state", holds=b"the gateway was stopped")
        if wanted:
            await listener.until("spBv1.0/halls/NDEATH/oes-1")
        else:
            assert {topic.split("/")[0] for topic, _ in listener.heard} == {"cuebird"}
        showing.cancel()
        await asyncio.wait({showing})
