"""Times of day and lengths as plans write them: 24 and 12 hours, HHMM with a letter, digits alone, frames. Pure.

A time without AM, PM or a letter counts 24 hours, and on to 29 for the night that belongs to the day before.
"""

import re
from dataclasses import dataclass

from schedules.errors import BroadcastTimeError

TIME_S_MAX = 29 * 3600 + 59 * 60 + 59
"""29:59:59, the last second of a broadcast day that begins at 06:00."""
FRAME_RATE_MAX = 60
DROPPED_FRAMES = 2
"""Drop-frame timecode leaves out the first two frame numbers of each minute but every tenth. Source: SMPTE ST 12-1."""
DROP_FRAME_RATE = 30

_TIME = re.compile(r"([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?")
_SHORT_TIME = re.compile(r"([0-9]):([0-9]{2})(?::([0-9]{2}))?")
_HALF_DAY_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))? ?([AP])\.?M?\.?", re.IGNORECASE)
_LETTER_TIME = re.compile(r"([0-9]{1,2})([0-9]{2})([APNM])", re.IGNORECASE)
_DIGITS_TIME = re.compile(r"([0-9]{2})([0-9]{2})([0-9]{2})")
_FRAMES_TIME = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})([:;])([0-9]{2})")
_INSTANT = re.compile(r"(.*?[0-9])(?:[ T]+)([0-9]{1,2}:[0-9]{2}.*)", re.DOTALL)
_FRACTION = re.compile(r"(?<=:[0-9]{2})\.[0-9]{1,9}(?=$|Z|[+-])")
_ZONE_SUFFIX = re.compile(r"(.*?[0-9]) ?(Z|[+-][0-9]{2}:?[0-9]{2})")
_SECONDS = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(?: ?(?:s|sec|secs|seconds|\"))?", re.IGNORECASE)
_MINUTES = re.compile(r"([0-9]{0,2}):([0-9]{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeForms:
    """Which times a layout may write besides the forms that say everything by themselves.

    Attributes:
        short: `8:15` counts as quarter past eight in the morning.
        digits: `201500` counts as a time.
    """

    short: bool = False
    digits: bool = False


STRICT = TimeForms()


def parse_time(text: str, forms: TimeForms = STRICT) -> int:
    """Seconds from the midnight that begins the date, 00:00 to 29:59:59; frames are rounded down.

    `20:15`, `20:15:30`, `8:15 PM`, `0815P`, `1200N` (noon), `1200M` (midnight), `20:15:30:12` and
    drop-frame `20:15:30;12` say everything; what else counts is in `forms`.

    Raises:
        BroadcastTimeError: anything else.
    """
    if (match := _HALF_DAY_TIME.fullmatch(text)) is not None:
        return _half_day(text, match[1], match[2], match[3] or "0", match[4])
    if (match := _LETTER_TIME.fullmatch(text)) is not None:
        return _half_day(text, match[1], match[2], "0", match[3])
    if (match := _FRAMES_TIME.fullmatch(text)) is not None:
        _frames_s(match)
        return _seconds_of_day(match[1], match[2], match[3])
    match = _TIME.fullmatch(text)
    if match is None and forms.short:
        match = _SHORT_TIME.fullmatch(text)
    if match is None and forms.digits:
        match = _DIGITS_TIME.fullmatch(text)
    if match is None:
        raise BroadcastTimeError(reason="not a time", fix=_time_fix(text, forms))
    return _seconds_of_day(match[1], match[2], match[3] or "0")


def parse_length(text: str, *, digits: bool = False) -> float:
    """Seconds a spot lasts, from `30`, `7.5`, `30s`, `:30`, `0:30`, `00:00:30` or `00:00:30:00`.

    Args:
        digits: `000130` is a minute and a half (HHMMSS), not 130 seconds.

    Raises:
        BroadcastTimeError: anything else.
    """
    if digits and (match := _DIGITS_TIME.fullmatch(text)) is not None:
        return float(_seconds_of_day(*match.groups()))
    if (match := _SECONDS.fullmatch(text)) is not None:
        return float(match[1])
    if (match := _MINUTES.fullmatch(text)) is not None and int(match[2]) < 60:
        return int(match[1] or 0) * 60.0 + int(match[2])
    if (match := _FRAMES_TIME.fullmatch(text)) is not None:
        return _seconds_of_day(match[1], match[2], match[3]) + _frames_s(match)
    if (match := _TIME.fullmatch(text)) is not None:
        return float(_seconds_of_day(match[1], match[2], match[3]))
    raise BroadcastTimeError(
        reason="not a number of seconds", fix="write it like 90 or 7.5, with a point, or like 0:30 or 00:00:30"
    )


def split_instant(text: str) -> tuple[str, str, str]:
    """Date, time and zone of one cell such as `2027-03-01T20:15:00Z`; the zone is empty when none is written.

    Raises:
        BroadcastTimeError: no date with a time behind it.
    """
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise BroadcastTimeError(reason="not a date with a time", fix="write YYYY-MM-DD HH:MM:SS")
    day, rest = match[1], _FRACTION.sub("", match[2])
    with_zone = _ZONE_SUFFIX.fullmatch(rest)
    if with_zone is None:
        return day, rest, ""
    zone = with_zone[2]
    return day, with_zone[1], "UTC" if zone == "Z" else f"{zone[:3]}:{zone[-2:]}"


def _half_day(text: str, hours: str, minutes: str, seconds: str, letter: str) -> int:
    hour, mark = int(hours), letter.upper()
    if not 1 <= hour <= 12 or (mark in "NM" and hour != 12):
        raise BroadcastTimeError(
            reason=f"no such time: hours go from 1 to 12 with {'N or M only at 12' if mark in 'NM' else mark}",
            fix="write 0730P, 1200N for noon, 1200M for midnight, or HH:MM with hours to 29",
        )
    if int(minutes) > 59 or int(seconds) > 59:
        raise BroadcastTimeError(reason="no such time", fix=f"minutes and seconds go from 00 to 59, in {text} they do not")
    return (hour % 12 + (12 if mark in "PN" else 0)) * 3600 + int(minutes) * 60 + int(seconds)


def _seconds_of_day(hours: str, minutes: str, seconds: str | None) -> int:
    total_s = int(hours) * 3600 + int(minutes) * 60 + int(seconds or 0)
    if int(minutes) > 59 or int(seconds or 0) > 59 or total_s > TIME_S_MAX:
        raise BroadcastTimeError(
            reason="no such time in a broadcast day",
            fix="hours go from 00 to 29, minutes and seconds from 00 to 59; 25:30 is 01:30 of the next morning",
        )
    return total_s


def _frames_s(match: re.Match[str]) -> float:
    """How far into its second the timecode's frame lies.

    Raises:
        BroadcastTimeError: there is no such frame.
    """
    minute, second, frame = int(match[2]), int(match[3]), int(match[5])
    if match[4] == ";":
        if frame >= DROP_FRAME_RATE:
            raise BroadcastTimeError(reason=f"no frame {frame} in drop-frame timecode", fix="frames go from 00 to 29")
        if minute % 10 and second == 0 and frame < DROPPED_FRAMES:
            fix = f"write {match[1]}:{match[2]}:00;02, or with : if it is not drop-frame"
            raise BroadcastTimeError(reason=f"drop-frame timecode leaves out frame {frame:02} of this minute", fix=fix)
        return frame / DROP_FRAME_RATE
    if frame >= FRAME_RATE_MAX:
        raise BroadcastTimeError(reason=f"no frame {frame}", fix=f"frames go from 00 to {FRAME_RATE_MAX - 1} at most")
    return frame / (25 if frame < 25 else 30 if frame < 30 else FRAME_RATE_MAX)


def _time_fix(text: str, forms: TimeForms) -> str:
    if _SHORT_TIME.fullmatch(text):
        return f"write 0{text}"
    if forms.digits:
        return "write HHMMSS with all six digits, or HH:MM:SS"
    return "write HH:MM or HH:MM:SS"
