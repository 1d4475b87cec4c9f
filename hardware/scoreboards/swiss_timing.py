"""Swiss Timing, basketball: `02 D … 03 XOR`, 27 bytes. Provisional: known from other people's code only.

    from D:   [1:6] clock `mm:ss` or `ss.t `   [6:9] home   [9:12] guest   [16] period
              [18] `1` running, `0` stopped, `2` period over            [22:24] shot clock
    XOR       of 02 through 03

Messages of other letters (players, names, the date) have no score and are skipped.

Source:
    Public decoders, one of them made from a recording of a whole game; the speed is not known to us (9600 8N1 assumed).
"""

import functools
import operator
import re

from hardware.events import Reading
from hardware.scoreboards.board import Board, Encoder
from hardware.scoreboards.decoding import FrameDecoder, Framing, damaged, fixed_length, points, shown_clock

NAME = "swiss-timing"
FRAME_BYTES = 27

_PRINTABLE = re.compile(rb"[\x20-\x7e]{24}")
FRAMING = Framing(
    start=re.compile(rb"\x02D"),
    start_bytes=2,
    measure=fixed_length(length=FRAME_BYTES, end=0x03, end_at=25),
    most_bytes=FRAME_BYTES,
    steady=lambda frame: (b"", frame[13:19] + frame[20:23]),
)


def decoder() -> FrameDecoder:
    """A new decoder for one console."""
    return FrameDecoder(FRAMING, _parse)


def checksum(body: bytes) -> int:
    """XOR of the bytes 02 through 03."""
    return functools.reduce(operator.xor, body, 0)


def _parse(frame: bytes, offset: int) -> Reading:
    body = frame[1:25]
    if checksum(frame[:26]) != frame[26] or not _PRINTABLE.fullmatch(body):
        return damaged(offset=offset, protocol=NAME, frame=frame)
    shown = body.decode("ascii")
    try:
        return Reading(
            offset=offset,
            protocol=NAME,
            home=points(shown[6:9]),
            away=points(shown[9:12]),
            clock=shown_clock(shown[1:6]),
            period=shown[16].strip(),
            running=shown[18] == "1",
            valid=True,
            checked=True,
            frame=frame,
        )
    except ValueError:
        return damaged(offset=offset, protocol=NAME, frame=frame)


def encoder(sport: str) -> Encoder:
    """One frame a cycle."""
    del sport
    return _encode


def _encode(board: Board) -> list[bytes]:
    clock = f"{board.clock_text:5}"
    shown = f"D{clock}{board.home:3d}{board.away:3d}0000{board.period or ' '}0{int(board.running)}0  24"
    body = b"\x02" + shown.encode("ascii") + b"\x03"
    return [body + bytes([checksum(body)])]
