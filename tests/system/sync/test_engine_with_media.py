"""A tweet with a picture from the cue file to the timeline: the real engine, uploader, publisher, TLS and sandbox."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from sync.client import ControlClient
from sync.cues import parse_cues
from sync.ledger import Ledger
from sync.media_files import MediaStore
from sync.sandbox import Sandbox
from tests.media_makers import png
from tests.system.sync import test_engine_with_sandbox as whole

pytestmark = pytest.mark.system


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="cb", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture
async def sandbox(folder: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(folder / "sandbox", [("coffee", "coffee_tv")]) as running:
        yield running


def make_ledger(folder: Path) -> None:
    """As the other tests' ledger, but the tweet has a picture."""
    whole.make_ledger(folder)
    (folder / "cup.png").write_bytes(png())
    text = whole.CUES.replace(b"[cue.on]", b'media = [{ file = "cup.png", alt = "a cup" }]\n[cue.on]')
    cues = parse_cues(text, source="test", folder=folder)
    MediaStore(folder / "media").keep(cues[0].media, folder)
    ledger = Ledger.open(folder / "ledger.db")
    ledger.import_cues(cues, actor="sponsor")
    ledger.approve_cue("coffee", approved_by="approver")
    ledger.close()


async def cue_state(client: ControlClient) -> str:
    (cue,) = (await client.request("snapshot"))["cues"]
    return str(cue["state"])


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.02)


async def test_spot_to_tweet_with_its_picture(folder: Path, sandbox: Sandbox) -> None:
    """Armed once X has the picture; the tweet shows it; a restart uploads nothing again."""
    make_ledger(folder)
    async with whole.running(folder, sandbox) as client:
        async with asyncio.timeout(10):
            while await cue_state(client) != "armed":
                await asyncio.sleep(0.02)
        await whole.hear(client)
        await until(lambda: len(sandbox.tweets) == 1)
    (media_id,) = sandbox.tweets[0].fields["media"]["media_ids"]
    stored = sandbox.media(media_id)
    assert stored is not None
    assert (stored.content, stored.alt) == (png(), "a cup")
    uploading = {one.connection for one in sandbox.requests if one.path.startswith("/2/media")}
    posting = {one.connection for one in sandbox.requests if one.path == "/2/tweets"}
    assert uploading.isdisjoint(posting)
    before = len(sandbox.requests)
    async with whole.running(folder, sandbox) as client:
        await asyncio.sleep(0.3)
    assert not [one for one in sandbox.requests[before:] if one.path.startswith("/2/media")]


async def test_a_picture_that_changed_on_disk_disarms_the_cue(folder: Path, sandbox: Sandbox) -> None:
    """Nothing of it reaches X, the cue is shown as held, an alarm says so, and the spot's firing is declined."""
    make_ledger(folder)
    (copy,) = (folder / "media").iterdir()
    copy.write_bytes(png("blue"))
    async with whole.running(folder, sandbox) as client:
        async with asyncio.timeout(10):
            while not (alarms := [one for one in (await client.request("snapshot"))["alarms"] if one["level"] == "critical"]):
                await asyncio.sleep(0.02)
        assert "it is disarmed until the media is ready" in alarms[0]["text"]
        await whole.hear(client)
        async with asyncio.timeout(10):
            while not (firings := (await client.request("snapshot"))["firings"]):
                await asyncio.sleep(0.02)
        assert (firings[0]["state"], firings[0]["guard"]) == ("DECLINED", "media")
        assert await cue_state(client) == "held"
    assert sandbox.tweets == []
    assert not [one for one in sandbox.requests if one.path.startswith("/2/media")]
