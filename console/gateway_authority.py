"""The certificate authority of one operator's gateways: made once, kept in a folder, good for the broker and its clients only.

Gateways, the engine and the broker each get a certificate of it. A client's common name is its user name at the broker, and
what the broker's list of rights (ACL) names; it says nothing of who signs events: that is the device's key.
"""

import contextlib
import datetime as dt
import ipaddress
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from console.errors import ConsoleError

AUTHORITY_DAYS: Final = 3650
COMMON_NAME_LETTERS_MAX: Final = 64
"""X.509's own limit (ub-common-name)."""

CA_FILE: Final = "ca.pem"
CA_KEY_FILE: Final = "ca.key"


class AuthorityError(ConsoleError):
    """The authority's files cannot be used, or it cannot certify what is asked of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A certificate and its key, PEM."""

    certificate: bytes
    key: bytes


class GatewayAuthority:
    """The authority in a folder; made by the first who asks for it."""

    def __init__(self, folder: Path, *, now_utc: dt.datetime) -> None:
        """Open it, or make it.

        Raises:
            AuthorityError: its files are broken, do not belong together, or it is over.
        """
        self._now_utc, self._ca_file = now_utc, folder / CA_FILE
        self.is_new = not self._ca_file.exists()
        self._key, self._certificate = self._create(folder) if self.is_new else self._load(folder)

    @property
    def certificate(self) -> bytes:
        """The authority's own certificate, PEM: what everybody trusts."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of that certificate, as `openssl x509 -fingerprint -sha256` shows it."""
        return self._certificate.fingerprint(hashes.SHA256()).hex(":").upper()

    def client(self, name: str, *, days: int) -> Issued:
        """A certificate with which a client logs in at the broker as `name`.

        Raises:
            AuthorityError: the name does not fit into a certificate.
        """
        return self._issue(name, days=days, usage=ExtendedKeyUsageOID.CLIENT_AUTH, hosts=())

    def server(self, host: str, *, days: int) -> Issued:
        """A certificate for the broker, by the name or address under which gateways and engine call it.

        Raises:
            AuthorityError: the name does not fit into a certificate.
        """
        return self._issue(host, days=days, usage=ExtendedKeyUsageOID.SERVER_AUTH, hosts=(_alternative(host),))

    def _issue(self, name: str, *, days: int, usage: x509.ObjectIdentifier, hosts: tuple[x509.GeneralName, ...]) -> Issued:
        if not 0 < len(name) <= COMMON_NAME_LETTERS_MAX:
            raise AuthorityError(
                f"{name}: {len(name)} letters; a certificate's name has at most {COMMON_NAME_LETTERS_MAX}: choose shorter ids"
            )
        key = ec.generate_private_key(ec.SECP256R1())
        ends_utc = min(self._now_utc + dt.timedelta(days=days), self._certificate.not_valid_after_utc)
        builder = (
            _builder(name, key.public_key(), issuer=self._certificate.subject, issuer_key=self._key.public_key())
            # A small computer without a clock of its own begins a day back now and then.
            .not_valid_before(self._now_utc - dt.timedelta(days=1))
            .not_valid_after(ends_utc)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        )
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        signed = builder.sign(self._key, hashes.SHA256())
        return Issued(certificate=signed.public_bytes(serialization.Encoding.PEM), key=_pem_of(key))

    def _load(self, folder: Path) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        try:
            certificate = x509.load_pem_x509_certificate(self._ca_file.read_bytes())
            key = serialization.load_pem_private_key((folder / CA_KEY_FILE).read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise AuthorityError(
                f"{folder}: the authority's files cannot be used ({error}); put {CA_FILE} and {CA_KEY_FILE} back"
            ) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise AuthorityError(f"{folder}: {CA_KEY_FILE} is not the key of {CA_FILE}; put back the two that belong together")
        if certificate.not_valid_after_utc <= self._now_utc:
            raise AuthorityError(
                f"{self._ca_file}: ended {certificate.not_valid_after_utc:%Y-%m-%d}; move {folder} away to begin anew"
            )
        return key, certificate

    def _create(self, folder: Path) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        key = ec.generate_private_key(ec.SECP256R1())
        name = f"Cuebird gateways {secrets.token_hex(4)}"
        certificate = (
            _builder(name, key.public_key(), issuer=_named(name), issuer_key=key.public_key())
            .not_valid_before(self._now_utc - dt.timedelta(days=1))
            .not_valid_after(self._now_utc + dt.timedelta(days=AUTHORITY_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The key first: whoever finds the certificate finds its key as well. Neither is ever written over.
        write_new(folder / CA_KEY_FILE, _pem_of(key), private=True)
        write_new(self._ca_file, certificate.public_bytes(serialization.Encoding.PEM))
        return key, certificate


def write_new(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file that is not there yet, on disk when this returns; a private one only its owner may ever read.

    Raises:
        OSError: it is there, or cannot be written.
    """
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o644), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _alternative(host: str) -> x509.GeneralName:
    with contextlib.suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(host))
    try:
        return x509.DNSName(host)
    except ValueError as error:
        raise AuthorityError(f"broker {host!r}: no name that a certificate can have; write it in ASCII (xn--…)") from error


def _builder(
    name: str, key: ec.EllipticCurvePublicKey, *, issuer: x509.Name, issuer_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
