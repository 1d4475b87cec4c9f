"""Stramatel "TV output": 19200 8N1 on RS-485, frames of 54 bytes, `F8|F9 … 0D`, no checksum.

    [1]     `3` basketball, `5` handball, football, hockey, floorball: team scores
            `6` volleyball, `7` and `8` points of players, `M` messages: no team score, no reading
    [4:8]   clock `mmss`, or `sst` and a space
    scores  type 3: [8:11] home, [11:14] away; type 5: [9:11] home, [12:14] away
    [14]    period      [19] horn, `1` while it sounds      [20] `1` stopped, `0` running, `R` break

About ten frames a second, junk between them, and every type repeats in turn. Without a checksum a
reading is only as good as its layout, so a change needs a second equal reading (hardware/scoring.py).

Source:
    The maker's description of the TV output and a capture of a basketball game, 21,267 frames; some
    public decoders have [20] inverted. The layout of volleyball sets is not known to us.
"""

import re

from hardware.events import Reading
from hardware.scoreboards.board import Board, Encoder
from hardware.scoreboards.decoding import FrameDecoder, Framing, clock_text, damaged, fixed_length, points

NAME = "stramatel"
BAUD = 19200
FRAME_BYTES = 54
FRAMING = Framing(
    start=re.compile(rb"[\xf8\xf9][0-9A-Za-z]"),
    start_bytes=2,
    measure=fixed_length(length=FRAME_BYTES, end=0x0D),
    most_bytes=FRAME_BYTES,
)

_PRINTABLE = re.compile(rb"[\x20-\x7e]{52}")
_SCORE_FIELDS = {"3": (slice(8, 11), slice(11, 14)), "5": (slice(9, 11), slice(12, 14))}
_RUNNING = {"0": True, "1": False, "R": False}
_TOLD_NOWHERE = re.compile("[A-Z2-9 ]")
"""States of the clock that may be: whether it runs in them is not known."""


def decoder() -> FrameDecoder:
    """A new decoder for one console."""
    return FrameDecoder(FRAMING, _parse)


def _parse(frame: bytes, offset: int) -> Reading | None:
    if not _PRINTABLE.fullmatch(frame[1:53]):
        return damaged(offset=offset, protocol=NAME, frame=frame)
    shown = frame.decode("latin-1")
    fields = _SCORE_FIELDS.get(shown[1])
    if fields is None:
        return None
    state = shown[20]
    if state not in _RUNNING and not _TOLD_NOWHERE.match(state):
        return damaged(offset=offset, protocol=NAME, frame=frame)
    try:
        return Reading(
            offset=offset,
            protocol=NAME,
            home=points(shown[fields[0]]),
            away=points(shown[fields[1]]),
            clock=clock_text(shown[4:8], tenths=shown[7] == " "),
            period=shown[14].strip(),
            running=_RUNNING.get(state),
            valid=True,
            checked=False,
            horn=shown[19] == "1",
            frame=frame,
        )
    except ValueError:
        return damaged(offset=offset, protocol=NAME, frame=frame)


def encoder(sport: str) -> Encoder:
    """Frames of a console of `sport`: player points around the team scores in basketball, else one frame of two digits a side."""
    return _encode_basketball if sport == "basketball" else _encode


def _encode_basketball(board: Board) -> list[bytes]:
    return [_frame(kind, board, scores=f"{board.home:3d}{board.away:3d}") for kind in "738"]


def _encode(board: Board) -> list[bytes]:
    board.two_digits("Stramatel's frame for this sport")
    return [_frame("5", board, scores=f" {board.home:2d} {board.away:2d}")]


def _frame(kind: str, board: Board, *, scores: str) -> bytes:
    state = f"{board.period or ' '}    {int(board.horn)}{'0' if board.running else '1'}"
    text = f"{kind} 0{board.clock_digits}{scores}{state}".ljust(52)
    return b"\xf9" + text.encode("ascii") + b"\x0d"
