"""Renewing OAuth 2.0 tokens: one request to X's token endpoint, and how certain its outcome is.

A refresh token is good once, and one that comes a second time ends the account's whole sign-in. So a renewal is judged like
a post: what may have arrived is never sent again.
"""

import ssl
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, Final

import aiohttp
from pydantic import BaseModel, Field, SecretStr, ValidationError

from sync.accounts import OAuth2Credentials
from sync.outcomes import judge_error
from sync.posting import Certainty
from sync.signed_client import X_ORIGIN
from sync.tokens import Renewal
from sync.warm_connections import RedirectingResolver
from timebase import Clock

TOKEN_ROUTE: Final = "/2/oauth2/token"
TIMEOUT_S: Final = 10.0
"""An engine that stops waits for it: an outcome that nobody heard would cost a sign-in."""
EXPIRES_S_MAX: Final = 86_400 * 365
_BUSY_STATUS: Final = 429
"""Turned away before it was looked at: the refresh token is as good as before."""
_REFUSED_STATUS: Final = frozenset({400, 401, 403})


class TokenAnswer(BaseModel):
    """The token endpoint's answer of success."""

    access_token: SecretStr = Field(min_length=1)
    refresh_token: SecretStr = Field(min_length=1)
    expires_in: int = Field(gt=0, le=EXPIRES_S_MAX)
    scope: str


class TokenClient:
    """The `TokenEndpoint` that speaks to X, or to the sandbox.

    Args:
        target: host and port that the connections lead to instead of X; None for X itself.
    """

    def __init__(self, *, clock: Clock, ssl_context: ssl.SSLContext, target: tuple[str, int] | None) -> None:
        self._clock, self._ssl_context, self._target = clock, ssl_context, target

    async def renew(self, credentials: OAuth2Credentials) -> Renewal:
        """As `TokenEndpoint.renew`."""
        written = False

        async def note(_session: aiohttp.ClientSession, _context: SimpleNamespace, _params: Any) -> None:
            nonlocal written
            written = True

        hooks = aiohttp.TraceConfig()
        hooks.on_request_headers_sent.append(note)  # before the write: what is not noted has not left
        asked_utc = self._clock.utc()
        try:
            status, body = await self._ask(credentials, hooks)
        except Exception as error:  # every one has a certainty, as in the publisher
            verdict = judge_error(error, byte_written=written)
            return Renewal(certainty=verdict.certainty, reason=verdict.reason)
        if status != 200:
            return _refusal(status, body)
        try:
            answer = TokenAnswer.model_validate_json(body)
        except ValidationError:
            return Renewal(certainty=Certainty.UNKNOWN, reason="X answered 200 without readable tokens")
        # Counted from before the request: the token ends a little later than we think, never earlier.
        new = {
            "access_token": answer.access_token,
            "refresh_token": answer.refresh_token,
            "scopes": tuple(answer.scope.split()),
            "expires_utc": asked_utc + timedelta(seconds=answer.expires_in),
        }
        return Renewal(certainty=Certainty.POSTED, credentials=credentials.model_copy(update=new))

    async def _ask(self, credentials: OAuth2Credentials, hooks: aiohttp.TraceConfig) -> tuple[int, bytes]:
        resolver = None if self._target is None else RedirectingResolver(host=self._target[0], port=self._target[1])
        connector = aiohttp.TCPConnector(limit=1, ssl=self._ssl_context, resolver=resolver)
        form = {"grant_type": "refresh_token", "refresh_token": credentials.refresh_token.get_secret_value()}
        headers = {}
        if credentials.client_secret is None:
            form["client_id"] = credentials.client_id
        else:
            secret = credentials.client_secret.get_secret_value()
            headers["Authorization"] = aiohttp.encode_basic_auth(credentials.client_id, secret)
        async with (
            aiohttp.ClientSession(connector=connector, trace_configs=[hooks], cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.post(
                X_ORIGIN + TOKEN_ROUTE,
                data=form,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            ) as answer,
        ):
            return answer.status, await answer.read()


class _Refusal(BaseModel):
    error: str = Field(min_length=1, max_length=100)
    error_description: str = Field(default="", max_length=300)


def _refusal(status: int, body: bytes) -> Renewal:
    """What an answer other than success says; only the endpoint's own words are taken for a refusal."""
    if status == _BUSY_STATUS:
        return Renewal(certainty=Certainty.NOT_SENT, reason=f"X answered {status}: too many requests")
    try:
        told = _Refusal.model_validate_json(body)
    except ValidationError:
        return Renewal(certainty=Certainty.UNKNOWN, reason=f"X answered {status}: no readable reason")
    certainty = Certainty.REFUSED if status in _REFUSED_STATUS else Certainty.UNKNOWN
    return Renewal(certainty=certainty, reason=f"X answered {status}: {told.error_description or told.error}")
