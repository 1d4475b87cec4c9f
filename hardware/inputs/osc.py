"""OSC from bytes to messages, and SLIP around them on TCP. Pure; nothing raises but the one error; all is bounded.

    message   address, `,` and a letter for each argument, the arguments; each padded with zeros to a multiple of four bytes
    bundle    `#bundle`, a time of eight bytes, and elements, each with its length before it; an element may be a bundle
    TCP       as in OSC 1.1: SLIP, where each packet stands between bytes C0

Source:
    Wright: The Open Sound Control 1.0 Specification, 2002; Freed and Schmeder: Features and Future of Open Sound Control
    version 1.1, NIME 2009; RFC 1055 (SLIP).
"""

import re
import struct
from dataclasses import dataclass
from functools import lru_cache

PACKET_BYTES_MAX = 8192
"""A datagram may have more; a button's has a hundred."""
DEPTH_MAX = 4
"""Bundles within bundles."""
MESSAGES_MAX = 64
"""Messages of one packet."""
ADDRESS_LETTERS_MAX = 200

_BUNDLE = b"#bundle\0"
_END, _ESC, _ESC_END, _ESC_ESC = 0xC0, 0xDB, 0xDC, 0xDD
_SIZES = {"i": 4, "f": 4, "r": 4, "m": 4, "c": 4, "h": 8, "d": 8, "t": 8}
_NUMBERS = {"i": ">i", "f": ">f", "h": ">q", "d": ">d"}
_ADDRESS = re.compile(rf"/[!-~]{{0,{ADDRESS_LETTERS_MAX - 1}}}")
_WILD = re.compile(r"[*?\[\]{},# ]")


class OscError(ValueError):
    """Bytes that are no OSC packet; the text says where they cease to be one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OscMessage:
    """A message.

    Attributes:
        address: without wildcards.
        is_on: it says yes: without arguments, or with a first one that is neither false, nil, nor zero.
    """

    address: str
    is_on: bool


def parse_packet(packet: bytes, *, depth: int = 0) -> list[OscMessage]:
    """The messages of a packet, those of bundles in their order; their times are not waited for.

    Raises:
        OscError: it is none; nothing of it counts then.
    """
    if len(packet) > PACKET_BYTES_MAX:
        raise OscError(f"{len(packet)} bytes; at most {PACKET_BYTES_MAX} are read")
    if not packet.startswith(_BUNDLE):
        return [_message(packet)]
    if depth >= DEPTH_MAX:
        raise OscError(f"bundles lie more than {DEPTH_MAX} deep")
    messages, at = list[OscMessage](), 16
    if len(packet) < at:
        raise OscError("a bundle without its time")
    while at < len(packet):
        size = int.from_bytes(packet[at : at + 4], "big")
        at += 4
        if not size or size % 4 or at + size > len(packet):
            raise OscError(f"an element of {size} bytes does not fit into its bundle")
        messages += parse_packet(packet[at : at + size], depth=depth + 1)
        at += size
        if len(messages) > MESSAGES_MAX:
            raise OscError(f"more than {MESSAGES_MAX} messages in one packet")
    return messages


def _message(packet: bytes) -> OscMessage:
    address, at = _text(packet, 0)
    if not _ADDRESS.fullmatch(address):
        raise OscError("an address begins with / and holds printable ASCII only")
    if _WILD.search(address):
        raise OscError(f"{address}: patterns of a sender are not followed; send whole addresses")
    if at == len(packet):
        return OscMessage(address=address, is_on=True)  # an older sender, without types
    types, at = _text(packet, at)
    if not types.startswith(","):
        raise OscError(f"{address}: its types do not begin with a comma")
    is_on, first = True, True
    for kind in types[1:].replace("[", "").replace("]", ""):
        value, at = _argument(packet, at, kind)
        if first:
            is_on, first = value, False
    if at != len(packet):
        raise OscError(f"{address}: {len(packet) - at} bytes more than its types tell of")
    return OscMessage(address=address, is_on=is_on)


def _argument(packet: bytes, at: int, kind: str) -> tuple[bool, int]:
    """Whether an argument says yes, and where the next one begins."""
    if kind in "TFNI":
        return kind in "TI", at
    if kind in "sS":
        text, at = _text(packet, at)
        return bool(text), at
    if kind == "b":
        size = int.from_bytes(packet[at : at + 4], "big")
        end = at + 4 + (size + 3) // 4 * 4
        if at + 4 > len(packet) or end > len(packet):
            raise OscError("a blob is cut short")
        return bool(size), end
    if kind not in _SIZES:
        raise OscError(f"an argument of the unknown type {kind!r}")
    end = at + _SIZES[kind]
    data = packet[at:end]
    if len(data) < _SIZES[kind]:
        raise OscError("an argument is cut short")
    if kind not in _NUMBERS:
        return True, end
    (number,) = struct.unpack(_NUMBERS[kind], data)
    return number == number and number != 0, end  # noqa: PLR0124  NaN is not on


def _text(packet: bytes, at: int) -> tuple[str, int]:
    end = packet.find(b"\0", at)
    if end < 0:
        raise OscError("a text without its end")
    after = at + (end - at) // 4 * 4 + 4
    if after > len(packet) or packet[end:after].strip(b"\0"):
        raise OscError("a text that is not padded with zeros to a multiple of four bytes")
    return packet[at:end].decode("ascii", "replace"), after


@lru_cache(maxsize=1024)
def pattern(address: str) -> re.Pattern[str]:
    """What an address with OSC's wildcards matches: `?`, `*`, `[a-z]`, `[!x]`, `{one,two}`; none of them goes over a `/`.

    Raises:
        OscError: it is none.
    """
    if not _ADDRESS.fullmatch(address):
        raise OscError(f"{address!r}: an OSC address begins with / and holds printable ASCII only")
    out, at = "", 0
    while at < len(address):
        letter = address[at]
        close = {"[": "]", "{": "}"}.get(letter, "")
        end = address.find(close, at + 1) if close else at
        if end < 0 or letter in "]}":
            raise OscError(f"{address!r}: {letter} without its other half")
        inside = address[at + 1 : end]
        if letter == "[":
            out += _one_of(inside, address)
        elif letter == "{":
            out += "(?:" + "|".join(map(re.escape, inside.split(","))) + ")"
        else:
            out += {"?": "[^/]", "*": "[^/]*"}.get(letter, re.escape(letter))
        at = end + 1
    return re.compile(out)


def _one_of(inside: str, address: str) -> str:
    negated = inside.startswith("!")
    letters = inside.removeprefix("!")
    spans = re.fullmatch(r"(?:[!-~]-[!-~]|[!-~])+", letters)
    if spans is None or any(one[0] > one[2] for one in re.findall(r"[!-~]-[!-~]", letters)):
        raise OscError(f"{address!r}: [{inside}] names no letters")
    escaped = re.sub(r"([\\^\[\]])", r"\\\1", letters)
    return f"[^/{escaped}]" if negated else f"[{escaped}]"


class SlipDecoder:
    """Takes packets out of a TCP connection.

    Attributes:
        damaged: packets too long, or with an escape that is none.
    """

    def __init__(self) -> None:
        self._packet = bytearray()
        self._escaped = self._spoilt = False
        self.damaged = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The packets that have become whole."""
        packets = list[bytes]()
        for byte in data:
            if byte == _END:
                packets += self._ended()
            elif self._escaped:
                self._escaped = False
                self._spoilt |= byte not in (_ESC_END, _ESC_ESC)
                self._packet.append(_END if byte == _ESC_END else _ESC)
            elif byte == _ESC:
                self._escaped = True
            else:
                self._packet.append(byte)
            if len(self._packet) > PACKET_BYTES_MAX:
                self._packet.clear()
                self._spoilt = True
        return packets

    def _ended(self) -> list[bytes]:
        packet, spoilt = bytes(self._packet), self._spoilt or self._escaped
        self._packet.clear()
        self._escaped = self._spoilt = False
        self.damaged += spoilt
        return [packet] if packet and not spoilt else []
