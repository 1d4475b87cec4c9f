"""Pictures of a report: a day's timeline by channel, and a year as a heat map. Pure. Shape and word say what colour says."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from console.reports.as_run import Report
from console.reports.drawing import Drawing, Mark, Words
from console.reports.svg import as_svg
from schedules.as_run import Fate, Line, Verdict
from schedules.broadcast_time import clock_text
from schedules.delivery import Calendar, deliveries

WIDTH = 960
_LEFT, _RIGHT, _TOP = 96, 12, 22
_ROW, _GAP = 18, 26
ROWS: Final = ("planned", "heard", "fired", "missed")
MARKS_MAX = 2000
"""Marks of one row of a timeline; more cannot be told apart, and the picture says how many are left out."""
DAYS_MAX = 31
"""Days drawn one by one; of more there is a map."""
LANES_MAX = 100
"""Channels of one picture, where a page does not ask for fewer."""
_CELL, _PITCH = 13, 16
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY_S = 24 * 3600


# --- a day --------------------------------------------------------------------------------------


def as_picture(report: Report) -> str:
    """The report as one SVG file."""
    return as_svg(stacked(drawings(report)), is_file=True)


def drawings(report: Report, *, lanes_max: int = LANES_MAX) -> tuple[Drawing, ...]:
    """What a report shows: the timelines of its days, with their legend, or of many days a map of them."""
    if len(report.asked.days) > DAYS_MAX:
        return (year_map(report),)
    days = days_shown(report) or (report.asked.first,)
    return (*(part for day in days for part in timelines(report, day, lanes_max=lanes_max)), legend())


def days_shown(report: Report, most: int = DAYS_MAX) -> tuple[date, ...]:
    """The days that have lines, the first `most` of them."""
    days = sorted({report.calendar.day(line.channel, line.at_utc) for line in report.lines})
    return tuple(days[:most])


def timelines(report: Report, day: date, *, lanes_max: int) -> tuple[Drawing, ...]:
    """One broadcast day in as many pictures as it takes, where a page has room for so many lanes."""
    channels = channels_of(report, day)
    parts = [channels[begin : begin + lanes_max] for begin in range(0, len(channels), lanes_max)]
    return tuple(timeline(report, day, channels=part) for part in parts)


def channels_of(report: Report, day: date) -> list[str]:
    """The channels that have lines on a day; at least one name, so that an empty day is seen to be empty."""
    calendar = report.calendar
    found = {line.channel for line in report.lines if calendar.day(line.channel, line.at_utc) == day}
    return sorted(found) or [report.asked.channel or "nothing planned"]


def timeline(report: Report, day: date, *, channels: Sequence[str] | None = None) -> Drawing:
    """One broadcast day: a lane for each channel, in it what was planned, heard, fired and missed."""
    calendar = report.calendar
    channels = channels_of(report, day) if channels is None else channels
    lines = [line for line in report.lines if line.channel in channels and calendar.day(line.channel, line.at_utc) == day]
    marks: list[Mark] = []
    words: list[Words] = [Words(text=f"{day:%Y-%m-%d}", x=0, y=14, tone="strong")]
    for number, channel in enumerate(channels):
        top = _TOP + number * (len(ROWS) * _ROW + _GAP + 16)
        of_channel = [line for line in lines if line.channel == channel]
        words.append(Words(text=f"{channel} ({calendar.zone(channel)})", x=0, y=top + 12, tone="strong"))
        lane_marks, lane_words = _lane(of_channel, calendar, top + 20)
        marks += lane_marks
        words += lane_words
    height = _TOP + len(channels) * (len(ROWS) * _ROW + _GAP + 16)
    return Drawing(width=WIDTH, height=height, label=_day_label(day, lines), marks=tuple(marks), words=tuple(words))


def _day_label(day: date, lines: Sequence[Line]) -> str:
    planned = [line for line in lines if line.airing is not None]
    missed = sum(line.verdict in (Verdict.NOT_HEARD, Verdict.NOT_LISTENED) for line in planned)
    heard = sum(bool(line.heard) for line in lines)
    return f"{day}: {len(planned)} planned, {heard} heard, {sum(_is_fired(line) for line in lines)} fired, {missed} missed"


def _lane(lines: Sequence[Line], calendar: Calendar, top: float) -> tuple[list[Mark], list[Words]]:
    bottom = top + len(ROWS) * _ROW
    marks = [
        Mark(shape="line", x=_x(hour * 3600), y=(top + bottom) / 2, tone="faint", size=bottom - top) for hour in range(0, 25, 3)
    ]
    begin = calendar.day_start_s
    words = [
        Words(
            text=clock_text(begin + hour * 3600)[:5],
            x=_x(hour * 3600),
            y=bottom + 12,
            tone="soft",
            anchor="end" if hour == 24 else "middle",
        )
        for hour in range(0, 25, 3)
    ]
    for number, row in enumerate(ROWS):
        y = top + number * _ROW + _ROW / 2
        found = [mark for line in lines if (mark := _mark(row, line, calendar, y)) is not None]
        left_out = f", {len(found) - MARKS_MAX} not drawn" if len(found) > MARKS_MAX else ""
        count = sum(mark.tone == "good" for mark in found) if row == "fired" else len(found)
        words.append(Words(text=f"{row} {count}{left_out}", x=_LEFT - 10, y=y + 4, tone="soft", anchor="end"))
        marks += found[:MARKS_MAX]
    return marks, words


def _mark(row: str, line: Line, calendar: Calendar, y: float) -> Mark | None:
    """What a line shows in a row of its lane, if anything."""
    shape = {"planned": _planned, "heard": _heard, "fired": _fired, "missed": _missed}[row](line)
    if shape is None:
        return None
    at_utc = line.began_utc if row in ("heard", "fired") and line.began_utc is not None else line.at_utc
    clock = calendar.clock(line.channel, at_utc)
    why = f"; {line.why}" if line.why else ""
    return Mark(
        shape=shape[0],
        x=_x(_since_begin_s(line, at_utc, calendar)),
        y=y,
        tone=shape[1],
        title=f"{clock} {line.spot_id}: {line.verdict}{why}",
    )


def _planned(line: Line) -> tuple[str, str] | None:
    return None if line.airing is None else ("box", "planned")


def _heard(line: Line) -> tuple[str, str] | None:
    if not line.heard:
        return None
    if line.airing is None:
        return "ring", "calm"
    return ("dot", "good") if line.is_delivered else ("diamond", "warn")


def _fired(line: Line) -> tuple[str, str] | None:
    if not line.fired:
        return None
    return ("triangle", "good") if _is_fired(line) else ("bar", "warn")


def _is_fired(line: Line) -> bool:
    return any(one.fate in (Fate.POSTED, Fate.REHEARSED) for one in line.fired)


def _missed(line: Line) -> tuple[str, str] | None:
    marks = {Verdict.NOT_HEARD: ("cross", "bad"), Verdict.NOT_LISTENED: ("question", "warn")}
    return marks.get(line.verdict)


def _since_begin_s(line: Line, at_utc: datetime, calendar: Calendar) -> float:
    """Seconds since the broadcast day began, by the clock on the wall."""
    local = calendar.local(line.channel, at_utc)
    since_midnight_s = local.hour * 3600 + local.minute * 60 + local.second
    return (since_midnight_s - calendar.day_start_s) % _DAY_S


def _x(since_begin_s: float) -> float:
    return round(_LEFT + since_begin_s / _DAY_S * (WIDTH - _LEFT - _RIGHT), 1)


LEGEND: Final = (
    ("box", "planned", "planned"),
    ("dot", "good", "heard as planned"),
    ("diamond", "warn", "heard otherwise"),
    ("ring", "calm", "off plan"),
    ("triangle", "good", "tweet left"),
    ("bar", "warn", "tweet not out"),
    ("cross", "bad", "not heard"),
    ("question", "warn", "nobody listened"),
)
"""Shape, tone and words."""


def legend() -> Drawing:
    """What the shapes of a timeline mean."""
    marks, words, x = [], [], 8.0
    for shape, tone, text in LEGEND:
        marks.append(Mark(shape=shape, x=x, y=11, tone=tone))
        words.append(Words(text=text, x=x + 10, y=15, tone="soft"))
        x += 24 + 7.0 * len(text)
    return Drawing(width=WIDTH, height=22, label="What the shapes mean", marks=tuple(marks), words=tuple(words))


def stacked(drawings: Sequence[Drawing]) -> Drawing:
    """Drawings below each other."""
    marks: list[Mark] = []
    words: list[Words] = []
    top = 0.0
    for drawing in drawings:
        marks += [_moved_mark(mark, top) for mark in drawing.marks]
        words += [Words(text=one.text, x=one.x, y=one.y + top, tone=one.tone, anchor=one.anchor) for one in drawing.words]
        top += drawing.height + 8
    label = "; ".join(drawing.label for drawing in drawings)
    return Drawing(width=WIDTH, height=top, label=label, marks=tuple(marks), words=tuple(words))


def _moved_mark(mark: Mark, down: float) -> Mark:
    return Mark(shape=mark.shape, x=mark.x, y=mark.y + down, tone=mark.tone, title=mark.title, size=mark.size)


# --- a year -------------------------------------------------------------------------------------


def year_map(report: Report) -> Drawing:
    """A cell for each day asked for, a column for each week: how much of what was planned aired as planned."""
    sums = {one.day: one for one in deliveries(report.lines, report.calendar, by_campaign=False, by_channel=False)}
    first = report.asked.first - timedelta(days=report.asked.first.weekday())
    marks: list[Mark] = []
    words = [
        Words(text=name, x=30, y=_cell_y(row) + 4, tone="soft", anchor="end")
        for row, name in ((0, "Mon"), (2, "Wed"), (4, "Fri"))
    ]
    for day in report.asked.days:
        x, y = 44 + (day - first).days // 7 * _PITCH, _cell_y(day.weekday())
        words += [Words(text=_MONTHS[day.month - 1], x=x - _CELL / 2, y=12, tone="soft")] if day.day == 1 else []
        one = sums.get(day)
        share = one.share if one is not None else None
        planned = 0 if one is None else one.planned
        tone = "share0" if share is None else f"share{1 + min(3, int(share * 3))}"
        said = (
            "nothing planned" if one is None or not planned else f"{one.delivered} of {one.decided} as planned, {planned} planned"
        )
        if one is not None and (one.owed or one.unknown):
            said += f", {one.owed} owed, {one.unknown} not listened"
        marks.append(Mark(shape="cell", x=x, y=y, tone=tone, title=f"{day}: {said}", size=_CELL))
        if one is not None and one.owed:
            marks.append(Mark(shape="cross", x=x, y=y, tone="bad", size=_CELL))
        elif one is not None and one.unknown:
            marks.append(Mark(shape="question", x=x, y=y, tone="warn", size=_CELL))
    height = _cell_y(6) + _PITCH
    marks += list(_year_legend_marks(height))
    words += list(_year_legend_words(height))
    label = (
        f"{report.asked.words}: {report.total.delivered} of {report.total.decided} airings as planned, {report.total.owed} owed"
    )
    return Drawing(width=WIDTH, height=height + 26, label=label, marks=tuple(marks), words=tuple(words))


def _cell_y(weekday: int) -> float:
    return 26 + weekday * _PITCH


_YEAR_LEGEND: Final = (
    ("cell", "share0", "nothing over"),
    ("cell", "share1", "under a third"),
    ("cell", "share2", "under two thirds"),
    ("cell", "share3", "most"),
    ("cell", "share4", "all as planned"),
    ("cross", "bad", "some owed"),
    ("question", "warn", "nobody listened"),
)


def _year_legend_marks(top: float) -> Iterator[Mark]:
    for number, (shape, tone, _) in enumerate(_YEAR_LEGEND):
        yield Mark(shape=shape, x=44 + number * 128, y=top + 8, tone=tone, size=_CELL)


def _year_legend_words(top: float) -> Iterator[Words]:
    for number, (_, _, text) in enumerate(_YEAR_LEGEND):
        yield Words(text=text, x=56 + number * 128, y=top + 12, tone="soft")
