"""Devices of the configuration with their keys read, and how their refused messages are shown."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from console.config import ConfigError, load_config
from console.devices import device_key, read_device_key
from console.web.live import LiveHub
from console.web.metrics import render
from hardware.errors import SettingError
from hardware.events import DeviceState, DeviceStatus, Refusal, RefusalKind
from hardware.keys import key_id, key_ring
from sync.board import Board
from timebase import VirtualClock

PAIR = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SECRET = "0123456789abcdef" * 4
TABLES = """
[[fixture]]
id = "final"
home = "A"
away = "B"
sport = "ice_hockey"
venue = "halle"
[[device]]
id = "oes-1"
venue = "halle"
fixture = "final"
key_file = "new.key"
old_key_file = "old.key"
old_key_ends_utc = 2026-12-01T00:00:00Z
"""


def test_a_device_has_both_its_keys_while_one_is_replaced(tmp_path: Path) -> None:
    """The new one in PEM, the old one a secret's first line."""
    pem = PAIR.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "new.key").write_bytes(pem)
    (tmp_path / "old.key").write_text(f"{SECRET}\nnothing more is read\n")
    (tmp_path / "cuebird.toml").write_text(TABLES)
    ring = key_ring(device_key(load_config(tmp_path / "cuebird.toml"), "oes-1"))

    assert list(ring) == [key_id(PAIR), key_id(SECRET.encode())]


def test_a_key_file_that_is_no_key_is_named(tmp_path: Path) -> None:
    """It is neither read as a secret nor left out."""
    (tmp_path / "cut.key").write_text("-----BEGIN PUBLIC KEY-----\n")
    with pytest.raises(SettingError, match=r"cut\.key: no usable key in PEM"):
        read_device_key(tmp_path / "cut.key")
    with pytest.raises(ConfigError, match="No such file"):
        read_device_key(tmp_path / "none.key")


def refused(kind: RefusalKind, device: str = "oes-1") -> Refusal:
    return Refusal(topic=f"cuebird/v1/halle/{device}/event", kind=kind, reason="for a reason", seen_mono_ns=1)


def status(key: str) -> DeviceStatus:
    return DeviceStatus(
        venue="halle", device="oes-1", state=DeviceState.ONLINE, fixture="final", home=1, away=0, clock="", period="",
        good_frames=1, bad_frames=0, seen_mono_ns=1, key=key,
    )  # fmt: skip


def test_refused_messages_are_counted_by_reason_and_outlive_a_state() -> None:
    """On the board, and from there in the figures; a stranger's are nobody's here."""
    board = Board({})
    assert board.take_refusal(refused(RefusalKind.STALE)) is None
    board.take_device(status("5d41402abc4b2a76"))
    for kind in (RefusalKind.STALE, RefusalKind.BAD_SIGNATURE, RefusalKind.STALE):
        board.take_refusal(refused(kind))
    view = board.take_device(status("35ba0e800dcdf21c"))

    assert (view.refused, view.refusals, view.key) == (3, {"stale": 2, "bad_signature": 1}, "35ba0e800dcdf21c")
    assert board.take_refusal(refused(RefusalKind.STALE, "stranger")) is None

    hub = LiveHub(VirtualClock())
    device = {"venue": "halle", "device": "oes-1", "refusals": view.refusals}
    hub.receive("snapshot", {"engine": {}, "devices": [device, {"venue": "halle", "device": "old", "refusals": "broken"}]})
    lines = render(hub).splitlines()
    assert [line for line in lines if line.startswith("cuebird_device_refused{")] == [
        'cuebird_device_refused{venue="halle",device="oes-1",reason="bad_signature"} 1.0',
        'cuebird_device_refused{venue="halle",device="oes-1",reason="stale"} 2.0',
    ]
