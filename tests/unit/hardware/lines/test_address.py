"""How the line of a console is written."""

from pathlib import Path

import pytest

from hardware.errors import SettingError
from hardware.lines import RecordedLine, SerialLine, TcpClientLine, TcpServerLine, UdpLine, parse_line
from hardware.scoreboards.livestats import SUBSCRIBE
from hardware.scoreboards.protocols import PROTOCOLS

OES, CTS, LIVESTATS = PROTOCOLS["oes"], PROTOCOLS["cts"], PROTOCOLS["livestats"]


def test_a_serial_port_has_the_speed_and_parity_of_its_console() -> None:
    """Unless the address says others; its path may stand alone."""
    usual = parse_line("/dev/ttyUSB0", CTS)
    other = parse_line("serial:/dev/ttyUSB0?speed=2400&parity=O", CTS)

    assert isinstance(usual, SerialLine)
    assert isinstance(other, SerialLine)
    assert (usual.path, usual.speed, usual.parity) == ("/dev/ttyUSB0", 9600, "E")
    assert (other.path, other.speed, other.parity) == ("/dev/ttyUSB0", 2400, "O")
    assert str(other) == "serial:/dev/ttyUSB0 (2400 8O1)"


def test_a_console_may_be_called_or_call() -> None:
    """With what it wants to hear, and with whom we want to hear."""
    client = parse_line("tcp://scorer:7677", LIVESTATS)
    server = parse_line("tcp-listen://127.0.0.1:4001?from=10.0.0.7", OES)

    assert isinstance(client, TcpClientLine)
    assert isinstance(server, TcpServerLine)
    assert (client.host, client.port, client.greeting, client.silence_s) == ("scorer", 7677, SUBSCRIBE, 60.0)
    assert (server.host, server.port, server.sender, server.silence_s) == ("127.0.0.1", 4001, "10.0.0.7", 3.0)


def test_datagrams_and_recordings() -> None:
    """An address of this machine; a file and how much faster; a line with parity carries fewer bytes."""
    udp, file = parse_line("udp://[::]:5000", OES), parse_line("file:/tmp/match.bin?speed=10", CTS)

    assert isinstance(udp, UdpLine)
    assert isinstance(file, RecordedLine)
    assert (udp.host, udp.port, str(udp)) == ("::", 5000, "udp://[::]:5000")
    assert (file.path, file.faster, file.line_bytes_s) == (Path("/tmp/match.bin"), 10.0, 9600 // 11)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:4001", r"not the address of a line; write one of serial:/dev/ttyUSB0.*, tcp://host:port, tcp-listen://"),
        ("COM1", "not the address of a line"),
        ("http://host:80", "not the address of a line"),
        ("tcp://127.0.0.1", "names no port; write for example tcp://host:port"),
        ("tcp://127.0.0.1:0", "names no port"),
        ("tcp://:1", "names no host"),
        ("tcp://h:99999", "Port out of range"),
        ("tcp://h:1/x", "'/x' means nothing there"),
        ("tcp://me:word@h:1", "no name, password or # belongs there"),
        ("tcp://h:1?speed=9600", "option 'speed' is not known here, only none"),
        ("tcp-listen://:4001", "names no host; write for example tcp-listen://0.0.0.0:4001"),
        ("tcp-listen://0.0.0.0:4001?from=console", "from='console' is not an IP address"),
        ("udp://0.0.0.0:1?allow=1", "option 'allow' is not known here, only from"),
        ("serial:ttyUSB0", "names no serial port by its whole path"),
        ("serial:/dev/ttyUSB0?speed=9601", "speed '9601' is none of 300, 600"),
        ("serial:/dev/ttyUSB0?parity=e", "parity 'e' is none of N, E, O"),
        ("serial:/dev/ttyUSB0?baud=9600", "option 'baud' is not known here, only speed, parity"),
        ("serial:/dev/ttyUSB0?speed=9600&speed=2400", "an option stands there twice"),
        ("file:", "names no file"),
        ("file://match.bin", "names no file"),
        ("file:match.bin?speed=0", "speed '0' is not how many times faster, more than 0 and at most 1000"),
        ("file:match.bin?speed=nan", "speed 'nan' is not how many times faster"),
        ("file:match.bin?speed", "bad query field"),
    ],
)
def test_an_address_that_is_none_is_named(address: str, message: str) -> None:
    """With what is wrong and what to write instead."""
    with pytest.raises(SettingError, match=message) as raised:
        parse_line(address, OES)

    assert address in str(raised.value)
