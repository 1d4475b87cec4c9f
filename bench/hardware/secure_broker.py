"""mosquitto as it should be run: TLS, a certificate for everybody, an access list, sessions on disk. Loopback only."""

import asyncio
import contextlib
import datetime as dt
import getpass
import ipaddress
import os
import shutil
import socket
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hardware.mqtt import BrokerAddress

PATIENCE_S = 20.0
DAYS = 90
ENGINE = "engine"
_CONFIG = """
user {user}
listener {port} 127.0.0.1
cafile {folder}/ca.pem
certfile {folder}/broker.pem
keyfile {folder}/broker.key
require_certificate true
use_identity_as_username true
acl_file {folder}/acl
set_tcp_nodelay true
persistence true
persistence_location {folder}/
autosave_interval 1
max_queued_messages 10000
log_dest file {folder}/mosquitto.log
"""
_ACCESS = """
user engine
topic read cuebird/v1/#
topic readwrite homeassistant/#
pattern write cuebird/v1/{venue}/%u/#
pattern write homeassistant/device/cuebird-{venue}-%u/config
"""


class SecureBroker:
    """A broker that can be killed and started again on its port, with certificates for the engine and each device."""

    def __init__(self, folder: Path, *, venue: str, names: Iterable[str], access: str = "") -> None:
        """Write its certificates and configuration into `folder`.

        Args:
            names: who may connect besides the engine.
            access: more lines for its access list.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self.port = _free_port()
        authority = _Authority(folder)
        authority.issue("broker")
        for name in (ENGINE, *names):
            authority.issue(name)
        user = getpass.getuser()
        (folder / "mosquitto.conf").write_text(_CONFIG.format(user=user, port=self.port, folder=folder))
        (folder / "acl").write_text(_ACCESS.format(venue=venue) + access)
        os.chmod(folder / "acl", 0o600)

    def address(self, name: str) -> BrokerAddress:
        """How `name` connects."""
        return address_in(self.folder, self.port, name)

    async def start(self) -> None:
        """Start, and return once it answers."""
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
        if program is None:
            raise RuntimeError("mosquitto is not installed: apt-get install mosquitto")
        quiet = asyncio.subprocess.DEVNULL
        config = str(self.folder / "mosquitto.conf")
        self._process = await asyncio.create_subprocess_exec(program, "-c", config, stdout=quiet, stderr=quiet)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    writer.close()
                    return
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """End it without a word: what it has not written to disk is gone."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            self._process = None


@contextlib.asynccontextmanager
async def secure_broker(folder: Path, *, venue: str, names: Iterable[str], access: str = "") -> AsyncIterator[SecureBroker]:
    """A `SecureBroker` that runs."""
    broker = await asyncio.to_thread(SecureBroker, folder, venue=venue, names=tuple(names), access=access)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.kill()


def address_in(folder: Path, port: int, name: str) -> BrokerAddress:
    """How `name` connects to the broker whose files are in `folder`."""
    return BrokerAddress(port=port, ca_file=folder / "ca.pem", cert_file=folder / f"{name}.pem", key_file=folder / f"{name}.key")


class _Authority:
    """Issues certificates for this machine, good for three months."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Cuebird bench authority")])
        usage = x509.KeyUsage(
            digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        certificate = (
            self._builder(self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str) -> None:
        """Write `name.pem` and `name.key`."""
        key = ec.generate_private_key(ec.SECP256R1())
        here = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        certificate = (
            self._builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(here, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        (self._folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        key_file = self._folder / f"{name}.key"
        key_file.touch(mode=0o600)
        key_file.write_bytes(key.private_bytes(*plain))

    def _builder(self, name: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now_utc = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now_utc - dt.timedelta(hours=1))
            .not_valid_after(now_utc + dt.timedelta(days=DAYS))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
