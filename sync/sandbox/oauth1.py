"""Verifies OAuth 1.0a requests as X does: signature, token, timestamp, nonce.

The signature is built by oauthlib, not by our own signer, so that the two check each other.
"""

from collections import deque
from collections.abc import Iterable
from urllib.parse import unquote

from oauthlib.oauth1.rfc5849 import signature

from sync.accounts import Credentials
from sync.sandbox import problems

_NONCES_MAX = 100_000
_NEEDED = ("oauth_consumer_key", "oauth_nonce", "oauth_signature", "oauth_signature_method", "oauth_timestamp", "oauth_token")


class Verifier:
    """Knows the accounts' secrets and the nonces they have used."""

    def __init__(self, accounts: Iterable[Credentials], *, skew_s_max: int) -> None:
        self._by_token = {account.access_token.get_secret_value(): account for account in accounts}
        self._skew_s_max = skew_s_max
        self._nonces: set[tuple[str, str]] = set()
        self._nonce_order: deque[tuple[str, str]] = deque()

    def verify(self, *, method: str, url: str, authorization: str | None, now_s: float) -> Credentials:
        """The account that signed the request.

        Args:
            url: as the client sees it: scheme, host, path and query.
            authorization: the header's value; None when it is missing.

        Raises:
            Problem: 401 or 403, as X words it.
        """
        given = _parse(authorization)
        account = self._by_token.get(given["oauth_token"])
        if account is None or given["oauth_consumer_key"] != account.consumer_key.get_secret_value():
            raise problems.not_authenticated(89, "Invalid or expired token.")
        if not signed_by(account, method=method, url=url, authorization=authorization or "", given=given):
            raise problems.not_authenticated(32, "Could not authenticate you.")
        self._check_time(given["oauth_timestamp"], now_s)
        self._use_nonce(given["oauth_token"], given["oauth_nonce"])
        return account

    def _check_time(self, timestamp: str, now_s: float) -> None:
        if not timestamp.isascii() or not timestamp.isdigit() or abs(int(timestamp[:15]) - now_s) > self._skew_s_max:
            raise problems.not_authenticated(135, "Timestamp out of bounds.")

    def _use_nonce(self, token: str, nonce: str) -> None:
        if (token, nonce) in self._nonces:
            raise problems.not_authenticated(135, "Timestamp out of bounds.")
        self._nonces.add((token, nonce))
        self._nonce_order.append((token, nonce))
        if len(self._nonce_order) > _NONCES_MAX:
            self._nonces.discard(self._nonce_order.popleft())


def signed_by(account: Credentials, *, method: str, url: str, authorization: str, given: dict[str, str]) -> bool:
    """Whether the account's secrets made the signature."""
    bare_url, _, query = url.partition("?")
    parameters = signature.collect_parameters(uri_query=query, headers={"Authorization": authorization})
    base = signature.signature_base_string(
        method, signature.base_string_uri(bare_url), signature.normalize_parameters(parameters)
    )
    expected = signature.sign_hmac_sha1_with_client(base, _Secrets(account))
    return bool(signature.safe_string_equals(expected, given["oauth_signature"]))


class _Secrets:
    """The two attributes oauthlib asks its client for."""

    def __init__(self, account: Credentials) -> None:
        self.client_secret = account.consumer_secret.get_secret_value()
        self.resource_owner_secret = account.access_token_secret.get_secret_value()


def _parse(authorization: str | None) -> dict[str, str]:
    scheme, _, rest = (authorization or "").partition(" ")
    if scheme.lower() == "bearer":
        raise problems.app_only()
    if scheme.lower() != "oauth":
        raise problems.unauthorized()
    pairs = (part.strip().partition("=") for part in rest.split(","))
    given = {unquote(name): unquote(value.strip('"')) for name, _, value in pairs}
    if any(not given.get(name) for name in _NEEDED) or given["oauth_signature_method"] != "HMAC-SHA1":
        raise problems.not_authenticated(32, "Could not authenticate you.")
    return given
