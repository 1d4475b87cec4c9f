"""`cuebird report`: account for every airing."""

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console as Terminal
from rich.markup import escape
from rich.table import Table

from console.options import ConfigOption
from console.plan_options import ColumnMap, Constants, DayStart, LayoutName, Order, SheetName, SmallHours, Zone, choices_of
from console.reports.formats import Format

if TYPE_CHECKING:
    from console.config import Config
    from console.reports.as_run import Report
    from console.reports.columns import Sheet
    from schedules import Choices
    from schedules.broadcast_log import BroadcastLog

ROWS_SHOWN_MAX = 200
PROBLEMS_SHOWN_MAX = 20
_NOT_ON_SCREEN = (
    "planned_utc",
    "heard_utc",
    "airing",
    "feeds",
    "tweet_ids",
    "heard_ms",
    "logged_utc",
    "log_row",
    "campaign",
    "zone",
    "coverage",
)
"""Columns there is no room for on a screen."""


_BINARY = (Format.XLSX, Format.PDF)

Day = Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], metavar="DAY", help="First broadcast day.")]
LastDay = Annotated[
    datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], metavar="DAY", help="Last broadcast day; else the first.")
]
Channel = Annotated[str, typer.Option("--channel", help="Only this channel.")]
Campaign = Annotated[str, typer.Option("--campaign", help="Only this campaign.")]
Log = Annotated[
    Path | None,
    typer.Option("--log", metavar="FILE", help="The broadcaster's own as-run log (.arl, BXF, CSV, XLSX), to be compared."),
]
Form = Annotated[Format, typer.Option("--format", help="What to write.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write into FILE, else to standard output.")]


def register(app: typer.Typer) -> None:
    """Add the group of verbs to the command line."""
    group = typer.Typer(no_args_is_help=True, help="Reports on what was planned, heard and fired.")
    group.callback()(_group)
    group.command("as-run")(as_run)
    app.add_typer(group, name="report")


def _group() -> None:
    """Reports on what was planned, heard and fired."""


def as_run(
    first: Day,
    last: LastDay = None,
    *,
    config: ConfigOption = None,
    channel: Channel = "",
    campaign: Campaign = "",
    log: Log = None,
    layout: LayoutName = "",
    columns: ColumnMap = None,
    constants: Constants = None,
    date_order: Order = None,
    zone: Zone = "",
    day_start: DayStart = "",
    small_hours: SmallHours = "refuse",
    sheet: SheetName = "",
    form: Form = Format.TABLE,
    out: Out = None,
) -> None:
    """What became of every airing: planned, heard and fired side by side, and beside the broadcaster's own log.

    --layout, --map, --set, --date-order, --zone, --small-hours and --sheet say how the log is to be read.
    """
    from console.config import find_config, load_config
    from console.reports.as_run import DAY_START, Asked, AsRunReports
    from timebase import SystemClock

    loaded = load_config(find_config(config))
    choices = choices_of(
        layout=layout, columns=columns, constants=constants, date_order=date_order, zone=zone, day_start=day_start,
        small_hours=small_hours, sheet=sheet,
    )  # fmt: skip
    asked = Asked(first=first.date(), last=(last or first).date(), channel=channel, campaign=campaign)
    reports = AsRunReports.of(loaded, SystemClock(), day_start=day_start or DAY_START)
    report = reports.make(asked, log=None if log is None else _read_log(log, loaded, choices))
    if form is Format.TABLE:
        _show(report)
        return
    _write(_made(report, form), form, out)


def _made(report: "Report", form: Format) -> bytes:
    from console.reports.files import FILES

    return FILES[form].write(report)


def _write(data: bytes, form: Format, out: Path | None) -> None:
    from console.errors import ConsoleError

    if out is None:
        if form in _BINARY and sys.stdout.isatty():
            raise ConsoleError(f"a {form} file is nothing to look at in a terminal; give --out FILE")
        sys.stdout.buffer.write(data)
        return
    try:
        out.write_bytes(data)
    except OSError as error:
        raise ConsoleError(f"{out}: {error.strerror}; name a file that can be written") from error
    typer.echo(f"{out}: written", err=True)


def _read_log(file: Path, config: "Config", choices: "Choices") -> "BroadcastLog":
    """The log in `file`.

    Raises:
        PlanFileError: it cannot be read, is no log, or has errors; the message names file and row.
    """
    from console.plan_catalogue import plan_catalogue
    from schedules import PlanFileError
    from schedules.broadcast_log import read_log
    from schedules.cells import FILE_BYTES_MAX
    from timebase import SystemClock

    try:
        with file.open("rb") as opened:
            data = opened.read(FILE_BYTES_MAX + 1)
        log = read_log(data, name=file.name, catalogue=plan_catalogue(config), now_utc=SystemClock().utc(), choices=choices)
    except OSError as error:
        raise PlanFileError(f"{file}: {error.strerror}; name a file that can be read") from error
    except PlanFileError as error:
        raise PlanFileError(f"{file}: {error}") from error
    if log.problems:
        for problem in log.problems[:PROBLEMS_SHOWN_MAX]:
            typer.echo(f"{file}: {problem}", err=True)
        raise PlanFileError(f"{file}: not compared: {len(log.problems)} of its rows cannot be read; mend them as said above")
    return log


def _show(report: "Report") -> None:
    from console.reports.columns import airings_sheet, comparison_sheet

    sheet = airings_sheet(report) if report.comparison is None else comparison_sheet(report)
    _show_sheet(sheet, f"As run, {report.asked.words} (local times of {report.zones}, days begin at {report.day_start})")
    total = report.total
    if not report.lines:
        typer.echo(f"Nothing was planned, heard or fired on {report.asked.words}.")
        return
    typer.echo(
        f"{total.planned} airings planned, {total.decided} of them over: {total.delivered} as planned, {total.owed} owed, "
        f"{total.unknown} with nobody listening. {total.off_plan} off plan. {total.posted} with a tweet posted."
    )
    typer.echo(", ".join(f"{count} {verdict}" for verdict, count in total.counts.items()))
    if report.comparison is not None and report.log is not None:
        said = ", ".join(f"{count} {agreement}" for agreement, count in report.comparison.counts().items())
        typer.echo(
            f"Beside the log: {said or 'nothing'}. {report.log.n_others} rows of the log are not of our spots and channels."
        )
        for name, offset_s in report.comparison.offsets_s.items():
            typer.echo(f"{name} is usually heard {offset_s:+.1f} s after what the log says; times are compared after that.")


def _show_sheet(sheet: "Sheet", title: str) -> None:
    from console.reports.columns import Kind, cells_shown

    kept = [number for number, name in enumerate(sheet.names) if name not in _NOT_ON_SCREEN]
    table = Table(title=escape(title), title_justify="left", show_edge=False)
    for number in kept:
        is_text = sheet.kinds[number] in (Kind.TEXT, Kind.DAY)
        table.add_column(sheet.titles[number], justify="left" if is_text else "right", overflow="fold")
    for number, cells in enumerate(cells_shown(sheet)):
        if number == ROWS_SHOWN_MAX:
            break
        table.add_row(*(escape(cells[column]) for column in kept))
    if sheet.rows:
        Terminal().print(table)
    if len(sheet.rows) > ROWS_SHOWN_MAX:
        typer.echo(f"… and {len(sheet.rows) - ROWS_SHOWN_MAX} more; --format csv shows all")
    if sheet.rows:
        typer.echo()
