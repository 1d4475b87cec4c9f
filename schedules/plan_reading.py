"""A plan's file to its airings, row by row, or everything that is wrong with it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo

from schedules.broadcast_time import DAY_S, midnight_utc, parse_day_start, parse_zone, to_utc
from schedules.catalogue import NEAREST_LOOKUPS_MAX, Catalogue, Names
from schedules.cells import about, shown
from schedules.clock_time import parse_length, parse_time, split_instant
from schedules.containers import sheets_of
from schedules.dates import DateForms, DateOrder, OrderProof, is_numbers_only, parse_date, prove_order
from schedules.errors import BroadcastTimeError, PlanFileError
from schedules.layouts import Field
from schedules.plan import Original, Plan, Problem, Reading, Severity
from schedules.plan_rules import Entry, numbered, rules
from schedules.recognition import Choices, Found, recognise
from schedules.table import Row, Table, read_table

DAY_START = "06:00"
WINDOW_BEFORE_S = 120.0
WINDOW_AFTER_S = 120.0
WINDOW_S_MAX = 6 * 3600
LENGTH_S_MAX = 3600

_SECONDS = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,3})?")
_YEAR = re.compile(r"20[0-9]{2}")


def read_plan(data: bytes, *, catalogue: Catalogue, now_utc: datetime, name: str = "", choices: Choices | None = None) -> Plan:
    """The airings of a plan, or everything that is wrong with it.

    Args:
        data: the file.
        catalogue: the channels and spots that may be named.
        now_utc: airings whose window closed before this instant get a warning.
        name: of the file; some formats say their channel in it.
        choices: what the person who uploads says of the file.

    Raises:
        PlanFileError: the file as a whole is no plan.
        BroadcastTimeError: a day start or zone of `choices` is none, or the zone of a channel.
    """
    choices = choices or Choices()
    day_start_s = parse_day_start(choices.day_start or DAY_START)
    zone = parse_zone(choices.zone) if choices.zone else None
    found = recognise(sheets_of(data, name=name), choices)
    if not choices.day_start and found.layout.day_start:
        day_start_s = parse_day_start(found.layout.day_start)
    table = read_table(found, choices)
    dates = _Dates.of(table, found, choices)
    reader = _RowReader(catalogue, found=found, dates=dates.forms, day_start_s=day_start_s, zone=zone, choices=choices)
    entries = [entry for row in table.rows if (entry := reader.read(row)) is not None]
    together = rules(entries, spots=catalogue.spots, now_utc=now_utc)
    problems = sorted([*table.problems, *dates.problems, *reader.problems, *together], key=lambda problem: problem.row)
    plan = Plan(
        airings=(),
        problems=tuple(problems),
        reading=_reading(found, choices, dates, day_start_s),
        original=Original(
            header_row=found.line,
            titles=found.titles,
            rows=tuple((record.line, record.cells) for record in table.records),
        ),
    )
    return plan if plan.errors else replace(plan, airings=tuple(numbered(entries)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dates:
    """How the dates of a file are read, why, and what is wrong with them as a whole."""

    forms: DateForms
    because: str
    problems: tuple[Problem, ...]

    @classmethod
    def of(cls, table: Table, found: Found, choices: Choices) -> "_Dates":
        cells = _distinct_dates(table)
        unclear = [row for row, text in cells if is_numbers_only(text)]
        proof = prove_order(cells)
        given = choices.date_order
        forms = DateForms(
            order=given or proof.order,
            is_given=given is not None,
            digits=found.layout.date_digits,
            year=_year(choices.constants.get(Field.YEAR, "")),
            has_no_year=found.layout.has_no_year,
        )
        if not unclear:
            return cls(forms=forms, because="", problems=())
        real = next((row for row, text in cells if not is_numbers_only(text)), None)
        told = _order_problem(proof, found, unclear[0], given=given), _mixture(found, unclear[0], real, forms.order)
        because = "" if forms.order is None else "said with --date-order" if given else _because(proof)
        return cls(forms=forms, because=because, problems=tuple(problem for problem in told if problem is not None))


def _year(text: str) -> int | None:
    if text and not _YEAR.fullmatch(text):
        raise PlanFileError(f"--set year={text}: not a year; write four digits from 2000 to 2099")
    return int(text) if text else None


def _because(proof: OrderProof) -> str:
    return f"row {proof.month_first_row if proof.day_first_row is None else proof.day_first_row} can be nothing else"


def _order_problem(proof: OrderProof, found: Found, row: int, *, given: DateOrder | None) -> Problem | None:
    if given is None and proof.contradiction:
        reason = f"the dates are of two orders: {proof.contradiction}"
        return about(Severity.ERROR, row, reason, "write all dates as YYYY-MM-DD")
    if given is None and proof.order is None and found.layout.written_order:
        documented = f"{found.layout.title} is documented as {found.layout.written_order}"
        return about(Severity.NOTE, row, f"nothing in the file proves the order of day and month; {documented}")
    return None


def _mixture(found: Found, row: int, real: int | None, order: DateOrder | None) -> Problem | None:
    """A workbook's column of real dates and dates as text: the sign of a spreadsheet that read them in the wrong order."""
    if order is None or real is None or not found.sheet.name:
        return None
    reason = (
        f"the column holds dates (row {real}) and dates as text (row {row}), as when a spreadsheet of another language has "
        "opened the file and swapped day and month where it could"
    )
    return about(Severity.ERROR, row, reason, "take the plan from its sender again, with all dates as text or all as dates")


def _distinct_dates(table: Table) -> list[tuple[int, str]]:
    """Each date as it is written, with the first row that writes it so."""
    first: dict[str, int] = {}
    for row in table.rows:
        text = row.cells.get(Field.DATE, "") if Field.INSTANT not in row.cells else _date_text(row)
        if text not in first:
            first[text] = row.line
    return [(line, text) for text, line in first.items() if text]


def _date_text(row: Row) -> str:
    try:
        return split_instant(row.cells[Field.INSTANT])[0]
    except BroadcastTimeError:
        return ""


def _reading(found: Found, choices: Choices, dates: _Dates, day_start_s: int) -> Reading:
    return Reading(
        layout=found.layout.name,
        container=found.sheet.container,
        sheet=found.sheet.name,
        separator=found.sheet.separator,
        encoding=found.sheet.encoding,
        header_row=found.line,
        columns={field.value: found.titles[place] for field, place in found.places.items()},
        constants={field.value: text for field, text in choices.constants.items()},
        date_order=dates.forms.order.words if dates.because and dates.forms.order else "",
        date_order_because=dates.because,
        day_start=f"{day_start_s // 3600:02}:{day_start_s // 60 % 60:02}",
        zone=choices.zone,
    )


_PLAIN = frozenset({Field.CHANNEL, Field.DATE, Field.TIME, Field.SPOT, Field.LENGTH, Field.YEAR})
_BEFORE, _AFTER = timedelta(seconds=WINDOW_BEFORE_S), timedelta(seconds=WINDOW_AFTER_S)


class _Memory:
    """What cells mean that have been understood before: a plan says few things many times.

    Args:
        plain: the plan's rows say no more than channel, date, time, spot and length; of others nothing is kept.
    """

    def __init__(self, *, plain: bool) -> None:
        self._plain = plain
        self._channels: dict[str, str] = {}
        self._spots: dict[str, str] = {}
        self._days: dict[tuple[str, str], tuple[date, datetime, str]] = {}
        self._times: dict[str, timedelta] = {}
        self._lengths_s: dict[str, float | None] = {}

    def entry(self, row: Row) -> Entry | None:
        """The entry of a row of which every cell is known; None for any other."""
        cells = row.cells
        try:
            channel, spot_id = self._channels[cells[Field.CHANNEL]], self._spots[cells[Field.SPOT]]
            date_text, time_text = cells[Field.DATE], cells[Field.TIME]
            day, since_utc, zone = self._days[channel, date_text]
            planned_utc = since_utc + self._times[time_text]
            length_s = self._lengths_s[cells.get(Field.LENGTH, "")]
        except KeyError:
            return None
        opens_utc, closes_utc, raw = planned_utc - _BEFORE, planned_utc + _AFTER, f"{date_text} {time_text} {zone}"
        return Entry(row.line, channel, spot_id, day, planned_utc, opens_utc, closes_utc, length_s, raw)

    def keep(self, row: Row, entry: Entry, zone: tzinfo) -> None:
        """Remember what the row's cells meant, but for days on which the clock changes."""
        since_utc = midnight_utc(entry.day, zone) if self._plain else None
        if since_utc is None:
            return
        cells = row.cells
        self._channels[cells[Field.CHANNEL]], self._spots[cells[Field.SPOT]] = entry.channel, entry.spot_id
        self._days[entry.channel, cells[Field.DATE]] = entry.day, since_utc, str(zone)
        self._times[cells[Field.TIME]] = entry.planned_utc - since_utc
        self._lengths_s[cells.get(Field.LENGTH, "")] = entry.length_s


class _RowReader:
    """Understands rows one by one and keeps what is wrong with them."""

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        found: Found,
        dates: DateForms,
        day_start_s: int,
        zone: tzinfo | None,
        choices: Choices,
    ) -> None:
        self.problems: list[Problem] = []
        self._catalogue, self._found, self._layout, self._dates = catalogue, found, found.layout, dates
        self._day_start_s, self._small_hours_next = day_start_s, choices.small_hours_next
        self._zones = {channel.id: zone or parse_zone(channel.timezone) for channel in catalogue.channels.values()}
        self._names: Mapping[Field, Names] = {
            Field.CHANNEL: Names({one.id: one.aliases for one in catalogue.channels.values()}),
            Field.SPOT: Names({one.id: (*one.aliases, *one.identifiers) for one in catalogue.spots.values()}),
        }
        self._wrong_zones = 0
        self._memory = _Memory(plain=found.places.keys() | choices.constants.keys() <= _PLAIN)

    def read(self, row: Row) -> Entry | None:
        """The row's entry; None when it has an error, which is then among `problems`."""
        return self._memory.entry(row) or self._understood(row)

    def _understood(self, row: Row) -> Entry | None:
        before = len(self.problems)
        channel, spot_id = self._name(row, Field.CHANNEL), self._name(row, Field.SPOT)
        planned = self._planned(row, channel)
        before_s = self._seconds(row, Field.WINDOW_BEFORE, WINDOW_BEFORE_S)
        after_s = self._seconds(row, Field.WINDOW_AFTER, WINDOW_AFTER_S)
        length_s = self._length(row)
        if before_s is not None and after_s is not None and before_s + after_s < 1:
            self._add(row, Field.WINDOW_AFTER, "the window is shorter than a second", "leave the spot some time to begin")
        if len(self.problems) > before or planned is None or before_s is None or after_s is None:
            return None
        day, planned_utc, raw = planned
        entry = Entry(
            row=row.line,
            channel=channel,
            spot_id=spot_id,
            day=day,
            planned_utc=planned_utc,
            opens_utc=planned_utc - timedelta(seconds=before_s),
            closes_utc=planned_utc + timedelta(seconds=after_s),
            length_s=length_s,
            raw=raw,
        )
        self._memory.keep(row, entry, self._zones[channel])
        return entry

    def _name(self, row: Row, field: Field) -> str:
        text = row.cells[field]
        if not text:
            self._add(row, field, "empty", f"name a {field}")
            return ""
        meant = self._names[field].meant(text)
        if len(meant) == 1:
            return meant[0]
        if meant:
            self._add(row, field, f"several are called so: {', '.join(meant[:3])}", f"write the {field}'s id")
        else:
            remark = self._catalogue.remark_of(text) if field is Field.SPOT else ""
            reason = f"no {field} of this id is known" + (f" ({remark})" if remark else "")
            self._add(row, field, reason, self._hint(field, text))
        return ""

    def _hint(self, field: Field, text: str) -> str:
        alike = self._names[field].nearest(text)
        if alike:
            return f"did you mean {' or '.join(alike)}?"
        return "add it to the configuration" if field is Field.CHANNEL else "add its audio with cuebird spots add"

    def _planned(self, row: Row, channel: str) -> tuple[date, datetime, str] | None:
        """Broadcast day, instant and raw text; None when one of them has an error."""
        by_instant = Field.INSTANT in row.cells
        when = (Field.INSTANT, Field.INSTANT) if by_instant else (Field.DATE, Field.TIME)
        try:
            texts = split_instant(row.cells[Field.INSTANT]) if by_instant else (row.cells[Field.DATE], row.cells[Field.TIME], "")
        except BroadcastTimeError as error:
            self._add(row, Field.INSTANT, error.reason, error.fix)
            return None
        day, time_s = self._day(row, when[0], texts[0]), self._time_s(row, when[1], texts[1])
        zone = self._zone(row, channel, texts[2])
        if day is None or time_s is None or zone is None:
            return None
        if self._small_hours_next and time_s < self._day_start_s:
            time_s += DAY_S
        try:
            planned_utc = to_utc(day, time_s, zone, day_start_s=self._day_start_s)
        except BroadcastTimeError as error:
            self._add(row, when[1], error.reason, error.fix)
            return None
        raw = row.cells[Field.INSTANT] if by_instant else f"{row.cells[Field.DATE]} {row.cells[Field.TIME]}"
        return day, planned_utc, f"{raw} {zone}"

    def _day(self, row: Row, field: Field, text: str) -> date | None:
        try:
            return parse_date(text, self._dates)
        except BroadcastTimeError as error:
            self._add(row, field, error.reason, error.fix)
            return None

    def _time_s(self, row: Row, field: Field, text: str) -> int | None:
        try:
            return parse_time(text, self._layout.times)
        except BroadcastTimeError as error:
            self._add(row, field, error.reason, error.fix)
            return None

    def _zone(self, row: Row, channel: str, written: str) -> tzinfo | None:
        text = row.cells.get(Field.TIMEZONE, "")
        if text and written and text != written:
            self._add(row, Field.TIMEZONE, f"the time itself says {written}", "leave one of the two out")
            return None
        text = text or written
        if not text:
            return self._zones.get(channel)
        try:
            return parse_zone(text, suggest=self._wrong_zones < NEAREST_LOOKUPS_MAX)
        except BroadcastTimeError as error:
            self._wrong_zones += 1
            self._add(row, Field.TIMEZONE, error.reason, error.fix)
            return None

    def _seconds(self, row: Row, field: Field, default: float) -> float | None:
        text = row.cells.get(field, "")
        if not text:
            return default
        if not _SECONDS.fullmatch(text):
            self._add(row, field, "not a number of seconds", "write it like 90 or 7.5, with a point and no unit")
        elif float(text) > WINDOW_S_MAX:
            self._add(row, field, f"more than {WINDOW_S_MAX} s", "write fewer seconds")
        else:
            return float(text)
        return None

    def _length(self, row: Row) -> float | None:
        text = row.cells.get(Field.LENGTH, "")
        if not text:
            return None
        try:
            length_s = parse_length(text, digits=self._layout.length_digits)
        except BroadcastTimeError as error:
            self._add(row, Field.LENGTH, error.reason, error.fix)
            return None
        if length_s > LENGTH_S_MAX:
            self._add(row, Field.LENGTH, f"more than {LENGTH_S_MAX} s", "write fewer seconds")
        elif length_s <= 0:
            self._add(row, Field.LENGTH, "no length", "write the spot's seconds, or leave the cell empty")
        else:
            return length_s
        return None

    def _add(self, row: Row, field: Field, reason: str, fix: str) -> None:
        place = self._found.places.get(field)
        column = field.value if place is None else self._found.titles[place]
        value = shown(row.cells.get(field, ""))
        self.problems.append(Problem(severity=Severity.ERROR, row=row.line, column=column, value=value, reason=reason, fix=fix))
