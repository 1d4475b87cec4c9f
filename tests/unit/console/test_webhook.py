"""Devices' messages over HTTP: no session, the engine's word, limits in size and number."""

import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from console.web import webhook
from console.web.app import create_app
from console.web.engine import EngineRefusedError
from console.web.live import EngineLostError
from console.web.webhook import ALTOGETHER, PER_ADDRESS, MessageRate
from hardware.keys import DeviceKey, key_ring
from hardware.messages import MAX_MESSAGE_BYTES, verify
from hardware.replay import ReplayState
from timebase import VirtualClock

PATH = "/api/v1/devices/eishalle/button-1/event"
ROOT = Path(__file__).parents[3]
DOCUMENTS = [(ROOT / "docs" / name).read_text() for name in ("console.md", "webhook.md")]
EVENTS_MAX = int(PER_ADDRESS[1])
KEY = b"0123456789abcdef" * 2


class Engine:
    """Answers as told; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, object]] = []
        self.answer: dict[str, Any] | Exception = {"admission": "accepted", "reason": ""}

    def subscribe(self) -> Any:
        raise EngineLostError("nobody listens here")

    async def request(self, op: str, **fields: object) -> dict[str, Any]:
        self.asked.append({"op": op, **fields})
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def app(tmp_path: Path, engine: Engine) -> FastAPI:
    return create_app(state_dir=tmp_path, clock=VirtualClock(), secure_cookies=True, engine=engine)


@pytest.fixture
async def sender(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Whoever has a device's key: no session, no Origin."""
    transport = httpx.ASGITransport(app=app, client=("192.0.2.7", 5000))
    async with httpx.AsyncClient(transport=transport, base_url="https://console.example") as client:
        yield client
    app.state.database.close()


async def test_a_message_reaches_the_engine_as_it_was_signed(sender: httpx.AsyncClient, engine: Engine) -> None:
    """The topic is the path's, the bytes are the body's."""
    response = await sender.post(PATH, content='cuebird1 00 11\n{"clock":"½"}'.encode())

    assert (response.status_code, response.json()) == (202, {"answer": "accepted", "reason": ""})
    message = {"topic": "cuebird/v1/eishalle/button-1/event", "message": 'cuebird1 00 11\n{"clock":"½"}'}
    assert engine.asked == [{"op": "device_message", **message}]


@pytest.mark.parametrize(
    ("answer", "status", "told"),
    [
        (
            {"admission": "duplicate", "reason": "message 01 was received before"},
            200,
            {"answer": "duplicate", "reason": "message 01 was received before"},
        ),
        ({"admission": "refused", "reason": "bad signature"}, 409, {"error": {"code": "refused", "message": "bad signature"}}),
        (EngineRefusedError("no device"), 409, {"error": {"code": "refused", "message": "no device"}}),
        (
            EngineLostError("it is gone"),
            503,
            {"error": {"code": "engine_lost", "message": "The engine did not take the message: it is gone"}},
        ),
    ],
)
async def test_the_sender_is_told_what_became_of_it(
    sender: httpx.AsyncClient, engine: Engine, answer: Any, status: int, told: dict[str, Any]
) -> None:
    """Accepted, duplicate, refused with the reason, or not taken at all."""
    engine.answer = answer

    response = await sender.post(PATH, content=b"x")

    assert (response.status_code, response.json()) == (status, told)


@pytest.mark.parametrize("body", [b"x" * (MAX_MESSAGE_BYTES + 1), b"x" * 70_000])
async def test_a_message_too_large_is_not_read_on(sender: httpx.AsyncClient, engine: Engine, body: bytes) -> None:
    """No more than a message may have is kept, and the engine is not asked."""
    assert (await sender.post(PATH, content=body)).status_code == 413
    assert engine.asked == []


async def test_bytes_that_are_no_text_are_refused(sender: httpx.AsyncClient, engine: Engine) -> None:
    """A signed message is ASCII and UTF-8."""
    response = await sender.post(PATH, content=b"\xff\xfe")

    assert (response.status_code, response.json()["error"]["message"]) == (409, "not a signed message")
    assert engine.asked == []


@pytest.mark.parametrize("path", ["/api/v1/devices/eis halle/b/event", "/api/v1/devices/v/+/event", "/api/v1/devices/v/d/will"])
async def test_other_names_are_no_devices(sender: httpx.AsyncClient, engine: Engine, path: str) -> None:
    """What fits no topic is refused before the engine is asked."""
    assert (await sender.post(path, content=b"x")).status_code == 422
    assert engine.asked == []


@pytest.mark.parametrize("path", ["/api/v1/kill", "/api/v1/mode", "/api/v1/devices", "/api/v1/devicesx/v/d/event", "/logout"])
async def test_no_other_door_stands_open(sender: httpx.AsyncClient, engine: Engine, path: str) -> None:
    """Only a device's own two paths need neither origin nor session."""
    response = await sender.post(path, content=b"{}")
    assert (response.status_code, response.json()["error"]["code"]) == (403, "foreign_origin")
    assert engine.asked == []


async def test_only_posting_is_open(sender: httpx.AsyncClient) -> None:
    """Reading needs a session as everywhere."""
    assert (await sender.get(PATH)).status_code == 401


async def test_one_sender_too_fast_is_told_to_wait(sender: httpx.AsyncClient, engine: Engine) -> None:
    """The engine is spared; Retry-After says how long."""
    for _ in range(EVENTS_MAX):
        assert (await sender.post(PATH, content=b"x")).status_code == 202

    response = await sender.post(PATH, content=b"x")

    assert (response.status_code, response.headers["retry-after"]) == (429, "1")
    assert len(engine.asked) == EVENTS_MAX


async def test_a_sender_too_fast_takes_nothing_from_others() -> None:
    """Each has its own allowance, and gets it back with time; addresses of one IPv6 network are one sender."""
    clock = VirtualClock()
    rate = MessageRate(clock)
    for _ in range(10 * EVENTS_MAX):
        rate.wait_s("192.0.2.1")
    for number in range(EVENTS_MAX):
        assert rate.wait_s(f"2001:db8::{number:x}") == 0

    assert rate.wait_s("192.0.2.2") == 0
    assert rate.wait_s("2001:db8::ffff") == pytest.approx(1 / PER_ADDRESS[0])
    await clock.advance(0.1)
    assert rate.wait_s("192.0.2.1") == 0


def test_all_senders_together_have_a_limit() -> None:
    """However many addresses somebody has, the engine verifies no more than this."""
    rate = MessageRate(VirtualClock())
    passed = sum(rate.wait_s(f"198.51.{number // 250}.{number % 250}") == 0 for number in range(1000))

    assert passed == ALTOGETHER[1]


def test_the_route_is_documented() -> None:
    """Both pages name it."""
    (path,) = {route.path for route in webhook.router.routes if isinstance(route, APIRoute)}
    assert all(f"POST {path}" in page for page in DOCUMENTS)


def test_the_example_signs_what_the_engine_believes(tmp_path: Path) -> None:
    """`examples/send_event.py` with nothing but the standard library makes a message that passes the verifier, once."""
    device = DeviceKey(venue="eishalle", device="button-1", fixture="final", key=KEY)
    (tmp_path / "key").write_bytes(KEY + b"\n")
    where = ["--venue", "eishalle", "--device", "button-1", "--fixture", "final", "--key-file", str(tmp_path / "key")]
    goal = ["goal", "--side", "home", "--home", "2", "--away", "1", "--player", "Ågren", "--print", *where]
    script = str(ROOT / "examples" / "send_event.py")
    printed = subprocess.run([sys.executable, "-I", script, *goal], capture_output=True, check=True, timeout=60).stdout

    name = ("eishalle", "button-1")
    verified = verify(
        "cuebird/v1/eishalle/button-1/event",
        printed,
        keys={name: key_ring(device)},
        fixtures={name: "final"},
        now_utc_ns=time.time_ns(),
        replay=ReplayState(),
        freshness_s=60.0,
    )

    assert (verified.event.type, verified.event.ordinal, verified.event.player) == ("goal", 2, "Ågren")
