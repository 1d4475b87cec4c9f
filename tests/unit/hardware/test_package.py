"""What the package costs to load, and what its limits refuse."""

import subprocess
import sys
from pathlib import Path

import pytest

from hardware.broker import EmbeddedBroker
from hardware.errors import EmbeddedBrokerError, SettingError
from hardware.mqtt import BrokerAddress, tls_context

HEAVY = ("numpy", "scipy", "numba", "librosa", "av", "sqlalchemy", "tweepy", "amqtt", "fastapi")


def test_the_gateway_starts_without_the_heavy_packages() -> None:
    """It runs on a small box at the console: no sound, no database, no broker, no web."""
    code = f"import sys, hardware.gateway, hardware.link, hardware.simulator; print(sorted({set(HEAVY)} & sys.modules.keys()))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert ran.stdout.strip() == "[]"


def test_the_gateways_command_loads_no_other() -> None:
    """Neither their modules nor what these draw with; an option before it changes nothing."""
    code = (
        "import sys, contextlib; sys.argv = ['cuebird', '--verbose', 'gateway', 'schema', 'event']\n"
        "from console.cli import main\n"
        "with contextlib.suppress(SystemExit): main()\n"
        "print(sorted(name for name in sys.modules if name.startswith('console.commands.')))\n"
        "print('rich' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert ran.stdout.splitlines()[-2:] == [
        "['console.commands.gateway', 'console.commands.gateway_messages', 'console.commands.provision']",
        "False",
    ]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "example.org", "::"])
def test_the_embedded_broker_stays_on_this_machine(host: str) -> None:
    """It asks nobody for a name, so nobody else may reach it."""
    with pytest.raises(SettingError, match=r"listens on 127\.0\.0\.1 only"):
        EmbeddedBroker(host, 1883)


async def test_an_embedded_broker_on_a_taken_port_says_so() -> None:
    """One sentence with the port and the way out."""
    async with EmbeddedBroker() as first:
        with pytest.raises(EmbeddedBrokerError, match=f"embedded broker on 127.0.0.1:{first.port}: .*set another under"):
            async with EmbeddedBroker(port=first.port):
                pass


def test_unusable_tls_files_are_named() -> None:
    """The file and the broker it was for."""
    with pytest.raises(SettingError, match=r"/no/ca\.pem: not usable for TLS to 127\.0\.0\.1:8883"):
        tls_context(BrokerAddress(port=8883, ca_file=Path("/no/ca.pem")))
