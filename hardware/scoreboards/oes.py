"""OES ISC9000: 9600 8N1, frames of 45 bytes, `02 74 … 0D`, with a checksum.

    [2:6]   clock digits; bit 7 of [2]: stopped; bit 7 of [3]: mm:ss (else ss.t, [5] blank); bit 7 of [4] is lit too
    [6]     period          [7:9] home          [9:11] away          `:` is a blank digit
    [15]    a letter (`S` in every frame seen)  [22:42] penalties, whose dots are bit 7 as well
    [42]    lamps, 30-3F    [43] checksum: sum of [0:43] & 7F, plus 20 when below 20

The checksum is seven bits with a fold: it misses a flip of bit 7 and some changes by 20. So the
alphabet of every field is checked as well; what remains unseen is bit 7 of clock and penalty digits,
which tells of lamps and dots, never of the score.

Source:
    A capture of a hockey console, 519 frames (tests/golden/hardware); the misses were found by trying
    every single-byte change (tests/property/hardware/test_oes.py).
"""

import re

from hardware.events import Reading
from hardware.scoreboards.board import Board, Encoder
from hardware.scoreboards.decoding import FrameDecoder, Framing, clock_text, damaged, fixed_length, points

NAME = "oes"
BAUD = 9600
FRAME_BYTES = 45
FRAMING = Framing(
    start=re.compile(rb"\x02\x74"),
    start_bytes=2,
    measure=fixed_length(length=FRAME_BYTES, end=0x0D),
    most_bytes=FRAME_BYTES,
    steady=lambda frame: (b"", frame[6:7] + frame[11:42]),
)

_TEXT = re.compile(rb"[0-9: ]{13}[A-Z][0-9: ]{26}[\x30-\x3f]", re.DOTALL)
_DOTTED = frozenset([*range(2, 5), *range(22, 42)])
"""Positions whose bit 7 lights a dot or a lamp."""


def decoder() -> FrameDecoder:
    """A new decoder for one console."""
    return FrameDecoder(FRAMING, _parse)


def checksum(body: bytes) -> int:
    """The checksum byte of the 43 bytes before it."""
    folded = sum(body) & 0x7F
    return folded if folded >= 0x20 else folded + 0x20


def _parse(frame: bytes, offset: int) -> Reading:
    text = bytes(byte & 0x7F if at in _DOTTED else byte for at, byte in enumerate(frame))[2:43]
    minutes_shown = bool(frame[3] & 0x80)
    sound = (
        frame[43] == checksum(frame[:43])
        and _TEXT.fullmatch(text) is not None
        # The flag and the fourth digit always agree: this catches a flip that the checksum cannot.
        and minutes_shown == (frame[5] not in b": ")
    )
    if not sound:
        return damaged(offset=offset, protocol=NAME, frame=frame)
    shown = text.decode("ascii")
    try:
        home, away = points(shown[5:7]), points(shown[7:9])
    except ValueError:
        return damaged(offset=offset, protocol=NAME, frame=frame)
    return Reading(
        offset=offset,
        protocol=NAME,
        home=home,
        away=away,
        clock=clock_text(shown[0:4], tenths=not minutes_shown),
        period=shown[4].strip(": "),
        running=not frame[2] & 0x80,
        valid=True,
        checked=True,
        frame=frame,
    )


def encoder(sport: str) -> Encoder:
    """One frame a cycle."""
    del sport
    return encode


def encode(board: Board) -> list[bytes]:
    """One cycle of what a console showing `board` sends: a single frame.

    Raises:
        ValueError: more than 99 points, which its two digits cannot show, or a period that is no digit.
    """
    board.two_digits("an OES console")
    board.digit_period("an OES console")
    clock = bytearray(board.clock_digits.replace(" ", ":").encode("ascii"))
    clock[0] |= 0 if board.running else 0x80
    clock[1] |= 0 if board.shows_tenths else 0x80
    clock[2] |= 0x80
    shown = f"{board.period or ':'}{board.home:2d}{board.away:2d}::::S00:0:0" + ":" * 20 + "8"
    body = b"\x02\x74" + bytes(clock) + shown.replace(" ", ":").encode("ascii")
    return [body + bytes([checksum(body), 0x0D])]
