"""The sandbox speaks to tweepy as it comes: nothing of it is changed, only names lead to this machine."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import tweepy
from tweepy.asynchronous import AsyncClient
from yarl import URL

from sync.accounts import Credentials, load_credentials
from sync.oauth import Signer
from sync.outcomes import judge_error
from sync.posting import Certainty
from sync.sandbox import Fault, FaultKind, Sandbox, SandboxSettings
from sync.warm_connections import RedirectingResolver


@asynccontextmanager
async def session_to(sandbox: Sandbox, *, timeout_s: float = 5.0) -> AsyncIterator[aiohttp.ClientSession]:
    port = URL(sandbox.api_base).port
    assert port is not None
    connector = aiohttp.TCPConnector(
        ssl=ssl.create_default_context(cafile=str(sandbox.ca_file)),
        resolver=RedirectingResolver(host="127.0.0.1", port=port),
    )
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=timeout_s)) as session:
        yield session


def secrets_of(sandbox: Sandbox, name: str = "anna") -> dict[str, str]:
    credentials = load_credentials(sandbox.credentials_file(name))
    fields = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
    return {field: getattr(credentials, field).get_secret_value() for field in fields}


@asynccontextmanager
async def tweepy_to(
    sandbox: Sandbox, *, name: str = "anna", timeout_s: float = 5.0, changes: Mapping[str, str] | None = None
) -> AsyncIterator[AsyncClient]:
    async with session_to(sandbox, timeout_s=timeout_s) as session:
        client = AsyncClient(**(secrets_of(sandbox, name) | dict(changes or {})))
        client.session = session
        yield client


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(tmp_path, [("anna", "anna_tv"), ("ben", "ben_tv")]) as running:
        yield running


async def test_tweepy_posts_reads_and_deletes(sandbox: Sandbox) -> None:
    """The whole life of a tweet through the library's own methods and models."""
    async with tweepy_to(sandbox) as client:
        me = (await client.get_me(user_auth=True)).data
        assert (me.username, str(me.id)) == ("anna_tv", load_credentials(sandbox.credentials_file("anna")).user_id)
        before = datetime.now(UTC)
        posted = [(await client.create_tweet(text=f"No. {number}")).data for number in range(7)]
        read = await client.get_users_tweets(me.id, max_results=5, tweet_fields=["created_at"], user_auth=True)
        assert [tweet.text for tweet in read.data] == ["No. 6", "No. 5", "No. 4", "No. 3", "No. 2"]
        assert abs((read.data[0].created_at - before).total_seconds()) < 60
        rest = await client.get_users_tweets(me.id, max_results=5, pagination_token=read.meta["next_token"], user_auth=True)
        assert [tweet.text for tweet in rest.data] == ["No. 1", "No. 0"]
        newer = await client.get_users_tweets(me.id, since_id=posted[5]["id"], user_auth=True)
        assert [str(tweet.id) for tweet in newer.data] == [posted[6]["id"]]
        assert (await client.get_tweet(posted[0]["id"], user_auth=True)).data.text == "No. 0"
        assert (await client.delete_tweet(posted[0]["id"])).data == {"deleted": True}
        with pytest.raises(tweepy.NotFound):
            await client.get_tweet(posted[0]["id"], user_auth=True)


async def test_fields_tweepy_does_not_know_are_taken(sandbox: Sandbox) -> None:
    """`paid_partnership` through the generic request, kept with the tweet."""
    async with tweepy_to(sandbox) as client:
        body = {"text": "Paid #ad", "paid_partnership": True}
        await client.request("POST", "/2/tweets", params={}, json=body, user_auth=True)
    assert sandbox.tweets[0].fields == body


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (lambda client: client.create_tweet(text="x" * 281), tweepy.Forbidden, "too long"),
        (lambda client: client.create_tweet(text=""), tweepy.BadRequest, "One or more parameters|needs text"),
        (lambda client: client.create_tweet(text="a", poll_options=["a"], poll_duration_minutes=5), tweepy.BadRequest, "options"),
        (lambda client: client.delete_tweet(5), tweepy.NotFound, "Could not find tweet"),
        (lambda client: client.get_users_tweets(5, user_auth=True), tweepy.NotFound, "Could not find user"),
        (lambda client: client.get_liked_tweets(5, user_auth=True), tweepy.NotFound, "no such endpoint"),
    ],
)
async def test_wrong_requests_get_the_library_s_own_errors(
    call: Callable[[AsyncClient], Any], error: type[Exception], told: str, sandbox: Sandbox
) -> None:
    """Each with X's body, so that messages survive."""
    async with tweepy_to(sandbox) as client:
        with pytest.raises(error, match=told):
            await call(client)
    assert sandbox.tweets == []


@pytest.mark.parametrize(
    ("fault", "error", "certainty"),
    [
        (Fault(kind=FaultKind.DROP, commit=True), aiohttp.ServerDisconnectedError, Certainty.UNKNOWN),
        (Fault(kind=FaultKind.HANG), TimeoutError, Certainty.UNKNOWN),
        (Fault(kind=FaultKind.CUT_201), aiohttp.ClientPayloadError, Certainty.UNKNOWN),
        (Fault(kind=FaultKind.GARBLED_201), aiohttp.ContentTypeError, Certainty.UNKNOWN),
        (Fault(kind=FaultKind.HTML_503), aiohttp.ContentTypeError, Certainty.UNKNOWN),
        (Fault(kind=FaultKind.RATE_429), tweepy.TooManyRequests, Certainty.REFUSED),
        (Fault(kind=FaultKind.DUPLICATE_403), tweepy.Forbidden, Certainty.UNKNOWN),
    ],
    ids=lambda value: str(value.kind) if isinstance(value, Fault) else None,
)
async def test_faults_reach_tweepy_as_the_real_ones_do(
    fault: Fault, error: type[Exception], certainty: Certainty, sandbox: Sandbox
) -> None:
    """The table of docs/sandbox.md; and each error has the certainty our publisher gives it."""
    sandbox.faults.add(fault)
    async with tweepy_to(sandbox, timeout_s=0.3) as client:
        with pytest.raises(error) as caught:
            await client.create_tweet(text="once")
    assert judge_error(caught.value, byte_written=True).certainty is certainty
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize("name", ["consumer_secret", "access_token_secret"])
async def test_a_signature_by_other_secrets_is_refused(name: str, sandbox: Sandbox) -> None:
    """Code 32, for either half of the key."""
    async with tweepy_to(sandbox, changes={name: "wrong"}) as client:
        with pytest.raises(tweepy.Unauthorized, match="32 - Could not authenticate you"):
            await client.create_tweet(text="?")


@pytest.mark.parametrize("name", ["consumer_key", "access_token"])
async def test_an_unknown_token_is_refused(name: str, sandbox: Sandbox) -> None:
    """Code 89."""
    async with tweepy_to(sandbox, changes={name: "wrong"}) as client:
        with pytest.raises(tweepy.Unauthorized, match="89 - Invalid or expired token"):
            await client.create_tweet(text="?")


async def test_a_bearer_token_is_no_user(sandbox: Sandbox) -> None:
    """App-only authorisation cannot post."""
    async with session_to(sandbox) as session:
        client = AsyncClient(bearer_token="anything")
        client.session = session
        with pytest.raises(tweepy.Forbidden, match="Application-Only is forbidden"):
            await client.create_tweet(text="?", user_auth=False)


def signed(credentials: Credentials, *, nonce: str, age_s: int = 0) -> dict[str, str]:
    url = "https://api.twitter.com/2/tweets"
    now_s = int(time.time()) - age_s
    header = Signer(credentials).authorization(method="POST", url=url, nonce=nonce, timestamp_s=now_s)
    return {"Authorization": header, "Content-Type": "application/json"}


async def send(session: aiohttp.ClientSession, headers: dict[str, str], *, path: str = "/2/tweets") -> tuple[int, Any]:
    async with session.post("https://api.twitter.com" + path, data=b'{"text":"a"}', headers=headers) as response:
        return response.status, await response.json()


async def test_replays_and_old_requests_are_refused(sandbox: Sandbox) -> None:
    """A nonce works once, a timestamp for minutes, a signature for one path; code 135 and 32."""
    anna = load_credentials(sandbox.credentials_file("anna"))
    async with session_to(sandbox) as session:
        assert (await send(session, signed(anna, nonce="n1")))[0] == 201
        assert (await send(session, signed(anna, nonce="n2", age_s=299)))[0] == 201
        for headers in (signed(anna, nonce="n1"), signed(anna, nonce="n3", age_s=400), signed(anna, nonce="n4", age_s=-400)):
            status, body = await send(session, headers)
            assert (status, body["errors"][0]["code"]) == (401, 135)
        status, body = await send(session, signed(anna, nonce="n5"), path="/2/tweets?x=1")
        assert (status, body["errors"][0]["code"]) == (401, 32)
        status, body = await send(session, {"Content-Type": "application/json"})
        assert (status, body["title"]) == (401, "Unauthorized")
        status, body = await send(session, signed(anna, nonce="n6") | {"Content-Type": "text/plain"})
        assert (status, body["title"]) == (400, "Invalid Request")
    assert len(sandbox.tweets) == 2


async def test_the_limits_are_told_and_kept(tmp_path: Path) -> None:
    """Both windows in the headers of every answer; the third post of two is refused until the reset."""
    settings = SandboxSettings(user_posts_per_window=2)
    async with Sandbox(tmp_path, [("anna", "a")], settings=settings) as sandbox, tweepy_to(sandbox) as client:
        client.return_type = aiohttp.ClientResponse
        response = await client.create_tweet(text="1")
        assert response.headers["x-rate-limit-remaining"] == "1"
        assert response.headers["x-app-limit-24hour-remaining"] == "9999"
        assert response.headers["x-user-limit-24hour-limit"] == "2400"
        await client.create_tweet(text="2")
        with pytest.raises(tweepy.TooManyRequests) as caught:
            await client.create_tweet(text="3")
        assert caught.value.reset_time > time.time()


async def test_both_of_x_s_names_and_the_loopback_are_certified(sandbox: Sandbox) -> None:
    """The leaf serves the names it must and the authority cannot serve others."""
    context = ssl.create_default_context(cafile=str(sandbox.ca_file))
    port = URL(sandbox.api_base).port
    for name in ("api.twitter.com", "api.x.com", "localhost", "127.0.0.1"):
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
        writer.close()
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="example.com")
