"""Colorado Time Systems, System 5 and 6: 9600 8E1 (older ones 2400), digits for the channels of a board, no checksum.

A byte from 80 on is a control byte and begins a group:

    bit 0   clear: the group holds digits; set: their points and colons
    bits 1-5   the channel, inverted: ((byte >> 1) & 1F) ^ 1F
    bit 6   set: a lane's clock still runs, the group holds no time

A data byte is `position << 4 | value ^ F`, positions 0 to 7 from the left; value F is a blank digit. In a group of
points, bit 1 of the value lights the point or colon at that digit. A group may be interrupted by another
channel's and go on after its control byte was sent again.

    01   positions 2-7: minutes, seconds where the points are, fraction; a lit position 0 is a swimmer's lane: no clock
    03   shot clock
    0D   positions 0-1 home, 6-7 guest; lit positions 2-5 are the three teams of a swimming meet: no score
    0E   position 1 the period, 3-7 shot clock; a lit position 0 or 2 is a swimming meet's: no period

Scores and period are taken only from eight digits in order, so no half-changed score is read. The time is also taken
from the few digits that changed, in whatever order. Without a checksum a change needs a second equal group
(hardware/scoring.py).

Source:
    US patent 4263736, captures of swimming meets (tests/golden/hardware), public decoders for water polo.
"""

import re

from hardware.events import Reading
from hardware.scoreboards.board import Board, Encoder

NAME = "cts"
DIGITS = 8
_TIME, _SCORES, _PERIOD = 0x01, 0x0D, 0x0E
_IN_ORDER = list(range(DIGITS))
_ALL_POSITIONS = bytes(_IN_ORDER)
_POSITIONS = bytes(byte >> 4 for byte in range(256))
_CONTROL = re.compile(rb"[\x80-\xff]")
_BLANK = 0xF
_POINT = 0x2
_SECONDS = (4, 5)
"""Where the seconds stand when the points have not been told yet."""
GROUP_BYTES_MAX = 3 * (DIGITS + 1)
"""Bytes kept of a group as a reading's frame: a group, and twice as much for interruptions."""


class CtsDecoder:
    """A `Decoder` of a whole board, read as water polo's."""

    def __init__(self) -> None:
        self._offset = 0
        self._channel = -1
        self._of_points = False
        self._in_order = 0
        self._groups = {channel: _Group() for channel in (_TIME, _SCORES, _PERIOD)}
        self._time = [_BLANK] * DIGITS
        self._points_at = [0] * DIGITS
        self._home: int | None = None
        self._away: int | None = None
        self._clock = self._period = ""
        self.good_frames = self.bad_frames = self.good_bytes = 0

    def feed(self, data: bytes) -> list[Reading]:
        readings: list[Reading] = []
        at, start, end = 0, self._offset, len(data)
        while at < end:
            byte = data[at]
            self._offset = start + at
            if byte & 0x80:
                self._begin(byte, readings)
                at += 1
            elif self._of_points or self._channel not in self._groups:
                control = _CONTROL.search(data, at)
                run_end = control.start() if control else end
                self._pass(data[at:run_end])
                at = run_end
            else:
                self._digit(self._groups[self._channel], byte, readings)
                at += 1
        self._offset = start + end
        return readings

    def finish(self) -> list[Reading]:
        readings: list[Reading] = []
        self._end_of_time(readings)
        return readings

    def _begin(self, control: int, readings: list[Reading]) -> None:
        self._end_of_time(readings)
        self._channel, self._of_points = (control >> 1 & 0x1F) ^ 0x1F, bool(control & 1)
        self._in_order = 0
        group = self._groups.get(self._channel)
        if self._of_points or group is None:
            return
        if control & 0x40 or not group.positions:
            group.begin(self._offset)
        if len(group.frame) < GROUP_BYTES_MAX:
            group.frame.append(control)

    def _pass(self, run: bytes) -> None:
        """Digits of a channel that is not read, or points."""
        if self._of_points and self._channel == _TIME:
            for byte in run:
                self._points_at[byte >> 4] = ~byte & _POINT
        if self._in_order == 0 and run.translate(_POSITIONS) == _ALL_POSITIONS:
            self._count(good=self._channel >= 0)
            return
        for byte in run:
            position = byte >> 4
            self._in_order = self._in_order + 1 if position == self._in_order else int(position == 0)
            if self._in_order == DIGITS:
                self._in_order = 0
                self._count(good=self._channel >= 0)

    def _digit(self, group: "_Group", byte: int, readings: list[Reading]) -> None:
        position, value = byte >> 4, byte & 0xF ^ 0xF
        in_order = position == len(group.positions)
        if not in_order and self._channel != _TIME:
            # What came before is no whole group; this may begin the next one.
            self.bad_frames += bool(group.positions)
            group.begin(self._offset - 1, group.frame[-1:])
            if position != 0:
                return
        if not in_order and position == 0:
            group.begin(self._offset - 1, group.frame[-1:])
        group.take(position, value, byte)
        if self._channel == _TIME:
            self._time[position] = value
        if group.whole:
            self._complete(group, group.values, readings)

    def _end_of_time(self, readings: list[Reading]) -> None:
        """Take over the digits of the time that came alone or from the right; a whole group that is interrupted goes on."""
        group = self._groups[_TIME]
        if self._channel == _TIME and group.positions and group.positions != list(range(len(group.positions))):
            self._complete(group, self._time, readings)

    def _complete(self, group: "_Group", values: list[int], readings: list[Reading]) -> None:
        digits = "".join(" " if value == _BLANK else chr(ord("0") + value) for value in values)
        sound = not digits.strip(" 0123456789")
        self._count(good=sound)
        if sound:
            self._take(digits)
        told = sound and self._channel == _SCORES
        readings.append(
            Reading(
                offset=group.offset,
                protocol=NAME,
                home=self._home if sound else None,
                away=self._away if sound else None,
                clock=self._clock if sound else "",
                period=self._period if sound else "",
                running=None,
                valid=sound,
                checked=False,
                home_told=told,
                away_told=told,
                frame=bytes(group.frame),
            )
        )
        group.begin(self._offset)

    def _take(self, digits: str) -> None:
        if self._channel == _TIME:
            self._clock = "" if digits[0].strip() else _clock_of(digits, self._points_at)
        elif self._channel == _PERIOD:
            self._period = "" if (digits[0] + digits[2]).strip() else digits[1].strip()
        elif digits[2:6].strip():
            self._home = self._away = None
        else:
            self._home, self._away = _points_of(digits[:2]), _points_of(digits[6:])

    def _count(self, *, good: bool) -> None:
        self.good_frames += good
        self.bad_frames += not good
        self.good_bytes += DIGITS + 1 if good else 0


class _Group:
    """A channel's digits on their way."""

    def __init__(self) -> None:
        self.begin(0)

    def begin(self, offset: int, frame: bytes | bytearray = b"") -> None:
        """Forget what came so far; the group's control byte is at `offset`."""
        self.offset = offset
        self.frame = bytearray(frame)
        self.positions: list[int] = []
        self.values: list[int] = []

    def take(self, position: int, value: int, byte: int) -> None:
        """One more digit; more than a whole group's are not kept."""
        if len(self.positions) < DIGITS:
            self.positions.append(position)
            self.values.append(value)
            self.frame.append(byte)

    @property
    def whole(self) -> bool:
        """Whether all eight digits came in order."""
        return self.positions == _IN_ORDER


def _points_of(field: str) -> int | None:
    """Points in a padded field; None when it is blank."""
    return int(field) if field.strip() else None


def _clock_of(digits: str, points_at: list[int]) -> str:
    marked = [at for at in range(2, DIGITS) if points_at[at]] or list(_SECONDS)
    if len(marked) == 1:
        # Only a decimal point: seconds before it, tenths after it.
        marked = list(range(2, marked[0] + 1))
    minutes, seconds = digits[2 : marked[0]].strip(), digits[marked[0] : marked[-1] + 1].strip()
    tenths = digits[marked[-1] + 1 : marked[-1] + 2].strip()
    if not seconds or " " in seconds + minutes:
        return ""
    return f"{seconds:0>2}.{tenths}" if tenths and not minutes else f"{minutes:0>2}:{seconds:0>2}"


def decoder() -> CtsDecoder:
    """A new decoder for one board."""
    return CtsDecoder()


def encoder(sport: str) -> Encoder:
    """The channels of a water polo board, each with its points."""
    del sport
    return _encode


def _encode(board: Board) -> list[bytes]:
    board.two_digits("a CTS board")
    board.digit_period("a CTS board")
    minutes, seconds = divmod(board.clock_tenths // 10, 60)
    time = f"  {'' if board.shows_tenths else minutes:>2}{seconds:02d}{board.clock_tenths % 10 if board.shows_tenths else ''} "
    return [
        _group(_TIME, f"{time:8}", marked=_SECONDS),
        _group(_SCORES, f"{board.home:2d}    {board.away:2d}"),
        _group(_PERIOD, f" {board.period or ' '}      "),
    ]


def _group(channel: int, digits: str, *, marked: tuple[int, ...] = ()) -> bytes:
    control = 0x80 | (channel ^ 0x1F) << 1
    values = [_BLANK if digit == " " else int(digit) for digit in digits]
    lit = [_POINT if at in marked else 0 for at in range(DIGITS)]
    return bytes([control, *_data(values), control | 1, *_data(lit)])


def _data(values: list[int]) -> list[int]:
    return [at << 4 | value ^ 0xF for at, value in enumerate(values)]
