"""A certificate that ends is said before it does."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from console.gateway_authority import GatewayAuthority
from hardware.certificates import certificate_end, ending
from hardware.errors import SettingError
from hardware.gateway import Gateway, GatewaySettings
from hardware.keys import DeviceKey
from hardware.link import CERTIFICATE_TOLD_EVERY_S, LinkHandlers, MqttLink
from hardware.mqtt import BrokerAddress
from timebase import VirtualClock

DEVICE = DeviceKey(venue="eishalle", device="oes-1", fixture="final", key=b"0123456789abcdef" * 2)
ENDS_UTC = datetime(2026, 12, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("left", "remark"),
    [
        (timedelta(days=30), ""),
        (timedelta(days=29, hours=23), "the certificate ends on 2026-12-31, in 29 days: provision anew"),
        (timedelta(0), "the certificate ended on 2026-12-31: the broker lets nobody in with it; provision anew"),
    ],
)
def test_a_month_ahead_it_is_said(left: timedelta, remark: str) -> None:
    """And once it is over, what that means."""
    assert ending(ENDS_UTC, ENDS_UTC - left) == remark
    assert ending(None, ENDS_UTC) == ""


def address(folder: Path, clock: VirtualClock, *, days: int) -> BrokerAddress:
    issued = GatewayAuthority(folder, now_utc=clock.utc()).client("eishalle.oes-1", days=days)
    (folder / "client.pem").write_bytes(issued.certificate)
    (folder / "client.key").write_bytes(issued.key)
    return BrokerAddress(port=1, ca_file=folder / "ca.pem", cert_file=folder / "client.pem", key_file=folder / "client.key")


def test_what_is_no_certificate_is_named(tmp_path: Path) -> None:
    """With its file."""
    (tmp_path / "client.pem").write_text("none")
    with pytest.raises(SettingError, match=r"client\.pem: no certificate in PEM"):
        certificate_end(BrokerAddress(cert_file=tmp_path / "client.pem", key_file=tmp_path / "client.pem"))
    assert certificate_end(BrokerAddress()) is None


def test_a_gateway_says_it_in_its_state(tmp_path: Path) -> None:
    """So that it stands on the tile, whatever else there is to say."""
    clock = VirtualClock()
    where = address(tmp_path, clock, days=10)
    settings = GatewaySettings(identity=DEVICE, sport="ice_hockey", protocol="oes", source="tcp://127.0.0.1:1", address=where)
    gateway = Gateway(settings, clock=clock)
    before = gateway.state().detail
    gateway._certificate_ends_utc = certificate_end(where)

    assert "certificate" not in before
    assert gateway.state().detail.endswith("in 10 days: provision anew")


async def test_the_engine_says_it_once_a_day(tmp_path: Path) -> None:
    """As an alarm, with the file; not while there is time."""
    clock, alarms = VirtualClock(), list[str]()

    async def alarm(sentence: str) -> None:
        alarms.append(sentence)

    async def ignore(_: object) -> None:
        return None

    handlers = LinkHandlers(score=ignore, status=ignore, refusal=ignore, alarm=alarm, replay=ignore)
    where = address(tmp_path, clock, days=31)
    link = MqttLink(address=where, devices=(DEVICE,), handlers=handlers, clock=clock)
    ends_utc = certificate_end(where)
    assert ends_utc is not None
    watching = asyncio.create_task(link._watch_certificate(ends_utc))
    await clock.advance(3 * CERTIFICATE_TOLD_EVERY_S)
    watching.cancel()

    assert len(alarms) == 2
    assert alarms[0].startswith(f"{where.cert_file}: the certificate ends on ")


async def test_the_engine_says_it_at_its_start(tmp_path: Path) -> None:
    """Whether the broker can be reached or not."""
    clock, said = VirtualClock(), asyncio.Queue[str]()

    async def ignore(_: object) -> None:
        return None

    handlers = LinkHandlers(score=ignore, status=ignore, refusal=ignore, alarm=said.put, replay=ignore)
    link = MqttLink(address=address(tmp_path, clock, days=10), devices=(DEVICE,), handlers=handlers, clock=clock)
    running = asyncio.create_task(link.run())
    async with asyncio.timeout(20):
        while "the certificate ends on" not in await said.get():
            pass
    running.cancel()
    await asyncio.wait({running})
