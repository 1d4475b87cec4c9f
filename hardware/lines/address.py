"""Addresses of lines, as they are written in a gateway's setting `source`."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from hardware.errors import SettingError
from hardware.lines.line import ConsoleLine
from hardware.lines.network import TcpClientLine, TcpServerLine, UdpLine
from hardware.lines.recording import RecordedLine
from hardware.lines.serial_port import PARITIES, SPEEDS, SerialLine
from hardware.scoreboards.protocols import ScoreboardProtocol

FASTER_MAX = 1000.0
EXAMPLES = {
    "serial": "serial:/dev/ttyUSB0?speed=19200&parity=N",
    "tcp": "tcp://host:port",
    "tcp-listen": "tcp-listen://0.0.0.0:4001",
    "udp": "udp://0.0.0.0:port",
    "file": "file:match.bin?speed=10",
}
"""How each kind is written."""


@dataclass(frozen=True, slots=True)
class _Address:
    """An address taken apart; `whole` is for people."""

    whole: str
    scheme: str
    path: str
    host: str
    port: int | None
    options: dict[str, str]

    def wrong(self, what: str) -> SettingError:
        return SettingError(f"source {self.whole!r}: {what}; write for example {EXAMPLES[self.scheme]}")

    def check_options(self, *known: str) -> None:
        for name in self.options:
            if name not in known:
                raise self.wrong(f"option {name!r} is not known here, only {', '.join(known) if known else 'none'}")


def parse_line(address: str, protocol: ScoreboardProtocol) -> ConsoleLine:
    """The line at an address, with the speed, parity and patience of the console's protocol where it says nothing else.

    Raises:
        SettingError: it is none; the message says what is wrong with it and how it is written.
    """
    taken_apart = _taken_apart(address)
    return _MAKERS[taken_apart.scheme](taken_apart, protocol)


def _taken_apart(address: str) -> _Address:
    # The path of a serial port may stand alone.
    whole = f"serial:{address}" if address.startswith("/") else address
    scheme, colon, rest = whole.partition(":")
    if not colon or scheme not in EXAMPLES:
        raise SettingError(f"source {address!r}: not the address of a line; write one of {', '.join(EXAMPLES.values())}")
    try:
        parts = urlsplit(rest)
        host, port = parts.hostname or "", parts.port
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError as error:
        raise SettingError(f"source {address!r}: {error}; write for example {EXAMPLES[scheme]}") from error
    found = _Address(address, scheme, parts.path, host, port, dict(pairs))
    if len(found.options) < len(pairs):
        raise found.wrong("an option stands there twice")
    if parts.fragment or parts.username is not None or parts.password is not None:
        raise found.wrong("no name, password or # belongs there")
    return found


def _serial(address: _Address, protocol: ScoreboardProtocol) -> ConsoleLine:
    address.check_options("speed", "parity")
    if address.host or not address.path.startswith("/"):
        raise address.wrong("names no serial port by its whole path")
    speed, parity = address.options.get("speed", str(protocol.baud)), address.options.get("parity", protocol.parity)
    if speed not in map(str, SPEEDS):
        raise address.wrong(f"speed {speed!r} is none of {', '.join(map(str, SPEEDS))}")
    if parity not in PARITIES:
        raise address.wrong(f"parity {parity!r} is none of {', '.join(PARITIES)} (none, even, odd)")
    return SerialLine(address.path, speed=int(speed), parity=parity, silence_s=protocol.silence_s)


def _network(address: _Address, *, port_0: bool) -> tuple[str, int]:
    if not address.host:
        raise address.wrong("names no host")
    if address.port is None or (address.port == 0 and not port_0):
        raise address.wrong("names no port")
    if address.path not in ("", "/"):
        raise address.wrong(f"{address.path!r} means nothing there")
    return address.host, address.port


def _sender(address: _Address) -> str | None:
    sender = address.options.get("from")
    if sender is None:
        return None
    try:
        return str(ipaddress.ip_address(sender))
    except ValueError as error:
        raise address.wrong(f"from={sender!r} is not an IP address") from error


def _tcp(address: _Address, protocol: ScoreboardProtocol) -> ConsoleLine:
    address.check_options()
    host, port = _network(address, port_0=False)
    return TcpClientLine(host, port, greeting=protocol.greeting, silence_s=protocol.silence_s)


def _tcp_listen(address: _Address, protocol: ScoreboardProtocol) -> ConsoleLine:
    address.check_options("from")
    host, port = _network(address, port_0=True)
    return TcpServerLine(host, port, sender=_sender(address), silence_s=protocol.silence_s)


def _udp(address: _Address, protocol: ScoreboardProtocol) -> ConsoleLine:
    address.check_options("from")
    host, port = _network(address, port_0=True)
    return UdpLine(host, port, sender=_sender(address), silence_s=protocol.silence_s)


def _file(address: _Address, protocol: ScoreboardProtocol) -> ConsoleLine:
    address.check_options("speed")
    if address.host or not address.path:
        raise address.wrong("names no file")
    text = address.options.get("speed", "1")
    try:
        faster = float(text)
    except ValueError:
        faster = 0.0
    if not 0 < faster <= FASTER_MAX:
        raise address.wrong(f"speed {text!r} is not how many times faster, more than 0 and at most {FASTER_MAX:g}")
    bits = 10 if protocol.parity == "N" else 11
    return RecordedLine(Path(address.path), faster=faster, line_bytes_s=protocol.baud // bits, silence_s=protocol.silence_s)


_MAKERS: dict[str, Callable[[_Address, ScoreboardProtocol], ConsoleLine]] = {
    "serial": _serial,
    "tcp": _tcp,
    "tcp-listen": _tcp_listen,
    "udp": _udp,
    "file": _file,
}
