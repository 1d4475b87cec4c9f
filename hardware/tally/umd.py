"""TSL UMD 3.1 and 5.0 from bytes to displays. Pure; nothing raises, whatever the bytes; everything kept is bounded.

    3.1  18 bytes: address with bit 7 set; control (bits 0–3 tallies 1–4, bits 4–5 brightness); 16 characters
    5.0  PBC, how many bytes follow; version; flags; screen; then for each display index, control, length, text.
         Two bytes are the low one first. Control: bits 0–1 right lamp, 2–3 text, 4–5 left, 6–7 brightness.
         Over TCP a packet begins with DLE STX, and a DLE within it is sent twice.

Source:
    TSL Products, "TSL UMD Protocol" (V3.1, V4.0 and V5.0).
"""

from dataclasses import dataclass

V31_BYTES = 18
V5_BYTES_MAX = 2048
"""A packet's greatest length, with its count."""
EVERY = 0xFFFF
"""The index or screen that means all of them."""

_V5_HEADER_BYTES = 6
_V5_DISPLAY_BYTES = 6
_UTF16, _SCREEN_CONTROL = 0x01, 0x02
_CONTROL_DATA = 0x8000
_RED = 1
_DLE, _STX = 0xFE, 0x02


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """What one message says of one display.

    Attributes:
        screen: 0 with version 3.1, which has none.
        lit: which of its lamps are on and red: `1` to `4` with version 3.1, whose lamps have no colour; `left`, `text`
            and `right` with 5.0.
    """

    screen: int
    index: int
    lit: frozenset[str]
    text: str

    def is_of(self, screen: int, index: int) -> bool:
        """Whether it tells of this display."""
        return self.index in (index, EVERY) and self.screen in (screen, EVERY)


def parse_v31(message: bytes) -> Display | None:
    """The display of a message of version 3.1, None when it is none."""
    if len(message) != V31_BYTES or not 0x80 <= message[0] < 0xFF or message[1] & 0xC0:
        return None
    text = message[2:]
    if any(byte > 0x7E or 0 < byte < 0x20 for byte in text):
        return None
    lit = frozenset(str(number + 1) for number in range(4) if message[1] >> number & 1)
    return Display(screen=0, index=message[0] & 0x7F, lit=lit, text=text.split(b"\0")[0].decode("ascii").strip())


def parse_v5(packet: bytes) -> list[Display] | None:
    """The displays of a packet of version 5.0, its count included; None when it is none, or not whole."""
    if not _V5_HEADER_BYTES <= len(packet) <= V5_BYTES_MAX or _word(packet, 0) != len(packet) - 2 or packet[2] != 0:
        return None
    flags, screen, at = packet[3], _word(packet, 4), _V5_HEADER_BYTES
    displays = list[Display]()
    if flags & _SCREEN_CONTROL:
        return displays
    while at < len(packet):
        index, control, length = (_word(packet, at + offset) for offset in (0, 2, 4))
        if control & _CONTROL_DATA and at + 4 <= len(packet):
            # How long such data is, is not defined: what stands before it counts.
            return displays
        at += _V5_DISPLAY_BYTES
        if at > len(packet):
            return None
        text = packet[at : at + length]
        if len(text) < length:
            return None
        at += length
        shown = text.decode("utf-16-le" if flags & _UTF16 else "ascii", "replace").split("\0")[0].strip()
        displays.append(Display(screen=screen, index=index, lit=_lit(control), text=shown))
    return displays


def _lit(control: int) -> frozenset[str]:
    lamps = (("right", control & 3), ("text", control >> 2 & 3), ("left", control >> 4 & 3))
    return frozenset(name for name, colour in lamps if colour == _RED)


def _word(data: bytes | bytearray, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


class DatagramDecoder:
    """Reads datagrams of one version; one of version 3.1 may hold several messages.

    Attributes:
        frames, damaged: understood, and not.
    """

    def __init__(self, version: str) -> None:
        self._version = version
        self.frames = self.damaged = 0

    def feed(self, datagram: bytes) -> list[Display]:
        """What a datagram says; nothing of one that is damaged."""
        found = parse_v5(datagram) if self._version == "5.0" else _parsed_v31(datagram)
        if found is None:
            self.damaged += 1
            return []
        self.frames += 1
        return found


def _parsed_v31(datagram: bytes) -> list[Display] | None:
    if not datagram or len(datagram) % V31_BYTES or len(datagram) > V5_BYTES_MAX:
        return None
    messages = [parse_v31(datagram[at : at + V31_BYTES]) for at in range(0, len(datagram), V31_BYTES)]
    found = [one for one in messages if one is not None]
    return found if len(found) == len(messages) else None


class StreamDecoder:
    """Reads version 5.0 from a TCP connection; chunks may be cut anywhere.

    Attributes:
        frames, damaged: understood, and not.
    """

    def __init__(self) -> None:
        self._packet: bytearray | None = None
        self._after_dle = False
        self.frames = self.damaged = 0

    def feed(self, data: bytes) -> list[Display]:
        """What has become whole."""
        displays = list[Display]()
        for byte in data:
            if self._after_dle:
                self._after_dle = False
                if byte != _DLE:
                    self._begin(byte)
                    continue
            elif byte == _DLE:
                self._after_dle = True
                continue
            if self._packet is not None:
                self._packet.append(byte)
                displays += self._ended(self._packet)
        return displays

    def _begin(self, byte: int) -> None:
        """A DLE and no second one: a packet begins, or what is on its way is damaged."""
        if self._packet is not None:
            self.damaged += 1
        self._packet = bytearray() if byte == _STX else None

    def _ended(self, packet: bytearray) -> list[Display]:
        if len(packet) < 2:
            return []
        length = _word(packet, 0) + 2
        if len(packet) < length <= V5_BYTES_MAX:
            return []
        self._packet = None
        found = parse_v5(bytes(packet))
        if found is None:
            self.damaged += 1
            return []
        self.frames += 1
        return found
