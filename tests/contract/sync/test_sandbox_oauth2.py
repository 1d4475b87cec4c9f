"""OAuth 2.0 in the sandbox, by unmodified tweepy and by forms: saying yes, tokens, renewing, scopes, taking back."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import pytest
import requests
import tweepy
from oauthlib.oauth2 import OAuth2Error
from requests.adapters import HTTPAdapter
from tweepy.asynchronous import AsyncClient

from sync.outcomes import judge_error
from sync.posting import Certainty
from sync.sandbox import Sandbox
from sync.sandbox.oauth2_grants import challenge_of
from tests.contract.sync.test_sandbox_with_tweepy import session_to
from tests.sandbox_owner import REDIRECT, decide
from timebase import SystemClock, VirtualClock

ALL = ("tweet.read", "tweet.write", "users.read", "media.write", "offline.access")
TOKEN = "https://api.twitter.com/2/oauth2/token"
VERIFIER = "v" * 64


class ToTheSandbox(HTTPAdapter):
    """Leads requests' connections to the sandbox, as a hosts file would."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__()
        self._base, self._ca_file = sandbox.api_base, str(sandbox.ca_file)

    def send(self, request: requests.PreparedRequest, *arguments: Any, **named: Any) -> requests.Response:
        assert request.url is not None
        request.headers["Host"] = "api.twitter.com"
        request.url = request.url.replace("https://api.twitter.com", self._base)
        return super().send(request, *arguments, **{**named, "verify": self._ca_file})


def handler_of(sandbox: Sandbox, *, public: bool = False, scopes: tuple[str, ...] = ALL) -> tweepy.OAuth2UserHandler:
    app = json.loads(sandbox.app_file("anna", public=public).read_text())
    handler = tweepy.OAuth2UserHandler(redirect_uri=REDIRECT, scope=list(scopes), **app)
    handler.mount("https://api.twitter.com", ToTheSandbox(sandbox))
    return handler


async def tokens_of(sandbox: Sandbox, **named: Any) -> dict[str, Any]:
    """A whole sign-in by tweepy's own flow."""
    handler = handler_of(sandbox, **named)
    back = await decide(handler.get_authorization_url(), sandbox)
    tokens: dict[str, Any] = await asyncio.to_thread(handler.fetch_token, back.replace("http:", "https:"))
    return tokens


@asynccontextmanager
async def tweepy_with(sandbox: Sandbox, access_token: str) -> AsyncIterator[AsyncClient]:
    async with session_to(sandbox) as session:
        client = AsyncClient(bearer_token=access_token)
        client.session = session
        yield client


async def form(
    sandbox: Sandbox, fields: Mapping[str, str], *, path: str = "/2/oauth2/token", auth: str | None = None
) -> tuple[int, dict[str, Any]]:
    headers = {} if auth is None else {"Authorization": auth}
    url = f"https://api.twitter.com{path}"
    async with session_to(sandbox) as session, session.post(url, data=dict(fields), headers=headers) as answer:
        return answer.status, await answer.json()


def app_of(sandbox: Sandbox, *, public: bool = True) -> dict[str, str]:
    shown: dict[str, str] = json.loads(sandbox.app_file("anna", public=public).read_text())
    return shown


def page_of(sandbox: Sandbox, **changes: str | None) -> str:
    asked = {
        "response_type": "code",
        "client_id": app_of(sandbox)["client_id"],
        "redirect_uri": REDIRECT,
        "scope": " ".join(ALL),
        "state": "st-1",
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
    }
    query = {name: value for name, value in {**asked, **changes}.items() if value is not None}
    return f"{sandbox.api_base}/i/oauth2/authorize?{urlencode(query)}"


async def code_of(sandbox: Sandbox, **named: Any) -> str:
    back = await decide(page_of(sandbox), sandbox, **named)
    return parse_qs(urlsplit(back).query)["code"][0]


def exchange_of(sandbox: Sandbox, code: str, **changes: str) -> dict[str, str]:
    fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
    return fields | app_of(sandbox) | changes


def renewal_of(sandbox: Sandbox, token: str) -> dict[str, str]:
    return {"grant_type": "refresh_token", "refresh_token": token} | app_of(sandbox)


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(tmp_path, [("anna", "anna_tv"), ("ben", "ben_tv")]) as running:
        yield running


@pytest.mark.parametrize("public", [False, True], ids=["confidential", "public"])
async def test_tweepy_signs_in_posts_reads_and_deletes(sandbox: Sandbox, public: bool) -> None:
    """The library's own PKCE flow, and the whole life of a tweet with the token it gave."""
    tokens = await tokens_of(sandbox, public=public)
    async with tweepy_with(sandbox, tokens["access_token"]) as client:
        me = (await client.get_me(user_auth=False)).data
        posted = (await client.create_tweet(text="By a token", user_auth=False)).data
        read = await client.get_users_tweets(me.id, max_results=5, user_auth=False)
        gone = (await client.delete_tweet(posted["id"], user_auth=False)).data

    assert (tokens["token_type"], tokens["expires_in"], tuple(tokens["scope"])) == ("bearer", 7200, ALL)
    assert me.username == "anna_tv"
    assert [tweet.text for tweet in read.data] == ["By a token"]
    assert gone == {"deleted": True}
    assert {request.account_id for request in sandbox.requests if request.path.startswith("/2/tweets")} == {"anna"}


async def test_tweepy_renews_and_the_old_access_token_is_over(sandbox: Sandbox) -> None:
    """`refresh_token` of the same handler, for a confidential client."""
    handler = handler_of(sandbox)
    back = await decide(handler.get_authorization_url(), sandbox)
    first = await asyncio.to_thread(handler.fetch_token, back.replace("http:", "https:"))
    second = await asyncio.to_thread(handler.refresh_token, TOKEN, first["refresh_token"], auth=handler.auth)

    assert second["access_token"] != first["access_token"]
    assert second["refresh_token"] != first["refresh_token"]
    async with tweepy_with(sandbox, second["access_token"]) as client:
        assert (await client.get_me(user_auth=False)).data.username == "anna_tv"
    async with tweepy_with(sandbox, first["access_token"]) as client:
        with pytest.raises(tweepy.Unauthorized):
            await client.get_me(user_auth=False)


async def test_a_refresh_token_used_twice_ends_its_whole_family(sandbox: Sandbox) -> None:
    """Also the tokens that came of it; another sign-in of the account is not touched."""
    first, other = await tokens_of(sandbox, public=True), await tokens_of(sandbox, public=True)
    status, second = await form(sandbox, renewal_of(sandbox, first["refresh_token"]))
    assert status == 200
    status, told = await form(sandbox, renewal_of(sandbox, first["refresh_token"]))
    assert (status, told) == (
        400,
        {"error": "invalid_request", "error_description": "Value passed for the token was invalid."},
    )
    assert (await form(sandbox, renewal_of(sandbox, second["refresh_token"])))[0] == 400
    async with tweepy_with(sandbox, second["access_token"]) as client:
        with pytest.raises(tweepy.Unauthorized) as refused:
            await client.create_tweet(text="?", user_auth=False)
    assert judge_error(refused.value, byte_written=True).certainty is Certainty.REFUSED
    async with tweepy_with(sandbox, other["access_token"]) as client:
        await client.create_tweet(text="!", user_auth=False)
    assert [tweet.text for tweet in sandbox.tweets] == ["!"]


async def test_an_access_token_lasts_two_hours(tmp_path: Path) -> None:
    """To the second; what was renewed lasts two hours from then."""
    clock = VirtualClock(start_utc=SystemClock().utc())
    async with Sandbox(tmp_path, [("anna", "anna_tv")], clock=clock) as sandbox:
        tokens = await tokens_of(sandbox, public=True)
        async with tweepy_with(sandbox, tokens["access_token"]) as client:
            await clock.advance(timedelta(seconds=7199).total_seconds())
            await client.get_me(user_auth=False)
            await clock.advance(2)
            with pytest.raises(tweepy.Unauthorized):
                await client.get_me(user_auth=False)
        status, renewed = await form(sandbox, renewal_of(sandbox, tokens["refresh_token"]))
        assert status == 200
        async with tweepy_with(sandbox, renewed["access_token"]) as client:
            await client.get_me(user_auth=False)


async def test_a_code_is_good_once_and_for_seconds(tmp_path: Path) -> None:
    """A second exchange takes back what the first gave."""
    clock = VirtualClock(start_utc=SystemClock().utc())
    async with Sandbox(tmp_path, [("anna", "anna_tv")], clock=clock) as sandbox:
        code = await code_of(sandbox)
        status, tokens = await form(sandbox, exchange_of(sandbox, code))
        assert status == 200
        assert (await form(sandbox, exchange_of(sandbox, code)))[0] == 400
        async with tweepy_with(sandbox, tokens["access_token"]) as client:
            with pytest.raises(tweepy.Unauthorized):
                await client.get_me(user_auth=False)
        late = await code_of(sandbox)
        await clock.advance(31)
        status, told = await form(sandbox, exchange_of(sandbox, late))
    assert (status, told["error_description"]) == (400, "Value passed for the authorization code was invalid.")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"code_verifier": "w" * 64}, "code verifier did not match"),
        ({"redirect_uri": "http://127.0.0.1:1/other"}, "redirect uri did not match"),
        ({"code_verifier": ""}, "Missing required parameter [code_verifier]"),
        ({"grant_type": "client_credentials"}, "grant type was invalid"),
        ({"client_id": "nobody"}, "client id was invalid"),
    ],
)
async def test_an_exchange_that_is_not_the_one_agreed_gives_nothing(sandbox: Sandbox, changes: dict[str, str], told: str) -> None:
    """PKCE and the rest: a code caught on its way is worth nothing to others."""
    status, answer = await form(sandbox, exchange_of(sandbox, await code_of(sandbox), **changes))
    assert (status, answer["error"]) == (400, "invalid_request")
    assert told in answer["error_description"]


async def test_a_confidential_client_must_show_its_secret(sandbox: Sandbox) -> None:
    """For exchanging, renewing and taking back; and another app cannot renew its tokens."""
    app, tokens = app_of(sandbox, public=False), await tokens_of(sandbox)
    renewal = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": app["client_id"]}
    for auth in (None, aiohttp.encode_basic_auth(app["client_id"], "wrong")):
        status, told = await form(sandbox, renewal, auth=auth)
        assert (status, told["error"]) == (401, "unauthorized_client")
    assert (await form(sandbox, renewal_of(sandbox, tokens["refresh_token"])))[0] == 400
    right = aiohttp.encode_basic_auth(app["client_id"], app["client_secret"])
    assert (await form(sandbox, renewal, auth=right))[0] == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"code_challenge": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
        {"state": None},
        {"scope": "tweet.write everything"},
        {"scope": ""},
        {"client_id": "nobody"},
        {"response_type": "token"},
        {"redirect_uri": "https://example.com/callback"},
        {"redirect_uri": "http://192.0.2.7/callback"},
    ],
    ids=str,
)
async def test_a_wrong_question_shows_no_button_and_sends_nobody_away(sandbox: Sandbox, wrong: dict[str, str | None]) -> None:
    """PKCE by S256 is required; a code goes to programs of this machine only."""
    async with session_to(sandbox) as session:
        url = page_of(sandbox, **wrong).replace(sandbox.api_base, "https://api.twitter.com")
        async with session.get(url) as shown, session.post(url, data={"decision": "allow", "account": "anna"}) as answered:
            assert (shown.status, answered.status) == (400, 400)
            text = await shown.text()
    assert "Something went wrong" in text
    assert next(iter(wrong)) in text
    assert "<button" not in text


async def test_the_state_comes_back_with_a_yes_and_with_a_no(sandbox: Sandbox) -> None:
    """Unchanged, whatever is in it; tweepy refuses another one."""
    state = "a b&c=%/ü"
    yes = parse_qs(urlsplit(await decide(page_of(sandbox, state=state), sandbox)).query)
    no = parse_qs(urlsplit(await decide(page_of(sandbox, state=state), sandbox, decision="deny")).query)
    assert (yes["state"], set(yes)) == ([state], {"state", "code"})
    assert no == {"state": [state], "error": ["access_denied"]}
    handler = handler_of(sandbox)
    back = await decide(handler.get_authorization_url(), sandbox)
    with pytest.raises(OAuth2Error, match="mismatching_state"):
        await asyncio.to_thread(handler.fetch_token, back.replace("http:", "https:").replace("state=", "state=x"))


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        (("tweet.read", "users.read"), {"me", "read"}),
        (("tweet.read", "users.read", "tweet.write"), {"me", "read", "post", "delete"}),
        (("tweet.write",), set[str]()),
        (("users.read",), set[str]()),
        (("media.write",), {"media"}),
    ],
)
async def test_a_token_may_do_what_was_granted_and_no_more(sandbox: Sandbox, scopes: tuple[str, ...], allowed: set[str]) -> None:
    """403 Forbidden in X's words, which is a refusal for the publisher; nothing is posted."""
    tokens = await tokens_of(sandbox, public=True, scopes=scopes)
    async with tweepy_with(sandbox, tokens["access_token"]) as client:
        png = {"media": "aGVsbG8=", "media_type": "image/png", "media_category": "tweet_image"}
        calls: dict[str, Callable[[], Awaitable[Any]]] = {
            "me": lambda: client.get_me(user_auth=False),
            "read": lambda: client.get_users_tweets(5, user_auth=False),
            "post": lambda: client.create_tweet(text="?", user_auth=False),
            "delete": lambda: client.delete_tweet(5, user_auth=False),
            "media": lambda: client.request("POST", "/2/media/upload", params={}, json=png),
        }
        passed, told = set[str](), list[tuple[list[str], Certainty]]()
        for name, call in calls.items():
            try:
                await call()
            except tweepy.Forbidden as error:
                told.append((error.api_messages, judge_error(error, byte_written=True).certainty))
                continue
            except (tweepy.NotFound, tweepy.BadRequest):
                pass  # let through; what it is about is not there
            passed.add(name)
    assert passed == allowed
    assert told == [(["Forbidden"], Certainty.REFUSED)] * (len(calls) - len(allowed))
    assert "refresh_token" not in tokens


async def test_what_is_taken_back_is_over(sandbox: Sandbox) -> None:
    """An access token alone; with a refresh token its whole family; an unknown token is no mistake."""
    tokens = await tokens_of(sandbox, public=True)
    revoke = app_of(sandbox) | {"token": tokens["access_token"]}
    assert await form(sandbox, revoke, path="/2/oauth2/revoke") == (200, {"revoked": True})
    async with tweepy_with(sandbox, tokens["access_token"]) as client:
        with pytest.raises(tweepy.Unauthorized):
            await client.get_me(user_auth=False)
    _, renewed = await form(sandbox, renewal_of(sandbox, tokens["refresh_token"]))
    for _ in range(2):
        await form(sandbox, revoke | {"token": renewed["refresh_token"]}, path="/2/oauth2/revoke")
    async with tweepy_with(sandbox, renewed["access_token"]) as client:
        with pytest.raises(tweepy.Unauthorized):
            await client.get_me(user_auth=False)
    assert (await form(sandbox, renewal_of(sandbox, renewed["refresh_token"])))[0] == 400


async def test_tokens_and_apps_outlive_the_sandbox_and_lie_nowhere_in_clear(tmp_path: Path) -> None:
    """As the OAuth 1.0a keys do; the file of the families holds digests."""
    async with Sandbox(tmp_path, [("anna", "anna_tv")]) as first:
        tokens, app = await tokens_of(first, public=True), app_of(first)
    kept = (tmp_path / "oauth2.json").read_text()
    assert (tmp_path / "oauth2.json").stat().st_mode & 0o077 == 0
    assert tokens["access_token"] not in kept
    assert tokens["refresh_token"] not in kept
    async with Sandbox(tmp_path, [("anna", "anna_tv")]) as second:
        assert app_of(second) == app
        async with tweepy_with(second, tokens["access_token"]) as client:
            await client.get_me(user_auth=False)
        assert (await form(second, renewal_of(second, tokens["refresh_token"])))[0] == 200


async def test_another_account_may_be_the_one_that_says_yes(sandbox: Sandbox) -> None:
    """Whoever is signed in in the browser; the token speaks for them."""
    status, tokens = await form(sandbox, exchange_of(sandbox, await code_of(sandbox, account="ben")))
    assert status == 200
    async with tweepy_with(sandbox, tokens["access_token"]) as client:
        assert (await client.get_me(user_auth=False)).data.username == "ben_tv"
