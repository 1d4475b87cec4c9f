"""Favero fencing apparatus: 2400 8N1, ten bytes from FF, the last one their sum modulo 256.

    [1] right score   [2] left score   [3] seconds   [4] minutes, all as two decimal digits a byte
    [5] lamps   [6] bits 0-1 the bout's number, bits 2-3 priority   [7] unused   [8] penalty cards   [9] sum of [0:9]

Home is the fencer on the left of the apparatus. A sum of eight bits misses some damage to two bytes, so a
change on a line damaged lately must be seen twice (hardware/scoreboards/decoding.py).

Source:
    The maker's description of the Full Arm 05; the checksum printed in it is wrong, the sum agrees with apparatuses.
"""

import re

from hardware.events import Reading
from hardware.scoreboards.board import Board, Encoder
from hardware.scoreboards.decoding import MORE, FrameDecoder, Framing, damaged

NAME = "favero"
FRAME_BYTES = 10


def decoder() -> FrameDecoder:
    """A new decoder for one apparatus."""
    return FrameDecoder(FRAMING, _parse)


def _measure(buffer: bytes | bytearray, at: int) -> int:
    return FRAME_BYTES if len(buffer) - at >= FRAME_BYTES else MORE


FRAMING = Framing(
    start=re.compile(rb"\xff"),
    start_bytes=1,
    measure=_measure,
    most_bytes=FRAME_BYTES,
    steady=lambda frame: (b"", frame[6:9]),
)


def _parse(frame: bytes, offset: int) -> Reading:
    digits = frame[1:5].hex()
    if sum(frame[:9]) & 0xFF != frame[9] or not digits.isdigit() or int(digits[4:6]) > 59:
        return damaged(offset=offset, protocol=NAME, frame=frame)
    bout = frame[6] & 0x03
    return Reading(
        offset=offset,
        protocol=NAME,
        home=int(digits[2:4]),
        away=int(digits[0:2]),
        clock=f"{digits[6:8]}:{digits[4:6]}",
        period=str(bout) if bout else "",
        running=None,
        valid=True,
        checked=True,
        frame=frame,
    )


def encoder(sport: str) -> Encoder:
    """One frame a cycle."""
    del sport
    return _encode


def _encode(board: Board) -> list[bytes]:
    board.two_digits("a fencing apparatus")
    if board.period not in ("", "1", "2", "3"):
        raise ValueError(f"period {board.period!r}: a fencing apparatus counts bouts 1 to 3")
    minutes, seconds = board.clock_minutes.split(":")
    digits = bytes.fromhex(f"{board.away:02d}{board.home:02d}{seconds}{minutes}")
    body = b"\xff" + digits + bytes([0, int(board.period or "0"), 0, 0])
    return [body + bytes([sum(body) & 0xFF])]
