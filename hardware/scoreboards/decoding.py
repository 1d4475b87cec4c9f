"""What every scoreboard decoder does: bytes in, readings out, wherever the stream was cut.

A protocol says how its frames are found (`Framing`) and what one tells (`parse`); `FrameDecoder`
does the rest. Pure: no clock, socket or log.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from hardware.events import Reading

BLANKS = " :"
"""Characters consoles show for an unlit digit: a space, or in OES the character after 9."""

MORE = 0
"""The frame is not complete yet."""
NO_FRAME = -1
"""What begins here is damaged: no frame."""
NOT_OURS = -2
"""What begins here is sound for all we know, but tells nothing; not counted."""

SOUND_FRAMES = 20
"""Frames without damage after which a checksum is trusted alone again: two seconds at ten a second."""


class Decoder(Protocol):
    """Turns a console's bytes into readings.

    The readings depend on the bytes, never on how they were cut into chunks, and no bytes raise.
    """

    @property
    def good_frames(self) -> int:
        """Whole frames understood so far, whether or not they tell a score."""
        ...

    @property
    def bad_frames(self) -> int:
        """Frames begun that were cut short, fail their checksum, or have an impossible layout."""
        ...

    @property
    def good_bytes(self) -> int:
        """Bytes of the good frames: how much of a stream is of this protocol."""
        ...

    def feed(self, data: bytes) -> list[Reading]:
        """Readings completed by `data`, in order; one that is not `valid` carries no score."""
        ...

    def finish(self) -> list[Reading]:
        """Readings that only the end of the stream completes; nothing is fed afterwards."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """How frames of one protocol are found in a stream.

    Attributes:
        start: matches the first bytes of a frame.
        start_bytes: how many bytes `start` matches at most.
        measure: bytes of the frame that begins at an index of a buffer, or `MORE`, `NO_FRAME`, `NOT_OURS`. Never
            `MORE` once the buffer holds `most_bytes` from there, and the same answer however many bytes follow.
        most_bytes: the longest frame.
        steady: kind of a frame, and the part of it that a score does not change; None trusts each checksum by itself.
    """

    start: re.Pattern[bytes]
    start_bytes: int
    measure: Callable[[bytes | bytearray, int], int]
    most_bytes: int
    steady: Callable[[bytes], tuple[bytes, bytes]] | None = None


def fixed_length(*, length: int, end: int, end_at: int = -1) -> Callable[[bytes | bytearray, int], int]:
    """A `Framing.measure` for frames of one length with the byte `end` at `end_at`, by default the last one."""
    at_end = end_at % length

    def measure(buffer: bytes | bytearray, at: int) -> int:
        if len(buffer) - at < length:
            return MORE
        return length if buffer[at + at_end] == end else NO_FRAME

    return measure


class FrameDecoder:
    """A `Decoder` for protocols made of frames.

    After a damaged frame the search resumes one byte on, not one frame on: the next good frame may
    begin inside the damaged one. The buffer never holds more than the longest frame less one byte.

    The consoles' checksums have seven or eight bits, so of many frames with two and more wrong bytes
    one passes. On a line that was damaged lately, and for a frame that differs from the one before it
    in more than a score may change, `checked` is therefore withdrawn: such a reading needs a second one.
    """

    def __init__(self, framing: Framing, parse: Callable[[bytes, int], Reading | None]) -> None:
        """Decode frames of `framing`; `parse(frame, offset)` gives None for a frame that tells nothing we read."""
        self._framing, self._parse = framing, parse
        self._buffer = bytearray()
        self._buffer_offset = 0
        self._sound_frames = SOUND_FRAMES
        self._steady: dict[bytes, bytes] = {}
        self._frame_end: int | None = None
        self.good_frames = self.bad_frames = self.good_bytes = 0

    def feed(self, data: bytes) -> list[Reading]:
        self._buffer += data
        return self._decode(at_end=False)

    def finish(self) -> list[Reading]:
        return self._decode(at_end=True)

    def _decode(self, *, at_end: bool) -> list[Reading]:
        buffer, search, measure = self._buffer, self._framing.start.search, self._framing.measure
        readings: list[Reading] = []
        at = 0
        while match := search(buffer, at):
            at = match.start()
            length = measure(buffer, at)
            if length > 0:
                at = self._take(at, length, readings)
            elif length == MORE and not at_end:
                break
            else:
                self._skip(damaged=length == NO_FRAME)
                at += 1
        else:
            # The last bytes may be the first ones of a start.
            at = max(at, len(buffer) - self._framing.start_bytes + 1)
        at = min(at, len(buffer))
        del buffer[:at]
        self._buffer_offset += at
        return readings

    def _skip(self, *, damaged: bool) -> None:
        if damaged:
            self.bad_frames += 1
            self._sound_frames = 0

    def _take(self, at: int, length: int, readings: list[Reading]) -> int:
        frame, offset = bytes(self._buffer[at : at + length]), self._buffer_offset + at
        reading = self._parse(frame, offset)
        if reading is not None:
            if not reading.valid:
                self._skip(damaged=True)
                readings.append(reading)
                return at + 1
            if reading.checked and self._framing.steady is not None:
                reading = self._doubted(reading, frame, offset)
            readings.append(reading)
        self._frame_end = offset + length
        self._sound_frames += 1
        self.good_frames += 1
        self.good_bytes += length
        return at + length

    def _doubted(self, reading: Reading, frame: bytes, offset: int) -> Reading:
        """The reading, no longer `checked` where chance may have made the checksum right."""
        assert self._framing.steady is not None
        if self._frame_end is not None and offset != self._frame_end:
            self._sound_frames = 0
        kind, steady = self._framing.steady(frame)
        known, self._steady[kind] = self._steady.get(kind), steady
        trusted = self._sound_frames >= SOUND_FRAMES and (known is None or known == steady)
        return reading if trusted else replace(reading, checked=False)


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
    shown = field.replace(":", " ")
    if not shown.strip():
        return ""
    digits = shown.replace(" ", "0")
    if len(digits) != 4 or not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"{field!r} is not a clock")
    return f"{digits[:2]}.{digits[2]}" if tenths else f"{digits[:2]}:{digits[2:]}"


_SHOWN_CLOCK = re.compile(r"(\d{0,3}):(\d\d)(?:\.\d)?|:?(\d{1,2})\.(\d)")


def shown_clock(field: str) -> str:
    """A clock written with its colon or point, padded on either side, as `mm:ss` or `ss.t`; empty when blank.

    Raises:
        ValueError: it is neither.
    """
    shown = field.strip()
    if not shown:
        return ""
    match = _SHOWN_CLOCK.fullmatch(shown) if shown.isascii() else None
    if match is None:
        raise ValueError(f"{field!r} is not a clock")
    minutes, seconds, last_seconds, tenths = match.groups()
    return f"{last_seconds:0>2}.{tenths}" if tenths is not None else f"{minutes:0>2}:{seconds}"
