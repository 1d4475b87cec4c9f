"""The stream of server-sent events to one browser."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from console.web.live import Client, LiveHub

SEND_MOST_S: Final = 5.0
"""A browser that takes no byte for this long is cut off."""
SESSION_CHECK_EVERY_S: Final = 10.0
"""How soon an open stream notices that its session was ended."""

_HEADERS: Final = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]


class EventStream(Response):
    """A response that sends a client's messages until the browser, the session or the hub ends it.

    A plain streaming response would wait for a stuck browser for ever; here every send has a limit.
    """

    def __init__(self, hub: LiveHub, client: Client, *, still_allowed: Callable[[], Awaitable[bool]]) -> None:
        super().__init__()
        self._hub, self._client, self._still_allowed = hub, client, still_allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 (the ASGI signature)
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        enders = (self._sending(send), _gone(receive), self._session_over(), self._client.dropped.wait())
        names = ("send", "gone", "session", "dropped")
        running = [asyncio.create_task(ender, name=f"console-sse-{name}") for ender, name in zip(enders, names, strict=True)]
        try:
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.leave(self._client)
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        for task in done:
            task.result()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _sending(self, send: Send) -> None:
        while True:
            message: Message = {"type": "http.response.body", "body": await self._client.take(), "more_body": True}
            try:
                async with asyncio.timeout(SEND_MOST_S):
                    await send(message)
            except TimeoutError:
                return

    async def _session_over(self) -> None:
        while await self._still_allowed():
            await self._hub.clock.sleep(SESSION_CHECK_EVERY_S)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
