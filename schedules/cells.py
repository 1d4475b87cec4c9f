"""A plan as a table of cells: what every kind of file is turned into before anything is understood. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from schedules.errors import PlanFileError
from schedules.plan import Problem, Severity

FILE_BYTES_MAX = 16 << 20
ROWS_MAX = 100_000
COLUMNS_MAX = 64
CELL_LETTERS_MAX = 200
HEADER_ROW_MAX = 20
VALUE_LETTERS_SHOWN = 60
SHEETS_MAX = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row as it stands in the file: its line, from 1, and its cells, stripped."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One table a file may hold.

    Attributes:
        container: what kind of file, for people: `CSV`, `XLSX`, `BXF` …
        name: of the sheet within its workbook; empty elsewhere.
        separator: the character between cells; empty where there is none.
        encoding: of text; empty elsewhere.
        problems: what is to be said of the sheet whatever its rows say.
        read: its records from the first; may raise `PlanFileError` on the way.
        is_ragged: a row that is shorter than the header may be half a row.
    """

    container: str
    read: Callable[[], Iterator[Record]]
    name: str = ""
    separator: str = ""
    encoding: str = ""
    problems: tuple[Problem, ...] = ()
    is_ragged: bool = False

    def head(self) -> list[Record]:
        """The first rows, among which the header must be."""
        return list(islice(self.read(), HEADER_ROW_MAX))


def sheet_of(
    container: str, header: tuple[str, ...], records: list[Record], problems: list[Problem], *, encoding: str = ""
) -> Sheet:
    """A sheet of a format that has no header of its own: `header` names its columns in line 0."""
    first = Record(line=0, cells=header)
    return Sheet(container=container, read=lambda: iter([first, *records]), encoding=encoding, problems=tuple(problems))


def limited(records: Iterator[Record]) -> Iterator[Record]:
    """`records`, as long as they keep within the limits.

    Raises:
        PlanFileError: too many rows or columns.
    """
    for count, record in enumerate(records):
        if count > ROWS_MAX:
            raise PlanFileError(f"row {record.line}: more than {ROWS_MAX} rows; split the plan")
        if len(record.cells) > COLUMNS_MAX and any(record.cells[COLUMNS_MAX:]):
            raise PlanFileError(f"row {record.line}: {len(record.cells)} cells, more than {COLUMNS_MAX}; this is no plan")
        yield record


def shown(value: str) -> str:
    """`value`, shortened to what a message can bear."""
    return value if len(value) <= VALUE_LETTERS_SHOWN else value[: VALUE_LETTERS_SHOWN - 1] + "…"


def about(severity: Severity, row: int, reason: str, fix: str = "") -> Problem:
    """A problem of a whole row."""
    return Problem(severity=severity, row=row, column="", value="", reason=reason, fix=fix)
