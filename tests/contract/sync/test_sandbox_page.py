"""The sandbox's page port: what it shows, what it takes, whom it refuses; and its life as a resource."""

import asyncio
import json
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from sync.accounts import load_credentials
from sync.posting import Shot
from sync.publisher import XPublisher
from sync.sandbox import Sandbox, SandboxError, SandboxSettings
from timebase import SystemClock

CLOCK = SystemClock()


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(tmp_path, [("anna", "anna_tv")]) as running:
        yield running


@pytest.fixture
async def page(sandbox: Sandbox) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(sandbox.page_url) as session:
        yield session


async def post(sandbox: Sandbox, text: str) -> None:
    publisher = XPublisher(
        [load_credentials(sandbox.credentials_file("anna"))], clock=CLOCK, api_base=sandbox.api_base, ca_file=sandbox.ca_file
    )
    body = json.dumps({"text": text}).encode()
    deadline_mono_ns = CLOCK.mono_ns() + 5_000_000_000
    await publisher.post(Shot(firing_id=1, account_id="anna", body=body, deadline_mono_ns=deadline_mono_ns), lambda: None)
    await publisher.close()


async def test_tweets_and_requests_are_told_as_json(sandbox: Sandbox, page: aiohttp.ClientSession) -> None:
    """With the milliseconds from the request's first byte, and no secret."""
    await post(sandbox, "<b>Goal!</b>")
    tweet = (await (await page.get("sandbox/tweets")).json())[0]
    assert (tweet["text"], tweet["handle"], tweet["account_id"]) == ("<b>Goal!</b>", "anna_tv", "anna")
    record = (await (await page.get("sandbox/requests")).json())[0]
    assert (record["status"], record["tweet_id"], record["path"]) == (201, tweet["id"], "/2/tweets")
    assert 0 < tweet["published_ms"] <= record["answered_ms"]

    export = await page.get("sandbox/export")
    assert export.headers["Content-Disposition"] == 'attachment; filename="sandbox.json"'
    everything = await export.text()
    assert json.loads(everything)["tweets"] == [tweet]
    assert load_credentials(sandbox.credentials_file("anna")).access_token.get_secret_value() not in everything


async def test_an_open_page_hears_of_each_tweet(sandbox: Sandbox, page: aiohttp.ClientSession) -> None:
    """Pushed, not fetched: first the tweet, then its request."""
    async with page.get("sandbox/events") as stream, asyncio.timeout(10):
        assert await stream.content.readline() == b"retry: 1000\n"
        await post(sandbox, "live")
        lines = [line async for line in take(stream, 5)]
    assert lines[1] == "event: tweet"
    assert json.loads(lines[2].removeprefix("data: "))["text"] == "live"
    assert lines[4] == "event: request"


async def take(stream: aiohttp.ClientResponse, count: int) -> AsyncIterator[str]:
    for _ in range(count):
        yield (await stream.content.readline()).decode().rstrip("\n")


async def test_faults_are_ordered_listed_and_cleared_over_http(sandbox: Sandbox, page: aiohttp.ClientSession) -> None:
    """The control endpoint; a wrong order is named."""
    ordered = await page.post("sandbox/faults", json={"kind": "html_503", "after": 1, "commit": True})
    assert (await ordered.json())[0] | {"kind": "html_503", "after": 1, "commit": True} == (await ordered.json())[0]
    await post(sandbox, "passes")
    await post(sandbox, "is struck")
    assert [(record.status, record.fault) for record in sandbox.requests] == [(201, None), (503, "html_503")]
    assert len(sandbox.tweets) == 2

    wrongs: list[object] = [{"kind": "meteor"}, {"kind": "drop", "times": 0}, {"kind": "drop", "colour": 1}, []]
    for wrong in wrongs:
        refused = await page.post("sandbox/faults", json=wrong)
        assert refused.status == 400
        assert (await refused.json())["error"]
    await page.post("sandbox/faults", json={"kind": "drop"})
    assert await (await page.delete("sandbox/faults")).json() == []


async def test_reset_forgets_everything(sandbox: Sandbox, page: aiohttp.ClientSession) -> None:
    """Tweets, requests and waiting faults."""
    await post(sandbox, "gone")
    await page.post("sandbox/faults", json={"kind": "drop"})
    assert (await page.post("sandbox/reset")).status == 200
    assert (sandbox.tweets, sandbox.requests, sandbox.faults.waiting()) == ([], [], [])


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}],
    ids=lambda headers: "-".join(next(iter(headers.items()))),
)
async def test_other_sites_pages_are_refused(headers: dict[str, str], sandbox: Sandbox, page: aiohttp.ClientSession) -> None:
    """A browser that visits elsewhere must not be able to read or reset."""
    await post(sandbox, "stays")
    assert (await page.get("sandbox/tweets", headers=headers)).status == 403
    assert (await page.post("sandbox/reset", headers=headers)).status == 403
    assert len(sandbox.tweets) == 1


async def test_the_page_allows_itself_nothing_from_elsewhere(page: aiohttp.ClientSession) -> None:
    """A policy without exceptions, and no address but its own in what it loads."""
    response = await page.get("")
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    text = await response.text()
    assert "SANDBOX" in text.upper()
    assert "http://" not in text
    assert "https://" not in text
    for name in ("timeline.css", "timeline.js", "bird.svg", "watermark.svg"):
        assert (await page.get(f"static/{name}")).status == 200


async def test_credentials_and_authority_outlive_a_restart(tmp_path: Path) -> None:
    """A configuration that points at them stays valid; a new handle keeps the secrets; files are private."""
    first = Sandbox(tmp_path, [("anna", "anna_tv")])
    async with first:
        before = load_credentials(first.credentials_file("anna"))
        pem = first.ca_file.read_bytes()
    async with Sandbox(tmp_path, [("anna", "renamed"), ("ben", "ben")]) as second:
        after = load_credentials(second.credentials_file("anna"))
        assert after.handle == "renamed"
        assert after.model_copy(update={"handle": "anna_tv"}) == before
        assert second.ca_file.read_bytes() == pem
        for name in ("anna", "ben"):
            assert stat.S_IMODE(second.credentials_file(name).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "credentials").stat().st_mode) == 0o700


async def test_a_journal_brings_the_tweets_back(tmp_path: Path) -> None:
    """Only when asked for."""
    for journal in (True, False):
        settings = SandboxSettings(journal=journal)
        async with Sandbox(tmp_path / str(journal), [("anna", "anna_tv")], settings=settings) as first:
            await post(first, "kept?")
        async with Sandbox(tmp_path / str(journal), [("anna", "anna_tv")], settings=settings) as second:
            assert [tweet.text for tweet in second.tweets] == (["kept?"] if journal else [])


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com", "::"])
async def test_only_loopback_is_served(host: str, tmp_path: Path) -> None:
    """Nobody else's machine may take this for X."""
    with pytest.raises(SandboxError, match="loopback"):
        async with Sandbox(tmp_path, [("anna", "a")], host=host):
            pass


async def test_what_cannot_start_says_why_and_leaves_nothing_open(tmp_path: Path) -> None:
    """A port in use, a folder that is a file, a wrong id or handle: one sentence."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for ports in ({"port": port}, {"page_port": port}):
            with pytest.raises(SandboxError, match=f"port {port} "):
                async with Sandbox(tmp_path, [("anna", "a")], **ports):
                    pass
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(SandboxError, match="file"):
        async with Sandbox(tmp_path / "file", [("anna", "a")]):
            pass
    for account in (("../x", "a"), ("", "a"), ("anna", "not a handle"), ("ben", "x" * 16)):
        with pytest.raises(SandboxError, match=r"account|handle"):
            async with Sandbox(tmp_path / "accounts", [account]):
                pass
