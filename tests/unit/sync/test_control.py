"""The control socket: what clients ask, what they are told, and what they cannot break."""

import asyncio
import contextlib
import json
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fingerprints.events import Detection
from sync.client import ControlClient
from sync.control import EVENTS_WAITING_MAX, ControlServer, control_server
from sync.errors import ControlError, EngineUnreachableError, LedgerError, SyncError
from sync.snapshot import JsonObject
from sync.wire import DetectionReport, Kill, Ping, Reload, Request, SetMode

DETECTION = Detection(
    spot_id="kaffee-30",
    spot_ids=("kaffee-20", "kaffee-30"),
    feed_id="nord-main",
    onset_s=21.4,
    decided_s=21.7,
    score=41.0,
    threshold=38.0,
    speed=1.0,
    onset_mono_ns=1,
    decided_mono_ns=2,
    decided_utc=datetime(2027, 3, 1, 12, tzinfo=UTC),
)


class Desk:
    """Answers with what it was asked."""

    def __init__(self) -> None:
        self.seen: list[Request] = []

    async def answer(self, request: Request) -> JsonObject:
        self.seen.append(request)
        match request:
            case SetMode():
                raise ControlError("refused", "not now")
            case Reload():
                raise LedgerError("the disk is full")
            case Kill():
                raise RuntimeError("a bug")
            case Ping():
                return {"mono_ns": 1}
            case _:
                return {}

    def snapshot(self) -> JsonObject:
        return {"engine": {"pid": 1}}


@pytest.fixture
def path() -> Iterator[Path]:
    """A socket path short enough for the kernel, wherever pytest keeps its folders."""
    with tempfile.TemporaryDirectory(prefix="cb", dir="/tmp") as folder:
        yield Path(folder) / "engine.sock"


def permissions(path: Path) -> int:
    return path.stat().st_mode & 0o777


def is_there(path: Path) -> bool:
    return path.exists()


def abandon_socket(path: Path) -> None:
    """Leave what a killed engine leaves: a socket nobody accepts on."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))


@contextlib.asynccontextmanager
async def serving(path: Path) -> AsyncIterator[tuple[Desk, ControlServer, ControlClient]]:
    desk = Desk()
    async with control_server(path, desk) as server, ControlClient(path) as client:
        yield desk, server, client


async def test_request_is_answered(path: Path) -> None:
    """A request gets the desk's result; the socket is nobody else's to open."""
    async with serving(path) as (_, _, client):
        assert await client.request("ping") == {"mono_ns": 1}
        assert permissions(path) == 0o600


async def test_dataclasses_travel(path: Path) -> None:
    """A detection sent as a report arrives equal, and gets no reply."""
    async with serving(path) as (desk, _, client):
        await client.report("detection", detection=DETECTION)
        await client.request("ping")
        assert isinstance(desk.seen[0], DetectionReport)
        assert desk.seen[0].detection == DETECTION


@pytest.mark.parametrize(
    ("op", "fields", "code", "words"),
    [
        ("mode", {"mode": "LIVE", "actor": "ops"}, "refused", "not now"),
        ("mode", {"mode": "LOUD", "actor": "ops"}, "bad_request", "mode: mode"),
        ("mode", {"mode": "LIVE"}, "bad_request", "actor"),
        ("ping", {"extra": 1}, "bad_request", "extra"),
        ("reload", {}, "ledger", "disk is full"),
        ("kill", {"actor": "ops", "reason": "x"}, "internal", "log"),
        ("shout", {}, "unknown_op", "shout"),
        ("detection", {"detection": {"spot_id": "a"}}, "bad_request", "detection"),
    ],
)
async def test_refusals_carry_code_and_sentence(path: Path, op: str, fields: JsonObject, code: str, words: str) -> None:
    """Every refusal has a code for programs and a sentence for people, and the connection lives on."""
    async with serving(path) as (_, _, client):
        with pytest.raises(ControlError, match=words) as caught:
            await client.request(op, **fields)
        assert caught.value.code == code
        assert await client.request("ping") == {"mono_ns": 1}


async def test_naive_instant_is_refused(path: Path) -> None:
    """An instant without a zone never reaches the engine."""
    async with serving(path) as (_, _, client):
        naive = {
            **json.loads(json.dumps({"spot_ids": ["a"], "spot_id": "a", "feed_id": "f"})),
            "decided_utc": "2027-03-01T12:00:00",
        }
        numbers = dict.fromkeys(("onset_s", "decided_s", "score", "threshold", "speed", "onset_mono_ns", "decided_mono_ns"), 1)
        with pytest.raises(ControlError, match="timezone"):
            await client.request("detection", detection={**naive, **numbers})


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe\n",
        b"[]\n",
        b"{\n",
        b'{"id": true, "op": "ping"}\n',
        b'{"id": 1, "op": "ping", "x": 1e999}\n',
        b"[" * 5000 + b"\n",
    ],
)
async def test_broken_lines_are_answered(path: Path, line: bytes) -> None:
    """A line that is no request is refused in words and the connection lives on."""
    async with serving(path):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(line + b'{"id": 2, "op": "ping"}\n')
        assert json.loads(await reader.readline())["error"]["code"] == "bad_request"
        assert json.loads(await reader.readline())["ok"]
        writer.close()
        await writer.wait_closed()


async def test_line_too_long_ends_the_connection(path: Path) -> None:
    """A line over the limit is refused and the connection closed."""
    async with serving(path):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"x" * (2 << 20))
        assert json.loads(await reader.readline())["error"]["code"] == "bad_request"
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.transport.abort()


async def test_events_begin_with_the_snapshot(path: Path) -> None:
    """A subscriber sees the snapshot first, then every event with a rising number."""
    async with serving(path) as (_, server, client):
        events = client.events()
        first = await anext(events)
        for number in range(3):
            server.publish("alarm", {"n": number})
        rest = [await anext(events) for _ in range(3)]
        assert (first.event, first.data) == ("snapshot", {"engine": {"pid": 1}})
        assert [(event.event, event.seq, event.data["n"]) for event in rest] == [
            ("alarm", 1, 0),
            ("alarm", 2, 1),
            ("alarm", 3, 2),
        ]
        await events.aclose()  # type: ignore[attr-defined]  # an async generator, typed as its interface


async def test_slow_subscriber_is_dropped(path: Path) -> None:
    """A subscriber that does not read is disconnected; the others keep their stream."""
    async with serving(path) as (_, server, client):
        slow_reader, slow_writer = await asyncio.open_unix_connection(path)
        slow_writer.write(b'{"id": 1, "op": "subscribe"}\n')
        await slow_reader.readline()
        for _ in range(EVENTS_WAITING_MAX + 200):
            server.publish("feed", {"pad": "x" * 20_000})
        await asyncio.sleep(0)
        assert server.subscribers == 0
        assert await client.request("ping")
        slow_writer.transport.abort()


async def test_second_engine_is_refused_and_abandoned_socket_taken_over(path: Path) -> None:
    """A socket that answers is left alone; one that nobody serves is replaced, and removed at the end."""
    async with serving(path):
        with pytest.raises(SyncError, match="another engine"):
            async with control_server(path, Desk()):
                pass
    abandon_socket(path)
    async with serving(path) as (_, _, client):
        assert await client.request("ping")
    assert not is_there(path)


async def test_nobody_there(path: Path) -> None:
    """Without an engine every call says so in one sentence."""
    client = ControlClient(path)
    with pytest.raises(EngineUnreachableError, match="is it running"):
        await client.request("ping")
    with pytest.raises(EngineUnreachableError, match="is it running"):
        await client.report("ping")
    with pytest.raises(EngineUnreachableError, match="is it running"):
        await anext(aiter(client.events()))


async def test_engine_that_goes_away_ends_the_events(path: Path) -> None:
    """When the engine ends, the stream of events ends and the next request says so."""
    client = ControlClient(path)
    async with control_server(path, Desk()):
        events = client.events()
        await anext(events)
    assert [event async for event in events] == []
    with pytest.raises(EngineUnreachableError):
        await client.request("ping")


async def test_path_too_long(tmp_path: Path) -> None:
    """A path the kernel cannot hold is refused in words."""
    with pytest.raises(SyncError, match="shorter state_dir"):
        async with control_server(tmp_path / ("x" * 120), Desk()):
            pass
