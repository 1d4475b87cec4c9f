"""Sealed credentials: opened by their key and for their account only, and silent about what is in them."""

import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.accounts import Credentials, CredentialsError, load_credentials, parse_account, write_sealed
from sync.key_files import KEY_BYTES
from sync.sealing import SealingError, SealingKey, key_name_of, seal, unseal

CREDENTIALS = Credentials.model_validate(
    {
        "account_id": "eisbank",
        "user_id": "17",
        "handle": "eisbank",
        "consumer_key": "secret-1",
        "consumer_secret": "secret-2",
        "access_token": "secret-3",
        "access_token_secret": "secret-4",
    }
)
KEY = SealingKey(bytes(range(KEY_BYTES)))
OTHER = SealingKey(bytes(KEY_BYTES))


def test_what_is_sealed_is_read_again_and_shows_nothing(tmp_path: Path) -> None:
    """A round trip through a file of mode 0600 in which no secret can be read."""
    path = tmp_path / "accounts" / "eisbank.json"
    write_sealed(path, CREDENTIALS, key=KEY)

    assert load_credentials(path, key=KEY) == CREDENTIALS
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "secret-" not in path.read_text()
    assert key_name_of(path.read_text()) == KEY.name
    assert [each.name for each in path.parent.iterdir()] == ["eisbank.json"]


def test_the_same_is_never_sealed_alike() -> None:
    """A nonce of its own each time: nobody learns that two accounts share an app."""
    assert len({seal("text", account_id="a", key=KEY) for _ in range(50)}) == 50


def test_without_the_key_or_with_another_the_message_names_it(tmp_path: Path) -> None:
    """Which key it was sealed with, and where to give it."""
    path = tmp_path / "a.json"
    write_sealed(path, CREDENTIALS, key=KEY)

    with pytest.raises(CredentialsError, match=rf"sealed with the key {KEY.name}, and there is none; give publisher\.key_file"):
        load_credentials(path)
    with pytest.raises(CredentialsError, match=rf"sealed with the key {KEY.name}, and the key at hand is {OTHER.name}"):
        load_credentials(path, key=OTHER)


@given(field=st.sampled_from(["account_id", "nonce", "sealed"]), flipped=st.integers(0, 10_000))
def test_whatever_is_changed_it_does_not_open(field: str, flipped: int) -> None:
    """Another account's name on it, another nonce, any other byte: it is refused, and quotes nothing."""
    shown = json.loads(seal(CREDENTIALS.to_json(), account_id="eisbank", key=KEY))
    text = shown[field]
    place = flipped % len(text)
    shown[field] = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
    with pytest.raises((CredentialsError, SealingError)) as refused:
        unseal(json.dumps(shown), key=KEY)
    assert "secret-" not in str(refused.value)


@pytest.mark.parametrize("text", ['{"format": "cuebird-sealed-1"}', '{"format": "cuebird-sealed-1", "key": 3, "sealed": []}'])
def test_half_a_sealed_file_is_refused_in_a_sentence(text: str) -> None:
    """Not taken for credentials in clear."""
    with pytest.raises(CredentialsError, match=r"half\.json: .*sealed"):
        parse_account(text, name="half.json", key=KEY)
