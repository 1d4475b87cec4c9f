"""Daktronics All Sport 5000, real-time data (RTD): 19200 8N1, packets that write text into an image of the board.

    16 | header, 8 characters | 01 | 004210NNNN | 02 | text | 04 | checksum, 2 hex digits | 17

    NNNN        item number less one: where the text goes in an image of 1 KB. Only changes are sent, so a
                field is unknown until it changes. Headers 00000000 and 20000000 occur; some packets carry no text
    checksum    sum of the bytes after 16 through 04, modulo 256

    items       1 clock (5 characters, `mm:ss` or `ss.t`)   28 `s` while it is stopped   30 `h` while the horn sounds
    (item,      108 home score (4)   112 guest score (4)   132 `<` home time-out   137 `>` guest time-out   142 period (2)
    length)     the same for soccer, hockey, basketball, football, volleyball, baseball and water polo

A packet is sent once, when something changes: nothing repeats it, so its checksum must do, and every
later packet tells the image again.

Source:
    Captures of several consoles; the item numbers agree with the maker's tables for each sport.
"""

import re

from hardware.events import Reading, Timeout
from hardware.scoreboards.board import Board, Encoder
from hardware.scoreboards.decoding import MORE, NO_FRAME, FrameDecoder, Framing, damaged, points, shown_clock

NAME = "daktronics"
IMAGE_BYTES = 1024
PACKET_BYTES_MAX = 1100
"""Header, address, a text as long as the image, checksum and ends."""

_PACKET = re.compile(
    rb"\x16[\x20-\x7e]{8}(?:\x01([\x20-\x7e]{0,16}))?(?:\x02([^\x00-\x1f]*))?\x04([0-9A-Fa-f]{2})\x17", re.DOTALL
)
_ADDRESS = re.compile(rb"004210(\d{4})")
_CLOCK, _STOPPED, _HORN = slice(0, 5), 27, 29
_HOME, _AWAY, _PERIOD = slice(107, 111), slice(111, 115), slice(141, 143)
_HOME_TIMEOUT, _AWAY_TIMEOUT = 131, 136
_UNKNOWN = 0
"""Value of a byte of the image that no packet has written yet."""


def decoder() -> FrameDecoder:
    """A new decoder for one console, whose image is still unknown."""
    return FrameDecoder(FRAMING, _Image().parse)


def checksum(body: bytes) -> int:
    """The checksum of the bytes after 16 through 04."""
    return sum(body) & 0xFF


def _measure(buffer: bytes | bytearray, at: int) -> int:
    end = buffer.find(0x17, at + 1, at + PACKET_BYTES_MAX)
    again = buffer.find(0x16, at + 1, end if end >= 0 else at + PACKET_BYTES_MAX)
    if again >= 0:
        return NO_FRAME
    if end >= 0:
        return end + 1 - at
    return MORE if len(buffer) - at < PACKET_BYTES_MAX else NO_FRAME


FRAMING = Framing(start=re.compile(rb"\x16"), start_bytes=1, measure=_measure, most_bytes=PACKET_BYTES_MAX)


class _Image:
    """The board as far as the packets so far told it."""

    def __init__(self) -> None:
        self._image = bytearray(IMAGE_BYTES)
        self._read()

    def parse(self, frame: bytes, offset: int) -> Reading:
        packet = _PACKET.fullmatch(frame)
        if packet is None or checksum(frame[1:-3]) != int(packet[3], 16):
            return damaged(offset=offset, protocol=NAME, frame=frame)
        first = last = 0
        address, text = _ADDRESS.fullmatch(packet[1] or b""), packet[2]
        if address is not None and text:
            first = int(address[1])
            last = min(first + len(text), IMAGE_BYTES)
            if first < last and self._image[first:last] != text[: last - first]:
                self._image[first:last] = text[: last - first]
                self._read()
        return Reading(
            offset=offset,
            protocol=NAME,
            home=self._home,
            away=self._away,
            clock=self._clock,
            period=self._period,
            running=self._running,
            valid=True,
            checked=True,
            home_told=first < _HOME.stop and last > _HOME.start,
            away_told=first < _AWAY.stop and last > _AWAY.start,
            horn=self._horn,
            timeout=self._timeout,
            frame=frame,
        )

    def _read(self) -> None:
        """Read the fields again; an image that did not change reads as before."""
        image = self._image
        self._home, self._away = _points(image[_HOME]), _points(image[_AWAY])
        self._clock, self._period = _clock(image[_CLOCK]), _text(image[_PERIOD])
        self._running = None if image[_STOPPED] == _UNKNOWN else image[_STOPPED] != ord("s")
        self._horn = None if image[_HORN] == _UNKNOWN else image[_HORN] == ord("h")
        self._timeout = _timeout(image[_HOME_TIMEOUT], image[_AWAY_TIMEOUT])


def _text(field: bytearray) -> str:
    return field.replace(b"\0", b" ").decode("latin-1").strip()


def _points(field: bytearray) -> int | None:
    """None too for what is no number: some sports write words where others write points."""
    try:
        return points(_text(field))
    except ValueError:
        return None


def _clock(field: bytearray) -> str:
    """Empty too for what is no clock: the console may show the time of day or a name there."""
    try:
        return shown_clock(_text(field))
    except ValueError:
        return ""


def _timeout(home: int, away: int) -> Timeout | None:
    if home == ord("<"):
        return Timeout.HOME
    if away == ord(">"):
        return Timeout.AWAY
    return None if _UNKNOWN in (home, away) else Timeout.NONE


def encoder(sport: str) -> Encoder:
    """Packets of what changed since the board before; the first one tells everything."""
    del sport
    shown: dict[int, str] = {}

    def encode(board: Board) -> list[bytes]:
        packets: list[bytes] = []
        for at, text in _fields(board).items():
            if shown.get(at) != text:
                shown[at] = text
                packets.append(_packet(at, text))
        # A console that has nothing new still shows that it is there.
        return packets or [_packet(0, "")]

    return encode


def _fields(board: Board) -> dict[int, str]:
    clock = f"{board.clock_text:5}"
    return {
        _CLOCK.start: f"{clock}{clock:8}{clock}{clock:8}",
        _STOPPED: " " if board.running else "s",
        _HORN: "h" if board.horn else " ",
        _HOME.start: f"{board.home:4d}",
        _AWAY.start: f"{board.away:4d}",
        _HOME_TIMEOUT: "<" if board.timeout is Timeout.HOME else " ",
        _AWAY_TIMEOUT: ">" if board.timeout in (Timeout.AWAY, Timeout.UNTOLD) else " ",
        _PERIOD.start: f"{board.period:>2}",
    }


def _packet(at: int, text: str) -> bytes:
    body = b"00000000\x01004210%04d\x02%s\x04" % (at, text.encode("ascii"))
    return b"\x16%s%02X\x17" % (body, checksum(body))
