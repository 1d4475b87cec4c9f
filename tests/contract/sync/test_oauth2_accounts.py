"""An account with OAuth 2.0: signed in, posting with a bearer header, renewed, refused, ended, and never in a log."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sync.accounts import OAuth2Credentials
from sync.oauth2_sign_in import OAuth2SignIn
from sync.posting import Certainty, Outcome, Shot
from sync.publisher import XPublisher
from sync.sandbox import Fault, FaultKind, Sandbox
from sync.sign_in import SignInError
from sync.tokens import SCOPES
from tests.sandbox_owner import REDIRECT, decide
from timebase import Clock, SystemClock, VirtualClock

CLOCK = SystemClock()
TOKEN = "/2/oauth2/token"


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(tmp_path, [("anna", "anna_tv"), ("ben", "ben_tv")]) as running:
        yield running


def sign_in_of(sandbox: Sandbox, *, public: bool = False, secret: str | None = None) -> OAuth2SignIn:
    app = json.loads(sandbox.app_file("anna", public=public).read_text())
    return OAuth2SignIn(
        app["client_id"],
        secret or app.get("client_secret"),
        redirect_uri=REDIRECT,
        api_base=sandbox.api_base,
        ca_file=sandbox.ca_file,
    )


async def finish(sign_in: OAuth2SignIn, back: str, *, handle: str = "anna_tv") -> OAuth2Credentials:
    now_utc = CLOCK.utc()
    return await asyncio.to_thread(sign_in.finish, back, account_id="anna", handle=handle, now_utc=now_utc)


async def signed_in(sandbox: Sandbox, *, public: bool = False) -> OAuth2Credentials:
    sign_in = sign_in_of(sandbox, public=public)
    return await finish(sign_in, await decide(sign_in.begin(), sandbox))


def publisher_of(sandbox: Sandbox, credentials: OAuth2Credentials, *, clock: Clock = CLOCK) -> XPublisher:
    return XPublisher([credentials], clock=clock, api_base=sandbox.api_base, ca_file=sandbox.ca_file)


async def post(publisher: XPublisher, text: str, *, clock: Clock = CLOCK) -> Outcome:
    deadline = clock.mono_ns() + 10_000_000_000
    shot = Shot(firing_id=1, account_id="anna", body=json.dumps({"text": text}).encode(), deadline_mono_ns=deadline)
    return await publisher.post(shot, lambda: None)


def secrets_of(credentials: OAuth2Credentials) -> list[str]:
    held = (credentials.access_token, credentials.refresh_token, credentials.client_secret)
    return [one.get_secret_value() for one in held if one is not None]


@pytest.mark.parametrize("public", [False, True], ids=["confidential", "public"])
async def test_a_yes_becomes_tokens_that_x_takes(sandbox: Sandbox, public: bool) -> None:
    """With all scopes, two hours of life, and the handle checked."""
    credentials = await signed_in(sandbox, public=public)
    publisher = publisher_of(sandbox, credentials)
    checked = await publisher.check("anna")
    await publisher.close()

    assert (credentials.account_id, credentials.handle, credentials.scopes) == ("anna", "anna_tv", SCOPES)
    assert timedelta(minutes=119) < credentials.expires_utc - CLOCK.utc() <= timedelta(hours=2)
    assert (checked.kind, checked.faults, checked.token_expires_utc) == ("OAuth 2.0", (), credentials.expires_utc)


async def test_a_no_another_account_and_a_used_code_give_nothing(sandbox: Sandbox) -> None:
    """Each with what to do; no library's words, which may quote secrets."""
    said_no = sign_in_of(sandbox)
    with pytest.raises(SignInError, match="not allowed on X's page"):
        await finish(said_no, await decide(said_no.begin(), sandbox, decision="deny"))
    other = sign_in_of(sandbox)
    with pytest.raises(SignInError, match="signed in as @ben_tv; sign in there as @anna_tv"):
        await finish(other, await decide(other.begin(), sandbox, account="ben"))
    twice = sign_in_of(sandbox)
    back = await decide(twice.begin(), sandbox)
    await finish(twice, back)
    with pytest.raises(SignInError, match=r"did not take the address .* begin again"):
        await finish(twice, back)
    foreign = sign_in_of(sandbox)
    foreign.begin()
    with pytest.raises(SignInError, match="mismatching_state"):
        await finish(foreign, back)
    wrong = sign_in_of(sandbox, secret="never-shown")
    with pytest.raises(SignInError) as refused:
        await finish(wrong, await decide(wrong.begin(), sandbox))
    assert "never-shown" not in repr(refused.value)
    assert refused.value.__cause__ is None


async def test_posts_reads_and_deletes_with_a_ready_bearer_head(sandbox: Sandbox) -> None:
    """On a warm connection, with the same outcomes; renewed tokens are used from the next request on."""
    credentials = await signed_in(sandbox)
    publisher = publisher_of(sandbox, credentials)
    await publisher.warm("anna")
    first = await post(publisher, "one")
    renewal = await publisher.token_client().renew(credentials)
    assert renewal.credentials is not None
    publisher.take_tokens(renewal.credentials)
    second = await post(publisher, "two")
    assert second.tweet_id is not None
    deleted = await publisher.delete("anna", second.tweet_id, lambda: None)
    timeline = await publisher.timeline("anna", since_id=0)
    health = publisher.health("anna")
    await publisher.close()

    assert [one.certainty for one in (first, second, deleted)] == [Certainty.POSTED] * 3
    assert (first.warm, second.warm) == (True, True)
    assert [tweet.text for tweet in timeline or []] == ["one"]
    assert (health.token_expires_utc, health.fault) == (renewal.credentials.expires_utc, "")


async def test_a_401_is_refused_and_nothing_is_renewed_or_repeated(sandbox: Sandbox) -> None:
    """One request, one answer: the token endpoint is not asked."""
    credentials = await signed_in(sandbox)
    await publisher_of(sandbox, credentials).token_client().renew(credentials)  # ends the access token before
    count = len(sandbox.requests)
    publisher = publisher_of(sandbox, credentials)
    outcome = await post(publisher, "?")
    await publisher.close()

    assert (outcome.certainty, outcome.http_status) == (Certainty.REFUSED, 401)
    assert [(one.method, one.path, one.status) for one in sandbox.requests[count:]] == [("POST", "/2/tweets", 401)]


async def test_an_ended_token_is_not_sent_and_not_waited_for(sandbox: Sandbox) -> None:
    """No byte leaves, for posts, deletions and readings; the reason is told, by the clock that does not step."""
    credentials = await signed_in(sandbox)
    clock = VirtualClock(start_utc=CLOCK.utc())
    publisher = publisher_of(sandbox, credentials, clock=clock)
    assert publisher.health("anna").fault == ""
    clock.step_utc(-timedelta(hours=5))
    await clock.advance(7201)
    count = len(sandbox.requests)
    outcomes = [await post(publisher, "?", clock=clock), await publisher.delete("anna", "1", lambda: None)]
    read, checked = await publisher.timeline("anna", since_id=0), await publisher.check("anna")
    fault = publisher.health("anna").fault
    await publisher.close()

    assert [one.certainty for one in outcomes] == [Certainty.NOT_SENT] * 2
    assert {one.reason for one in outcomes} == {fault}
    assert fault.startswith("the access token of account anna ended at")
    assert read is None
    assert checked.faults[0].startswith(fault)
    assert len(sandbox.requests) == count


def renewals_said(outcome: Any) -> tuple[Certainty, bool]:
    return outcome.certainty, outcome.credentials is not None


@pytest.mark.parametrize(
    ("fault", "certainty"),
    [
        (Fault(kind=FaultKind.DROP, path=TOKEN, commit=True), Certainty.UNKNOWN),
        (Fault(kind=FaultKind.DROP, path=TOKEN), Certainty.UNKNOWN),
        (Fault(kind=FaultKind.HTML_503, path=TOKEN), Certainty.UNKNOWN),
        (Fault(kind=FaultKind.CUT_201, path=TOKEN), Certainty.UNKNOWN),
        (Fault(kind=FaultKind.GARBLED_201, path=TOKEN), Certainty.UNKNOWN),
        (Fault(kind=FaultKind.RATE_429, path=TOKEN), Certainty.NOT_SENT),
        (None, Certainty.POSTED),
    ],
    ids=lambda value: f"{value.kind}-{value.commit}" if isinstance(value, Fault) else None,
)
async def test_a_renewal_is_judged_by_what_may_have_arrived(sandbox: Sandbox, fault: Fault | None, certainty: Certainty) -> None:
    """One request, whatever becomes of it."""
    credentials = await signed_in(sandbox, public=True)
    client = publisher_of(sandbox, credentials).token_client()
    if fault is not None:
        sandbox.faults.add(fault)
    count = len(sandbox.requests)
    renewal = await client.renew(credentials)

    assert renewals_said(renewal) == (certainty, certainty is Certainty.POSTED)
    assert len(sandbox.requests) == count + 1


async def test_a_used_refresh_token_is_refused_for_good_and_nobody_there_is_not_sent(sandbox: Sandbox) -> None:
    """X's own words, and what is proved not to have left."""
    credentials = await signed_in(sandbox)
    client = publisher_of(sandbox, credentials).token_client()
    await client.renew(credentials)
    again = await client.renew(credentials)
    nobody = XPublisher([credentials], clock=CLOCK, api_base="https://127.0.0.1:1", ca_file=sandbox.ca_file).token_client()
    unreachable = await nobody.renew(credentials)

    assert (again.certainty, again.reason) == (Certainty.REFUSED, "X answered 400: Value passed for the token was invalid.")
    assert unreachable.certainty is Certainty.NOT_SENT


async def test_tokens_without_a_needed_scope_are_a_fault(sandbox: Sandbox) -> None:
    """Said by the check, before a post is refused."""
    credentials = (await signed_in(sandbox)).model_copy(update={"scopes": ("tweet.read", "users.read")})
    publisher = publisher_of(sandbox, credentials)
    checked = await publisher.check("anna")
    await publisher.close()
    assert checked.faults[0].startswith("the tokens were not granted tweet.write, media.write, offline.access; sign it in again")


async def test_no_token_is_ever_logged_or_said(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """At the lowest level of every logger, through a whole life with every fault of the token endpoint."""
    with caplog.at_level(logging.DEBUG):
        credentials = await signed_in(sandbox)
        publisher = publisher_of(sandbox, credentials)
        client, said, held = publisher.token_client(), list[object](), secrets_of(credentials)
        for kind in (FaultKind.HTML_503, FaultKind.GARBLED_201, FaultKind.DROP):
            sandbox.faults.add(Fault(kind=kind, path=TOKEN))
            said.append(await client.renew(credentials))
        said += [await post(publisher, "one"), await publisher.check("anna"), publisher.health("anna"), credentials]
        fresh = await signed_in(sandbox)
        renewal = await client.renew(fresh)
        assert renewal.credentials is not None
        held += secrets_of(fresh) + secrets_of(renewal.credentials)
        said += [renewal, await client.renew(fresh), publisher]
        await publisher.close()
    everything = "\n".join([caplog.text, *(repr(vars(record)) for record in caplog.records), repr(said)])

    assert [secret for secret in held if secret in everything] == []
    assert len(set(held)) == 7
