"""The as-run report on the console: page, year, and files through the API. Reads the ledger; the engine is not asked."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi import Path as PathParameter
from fastapi.responses import Response
from markupsafe import Markup

from console.errors import ConsoleError
from console.reports.as_run import Asked, AsRunReports, Report
from console.reports.columns import Kind, Sheet, airings_sheet, cells_shown, delivery_sheet
from console.reports.files import FILES
from console.reports.formats import Format
from console.reports.pictures import days_shown, legend, timeline, year_map
from console.reports.svg import as_svg
from console.web.api import ERRORS, LoggedIn
from console.web.pages import page
from schedules.as_run import MEANINGS, Line, Verdict
from schedules.delivery import delivered
from sync.errors import LedgerError, ReportError

LINES_SHOWN_MAX: Final = 500
DAYS_DRAWN_MAX: Final = 7
LETTERS_MAX: Final = 200
_COLUMNS: Final = (
    *("verdict", "broadcast_day", "channel", "spot", "planned_local", "heard_local", "deviation_s", "aired_s"),
    *("tweets", "first_byte_ms", "why"),
)
_TONES: Final = {
    "good": (Verdict.FIRED, Verdict.HEARD, Verdict.REHEARSED),
    "bad": (Verdict.NOT_HEARD, Verdict.FAILED, Verdict.UNSETTLED, Verdict.CUT_SHORT, Verdict.WRONG_VERSION, Verdict.WRONG_BREAK),
    "warn": (Verdict.NOT_LISTENED, Verdict.LATE, Verdict.HELD, Verdict.JOINED_LATE, Verdict.OFF_PLAN, Verdict.UNPLANNED),
}
_FILES: Final = tuple(FILES)
router = APIRouter()
page_router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What the address asks for; the days as written, if any."""

    first: date | None
    last: date | None
    channel: str
    campaign: str

    def asked(self, today: date) -> Asked:
        """The days, today where none is named.

        Raises:
            ConsoleError: they are in the wrong order, or too many.
        """
        first = self.first or self.last or today
        return Asked(first=first, last=self.last or first, channel=self.channel, campaign=self.campaign)


def filters_of(
    first: Annotated[date | None, Query(alias="from", description="First broadcast day; today if none is named.")] = None,
    last: Annotated[date | None, Query(alias="to", description="Last broadcast day; else the first.")] = None,
    channel: Annotated[str, Query(max_length=LETTERS_MAX)] = "",
    campaign: Annotated[str, Query(max_length=LETTERS_MAX)] = "",
) -> Filters:
    """The filters of an address."""
    return Filters(first=first, last=last, channel=channel, campaign=campaign)


def reports_of(request: Request) -> AsRunReports:
    """The application's reports.

    Raises:
        HTTPException: it was started without a ledger (503).
    """
    reports: AsRunReports | None = request.app.state.reports
    if reports is None:
        raise HTTPException(503, "This console was started without a ledger and has no reports.")
    return reports


Wanted = Annotated[Filters, Depends(filters_of)]
Reports = Annotated[AsRunReports, Depends(reports_of)]


@router.get("/api/v1/as-run", responses=ERRORS, tags=["reports"], dependencies=[LoggedIn])
async def as_run(request: Request, reports: Reports, wanted: Wanted) -> Response:
    """Every airing of these broadcast days with what was heard and fired, and the sums."""
    return await _file(request, reports, wanted, Format.JSON)


@router.get("/api/v1/as-run/{format}", responses=ERRORS, tags=["reports"], dependencies=[LoggedIn])
async def as_run_file(
    request: Request, reports: Reports, wanted: Wanted, form: Annotated[Format, PathParameter(alias="format")]
) -> Response:
    """The same as a file: csv, xlsx, json, pdf, bxf or svg."""
    if form not in FILES:
        raise HTTPException(422, f"format: a {form} is no file; use one of {', '.join(FILES)}")
    return await _file(request, reports, wanted, form, is_attachment=True)


@page_router.get("/as-run", dependencies=[LoggedIn])
async def as_run_page(request: Request, reports: Reports, wanted: Wanted) -> Response:
    """The report as a page, today's if no day is named."""
    report = await _made(request, reports, lambda: wanted.asked(reports.today()))
    return page(request, "as_run.html", **_shown(report))


@page_router.get("/as-run/year", dependencies=[LoggedIn])
async def as_run_year(
    request: Request,
    reports: Reports,
    wanted: Wanted,
    year: Annotated[int | None, Query(ge=2000, le=2099)] = None,
) -> Response:
    """A year as a heat map."""
    year = year or reports.today().year
    first, last = date(year, 1, 1), date(year, 12, 31)
    report = await _made(
        request, reports, lambda: Asked(first=first, last=last, channel=wanted.channel, campaign=wanted.campaign)
    )
    return page(request, "as_run_year.html", **_shown_year(report, year))


async def _file(
    request: Request, reports: AsRunReports, wanted: Filters, form: Format, *, is_attachment: bool = False
) -> Response:
    report = await _made(request, reports, lambda: wanted.asked(reports.today()))
    async with request.app.state.reporting:
        data = await asyncio.to_thread(FILES[form].write, report)
    days = report.asked.words.replace(" ", "-")
    named = {"content-disposition": f'attachment; filename="as-run-{days}.{FILES[form].suffix}"'} if is_attachment else {}
    return Response(data, media_type=FILES[form].media_type, headers=named)


async def _made(request: Request, reports: AsRunReports, asked: Callable[[], Asked]) -> Report:
    """The report; one is made at a time, so that many readers do not take the machine from the engine.

    Raises:
        HTTPException: what was asked for cannot be had (422), or the ledger cannot be read (503).
    """
    try:
        async with request.app.state.reporting:
            return await asyncio.to_thread(reports.make, asked())
    except ReportError as error:
        raise HTTPException(422, str(error)) from error
    except LedgerError as error:
        raise HTTPException(503, str(error)) from error
    except ConsoleError as error:
        raise HTTPException(422, str(error)) from error


def _shown(report: Report) -> dict[str, Any]:
    asked = report.asked
    days = days_shown(report, DAYS_DRAWN_MAX)
    pictures = [_drawn(as_svg(timeline(report, day))) for day in days] or [_drawn(as_svg(timeline(report, asked.first)))]
    query = {"from": asked.first, "to": asked.last, "channel": asked.channel, "campaign": asked.campaign}
    address = urlencode({name: value for name, value in query.items() if value})
    step = timedelta(days=len(asked.days))
    return {
        "report": report,
        "campaigns": _campaigns(report),
        "of_year": urlencode({"year": asked.first.year, "channel": asked.channel, "campaign": asked.campaign}),
        "pictures": pictures,
        "legend": _drawn(as_svg(legend())),
        "undrawn": len(set(days_shown(report, len(asked.days)))) - len(days),
        "lines": _narrow(airings_sheet(report)),
        "tones": [next((tone for tone, verdicts in _TONES.items() if line.verdict in verdicts), "calm") for line in report.lines],
        "delivery": delivery_sheet(report),
        "delivery_rows": list(cells_shown(delivery_sheet(report))),
        "rows_max": LINES_SHOWN_MAX,
        "meanings": {verdict: MEANINGS[verdict] for verdict in report.total.counts},
        "files": [(form.value.upper(), f"/api/v1/as-run/{form}?{address}") for form in _FILES],
        "earlier": urlencode({**query, "from": asked.first - step, "to": asked.last - step}),
        "later": urlencode({**query, "from": asked.first + step, "to": asked.last + step}),
        "is_number": [kind not in (Kind.TEXT, Kind.DAY) for kind in delivery_sheet(report).kinds],
    }


def _shown_year(report: Report, year: int) -> dict[str, Any]:
    of_month = defaultdict[date, list[Line]](list)
    for line in report.lines:
        of_month[report.calendar.day(line.channel, line.at_utc).replace(day=1)].append(line)
    query = {"channel": report.asked.channel, "campaign": report.asked.campaign}
    months = [
        {
            "name": f"{month:%Y-%m}",
            "sum": delivered(lines),
            "address": urlencode({"from": month, "to": _last_of(month), **query}),
        }
        for month, lines in sorted(of_month.items())
    ]
    return {
        "report": report,
        "campaigns": _campaigns(report),
        "year": year,
        "picture": _drawn(as_svg(year_map(report))),
        "months": months,
        "earlier": urlencode({"year": year - 1, **query}),
        "later": urlencode({"year": year + 1, **query}),
    }


def _last_of(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def _campaigns(report: Report) -> list[str]:
    """The campaigns to choose from, the one that is chosen among them."""
    return sorted({*report.campaigns, *filter(None, [report.asked.campaign])})


def _narrow(sheet: Sheet) -> dict[str, Any]:
    """The columns a page has room for, the first `LINES_SHOWN_MAX` rows."""
    kept = [sheet.names.index(name) for name in _COLUMNS]
    rows = [tuple(cells[place] for place in kept) for _, cells in zip(range(LINES_SHOWN_MAX), cells_shown(sheet), strict=False)]
    numbers = [sheet.kinds[place] not in (Kind.TEXT, Kind.DAY) for place in kept]
    return {"titles": [sheet.titles[place] for place in kept], "rows": rows, "numbers": numbers}


def _drawn(svg: str) -> Markup:
    # Made by ElementTree, which escapes every text in it.
    return Markup(svg)
