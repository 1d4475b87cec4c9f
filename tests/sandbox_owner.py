"""The owner of a sandbox account, who says yes or no on the page an app has sent them to."""

import ssl
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp

REDIRECT = "http://127.0.0.1:8414/callback"
"""Where the browser is sent back to; nobody needs to listen there, `decide` reads the address."""


class Place(Protocol):
    """Where a sandbox is, in this process or another."""

    @property
    def api_base(self) -> str: ...

    @property
    def ca_file(self) -> Path: ...


async def decide(page_url: str, sandbox: Place, *, account: str = "anna", decision: str = "allow") -> str:
    """The address the owner's browser is sent back to."""
    parts = urlsplit(page_url)
    url = f"{sandbox.api_base}{parts.path}?{parts.query}"
    context = ssl.create_default_context(cafile=str(sandbox.ca_file))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        async with session.get(url) as shown:
            assert shown.status == 200, await shown.text()
            assert "Authorize app" in await shown.text()
        form = {"account": account, "decision": decision}
        async with session.post(url, data=form, allow_redirects=False) as answer:
            assert answer.status == 302
            return answer.headers["Location"]
