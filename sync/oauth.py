"""Signs requests as OAuth 1.0a asks, in microseconds, or shows the token of OAuth 2.0."""

import base64
import hashlib
import hmac
from collections.abc import Iterable
from urllib.parse import quote

from sync.accounts import AnyCredentials, Credentials, OAuth2Credentials


class Signer:
    """Makes the Authorization header of one account's requests.

    The signing key and all constant header parts are prepared once. A JSON body is no part of an OAuth 1.0a
    signature, so the header depends on method, URL, query, nonce and time alone. Pure: nonce and time are handed in.

    Source:
        RFC 5849, sections 3.4 and 3.5.1; measured against oauthlib in docs/adr/0007-tweepy-warm-session.md.
    """

    def __init__(self, credentials: Credentials) -> None:
        # Encoded once: with the five values that change, encoding everything anew took most of the time.
        self._consumer_key = percent_encode(credentials.consumer_key.get_secret_value())
        self._access_token = percent_encode(credentials.access_token.get_secret_value())
        consumer_secret = credentials.consumer_secret.get_secret_value()
        token_secret = credentials.access_token_secret.get_secret_value()
        self._key = f"{percent_encode(consumer_secret)}&{percent_encode(token_secret)}".encode()

    def authorization(self, *, method: str, url: str, query: Iterable[tuple[str, str]] = (), nonce: str, timestamp_s: int) -> str:
        """The value of the Authorization header.

        Args:
            method: in capitals.
            url: scheme, host and path, without a query; the host in lower case and no default port.
            query: the query's names and values, decoded.
            nonce: never used before with this token.
            timestamp_s: seconds since 1970, UTC.
        """
        own = (
            ("oauth_consumer_key", self._consumer_key),
            ("oauth_nonce", percent_encode(nonce)),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", str(timestamp_s)),
            ("oauth_token", self._access_token),
            ("oauth_version", "1.0"),
        )
        pairs = sorted((*own, *((percent_encode(name), percent_encode(value)) for name, value in query)))
        parameters = "&".join([f"{name}={value}" for name, value in pairs])
        base = f"{method}&{percent_encode(url)}&{percent_encode(parameters)}".encode()
        signature = base64.b64encode(hmac.digest(self._key, base, hashlib.sha1)).decode()
        header = (*own, ("oauth_signature", percent_encode(signature)))
        return "OAuth " + ", ".join([f'{name}="{value}"' for name, value in header])


class Bearer:
    """Makes the Authorization header of an account with OAuth 2.0 tokens: the same for every request until they are renewed.

    Source:
        RFC 6750, section 2.1.
    """

    def __init__(self, credentials: OAuth2Credentials) -> None:
        self.header = f"Bearer {credentials.access_token.get_secret_value()}"


def authority_of(credentials: AnyCredentials) -> Signer | Bearer:
    """What makes the Authorization header of an account's requests."""
    return Signer(credentials) if isinstance(credentials, Credentials) else Bearer(credentials)


def percent_encode(text: str) -> str:
    """RFC 3986's unreserved characters stay, every other byte of the UTF-8 text becomes %XX (RFC 5849, section 3.6)."""
    return quote(text, safe="~")
