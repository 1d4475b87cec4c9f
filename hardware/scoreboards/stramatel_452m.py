"""Stramatel 452 M, segment format: 19200 8N1, values that drive the digits of the panel, no checksum.

    00 F8 E1 | prefix, 0 to 12 bytes | C3 1E 66, or C3 00 20 F6 | P … E5

The prefix is there when a shot clock module is connected and carries its digits. Blocks with other bytes
after C3 (0F 64, 0F EC, 00 E0 EC) drive the same digits by another table and are left alone. From P, the
possession arrow (FB none, EB home, DB guest):

    +1…4   clock `mmss`, or `sst` and a blank       +5…7 home        +8…10 guest        +11 period
    +14    home time-outs taken     +15 guest       +17 9F running, 9D stopped      +18 9F while a time-out runs
    +50    E5, the end

    digit  (9F − byte) / 2: 9F is 0, 8D is 9; BF is blank

Without a checksum a change needs a second equal reading (hardware/scoring.py).

Source:
    29 labelled captures of one basketball console, with and without the shot clock module, described in public; ours are
    encoded by the same table.
"""

import re

from hardware.events import Reading, Timeout
from hardware.scoreboards.board import Board, Encoder
from hardware.scoreboards.decoding import MORE, NO_FRAME, NOT_OURS, FrameDecoder, Framing, clock_text, damaged, points

NAME = "stramatel-452m"
PREFIX_BYTES_MAX = 12
FRAME_BYTES_MAX = 3 + PREFIX_BYTES_MAX + 4 + 51
_FROM_P = 51

_SYNC = b"\x00\xf8\xe1"
_TYPE = re.compile(rb"\x00\xf8\xe1(?:(?!\x00\xf8\xe1).){0,12}?\xc3(\x1e\x66|\x00\x20\xf6|\x0f[\x64\xec]|\x00\xe0\xec)", re.DOTALL)
_SCORES = (b"\x1e\x66", b"\x00\x20\xf6")
_ARROWS = b"\xfb\xeb\xdb"
_DIGITS = {0x9F - 2 * digit: str(digit) for digit in range(10)} | {0xBF: " "}
_RUNNING = {0x9F: True, 0x9D: False}
_TIMEOUT = {0x9F: True, 0xBF: False}


def decoder() -> FrameDecoder:
    """A new decoder for one console."""
    return FrameDecoder(FRAMING, _parse)


def _measure(buffer: bytes | bytearray, at: int) -> int:
    kind = _TYPE.match(buffer, at)
    if kind is None:
        again = buffer.find(_SYNC, at + 1, at + FRAME_BYTES_MAX)
        searched = len(buffer) - at >= len(_SYNC) + PREFIX_BYTES_MAX + 4
        return NO_FRAME if again >= 0 or searched else MORE
    if kind[1] not in _SCORES:
        return NOT_OURS
    length = kind.end() - at + _FROM_P
    if len(buffer) - at < length:
        return MORE
    return length if buffer[at + length - 1] == 0xE5 else NO_FRAME


FRAMING = Framing(start=re.compile(_SYNC), start_bytes=3, measure=_measure, most_bytes=FRAME_BYTES_MAX)


def _parse(frame: bytes, offset: int) -> Reading:
    cells = frame[-_FROM_P:]
    try:
        shown = "".join([_DIGITS[cell] for cell in cells[1:12]])
        running, timeout = _RUNNING[cells[17]], _TIMEOUT[cells[18]]
        home, away = points(shown[4:7]), points(shown[7:10])
    except (KeyError, ValueError):
        return damaged(offset=offset, protocol=NAME, frame=frame)
    if cells[0] not in _ARROWS:
        return damaged(offset=offset, protocol=NAME, frame=frame)
    return Reading(
        offset=offset,
        protocol=NAME,
        home=home,
        away=away,
        clock=clock_text(shown[:4], tenths=shown[3] == " "),
        period=shown[10].strip(),
        running=running,
        valid=True,
        checked=False,
        timeout=Timeout.UNTOLD if timeout else Timeout.NONE,
        frame=frame,
    )


def encoder(sport: str) -> Encoder:
    """The block of the scores between one of each other kind, as the panel is refreshed."""
    del sport
    return _encode


def _encode(board: Board) -> list[bytes]:
    board.digit_period("a 452 M panel")
    shown = f"{board.clock_digits}{board.home:3d}{board.away:3d}{board.period or ' '}"
    codes = {digit: code for code, digit in _DIGITS.items()}
    cells = bytearray(b"\xfb") + bytes(codes[digit] for digit in shown) + b"\x9f" * 39
    cells[16] = 0xBF
    cells[17] = 0x9F if board.running else 0x9D
    cells[18] = 0x9F if board.timeout is not Timeout.NONE else 0xBF
    cells[43:51] = b"\xbf" * 7 + b"\xe5"
    scores = _SYNC + b"\xc3\x1e\x66" + cells
    return [scores, _SYNC + b"\xc3\x0f\x64" + b"\x9f" * 50 + b"\xe5"]
