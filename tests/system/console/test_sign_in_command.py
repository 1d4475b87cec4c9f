"""`cuebird account sign-in --oauth2` as typed: a page, a browser that comes back by itself, sealed tokens, a list, a check."""

import asyncio
import json
import os
import re
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from sync.sandbox import Sandbox
from tests.sandbox_owner import decide

pytestmark = pytest.mark.system


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(tmp_path / "x", [("anna", "anna_tv"), ("ben", "ben_tv")]) as running:
        yield running


@pytest.fixture
def config(tmp_path: Path, sandbox: Sandbox) -> Path:
    path = tmp_path / "cuebird.toml"
    lines = ["[publisher]", f"api_base = '{sandbox.api_base}'", f"ca_file = '{sandbox.ca_file}'"]
    lines += ["[[account]]", "id = 'anna'", "handle = 'anna_tv'", "credentials_file = 'anna.json'"]
    path.write_text("\n".join(lines))
    return path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


async def begun(config: Path, *words: str) -> asyncio.subprocess.Process:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "console.cli",
        "--verbose",
        "account",
        *words,
        "--config",
        str(config),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment,
    )


async def page_in(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    while line := (await process.stdout.readline()).decode():
        if found := re.search(r"https://\S+/i/oauth2/authorize\S+", line):
            return found[0]
    raise AssertionError("no page was shown")


async def said(config: Path, *words: str) -> str:
    process = await begun(config, *words)
    output, _ = await process.communicate()
    return output.decode()


async def test_the_browser_comes_back_and_the_tokens_are_sealed(sandbox: Sandbox, config: Path) -> None:
    """A foreign path and an unfinished request are not taken for it; nothing secret is written or said."""
    redirect = f"http://127.0.0.1:{free_port()}/callback"
    app = str(sandbox.app_file("anna"))
    process = await begun(config, "sign-in", "anna", "--oauth2", "--app", app, "--redirect-uri", redirect)
    back = await decide(await page_in(process), sandbox)
    async with aiohttp.ClientSession() as browser:
        async with browser.get(redirect.replace("callback", "favicon.ico")) as other:
            assert other.status == 404
        async with browser.get(back) as answer:
            assert answer.status == 200
            assert "Close this window" in await answer.text()
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    everything = [output.decode(), await said(config, "list"), await said(config, "check"), await said(config, "list", "--json")]
    checked = await said(config, "check", "--json")

    assert "anna: sealed with the key" in everything[0]
    assert "OAuth 2.0, 1 h 59 min left" in everything[1]
    assert "✓ anna  @anna_tv  OAuth 2.0, 1 h 59 min left" in everything[2]
    assert '"kind": "OAuth 2.0"' in checked
    sealed = (config.parent / "anna.json").read_text()
    assert set(json.loads(sealed)) == {"format", "account_id", "key", "nonce", "sealed"}
    secret = json.loads(sandbox.app_file("anna").read_text())["client_secret"]
    assert secret not in "\n".join(everything)
    assert "code=" not in "\n".join(everything)


async def test_the_address_may_be_pasted(sandbox: Sandbox, config: Path) -> None:
    """Where the browser runs on another machine; somebody else's yes is refused, and nothing is kept."""
    for account, code in (("ben", 1), ("anna", 0)):
        process = await begun(
            config, "sign-in", "anna", "--oauth2", "--paste", "--app", str(sandbox.app_file("anna", public=True))
        )
        back = await decide(await page_in(process), sandbox, account=account)
        output, _ = await process.communicate(f"{back}\n".encode())
        assert process.returncode == code, output.decode()
        assert (config.parent / "anna.json").exists() == (code == 0)
    assert b"now ask X" in output


async def test_a_port_that_is_taken_is_said_before_anybody_signs_in(sandbox: Sandbox, config: Path) -> None:
    """With the way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        redirect = f"http://127.0.0.1:{taken.getsockname()[1]}/callback"
        output = await said(
            config, "sign-in", "anna", "--oauth2", "--app", str(sandbox.app_file("anna")), "--redirect-uri", redirect
        )
    assert "use --paste" in output
    assert "authorize" not in output
