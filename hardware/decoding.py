"""What every scoreboard decoder does: bytes in, readings out, wherever the stream was cut.

Pure: no clock, socket or log. A console sends frames of one length, with junk between them; a
protocol is a start pattern, a length, an end byte and a function that understands one frame.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from hardware.events import Reading

BLANKS = " :"
"""Characters consoles show for an unlit digit: a space, or in OES the character after 9."""


class Decoder(Protocol):
    """Turns a console's bytes into readings.

    The readings depend on the bytes, never on how they were cut into chunks, and no bytes raise.
    """

    good_frames: int
    """Whole frames understood so far, whether or not they tell a score."""

    bad_frames: int
    """Frames begun that were cut short, fail their checksum, or have an impossible layout."""

    def feed(self, data: bytes) -> list[Reading]:
        """Readings completed by `data`, in order; one that is not `valid` carries no score."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameLayout:
    """How frames of one protocol are found in a stream.

    Attributes:
        start: matches the first bytes of a frame; at most two bytes long.
        length: bytes of a whole frame.
        end: value of its last byte.
    """

    start: re.Pattern[bytes]
    length: int
    end: int


class FixedFrameDecoder:
    """A `Decoder` for frames of one length.

    After a damaged frame the search resumes one byte on, not one frame on: the next good frame may
    begin inside the damaged one. The buffer never holds more than a frame's length less one.
    """

    def __init__(self, layout: FrameLayout, parse: Callable[[bytes, int], Reading | None]) -> None:
        """Decode frames of `layout`; `parse(frame, offset)` gives None for a frame that tells no team score."""
        self._layout, self._parse = layout, parse
        self._buffer = bytearray()
        self._buffer_offset = 0
        self.good_frames = 0
        self.bad_frames = 0

    def feed(self, data: bytes) -> list[Reading]:
        self._buffer += data
        readings: list[Reading] = []
        at = 0
        while True:
            match = self._layout.start.search(self._buffer, at)
            if match is None:
                # The last byte may be the first half of a start.
                at = max(at, len(self._buffer) - 1)
                break
            at = match.start()
            if at + self._layout.length > len(self._buffer):
                break
            at = self._take_frame(at, readings)
        del self._buffer[:at]
        self._buffer_offset += at
        return readings

    def _take_frame(self, at: int, readings: list[Reading]) -> int:
        frame = bytes(self._buffer[at : at + self._layout.length])
        if frame[-1] != self._layout.end:
            self.bad_frames += 1
            return at + 1
        reading = self._parse(frame, self._buffer_offset + at)
        if reading is not None:
            readings.append(reading)
        if reading is not None and not reading.valid:
            self.bad_frames += 1
            return at + 1
        self.good_frames += 1
        return at + self._layout.length


def damaged(*, offset: int, protocol: str, frame: bytes) -> Reading:
    """A reading that says only that a frame was there: nothing in it is to be believed."""
    return Reading(
        offset=offset,
        protocol=protocol,
        home=None,
        away=None,
        clock="",
        period="",
        running=None,
        valid=False,
        checked=False,
        frame=frame,
    )


def points(field: str) -> int | None:
    """Points shown in a field padded on either side; None when blank.

    Raises:
        ValueError: something other than digits stands in it, or a gap between digits.
    """
    shown = field.strip(BLANKS)
    if not shown:
        return None
    if not (shown.isascii() and shown.isdigit()):
        raise ValueError(f"{field!r} is not a score")
    return int(shown)


def clock_text(field: str, *, tenths: bool) -> str:
    """The four clock characters as `mm:ss`, or as `ss.t` when they show tenths; empty when blank.

    Raises:
        ValueError: something other than digits and blanks stands in it.
    """
    shown = "".join(" " if character in BLANKS else character for character in field)
    if not shown.strip():
        return ""
    digits = shown.replace(" ", "0")
    if len(digits) != 4 or not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"{field!r} is not a clock")
    return f"{digits[:2]}.{digits[2]}" if tenths else f"{digits[:2]}:{digits[2:]}"
