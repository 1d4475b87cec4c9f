"""A report as bytes of a file: CSV, XLSX, JSON, BXF, PDF.

Text that a spreadsheet would calculate is neutralised by an apostrophe, which our readers take off again; numbers are numbers.
"""

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Final

from console.reports.as_run import Report
from console.reports.columns import Kind, Sheet, Value, airings_sheet, comparison_sheet, sheets_of
from console.reports.formats import Format
from console.reports.pdf import as_pdf
from console.reports.pictures import as_picture
from schedules.as_run import Line
from schedules.bxf_writing import as_bxf
from schedules.comparison import Compared
from schedules.delivery import Delivery
from schedules.table import neutral

_WIDTHS: Final = {Kind.TEXT: 18, Kind.DAY: 12, Kind.INSTANT: 20}
_FORMATS: Final = {
    Kind.COUNT: "0",
    Kind.SECONDS: "0.0",
    Kind.MILLISECONDS: "0",
    Kind.SHARE: "0.0%",
    Kind.DAY: "yyyy-mm-dd",
    Kind.INSTANT: "yyyy-mm-dd hh:mm:ss",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileKind:
    """A format's media type, its suffix, and what writes it."""

    media_type: str
    suffix: str
    write: Callable[[Report], bytes]


def as_csv(report: Report) -> bytes:
    """The airings, or the comparison where there is a log; UTF-8 with a byte order mark, as spreadsheets want it."""
    sheet = airings_sheet(report) if report.comparison is None else comparison_sheet(report)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(sheet.names)
    writer.writerows([_csv_cell(value) for value in row] for row in sheet.rows)
    return text.getvalue().encode("utf-8-sig")


def as_xlsx(report: Report) -> bytes:
    """A workbook of all tables: real dates, instants in UTC, numbers and shares."""
    import xlsxwriter

    out = io.BytesIO()
    options = {"in_memory": True, "strings_to_urls": False, "strings_to_formulas": False, "remove_timezone": True}
    with xlsxwriter.Workbook(out, options) as book:
        formats = {kind: book.add_format({"num_format": code}) for kind, code in _FORMATS.items()}
        bold = book.add_format({"bold": True, "bottom": 1})
        for sheet in sheets_of(report):
            _write_sheet(book.add_worksheet(sheet.name), sheet, formats, bold)
        about = book.add_worksheet("about")
        for number, (name, value) in enumerate(about_rows(report)):
            about.write_string(number, 0, name, bold)
            about.write_string(number, 1, neutral(value))
        about.set_column(0, 1, 28)
    return out.getvalue()


def as_json(report: Report) -> bytes:
    """Everything, for programs; instants in UTC with their zone."""
    return json.dumps(facts(report), ensure_ascii=False, indent=1, default=_json_value).encode()


def facts(report: Report) -> dict[str, Any]:
    """The report as values of JSON, but for dates and instants."""
    found: dict[str, Any] = {
        "days": {"from": report.asked.first, "to": report.asked.last, "begin_at": report.day_start},
        "channel": report.asked.channel or None,
        "campaign": report.asked.campaign or None,
        "made_utc": report.made_utc,
        "total": _delivery(report.total),
        "deliveries": [_delivery(one) for one in report.sums],
        "lines": [_line(report, line) for line in report.lines],
    }
    if report.comparison is not None and report.log is not None:
        found["comparison"] = {
            "offsets_s": report.comparison.offsets_s,
            "counts": report.comparison.counts(),
            "rows_of_others": report.log.n_others,
            "rows": [_compared(row) for row in report.comparison.rows],
        }
    return found


def about_rows(report: Report) -> tuple[tuple[str, str], ...]:
    """What the report is of, and what its words mean."""
    return (
        ("Broadcast days", report.asked.words),
        ("Days begin at", report.day_start),
        ("Local times of", report.zones),
        ("Channel", report.asked.channel or "all"),
        ("Campaign", report.asked.campaign or "all"),
        ("Made, UTC", f"{report.made_utc:%Y-%m-%d %H:%M:%S}"),
        ("Planned", str(report.total.planned)),
        ("Window over", str(report.total.decided)),
        ("As planned", str(report.total.delivered)),
        ("Owed", str(report.total.owed)),
        ("Not listened", str(report.total.unknown)),
    )


def _write_sheet(page: Any, sheet: Sheet, formats: Mapping[Kind, Any], bold: Any) -> None:
    page.freeze_panes(1, 0)
    for column, (title, kind) in enumerate(zip(sheet.titles, sheet.kinds, strict=True)):
        page.write_string(0, column, title, bold)
        page.set_column(column, column, _WIDTHS.get(kind, 11))
    for number, row in enumerate(sheet.rows, start=1):
        for column, (value, kind) in enumerate(zip(row, sheet.kinds, strict=True)):
            _write_cell(page, number, column, value, formats.get(kind))
    if sheet.rows:
        page.autofilter(0, 0, len(sheet.rows), len(sheet.names) - 1)


def _write_cell(page: Any, row: int, column: int, value: Value, format_: Any) -> None:
    match value:
        case None | "":
            return
        case str():
            page.write_string(row, column, neutral(value))
        case datetime() | date():
            page.write_datetime(row, column, value, format_)
        case int() | float():
            page.write_number(row, column, value, format_)


def _csv_cell(value: Value) -> str:
    match value:
        case None:
            return ""
        case str():
            return neutral(value)
        case datetime():
            return value.isoformat(timespec="milliseconds")
        case date():
            return value.isoformat()
        case int() | float():
            return repr(value)


def _json_value(value: object) -> str:
    assert isinstance(value, date)
    return value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else value.isoformat()


def _delivery(one: Delivery) -> dict[str, Any]:
    return {**asdict(one), "share": one.share}


def _line(report: Report, line: Line) -> dict[str, Any]:
    return {
        "verdict": line.verdict,
        "why": line.why,
        "broadcast_day": report.calendar.day(line.channel, line.at_utc),
        "zone": str(report.calendar.zone(line.channel)),
        "channel": line.channel,
        "campaign": line.campaign,
        "spot": line.spot_id,
        "airing": None if line.airing is None else asdict(line.airing),
        "deviation_s": line.deviation_s,
        "heard": [asdict(one) for one in line.heard],
        "fired": [asdict(one) for one in line.fired],
    }


def _compared(row: Compared) -> dict[str, Any]:
    return {
        "agreement": row.agreement,
        "verdict": row.line.verdict if row.line else None,
        "airing": row.line.airing.airing_id if row.line and row.line.airing else None,
        "heard_utc": row.line.began_utc if row.line else None,
        "difference_s": row.difference_s,
        "length_difference_s": row.length_difference_s,
        "logged": None if row.logged is None else asdict(row.logged),
    }


def _bxf(report: Report) -> bytes:
    return as_bxf(report.lines, report.calendar, made_utc=report.made_utc)


def _svg(report: Report) -> bytes:
    return as_picture(report).encode()


FILES: Final[Mapping[Format, FileKind]] = {
    Format.CSV: FileKind(media_type="text/csv; charset=utf-8", suffix="csv", write=as_csv),
    Format.XLSX: FileKind(
        media_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", suffix="xlsx", write=as_xlsx
    ),
    Format.JSON: FileKind(media_type="application/json", suffix="json", write=as_json),
    Format.PDF: FileKind(media_type="application/pdf", suffix="pdf", write=as_pdf),
    Format.BXF: FileKind(media_type="application/xml", suffix="bxf.xml", write=_bxf),
    Format.SVG: FileKind(media_type="image/svg+xml", suffix="svg", write=_svg),
}
"""How each format of a file is written."""
