"""The timeline page, its live push, and the control endpoints: plain HTTP on loopback."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import ValidationError

from sync.sandbox import stills
from sync.sandbox.faults import Fault, Faults, TooManyFaultsError
from sync.sandbox.media import MediaShelf
from sync.sandbox.world import RequestRecord, SandboxTweet, World

_HERE = Path(__file__).parent
_SUBSCRIBERS_MAX = 32
_EVENTS_MAX = 1_000
_BEAT_S = 10.0
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Page:
    """Serves what the sandbox knows and takes its orders."""

    def __init__(self, world: World, faults: Faults) -> None:
        self._world, self._faults = world, faults
        self._subscribers: set[asyncio.Queue[str | None]] = set()

    def application(self) -> web.Application:
        """The aiohttp application, ready for a runner."""
        app = web.Application(middlewares=[_loopback_only], client_max_size=65_536)
        app.add_routes(
            [
                web.get("/", self._index),
                web.static("/static", _HERE / "static"),
                web.get("/sandbox/events", self._events),
                web.get("/sandbox/tweets", self._tweets),
                web.get("/sandbox/requests", self._requests),
                web.get("/sandbox/media/{media_id}", self._media),
                web.get("/sandbox/export", self._export),
                web.post("/sandbox/reset", self._reset),
                web.get("/sandbox/faults", self._list_faults),
                web.post("/sandbox/faults", self._add_fault),
                web.delete("/sandbox/faults", self._clear_faults),
            ]
        )
        return app

    def close(self) -> None:
        """End every live stream."""
        for queue in self._subscribers:
            with suppress(asyncio.QueueFull):
                queue.put_nowait(None)

    def tell_tweet(self, tweet: SandboxTweet) -> None:
        """Push a new or deleted tweet to the open pages."""
        self._tell("tweet", tweet_json(tweet, self._world.media))

    def tell_request(self, record: RequestRecord) -> None:
        """Push a line of the request log."""
        self._tell("request", asdict(record))

    def _tell(self, event: str, data: object) -> None:
        text = f"event: {event}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
        for queue in list(self._subscribers):
            try:
                queue.put_nowait(text)
            except asyncio.QueueFull:
                # A page that does not read is let go; the browser reconnects and begins anew.
                self._subscribers.discard(queue)

    async def _index(self, _request: web.Request) -> web.StreamResponse:
        response = web.FileResponse(_HERE / "templates" / "timeline.html")
        response.headers["Content-Security-Policy"] = _POLICY
        return response

    async def _tweets(self, _request: web.Request) -> web.StreamResponse:
        return _json([tweet_json(tweet, self._world.media) for tweet in self._world.tweets()])

    async def _requests(self, _request: web.Request) -> web.StreamResponse:
        return _json([asdict(record) for record in self._world.requests])

    async def _media(self, request: web.Request) -> web.StreamResponse:
        upload = self._world.media.finished(request.match_info["media_id"])
        if upload is None:
            return _json({"error": "this media is not kept"}, status=404)
        try:
            content, media_type = await asyncio.to_thread(stills.picture, upload)
        except ValueError as error:
            return _json({"error": str(error)}, status=404)
        headers = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
        return web.Response(body=content, content_type=media_type, headers=headers)

    async def _export(self, _request: web.Request) -> web.StreamResponse:
        everything = {
            "exported_utc": self._world.clock.utc().isoformat(),
            "tweets": [tweet_json(tweet, self._world.media) for tweet in self._world.tweets()],
            "requests": [asdict(record) for record in self._world.requests],
        }
        response = _json(everything)
        response.headers["Content-Disposition"] = 'attachment; filename="sandbox.json"'
        return response

    async def _reset(self, _request: web.Request) -> web.StreamResponse:
        self._world.reset()
        self._faults.clear()
        self._tell("reset", {})
        return _json({"tweets": 0})

    async def _list_faults(self, _request: web.Request) -> web.StreamResponse:
        return _json([fault.model_dump(mode="json") for fault in self._faults.waiting()])

    async def _add_fault(self, request: web.Request) -> web.StreamResponse:
        try:
            self._faults.add(Fault.model_validate_json(await request.read()))
        except ValidationError as error:
            told = "; ".join(f"{'.'.join(map(str, it['loc'])) or 'body'}: {it['msg']}" for it in error.errors())
            return _json({"error": told}, status=400)
        except TooManyFaultsError as error:
            return _json({"error": str(error)}, status=429)
        return await self._list_faults(request)

    async def _clear_faults(self, request: web.Request) -> web.StreamResponse:
        self._faults.clear()
        return await self._list_faults(request)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if len(self._subscribers) >= _SUBSCRIBERS_MAX:
            return _json({"error": f"{_SUBSCRIBERS_MAX} pages are open already; close one"}, status=503)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        queue: asyncio.Queue[str | None] = asyncio.Queue(_EVENTS_MAX)
        self._subscribers.add(queue)
        try:
            await response.prepare(request)
            await response.write(b"retry: 1000\n\n")
            await self._stream(response, queue)
        except ConnectionError:
            pass  # the page was closed
        finally:
            self._subscribers.discard(queue)
        return response

    async def _stream(self, response: web.StreamResponse, queue: asyncio.Queue[str | None]) -> None:
        while queue in self._subscribers:
            text: str | None = "event: beat\ndata: {}\n\n"
            with suppress(TimeoutError):
                async with asyncio.timeout(_BEAT_S):
                    text = await queue.get()
            if text is None:
                return
            await response.write(text.encode())


def tweet_json(tweet: SandboxTweet, shelf: MediaShelf) -> dict[str, object]:
    """A tweet as the page and the JSON endpoints show it."""
    return {
        "id": tweet.tweet_id,
        "account_id": tweet.account_id,
        "user_id": tweet.user_id,
        "handle": tweet.handle,
        "text": tweet.text,
        "fields": tweet.fields,
        "media": [_shown(media_id, shelf) for media_id in tweet.fields.get("media", {}).get("media_ids", ())],
        "created_utc": tweet.created_utc,
        "published_ms": round(tweet.published_ms, 3),
        "deleted_utc": tweet.deleted_utc,
    }


def _shown(media_id: str, shelf: MediaShelf) -> dict[str, object]:
    upload = shelf.finished(media_id)
    if upload is None:
        return {"id": media_id, "media_type": None, "alt": ""}
    return {"id": media_id, "media_type": upload.media_type, "alt": upload.alt}


@web.middleware
async def _loopback_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuses other sites' pages: by the Host they were tricked into and by the Origin they come from."""
    host = urlsplit(f"//{request.host}").hostname or ""
    origin = request.headers.get("Origin")
    if host not in _LOOPBACK or (origin is not None and urlsplit(origin).netloc != request.host):
        return _json({"error": "only this machine's own pages may ask"}, status=403)
    if request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}:
        return _json({"error": "only the sandbox's own page may ask"}, status=403)
    return await handler(request)


def _json(value: object, *, status: int = 200) -> web.Response:
    text = json.dumps(value, ensure_ascii=False)
    return web.Response(text=text, status=status, content_type="application/json", headers={"Cache-Control": "no-store"})
