"""Stramatel "TV output": 19200 8N1 on RS-485, frames of 54 bytes, `F8|F9 … 0D`, no checksum.

    [1]     `3` basketball, `5` handball, football, hockey, floorball: team scores
            `6` volleyball, `7` and `8` points of players, `M` messages: no team score, no reading
    [4:8]   clock `mmss`, or `sst` and a space
    scores  type 3: [8:11] home, [11:14] away; type 5: [9:11] home, [12:14] away
    [14]    period      [19] horn      [20] `1` stopped, `0` running, `R` break

About ten frames a second, junk between them, and every type repeats in turn. Without a checksum a
reading is only as good as its layout, so a change needs a second equal reading (hardware/scoring.py).

Source:
    The maker's description of the TV output and a capture of a basketball game, 21,267 frames; some
    public decoders have [20] inverted. The layout of volleyball sets is not known to us.
"""

import re

from hardware.board import Board
from hardware.decoding import FixedFrameDecoder, FrameLayout, clock_text, damaged, points
from hardware.events import Reading

NAME = "stramatel"
BAUD = 19200
FRAME_BYTES = 54
LAYOUT = FrameLayout(start=re.compile(rb"[\xf8\xf9][0-9A-Za-z]"), length=FRAME_BYTES, end=0x0D)

_PRINTABLE = re.compile(rb"[\x20-\x7e]{52}")
_SCORE_FIELDS = {"3": (slice(8, 11), slice(11, 14)), "5": (slice(9, 11), slice(12, 14))}
_RUNNING = {"0": True, "1": False, "R": False, " ": None}


def decoder() -> FixedFrameDecoder:
    """A new decoder for one console."""
    return FixedFrameDecoder(LAYOUT, _parse)


def _parse(frame: bytes, offset: int) -> Reading | None:
    if not _PRINTABLE.fullmatch(frame[1:53]):
        return damaged(offset=offset, protocol=NAME, frame=frame)
    shown = frame.decode("latin-1")
    fields = _SCORE_FIELDS.get(shown[1])
    if fields is None:
        return None
    try:
        return Reading(
            offset=offset,
            protocol=NAME,
            home=points(shown[fields[0]]),
            away=points(shown[fields[1]]),
            clock=clock_text(shown[4:8], tenths=shown[7] == " "),
            period=shown[14].strip(),
            running=_RUNNING[shown[20]],
            valid=True,
            checked=False,
            frame=frame,
        )
    except (ValueError, KeyError):
        return damaged(offset=offset, protocol=NAME, frame=frame)


def encode_basketball(board: Board) -> list[bytes]:
    """One cycle of a basketball console showing `board`: player points, team scores, player points."""
    return [_frame(kind, board, scores=f"{board.home:3d}{board.away:3d}") for kind in "738"]


def encode(board: Board) -> list[bytes]:
    """One cycle of a console of the other sports showing `board`: one frame, two digits a side.

    Raises:
        ValueError: more than 99 points.
    """
    if board.home > 99 or board.away > 99:
        raise ValueError(f"score {board.home}-{board.away}: Stramatel's frame for this sport shows two digits a side")
    return [_frame("5", board, scores=f" {board.home:2d} {board.away:2d}")]


def _frame(kind: str, board: Board, *, scores: str) -> bytes:
    state = f"{board.period or ' '}    0{'0' if board.running else '1'}"
    text = f"{kind} 0{board.clock_digits}{scores}{state}".ljust(52)
    return b"\xf9" + text.encode("ascii") + b"\x0d"
