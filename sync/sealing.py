"""Credentials at rest: sealed with AES-256-GCM, each bound to the account it belongs to.

The key lies in a file of its own, so that a backup of the configuration, or the credentials file alone, opens nothing.

Source: NIST SP 800-38D (GCM; nonces of 96 random bits).
"""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sync.errors import SyncError
from sync.key_files import make_key, read_key

FORMAT: Final = "cuebird-sealed-1"
NONCE_BYTES: Final = 12


class SealingError(SyncError):
    """What was sealed does not open."""


@dataclass(frozen=True, slots=True)
class SealingKey:
    """The key of an installation; it shows its name, never itself."""

    secret: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """Tells keys apart and gives nothing away: the first eight digits of the key's SHA-256."""
        return hashlib.sha256(self.secret).hexdigest()[:8]

    @classmethod
    def load(cls, path: Path) -> Self:
        """The key in a file.

        Raises:
            KeyFileError: it cannot be read, others may read it, or it holds no key.
        """
        return cls(read_key(path))

    @classmethod
    def make(cls, path: Path) -> Self:
        """The key in a file, a new one if there is no such file.

        Raises:
            KeyFileError: as `load`, or it cannot be written.
        """
        return cls(make_key(path))


def seal(text: str, *, account_id: str, key: SealingKey) -> str:
    """The sealed form of a credentials file, JSON again: it says whose it is and which key opens it."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = AESGCM(key.secret).encrypt(nonce, text.encode(), _bound_to(account_id))
    shown = {
        "format": FORMAT,
        "account_id": account_id,
        "key": key.name,
        "nonce": base64.b64encode(nonce).decode(),
        "sealed": base64.b64encode(sealed).decode(),
    }
    return json.dumps(shown, indent=2) + "\n"


def key_name_of(text: str) -> str | None:
    """The name of the key a file was sealed with; None when it is not sealed."""
    try:
        shown = json.loads(text)
    except ValueError:
        return None
    return str(shown.get("key", "")) if isinstance(shown, dict) and shown.get("format") == FORMAT else None


def unseal(text: str, *, key: SealingKey) -> str:
    """What was sealed.

    Raises:
        SealingError: it was sealed with another key, or has been changed since.
    """
    try:
        shown = json.loads(text)
        account_id, name = str(shown["account_id"]), str(shown["key"])
        nonce, sealed = (base64.b64decode(str(shown[each]), validate=True) for each in ("nonce", "sealed"))
    except (ValueError, KeyError, TypeError):
        raise SealingError("a sealed file must be JSON with format, account_id, key, nonce and sealed; this one is not") from None
    if name != key.name:
        raise SealingError(
            f"sealed with the key {name}, and the key at hand is {key.name}; give publisher.key_file the other one"
        )
    try:
        return AESGCM(key.secret).decrypt(nonce, sealed, _bound_to(account_id)).decode()
    except (InvalidTag, ValueError):
        raise SealingError(f"the sealed credentials of {account_id!r} have been changed; seal the account's keys again") from None


def _bound_to(account_id: str) -> bytes:
    return f"{FORMAT}:{account_id}".encode()
