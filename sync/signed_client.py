"""tweepy's AsyncClient, signing in microseconds and posting ready bytes on our session."""

import json
import logging
import secrets
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import tweepy
from tweepy.asynchronous import AsyncClient
from yarl import URL

from sync.accounts import Credentials
from sync.oauth import Signer, percent_encode
from sync.outcomes import read_limits
from sync.posting import Limits
from sync.warm_connections import CURRENT_ATTEMPT, Attempt
from timebase import Clock

X_ORIGIN = "https://api.twitter.com"
"""The host tweepy has always used; api.x.com is the same service."""

_TWEEPY_ERRORS: dict[int, type[Exception]] = {
    400: tweepy.BadRequest,
    401: tweepy.Unauthorized,
    403: tweepy.Forbidden,
    404: tweepy.NotFound,
    429: tweepy.TooManyRequests,
}


class _NoDebug(logging.Filter):
    """Drops tweepy's debug records: they quote the Authorization header."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG


_NO_DEBUG = _NoDebug()


class SignedClient(AsyncClient):  # type: ignore[misc]  # tweepy ships no types
    """tweepy's AsyncClient with our signer, our session and a body that may be ready bytes.

    It raises what tweepy raises, and also does so when the body of an error is not JSON. It follows no redirect
    (that would repeat a POST) and never waits for a rate limit.
    """

    def __init__(self, credentials: Credentials, session: aiohttp.ClientSession, *, clock: Clock, timeout_s: float) -> None:
        for name in ("tweepy.client", "tweepy.asynchronous.client"):
            logging.getLogger(name).addFilter(_NO_DEBUG)
        super().__init__(return_type=dict, wait_on_rate_limit=False)
        self.session = session
        self._signer, self._clock, self._timeout_s = Signer(credentials), clock, timeout_s
        self.limits = Limits()
        self.last_answer_utc: datetime | None = None
        self.drift_s = 0.0
        self.access = ""
        """What the keys may do, by the last answer that said so."""

    async def request(
        self,
        method: str,
        route: str,
        params: dict[str, Any] | None = None,
        json: Any = None,
        user_auth: bool = False,  # noqa: ARG002
    ) -> aiohttp.ClientResponse:
        """The answer, its body read; `json` may be bytes, which are sent as they are.

        Raises:
            tweepy.HTTPException: the answer is not 2xx.
            aiohttp.ClientError, OSError, TimeoutError: no whole answer came.
        """
        url = X_ORIGIN + route
        query = [(name, str(value)) for name, value in (params or {}).items()]
        attempt = CURRENT_ATTEMPT.get()
        headers = {
            "User-Agent": self.user_agent,
            "Authorization": self._signer.authorization(
                method=method,
                url=url,
                query=query,
                nonce=secrets.token_hex(16),
                timestamp_s=int(self._clock.utc().timestamp()),
            ),
        }
        if json is not None:
            headers["Content-Type"] = "application/json"
        async with self.session.request(
            method,
            _with_query(url, query),
            data=_as_bytes(json),
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

    def _note(self, response: aiohttp.ClientResponse, attempt: Attempt | None) -> None:
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


def _as_tweepy_error(response: aiohttp.ClientResponse, body: bytes) -> Exception:
    fallback = tweepy.TwitterServerError if response.status >= 500 else tweepy.HTTPException
    kind: Any = _TWEEPY_ERRORS.get(response.status, fallback)
    try:
        error: Exception = kind(response, response_json=json.loads(body))
    except (ValueError, TypeError, AttributeError):
        # An edge's HTML page, or JSON of a shape tweepy does not expect: the status alone is told.
        error = kind(response, response_json={})
    return error


def _as_bytes(body: Any) -> bytes | None:
    return body if body is None or isinstance(body, bytes) else json.dumps(body).encode()


def _with_query(url: str, query: list[tuple[str, str]]) -> URL:
    encoded = "&".join(f"{percent_encode(name)}={percent_encode(value)}" for name, value in query)
    return URL(f"{url}?{encoded}" if encoded else url, encoded=True)
