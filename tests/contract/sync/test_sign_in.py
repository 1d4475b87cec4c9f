"""An account is signed in as its owner does it: a page, a number, keys that hold."""

import asyncio
import logging
import re
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from sync.accounts import load_credentials
from sync.publisher import XPublisher
from sync.sandbox import Sandbox
from sync.sign_in import SignIn, SignInError
from timebase import SystemClock


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(tmp_path, [("anna", "anna_tv"), ("ben", "ben_tv")]) as running:
        yield running


def sign_in_of(sandbox: Sandbox, name: str, *, secret: str | None = None) -> SignIn:
    known = load_credentials(sandbox.credentials_file(name))
    key, right = known.consumer_key.get_secret_value(), known.consumer_secret.get_secret_value()
    return SignIn(key, secret or right, api_base=sandbox.api_base, ca_file=sandbox.ca_file)


async def number_on(page_url: str, sandbox: Sandbox) -> str:
    context = ssl.create_default_context(cafile=str(sandbox.ca_file))
    async with aiohttp.ClientSession() as session, session.get(page_url, ssl=context) as answer:
        found = re.search(r"<code>(\d+)</code>", await answer.text())
    assert found is not None
    return found[1]


async def test_the_number_becomes_keys_that_x_takes(sandbox: Sandbox) -> None:
    """tweepy's own flow; oauthlib checks every signature on the other side."""
    sign_in = sign_in_of(sandbox, "anna")
    page_url = await asyncio.to_thread(sign_in.begin)
    pin = await number_on(page_url, sandbox)
    credentials = await asyncio.to_thread(sign_in.finish, f" {pin}\n", account_id="anna", handle="Anna_TV")
    publisher = XPublisher([credentials], clock=SystemClock(), api_base=sandbox.api_base, ca_file=sandbox.ca_file)
    checked = await publisher.check("anna")
    await publisher.close()

    assert page_url.startswith(f"{sandbox.api_base}/oauth/authorize?oauth_token=")
    assert checked.faults == ()
    assert credentials == load_credentials(sandbox.credentials_file("anna"))


async def test_a_wrong_number_and_a_used_one_give_nothing(sandbox: Sandbox) -> None:
    """With the advice to begin again."""
    sign_in = sign_in_of(sandbox, "anna")
    pin = await number_on(await asyncio.to_thread(sign_in.begin), sandbox)
    wrong = f"{(int(pin) + 1) % 10**7:07}"
    with pytest.raises(SignInError, match=r"did not take the number .* begin again"):
        await asyncio.to_thread(sign_in.finish, wrong, account_id="anna", handle="anna_tv")
    await asyncio.to_thread(sign_in.finish, pin, account_id="anna", handle="anna_tv")
    with pytest.raises(SignInError, match=r"did not take the number .* begin again"):
        await asyncio.to_thread(sign_in.finish, pin, account_id="anna", handle="anna_tv")


async def test_somebody_elses_yes_is_refused(sandbox: Sandbox) -> None:
    """The browser was signed in as another account: no keys are kept."""
    sign_in = sign_in_of(sandbox, "ben")
    pin = await number_on(await asyncio.to_thread(sign_in.begin), sandbox)
    with pytest.raises(SignInError, match="signed in as @ben_tv; sign in there as @anna_tv"):
        await asyncio.to_thread(sign_in.finish, pin, account_id="anna", handle="anna_tv")


async def test_an_apps_wrong_secret_is_told_without_quoting_it(sandbox: Sandbox) -> None:
    """Before anybody opens a page."""
    with pytest.raises(SignInError, match="X gave no sign-in page") as refused:
        await asyncio.to_thread(sign_in_of(sandbox, "anna", secret="never-shown").begin)
    assert "never-shown" not in repr(refused.value)
    assert refused.value.__cause__ is None


async def test_no_key_is_logged(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """The libraries of the flow tell everything at their lowest level; none of it is written."""
    with caplog.at_level(logging.DEBUG):
        sign_in = sign_in_of(sandbox, "anna")
        pin = await number_on(await asyncio.to_thread(sign_in.begin), sandbox)
        credentials = await asyncio.to_thread(sign_in.finish, pin, account_id="anna", handle="anna_tv")
    everything = "\n".join([caplog.text, *(repr(vars(record)) for record in caplog.records)])
    for name in ("consumer_secret", "access_token", "access_token_secret"):
        assert getattr(credentials, name).get_secret_value() not in everything


async def test_nobody_there_is_told(sandbox: Sandbox) -> None:
    """Not a traceback of the library's."""
    with pytest.raises(SignInError, match="X gave no sign-in page"):
        await asyncio.to_thread(SignIn("k", "s", api_base="https://127.0.0.1:1", ca_file=sandbox.ca_file).begin)
