"""Media in the sandbox, asked by unmodified tweepy and by forms: uploading, processing, expiry, whose it is, what posts take."""

import asyncio
import base64
import io
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import tweepy
from PIL import Image
from tweepy.asynchronous import AsyncClient

from sync.accounts import load_credentials
from sync.oauth import Signer
from sync.sandbox import Fault, FaultKind, Sandbox, SandboxSettings
from tests.contract.sync.test_sandbox_with_tweepy import session_to, tweepy_to
from tests.media_makers import mp4, png


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    settings = SandboxSettings(media_processing_s=0.3)
    async with Sandbox(tmp_path, [("anna", "anna_tv"), ("ben", "ben_tv")], settings=settings) as running:
        yield running


async def ask(client: AsyncClient, route: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await client.request("POST", route, params={}, json=body, user_auth=True)
    data: dict[str, Any] = (await answer.json())["data"]
    return data


async def status_of(client: AsyncClient, media_id: str) -> dict[str, Any]:
    params = {"command": "STATUS", "media_id": media_id}
    answer = await client.request("GET", "/2/media/upload", params=params, user_auth=True)
    data: dict[str, Any] = (await answer.json())["data"]
    return data


async def one_shot(client: AsyncClient, content: bytes, *, media_type: str = "image/png", category: str = "tweet_image") -> str:
    body = {"media": base64.b64encode(content).decode(), "media_type": media_type, "media_category": category}
    return str((await ask(client, "/2/media/upload", body))["id"])


async def in_chunks(client: AsyncClient, content: bytes, *, media_type: str, category: str, chunk: int = 700) -> dict[str, Any]:
    begun = {"media_type": media_type, "media_category": category, "total_bytes": len(content)}
    media_id = (await ask(client, "/2/media/upload/initialize", begun))["id"]
    for index in range(-(-len(content) // chunk)):
        part = base64.b64encode(content[index * chunk : (index + 1) * chunk]).decode()
        await ask(client, f"/2/media/upload/{media_id}/append", {"segment_index": index, "media": part})
    return await ask(client, f"/2/media/upload/{media_id}/finalize", {})


async def test_an_image_is_uploaded_in_one_and_posted(sandbox: Sandbox) -> None:
    """It has an id, an expiry of a day and no processing; with its alternative text it is in the tweet."""
    async with tweepy_to(sandbox) as client:
        body = {"media": base64.b64encode(png()).decode(), "media_type": "image/png", "media_category": "tweet_image"}
        data = await ask(client, "/2/media/upload", body)
        assert (data["expires_after_secs"], data["size"]) == (86_400, len(png()))
        assert "processing_info" not in data
        described = {"id": data["id"], "metadata": {"alt_text": {"text": "a red wall"}}}
        await ask(client, "/2/media/metadata", described)
        await client.create_tweet(text="look", media_ids=[data["id"]])
    assert sandbox.tweets[0].fields["media"] == {"media_ids": [data["id"]]}
    async with aiohttp.ClientSession(sandbox.page_url) as page:
        (tweet,) = await (await page.get("sandbox/tweets")).json()
        assert tweet["media"] == [{"id": data["id"], "media_type": "image/png", "alt": "a red wall"}]
        picture = await page.get(f"sandbox/media/{data['id']}")
        assert (picture.content_type, await picture.read()) == ("image/png", png())


async def test_a_video_in_segments_is_processed_before_it_can_be_posted(sandbox: Sandbox) -> None:
    """Pending, in progress, succeeded; the page shows a still of it."""
    async with tweepy_to(sandbox) as client:
        data = await in_chunks(client, mp4(), media_type="video/mp4", category="tweet_video")
        assert data["processing_info"] == {"state": "pending", "check_after_secs": 0}
        with pytest.raises(tweepy.BadRequest, match="Your media IDs are invalid"):
            await client.create_tweet(text="too soon", media_ids=[data["id"]])
        seen = set[str]()
        while (processing := (await status_of(client, data["id"]))["processing_info"])["state"] != "succeeded":
            seen.add(processing["state"])
            await asyncio.sleep(0.02)
        assert "in_progress" in seen
        await client.create_tweet(text="goal", media_ids=[data["id"]])
    async with aiohttp.ClientSession(sandbox.page_url) as page:
        still = await page.get(f"sandbox/media/{data['id']}")
        assert still.content_type == "image/jpeg"
        assert Image.open(io.BytesIO(await still.read())).size == (64, 64)


async def test_what_is_no_video_fails_in_its_processing(sandbox: Sandbox) -> None:
    """With X's words for why; and it cannot be posted."""
    async with tweepy_to(sandbox) as client:
        data = await in_chunks(client, b"not a video at all", media_type="video/mp4", category="tweet_video")
        await asyncio.sleep(0.35)
        processing = (await status_of(client, data["id"]))["processing_info"]
        assert (processing["state"], processing["error"]["name"]) == ("failed", "InvalidMedia")
        with pytest.raises(tweepy.BadRequest):
            await client.create_tweet(text="no", media_ids=[data["id"]])


async def test_a_form_is_taken_as_json_is(sandbox: Sandbox) -> None:
    """Multipart, as X's own examples send it."""
    credentials = load_credentials(sandbox.credentials_file("anna"))
    async with session_to(sandbox) as session, tweepy_to(sandbox) as client:
        begun = {"media_type": "image/png", "media_category": "tweet_image", "total_bytes": len(png())}
        media_id = (await ask(client, "/2/media/upload/initialize", begun))["id"]
        form = aiohttp.FormData()
        form.add_field("segment_index", "0")
        form.add_field("media", png(), filename="a.png", content_type="application/octet-stream")
        url = f"https://api.twitter.com/2/media/upload/{media_id}/append"
        header = Signer(credentials).authorization(method="POST", url=url, query=[], nonce="n1", timestamp_s=int(time.time()))
        answer = await session.post(url, data=form, headers={"Authorization": header})
        assert answer.status == 200, await answer.text()
        assert (await ask(client, f"/2/media/upload/{media_id}/finalize", {}))["size"] == len(png())


async def test_posts_take_only_media_that_is_ready_and_their_own(sandbox: Sandbox) -> None:
    """Unknown, another account's, unfinished, twice, five of them, video with pictures: all 400, and nothing is posted."""
    async with tweepy_to(sandbox) as client, tweepy_to(sandbox, name="ben") as bens:
        mine = [await one_shot(client, png()) for _ in range(5)]
        his = await one_shot(bens, png())
        begun = {"media_type": "image/png", "media_category": "tweet_image", "total_bytes": 10}
        unfinished = (await ask(client, "/2/media/upload/initialize", begun))["id"]
        video = (await in_chunks(client, mp4(), media_type="video/mp4", category="tweet_video"))["id"]
        await asyncio.sleep(0.35)
        for media_ids in (["123"], [his], [unfinished], [mine[0], mine[0]], mine, [mine[0], video]):
            with pytest.raises(tweepy.BadRequest):
                await client.create_tweet(text="no", media_ids=media_ids)
        assert sandbox.tweets == []
        await client.create_tweet(text="yes", media_ids=mine[:4])
        with pytest.raises(tweepy.BadRequest) as refused:
            await client.create_tweet(text="no", media_ids=["123"])
    told = {"parameters": {"media.media_ids": ["[123]"]}, "message": "Your media IDs are invalid."}
    assert json.loads(await refused.value.response.text())["errors"] == [told]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"media_category": "dm_image"}, "media_category"),
        ({"media_type": "image/bmp"}, "is not allowed for tweet_image"),
        ({"total_bytes": 5 * 1024 * 1024 + 1}, "File size exceeds 5242880 bytes"),
        ({"total_bytes": 0}, "File size"),
        ({"total_bytes": "many"}, "must be an integer"),
        ({"media_type": None}, "media_type"),
    ],
)
async def test_an_upload_that_cannot_be_is_refused_at_once(sandbox: Sandbox, change: dict[str, Any], told: str) -> None:
    """400, naming what is wrong."""
    body = {"media_type": "image/png", "media_category": "tweet_image", "total_bytes": 10} | change
    async with tweepy_to(sandbox) as client:
        with pytest.raises(tweepy.BadRequest, match=told):
            await ask(client, "/2/media/upload/initialize", body)


async def test_segments_must_add_up(sandbox: Sandbox) -> None:
    """Indices from 0 to 999 without a hole, and as many bytes as were announced; nothing after the end."""
    async with tweepy_to(sandbox) as client:
        body = {"media_type": "image/png", "media_category": "tweet_image", "total_bytes": len(png())}
        media_id = (await ask(client, "/2/media/upload/initialize", body))["id"]
        route = f"/2/media/upload/{media_id}"
        part = base64.b64encode(png()).decode()
        for index, media, told in ((1000, part, "segment_index"), (0, "%%%", "base64")):
            with pytest.raises(tweepy.BadRequest, match=told):
                await ask(client, f"{route}/append", {"segment_index": index, "media": media})
        await ask(client, f"{route}/append", {"segment_index": 1, "media": part})
        with pytest.raises(tweepy.BadRequest, match="add up"):
            await ask(client, f"{route}/finalize", {})
        short = (await ask(client, "/2/media/upload/initialize", body | {"total_bytes": len(png()) + 1}))["id"]
        await ask(client, f"/2/media/upload/{short}/append", {"segment_index": 0, "media": part})
        with pytest.raises(tweepy.BadRequest, match="add up"):
            await ask(client, f"/2/media/upload/{short}/finalize", {})
        with pytest.raises(tweepy.BadRequest, match="exceed"):
            await ask(client, f"{route}/append", {"segment_index": 0, "media": part})


async def test_faults_strike_media_and_leave_tweets_alone(sandbox: Sandbox) -> None:
    """A fault with a path counts only what goes there; media can be made to fail."""
    sandbox.faults.add(Fault(kind=FaultKind.RATE_429, path="/2/media/"))
    sandbox.faults.add(Fault(kind=FaultKind.MEDIA_FAILED, path="/2/media/upload/", after=2))
    async with tweepy_to(sandbox) as client:
        await client.create_tweet(text="untouched")
        with pytest.raises(tweepy.TooManyRequests):
            await one_shot(client, png())
        data = await in_chunks(client, png(), media_type="image/png", category="tweet_image", chunk=10**6)
        with pytest.raises(tweepy.BadRequest):
            await client.create_tweet(text="no", media_ids=[data["id"]])
    assert [tweet.text for tweet in sandbox.tweets] == ["untouched"]
