"""A plan in CSV: the one layout described in docs/schedules.md, read row by row. Pure."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo
from difflib import get_close_matches

from schedules.airing import Airing
from schedules.broadcast_time import parse_date, parse_day_start, parse_time, parse_zone, to_utc
from schedules.errors import BroadcastTimeError
from schedules.plan import Plan, Problem, Severity
from schedules.table import Row, read_table, shown

REQUIRED = ("channel", "date", "time", "spot")
OPTIONAL = ("window_before_s", "window_after_s", "length_s", "timezone")
WINDOW_BEFORE_S = 120.0
WINDOW_AFTER_S = 120.0
WINDOW_S_MAX = 6 * 3600
LENGTH_S_MAX = 3600
NEAREST_LOOKUPS_MAX = 50
"""Wrong names that get "did you mean"; a plan with more was made for another installation."""

_SECONDS = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,3})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One row, understood: an airing that only lacks its running number."""

    row: int
    channel: str
    spot_id: str
    day: date
    planned_utc: datetime
    opens_utc: datetime
    closes_utc: datetime
    length_s: float | None
    raw: str


def read_plan(
    data: bytes,
    *,
    channels: Mapping[str, str],
    spots: Collection[str],
    now_utc: datetime,
    day_start: str = "06:00",
    window_before_s: float = WINDOW_BEFORE_S,
    window_after_s: float = WINDOW_AFTER_S,
) -> Plan:
    """The airings of a plan, or everything that is wrong with it.

    Args:
        data: the file.
        channels: IANA zone of each known channel, by id.
        spots: ids of the known spots.
        now_utc: airings whose window closed before this instant get a warning.
        day_start: when the plan's broadcast days begin, `HH:MM`, 00:00 to 06:00.
        window_before_s, window_after_s: the window around the planned instant where a row names none.

    Raises:
        PlanFileError: the file as a whole is no plan.
        BroadcastTimeError: `day_start` or the zone of a channel is none.
    """
    reader = _RowReader(
        zones={channel: parse_zone(zone) for channel, zone in channels.items()},
        spots=spots,
        day_start_s=parse_day_start(day_start),
        window_s=(window_before_s, window_after_s),
    )
    table = read_table(data, required=REQUIRED, optional=OPTIONAL)
    entries = [entry for row in table.rows if (entry := reader.read(row)) is not None]
    problems = [*table.problems, *reader.problems, *_conflicts(entries), *_overruns(entries), *_past(entries, now_utc)]
    problems.sort(key=lambda problem: problem.row)
    plan = Plan(airings=(), problems=tuple(problems), separator=table.separator, encoding=table.encoding)
    return plan if plan.errors else replace(plan, airings=tuple(_numbered(entries)))


class _RowReader:
    """Understands rows one by one and keeps what is wrong with them."""

    def __init__(
        self, *, zones: Mapping[str, tzinfo], spots: Collection[str], day_start_s: int, window_s: tuple[float, float]
    ) -> None:
        self.problems: list[Problem] = []
        self._zones, self._spots, self._day_start_s, self._window_s = zones, frozenset(spots), day_start_s, window_s
        self._hints: dict[tuple[str, str], str] = {}
        self._wrong_zones = 0

    def read(self, row: Row) -> _Entry | None:
        """The row's entry; None when it has an error, which is then among `problems`."""
        before = len(self.problems)
        channel = self._name(row, "channel", self._zones)
        spot_id = self._name(row, "spot", self._spots)
        day, time_s = self._date(row), self._time(row)
        zone = self._zone(row, channel)
        before_s = self._seconds(row, "window_before_s", WINDOW_S_MAX, self._window_s[0])
        after_s = self._seconds(row, "window_after_s", WINDOW_S_MAX, self._window_s[1])
        length_s = self._seconds(row, "length_s", LENGTH_S_MAX, None)
        if before_s is not None and after_s is not None and before_s + after_s < 1:
            self._add(row, "window_after_s", "the window is shorter than a second", "leave the spot some time to begin")
        planned_utc = self._instant(row, day, time_s, zone)
        if len(self.problems) > before or day is None or planned_utc is None or before_s is None or after_s is None:
            return None
        return _Entry(
            row=row.line,
            channel=channel,
            spot_id=spot_id,
            day=day,
            planned_utc=planned_utc,
            opens_utc=planned_utc - timedelta(seconds=before_s),
            closes_utc=planned_utc + timedelta(seconds=after_s),
            length_s=length_s,
            raw=f"{row.cells['date']} {row.cells['time']} {zone}",
        )

    def _name(self, row: Row, column: str, known: Collection[str]) -> str:
        value = row.cells[column]
        if not value:
            self._add(row, column, "empty", f"name a {column}")
        elif value not in known:
            self._add(row, column, f"no {column} of this id is known", self._hint(column, value, known))
        return value

    def _hint(self, column: str, value: str, known: Collection[str]) -> str:
        add = "add it to the configuration" if column == "channel" else "add its audio with cuebird spots add"
        if (column, value) not in self._hints:
            if len(self._hints) >= NEAREST_LOOKUPS_MAX:
                return add
            by_lower = {name.lower(): name for name in sorted(known)}
            alike = [by_lower[name] for name in get_close_matches(value.lower(), by_lower, n=3, cutoff=0.7)]
            self._hints[column, value] = f"did you mean {' or '.join(alike)}?" if alike else add
        return self._hints[column, value]

    def _date(self, row: Row) -> date | None:
        try:
            return parse_date(row.cells["date"])
        except BroadcastTimeError as error:
            self._add(row, "date", error.reason, error.fix)
            return None

    def _time(self, row: Row) -> int | None:
        try:
            return parse_time(row.cells["time"])
        except BroadcastTimeError as error:
            self._add(row, "time", error.reason, error.fix)
            return None

    def _zone(self, row: Row, channel: str) -> tzinfo | None:
        text = row.cells.get("timezone", "")
        if not text:
            return self._zones.get(channel)
        try:
            return parse_zone(text, suggest=self._wrong_zones < NEAREST_LOOKUPS_MAX)
        except BroadcastTimeError as error:
            self._wrong_zones += 1
            self._add(row, "timezone", error.reason, error.fix)
            return None

    def _instant(self, row: Row, day: date | None, time_s: int | None, zone: tzinfo | None) -> datetime | None:
        if day is None or time_s is None or zone is None:
            return None
        try:
            return to_utc(day, time_s, zone, day_start_s=self._day_start_s)
        except BroadcastTimeError as error:
            self._add(row, "time", error.reason, error.fix)
            return None

    def _seconds(self, row: Row, column: str, seconds_max: float, default: float | None) -> float | None:
        text = row.cells.get(column, "")
        if not text:
            return default
        if not _SECONDS.fullmatch(text):
            self._add(row, column, "not a number of seconds", "write it like 90 or 7.5, with a point and no unit")
        elif float(text) > seconds_max:
            self._add(row, column, f"more than {seconds_max:.0f} s", "write fewer seconds")
        elif column == "length_s" and float(text) <= 0:
            self._add(row, column, "no length", "write the spot's seconds, or leave the cell empty")
        else:
            return float(text)
        return None

    def _add(self, row: Row, column: str, reason: str, fix: str) -> None:
        value = shown(row.cells.get(column, ""))
        self.problems.append(Problem(severity=Severity.ERROR, row=row.line, column=column, value=value, reason=reason, fix=fix))


def _conflicts(entries: Iterable[_Entry]) -> Iterator[Problem]:
    """Airings of one spot on one channel that could not be told apart: the same twice, or overlapping windows."""
    widest: dict[tuple[str, str], _Entry] = {}
    planned: dict[tuple[str, str, datetime], _Entry] = {}
    for entry in sorted(entries, key=lambda one: (one.opens_utc, one.row)):
        twin = planned.setdefault((entry.channel, entry.spot_id, entry.planned_utc), entry)
        other = widest.get((entry.channel, entry.spot_id))
        if twin is not entry:
            yield _about(entry, Severity.ERROR, f"row {twin.row} plans the same airing", "remove one of the two")
        elif other is not None and entry.opens_utc <= other.closes_utc:
            yield _about(
                entry,
                Severity.ERROR,
                f"its window overlaps that of row {other.row} (until {other.closes_utc:%H:%M:%S} UTC), "
                f"so a {entry.spot_id} heard then could be either",
                "shorten window_before_s or window_after_s of the two",
            )
        if other is None or entry.closes_utc > other.closes_utc:
            widest[entry.channel, entry.spot_id] = entry


def _overruns(entries: Iterable[_Entry]) -> Iterator[Problem]:
    """Airings planned while another spot of known length still runs on their channel."""
    running: dict[str, tuple[datetime, _Entry]] = {}
    for entry in sorted(entries, key=lambda one: (one.planned_utc, one.row)):
        ends_utc, other = running.get(entry.channel, (entry.planned_utc, entry))
        if entry.planned_utc < ends_utc and entry.spot_id != other.spot_id:
            reason = f"planned while {other.spot_id} of row {other.row} still runs, until {ends_utc:%H:%M:%S} UTC"
            yield _about(entry, Severity.WARNING, reason, "check both times")
        if entry.length_s is not None and entry.planned_utc + timedelta(seconds=entry.length_s) > ends_utc:
            running[entry.channel] = (entry.planned_utc + timedelta(seconds=entry.length_s), entry)


def _past(entries: Iterable[_Entry], now_utc: datetime) -> Iterator[Problem]:
    for entry in entries:
        if entry.closes_utc < now_utc:
            reason = f"its window closed at {entry.closes_utc:%Y-%m-%d %H:%M:%S} UTC; it will count as missed"
            yield _about(entry, Severity.WARNING, reason, "check the date")


def _about(entry: _Entry, severity: Severity, reason: str, fix: str) -> Problem:
    return Problem(severity=severity, row=entry.row, column="", value="", reason=reason, fix=fix)


def _numbered(entries: Iterable[_Entry]) -> Iterator[Airing]:
    """Airings by planned instant, numbered within channel, spot and broadcast day."""
    counts: dict[tuple[str, str, date], int] = {}
    for entry in sorted(entries, key=lambda one: (one.planned_utc, one.channel, one.spot_id)):
        key = (entry.channel, entry.spot_id, entry.day)
        counts[key] = number = counts.get(key, 0) + 1
        yield Airing(
            airing_id=f"{entry.channel}/{entry.spot_id}/{entry.day}/{number}",
            channel=entry.channel,
            spot_id=entry.spot_id,
            number=number,
            planned_utc=entry.planned_utc,
            opens_utc=entry.opens_utc,
            closes_utc=entry.closes_utc,
            raw=entry.raw,
            row=entry.row,
        )
