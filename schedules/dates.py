"""Calendar dates as plans write them, and the order of day and month, which is proven or asked for and never guessed. Pure."""

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from schedules.errors import BroadcastTimeError

YEARS = range(2000, 2100)
"""Years a plan may speak of; another one is a slip of the pen."""

# Not from the calendar module: it follows the machine's language.
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_MONTH_OF = {name[:letters].lower(): number for number, name in enumerate(_MONTHS, start=1) for letters in (3, len(name))}
_YEAR_FIRST = re.compile(r"([0-9]{4})([-/.])([0-9]{2})\2([0-9]{2})")
_MIDNIGHT = re.compile(r"[ T]00:00(?::00(?:\.0+)?)?")
"""What spreadsheets append to a date without a time."""
_NUMBERS = re.compile(r"([0-9]{1,2})([-/.])([0-9]{1,2})\2([0-9]{4}|[0-9]{2})")
_DAY_MONTH_NAME = re.compile(r"([0-9]{1,2})[-. ]+([A-Za-z]{3,9})[-., ]+([0-9]{4})")
_MONTH_NAME_DAY = re.compile(r"([A-Za-z]{3,9})[-. ]+([0-9]{1,2}),? +([0-9]{4})")
_DIGITS = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_MONTH_DAY = re.compile(r"([0-9]{2})([0-9]{2})")


class DateOrder(enum.StrEnum):
    """In which order a date's numbers stand when the year is last."""

    DAY_FIRST = "dmy"
    MONTH_FIRST = "mdy"

    @property
    def words(self) -> str:
        """For people."""
        return "day/month/year" if self is DateOrder.DAY_FIRST else "month/day/year"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderProof:
    """What the dates of a file say about their order.

    Attributes:
        day_first_row: the first row that can only be day/month, None when there is none.
        month_first_row: the first row that can only be month/day.
    """

    day_first_row: int | None = None
    month_first_row: int | None = None

    @property
    def order(self) -> DateOrder | None:
        """The order proven, None when the rows say nothing or contradict each other."""
        if (self.day_first_row is None) == (self.month_first_row is None):
            return None
        return DateOrder.DAY_FIRST if self.month_first_row is None else DateOrder.MONTH_FIRST

    @property
    def contradiction(self) -> str:
        """The two rows that cannot be of one order, as words; empty when there are none."""
        if self.day_first_row is None or self.month_first_row is None:
            return ""
        return f"row {self.day_first_row} can only be day/month and row {self.month_first_row} only month/day"


@dataclass(frozen=True, slots=True, kw_only=True)
class DateForms:
    """Which dates a layout may write besides the forms that say everything by themselves.

    Attributes:
        order: of numbers with the year last; None refuses such dates with both readings.
        is_given: somebody said so, which also settles years of two digits.
        digits: `YYYYMMDD` counts as a date.
        year: of dates written `MMDD`; None when the layout has none.
        has_no_year: the layout writes `MMDD`.
    """

    order: DateOrder | None = None
    is_given: bool = False
    digits: bool = False
    year: int | None = None
    has_no_year: bool = False


STRICT = DateForms()


def prove_order(cells: Iterable[tuple[int, str]]) -> OrderProof:
    """What the dates of a file say about their order: a number above 12 can only be the day.

    Args:
        cells: row and text of each date. Years of two digits prove nothing: 27-03-01 has three readings.
    """
    day_first: int | None = None
    month_first: int | None = None
    for row, text in cells:
        match = _NUMBERS.match(text)
        if match is None or len(match[4]) == 2:
            continue
        first, second = int(match[1]), int(match[3])
        if first > 12 >= second > 0 and day_first is None:
            day_first = row
        elif second > 12 >= first > 0 and month_first is None:
            month_first = row
    return OrderProof(day_first_row=day_first, month_first_row=month_first)


def is_numbers_only(text: str) -> bool:
    """Whether the order of the date's numbers must be known to read it."""
    return _NUMBERS.match(text) is not None


def parse_date(text: str, forms: DateForms = STRICT) -> date:
    """The calendar date a broadcast day begins on.

    `2027-03-01` and `1 Mar 2027` say everything; `01/03/2027` needs the order of `forms`.

    Raises:
        BroadcastTimeError: no date, a date of several readings (all are told), or one that does not exist.
    """
    if forms.has_no_year:
        return _without_year(text, forms.year)
    head = _MIDNIGHT.sub("", text, count=1) if len(text) > 10 else text
    numbers = _in_order(head, forms)
    if numbers is None:
        raise BroadcastTimeError(reason=_reason(head), fix=_fix(head))
    day = _calendar_date(*numbers)
    if day is None:
        raise BroadcastTimeError(reason="no such day in the calendar", fix="write a date that exists, as YYYY-MM-DD")
    if day.year not in YEARS:
        raise BroadcastTimeError(reason=f"the year {day.year} cannot be meant", fix=f"use {YEARS.start} to {YEARS.stop - 1}")
    return day


def _in_order(text: str, forms: DateForms) -> tuple[int, int, int] | None:
    """Year, month and day; None when the text does not say them."""
    if (match := _YEAR_FIRST.fullmatch(text)) is not None:
        return int(match[1]), int(match[3]), int(match[4])
    if (match := _DAY_MONTH_NAME.fullmatch(text)) is not None and match[2].lower() in _MONTH_OF:
        return int(match[3]), _MONTH_OF[match[2].lower()], int(match[1])
    if (match := _MONTH_NAME_DAY.fullmatch(text)) is not None and match[1].lower() in _MONTH_OF:
        return int(match[3]), _MONTH_OF[match[1].lower()], int(match[2])
    if forms.digits and (match := _DIGITS.fullmatch(text)) is not None:
        return int(match[1]), int(match[2]), int(match[3])
    match = _NUMBERS.fullmatch(text)
    if match is None or forms.order is None or (len(match[4]) == 2 and not forms.is_given):
        return None
    year = int(match[4]) + (2000 if len(match[4]) == 2 else 0)
    first, second = int(match[1]), int(match[3])
    return (year, second, first) if forms.order is DateOrder.DAY_FIRST else (year, first, second)


def _without_year(text: str, year: int | None) -> date:
    match = _MONTH_DAY.fullmatch(text)
    if match is None:
        raise BroadcastTimeError(reason="not a date of this layout", fix="write month and day as MMDD")
    if year is None:
        raise BroadcastTimeError(reason="a date without a year", fix="say which with --set year=YYYY")
    day = _calendar_date(year, int(match[1]), int(match[2]))
    if day is None:
        raise BroadcastTimeError(reason=f"no such day in {year}", fix="write a month and day that exist, as MMDD")
    return day


def _calendar_date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _readings(text: str) -> list[date]:
    match = _NUMBERS.fullmatch(text)
    if match is None or len(match[4]) == 2:
        return []
    first, second, year = int(match[1]), int(match[3]), int(match[4])
    found = {_calendar_date(year, second, first), _calendar_date(year, first, second)} - {None}
    return sorted(day for day in found if day is not None)


def _reason(text: str) -> str:
    readings = _readings(text)
    if len(readings) == 2:
        return f"could be {_long(readings[0])} or {_long(readings[1])}"
    if (match := _NUMBERS.fullmatch(text)) is not None and len(match[4]) == 2:
        return "a year of two digits, so the order of day, month and year is unknown"
    if text.isdecimal() and len(text) == 5:
        return "not a date but a spreadsheet's day number"
    return "not a date of this layout" if readings else "not a date"


def _fix(text: str) -> str:
    readings = _readings(text)
    if readings:
        order = ", or say the order of the whole file with --date-order" if len(readings) == 2 else ""
        return f"write {' or '.join(str(day) for day in readings)}{order}"
    if _NUMBERS.fullmatch(text) is not None:
        return "write YYYY-MM-DD, or say the order of the whole file with --date-order dmy or mdy"
    return "format the column as a date" if text.isdecimal() and len(text) == 5 else "write YYYY-MM-DD"


def _long(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
