"""How long an event takes from its publication to the engine; the figures are printed, never judged (run with -s)."""

import asyncio
import hashlib
import shutil
import socket
from pathlib import Path
from typing import Literal

import pytest

from hardware.events import ScoreEvent, ScoreKind, Side
from hardware.keys import DeviceKey, key_id
from hardware.link import LinkHandlers, MqttLink
from hardware.messages import EventBody, sign
from hardware.mqtt import BrokerAddress, client, entered
from hardware.topics import DeviceTopic
from hardware.ulid import new_ulid
from timebase import SystemClock

EVENTS = 200
DEVICE = DeviceKey(venue="eishalle", device="oes-1", fixture="final", key=b"0123456789abcdef" * 2)
TOPIC = DeviceTopic(venue="eishalle", device="oes-1", leaf="event")


def goal(sequence: int, boot: str, now_ns: int) -> bytes:
    body = EventBody(
        version=1,
        id=new_ulid(now_ns),
        boot=boot,
        sequence=sequence,
        venue="eishalle",
        device="oes-1",
        fixture="final",
        type=ScoreKind.GOAL,
        side=Side.HOME,
        delta=1,
        home=1,
        away=0,
        ordinal=1,
        period="1",
        clock="10:00",
        t_event_ns=now_ns,
        t_pub_ns=now_ns,
        clock_source="unknown",
        clock_error_us=None,
        confidence="checked",
        protocol="oes",
        frame_sha256=hashlib.sha256(b"").hexdigest(),
        key=key_id(DEVICE.key),
    )
    return sign(TOPIC, body, DEVICE.signing_key)


@pytest.mark.system
@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
async def test_every_event_arrives_and_its_way_is_timed(tmp_path: Path, protocol: Literal["3.1.1", "5"]) -> None:
    """Signing, aiomqtt, mosquitto, aiomqtt and verifying, one event at a time."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = BrokerAddress(port=probe.getsockname()[1], protocol=protocol)
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    assert program, "mosquitto is not installed: apt-get install mosquitto"
    (tmp_path / "mosquitto.conf").write_text(f"listener {address.port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n")
    quiet = asyncio.subprocess.DEVNULL
    broker = await asyncio.create_subprocess_exec(program, "-c", str(tmp_path / "mosquitto.conf"), stdout=quiet, stderr=quiet)
    clock, arrived = SystemClock(), asyncio.Queue[int]()

    async def on_score(_: ScoreEvent) -> None:
        arrived.put_nowait(clock.mono_ns())

    async def ignore(_: object) -> None:
        return None

    handlers = LinkHandlers(score=on_score, status=ignore, refusal=ignore, alarm=ignore, replay=ignore)
    link = MqttLink(address=address, devices=(DEVICE,), handlers=handlers, clock=clock)
    boot, took_ms = new_ulid(1), list[float]()
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(link.run())
        await link.connected.wait()
        async with entered(client(address)) as publisher:
            for sequence in range(1, EVENTS + 1):
                begin_ns = clock.mono_ns()
                message = goal(sequence, boot, round(clock.utc().timestamp() * 1e9))
                await publisher.deliver(str(TOPIC), message, retain=False)
                took_ms.append((await arrived.get() - begin_ns) / 1e6)
        listening.cancel()
    broker.terminate()
    await broker.wait()

    took_ms.sort()
    print(
        f"\nMQTT {protocol}, mosquitto: p50 {took_ms[EVENTS // 2]:.2f} ms, p99 {took_ms[EVENTS * 99 // 100]:.2f} ms, n = {EVENTS}"
    )
    assert len(took_ms) == EVENTS
    assert arrived.empty()
