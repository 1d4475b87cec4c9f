"""What only workbooks can get wrong, seen from the plan."""

import io
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
import xlsxwriter

from schedules import Catalogue, Choices, DateOrder, KnownChannel, KnownSpot, Plan, PlanFileError, read_plan

CATALOGUE = Catalogue.of([KnownChannel(id="nord", timezone="Europe/Stockholm")], [KnownSpot(id="kaffee-30")])
HEADER = ["channel", "date", "time", "spot"]
ROW = ["nord", "2027-03-01", "20:15", "kaffee-30"]


def read(fill: Callable[[xlsxwriter.Workbook], object], choices: Choices | None = None) -> Plan:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        fill(book)
    return read_plan(out.getvalue(), catalogue=CATALOGUE, now_utc=datetime(2027, 2, 1, tzinfo=UTC), choices=choices)


def two_sheets(book: xlsxwriter.Workbook) -> None:
    for name, day in (("March", 1), ("April", 2)):
        sheet = book.add_worksheet(name)
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1, 0, ["nord", f"2027-03-0{day}", "20:15", "kaffee-30"])


def test_of_two_sheets_that_could_be_the_plan_one_is_asked_for() -> None:
    """Reading the first would silently drop the other."""
    with pytest.raises(PlanFileError, match="the sheets 'March' and 'April' could both be the plan; say which with --sheet"):
        read(two_sheets)

    plan = read(two_sheets, Choices(sheet="April"))
    assert (plan.reading.sheet, plan.airings[0].airing_id) == ("April", "nord/kaffee-30/2027-03-02/1")
    with pytest.raises(PlanFileError, match="no such sheet; the file has 'March', 'April'"):
        read(two_sheets, Choices(sheet="May"))


def test_the_sheet_with_the_header_is_the_plan() -> None:
    """Others may hold anything; rows are counted as the spreadsheet shows them."""

    def fill(book: xlsxwriter.Workbook) -> None:
        book.add_worksheet("notes").write(0, 0, "call Mia")
        sheet = book.add_worksheet("plan")
        sheet.write_row(4, 1, HEADER)
        sheet.write_row(5, 1, ROW)

    plan = read(fill)

    assert (plan.reading.sheet, plan.reading.header_row, plan.airings[0].row) == ("plan", 5, 6)


def test_a_formula_without_a_value_is_an_error_of_its_cell() -> None:
    """Taken for an empty cell, a window would silently have its default."""

    def fill(book: xlsxwriter.Workbook) -> None:
        sheet = book.add_worksheet("plan")
        sheet.write_row(0, 0, [*HEADER, "window_after_s"])
        sheet.write_row(1, 0, ROW)
        sheet.write_formula(1, 4, "=60*10", None, "")

    (problem, *_) = read(fill).errors

    assert (problem.row, problem.column, problem.reason) == (2, "window_after_s", "a formula without a value")


def test_dates_of_which_a_spreadsheet_has_swapped_some_are_refused() -> None:
    """It made dates of those it could read in its own order, and left the others as text."""

    def fill(book: xlsxwriter.Workbook) -> None:
        sheet = book.add_worksheet("plan")
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1, 0, ROW)
        sheet.write_datetime(1, 1, date(2027, 2, 3), book.add_format({"num_format": "dd/mm/yyyy"}))
        sheet.write_row(2, 0, ["nord", "13/03/2027", "20:15", "kaffee-30"])

    for choices in (Choices(), Choices(date_order=DateOrder.DAY_FIRST)):
        (problem,) = read(fill, choices).errors
        assert "the column holds dates (row 2) and dates as text (row 3)" in problem.reason
