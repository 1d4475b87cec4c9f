"""The rows of a recognised table that carry airings, by field, and what was skipped or does not fit. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest

from schedules.cells import CELL_LETTERS_MAX, Record, about, shown
from schedules.errors import PlanFileError
from schedules.layouts import OUR_COLUMNS, Field, named
from schedules.plan import Problem, Severity
from schedules.recognition import Choices, Found, header_problems
from schedules.workbook_child import UNCALCULATED

_TOTALS = re.compile(
    r"(?:grand |sub-?|sous-)?(?:totals?|totalt|totale?|totaal|sum|summa|summe|somme|gesamt|gesamtsumme|insgesamt|subtotal)"
    r"(?:\b.*)?",
    re.IGNORECASE | re.DOTALL,
)
_FOOTER = re.compile(
    r"(?:page|seite|sida|side|generated|created|printed|exported|end of|report|source|copyright|©|\*|notes?\b|disclaimer|--).*",
    re.IGNORECASE | re.DOTALL,
)
NEUTRALISED = ("=", "+", "-", "@", "'", *map(chr, range(1, 32)), "\x7f")
"""What a spreadsheet takes for the beginning of a formula, or worse, unless an apostrophe stands before it; it is among
them, so that one of the text's own is read back. Source: OWASP, CSV injection."""


def neutral(cell: str) -> str:
    """`cell`, with an apostrophe before what a spreadsheet would calculate; reading a table takes it off again."""
    return f"'{cell}" if cell.startswith(NEUTRALISED) else cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of data: its line in the file, and its cells by field, stripped."""

    line: int
    cells: Mapping[Field, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as read: rows of data, what was wrong or skipped on the way, and all records as they stood below the header."""

    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]
    records: tuple[Record, ...]


def read_table(found: Found, choices: Choices) -> Table:
    """The rows below the header.

    Raises:
        PlanFileError: too many rows, broken quotes, or none at all.
    """
    problems = [*found.sheet.problems, *header_problems(found, choices)]
    rows: list[Row] = []
    records: list[Record] = []
    fields = _Fields(found, choices)
    for record in list(found.sheet.read()):  # whole, so that one row too many is told before anything is judged
        if record.line <= found.line and (record.line < found.line or tuple(map(named, record.cells)) == found.names):
            continue
        records.append(record)
        told = None if fields.is_plain(record.cells) else _judged(record, found)
        if told is not None:
            problems.append(told)
            continue
        if found.sheet.name:
            problems += _uncalculated(record, found)
        rows.append(Row(line=record.line, cells=fields.of(record)))
    if not rows and not any(problem.severity is Severity.ERROR for problem in problems):
        raise PlanFileError(f"no rows below the header in row {found.line}; a plan has one row for each airing")
    return Table(rows=tuple(rows), problems=tuple(problems), records=tuple(records))


class _Fields:
    """The cells of a record by field; made once for all records."""

    def __init__(self, found: Found, choices: Choices) -> None:
        self._places = tuple(found.places.items())
        self._constants = dict(choices.constants)
        self._n_names = len(found.names)
        whens = [found.places.get(field_) for field_ in (Field.INSTANT, Field.TIME, Field.DATE)]
        self._when = next((place for place in whens if place is not None), None)
        # What takes a row out of the plan is looked for in every row.
        self._may_be_plain = self._when is not None and found.layout.removal is None

    def is_plain(self, cells: tuple[str, ...]) -> bool:
        """Whether a look is enough to see that the row carries an airing and has the header's shape, as nearly all do."""
        return (
            self._may_be_plain
            and len(cells) == self._n_names
            and cells[self._when or 0][:1].isdecimal()
            and len(max(cells, key=len)) <= CELL_LETTERS_MAX
        )

    def of(self, record: Record) -> dict[Field, str]:
        """Each field's cell, an apostrophe that kept a spreadsheet from calculating it taken off."""
        here, n_cells = record.cells, len(record.cells)
        cells = {**self._constants, **{field_: here[place] if place < n_cells else "" for field_, place in self._places}}
        if "'" in "".join(cells.values()):
            for field_, cell in cells.items():
                if cell[:1] == "'" and cell[1:2] in NEUTRALISED:
                    cells[field_] = cell[1:]
        return cells


def _judged(record: Record, found: Found) -> Problem | None:
    """Why a row carries no airing, or what is wrong with its shape; None for a row to read."""
    skipped = _skipped(record, found)
    if skipped:
        return about(Severity.NOTE, record.line, skipped)
    return _removal(record, found) or _misfit(record, found)


def _removal(record: Record, found: Found) -> Problem | None:
    """A row of an update that takes an airing out: taken for a plan it would arm what is to go."""
    if found.layout.removal is None:
        return None
    column, word = found.layout.removal
    if (column, word) not in zip(found.names, record.cells, strict=False):
        return None
    reason, fix = f"the row takes an airing out ({column} {word})", "ask for the whole plan; a plan lists what is to air"
    return about(Severity.ERROR, record.line, reason, fix)


def _skipped(record: Record, found: Found) -> str:
    """Why a row carries no airing, empty when it may carry one.

    A row that says a date, a time or an instant is never skipped, and one that is shorter than the header only when its words
    are those of a total or a footer, since it may be half a row.
    """
    whens = [found.places.get(field_) for field_ in (Field.DATE, Field.TIME, Field.INSTANT)]
    said = [record.cells[place] for place in whens if place is not None and place < len(record.cells)]
    if any(cell[:1].isdecimal() for cell in said):
        return ""
    filled = [cell for cell, name in zip_longest(record.cells, found.names) if cell and not (name or "").startswith(OUR_COLUMNS)]
    if not filled:
        return "blank row skipped"
    if tuple(map(named, record.cells)) == found.names:
        return "repeated header skipped"
    if any(_is_when(cell, alone=len(set(filled)) == 1) for cell in said):
        return ""
    return _words_of(record, filled, n_names=len(found.names))


def _words_of(record: Record, filled: list[str], *, n_names: int) -> str:
    """What a row without date and time is, by its words."""
    if _TOTALS.fullmatch(filled[0]):
        return "totals row skipped"
    if len(filled) == 1 and _FOOTER.fullmatch(filled[0]):
        return f"footer '{shown(filled[0])}' skipped"
    if len(set(filled)) == 1 and len(record.cells) >= n_names > 2:
        return f"group row '{shown(filled[0])}' skipped"
    return ""


def _is_when(cell: str, *, alone: bool) -> bool:
    """Whether the cell may mean a date or time, however badly written."""
    if not cell or _TOTALS.fullmatch(cell) or _FOOTER.fullmatch(cell):
        return False
    return not alone or any(letter.isdecimal() for letter in cell)


def _uncalculated(record: Record, found: Found) -> list[Problem]:
    """The cells of the row that hold a formula a spreadsheet program has never calculated."""
    return [
        Problem(
            severity=Severity.ERROR,
            row=record.line,
            column=shown(found.titles[place]),
            value="",
            reason="a formula without a value",
            fix="open the workbook in a spreadsheet program, let it calculate, and save it",
        )
        for place in found.places.values()
        if place < len(record.cells) and record.cells[place] == UNCALCULATED
    ]


def _misfit(record: Record, found: Found) -> Problem | None:
    """What is wrong with the row's shape, None when it fits the header."""
    cells, n_names = record.cells, len(found.names)
    if len(cells) < n_names and ((found.sheet.is_ragged and found.line) or len(cells) <= max(found.places.values())):
        reason = f"the row ends after {len(cells)} of {n_names} columns"
        return about(Severity.ERROR, record.line, reason, "is the file whole? Fill the row or remove it")
    if any(cells[n_names:]):
        reason = f"the row has cells beyond the {n_names} columns of the header"
        return about(Severity.ERROR, record.line, reason, "put a cell that holds the separator into quotes")
    for name, cell in zip(found.titles, cells, strict=False):
        if len(cell) > CELL_LETTERS_MAX:
            return Problem(
                severity=Severity.ERROR,
                row=record.line,
                column=shown(name),
                value=shown(cell),
                reason=f"{len(cell)} letters in one cell",
                fix=f"use at most {CELL_LETTERS_MAX}; a quote may be missing",
            )
    return None
