"""Posts, deletes and reads back tweets through tweepy, on connections that are already open."""

import asyncio
import json
import logging
import ssl
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import tweepy
from yarl import URL

from sync.account_check import AccountCheck, check_account
from sync.accounts import AnyCredentials, OAuth2Credentials
from sync.errors import SyncError
from sync.media_client import XMediaUploader
from sync.outcomes import DeadConnectionError, UnreadableAnswerError, Verdict, judge_error
from sync.posting import AccountHealth, Certainty, Limits, Outcome, Shot, TimelineTweet, Withhold
from sync.signed_client import X_ORIGIN, SignedClient
from sync.token_client import TokenClient
from sync.tokens import end_mono_ns
from sync.warm_connections import CURRENT_ATTEMPT, Attempt, RedirectingResolver, WarmConnector, last_look_hooks
from timebase import Clock

_log = logging.getLogger(__name__)

_POST_ROUTE = "/2/tweets"
_X_HOSTS = frozenset({"api.twitter.com", "api.x.com"})
_TIMELINE_PAGE_TWEETS = 100
_TIMELINE_PAGES_MAX = 5
_DRIFT_S_MAX = 30.0
"""OAuth 1.0a timestamps are refused when they are minutes off; a person should hear of it long before."""


_Sending = Callable[[SignedClient, Attempt], Awaitable[str]]
"""Sends one request and gives the id of the tweet it was about."""


class PublisherError(SyncError):
    """The publisher cannot be set up as configured."""


class _Account:
    """One account's session and, while it is armed, the task that keeps its connections."""

    def __init__(self, credentials: AnyCredentials, connector: WarmConnector, *, clock: Clock, timeout_s: float) -> None:
        self.credentials = credentials
        self.connector = connector
        session = aiohttp.ClientSession(
            connector=connector, trace_configs=[last_look_hooks()], cookie_jar=aiohttp.DummyCookieJar()
        )
        self.client = SignedClient(credentials, session, connector, clock=clock, timeout_s=timeout_s)
        connector.on_held = lambda count: self.client.sign_ahead(_POST_ROUTE, count)
        self._keeper: asyncio.Task[None] | None = None

    def take(self, credentials: AnyCredentials) -> None:
        self.credentials = credentials
        self.client.take(credentials)

    async def warm(self) -> None:
        if self._keeper is not None and not self._keeper.done():
            return
        try:
            await self.connector.fill()
        except (aiohttp.ClientError, OSError) as error:
            self.connector.detail = judge_error(error, byte_written=False).reason
        name = f"keep-connections-{self.credentials.account_id}"
        self._keeper = asyncio.create_task(self._keep(), name=name)

    async def cool(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
            self._keeper = None
        self.connector.let_go()

    async def _keep(self) -> None:
        try:
            await self.connector.keep_ready()
        except Exception:
            # Its end shows on the account's tile (`detail`); requests go on, on cold connections.
            _log.exception("connection_keeper_stopped", extra={"account_id": self.credentials.account_id})

    async def close(self) -> None:
        await self.cool()
        await self.client.session.close()

    def detail(self) -> str:
        if self._keeper is not None and self._keeper.done():
            return "connections are no longer kept open; disarm and arm again"
        if abs(self.client.drift_s) > _DRIFT_S_MAX:
            return f"this machine's clock differs from X's by {self.client.drift_s:.0f} s; X will refuse requests"
        return self.connector.detail


class XPublisher:
    """The `Publisher` that speaks to X, or to the sandbox where `api_base` points at it.

    Create it where the loop runs, and `close` it there.

    Args:
        accounts: who may post.
        api_base: `https://host:port` of a stand-in for X; None speaks to X itself.
        ca_file: PEM file of the only authority trusted; None trusts the machine's.
        timeout_s: limit of one request, connecting included.
        connections: how many are kept open for each armed account.

    Raises:
        PublisherError: `api_base` or `ca_file` cannot be used.
    """

    def __init__(
        self,
        accounts: Sequence[AnyCredentials],
        *,
        clock: Clock,
        api_base: str | None = None,
        ca_file: Path | None = None,
        timeout_s: float = 5.0,
        connections: int = 2,
    ) -> None:
        self._clock, self._timeout_s, self._connections = clock, timeout_s, connections
        self._target = _target_of(api_base)
        self._ssl_context = _ssl_context(ca_file)
        self._credentials = {credentials.account_id: credentials for credentials in accounts}
        self._tokens_end_mono_ns = {
            one.account_id: end_mono_ns(one, clock) for one in accounts if isinstance(one, OAuth2Credentials)
        }
        self._accounts: dict[str, _Account] = {}

    async def warm(self, account_id: str) -> None:
        """Open the account's connections and keep them open until `cool`; an unknown account has none."""
        if (account := self._account(account_id)) is not None:
            await account.warm()

    async def cool(self, account_id: str) -> None:
        """Stop keeping the account's connections open."""
        if (account := self._accounts.get(account_id)) is not None:
            await account.cool()

    async def post(self, shot: Shot, withhold: Withhold) -> Outcome:
        """Send one POST /2/tweets, unless `withhold` gives a reason or the deadline has passed."""

        async def send(client: SignedClient, attempt: Attempt) -> str:
            answer = await client.post(_POST_ROUTE, shot.body, attempt)
            return _posted_id(answer.status, answer.body)

        return await self._send(shot.account_id, send, withhold, deadline_mono_ns=shot.deadline_mono_ns)

    async def delete(self, account_id: str, tweet_id: str, withhold: Withhold) -> Outcome:
        """Send one DELETE /2/tweets/{id}; POSTED means it is deleted."""

        async def send(client: SignedClient, _: Attempt) -> str:
            answer = await client.delete_tweet(tweet_id, user_auth=True)
            if not (isinstance(answer, dict) and isinstance(answer.get("data"), dict) and answer["data"].get("deleted") is True):
                raise UnreadableAnswerError("X answered the deletion without confirming it", http_status=200)
            return tweet_id

        return await self._send(account_id, send, withhold)

    def take_tokens(self, credentials: OAuth2Credentials) -> None:
        """Use an account's renewed tokens from the next request on."""
        self._credentials[credentials.account_id] = credentials
        self._tokens_end_mono_ns[credentials.account_id] = end_mono_ns(credentials, self._clock)
        if (account := self._accounts.get(credentials.account_id)) is not None:
            account.take(credentials)

    async def timeline(self, account_id: str, *, since_id: int) -> list[TimelineTweet] | None:
        """The account's own tweets newer than `since_id`, newest first; None when they could not all be read."""
        if (account := self._account(account_id)) is None:
            return None
        if fault := self._token_fault(account_id):
            _log.warning("timeline_not_read", extra={"account_id": account_id, "reason": fault})
            return None
        try:
            return await self._read_timeline(account, since_id)
        except (tweepy.TweepyException, aiohttp.ClientError, OSError, ValueError, KeyError, TypeError) as error:
            reason = judge_error(error, byte_written=True).reason
            _log.warning("timeline_not_read", extra={"account_id": account_id, "reason": reason})
            return None
        finally:
            account.connector.wake()

    def health(self, account_id: str) -> AccountHealth:
        """How ready the account is now."""
        credentials, account = self._credentials.get(account_id), self._accounts.get(account_id)
        ready = account.connector.ready_count if account else 0
        return AccountHealth(
            account_id=account_id,
            handle=credentials.handle if credentials else "",
            connections=ready,
            warm=ready > 0,
            limits=account.client.limits if account else Limits(),
            last_answer_utc=account.client.last_answer_utc if account else None,
            detail=_no_credentials(account_id) if credentials is None else (account.detail() if account else ""),
            token_expires_utc=credentials.expires_utc if isinstance(credentials, OAuth2Credentials) else None,
            fault=self._token_fault(account_id),
        )

    async def check(self, account_id: str) -> AccountCheck:
        """Whether the account's tweets would be taken, by asking X."""
        account = self._account(account_id)
        if account is None:
            return AccountCheck(account_id=account_id, limits=Limits(), faults=(_no_credentials(account_id),))
        return await check_account(account.credentials, account.client, token_fault=self._token_fault(account_id))

    def media_uploader(self) -> XMediaUploader:
        """What uploads media for the same accounts to the same place, on connections of its own."""
        return XMediaUploader(self._credentials, clock=self._clock, ssl_context=self._ssl_context, target=self._target)

    def token_client(self) -> TokenClient:
        """What renews OAuth 2.0 tokens at the same place, on connections of its own."""
        return TokenClient(clock=self._clock, ssl_context=self._ssl_context, target=self._target)

    async def close(self) -> None:
        """Close every connection."""
        accounts, self._accounts = self._accounts, {}
        for account in accounts.values():
            await account.close()

    def _token_fault(self, account_id: str) -> str:
        """Why an account's token is worth nothing now; empty while it holds. A post never waits for a new one."""
        credentials, end_ns = self._credentials.get(account_id), self._tokens_end_mono_ns.get(account_id)
        if not isinstance(credentials, OAuth2Credentials) or end_ns is None or self._clock.mono_ns() < end_ns:
            return ""
        return f"the access token of account {account_id} ended at {credentials.expires_utc:%H:%M:%S} UTC and was not renewed"

    def _account(self, account_id: str) -> _Account | None:
        if account_id not in self._accounts and (credentials := self._credentials.get(account_id)) is not None:
            connector = WarmConnector(
                url=URL(X_ORIGIN),
                keep=self._connections,
                connect_timeout_s=self._timeout_s,
                clock=self._clock,
                ssl_context=self._ssl_context,
                resolver=None if self._target is None else RedirectingResolver(host=self._target[0], port=self._target[1]),
            )
            self._accounts[account_id] = _Account(credentials, connector, clock=self._clock, timeout_s=self._timeout_s)
        return self._accounts.get(account_id)

    async def _send(
        self,
        account_id: str,
        send: _Sending,
        withhold: Withhold,
        *,
        deadline_mono_ns: int | None = None,
    ) -> Outcome:
        account = self._account(account_id)
        if account is None:
            return self._outcome(Verdict(certainty=Certainty.NOT_SENT, reason=_no_credentials(account_id)), None, None)
        if fault := self._token_fault(account_id):
            return self._outcome(Verdict(certainty=Certainty.NOT_SENT, reason=fault), None, None)
        # A connection found dead before its first byte is proof that nothing was sent: the next one may be
        # tried. Each try uses up a connection, so there is an end.
        for _ in range(self._connections + 2):
            attempt = Attempt(clock=self._clock, withhold=withhold, deadline_mono_ns=deadline_mono_ns)
            outcome = await self._try(account, send, attempt)
            if not isinstance(attempt.stopped, DeadConnectionError):
                break
        account.connector.wake()
        return outcome

    async def _try(self, account: _Account, send: _Sending, attempt: Attempt) -> Outcome:
        token = CURRENT_ATTEMPT.set(attempt)
        try:
            tweet_id = await send(account.client, attempt)
        except Exception as error:  # every one has a certainty, and UNKNOWN is the one of those never thought of
            verdict = judge_error(attempt.stopped or error, byte_written=attempt.byte_written)
            return self._outcome(verdict, attempt, None)
        finally:
            CURRENT_ATTEMPT.reset(token)
        return self._outcome(Verdict(certainty=Certainty.POSTED, reason="", http_status=attempt.http_status), attempt, tweet_id)

    def _outcome(self, verdict: Verdict, attempt: Attempt | None, tweet_id: str | None) -> Outcome:
        return Outcome(
            certainty=verdict.certainty,
            tweet_id=tweet_id,
            reason=verdict.reason,
            http_status=verdict.http_status,
            first_byte_mono_ns=attempt.first_byte_mono_ns if attempt else None,
            answered_mono_ns=self._clock.mono_ns(),
            warm=attempt is not None and attempt.warm and attempt.transport is not None,
            limits=attempt.limits if attempt else Limits(),
        )

    async def _read_timeline(self, account: _Account, since_id: int) -> list[TimelineTweet] | None:
        tweets: list[TimelineTweet] = []
        page_token: dict[str, str] = {}
        for _ in range(_TIMELINE_PAGES_MAX):
            page = await account.client.get_users_tweets(
                account.credentials.user_id,
                since_id=since_id,
                max_results=_TIMELINE_PAGE_TWEETS,
                tweet_fields=["created_at"],
                user_auth=True,
                **page_token,
            )
            tweets += [_timeline_tweet(tweet) for tweet in page.get("data", [])]
            next_token = page["meta"].get("next_token")
            if next_token is None:
                return tweets
            page_token = {"pagination_token": next_token}
        # A part of the timeline would pass for the whole, and "not in it" for "not posted".
        _log.warning("timeline_too_long", extra={"account_id": account.credentials.account_id, "tweets": len(tweets)})
        return None


def _posted_id(http_status: int, body: bytes) -> str:
    try:
        tweet_id = json.loads(body)["data"]["id"]
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableAnswerError(f"X answered {http_status} without a readable tweet id", http_status=http_status) from error
    if not (isinstance(tweet_id, str) and tweet_id.isascii() and tweet_id.isdigit()):
        raise UnreadableAnswerError(f"X answered {http_status} with an id that is no number", http_status=http_status)
    return tweet_id


def _timeline_tweet(tweet: dict[str, Any]) -> TimelineTweet:
    created_utc = datetime.fromisoformat(tweet["created_at"])
    if created_utc.tzinfo is None:
        raise ValueError(f"tweet {tweet['id']}: created_at {tweet['created_at']!r} has no time zone")
    return TimelineTweet(tweet_id=str(tweet["id"]), text=str(tweet["text"]), created_utc=created_utc)


def _no_credentials(account_id: str) -> str:
    return f"account {account_id!r} has no credentials; give it a credentials_file in cuebird.toml"


def _target_of(api_base: str | None) -> tuple[str, int] | None:
    """Where the connections lead instead of X; None for X itself."""
    if api_base is None:
        return None
    try:
        url = URL(api_base)
        host, port = url.host, url.port
    except ValueError as error:
        raise PublisherError(f"publisher.api_base: {api_base!r} is no address; write https://host:port") from error
    if url.scheme != "https" or host is None or port is None or url.path not in {"", "/"} or url.user or url.query:
        raise PublisherError(f"publisher.api_base: {api_base!r} must be https://host:port and nothing more")
    return None if host in _X_HOSTS else (host, port)


def _ssl_context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ssl.SSLError) as error:
        why = "cannot be read" if isinstance(error, FileNotFoundError | PermissionError) else "no PEM certificate in it"
        raise PublisherError(f"publisher.ca_file: {ca_file}: {why}; start the sandbox first, or correct the path") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
