"""Plans, their problems, changes and versions, as tables and sentences on a terminal."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import typer
from rich.console import Console as Terminal
from rich.markup import escape
from rich.table import Table

from console.plan_sources import Source
from schedules.plan import Problem, Severity, counted

if TYPE_CHECKING:
    from console.plan_import import ChangeRow
    from schedules import Airing
    from schedules.plan import Reading
    from sync.plan_versions import PlanVersion

ROWS_SHOWN_MAX = 200
_COLOURS = {"error": "red", "warning": "yellow", "note": "dim"}
_CHANGE_COLOURS = {"new": "green", "moved": "yellow", "dropped": "red", "left alone": "magenta"}


def show_airings(airings: Iterable["Airing"]) -> None:
    """The airings of a plan."""
    rows = [(str(airing.row), escape(airing.airing_id), _instant(airing.planned_utc), _window(airing)) for airing in airings]
    _show("Airings", ("row", "airing", "planned UTC", "window"), rows)


def show_problems(source: Source) -> None:
    """What is wrong with a plan, and how it was read."""
    rows = [
        (
            f"[{_COLOURS[problem.severity]}]{problem.severity}[/]",
            str(problem.row),
            escape(problem.column),
            escape(problem.value),
            escape(problem.reason),
            escape(problem.fix),
        )
        for problem in source.plan.problems
    ]
    _show("Problems", ("", "row", "column", "value", "what is wrong", "what to do"), rows)
    typer.echo(read_as(source.plan.reading))
    typer.echo(f"{source.file}: {counted(len(source.plan.airings), 'airing')}, {severities(source.plan.problems)}")


def severities(problems: Sequence[Problem]) -> str:
    """How many problems there are of each severity, in words."""
    return ", ".join(counted(sum(problem.severity is one for problem in problems), one.value) for one in Severity)


def show_changes(changes: "Sequence[ChangeRow]") -> None:
    """What changes, one line an airing."""
    rows = [
        (
            f"[{_CHANGE_COLOURS[one.change]}]{one.change}[/]",
            escape(one.airing_id),
            _instant(one.before_utc),
            _instant(one.after_utc),
            escape(one.remark),
        )
        for one in changes
    ]
    _show("Changes", ("", "airing", "was, UTC", "is, UTC", ""), rows)


def show_versions(versions: "Sequence[PlanVersion]", *, of_plan: bool) -> None:
    """Versions, of one plan or the newest of each."""
    rows = [
        (
            *(() if of_plan else (escape(one.plan_id),)),
            str(one.number),
            f"{one.imported_utc:%Y-%m-%d %H:%M}",
            escape(one.actor),
            escape(one.file_name) if one.rolled_back_to is None else f"back to {one.rolled_back_to}",
            one.sha256[:8],
            str(one.airing_count),
            f"+{one.new_count} ~{one.moved_count} -{one.dropped_count}",
        )
        for one in versions
    ]
    headings = ("version", "imported UTC", "by", "file", "SHA-256", "airings", "+ new ~ moved - dropped")
    _show("Versions" if of_plan else "Plans", headings if of_plan else ("plan", *headings), rows)


def _instant(instant_utc: datetime | None) -> str:
    return "" if instant_utc is None else f"{instant_utc:%Y-%m-%d %H:%M:%S}"


def _window(airing: "Airing") -> str:
    before_s = (airing.planned_utc - airing.opens_utc).total_seconds()
    after_s = (airing.closes_utc - airing.planned_utc).total_seconds()
    return f"-{before_s:g} +{after_s:g} s"


def read_as(reading: "Reading") -> str:
    """How the file was understood, in a sentence or two."""
    sheet = f", sheet '{reading.sheet}'" if reading.sheet else ""
    header = f", header in row {reading.header_row}" if reading.header_row else ""
    said = [f"{field} from '{column}'" for field, column in reading.columns.items() if field != column]
    said += [f"{field} is {value} throughout" for field, value in reading.constants.items()]
    if reading.date_order:
        said.append(f"dates are {reading.date_order} ({reading.date_order_because})")
    said.append(f"broadcast days begin at {reading.day_start}")
    if reading.zone:
        said.append(f"times are of {reading.zone}")
    return f"Read as {reading.layout} ({reading.container}{sheet}{header}): {'; '.join(said)}."


def _show(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if not rows:
        return
    table = Table(title=title, title_justify="left", show_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in ("row", "version", "airings") else "left", overflow="fold")
    for row in rows[:ROWS_SHOWN_MAX]:
        table.add_row(*row)
    Terminal().print(table)
    if len(rows) > ROWS_SHOWN_MAX:
        typer.echo(f"… and {len(rows) - ROWS_SHOWN_MAX} more; --json shows all")
    typer.echo()
