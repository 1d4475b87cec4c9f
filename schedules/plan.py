"""What reading a plan gives: its airings, or everything that is wrong with it."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from schedules.airing import Airing


class Severity(enum.StrEnum):
    """How bad a problem is: an error refuses the whole plan, a warning wants a look, a note tells what was skipped."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


def counted(number: int, thing: str) -> str:
    """`1 airing`, `2 airings`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing about a plan that its author should know.

    Attributes:
        row: line of the file, from 1.
        column: name of the column, empty when the whole row is meant.
        value: the cell as it stands, shortened; empty when the whole row is meant.
        reason: what is wrong.
        fix: what to do about it, empty for notes.
    """

    severity: Severity
    row: int
    column: str
    value: str
    reason: str
    fix: str

    def __str__(self) -> str:
        where = f"row {self.row}" + (f", {self.column} = {self.value!r}" if self.column else "")
        return f"{where}: {self.reason}" + (f"; {self.fix}" if self.fix else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a plan's file was understood, to be shown to who sent it.

    Attributes:
        layout: name of the layout.
        container: what kind of file: `CSV`, `XLSX`, `BXF` …
        sheet: of the workbook; empty elsewhere.
        separator: the character between the cells; empty where there is none.
        encoding: of text; empty elsewhere.
        header_row: line of the header, 0 when there is none.
        columns: the column read for each field, as the file names it.
        constants: what every row was given though no column says it.
        date_order: `day/month/year` or `month/day/year`; empty when no date needed it.
        date_order_because: what settles it.
        day_start: when broadcast days begin, `HH:MM`.
        zone: of all times; empty for each channel's own.
    """

    layout: str
    container: str
    sheet: str
    separator: str
    encoding: str
    header_row: int
    columns: Mapping[str, str]
    constants: Mapping[str, str]
    date_order: str
    date_order_because: str
    day_start: str
    zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """The rows of a plan as they stand in its file.

    Attributes:
        header_row: line of the header, 0 when there is none.
        titles: names of the columns.
        rows: line and cells of each row below the header, those too that carry no airing.
    """

    header_row: int
    titles: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A plan as read.

    Attributes:
        airings: by planned instant; empty as soon as there is one error, since running numbers, and
            so the names of airings, depend on every row.
        problems: by row.
        reading: how the file was understood.
        original: the rows as they stand in the file, for a list of errors beside them.
    """

    airings: tuple[Airing, ...]
    problems: tuple[Problem, ...]
    reading: "Reading"
    original: "Original" = field(repr=False)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that refuse the plan; empty for a plan that may be imported."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)
