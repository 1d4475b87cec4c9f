"""Broadcast time: days that run past midnight, written in a local zone, to UTC and back. Pure.

A broadcast day begins at `day_start` (06:00 for Nielsen, 03:00 or 05:00 for others) and its hours go on
counting after midnight: 25:30 on 1 March is half past one in the morning of 2 March, by the clock on
the wall. A local time that the clock change makes ambiguous or skips is refused with both readings.
"""

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from difflib import get_close_matches
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

from schedules.clock_time import TIME_S_MAX, parse_time
from schedules.errors import BroadcastTimeError

DAY_S = 24 * 3600
DAYS_KEPT_MAX = 4096
"""Days, each in a zone, whose offset is remembered: a plan has hundreds of rows of each."""

_OFFSET = re.compile(r"([+-])([0-9]{2}):([0-9]{2})")


def parse_day_start(text: str) -> int:
    """Seconds after midnight at which broadcast days begin, from `HH:MM`; 00:00 for calendar days.

    Raises:
        BroadcastTimeError: not a time, or later than 06:00 (its last hours could not be written).
    """
    start_s = parse_time(text)
    if start_s > TIME_S_MAX + 1 - DAY_S:
        raise BroadcastTimeError(reason=f"broadcast day beginning at {text}", fix="use 00:00 to 06:00")
    return start_s


def parse_zone(text: str, *, suggest: bool = True) -> tzinfo:
    """The zone named by an IANA name (`Europe/Stockholm`, `UTC`) or an offset (`+01:00`).

    Args:
        suggest: search for the nearest name when it is none, which takes a millisecond.

    Raises:
        BroadcastTimeError: neither.
    """
    match = _OFFSET.fullmatch(text)
    if match is not None:
        sign, hours, minutes = match.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        if offset <= timedelta(hours=14) and int(minutes) < 60:
            return timezone(offset if sign == "+" else -offset)
    elif text in _zone_names():
        return ZoneInfo(text)
    alike = get_close_matches(text, sorted(_zone_names()), n=1) if suggest else []
    fix = f"did you mean {alike[0]}?" if alike else "write an IANA name such as Europe/Stockholm, or an offset such as +01:00"
    raise BroadcastTimeError(reason="not a time zone", fix=fix)


def to_utc(day: date, time_s: int, zone: tzinfo, *, day_start_s: int) -> datetime:
    """The instant of a broadcast time, aware, in UTC.

    Args:
        day: the broadcast day.
        time_s: wall clock seconds from that day's midnight, 0 to `TIME_S_MAX`.
        zone: where the clock hangs.
        day_start_s: when broadcast days begin, seconds after midnight.

    Raises:
        BroadcastTimeError: the time lies before the day begins, or the clock change makes it
            ambiguous or skips it. Both readings are told.
    """
    if time_s < day_start_s:
        raise _too_early(day, time_s, day_start_s)
    if (since_utc := midnight_utc(day, zone)) is not None:
        return since_utc + timedelta(seconds=time_s)
    wall = datetime(day.year, day.month, day.day) + timedelta(seconds=time_s)  # noqa: DTZ001  a wall clock has no zone yet
    readings = [wall.replace(tzinfo=zone, fold=fold) for fold in (0, 1)]
    first_utc, second_utc = (reading.astimezone(UTC) for reading in readings)
    if first_utc == second_utc:
        return first_utc
    happens = "happens twice" if first_utc.astimezone(zone).replace(tzinfo=None) == wall else "is skipped"
    offsets = [_offset_text(reading) for reading in readings]
    raise BroadcastTimeError(
        reason=f"{wall:%H:%M:%S} on {wall:%Y-%m-%d} {happens} in {zone} as the clock changes: "
        f"{first_utc:%H:%M:%S} UTC by {offsets[0]}, {second_utc:%H:%M:%S} UTC by {offsets[1]}",
        fix=f"write {offsets[0]} or {offsets[1]} as its timezone",
    )


def midnight_utc(day: date, zone: tzinfo) -> datetime | None:
    """The instant from which all wall clock times of a broadcast day are counted; None when the clock changes in between."""
    offset = _steady_offset(day, zone)
    return None if offset is None else datetime(day.year, day.month, day.day, tzinfo=UTC) - offset


def from_utc(instant_utc: datetime, zone: tzinfo, *, day_start_s: int) -> tuple[date, int]:
    """The broadcast day and the wall clock seconds from its midnight: the inverse of `to_utc`.

    The second pass of an hour that happens twice gives the same answer as the first.
    """
    wall = instant_utc.astimezone(zone)
    since_midnight_s = wall.hour * 3600 + wall.minute * 60 + wall.second
    if since_midnight_s >= day_start_s:
        return wall.date(), since_midnight_s
    return wall.date() - timedelta(days=1), since_midnight_s + DAY_S


def clock_text(time_s: int) -> str:
    """`HH:MM:SS`, hours counting on past 23."""
    return f"{time_s // 3600:02}:{time_s // 60 % 60:02}:{time_s % 60:02}"


def _too_early(day: date, time_s: int, day_start_s: int) -> BroadcastTimeError:
    written, after_midnight = clock_text(time_s), clock_text(time_s + DAY_S)
    return BroadcastTimeError(
        reason=f"{written} lies before the broadcast day begins at {clock_text(day_start_s)}",
        fix=f"write {after_midnight} for the morning of {day + timedelta(days=1)}, or {day - timedelta(days=1)} and "
        f"{after_midnight} for the morning of {day}; a plan of calendar days is read with "
        "--day-start 00:00, one of broadcast days with --small-hours next",
    )


@lru_cache(DAYS_KEPT_MAX)
def _steady_offset(day: date, zone: tzinfo) -> timedelta | None:
    """The zone's offset from a day's midnight to the last second that counts as that day's; None when it changes in between."""
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001  a wall clock has no zone yet
    walls = (midnight, midnight + timedelta(seconds=TIME_S_MAX))
    offsets = {wall.replace(tzinfo=zone, fold=fold).utcoffset() for wall in walls for fold in (0, 1)}
    return offsets.pop() if len(offsets) == 1 else None


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


def _offset_text(local: datetime) -> str:
    offset_s = round((local.utcoffset() or timedelta()).total_seconds())
    return f"{'-' if offset_s < 0 else '+'}{abs(offset_s) // 3600:02}:{abs(offset_s) // 60 % 60:02}"
