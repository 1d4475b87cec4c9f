"""Bodet Scorepad, BT6000, Mobatime: a TCP client that calls our port 4001, or 9600 8N1.

    01 | address | 02 | control | message | 03 | LRC

    LRC     XOR of the bytes after 01 through 03, & 7F, plus 20 when below 20

Messages (offsets in the message; scores are padded on either side; bit 1 of a status: the clock is off):

    11   ice hockey, floorball   [2] status   [4:8] clock   [8:11] home   [11:14] guest   [14] period, `E` extra time
    01   handball                [2] status   [4:8] clock   [10] period
    02   handball                [3:6] home   [6:9] guest
    18   basketball              [2] status   [4:8] clock   [12] period
    30   basketball              [3:6] home   [6:9] guest
    36   last minute             [2:4] seconds   [4] tenths
    50   shot clock; 12, 13 penalties; 10, 45 football, whose layout is not published: no reading

A clock is `mmss`, or `ssDt` in the last minute. The LRC has seven bits and folds 00-1F onto 20-3F, so
the alphabet of every field is checked as well, and a change on a line damaged lately must be seen
twice (hardware/scoreboards/decoding.py).

Source:
    The maker's manual of the network output (608264) and captures of floorball and basketball consoles. The manual
    misprints some checksums; the captures agree with the rule above.
"""

import functools
import operator
import re
from dataclasses import dataclass

from hardware.events import Reading
from hardware.scoreboards.board import Board, Encoder
from hardware.scoreboards.decoding import MORE, NO_FRAME, FrameDecoder, Framing, clock_text, damaged, points

NAME = "bodet"
FRAME_BYTES_MAX = 128
_MESSAGE_AT = 4

_CLOCK = rb"(?:[ 0-9]{4}|[ 0-9]{2}D[0-9])"
_SCORES = rb"[ 0-9]{6}"
_MESSAGES = {
    b"11": re.compile(rb"11[\x20-\xff].%s%s[ 0-9A-Z].*" % (_CLOCK, _SCORES), re.DOTALL),
    b"01": re.compile(rb"01[\x20-\xff].%s..[ 0-9A-Z].*" % _CLOCK, re.DOTALL),
    b"18": re.compile(rb"18[\x20-\xff].%s....[ 0-9A-Z].*" % _CLOCK, re.DOTALL),
    b"02": re.compile(rb"02.%s.*" % _SCORES, re.DOTALL),
    b"30": re.compile(rb"30.%s.*" % _SCORES, re.DOTALL),
    b"36": re.compile(rb"36[ 0-9]{3}.*", re.DOTALL),
}
_PERIOD_AT = {b"11": 14, b"01": 10, b"18": 12}
_SCORES_AT = {b"11": 8, b"02": 3, b"30": 3}
_CLOCK_OFF = 0x02


def decoder() -> FrameDecoder:
    """A new decoder for one console."""
    return FrameDecoder(FRAMING, _Board().parse)


def lrc(body: bytes) -> int:
    """The check byte of the bytes after 01 through 03."""
    folded = functools.reduce(operator.xor, body, 0) & 0x7F
    return folded if folded >= 0x20 else folded + 0x20


def _measure(buffer: bytes | bytearray, at: int) -> int:
    limit = at + FRAME_BYTES_MAX - 1
    end = buffer.find(0x03, at + 3, limit)
    again = buffer.find(0x01, at + 3, end if end >= 0 else limit)
    if again >= 0:
        return NO_FRAME
    if end < 0:
        return MORE if len(buffer) < limit else NO_FRAME
    return MORE if end + 1 >= len(buffer) else end + 2 - at


def _steady(frame: bytes) -> tuple[bytes, bytes]:
    message = frame[_MESSAGE_AT:-2]
    kind = message[:2]
    # In message 11 everything but clock, status and scores; the others tell nothing else that matters.
    return kind, frame[:4] + message[14:] if kind == b"11" else frame[:4]


FRAMING = Framing(
    start=re.compile(rb"\x01[^\x01]\x02", re.DOTALL), start_bytes=3, measure=_measure, most_bytes=FRAME_BYTES_MAX, steady=_steady
)


@dataclass(slots=True)
class _Board:
    """What the messages so far told."""

    home: int | None = None
    away: int | None = None
    clock: str = ""
    period: str = ""
    running: bool | None = None

    def parse(self, frame: bytes, offset: int) -> Reading | None:
        message = frame[_MESSAGE_AT:-2]
        if lrc(frame[1:-1]) != frame[-1] or len(frame) < _MESSAGE_AT + 4:
            return damaged(offset=offset, protocol=NAME, frame=frame)
        kind = message[:2]
        layout = _MESSAGES.get(kind)
        if layout is None:
            return None
        if layout.fullmatch(message) is None or not self._take(kind, message.decode("latin-1")):
            return damaged(offset=offset, protocol=NAME, frame=frame)
        told = kind in _SCORES_AT
        return Reading(
            offset=offset,
            protocol=NAME,
            home=self.home,
            away=self.away,
            clock=self.clock,
            period=self.period,
            running=self.running,
            valid=True,
            checked=True,
            home_told=told,
            away_told=told,
            frame=frame,
        )

    def _take(self, kind: bytes, shown: str) -> bool:
        """Take the message over, whole or not at all."""
        try:
            scores_at = _SCORES_AT.get(kind)
            scores = (
                None
                if scores_at is None
                else (points(shown[scores_at : scores_at + 3]), points(shown[scores_at + 3 : scores_at + 6]))
            )
            clock = _clock(kind, shown)
        except ValueError:
            return False
        if scores is not None:
            self.home, self.away = scores
        if clock is not None:
            self.clock = clock
        if kind in _PERIOD_AT:
            self.period = shown[_PERIOD_AT[kind]].strip()
            self.running = not ord(shown[2]) & _CLOCK_OFF
        return True


def _clock(kind: bytes, shown: str) -> str | None:
    if kind == b"36":
        return clock_text(shown[2:5] + " ", tenths=True)
    if kind not in _PERIOD_AT:
        return None
    field = shown[4:8]
    if field[2] == "D":
        return clock_text(field[:2] + field[3] + " ", tenths=True)
    return clock_text(field, tenths=False)


def encoder(sport: str) -> Encoder:
    """Messages of a console of `sport`: 11 for ice hockey and floorball, 01 and 02 for handball, 18, 30 and 36 for basketball."""
    return {"handball": _encode_handball, "basketball": _encode_basketball}.get(sport, _encode_hockey)


def _encode_hockey(board: Board) -> list[bytes]:
    return [_frame(f"11{_status(board)}7{_clock_field(board)}{board.home:3d}{board.away:3d}{board.period or ' '}")]


def _encode_handball(board: Board) -> list[bytes]:
    clock = f"01{_status(board)}7{_clock_field(board)}00{board.period or ' '}"
    return [_frame(clock), _frame(f"02 {board.home:3d}{board.away:3d}")]


def _encode_basketball(board: Board) -> list[bytes]:
    clock = f"18{_status(board)}5{_clock_field(board)}00  {board.period or ' '} "
    tenths = [_frame(f"36{board.clock_tenths:03d}")] if board.shows_tenths else []
    return [_frame(clock), *tenths, _frame(f"305{board.home:3d}{board.away:3d}")]


def _status(board: Board) -> str:
    return "\x80" if board.running else "\x82"


def _clock_field(board: Board) -> str:
    digits = board.clock_digits
    return f"{digits[:2]}D{digits[2]}" if board.shows_tenths else digits


def _frame(message: str) -> bytes:
    body = b"\x7f\x02G" + message.encode("latin-1") + b"\x03"
    return b"\x01" + body + bytes([lrc(body)])
