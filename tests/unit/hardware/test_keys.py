"""What a key is, what it is called, and which keys a device's messages are verified by."""

from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hardware.errors import SettingError
from hardware.keys import DeviceKey, SignatureKind, is_pem, key_id, key_ring, kind_of, parse_pem_key, verifying

SECRET = b"0123456789abcdef" * 2
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = PRIVATE.public_key()
ENDS_UTC = datetime(2026, 12, 1, tzinfo=UTC)


def pem_of(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey, *, password: bytes | None = None) -> bytes:
    sealed = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed)


def public_pem_of(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def device(**facts: Any) -> DeviceKey:
    return DeviceKey(**{"venue": "eishalle", "device": "oes-1", "fixture": "final", "key": SECRET, **facts})


def test_a_pair_has_one_name() -> None:
    """The engine, which has only the public half, calls it as the gateway does; a secret of the same bytes is another key."""
    assert key_id(PRIVATE) == key_id(PUBLIC) != key_id(PUBLIC.public_bytes_raw())
    assert (kind_of(PRIVATE), kind_of(PUBLIC), kind_of(SECRET)) == (
        SignatureKind.ED25519, SignatureKind.ED25519, SignatureKind.HMAC_SHA256
    )  # fmt: skip


def test_both_halves_are_read_from_pem() -> None:
    """As openssl writes them."""
    private, public = parse_pem_key(pem_of(PRIVATE), named="oes-1.key"), parse_pem_key(public_pem_of(PUBLIC), named="oes-1.pub")

    assert is_pem(pem_of(PRIVATE).decode())
    assert not is_pem(SECRET.decode())
    assert isinstance(private, Ed25519PrivateKey)
    assert isinstance(public, Ed25519PublicKey)
    assert key_id(private) == key_id(public)


@pytest.mark.parametrize(
    ("pem", "reason"),
    [
        (pem_of(ec.generate_private_key(ec.SECP256R1())), "a key of another algorithm"),
        (pem_of(PRIVATE, password=b"secret"), "no usable key in PEM"),
        (pem_of(PRIVATE)[:60], "no usable key in PEM"),
        (b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "no usable key in PEM"),
    ],
    ids=["elliptic", "encrypted", "cut", "certificate"],
)
def test_pem_that_cannot_sign_events_is_named(pem: bytes, reason: str) -> None:
    """With the file and the way to make a right one."""
    with pytest.raises(SettingError, match=rf"oes-1\.key: {reason}.*openssl genpkey -algorithm ed25519"):
        parse_pem_key(pem, named="oes-1.key")


def test_the_engine_keeps_the_public_half_only() -> None:
    """Also where it was given the private one, as on a machine with both."""
    ring = key_ring(device(key=PRIVATE))

    assert [one.key for one in ring.values()] == [PUBLIC] == [verifying(PRIVATE)]
    assert list(ring) == [key_id(PUBLIC)]


def test_while_a_key_is_replaced_both_are_known() -> None:
    """The new one without an end, the old one with its own, whatever their kinds."""
    ring = key_ring(device(key=PUBLIC, old_key=SECRET, old_key_ends_utc=ENDS_UTC))

    assert [one.ends_utc_ns for one in ring.values()] == [None, 1_796_083_200 * 10**9]
    assert list(ring) == [key_id(PUBLIC), key_id(SECRET)]


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"old_key": PRIVATE}, "give it with the instant at which it ends"),
        ({"old_key_ends_utc": ENDS_UTC}, "give it with the instant at which it ends"),
        ({"old_key": b"short", "old_key_ends_utc": ENDS_UTC}, "old key of oes-1: 5 bytes"),
        ({"old_key": SECRET, "old_key_ends_utc": ENDS_UTC}, "it is the new one too"),
        ({"key": PRIVATE, "old_key": PUBLIC, "old_key_ends_utc": ENDS_UTC}, "it is the new one too"),
    ],
)
def test_a_half_replaced_key_is_named(facts: dict[str, Any], reason: str) -> None:
    """An old key without an end would be valid for ever."""
    with pytest.raises(SettingError, match=reason):
        device(**facts)


def test_a_public_key_signs_nothing() -> None:
    """A gateway that was given the engine's half says so at its start."""
    assert device(key=PRIVATE).signing_key is PRIVATE
    assert device().signing_key == SECRET
    with pytest.raises(SettingError, match="a public key cannot sign; give the gateway the private one"):
        _ = device(key=PUBLIC).signing_key


def test_keys_are_not_shown() -> None:
    """Neither a secret nor a private key stands in a log that shows the device."""
    shown = repr(device(old_key=PRIVATE, old_key_ends_utc=ENDS_UTC))

    assert SECRET.decode() not in shown
    assert "Ed25519" not in shown
