"""The keys that devices sign with and the engine verifies by.

Two kinds: a secret that both sides have (HMAC-SHA256), and a pair (Ed25519) of which the engine needs only the public
half. What a key is decides what it verifies: an Ed25519 key never verifies an HMAC, nor the other way round.
"""

import enum
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from hardware.errors import SettingError
from hardware.topics import NAME, DeviceTopic

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

# `cryptography` is imported where an Ed25519 key is met: a gateway with a secret does without its 10 MB.
SigningKey: TypeAlias = "bytes | Ed25519PrivateKey"
VerifyingKey: TypeAlias = "bytes | Ed25519PublicKey"
AnyKey: TypeAlias = "bytes | Ed25519PrivateKey | Ed25519PublicKey"

KEY_BYTES_MIN = 32
"""As many as HMAC-SHA256 gives back; `openssl rand -hex 32` writes twice as many."""

_PEM = "-----BEGIN "
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SignatureKind(enum.StrEnum):
    """How a message is signed."""

    HMAC_SHA256 = "HMAC-SHA256"
    ED25519 = "Ed25519"


def kind_of(key: AnyKey) -> SignatureKind:
    """The one kind of signature that this key makes or verifies."""
    return SignatureKind.HMAC_SHA256 if isinstance(key, bytes) else SignatureKind.ED25519


def is_pem(text: str) -> bool:
    """Whether a key's file holds PEM rather than a secret."""
    return text.startswith(_PEM)


def parse_pem_key(pem: bytes, *, named: str) -> "Ed25519PrivateKey | Ed25519PublicKey":
    """The Ed25519 key in `pem`, private or public.

    Raises:
        SettingError: there is none, or it is of another algorithm or encrypted; `named` begins the sentence.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

    fix = "make one with: openssl genpkey -algorithm ed25519"
    key: object
    try:
        if b"PRIVATE KEY-----" in pem:
            key = serialization.load_pem_private_key(pem, password=None)
        else:
            key = serialization.load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SettingError(f"{named}: no usable key in PEM ({error}); {fix}") from error
    if not isinstance(key, Ed25519PrivateKey | Ed25519PublicKey):
        raise SettingError(f"{named}: a key of another algorithm; events are signed with Ed25519: {fix}")
    return key


def verifying(key: AnyKey) -> VerifyingKey:
    """What verifies the signatures of `key`: a secret itself, of a pair the public half."""
    if isinstance(key, bytes):
        return key
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return key.public_key() if isinstance(key, Ed25519PrivateKey) else key


def key_id(key: AnyKey) -> str:
    """Sixteen hex digits that name a key without telling it; a pair's two halves have one name."""
    public = verifying(key)
    if isinstance(public, bytes):
        named = b"cuebird key id\0" + public
    else:
        named = b"cuebird ed25519 key id\0" + public.public_bytes_raw()
    return hashlib.sha256(named).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidKey:
    """A key that a device's messages may be verified by.

    Attributes:
        key_id: as in the envelope.
        ends_utc_ns: the instant from which it is refused, None without one.
    """

    key_id: str
    key: VerifyingKey = field(repr=False)
    ends_utc_ns: int | None = None


KeyRing: TypeAlias = Mapping[str, ValidKey]
"""The keys of one device by their ids: its own, and while it is being replaced the old one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceKey:
    """A device: where it is, the fixture it keeps the score of, and the key it signs with.

    Attributes:
        key: a secret's bytes, as they are in the key file's first line; or an Ed25519 key, for the engine its public half.
        old_key, old_key_ends_utc: the key before it, which the engine takes until that instant; both None for none.

    Raises:
        SettingError: a name that fits no topic, a key that is too short, or an old key that is the new one.
    """

    venue: str
    device: str
    fixture: str
    key: AnyKey = field(repr=False)
    old_key: "AnyKey | None" = field(default=None, repr=False)
    old_key_ends_utc: datetime | None = None

    def __post_init__(self) -> None:
        DeviceTopic(venue=self.venue, device=self.device, leaf="event")
        if not NAME.fullmatch(self.fixture):
            raise SettingError(f"fixture {self.fixture!r}: use up to 64 letters, digits, - and _")
        for what, key in (("key", self.key), ("old key", self.old_key)):
            if isinstance(key, bytes) and len(key) < KEY_BYTES_MIN:
                raise SettingError(
                    f"{what} of {self.device}: {len(key)} bytes; make one of at least {KEY_BYTES_MIN}: openssl rand -hex 32"
                )
        if (self.old_key is None) != (self.old_key_ends_utc is None):
            raise SettingError(f"old key of {self.device}: give it with the instant at which it ends, or leave both out")
        if self.old_key is not None and key_id(self.old_key) == key_id(self.key):
            raise SettingError(f"old key of {self.device}: it is the new one too ({key_id(self.key)}); give the key before it")

    @property
    def signing_key(self) -> SigningKey:
        """What the device signs with.

        Raises:
            SettingError: only the public half is here.
        """
        if isinstance(self.key, bytes):
            return self.key
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        if not isinstance(self.key, Ed25519PrivateKey):
            raise SettingError(f"key of {self.device}: a public key cannot sign; give the gateway the private one")
        return self.key


def key_ring(device: DeviceKey) -> KeyRing:
    """The keys that the device's messages are verified by."""
    ring = [ValidKey(key_id=key_id(device.key), key=verifying(device.key))]
    if device.old_key is not None and device.old_key_ends_utc is not None:
        ends_ns = (device.old_key_ends_utc - _EPOCH) // timedelta(microseconds=1) * 1000
        ring.append(ValidKey(key_id=key_id(device.old_key), key=verifying(device.old_key), ends_utc_ns=ends_ns))
    return MappingProxyType({one.key_id: one for one in ring})
