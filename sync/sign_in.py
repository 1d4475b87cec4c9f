"""Signing an account in at X: its owner says yes in a browser and gets a number, which becomes the account's keys.

tweepy's OAuth 1.0a flow with a PIN, led to the sandbox where one is configured. Blocking: for the command line.
"""

from pathlib import Path
from typing import Any, Final

import tweepy
from pydantic import ValidationError

from sync.accounts import Credentials
from sync.errors import SyncError
from sync.signed_client import X_ORIGIN, silence_debug

TIMEOUT_S: Final = 20.0
OUT_OF_BAND: Final = "oob"


class SignInError(SyncError):
    """X did not give the keys."""


class _Handler(tweepy.OAuth1UserHandler):  # type: ignore[misc]  # tweepy ships no types
    def __init__(self, consumer_key: str, consumer_secret: str, *, origin: str, ca_file: Path | None) -> None:
        self._origin, self._ca_file = origin, ca_file
        self.answer: dict[str, str] = {}
        super().__init__(consumer_key, consumer_secret, callback=OUT_OF_BAND)

    def _get_oauth_url(self, endpoint: str) -> str:
        return f"{self._origin}/oauth/{endpoint}"

    @property
    def oauth(self) -> Any:
        return self._oauth

    @oauth.setter
    def oauth(self, session: Any) -> None:
        # tweepy makes a session for each step. Whom it trusts is said with each request: what a session says the
        # environment overrules. And of the last answer tweepy keeps the keys, but not whose they are.
        verify = True if self._ca_file is None else str(self._ca_file)
        request, fetch = session.request, session.fetch_access_token

        def bounded(*arguments: Any, **named: Any) -> Any:
            return request(*arguments, **{"timeout": TIMEOUT_S, "verify": verify, **named})

        def kept(url: str) -> Any:
            self.answer = fetch(url)
            return self.answer

        session.request, session.fetch_access_token = bounded, kept
        self._oauth = session


class SignIn:
    """One sign-in: `begin`, then `finish` with the number the owner was shown.

    Args:
        consumer_key, consumer_secret: of the app.
        api_base: of the sandbox; None for X.
        ca_file: PEM of the authority trusted instead of the machine's.
    """

    def __init__(
        self, consumer_key: str, consumer_secret: str, *, api_base: str | None = None, ca_file: Path | None = None
    ) -> None:
        silence_debug("requests_oauthlib.oauth1_session", "requests_oauthlib.oauth1_auth", "oauthlib.oauth1.rfc5849")
        self._keys = {"consumer_key": consumer_key, "consumer_secret": consumer_secret}
        self._handler = _Handler(consumer_key, consumer_secret, origin=api_base or X_ORIGIN, ca_file=ca_file)

    def begin(self) -> str:
        """The page to open in a browser that is signed in as the account.

        Raises:
            SignInError: X refuses the app's keys, or does not answer.
        """
        try:
            return str(self._handler.get_authorization_url())
        except tweepy.TweepyException as error:
            raise SignInError(
                f"X gave no sign-in page ({_why(error)}); are the app's key and secret right, and PIN-based sign-in allowed?"
            ) from None

    def finish(self, pin: str, *, account_id: str, handle: str) -> Credentials:
        """The account's keys.

        Args:
            pin: the number.
            account_id: our name of the account.
            handle: whom they must belong to.

        Raises:
            SignInError: the number is wrong or old, or somebody else has said yes.
        """
        try:
            self._handler.get_access_token(pin.strip())
        except tweepy.TweepyException as error:
            raise SignInError(f"X did not take the number ({_why(error)}); begin again, a number is good once") from None
        token = self._handler.answer
        found = str(token.get("screen_name", ""))
        if found.lower() != handle.lower():
            raise SignInError(f"the browser was signed in as @{found}; sign in there as @{handle} and begin again")
        fields = {"account_id": account_id, "user_id": token.get("user_id"), "handle": found, **self._keys}
        fields |= {"access_token": token.get("oauth_token"), "access_token_secret": token.get("oauth_token_secret")}
        try:
            return Credentials.model_validate(fields)
        except ValidationError as error:
            faults = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors())
            raise SignInError(f"X's answer is not what was expected ({faults}); begin again") from None


def _why(error: BaseException) -> str:
    """The cause in some words; what the library quotes of a request or an answer may hold secrets."""
    cause = error
    while cause.args and isinstance(cause.args[0], BaseException):  # tweepy wraps what it catches, twice
        cause = cause.args[0]
    status = getattr(cause, "status_code", None)
    return f"status {status}" if status else type(cause).__name__
