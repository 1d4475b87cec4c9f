"""Verifies OAuth 1.0a requests as X does: signature, token, timestamp, nonce.

The signature is built by oauthlib, not by our own signer, so that the two check each other.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from oauthlib.oauth1.rfc5849 import signature

from sync.accounts import Credentials
from sync.sandbox import problems

_NONCES_MAX = 100_000
_NEEDED = ("oauth_consumer_key", "oauth_nonce", "oauth_signature", "oauth_signature_method", "oauth_timestamp")


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
        given = parse_authorization(authorization, needed=("oauth_token",))
        account = self._by_token.get(given["oauth_token"])
        if account is None or given["oauth_consumer_key"] != account.consumer_key.get_secret_value():
            raise problems.not_authenticated(89, "Invalid or expired token.")
        secrets = account.consumer_secret.get_secret_value(), account.access_token_secret.get_secret_value()
        if not signed_by(*secrets, method=method, url=url, authorization=authorization or "", given=given):
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


def signed_by(
    consumer_secret: str, token_secret: str, *, method: str, url: str, authorization: str, given: dict[str, str]
) -> bool:
    """Whether these two secrets made the signature."""
    bare_url, _, query = url.partition("?")
    parameters = signature.collect_parameters(uri_query=query, headers={"Authorization": authorization})
    base = signature.signature_base_string(
        method, signature.base_string_uri(bare_url), signature.normalize_parameters(parameters)
    )
    expected = signature.sign_hmac_sha1_with_client(base, _Secrets(consumer_secret, token_secret))
    return bool(signature.safe_string_equals(expected, given["oauth_signature"]))


@dataclass(frozen=True, slots=True)
class _Secrets:
    """The two attributes oauthlib asks its client for."""

    client_secret: str
    resource_owner_secret: str


def parse_authorization(authorization: str | None, *, needed: Sequence[str]) -> dict[str, str]:
    """The parameters of an OAuth 1.0a header.

    Args:
        authorization: the header's value; None when it is missing.
        needed: parameters that must be there besides those of every signature.

    Raises:
        Problem: 401 or 403: it is missing, of another kind, or not whole.
    """
    scheme, _, rest = (authorization or "").partition(" ")
    if scheme.lower() == "bearer":
        raise problems.app_only()
    if scheme.lower() != "oauth":
        raise problems.unauthorized()
    pairs = (part.strip().partition("=") for part in rest.split(","))
    given = {unquote(name): unquote(value.strip('"')) for name, _, value in pairs}
    if any(not given.get(name) for name in (*_NEEDED, *needed)) or given["oauth_signature_method"] != "HMAC-SHA1":
        raise problems.not_authenticated(32, "Could not authenticate you.")
    return given
