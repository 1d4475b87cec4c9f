"""What a gateway is given to begin with, and what engine and broker have to know of it: made together, so that it fits.

    <folder>/ca.pem, ca.key                    the authority
    <folder>/<venue>.<device>/                 for the gateway, to be copied onto it whole
    <folder>/keys/                             what the engine verifies by
    <folder>/engine/, broker/                  their certificates, the broker's rights and listener

Nothing is written over: a device that is made again gets a new folder, and the old one goes once the new one is complete.
"""

import datetime as dt
import re
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import tomli_w
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from console.gateway_authority import AuthorityError, GatewayAuthority, write_new
from console.settings import Fixture
from hardware.keys import KEY_BYTES_MIN, AnyKey, SignatureKind, key_id, verifying
from hardware.topics import DeviceTopic, Leaf

ENGINE_NAME: Final = "cuebird-engine"
OLD_KEY_DAYS: Final = 7
KEY_FILE: Final = "device.key"
_LEAVES: Final[tuple[Leaf, ...]] = ("event", "state")


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPlan:
    """What a gateway is to be.

    Attributes:
        fixture: the match it keeps, with its venue.
        host, port: the broker, as gateway and engine reach it with TLS.
        mqtt_protocol, freshness_s: as the engine's [mqtt] has them.
        kind: how it is to sign.
        days: how long certificates are valid.
    """

    device: str
    fixture: Fixture
    protocol: str
    source: str
    host: str
    port: int
    mqtt_protocol: str
    freshness_s: float
    kind: SignatureKind
    days: int

    @property
    def name(self) -> str:
        """Its user name at the broker; no id has a dot, so no two devices share one."""
        return f"{self.fixture.venue}.{self.device}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisioned:
    """What was made.

    Attributes:
        folder: the gateway's.
        config: its configuration.
        setup: what its QR code carries: the configuration, the key's id and the authority's fingerprint. No secret.
        device_table, mqtt_table: for the engine's configuration, TOML.
        acl, listener: the broker's files.
        rights: the lines of the ACL that are this gateway's.
    """

    folder: Path
    config: str
    setup: str
    key_id: str
    fingerprint: str
    device_table: str
    mqtt_table: str
    acl: Path
    listener: Path
    rights: str


def provision(plan: GatewayPlan, folder: Path, *, now_utc: dt.datetime) -> Provisioned:
    """Make everything for one gateway in `folder`; what is there of the others stays as it is.

    Raises:
        AuthorityError: the authority cannot be used, or certify this gateway or broker.
        SettingError: an id does not fit into a topic.
        OSError: a file cannot be written.
    """
    topics = [str(DeviceTopic(venue=plan.fixture.venue, device=plan.device, leaf=leaf)) for leaf in _LEAVES]
    authority = GatewayAuthority(folder, now_utc=now_utc)
    client = authority.client(plan.name, days=plan.days)
    _make_engine(folder / "engine", authority, plan)
    _make_broker(folder / "broker", authority, plan)
    target = folder / plan.name
    old_key_file = newest_key(folder, plan.name)
    key, key_file = _make_key(plan.kind)
    # The gateway's folder last: whoever finds it may use it, for engine and broker know of it.
    kept = _keep_key(folder / "keys", plan.name, key)
    rights = _add_rights(folder / "broker" / "acl", plan.name, [f"topic write {topic}" for topic in topics])
    config = _gateway_config(plan)
    _fill_gateway(
        target,
        {"cuebird.toml": config.encode(), "ca.pem": authority.certificate, "client.pem": client.certificate},
        secret={"client.key": client.key, KEY_FILE: key_file},
    )
    return Provisioned(
        folder=target,
        config=config,
        setup=f"# device {plan.name}, key {key_id(key)}\n# authority SHA-256 {authority.fingerprint}\n{config}",
        key_id=key_id(key),
        fingerprint=authority.fingerprint,
        device_table=_device_table(plan, kept, old_key_file, now_utc),
        mqtt_table=_mqtt_table(plan, folder / "engine"),
        acl=folder / "broker" / "acl",
        listener=folder / "broker" / "mosquitto.conf",
        rights=rights,
    )


def newest_key(folder: Path, name: str) -> Path | None:
    """What the engine verifies a gateway by since it was last provisioned here, None if it never was.

    Its own folder may be gone: once copied it has no business on this machine.
    """
    named = re.compile(rf"{re.escape(name)}-[0-9a-f]{{16}}\.(?:pub|key)")
    kept = [path for path in (folder / "keys").glob("*") if named.fullmatch(path.name)]
    return max(kept, key=lambda path: path.stat().st_mtime_ns, default=None)


# --- the gateway


def _make_key(kind: SignatureKind) -> tuple[AnyKey, bytes]:
    """A new key, and what its file holds."""
    if kind is SignatureKind.HMAC_SHA256:
        secret = secrets.token_hex(KEY_BYTES_MIN).encode()
        return secret, secret + b"\n"
    pair = Ed25519PrivateKey.generate()
    return pair, pair.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _gateway_config(plan: GatewayPlan) -> str:
    fixture = plan.fixture
    tables: dict[str, dict[str, Any]] = {
        "[mqtt]": {
            "host": plan.host,
            "port": plan.port,
            "protocol": plan.mqtt_protocol,
            "freshness_s": plan.freshness_s,
            "ca_file": "ca.pem",
            "cert_file": "client.pem",
            "key_file": "client.key",
        },
        "[[fixture]]": {
            "id": fixture.id,
            "home": fixture.home,
            "away": fixture.away,
            "sport": fixture.sport,
            "venue": fixture.venue,
        },
        "[[device]]": {"id": plan.device, "venue": fixture.venue, "fixture": fixture.id, "key_file": KEY_FILE},
        "[gateway]": {"device": plan.device, "protocol": plan.protocol, "source": plan.source},
    }
    return "\n".join(_table(header, table) for header, table in tables.items())


def _table(header: str, table: dict[str, Any]) -> str:
    """A table with its header: the library would put a short one into one line."""
    return f"{header}\n{tomli_w.dumps(table)}"


def _fill_gateway(target: Path, files: dict[str, bytes], *, secret: dict[str, bytes]) -> None:
    """Fill a folder beside the old one, and put it in its place when it is complete."""
    fresh = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    fresh.mkdir(mode=0o700)
    try:
        for name, content in (files | secret).items():
            write_new(fresh / name, content, private=name in secret)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    if target.exists():
        old = target.with_name(f"{fresh.name}.old")
        target.rename(old)
        fresh.rename(target)
        shutil.rmtree(old)
    else:
        fresh.rename(target)


# --- the engine


def _keep_key(folder: Path, name: str, key: AnyKey) -> Path:
    """What the engine verifies by, in a file called by the key's id: a new key never replaces the file of an old one."""
    folder.mkdir(mode=0o700, exist_ok=True)
    public = verifying(key)
    path = folder / f"{name}-{key_id(key)}.{'key' if isinstance(public, bytes) else 'pub'}"
    if isinstance(public, bytes):
        write_new(path, public + b"\n", private=True)
    else:
        write_new(path, public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    return path


def _device_table(plan: GatewayPlan, key_file: Path, old_key_file: Path | None, now_utc: dt.datetime) -> str:
    table: dict[str, Any] = {
        "id": plan.device,
        "venue": plan.fixture.venue,
        "fixture": plan.fixture.id,
        "key_file": str(key_file.absolute()),
    }
    if old_key_file is not None:
        table["old_key_file"] = str(old_key_file.absolute())
        table["old_key_ends_utc"] = now_utc.replace(microsecond=0) + dt.timedelta(days=OLD_KEY_DAYS)
    return _table("[[device]]", table)


def _make_engine(folder: Path, authority: GatewayAuthority, plan: GatewayPlan) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    if not (folder / "client.pem").exists():
        issued = authority.client(ENGINE_NAME, days=plan.days)
        write_new(folder / "client.key", issued.key, private=True)
        write_new(folder / "client.pem", issued.certificate)
    _write_missing(folder / "ca.pem", authority.certificate)


def _mqtt_table(plan: GatewayPlan, folder: Path) -> str:
    files = {"ca_file": "ca.pem", "cert_file": "client.pem", "key_file": "client.key"}
    table = {
        "host": plan.host,
        "port": plan.port,
        "protocol": plan.mqtt_protocol,
        "freshness_s": plan.freshness_s,
        **{key: str((folder / name).absolute()) for key, name in files.items()},
    }
    return _table("[mqtt]", table)


# --- the broker


def _make_broker(folder: Path, authority: GatewayAuthority, plan: GatewayPlan) -> None:
    folder.mkdir(mode=0o755, exist_ok=True)
    if (folder / "broker.pem").exists():
        _check_host(folder / "broker.pem", plan.host)
    else:
        issued = authority.server(plan.host, days=plan.days)
        write_new(folder / "broker.key", issued.key, private=True)
        write_new(folder / "broker.pem", issued.certificate)
    engine = "".join(f"topic read cuebird/v1/+/+/{leaf}\n" for leaf in _LEAVES)
    _write_missing(folder / "ca.pem", authority.certificate)
    _write_missing(
        folder / "acl", f"# Each gateway writes to its own topics and nowhere else.\nuser {ENGINE_NAME}\n{engine}".encode()
    )
    _write_missing(folder / "mosquitto.conf", _listener(folder.absolute(), plan.port).encode())


def _write_missing(path: Path, content: bytes) -> None:
    if not path.exists():
        write_new(path, content)


def _check_host(certificate_file: Path, host: str) -> None:
    """A broker has one certificate; a gateway that calls it by another name would refuse it."""
    certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    known = [str(one.value) for one in named]
    if host not in known:
        raise AuthorityError(
            f"{certificate_file}: names {', '.join(known)}, and gateways are to call {host}; "
            f"use --broker {known[0]}, or move it and broker.key away to have them made anew"
        )


def _listener(folder: Path, port: int) -> str:
    return (
        f"# For mosquitto 2: its user must be able to read this folder. Include it, or copy it to /etc/mosquitto/conf.d.\n"
        f"listener {port}\n"
        f"cafile {folder / 'ca.pem'}\n"
        f"certfile {folder / 'broker.pem'}\n"
        f"keyfile {folder / 'broker.key'}\n"
        "require_certificate true\n"
        "use_identity_as_username true\n"
        "allow_anonymous false\n"
        f"acl_file {folder / 'acl'}\n"
        "set_tcp_nodelay true\n"
        "max_queued_messages 10000\n"
    )


def _add_rights(acl: Path, name: str, rights: list[str]) -> str:
    """Put a user's lines at the end of the list, unless it is there; the lines."""
    lines = "\n".join([f"user {name}", *rights]) + "\n"
    if lines not in acl.read_text():
        with acl.open("a") as file:
            file.write(f"\n{lines}")
    return lines
