"""An account with OAuth 2.0 in the real engine: renewed before it is needed, posting, refused, taken over, signed in again."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.accounts import OAuth2Credentials
from sync.client import ControlClient
from sync.ledger import Ledger
from sync.oauth2_sign_in import OAuth2SignIn
from sync.publisher import XPublisher
from sync.renewals import TokenSetup
from sync.sandbox import Fault, FaultKind, Sandbox, SandboxSettings
from sync.sealing import SealingKey
from sync.token_records import TokenRecords
from tests.sandbox_owner import REDIRECT, decide
from tests.system.sync import test_engine_with_sandbox as whole

pytestmark = pytest.mark.system

KEY = SealingKey(b"k" * 32)
TOKEN = "/2/oauth2/token"
ENDS_S = 600
"""Tokens that end in ten minutes are due at once: they are renewed half an hour before their end."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="cb", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture
async def sandbox(folder: Path) -> AsyncIterator[Sandbox]:
    settings = SandboxSettings(access_token_s=ENDS_S)
    async with Sandbox(folder / "sandbox", [("coffee", "coffee_tv")], settings=settings) as running:
        yield running


async def signed_in(sandbox: Sandbox) -> OAuth2Credentials:
    app = json.loads(sandbox.app_file("coffee").read_text())
    sign_in = OAuth2SignIn(
        app["client_id"], app["client_secret"], redirect_uri=REDIRECT, api_base=sandbox.api_base, ca_file=sandbox.ca_file
    )
    back = await decide(sign_in.begin(), sandbox, account="coffee")
    now_utc = whole.CLOCK.utc()
    return await asyncio.to_thread(sign_in.finish, back, account_id="coffee", handle="coffee_tv", now_utc=now_utc)


def with_tokens(sandbox: Sandbox, credentials: OAuth2Credentials) -> dict[str, Any]:
    publisher = XPublisher([credentials], clock=whole.CLOCK, api_base=sandbox.api_base, ca_file=sandbox.ca_file)
    endpoint = publisher.token_client()
    tokens = TokenSetup(accounts=(credentials,), key=KEY, endpoint=endpoint, take=publisher.take_tokens)
    return {"publisher": publisher, "media": None, "tokens": tokens}


def renewals(sandbox: Sandbox) -> list[int | None]:
    """How each was answered."""
    return [one.status for one in sandbox.requests if one.path == TOKEN]


async def account(client: ControlClient) -> dict[str, Any]:
    (shown,) = (await client.request("snapshot"))["accounts"]
    return dict(shown)


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await true():
            await asyncio.sleep(0.05)


async def test_tokens_are_renewed_before_the_goal_and_over_a_restart(folder: Path, sandbox: Sandbox) -> None:
    """The post goes with the newest token; the next engine begins from the ledger, not from the file's used token."""
    whole.make_ledger(folder)
    file = await signed_in(sandbox)
    count = len(renewals(sandbox))
    async with whole.running(folder, sandbox, changes=with_tokens(sandbox, file)) as client:

        async def renewed() -> bool:
            shown = await account(client)
            newer = str(shown["token_expires_utc"]) > file.expires_utc.isoformat()[:19]
            return len(renewals(sandbox)) > count and newer

        await until(renewed)
        await whole.hear(client)
        firing = await whole.final_firing(client)
    assert (firing["state"], [tweet.text for tweet in sandbox.tweets]) == ("POSTED", [firing["text"]])
    made = len(renewals(sandbox))
    async with whole.running(folder, sandbox, changes=with_tokens(sandbox, file)) as client:
        # Ten minutes are always due: had it begun from the file, the used token would have been refused.
        await until(lambda: _more(sandbox, made))
        assert (await account(client))["detail"] == ""
    assert set(renewals(sandbox)) == {200}


async def _more(sandbox: Sandbox, made: int) -> bool:
    return len(renewals(sandbox)) > made and None not in renewals(sandbox)


async def test_a_refused_account_declines_says_why_and_comes_back_by_a_sign_in(folder: Path, sandbox: Sandbox) -> None:
    """An alarm, a held cue, a declined firing; after the sign-in it is well again without a restart."""
    whole.make_ledger(folder)
    file = await signed_in(sandbox)
    endpoint = with_tokens(sandbox, file)["publisher"].token_client()
    assert (await endpoint.renew(file)).credentials is not None  # somebody else has used its token
    async with whole.running(folder, sandbox, changes=with_tokens(sandbox, file)) as client:

        async def refused() -> bool:
            alarms = (await client.request("snapshot"))["alarms"]
            told = any("X refused" in alarm["text"] for alarm in alarms if alarm["level"] == "critical")
            return told and "X refused to renew its tokens" in (await account(client))["detail"]

        await until(refused)
        await whole.hear(client)
        firing = await whole.final_firing(client)
        snapshot = await client.request("snapshot")
        assert (firing["state"], firing["guard"]) == ("DECLINED", "account")
        assert firing["reason"].endswith("cuebird account sign-in coffee --oauth2")
        assert snapshot["cues"][0]["state"] in ("held", "idle")
        ledger = Ledger.open(folder / "ledger.db", mode=None)
        TokenRecords(ledger, KEY).sign_in(await signed_in(sandbox))
        ledger.close()
        await client.request("mode", mode="LIVE", actor="ops")  # looks at once

        async def well() -> bool:
            return bool((await account(client))["detail"] == "")

        await until(well)
    assert sandbox.tweets == []


async def test_a_lost_answer_is_never_asked_for_again(folder: Path, sandbox: Sandbox) -> None:
    """X has used the token up and nobody heard what it gave: the account needs a sign-in, also after a restart."""
    whole.make_ledger(folder)
    file = await signed_in(sandbox)
    count = len(renewals(sandbox))
    sandbox.faults.add(Fault(kind=FaultKind.DROP, path=TOKEN, commit=True))
    for _ in range(2):
        async with whole.running(folder, sandbox, changes=with_tokens(sandbox, file)) as client:

            async def in_doubt(client: ControlClient = client) -> bool:
                return "needs a sign-in before" in (await account(client))["detail"]

            await until(in_doubt)
            await asyncio.sleep(0.3)
    assert len(renewals(sandbox)) == count + 1
