"""The sandbox's sign-in: OAuth 1.0a with a PIN, as X does it for programs without a web address."""

import html
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlencode

from sync.accounts import Credentials
from sync.sandbox import problems
from sync.sandbox.oauth1 import parse_authorization, signed_by
from sync.sandbox.problems import Answer

_REQUESTS_MAX = 100


@dataclass(slots=True)
class _Request:
    """A sign-in under way."""

    account: Credentials
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    pin: str = ""


class SignIns:
    """Sign-ins under way; each account is an app of its own, and its owner says yes by opening the page."""

    def __init__(self, accounts: Iterable[Credentials]) -> None:
        self._by_key = {account.consumer_key.get_secret_value(): account for account in accounts}
        self._requests: dict[str, _Request] = {}

    def answer(self, method: str, path: str, *, url: str, authorization: str | None, token: str) -> Answer | None:
        """The answer of a request that belongs to a sign-in; None for all others.

        Args:
            url: as the client sees it.
            authorization: the header's value; None when it is missing.
            token: of the query.

        Raises:
            Problem: 401, as X words it.
        """
        match method, path:
            case "POST", "/oauth/request_token":
                return self._request_token(url=url, authorization=authorization)
            case "GET", "/oauth/authorize":
                return self._authorize(token)
            case "POST", "/oauth/access_token":
                return self._access_token(url=url, authorization=authorization)
        return None

    def _request_token(self, *, url: str, authorization: str | None) -> Answer:
        given = parse_authorization(authorization, needed=())
        account = self._by_key.get(given.get("oauth_consumer_key", ""))
        if account is None or not _signed(account, "", url=url, authorization=authorization, given=given):
            raise problems.not_authenticated(32, "Could not authenticate you.")
        if len(self._requests) >= _REQUESTS_MAX:
            del self._requests[next(iter(self._requests))]
        token, request = secrets.token_urlsafe(18), _Request(account)
        self._requests[token] = request
        return _form({"oauth_token": token, "oauth_token_secret": request.secret, "oauth_callback_confirmed": "true"})

    def _authorize(self, token: str) -> Answer:
        if (request := self._requests.get(token)) is None:
            raise problems.not_authenticated(89, "Invalid or expired token.")
        request.pin = request.pin or f"{secrets.randbelow(10**7):07}"
        handle = html.escape(request.account.handle)
        page = f"<!doctype html><title>Authorize</title><p>@{handle} lets the app post. Its number:<p><code>{request.pin}</code>"
        return Answer(status=200, body=page.encode(), content_type="text/html")

    def _access_token(self, *, url: str, authorization: str | None) -> Answer:
        given = parse_authorization(authorization, needed=("oauth_token", "oauth_verifier"))
        request = self._requests.get(given["oauth_token"])
        if request is None or not request.pin or not secrets.compare_digest(request.pin, given["oauth_verifier"]):
            raise problems.not_authenticated(89, "Invalid or expired token.")
        if not _signed(request.account, request.secret, url=url, authorization=authorization, given=given):
            raise problems.not_authenticated(32, "Could not authenticate you.")
        del self._requests[given["oauth_token"]]
        account = request.account
        return _form(
            {
                "oauth_token": account.access_token.get_secret_value(),
                "oauth_token_secret": account.access_token_secret.get_secret_value(),
                "user_id": account.user_id,
                "screen_name": account.handle,
            }
        )


def _signed(account: Credentials, secret: str, *, url: str, authorization: str | None, given: dict[str, str]) -> bool:
    consumer_secret = account.consumer_secret.get_secret_value()
    return signed_by(consumer_secret, secret, method="POST", url=url, authorization=authorization or "", given=given)


def _form(values: dict[str, str]) -> Answer:
    return Answer(status=200, body=urlencode(values).encode(), content_type="application/x-www-form-urlencoded")
