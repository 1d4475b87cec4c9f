"""Uploads media to X in segments, through tweepy, on a connection of its own: never one that a firing waits for."""

import asyncio
import base64
import hashlib
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import tweepy

from sync.accounts import AnyCredentials
from sync.media import Media, Upload
from sync.media_uploading import MediaUploadError, Withhold
from sync.outcomes import judge_error
from sync.signed_client import SignedClient
from sync.warm_connections import RedirectingResolver
from timebase import Clock

SEGMENT_BYTES = 256 * 1024
"""Small, so that encoding one takes the loop less than a millisecond; larger only where a file would have too many."""
SEGMENTS_MAX = 1000
REQUEST_S_MAX = 30.0
PROCESSING_S_MAX = 900.0
"""How long X may take to process a video before the upload counts as failed."""
CHECK_AFTER_S_MIN, CHECK_AFTER_S_MAX = 0.2, 60.0
LIFE_S_MAX = 30 * 86_400


class XMediaUploader:
    """The `MediaUploader` that speaks to X, or to the sandbox.

    Args:
        target: host and port that the connections lead to instead of X; None for X itself.
    """

    def __init__(
        self,
        credentials: Mapping[str, AnyCredentials],
        *,
        clock: Clock,
        ssl_context: ssl.SSLContext,
        target: tuple[str, int] | None,
    ) -> None:
        self._credentials, self._clock = credentials, clock
        self._ssl_context, self._target = ssl_context, target

    async def upload(self, account_id: str, media: Media, path: Path, withhold: Withhold) -> Upload:
        """As `MediaUploader.upload`."""
        credentials = self._credentials.get(account_id)
        if credentials is None:
            raise MediaUploadError(f"account {account_id!r} has no credentials; give it a credentials_file in cuebird.toml")
        try:
            async with self._client(credentials) as client:
                return await _Uploading(client, account_id, media, path, clock=self._clock, withhold=withhold).run()
        except (tweepy.TweepyException, aiohttp.ClientError, OSError, ValueError, KeyError, TypeError) as error:
            raise MediaUploadError(judge_error(error, byte_written=True).reason) from error

    @asynccontextmanager
    async def _client(self, credentials: AnyCredentials) -> AsyncIterator[SignedClient]:
        resolver = None if self._target is None else RedirectingResolver(host=self._target[0], port=self._target[1])
        connector = aiohttp.TCPConnector(limit=1, ssl=self._ssl_context, resolver=resolver)
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
            yield SignedClient(credentials, session, None, clock=self._clock, timeout_s=REQUEST_S_MAX)


class _Uploading:
    """One upload: begin, segments, end, processing, alternative text."""

    def __init__(
        self, client: SignedClient, account_id: str, media: Media, path: Path, *, clock: Clock, withhold: Withhold
    ) -> None:
        self._client, self._account_id, self._media, self._path = client, account_id, media, path
        self._clock, self._withhold = clock, withhold

    async def run(self) -> Upload:
        media = self._media
        begun = {"media_type": media.media_type, "media_category": media.category, "total_bytes": media.size_bytes}
        media_id = _id_of(await self._ask("/2/media/upload/initialize", begun))
        await self._append_all(media_id)
        asked_utc = self._clock.utc()
        data = await self._ask(f"/2/media/upload/{media_id}/finalize", {})
        life = timedelta(seconds=min(int(data["expires_after_secs"]), LIFE_S_MAX))
        await self._processed(media_id, data)
        if media.alt:
            metadata = {"alt_text": {"text": media.alt}}
            await self._send("POST", "/2/media/metadata", json={"id": media_id, "metadata": metadata})
        return Upload(
            account_id=self._account_id,
            upload_key=media.upload_key,
            media_id=media_id,
            uploaded_utc=asked_utc,
            expires_utc=asked_utc + life,
        )

    async def _append_all(self, media_id: str) -> None:
        """Send every segment, and see that together they were the file that was approved."""
        digest, total = hashlib.sha256(), self._media.size_bytes
        size = max(SEGMENT_BYTES, -(-total // SEGMENTS_MAX))
        with await asyncio.to_thread(self._path.open, "rb") as file:
            for index in range(-(-total // size)):
                segment = await asyncio.to_thread(_encoded, file.read, min(size, total - index * size), digest)
                await self._send("POST", f"/2/media/upload/{media_id}/append", json={"segment_index": index, "media": segment})
            rest = await asyncio.to_thread(file.read, 1)
        # Hashed as it was sent: a file that is exchanged meanwhile is never finalised, and so can never be posted.
        if rest or digest.hexdigest() != self._media.sha256:
            raise MediaUploadError(f"{self._path} is not the file that was approved any more; import the cue again")

    async def _processed(self, media_id: str, data: dict[str, Any]) -> None:
        """Wait until X has processed it, asking as often as it says."""
        give_up_ns = self._clock.mono_ns() + round(PROCESSING_S_MAX * 1e9)
        while (processing := data.get("processing_info")) is not None and processing["state"] != "succeeded":
            if processing["state"] == "failed":
                raise MediaUploadError(
                    f"X could not process it: {(processing.get('error') or {}).get('message', 'no reason given')}"
                )
            if self._clock.mono_ns() > give_up_ns:
                raise MediaUploadError(f"X was still processing it after {PROCESSING_S_MAX:.0f} s")
            wait_s = float(processing.get("check_after_secs", 1.0))
            await self._clock.sleep(min(max(wait_s, CHECK_AFTER_S_MIN), CHECK_AFTER_S_MAX))
            params = {"command": "STATUS", "media_id": media_id}
            answer = await self._send("GET", "/2/media/upload", params=params)
            data = (await answer.json())["data"]

    async def _ask(self, route: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self._send("POST", route, json=body)
        data: dict[str, Any] = (await answer.json())["data"]
        return data

    async def _send(self, method: str, route: str, **what: Any) -> aiohttp.ClientResponse:
        if reason := self._withhold():
            raise MediaUploadError(reason)
        return await self._client.request(method, route, user_auth=True, **what)


def _encoded(read: Callable[[int], bytes], size: int, digest: Any) -> str:
    segment = read(size)
    digest.update(segment)
    return base64.b64encode(segment).decode()


def _id_of(data: dict[str, Any]) -> str:
    media_id = data["id"]
    if not (isinstance(media_id, str) and media_id.isascii() and media_id.isdigit() and len(media_id) <= 19):
        raise ValueError("X answered with a media id that is no number")
    return media_id
