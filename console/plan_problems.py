"""A plan's rows with their problems beside them, as CSV or XLSX, so that its author can mend the file itself.

A cell that a spreadsheet would calculate is neutralised by an apostrophe before it; `schedules.table` takes it off again.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from console.errors import ConsoleError
from schedules import Plan, Severity
from schedules.plan import Problem
from schedules.table import neutral

COLUMNS: Final = ("cuebird_row", "cuebird_severity", "cuebird_problem", "cuebird_fix")
"""Behind the plan's own columns; a plan with them is read as if they were not there (`schedules.layouts.OUR_COLUMNS`)."""
_WORST_FIRST: Final = tuple(Severity)


def write_problems(path: Path, plan: Plan) -> None:
    """Write every row of the plan with what is wrong with it; the suffix of `path` says how.

    Raises:
        ConsoleError: another suffix than .csv or .xlsx, or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".xlsx"):
        raise ConsoleError(f"{path}: problems are written as .csv or .xlsx; name the file so")
    try:
        path.write_bytes(problem_file(plan, suffix))
    except OSError as error:
        raise ConsoleError(f"{path}: {error.strerror}; name a file that can be written") from error


def problem_file(plan: Plan, suffix: str) -> bytes:
    """Every row of the plan with what is wrong with it, as a file of that suffix: `.csv` or `.xlsx`."""
    rows = list(problem_rows(plan))
    return _csv(rows, plan.reading.separator or ",") if suffix == ".csv" else _xlsx(rows)


def problem_rows(plan: Plan) -> Iterator[tuple[str, ...]]:
    """The header, each row as it stands with its line, worst severity, problems and fixes, and what was said of the header."""
    of_row = defaultdict[int, list[Problem]](list)
    for problem in plan.problems:
        of_row[problem.row].append(problem)
    titles = plan.original.titles
    yield (*map(neutral, titles), *COLUMNS)
    for line, cells in plan.original.rows:
        padded = (*cells[: len(titles)], *[""] * (len(titles) - len(cells)))
        yield (*map(neutral, padded), *_told(line, of_row.pop(line, [])))
    for line, elsewhere in sorted(of_row.items()):
        yield (*[""] * len(titles), *_told(line, elsewhere))


def _told(line: int, problems: list[Problem]) -> tuple[str, str, str, str]:
    worst = min((problem.severity for problem in problems), key=_WORST_FIRST.index, default="")
    reasons = "\n".join(f"{problem.column}: {problem.reason}" if problem.column else problem.reason for problem in problems)
    fixes = "\n".join(dict.fromkeys(problem.fix for problem in problems if problem.fix))
    return str(line), str(worst), neutral(reasons), neutral(fixes)


def _csv(rows: list[tuple[str, ...]], separator: str) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator).writerows(rows)
    return text.getvalue().encode("utf-8-sig")


def _xlsx(rows: list[tuple[str, ...]]) -> bytes:
    import xlsxwriter

    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_urls": False, "strings_to_formulas": False}) as book:
        sheet = book.add_worksheet("problems")
        colours = {"error": "#f8d7da", "warning": "#fff3cd"}
        formats = {word: book.add_format({"bg_color": colour, "text_wrap": True}) for word, colour in colours.items()}
        sheet.freeze_panes(1, 0)
        for index, row in enumerate(rows):
            format_ = book.add_format({"bold": True}) if index == 0 else formats.get(row[-3])
            for column, cell in enumerate(row):
                if cell or format_ is not None:
                    sheet.write_string(index, column, cell, format_)
        sheet.set_column(0, len(rows[0]) - 3, 16)
        sheet.set_column(len(rows[0]) - 2, len(rows[0]) - 1, 60)
    return out.getvalue()
