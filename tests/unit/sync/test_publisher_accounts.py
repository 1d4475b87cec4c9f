"""Credentials files: exact, private, and silent about their secrets."""

import json
import logging
from pathlib import Path

import pytest

from sync.accounts import Credentials, CredentialsError, load_credentials

FIELDS = {
    "account_id": "eisbank",
    "user_id": "17",
    "handle": "eisbank",
    "consumer_key": "secret-1",
    "consumer_secret": "secret-2",
    "access_token": "secret-3",
    "access_token_secret": "secret-4",
}


def write(path: Path, fields: dict[str, object], mode: int = 0o600) -> Path:
    path.write_text(json.dumps(fields), encoding="utf-8")
    path.chmod(mode)
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """A round trip, and printing shows no secret."""
    credentials = Credentials.model_validate(FIELDS)
    path = tmp_path / "a.json"
    path.write_text(credentials.to_json(), encoding="utf-8")
    path.chmod(0o600)

    assert load_credentials(path) == credentials
    assert "secret-" not in f"{credentials!r} {credentials}"


def test_a_file_others_may_read_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Once, by path and mode; a private one is not."""
    with caplog.at_level(logging.WARNING):
        load_credentials(write(tmp_path / "private.json", dict(FIELDS)))
        assert not caplog.records
        load_credentials(write(tmp_path / "open.json", dict(FIELDS), 0o644))
    assert [record.message for record in caplog.records] == ["credentials_readable_by_others"]


@pytest.mark.parametrize(
    "change",
    [
        {"extra": "secret-5"},
        {"handle": "secret-not a handle"},
        {"consumer_secret": ""},
        {"user_id": "secret-x"},
        {"access_token": ["secret-6"]},
    ],
    ids=["unknown-field", "handle", "empty", "user-id", "type"],
)
def test_a_wrong_file_is_refused_without_quoting_it(tmp_path: Path, change: dict[str, object]) -> None:
    """The message names file and field, never a value."""
    path = write(tmp_path / "a.json", {**FIELDS, **change})

    with pytest.raises(CredentialsError) as caught:
        load_credentials(path)
    assert str(path) in str(caught.value)
    assert next(iter(change)) in str(caught.value)
    assert "secret-" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_missing_or_binary_file_is_one_sentence(tmp_path: Path) -> None:
    """No traceback of open or decode reaches a person."""
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    for name in ("none.json", "binary.json"):
        with pytest.raises(CredentialsError, match=name):
            load_credentials(tmp_path / name)
