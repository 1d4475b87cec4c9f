"""Nothing leaves after a no: the last look happens on an open connection, in the step that writes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sync.accounts import Credentials
from sync.posting import Certainty, Outcome, Shot
from sync.publisher import XPublisher
from sync.sandbox.authority import Authority
from timebase import SystemClock, VirtualClock

CREDENTIALS = Credentials.model_validate(
    {
        "account_id": "anna",
        "user_id": "17",
        "handle": "anna",
        "consumer_key": "k",
        "consumer_secret": "s",
        "access_token": "t",
        "access_token_secret": "u",
    }
)
BODY = b'{"text":"Goal!  ","paid_partnership":true}'
ANSWER = b'{"data":{"id":"5","text":"Goal!"}}'
CREATED = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER)


class Wire:
    """A TLS server that keeps every byte it is sent, and may hold each connection's handshake back."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.lost = asyncio.Event()
        self.connecting = asyncio.Event()
        self.let_in = asyncio.Event()
        self.let_in.set()
        self.port = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                self.received += data
                if BODY in self.received or b"DELETE" in self.received:
                    writer.write(CREATED)
        except ConnectionError:
            pass
        finally:
            self.lost.set()
            writer.close()

    async def hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connecting.set()
        await self.let_in.wait()
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self.port)
        async with asyncio.TaskGroup() as group:
            group.create_task(pipe(reader, inner_writer))
            group.create_task(pipe(inner_reader, writer))


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
    except ConnectionError:
        pass
    writer.close()


@asynccontextmanager
async def publisher_on_wire(folder: Path, clock: SystemClock | VirtualClock) -> AsyncIterator[tuple[XPublisher, Wire]]:
    wire = Wire()
    authority = Authority(folder, now_utc=datetime.now(UTC))
    server = await asyncio.start_server(wire.talk, "127.0.0.1", 0, ssl=authority.server_context())
    wire.port = server.sockets[0].getsockname()[1]
    relay = await asyncio.start_server(wire.hold, "127.0.0.1", 0)
    relay_port = relay.sockets[0].getsockname()[1]
    publisher = XPublisher([CREDENTIALS], clock=clock, api_base=f"https://127.0.0.1:{relay_port}", ca_file=authority.ca_file)
    try:
        yield publisher, wire
    finally:
        await publisher.close()
        relay.close()
        server.close()
        await asyncio.sleep(0.01)


def shot(clock: SystemClock | VirtualClock) -> Shot:
    return Shot(firing_id=1, account_id="anna", body=BODY, deadline_mono_ns=clock.mono_ns() + 2_000_000_000)


Send = Callable[[XPublisher, SystemClock, Callable[[], str | None]], Awaitable[Outcome]]


async def post(publisher: XPublisher, clock: SystemClock, withhold: Callable[[], str | None]) -> Outcome:
    return await publisher.post(shot(clock), withhold)


async def delete(publisher: XPublisher, clock: SystemClock, withhold: Callable[[], str | None]) -> Outcome:
    return await publisher.delete("anna", "5", withhold)


@pytest.mark.parametrize("send", [post, delete])
@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
async def test_a_withheld_request_leaves_no_byte_on_the_wire(send: Send, warm: bool, tmp_path: Path) -> None:
    """Not even the headers: the hooks stand before aiohttp's only write."""
    clock = SystemClock()
    async with publisher_on_wire(tmp_path, clock) as (publisher, wire):
        if warm:
            await publisher.warm("anna")
        outcome = await send(publisher, clock, lambda: "killed by ops")
        async with asyncio.timeout(5):
            await wire.lost.wait()

        assert (outcome.certainty, outcome.reason) == (Certainty.NOT_SENT, "killed by ops")
        assert outcome.first_byte_mono_ns is None
        assert outcome.warm is warm
        assert bytes(wire.received) == b""


@pytest.mark.parametrize("send", [post, delete])
async def test_a_kill_while_connecting_stops_the_request(send: Send, tmp_path: Path) -> None:
    """The reason appears only once the connection is being opened; asked before, it would have been none."""
    clock = SystemClock()
    asked: list[str | None] = []
    reason: list[str | None] = [None]

    def withhold() -> str | None:
        asked.append(reason[0])
        return reason[0]

    async with publisher_on_wire(tmp_path, clock) as (publisher, wire):
        wire.let_in.clear()
        sending = asyncio.ensure_future(send(publisher, clock, withhold))
        await wire.connecting.wait()
        reason[0] = "killed while connecting"
        wire.let_in.set()
        outcome = await sending

        assert outcome.certainty is Certainty.NOT_SENT
        assert asked == ["killed while connecting"]
        assert bytes(wire.received) == b""


async def test_a_deadline_that_passes_while_connecting_stops_the_request(tmp_path: Path) -> None:
    """Late is worse than never, also when only the handshake was slow."""
    clock = VirtualClock()
    async with publisher_on_wire(tmp_path, clock) as (publisher, wire):
        wire.let_in.clear()
        sending = asyncio.ensure_future(publisher.post(shot(clock), lambda: None))
        await wire.connecting.wait()
        await clock.advance(2.5)
        wire.let_in.set()
        outcome = await sending

        assert outcome.certainty is Certainty.NOT_SENT
        assert "deadline had passed by 500.0 ms" in outcome.reason
        assert bytes(wire.received) == b""


async def test_the_body_is_sent_byte_for_byte_and_only_once(tmp_path: Path) -> None:
    """What was approved and hashed is what leaves, under X's own host name."""
    clock = SystemClock()
    async with publisher_on_wire(tmp_path, clock) as (publisher, wire):
        before_mono_ns = clock.mono_ns()
        outcome = await publisher.post(shot(clock), lambda: None)

        head, _, body = bytes(wire.received).partition(b"\r\n\r\n")
        assert body == BODY
        assert head.startswith(b"POST /2/tweets HTTP/1.1\r\nHost: api.twitter.com\r\n")
        assert (outcome.certainty, outcome.tweet_id, outcome.http_status) == (Certainty.POSTED, "5", 201)
        assert outcome.first_byte_mono_ns is not None
        assert before_mono_ns < outcome.first_byte_mono_ns < outcome.answered_mono_ns


async def test_a_certificate_from_elsewhere_is_not_trusted(tmp_path: Path) -> None:
    """A stranger on the address gets nothing; and that is certain."""
    clock = SystemClock()
    async with publisher_on_wire(tmp_path, clock) as (_, wire):
        (tmp_path / "other").mkdir()
        other = Authority(tmp_path / "other", now_utc=datetime.now(UTC))
        port = wire.port
        stranger = XPublisher([CREDENTIALS], clock=clock, api_base=f"https://127.0.0.1:{port}", ca_file=other.ca_file)
        outcome = await stranger.post(shot(clock), lambda: None)
        await stranger.close()

        assert outcome.certainty is Certainty.NOT_SENT
        assert outcome.reason == "the service's certificate is not trusted"
        assert bytes(wire.received) == b""
