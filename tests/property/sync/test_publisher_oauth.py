"""Our signer and oauthlib agree."""

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oauthlib.oauth1 import Client
from pydantic import SecretStr

from sync.accounts import Credentials
from sync.oauth import Signer, percent_encode

words = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FFF, exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)
names = st.text("abcdefghijklmnopqrstuvwxyz._", min_size=1, max_size=12).filter(lambda name: not name.startswith("oauth"))


@settings(max_examples=150, deadline=None)
@given(
    secrets=st.tuples(words, words, words, words),
    method=st.sampled_from(["POST", "GET", "DELETE"]),
    query=st.lists(st.tuples(names, words), max_size=4),
    nonce=st.text("0123456789abcdef", min_size=8, max_size=32),
    timestamp_s=st.integers(1_000_000_000, 2_000_000_000),
)
def test_signature_is_the_one_of_oauthlib(
    secrets: tuple[str, str, str, str], method: str, query: list[tuple[str, str]], nonce: str, timestamp_s: int
) -> None:
    """Any secrets, any query: the two headers carry the same parameters and signature."""
    consumer_key, consumer_secret, token, token_secret = secrets
    url = "https://api.twitter.com/2/users/1/tweets"
    signer = Signer(
        Credentials.model_construct(
            account_id="a",
            user_id="1",
            handle="a",
            consumer_key=SecretStr(consumer_key),
            consumer_secret=SecretStr(consumer_secret),
            access_token=SecretStr(token),
            access_token_secret=SecretStr(token_secret),
        )
    )
    ours = signer.authorization(method=method, url=url, query=query, nonce=nonce, timestamp_s=timestamp_s)

    client = Client(consumer_key, consumer_secret, token, token_secret, nonce=nonce, timestamp=str(timestamp_s))
    _, headers, _ = client.sign(f"{url}?{urlencode(query)}" if query else url, method)
    assert _fields(ours) == _fields(headers["Authorization"])


def _fields(header: str) -> dict[str, str]:
    assert header.startswith("OAuth ")
    return dict(part.strip().split("=", 1) for part in header.removeprefix("OAuth ").split(","))


@pytest.mark.parametrize(
    ("text", "encoded"), [("a b", "a%20b"), ("~-._", "~-._"), ("☃", "%E2%98%83"), ("a+/=&", "a%2B%2F%3D%26")]
)
def test_percent_encoding_is_the_strict_one(text: str, encoded: str) -> None:
    """RFC 5849 leaves only the unreserved characters as they are; a form encoder would not do."""
    assert percent_encode(text) == encoded
    assert parse_qsl(f"x={encoded}") == [("x", text)]
