"""Bytes to a table: which encoding, which separator, where the header stands, which rows carry data. Pure.

A file that is no table at all is refused here with one sentence; wrong cells are the business of
`schedules.plan_csv`.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from schedules.errors import PlanFileError
from schedules.plan import Problem, Severity

FILE_BYTES_MAX = 8 << 20
ROWS_MAX = 20_000
COLUMNS_MAX = 64
CELL_LETTERS_MAX = 200
HEADER_ROW_MAX = 20
SEPARATORS = (",", ";", "\t")
VALUE_LETTERS_SHOWN = 60

_MAGIC = (
    (b"PK\x03\x04", "a ZIP or Excel workbook (.xlsx)"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)"),
    (b"%PDF", "a PDF document"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
    (b"<?xml", "an XML document"),
)
_SYNONYMS = {"tz": "timezone"}
"""Names too unlike their column to be found by their letters."""
_TOTALS = ("total", "totals", "totalt", "subtotal", "sum", "summa", "summe", "gesamt", "grand total", "sous-total")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of data: its line in the file, and its cells by column name, stripped."""

    line: int
    cells: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as read: rows of data, and what was wrong or skipped on the way."""

    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]
    separator: str
    encoding: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    line: int
    names: list[str]


def read_table(data: bytes, *, required: tuple[str, ...], optional: tuple[str, ...]) -> Table:
    """The table in `data`, its columns found by the header.

    Raises:
        PlanFileError: not text, too large, broken quotes, or no header with all required columns
            in the first 20 rows.
    """
    text, encoding = _decode(data)
    separator, header = _find_header(text, required=required, optional=optional)
    problems = list(_header_problems(header, optional=optional, known=(*required, *optional)))
    if encoding != "utf-8":
        reason = f"the file is not UTF-8 and was read as {encoding}"
        problems.append(_problem(Severity.WARNING, 1, reason, "check its accented letters, or save it as CSV UTF-8"))
    rows: list[Row] = []
    for line, cells in _records(text, separator):
        if line <= header.line:
            continue
        if len(rows) >= ROWS_MAX:
            raise PlanFileError(f"row {line}: more than {ROWS_MAX} rows; split the plan")
        skipped = _skipped(cells, header)
        if skipped:
            problems.append(_problem(Severity.NOTE, line, skipped, ""))
            continue
        misfit = _misfit(line, cells, header)
        if misfit is not None:
            problems.append(misfit)
            continue
        rows.append(Row(line=line, cells=dict(zip(header.names, cells, strict=False))))
    if not rows and not any(problem.severity is Severity.ERROR for problem in problems):
        raise PlanFileError(f"no rows below the header in row {header.line}; a plan has one row for each airing")
    return Table(rows=tuple(rows), problems=tuple(problems), separator=separator, encoding=encoding)


def shown(value: str) -> str:
    """`value`, shortened to what a message can bear."""
    return value if len(value) <= VALUE_LETTERS_SHOWN else value[: VALUE_LETTERS_SHOWN - 1] + "…"


def _decode(data: bytes) -> tuple[str, str]:
    if not data.strip():
        raise PlanFileError("the file is empty; a plan is a CSV file with a header row")
    if len(data) > FILE_BYTES_MAX:
        raise PlanFileError(f"{len(data)} bytes, more than {FILE_BYTES_MAX}; split the plan")
    for magic, name in _MAGIC:
        if data.startswith(magic):
            raise PlanFileError(f"this is {name}, not CSV; save it as CSV UTF-8 and try again")
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        raise PlanFileError(f"row {line} holds a NUL byte, so this is no text file; save the plan as CSV UTF-8")
    try:
        return data.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
    from charset_normalizer import from_bytes

    found = from_bytes(data, cp_isolation=["cp1252"]).best()
    if found is None:
        raise PlanFileError(f"row {line} is neither UTF-8 nor Windows (cp1252) text; save the plan as CSV UTF-8")
    return str(found), "cp1252"


def _records(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line it begins on, cells stripped.

    Raises:
        PlanFileError: broken quotes, or a cell or row beyond its limit.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise PlanFileError(f"row {line}: broken quotes ({error}); is the file whole? Close every quote") from error
        if len(cells) > COLUMNS_MAX and any(cells[COLUMNS_MAX:]):
            raise PlanFileError(f"row {line}: {len(cells)} cells, more than {COLUMNS_MAX}; this is no plan")
        yield line, [cell.strip() for cell in cells]
        line = reader.line_num + 1


def _named(cell: str) -> str:
    return "_".join(cell.casefold().split())


def _find_header(text: str, *, required: tuple[str, ...], optional: tuple[str, ...]) -> tuple[str, _Header]:
    """The separator and the header: the first row, by any separator, that names every required column."""
    best: list[str] = []
    broken: PlanFileError | None = None
    for separator in SEPARATORS:
        try:
            for count, (line, cells) in enumerate(_records(text, separator), start=1):
                if count > HEADER_ROW_MAX:
                    break
                names = [_named(cell) for cell in cells]
                if set(required) <= set(names):
                    return separator, _Header(line=line, names=names)
                if len(set(names) & {*required, *optional}) > len(set(best) & {*required, *optional}):
                    best = names
        except PlanFileError as error:
            broken = broken or error
    if not best and broken is not None:
        raise broken
    raise PlanFileError(_no_header(best, required))


def _no_header(best: list[str], required: tuple[str, ...]) -> str:
    wanted = f"no header row with the columns {', '.join(required)} in the first {HEADER_ROW_MAX} rows"
    if not best:
        return f"{wanted}; write them into the first row, separated by comma, semicolon or TAB"
    hints = []
    for name in required:
        if name not in best:
            alike = get_close_matches(name, best, n=1)
            hints.append(f"{name} (is it '{shown(alike[0])}'?)" if alike else name)
    return f"{wanted}; the nearest row lacks {', '.join(hints)}: add or rename"


def _header_problems(header: _Header, *, optional: tuple[str, ...], known: tuple[str, ...]) -> Iterator[Problem]:
    seen: set[str] = set()
    for name in header.names:
        if name in seen and name in known:
            yield _problem(Severity.ERROR, header.line, f"two columns named {name}", "remove or rename one")
        elif name and name not in known and name not in seen:
            alike = get_close_matches(_SYNONYMS.get(name, name), optional, n=1)
            if alike:
                yield _problem(Severity.ERROR, header.line, f"unknown column '{shown(name)}'", f"did you mean {alike[0]}?")
            else:
                yield _problem(Severity.NOTE, header.line, f"column '{shown(name)}' is not used", "")
        seen.add(name)


def _skipped(cells: list[str], header: _Header) -> str:
    """Why a row carries no airing, empty when it does."""
    filled = [cell for cell in cells if cell]
    if not filled:
        return "blank row skipped"
    if [_named(cell) for cell in cells] == header.names:
        return "repeated header skipped"
    by_name = dict(zip(header.names, cells, strict=False))
    if filled[0].casefold().rstrip(":") in _TOTALS and not by_name.get("date") and not by_name.get("time"):
        return "totals row skipped"
    return ""


def _misfit(line: int, cells: list[str], header: _Header) -> Problem | None:
    """What is wrong with the row's shape, None when it fits the header."""
    if len(cells) < len(header.names):
        reason = f"the row ends after {len(cells)} of {len(header.names)} columns"
        return _problem(Severity.ERROR, line, reason, "is the file whole? Fill the row or remove it")
    if any(cells[len(header.names) :]):
        reason = f"the row has cells beyond the {len(header.names)} columns of the header"
        return _problem(Severity.ERROR, line, reason, "put a cell that holds the separator into quotes")
    for name, cell in zip(header.names, cells, strict=False):
        if len(cell) > CELL_LETTERS_MAX:
            return Problem(
                severity=Severity.ERROR,
                row=line,
                column=shown(name),
                value=shown(cell),
                reason=f"{len(cell)} letters in one cell",
                fix=f"use at most {CELL_LETTERS_MAX}; a quote may be missing",
            )
    return None


def _problem(severity: Severity, row: int, reason: str, fix: str) -> Problem:
    return Problem(severity=severity, row=row, column="", value="", reason=reason, fix=fix)
