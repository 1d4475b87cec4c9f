"""The sandbox's own certificate authority, good for X's API names and this machine, and nothing else."""

import datetime as dt
import ipaddress
import os
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sync.errors import SyncError

_AUTHORITY_DAYS = 365
_LEAF_DAYS = 7
_RENEW_DAYS = 30
_NAMES = ("api.twitter.com", "api.x.com", "localhost")
_ADDRESSES = (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1"))


class SandboxError(SyncError):
    """The sandbox cannot start: its folder, its ports or its accounts."""


class Authority:
    """A certificate authority in a folder: made at first use, reused until a month before it ends.

    Name constraints bind it: who trusts it trusts it for X's two API names and loopback only, and the key stays in
    a file of mode 0600.
    """

    def __init__(self, folder: Path, *, now_utc: dt.datetime) -> None:
        self.ca_file = folder / "ca.pem"
        self._key_file = folder / "ca.key"
        self._leaf_file = folder / "leaf.pem"
        self._now_utc = now_utc
        self._key, self._certificate = self._load() or self._create()

    def server_context(self) -> ssl.SSLContext:
        """A TLS context with a fresh leaf certificate of a few days."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = [*map(x509.DNSName, _NAMES), *map(x509.IPAddress, _ADDRESSES)]
        leaf = (
            self._builder("Cuebird X sandbox", key, days=_LEAF_DAYS)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        write_private(self._leaf_file, _pem_of_key(key) + leaf.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._leaf_file)
        context.set_alpn_protocols(["http/1.1"])
        return context

    def _load(self) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate] | None:
        try:
            certificate = x509.load_pem_x509_certificate(self.ca_file.read_bytes())
            key = serialization.load_pem_private_key(self._key_file.read_bytes(), password=None)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise SandboxError(f"{self.ca_file}: cannot be used ({error}); remove it and ca.key to make new ones") from error
        too_old = certificate.not_valid_after_utc < self._now_utc + dt.timedelta(days=_RENEW_DAYS)
        if too_old or not isinstance(key, ec.EllipticCurvePrivateKey):
            return None
        return key, certificate

    def _create(self) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        key = ec.generate_private_key(ec.SECP256R1())
        self._key = key
        networks = [ipaddress.ip_network(address) for address in _ADDRESSES]
        permitted = [*map(x509.DNSName, _NAMES), *map(x509.IPAddress, networks)]
        certificate = (
            self._builder("Cuebird X sandbox authority", key, days=_AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        write_private(self._key_file, _pem_of_key(key))
        self.ca_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return key, certificate

    def _builder(self, name: str, key: ec.EllipticCurvePrivateKey, *, days: int) -> x509.CertificateBuilder:
        issuer_key = self._key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Cuebird X sandbox authority")]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now_utc - dt.timedelta(hours=1))
            .not_valid_after(self._now_utc + dt.timedelta(days=days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
        )


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, also when it was there before."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(content)


def _pem_of_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
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
