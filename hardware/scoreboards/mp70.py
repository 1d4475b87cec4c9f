"""Trans-Lux / Fair-Play MP-70: 9600 8N1, frames of 80 bytes, `02 … 03`, no checksum. Provisional: known from code only.

    `C`   [2:6] clock `mmss`
    `H`   [13:16] home   [29:32] away   [45] period   [52:71] penalties

The scores come in one frame and the clock in another, so each reading tells both as last seen. Without a
checksum a change needs a second equal `H` frame (hardware/scoring.py).

Source:
    Public decoders and their description; no capture. Set the console to its "ProLine" format.
"""

import re
from dataclasses import dataclass

from hardware.events import Reading
from hardware.scoreboards.board import Board, Encoder
from hardware.scoreboards.decoding import FrameDecoder, Framing, clock_text, damaged, fixed_length, points

NAME = "mp70"
FRAME_BYTES = 80
FRAMING = Framing(
    start=re.compile(rb"\x02[CH]"), start_bytes=2, measure=fixed_length(length=FRAME_BYTES, end=0x03), most_bytes=FRAME_BYTES
)
_PRINTABLE = re.compile(rb"[\x20-\x7e]{78}")


def decoder() -> FrameDecoder:
    """A new decoder for one console."""
    return FrameDecoder(FRAMING, _Board().parse)


@dataclass(slots=True)
class _Board:
    """What the frames so far told."""

    home: int | None = None
    away: int | None = None
    clock: str = ""
    period: str = ""

    def parse(self, frame: bytes, offset: int) -> Reading:
        told = frame[1:2] == b"H"
        try:
            if not _PRINTABLE.fullmatch(frame[1:79]):
                raise ValueError("unprintable")
            shown = frame.decode("latin-1")
            if told:
                self.home, self.away = points(shown[13:16]), points(shown[29:32])
                self.period = shown[45].strip()
            else:
                self.clock = clock_text(shown[2:6], tenths=False)
        except ValueError:
            return damaged(offset=offset, protocol=NAME, frame=frame)
        return Reading(
            offset=offset,
            protocol=NAME,
            home=self.home,
            away=self.away,
            clock=self.clock,
            period=self.period,
            running=None,
            valid=True,
            checked=False,
            home_told=told,
            away_told=told,
            frame=frame,
        )


def encoder(sport: str) -> Encoder:
    """A clock frame and a score frame a cycle."""
    del sport
    return _encode


def _encode(board: Board) -> list[bytes]:
    minutes, seconds = board.clock_minutes.split(":")
    scores = f"H{'':11}{board.home:3d}{'':13}{board.away:3d}{'':13}{board.period or ' '}"
    return [b"\x02" + text.ljust(78).encode("ascii") + b"\x03" for text in (f"C{minutes}{seconds}", scores)]
