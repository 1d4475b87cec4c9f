"""How long from "post this" to the request's first byte at the server, against the floor of this machine.

`python -m bench.posting [--calls N]` starts an X sandbox in a process of its own on loopback and lets four ways of posting
take turns, so that all meet the same machine. It prints a markdown table. Figures of the sandbox only: X's own
responsiveness is not measured.
"""

import argparse
import asyncio
import json
import os
import platform
import secrets
import ssl
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

import aiohttp
from tweepy.asynchronous import AsyncClient
from yarl import URL

from sync.accounts import Credentials, load_credentials
from sync.oauth import Signer
from sync.posting import Certainty, Shot
from sync.publisher import XPublisher
from sync.sandbox import Sandbox, SandboxSettings
from sync.warm_connections import RedirectingResolver
from timebase import SystemClock

CALLS_MAX = 1_000
GAP_S = 0.01
ACCOUNT = "bench"

Post = Callable[[str], Awaitable[int]]
"""Posts a text and returns the instant, in mono_ns, at which it was asked to."""

CLOCK = SystemClock()


async def serve(folder: Path) -> None:
    """Be the server process: print where it is, stay until standard input closes."""
    generous = SandboxSettings(user_posts_per_window=10**6, user_posts_per_day=10**6, app_posts_per_day=10**6)
    async with Sandbox(folder, [(ACCOUNT, ACCOUNT)], settings=generous) as sandbox:
        print(json.dumps({"api_base": sandbox.api_base, "page_url": sandbox.page_url}), flush=True)
        await asyncio.to_thread(sys.stdin.read)


class Bench:
    """The four ways of posting, all to the same server."""

    def __init__(self, folder: Path, api_base: str) -> None:
        self.ca_file = folder / "ca.pem"
        self.credentials = load_credentials(folder / "credentials" / f"{ACCOUNT}.json")
        self.api_base = api_base
        self._port = URL(api_base).port or 0
        self._ssl_context = ssl.create_default_context(cafile=str(self.ca_file))

    async def floor(self, stack: AsyncExitStack) -> Post:
        """Bytes made beforehand, on an open TLS connection: no library, no signing in the measured time."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self._port, ssl=self._ssl_context, server_hostname="api.twitter.com"
        )
        stack.callback(writer.close)

        async def post(text: str) -> int:
            request = ready_request(self.credentials, text)
            asked_mono_ns = CLOCK.mono_ns()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            return asked_mono_ns

        return post

    async def tweepy_as_it_comes(self, _stack: AsyncExitStack) -> Post:
        """A new session, and with it a new connection, for each call."""

        async def post(text: str) -> int:
            asked_mono_ns = CLOCK.mono_ns()
            async with self._session() as session:
                await self._tweepy(session).create_tweet(text=text)
            return asked_mono_ns

        return post

    async def tweepy_warm(self, stack: AsyncExitStack) -> Post:
        """tweepy unchanged, with its documented `session` attribute set once."""
        client = self._tweepy(await stack.enter_async_context(self._session()))

        async def post(text: str) -> int:
            asked_mono_ns = CLOCK.mono_ns()
            await client.create_tweet(text=text)
            return asked_mono_ns

        return post

    async def ours(self, stack: AsyncExitStack) -> Post:
        """XPublisher: kept connections, own signer, the last look."""
        publisher = XPublisher([self.credentials], clock=CLOCK, api_base=self.api_base, ca_file=self.ca_file)
        stack.push_async_callback(publisher.close)
        await publisher.warm(ACCOUNT)

        async def post(text: str) -> int:
            body = json.dumps({"text": text}).encode()
            asked_mono_ns = CLOCK.mono_ns()
            shot = Shot(firing_id=1, account_id=ACCOUNT, body=body, deadline_mono_ns=asked_mono_ns + 10**10)
            outcome = await publisher.post(shot, lambda: None)
            if outcome.certainty is not Certainty.POSTED or not outcome.warm:
                raise RuntimeError(f"bench: a post was {outcome.certainty} ({outcome.reason}), warm={outcome.warm}")
            return asked_mono_ns

        return post

    def _session(self) -> aiohttp.ClientSession:
        resolver = RedirectingResolver(host="127.0.0.1", port=self._port)
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=resolver, ssl=self._ssl_context))

    def _tweepy(self, session: aiohttp.ClientSession) -> Any:
        names = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
        client = AsyncClient(**{name: getattr(self.credentials, name).get_secret_value() for name in names})
        client.session = session
        return client


def ready_request(credentials: Credentials, text: str) -> bytes:
    """A whole signed request as bytes."""
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


async def measure(folder: Path, api_base: str, page_url: str, calls: int) -> dict[str, list[float]]:
    """Microseconds from asking to the first byte's arrival, sorted, for each way."""
    bench = Bench(folder, api_base)
    asked: dict[str, tuple[str, int]] = {}
    async with AsyncExitStack() as stack:
        ways: dict[str, Post] = {
            "floor: ready bytes, open TLS connection": await bench.floor(stack),
            "tweepy as it comes": await bench.tweepy_as_it_comes(stack),
            "tweepy, warm session": await bench.tweepy_warm(stack),
            "Cuebird's publisher": await bench.ours(stack),
        }
        for number in range(-10, calls):  # the first ten rounds only warm up
            for way, post in ways.items():
                text = f"{way} {number}"
                asked_mono_ns = await post(text)
                if number >= 0:
                    asked[text] = (way, asked_mono_ns)
                await asyncio.sleep(GAP_S)
    arrived = await arrivals(page_url)
    found: dict[str, list[float]] = {way: [] for way in ways}
    for text, (way, asked_mono_ns) in asked.items():
        found[way].append((arrived[text] - asked_mono_ns) / 1000)
    return {way: sorted(values) for way, values in found.items()}


async def arrivals(page_url: str) -> dict[str, int]:
    """When each text's request arrived, from the sandbox's own log."""
    async with aiohttp.ClientSession(page_url) as session, session.get("sandbox/export") as response:
        log = await response.json()
    texts = {tweet["id"]: tweet["text"] for tweet in log["tweets"]}
    return {texts[record["tweet_id"]]: record["arrived_mono_ns"] for record in log["requests"] if record["tweet_id"]}


def table(found: dict[str, list[float]], calls: int) -> str:
    """The figures as markdown."""
    floor_us = percentile(next(iter(found.values())), 50)
    packages = ", ".join(f"{name} {version(name)}" for name in ("tweepy", "aiohttp"))
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"
    lines = [
        f"{machine}, Python {platform.python_version()},"
        f" {packages}, {ssl.OPENSSL_VERSION}; {calls} calls each, taking turns, loopback, µs",
        "",
        "| way | p50 | p99 | max | p50 / floor |",
        "|---|---|---|---|---|",
    ]
    for way, values in found.items():
        middle, high = percentile(values, 50), percentile(values, 99)
        lines.append(f"| {way} | {middle:.0f} | {high:.0f} | {values[-1]:.0f} | {middle / floor_us:.1f} |")
    return "\n".join(lines)


def percentile(ordered: list[float], percent: int) -> float:
    """Nearest rank."""
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


async def run(calls: int) -> str:
    """Start the server, measure, and return the table."""
    with tempfile.TemporaryDirectory() as name:
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.posting", "--serve", name, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            place = json.loads(await server.stdout.readline())
            found = await measure(Path(name), place["api_base"], place["page_url"], calls)
        finally:
            server.stdin.close()  # its sign to stop
            await server.wait()
    return table(found, calls)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Time from the order to post to the request's first byte at a local server.")
    parser.add_argument("--calls", type=int, default=300, choices=range(1, CALLS_MAX + 1), metavar="N", help="for each way")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        asyncio.run(serve(arguments.serve))
    else:
        print(asyncio.run(run(arguments.calls)))


if __name__ == "__main__":
    main()
