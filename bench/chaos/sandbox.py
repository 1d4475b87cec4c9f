"""The sandbox's process: an X that never removes a duplicate, and writes down each POST before it does anything with it."""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sync.sandbox import Sandbox, SandboxSettings
from sync.sandbox.api import Api

ARRIVALS_NAME = "arrivals.jsonl"
TWEETS_NAME = "tweets.jsonl"
"""The sandbox's own journal: what it has applied."""
_GENEROUS = 10**7
_TOKEN = re.compile(r'oauth_token="(\d+)-')


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOrder:
    """What a sandbox is started with; its ports are fixed, so that it comes back where it was."""

    folder: str
    accounts: tuple[str, ...]
    api_port: int
    page_port: int


def run(order: SandboxOrder, announce: Callable[..., None]) -> None:
    """Be a sandbox until killed."""
    asyncio.run(_run(order, announce))


async def _run(order: SandboxOrder, announce: Callable[..., None]) -> None:
    folder = Path(order.folder)
    with (folder / ARRIVALS_NAME).open("a", encoding="utf-8") as arrivals:
        _write_down(arrivals.write, arrivals.flush)
        settings = SandboxSettings(
            user_posts_per_window=_GENEROUS,
            user_reads_per_window=_GENEROUS,
            user_posts_per_day=_GENEROUS,
            app_posts_per_day=_GENEROUS,
            journal=True,
        )
        accounts = [(name, name) for name in order.accounts]
        async with Sandbox(folder, accounts, port=order.api_port, page_port=order.page_port, settings=settings):
            announce(ready=True)
            await asyncio.Event().wait()


def _write_down(write: Callable[[str], Any], flush: Callable[[], None]) -> None:
    respond = Api._respond

    async def responded(self: Api, request: Any, transport: Any, body: bytes, record: Any) -> Any:
        if request.method == "POST" and request.path == "/2/tweets":
            user = _TOKEN.search(request.headers.get("Authorization", ""))
            facts = {"at_mono_ns": record.arrived_mono_ns, "user_id": user[1] if user else "", "body": body.decode()}
            write(json.dumps(facts) + "\n")
            flush()
        return await respond(self, request, transport, body, record)

    Api._respond = responded  # type: ignore[method-assign]
