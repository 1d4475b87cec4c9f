"""Other ways to the same tweet, and the floors under all of them."""

import asyncio
import hashlib
import json
import secrets
import socket
import sqlite3
import ssl
import threading
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import aiomqtt
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from tweepy.asynchronous import AsyncClient

from bench.firing.engine import DEVICE, KEY, VENUE
from bench.firing.processes import CLOCK, ServerProcess
from hardware.events import ScoreKind, Side
from hardware.keys import DeviceKey, key_id
from hardware.messages import EventBody, StateBody, sign
from hardware.topics import DeviceTopic
from hardware.ulid import new_ulid
from sync.accounts import Credentials, load_credentials
from sync.oauth import Signer
from sync.warm_connections import RedirectingResolver

FLOOR = "floor: one commit, ready bytes on an open TLS connection"
TWEEPY, TWEEPY_WARM = "tweepy as it comes, from the call", "tweepy on a warm session, from the call"
SCRIPT = "aiomqtt and tweepy, as people write it, from the publish"
ROUND_TRIP = "floor: paho, from the publish to a subscriber"
OURS, OURS_MQTT = "Cuebird: decided → first byte", "Cuebird: signed event published → first byte"
PEERS = "peers"
SCRIPT_TOPIC, ECHO_TOPIC = "scores/goal", "echo"
ANSWER_S = 10.0

Post = Callable[[str], Awaitable[int]]
"""Posts a text; gives the instant, in mono_ns, at which it was asked to."""


@dataclass(slots=True, kw_only=True)
class Ways:
    """What takes turns with the engine.

    Attributes:
        posts: by name.
        floors: microseconds of floors that no server sees, by name; filled by running them.
        goal: publishes the signed event of the n-th goal, None without a broker.
    """

    posts: dict[str, Post]
    floors: dict[str, list[float]] = field(default_factory=dict)
    goal: Callable[[int], Awaitable[int]] | None = None


async def others(stack: AsyncExitStack, folder: Path, server: ServerProcess, *, mqtt_port: int) -> Ways:
    """Every other way, ready to take turns."""
    credentials = load_credentials(server.folder / "credentials" / f"{PEERS}.json")
    tweepy_ways = _Tweepy(credentials, server)
    ways = Ways(
        posts={
            FLOOR: _floor(stack, folder, credentials, server),
            TWEEPY: tweepy_ways.as_it_comes,
            TWEEPY_WARM: await tweepy_ways.warm(stack),
        }
    )
    if mqtt_port:
        publisher = _Publisher(mqtt_port)
        stack.callback(publisher.close)
        ways.floors[ROUND_TRIP] = []
        ways.goal = publisher.goal
        ways.posts[SCRIPT] = await _script(stack, publisher, tweepy_ways, mqtt_port)
        ways.posts[ROUND_TRIP] = publisher.echo_into(ways.floors[ROUND_TRIP])
    return ways


def bare_commit(path: Path) -> Callable[[], None]:
    """One row, one commit that survives a power cut."""
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in (
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "CREATE TABLE floor (row_id INTEGER PRIMARY KEY, text)",
    ):
        connection.execute(statement).close()

    def commit() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO floor (text) VALUES (?)", ("x" * 300,))
        connection.execute("COMMIT")

    return commit


def _floor(stack: AsyncExitStack, folder: Path, credentials: Credentials, server: ServerProcess) -> Post:
    """What no engine can do without: a durable record, and bytes made beforehand on a connection opened beforehand."""
    commit = bare_commit(folder / "floor.db")
    context = ssl.create_default_context(cafile=str(server.folder / "ca.pem"))
    plain = socket.create_connection(("127.0.0.1", server.port))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    wrapped = context.wrap_socket(plain, server_hostname="api.twitter.com")
    stack.callback(wrapped.close)

    async def post(text: str) -> int:
        request = _ready_request(credentials, text)
        asked_ns = CLOCK.mono_ns()
        commit()
        wrapped.sendall(request)
        await asyncio.to_thread(wrapped.recv, 65_536)
        return asked_ns

    return post


def _ready_request(credentials: Credentials, text: str) -> bytes:
    body = json.dumps({"text": text}).encode()
    authorization = Signer(credentials).authorization(
        method="POST",
        url="https://api.twitter.com/2/tweets",
        nonce=secrets.token_hex(16),
        timestamp_s=int(CLOCK.utc().timestamp()),
    )
    head = (
        "POST /2/tweets HTTP/1.1\r\nHost: api.twitter.com\r\nContent-Type: application/json\r\n"
        f"Authorization: {authorization}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Tweepy:
    """tweepy, unchanged; only the name it looks up leads to the sandbox."""

    def __init__(self, credentials: Credentials, server: ServerProcess) -> None:
        self._credentials, self._port = credentials, server.port
        self._context = ssl.create_default_context(cafile=str(server.folder / "ca.pem"))

    async def as_it_comes(self, text: str) -> int:
        """A new session, and with it a new connection, for each call."""
        asked_ns = CLOCK.mono_ns()
        async with self._session() as session:
            await self._client(session).create_tweet(text=text)
        return asked_ns

    async def warm(self, stack: AsyncExitStack) -> Post:
        """Its documented `session` attribute, set once."""
        client = self._client(await stack.enter_async_context(self._session()))

        async def post(text: str) -> int:
            asked_ns = CLOCK.mono_ns()
            await client.create_tweet(text=text)
            return asked_ns

        return post

    def _session(self) -> aiohttp.ClientSession:
        resolver = RedirectingResolver(host="127.0.0.1", port=self._port)
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=resolver, ssl=self._context))

    def _client(self, session: aiohttp.ClientSession) -> Any:
        names = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
        client = AsyncClient(**{name: getattr(self._credentials, name).get_secret_value() for name in names})
        client.session = session
        return client


async def _script(stack: AsyncExitStack, publisher: "_Publisher", tweepy_ways: _Tweepy, port: int) -> Post:
    """A dozen lines that many have written: subscribe, and tweet what comes."""
    client = await stack.enter_async_context(aiomqtt.Client("127.0.0.1", port))
    await client.subscribe(SCRIPT_TOPIC, qos=1)
    posted = asyncio.Event()

    async def tweet_what_comes() -> None:
        async for message in client.messages:
            await tweepy_ways.as_it_comes(json.loads(message.payload)["text"])
            posted.set()

    task = asyncio.create_task(tweet_what_comes(), name="script")
    stack.callback(task.cancel)

    async def post(text: str) -> int:
        posted.clear()
        message = json.dumps({"text": text}).encode()
        asked_ns = CLOCK.mono_ns()
        publisher.publish(SCRIPT_TOPIC, message)
        async with asyncio.timeout(ANSWER_S):
            await posted.wait()
        return asked_ns

    return post


class _Publisher:
    """A paho client that publishes like a gateway, and hears its own echo."""

    def __init__(self, port: int) -> None:
        self._device = DeviceKey(venue=VENUE, device=DEVICE, fixture="final", key=KEY)
        self._boot = new_ulid(self._utc_ns())
        self._heard = threading.Event()
        self._heard_ns = 0
        self._client = _connected(port)
        self._listener = _connected(port)
        self._listener.on_message = self._hear
        self._listener.subscribe(ECHO_TOPIC, qos=1)
        self._state()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """At least once."""
        self._client.publish(topic, payload, qos=1, retain=retain)

    async def goal(self, points: int) -> int:
        """Publish the signed event of the n-th goal."""
        self._state()
        await asyncio.sleep(0.02)
        now_ns = self._utc_ns()
        event = EventBody(
            version=1, boot=self._boot, venue=VENUE, device=DEVICE, fixture="final", t_pub_ns=now_ns, id=new_ulid(now_ns),
            sequence=points, type=ScoreKind.GOAL, side=Side.HOME, delta=1, home=points, away=0, ordinal=points, period="1",
            clock="12:34", t_event_ns=now_ns, clock_source="synchronised", clock_error_us=10, confidence="checked",
            protocol="oes", frame_sha256=hashlib.sha256(b"").hexdigest(), key=key_id(KEY),
        )  # fmt: skip
        topic = DeviceTopic(venue=VENUE, device=DEVICE, leaf="event")
        message = sign(topic, event, KEY)
        asked_ns = CLOCK.mono_ns()
        self.publish(str(topic), message)
        return asked_ns

    def echo_into(self, found_us: list[float]) -> Post:
        """Times a message from its publish to a subscriber."""

        async def echo(_: str) -> int:
            self._heard.clear()
            asked_ns = CLOCK.mono_ns()
            self.publish(ECHO_TOPIC, b"x" * 700)
            if await asyncio.to_thread(self._heard.wait, ANSWER_S):
                found_us.append((self._heard_ns - asked_ns) / 1000)
            return asked_ns

        return echo

    def close(self) -> None:
        """Disconnect."""
        for client in (self._client, self._listener):
            client.disconnect()
            client.loop_stop()

    def _hear(self, *_: object) -> None:
        self._heard_ns = CLOCK.mono_ns()
        self._heard.set()

    def _state(self) -> None:
        body = StateBody(
            version=1, boot=self._boot, venue=VENUE, device=DEVICE, fixture="final", t_pub_ns=self._utc_ns(), state="online"
        )
        topic = DeviceTopic(venue=VENUE, device=DEVICE, leaf="state")
        self.publish(str(topic), sign(topic, body, KEY), retain=True)

    def _utc_ns(self) -> int:
        return round(CLOCK.utc().timestamp() * 1e6) * 1000


def _connected(port: int) -> paho.Client:
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    return client
