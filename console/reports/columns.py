"""The report's tables: columns with a kind, rows of values. What is written to a file or a page is made of these."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Generic, TypeVar

from console.reports.as_run import Report
from schedules.as_run import Line
from schedules.comparison import Compared
from schedules.delivery import Delivery

Value = str | int | float | date | datetime | None
T = TypeVar("T")


class Kind(StrEnum):
    """What a column holds, and so how it is shown."""

    TEXT = "text"
    COUNT = "count"
    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"
    SHARE = "share"
    DAY = "day"
    INSTANT = "instant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column(Generic[T]):
    """One column: its name for programs, its title for people, and where its value comes from."""

    name: str
    title: str
    kind: Kind
    value: Callable[[T], Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A table: names, titles and kinds of its columns, and its rows."""

    name: str
    names: tuple[str, ...]
    titles: tuple[str, ...]
    kinds: tuple[Kind, ...]
    rows: tuple[tuple[Value, ...], ...]


def sheets_of(report: Report) -> tuple[Sheet, ...]:
    """Every table of the report; the comparison only where there is a log."""
    sheets = [airings_sheet(report), delivery_sheet(report)]
    if report.comparison is not None:
        sheets.append(comparison_sheet(report))
    return tuple(sheets)


def airings_sheet(report: Report) -> Sheet:
    """A row for each airing, and for each detection or firing without one."""
    return _sheet("as-run", _line_columns(report), report.lines)


def delivery_sheet(report: Report) -> Sheet:
    """What was delivered, by day, campaign and channel."""
    return _sheet("delivery", _DELIVERY, report.sums)


def comparison_sheet(report: Report) -> Sheet:
    """Each line beside the broadcaster's own log."""
    rows = report.comparison.rows if report.comparison is not None else ()
    return _sheet("comparison", _compared_columns(report), rows)


def _sheet(name: str, columns: tuple[Column[T], ...], rows: tuple[T, ...]) -> Sheet:
    return Sheet(
        name=name,
        names=tuple(column.name for column in columns),
        titles=tuple(column.title for column in columns),
        kinds=tuple(column.kind for column in columns),
        rows=tuple(tuple(column.value(row) for column in columns) for row in rows),
    )


def _column(name: str, title: str, kind: Kind, value: Callable[[T], Value]) -> Column[T]:
    return Column(name=name, title=title, kind=kind, value=value)


def _line_columns(report: Report) -> tuple[Column[Line], ...]:
    calendar = report.calendar

    def clock(line: Line, instant_utc: datetime | None) -> str:
        return "" if instant_utc is None else calendar.clock(line.channel, instant_utc)

    def planned_utc(line: Line) -> datetime | None:
        return line.airing.planned_utc if line.airing else None

    return (
        _column("verdict", "Verdict", Kind.TEXT, lambda line: str(line.verdict)),
        _column("broadcast_day", "Broadcast day", Kind.DAY, lambda line: calendar.day(line.channel, line.at_utc)),
        _column("channel", "Channel", Kind.TEXT, lambda line: line.channel),
        _column("campaign", "Campaign", Kind.TEXT, lambda line: line.campaign),
        _column("spot", "Spot", Kind.TEXT, lambda line: line.spot_id),
        _column("planned_local", "Planned", Kind.TEXT, lambda line: clock(line, planned_utc(line))),
        _column("heard_local", "Heard", Kind.TEXT, lambda line: clock(line, line.began_utc)),
        _column("zone", "Zone", Kind.TEXT, lambda line: str(calendar.zone(line.channel))),
        _column("deviation_s", "Off by, s", Kind.SECONDS, lambda line: _rounded(line.deviation_s, 3)),
        _column("aired_s", "Ran, s", Kind.SECONDS, lambda line: _rounded(line.heard[0].aired_s if line.heard else None, 2)),
        _column("coverage", "Of spot", Kind.SHARE, lambda line: line.heard[0].coverage if line.heard else None),
        _column("tweets", "Tweets", Kind.TEXT, lambda line: ", ".join(sorted({str(one.fate) for one in line.fired}))),
        _column("first_byte_ms", "First byte, ms", Kind.MILLISECONDS, lambda line: line.first_byte_ms),
        _column("heard_ms", "Heard in, ms", Kind.MILLISECONDS, lambda line: line.heard[0].heard_ms if line.heard else None),
        _column("why", "Why", Kind.TEXT, lambda line: line.why),
        _column("feeds", "Feeds", Kind.TEXT, lambda line: ", ".join(sorted({one.feed_id for one in line.heard}))),
        _column(
            "tweet_ids", "Tweet ids", Kind.TEXT, lambda line: ", ".join(one.reference for one in line.fired if one.reference)
        ),
        _column("airing", "Airing", Kind.TEXT, lambda line: line.airing.airing_id if line.airing else ""),
        _column("planned_utc", "Planned UTC", Kind.INSTANT, planned_utc),
        _column("heard_utc", "Heard UTC", Kind.INSTANT, lambda line: line.began_utc),
    )


def _compared_columns(report: Report) -> tuple[Column[Compared], ...]:
    calendar = report.calendar

    def channel(row: Compared) -> str:
        return row.line.channel if row.line else row.logged.channel if row.logged else ""

    def planned_utc(row: Compared) -> datetime | None:
        return row.line.airing.planned_utc if row.line and row.line.airing else None

    def heard_utc(row: Compared) -> datetime | None:
        return row.line.began_utc if row.line else None

    def logged_utc(row: Compared) -> datetime | None:
        return row.logged.began_utc if row.logged else None

    def day(row: Compared) -> date | None:
        at_utc = planned_utc(row) or heard_utc(row) or logged_utc(row) or (row.line.at_utc if row.line else None)
        return None if at_utc is None else calendar.day(channel(row), at_utc)

    def clock(row: Compared, instant_utc: datetime | None) -> str:
        return "" if instant_utc is None else calendar.clock(channel(row), instant_utc)

    return (
        _column("agreement", "Agreement", Kind.TEXT, lambda row: str(row.agreement)),
        _column("broadcast_day", "Broadcast day", Kind.DAY, day),
        _column("channel", "Channel", Kind.TEXT, channel),
        _column(
            "spot", "Spot", Kind.TEXT, lambda row: row.line.spot_id if row.line else row.logged.spot_id if row.logged else ""
        ),
        _column("planned_local", "Planned", Kind.TEXT, lambda row: clock(row, planned_utc(row))),
        _column("heard_local", "Heard", Kind.TEXT, lambda row: clock(row, heard_utc(row))),
        _column("logged_local", "Logged", Kind.TEXT, lambda row: clock(row, logged_utc(row))),
        _column("zone", "Zone", Kind.TEXT, lambda row: str(calendar.zone(channel(row)))),
        _column("difference_s", "Heard later, s", Kind.SECONDS, lambda row: _rounded(row.difference_s, 2)),
        _column("length_difference_s", "Ran longer, s", Kind.SECONDS, lambda row: _rounded(row.length_difference_s, 2)),
        _column("status", "Status in the log", Kind.TEXT, lambda row: row.logged.status if row.logged else ""),
        _column("log_row", "Row of the log", Kind.COUNT, lambda row: row.logged.row if row.logged else None),
        _column("verdict", "Verdict", Kind.TEXT, lambda row: str(row.line.verdict) if row.line else ""),
        _column("heard_utc", "Heard UTC", Kind.INSTANT, heard_utc),
        _column("logged_utc", "Logged UTC", Kind.INSTANT, logged_utc),
    )


_DELIVERY: tuple[Column[Delivery], ...] = (
    _column("broadcast_day", "Broadcast day", Kind.DAY, lambda one: one.day),
    _column("campaign", "Campaign", Kind.TEXT, lambda one: one.campaign),
    _column("channel", "Channel", Kind.TEXT, lambda one: one.channel),
    _column("planned", "Planned", Kind.COUNT, lambda one: one.planned),
    _column("decided", "Window over", Kind.COUNT, lambda one: one.decided),
    _column("delivered", "As planned", Kind.COUNT, lambda one: one.delivered),
    _column("share", "Share", Kind.SHARE, lambda one: one.share),
    _column("owed", "Owed", Kind.COUNT, lambda one: one.owed),
    _column("unknown", "Not listened", Kind.COUNT, lambda one: one.unknown),
    _column("off_plan", "Off plan", Kind.COUNT, lambda one: one.off_plan),
    _column("aired_s", "Seconds as planned", Kind.SECONDS, lambda one: _rounded(one.aired_s, 1)),
    _column("posted", "Tweets posted", Kind.COUNT, lambda one: one.posted),
    _column("first_byte_ms_median", "First byte, median ms", Kind.MILLISECONDS, lambda one: one.first_byte_ms_median),
    _column("first_byte_ms_max", "First byte, longest ms", Kind.MILLISECONDS, lambda one: one.first_byte_ms_max),
)


def _rounded(number: float | None, digits: int) -> float | None:
    return None if number is None else round(number, digits)


def shown(value: Value, kind: Kind) -> str:
    """The value for people."""
    match value:
        case None:
            return ""
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}"
        case float():
            return f"{value:{_DIGITS.get(kind, '.1f')}}"
        case _:
            return str(value)


_DIGITS = {Kind.SHARE: ".1%", Kind.MILLISECONDS: ".0f"}


def cells_shown(sheet: Sheet) -> Iterator[tuple[str, ...]]:
    """The rows for people."""
    for row in sheet.rows:
        yield tuple(shown(value, kind) for value, kind in zip(row, sheet.kinds, strict=True))
