"""Signing an account in at X by OAuth 2.0: its owner says yes in a browser, which is sent back with a code for tokens.

tweepy's flow with PKCE, led to the sandbox where one is configured. Blocking: for the command line.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

import requests
import tweepy
from oauthlib.oauth2 import OAuth2Error
from pydantic import BaseModel, Field, SecretStr, ValidationError

from sync.accounts import OAuth2Credentials
from sync.sign_in import TIMEOUT_S, SignInError
from sync.signed_client import X_ORIGIN, silence_debug
from sync.token_client import TokenAnswer
from sync.tokens import SCOPES


class _Handler(tweepy.OAuth2UserHandler):  # type: ignore[misc]  # tweepy ships no types
    """tweepy's handler, whose requests may lead elsewhere and end."""

    def __init__(self, *, origin: str, ca_file: Path | None, **named: Any) -> None:
        super().__init__(**named)
        self._origin, self._verify = origin, True if ca_file is None else str(ca_file)

    def request(self, method: str, url: str, **named: Any) -> Any:
        # Whom to trust is said with each request: what a session says the environment overrules.
        led = {**named, "timeout": TIMEOUT_S, "verify": self._verify, "allow_redirects": False}
        return super().request(method, url.replace(X_ORIGIN, self._origin), **led)


class _User(BaseModel):
    id: str = Field(pattern=r"^[0-9]{1,19}$")
    username: str


class _Me(BaseModel):
    data: _User


class OAuth2SignIn:
    """One sign-in: `begin`, then `finish` with the address the browser was sent back to.

    Args:
        client_secret: None for a public client.
        redirect_uri: as it stands in the app's settings.
        api_base: of the sandbox; None for X.
        ca_file: PEM of the authority trusted instead of the machine's.
    """

    def __init__(
        self,
        client_id: str,
        client_secret: str | None,
        *,
        redirect_uri: str,
        api_base: str | None = None,
        ca_file: Path | None = None,
    ) -> None:
        self._client = {"client_id": client_id, "client_secret": client_secret}
        self._page_origin = api_base
        silence_debug("requests_oauthlib.oauth2_session")
        self._handler = _Handler(
            origin=api_base or X_ORIGIN, ca_file=ca_file, redirect_uri=redirect_uri, scope=list(SCOPES), **self._client
        )

    def begin(self) -> str:
        """The page to open in a browser that is signed in as the account."""
        page = urlsplit(str(self._handler.get_authorization_url()))
        origin = urlsplit(self._page_origin or f"{page.scheme}://{page.netloc}")
        return urlunsplit(page._replace(scheme=origin.scheme, netloc=origin.netloc))

    def finish(self, back: str, *, account_id: str, handle: str, now_utc: datetime) -> OAuth2Credentials:
        """The account's tokens.

        Args:
            back: the address the browser was sent back to, with `state` and `code`.
            account_id: our name of the account.
            handle: whom they must belong to.
            now_utc: the tokens' life counts from here.

        Raises:
            SignInError: the owner said no, the address is another sign-in's or old, or somebody else has said yes.
        """
        if parse_qs(urlsplit(back).query).get("error"):
            raise SignInError("access was not allowed on X's page; begin again, and say yes there")
        token, me = self._exchange(back.strip())
        if me.username.lower() != handle.lower():
            raise SignInError(f"the browser was signed in as @{me.username}; sign in there as @{handle} and begin again")
        granted = token.scope.split()
        if lacking := [scope for scope in SCOPES if scope not in granted]:
            raise SignInError(f"X did not grant {', '.join(lacking)}; let the app read, write and upload, and begin again")
        return OAuth2Credentials(
            account_id=account_id,
            user_id=me.id,
            handle=me.username,
            client_id=str(self._client["client_id"]),
            client_secret=None if (secret := self._client["client_secret"]) is None else SecretStr(secret),
            access_token=token.access_token,
            refresh_token=token.refresh_token,
            scopes=tuple(granted),
            expires_utc=now_utc + timedelta(seconds=token.expires_in),
            signed_in_utc=now_utc,
        )

    def _exchange(self, back: str) -> tuple[TokenAnswer, _User]:
        try:
            # oauthlib reads state and code out of the address, and wants to see https; the loopback has none (RFC 8252).
            given = self._handler.fetch_token(back.replace("http://", "https://", 1))
            # Without an `auth` of its own it would show the app's secret in place of the token.
            answer = self._handler.get(f"{X_ORIGIN}/2/users/me", auth=lambda prepared: prepared)
            answer.raise_for_status()
            scope = given.get("scope", "")
            token = TokenAnswer.model_validate({**given, "scope": scope if isinstance(scope, str) else " ".join(scope)})
            return token, _Me.model_validate_json(answer.content).data
        except (OAuth2Error, tweepy.TweepyException, requests.RequestException, ValidationError, Warning) as error:
            # What a library quotes of a request or an answer may hold secrets: only X's own short word is told.
            why = error.error if isinstance(error, OAuth2Error) else type(error).__name__
            raise SignInError(f"X did not take the address ({why}); begin again, it is good once and for seconds") from None
