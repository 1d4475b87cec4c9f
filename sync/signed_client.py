"""tweepy's AsyncClient, signing in microseconds (or with a bearer header) and posting ready bytes on our session."""

import asyncio
import dataclasses
import json
import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import tweepy
from aiohttp.connector import Connection
from tweepy.asynchronous import AsyncClient
from yarl import URL

from sync.accounts import AnyCredentials
from sync.oauth import Bearer, authority_of, percent_encode
from sync.outcomes import read_limits
from sync.posting import Limits
from sync.warm_connections import CURRENT_ATTEMPT, Attempt, WarmConnector
from timebase import Clock

X_HOST = "api.twitter.com"
X_ORIGIN = f"https://{X_HOST}"
"""The host tweepy has always used; api.x.com is the same service."""

SIGNED_AHEAD_NS_MAX = 30_000_000_000
"""Age at which a signature made beforehand is not used: X refuses timestamps that are minutes old."""

_TWEEPY_ERRORS: dict[int, type[Exception]] = {
    400: tweepy.BadRequest,
    401: tweepy.Unauthorized,
    403: tweepy.Forbidden,
    404: tweepy.NotFound,
    429: tweepy.TooManyRequests,
}


class _NoDebug(logging.Filter):
    """Drops the debug records of libraries that quote headers, forms and tokens in them."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG


_NO_DEBUG = _NoDebug()


def silence_debug(*names: str) -> None:
    """Keep these loggers' debug records, which hold secrets, from every log."""
    for name in names:
        logging.getLogger(name).addFilter(_NO_DEBUG)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer, read to its end. What tweepy's errors ask of a response, it has too."""

    method: str
    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def status_code(self) -> int:
        """As `status`."""
        return self.status


class SignedClient(AsyncClient):  # type: ignore[misc]  # tweepy ships no types
    """tweepy's AsyncClient with our signer, our session and a body that may be ready bytes.

    It raises what tweepy raises, and also does so when the body of an error is not JSON. It follows no redirect
    (that would repeat a POST) and never waits for a rate limit.

    tweepy's own methods read and delete through the session. `post` writes its bytes itself, on a connection of the same
    connector, and leaves reading the answer to aiohttp's parser: what the session does before its write takes longer than
    all the rest (docs/adr/0007-tweepy-warm-session.md).
    """

    def __init__(
        self,
        credentials: AnyCredentials,
        session: aiohttp.ClientSession,
        connector: WarmConnector | None,
        *,
        clock: Clock,
        timeout_s: float,
    ) -> None:
        silence_debug("tweepy.client", "tweepy.asynchronous.client")
        super().__init__(return_type=dict, wait_on_rate_limit=False)
        self.session = session
        self._connector = connector
        self._clock, self._timeout_s = clock, timeout_s
        self.take(credentials)
        self.limits = Limits()
        self.last_answer_utc: datetime | None = None
        self.drift_s = 0.0
        self.access = ""
        """What the keys may do, by the last answer that said so."""

    def take(self, credentials: AnyCredentials) -> None:
        """Speak for the account with these from the next request on; nothing made with those before is used any more."""
        self._authority = authority_of(credentials)
        self._ahead: dict[str, list[tuple[int, bytes]]] = {}
        self._ready_heads: dict[str, bytes] = {}

    async def request(
        self,
        method: str,
        route: str,
        params: dict[str, Any] | None = None,
        json: Any = None,
        user_auth: bool = False,  # noqa: ARG002
    ) -> aiohttp.ClientResponse:
        """The answer, its body read.

        Raises:
            tweepy.HTTPException: the answer is not 2xx.
            aiohttp.ClientError, OSError, TimeoutError: no whole answer came.
        """
        url = X_ORIGIN + route
        query = [(name, str(value)) for name, value in (params or {}).items()]
        attempt = CURRENT_ATTEMPT.get()
        headers = {
            "User-Agent": self.user_agent,
            "Authorization": self._authorization(method, url, query),
        }
        async with self.session.request(
            method,
            _with_query(url, query),
            json=json,
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(
                total=self._timeout_s, connect=attempt.connect_s(self._timeout_s) if attempt else self._timeout_s
            ),
        ) as response:
            self._note(response, attempt)
            body = await response.read()
        if not 200 <= response.status < 300:
            raise _as_tweepy_error(response, body)
        return response

    async def post(self, route: str, body: bytes, attempt: Attempt) -> Answer:
        """Write a JSON body as it is, once `attempt` has looked, and read the answer.

        Raises:
            SyncError: `attempt` objects; nothing was written.
            tweepy.HTTPException: the answer is not 2xx.
            aiohttp.ClientError, OSError, TimeoutError: no whole answer came.
        """
        assert self._connector is not None, "a client without warm connections posts no ready bytes"
        request = self._post_head(route) + b"%d\r\n\r\n" % len(body) + body
        end_s = asyncio.get_running_loop().time() + self._timeout_s
        connection = self._connector.take_held()
        if connection is None:
            async with asyncio.timeout_at(end_s):
                connection = await self._connector.take(connect_s=attempt.connect_s(self._timeout_s))
        try:
            transport = attempt.transport = connection.transport
            attempt.look_once_more()
            assert transport is not None  # `attempt` looked at it
            transport.write(request)
            async with asyncio.timeout_at(end_s):
                answer = await self._answer(connection, attempt)
        except BaseException:
            connection.close()
            raise
        self._connector.give_back(connection)
        if not 200 <= answer.status < 300:
            raise _as_tweepy_error(answer, answer.body)
        return answer

    def _post_head(self, route: str) -> bytes:
        """A POST up to the length of its body; a bearer's is made once, a signature is good for one request."""
        if (ready := self._ready_heads.get(route)) is not None:
            return ready
        while ahead := self._ahead.get(route):
            made_mono_ns, head = ahead.pop()
            if self._clock.mono_ns() - made_mono_ns < SIGNED_AHEAD_NS_MAX:
                return head
        return self._new_head(route)

    def _new_head(self, route: str) -> bytes:
        head = (
            f"POST {route} HTTP/1.1\r\nHost: {X_HOST}\r\nUser-Agent: {self.user_agent}\r\nAccept: */*\r\n"
            f"Authorization: {self._authorization('POST', X_ORIGIN + route)}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        ).encode()
        if isinstance(self._authority, Bearer):
            self._ready_heads[route] = head
        return head

    async def _answer(self, connection: Connection, attempt: Attempt) -> Answer:
        protocol = connection.protocol
        assert protocol is not None  # there is one until the connection is released
        protocol.set_response_params()
        while True:
            message, content = await protocol.read()
            if message.code >= 200:
                break
        answer = Answer(method="POST", status=message.code, reason=message.reason, headers=message.headers, body=b"")
        self._note(answer, attempt)
        return dataclasses.replace(answer, body=await content.read())

    def sign_ahead(self, route: str, count: int) -> None:
        """Make the heads of so many posts beforehand: the body is no part of the signature, the rest is known (RFC 5849,
        section 3.4.1). A bearer's head serves for all.
        """
        if isinstance(self._authority, Bearer):
            self._post_head(route)
            return
        now_ns = self._clock.mono_ns()
        # The old ones make room well before they could not be used any more.
        ahead = [one for one in self._ahead.get(route, ()) if now_ns - one[0] < SIGNED_AHEAD_NS_MAX // 2]
        while len(ahead) < count:
            ahead.append((now_ns, self._new_head(route)))
        self._ahead[route] = ahead

    def _authorization(self, method: str, url: str, query: Sequence[tuple[str, str]] = ()) -> str:
        if isinstance(self._authority, Bearer):
            return self._authority.header
        nonce, timestamp_s = secrets.token_hex(16), int(self._clock.utc().timestamp())
        return self._authority.authorization(method=method, url=url, query=query, nonce=nonce, timestamp_s=timestamp_s)

    def _note(self, response: aiohttp.ClientResponse | Answer, attempt: Attempt | None) -> None:
        self.last_answer_utc = self._clock.utc()
        self.access = response.headers.get("x-access-level", self.access)
        limits = read_limits(response.headers)
        if response.method == "POST" and limits != Limits():
            self.limits = limits  # reading the timeline has a window of its own, which would hide this one
        if attempt is not None:
            attempt.http_status, attempt.limits = response.status, limits
        try:
            self.drift_s = (self.last_answer_utc - parsedate_to_datetime(response.headers["Date"])).total_seconds()
        except (KeyError, TypeError, ValueError):
            self.drift_s = 0.0


def _as_tweepy_error(response: aiohttp.ClientResponse | Answer, body: bytes) -> Exception:
    fallback = tweepy.TwitterServerError if response.status >= 500 else tweepy.HTTPException
    kind: Any = _TWEEPY_ERRORS.get(response.status, fallback)
    try:
        error: Exception = kind(response, response_json=json.loads(body))
    except (ValueError, TypeError, AttributeError):
        # An edge's HTML page, or JSON of a shape tweepy does not expect: the status alone is told.
        error = kind(response, response_json={})
    return error


def _with_query(url: str, query: list[tuple[str, str]]) -> URL:
    encoded = "&".join(f"{percent_encode(name)}={percent_encode(value)}" for name, value in query)
    return URL(f"{url}?{encoded}" if encoded else url, encoded=True)
