"""What a provisioned gateway is given, what engine and broker are told, and that nothing is lost by doing it again."""

import datetime as dt
import json
import re
import shutil
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID
from typer.testing import CliRunner, Result

from console.commands import gateway as command
from console.config import ConfigError, load_config
from console.devices import broker_address, device_key, read_device_key
from console.gateway_authority import AuthorityError, GatewayAuthority
from hardware.keys import key_id, key_ring
from hardware.mqtt import tls_context

NOW_UTC = dt.datetime.now(dt.UTC).replace(microsecond=0)
CONFIG = """
[mqtt]
host = "broker.arena.example"
[[fixture]]
id = "final"
home = "Eisbären Nord"
away = "HC Süd"
sport = "ice_hockey"
venue = "eishalle"
"""
SOURCE = ("--protocol", "oes", "--source", "serial:/dev/ttyUSB0")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The engine's configuration."""
    path = tmp_path / "cuebird.toml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


def run(config: Path, *arguments: str, device: str = "oes-1", answer: str | None = None) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)
    named = ["gateway", "provision", "--config", str(config), "--venue", "eishalle", "--device", device, *SOURCE]
    return CliRunner().invoke(app, [*named, *arguments], input=answer, catch_exceptions=False)


def made(config: Path, *arguments: str, device: str = "oes-1") -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(run(config, "--json", *arguments, device=device).stdout)
    return facts


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_folder_is_all_a_gateway_needs(config: Path, tmp_path: Path) -> None:
    """It loads as it is, wherever it is copied to: identity, console, broker with TLS; secrets are its owner's alone."""
    facts = made(config)
    folder = Path(facts["folder"]).rename(tmp_path / "copied")
    loaded = load_config(folder / "cuebird.toml")
    identity = device_key(loaded, "oes-1")
    context = tls_context(broker_address(loaded))

    assert loaded.gateway is not None
    assert (loaded.gateway.protocol, loaded.gateway.source) == ("oes", "serial:/dev/ttyUSB0")
    assert (loaded.mqtt.host, loaded.mqtt.port) == ("broker.arena.example", 8883)
    assert (loaded.fixtures[0].home, loaded.fixtures[0].sport) == ("Eisbären Nord", "ice_hockey")
    assert key_id(identity.signing_key) == facts["key_id"]
    assert context is not None
    private = {path.name for path in folder.iterdir() if stat.S_IMODE(path.stat().st_mode) == 0o600}
    assert private == {"device.key", "client.key"}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_what_the_engine_is_told_fits(config: Path) -> None:
    """Pasted into its configuration the tables load: the public half of the gateway's key, a certificate of its own."""
    facts = made(config)
    engine = config.with_name("engine.toml")
    engine.write_text(CONFIG.replace('[mqtt]\nhost = "broker.arena.example"\n', "") + facts["mqtt_table"] + facts["device_table"])
    loaded = load_config(engine)

    assert list(key_ring(device_key(loaded, "oes-1"))) == [facts["key_id"]]
    assert b"PUBLIC KEY" in loaded.devices[0].key_file.read_bytes()
    assert tls_context(broker_address(loaded)) is not None


def test_a_gateway_may_share_a_secret(config: Path) -> None:
    """Then the engine's copy is as secret as the gateway's."""
    facts = made(config, "--key", "hmac")
    kept = Path(tomllib.loads(facts["device_table"])["device"][0]["key_file"])

    assert read_device_key(kept) == read_device_key(Path(facts["folder"]) / "device.key")
    assert key_id(read_device_key(kept)) == facts["key_id"]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_the_code_carries_the_configuration_and_no_secret(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures beside it, and on a screen that is wide enough; what is in it could stand on a door."""
    facts = made(config)
    folder = Path(facts["folder"])
    secrets = [(folder / name).read_text().splitlines()[1] for name in ("device.key", "client.key")]

    assert facts["config"] in facts["setup"]
    assert f"key {facts['key_id']}" in facts["setup"]
    assert facts["authority_sha256"] in facts["setup"]
    assert not any(secret in facts["setup"] or secret in json.dumps(facts) for secret in secrets)
    assert (folder / "setup.svg").read_text().startswith("<?xml")
    assert (folder / "setup.png").read_bytes().startswith(b"\x89PNG")
    monkeypatch.setenv("COLUMNS", "120")
    assert "█" in run(config, device="oes-2").stdout
    monkeypatch.setenv("COLUMNS", "60")
    assert re.search(r"\(a terminal of \d\d columns would show the code here\)", run(config, device="oes-3").stdout)


def test_certificates_are_what_they_are_for(config: Path) -> None:
    """Clients log in by their names, the broker answers to its own, all of one authority that signs nothing deeper."""
    folder = Path(made(config, "--days", "30")["folder"]).parent
    authority = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    for file, name, usage in (
        ("eishalle.oes-1/client.pem", "eishalle.oes-1", ExtendedKeyUsageOID.CLIENT_AUTH),
        ("engine/client.pem", "cuebird-engine", ExtendedKeyUsageOID.CLIENT_AUTH),
        ("broker/broker.pem", "broker.arena.example", ExtendedKeyUsageOID.SERVER_AUTH),
    ):
        certificate = x509.load_pem_x509_certificate((folder / file).read_bytes())
        certificate.verify_directly_issued_by(authority)
        assert certificate.subject.rfc4514_string() == f"CN={name}"
        assert list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [usage]
        assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        assert certificate.not_valid_after_utc - NOW_UTC < dt.timedelta(days=30, minutes=5)
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    assert stat.S_IMODE((folder / "ca.key").stat().st_mode) == 0o600


def test_each_gateway_may_write_to_its_own_topics(config: Path) -> None:
    """One block a gateway, once, however often it is made."""
    made(config)
    made(config, device="oes-2")
    facts = made(config, "--replace")
    text = Path(facts["acl_file"]).read_text()

    assert facts["acl"] == (
        "user eishalle.oes-1\ntopic write cuebird/v1/eishalle/oes-1/event\ntopic write cuebird/v1/eishalle/oes-1/state\n"
    )
    assert [line for line in text.splitlines() if line.startswith("user")] == [
        "user cuebird-engine", "user eishalle.oes-1", "user eishalle.oes-2"
    ]  # fmt: skip
    assert facts["acl"] in text


def test_a_second_gateway_leaves_the_first_as_it_is(config: Path) -> None:
    """The authority, its certificates and keys stay to the byte; only the list of rights grows."""
    folder = Path(made(config)["folder"]).parent
    before = everything(folder)
    made(config, device="oes-2")
    after = everything(folder)

    assert {name for name in before if after[name] != before[name]} == {"broker/acl"}


def test_a_gateway_is_made_anew_only_when_told_so(config: Path) -> None:
    """Without a yes nothing changes."""
    folder = Path(made(config)["folder"]).parent
    before = everything(folder)
    refused = run(config, answer="n\n")

    assert refused.exit_code == 1
    assert "eishalle.oes-1 is there. Give the gateway a new key and certificate" in refused.stderr
    assert run(config, answer="").exit_code == 1
    assert everything(folder) == before


def test_a_new_key_leaves_the_engine_its_old_one_for_a_week(config: Path) -> None:
    """The table has both, so that the gateway may be given the folder at any time until then."""
    first = made(config, "--key", "hmac")
    answered = run(config, "--json", answer="y\n").stdout
    second = json.loads(answered[answered.index("{") :])
    table = tomllib.loads(second["device_table"])["device"][0]

    assert key_id(read_device_key(Path(table["key_file"]))) == second["key_id"] != first["key_id"]
    assert key_id(read_device_key(Path(table["old_key_file"]))) == first["key_id"]
    left = table["old_key_ends_utc"] - NOW_UTC
    assert dt.timedelta(days=6, hours=23) < left < dt.timedelta(days=7, hours=1)
    assert [path.name for path in Path(second["folder"]).parent.iterdir() if path.name.startswith(".")] == []


def test_a_gateway_whose_folder_was_deleted_is_known_all_the_same(config: Path) -> None:
    """As it should be once it is copied: it is asked for, and the engine keeps its old key; a like name is another gateway."""
    first = made(config)
    made(config, device="oes-1-b")
    shutil.rmtree(first["folder"])
    refused = run(config, answer="n\n")
    table = tomllib.loads(made(config, "--replace")["device_table"])["device"][0]

    assert "eishalle.oes-1 is there" in refused.stderr
    assert key_id(read_device_key(Path(table["old_key_file"]))) == first["key_id"]
    assert "old_key_file" not in made(config, device="oes")["device_table"]


def test_certificates_are_made_again_where_they_were_taken_away(config: Path) -> None:
    """The engine's and the broker's, with nothing else changed: the rights of all gateways stay."""
    folder = Path(made(config)["folder"]).parent
    taken = ["engine/client.pem", "engine/client.key", "broker/broker.pem", "broker/broker.key"]
    before = everything(folder)
    for name in taken:
        (folder / name).unlink()
    facts = made(config, "--broker", "10.0.0.7", device="oes-2")
    after = everything(folder)

    assert {name for name in before if after[name] != before[name]} == {*taken, "broker/acl"}
    assert after["broker/acl"].startswith(before["broker/acl"])
    assert facts["acl"].encode() in after["broker/acl"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--broker", "elsewhere:1883"), "broker.pem: names broker.arena.example, and gateways are to call elsewhere"),
        (("--fixture", "semi"), "venue eishalle: no fixture semi there"),
        (("--protocol", "osse"), "--protocol osse: osse: not a known scoreboard protocol"),
        (("--source", "nowhere"), "--source nowhere: .*not the address of a line"),
        (("--device", "a b"), "--device a b: not an id"),
        (("--broker", "elsewhere:70000"), "--broker 70000: .*less than or equal to 65535"),
        (("--device", "x" * 60), "69 letters; a certificate's name has at most 64"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_made(config: Path, arguments: tuple[str, ...], reason: str) -> None:
    """One sentence, and the folder as it was."""
    folder = Path(made(config)["folder"]).parent
    before = everything(folder)
    with pytest.raises((ConfigError, AuthorityError), match=reason):
        run(config, *arguments, "--replace")

    assert everything(folder) == before


def test_a_broker_of_this_machine_must_be_named_as_others_call_it(config: Path) -> None:
    """127.0.0.1 would be the gateway itself."""
    config.write_text(CONFIG.replace("broker.arena.example", "127.0.0.1"))
    with pytest.raises(ConfigError, match="a gateway on another machine cannot call this; say --broker HOST"):
        run(config)
    facts = made(config, "--broker", "10.0.0.7:8884")

    assert tomllib.loads(facts["mqtt_table"])["mqtt"]["host"] == "10.0.0.7"
    assert "listener 8884\n" in Path(facts["listener_file"]).read_text()


@pytest.mark.parametrize(
    ("broker", "host", "port"),
    [
        ("broker.example", "broker.example", 8883),
        ("broker.example:1", "broker.example", 1),
        ("::1", "::1", 8883),
        ("[::1]", "::1", 8883),
        ("[fd00::7]:8884", "fd00::7", 8884),
    ],
)
def test_a_broker_is_named_as_people_write_it(config: Path, broker: str, host: str, port: int) -> None:
    """Also by its address, which then stands in its certificate as one."""
    facts = made(config, "--broker", broker)
    table = tomllib.loads(facts["mqtt_table"])["mqtt"]
    certificate = x509.load_pem_x509_certificate((Path(facts["folder"]).parent / "broker" / "broker.pem").read_bytes())
    (named,) = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert (table["host"], table["port"]) == (host, port)
    assert isinstance(named, x509.IPAddress) == (":" in host)


def test_an_authority_that_is_not_whole_is_not_replaced(tmp_path: Path) -> None:
    """A lost key, a strange one and one that is over are said; a new one would shut every gateway out."""
    GatewayAuthority(tmp_path / "a", now_utc=NOW_UTC)
    GatewayAuthority(tmp_path / "b", now_utc=NOW_UTC)
    with pytest.raises(AuthorityError, match=r"ended .*move .* away to begin anew"):
        GatewayAuthority(tmp_path / "a", now_utc=NOW_UTC + dt.timedelta(days=3651))
    (tmp_path / "a" / "ca.key").write_bytes((tmp_path / "b" / "ca.key").read_bytes())
    with pytest.raises(AuthorityError, match=r"ca\.key is not the key of ca\.pem"):
        GatewayAuthority(tmp_path / "a", now_utc=NOW_UTC)
    (tmp_path / "a" / "ca.key").unlink()
    with pytest.raises(AuthorityError, match=r"cannot be used"):
        GatewayAuthority(tmp_path / "a", now_utc=NOW_UTC)


def test_no_certificate_outlives_its_authority(tmp_path: Path) -> None:
    """Else it would seem good and be refused."""
    authority = GatewayAuthority(tmp_path, now_utc=NOW_UTC)
    issued = x509.load_pem_x509_certificate(authority.client("x", days=36_500).certificate)
    (key,) = [serialization.load_pem_private_key((tmp_path / "ca.key").read_bytes(), password=None)]

    assert issued.not_valid_after_utc == NOW_UTC + dt.timedelta(days=3650)
    assert key.public_key() == x509.load_pem_x509_certificate(authority.certificate).public_key()
