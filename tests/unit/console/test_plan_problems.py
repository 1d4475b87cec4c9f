import csv
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook

from console.errors import ConsoleError
from console.plan_problems import write_problems
from schedules import Catalogue, KnownChannel, KnownSpot, Plan, read_plan
from schedules.table import neutral

CATALOGUE = Catalogue.of([KnownChannel(id="nord", timezone="Europe/Stockholm")], [KnownSpot(id="kaffee-30")])
LINES = (
    "channel;date;time;spot;remark",
    "nord;2027-03-01;20:15;kaffee-30;=HYPERLINK(1)",
    "nord;soon;25:99;kaffee-30;fine",
    "Total;;;;1",
)


def plan_of(*lines: str) -> Plan:
    return read_plan("\n".join(lines).encode(), catalogue=CATALOGUE, now_utc=datetime(2027, 2, 1, tzinfo=UTC))


def test_each_row_has_its_problems_beside_it(tmp_path: Path) -> None:
    """In the plan's own separator, in its own order, those too that are skipped."""
    out = tmp_path / "out.csv"
    write_problems(out, plan_of(*LINES))

    header, good, bad, total, of_header = csv.reader(io.StringIO(out.read_text("utf-8-sig")), delimiter=";")
    assert header == [*LINES[0].split(";"), "cuebird_row", "cuebird_severity", "cuebird_problem", "cuebird_fix"]
    assert good[4:7] == ["'=HYPERLINK(1)", "2", ""]
    assert bad[:4] == ["nord", "soon", "25:99", "kaffee-30"]
    assert bad[5:7] == ["3", "error"]
    assert bad[7] == "date: not a date\ntime: no such time in a broadcast day"
    assert total[5:8] == ["4", "note", "totals row skipped"]
    assert of_header == [*[""] * 5, "1", "note", "column 'remark' is not used", ""]


def test_the_list_can_be_mended_and_sent_back(tmp_path: Path) -> None:
    """Its columns are read as if they were not there."""
    out = tmp_path / "out.csv"
    write_problems(out, plan_of(*LINES))

    mended = out.read_text("utf-8-sig").replace("soon", "2027-03-02").replace("25:99", "25:59")
    plan = plan_of(*mended.splitlines())

    assert [airing.airing_id for airing in plan.airings] == ["nord/kaffee-30/2027-03-01/1", "nord/kaffee-30/2027-03-02/1"]


def test_a_workbook_holds_texts_only(tmp_path: Path) -> None:
    """No cell of it is a formula or a link, and what looks like one is neutralised as well."""
    out = tmp_path / "out.xlsx"
    write_problems(out, plan_of(*LINES))

    rows = CalamineWorkbook.from_path(str(out)).get_sheet_by_index(0).to_python()
    assert rows[1][4] == "'=HYPERLINK(1)"
    assert rows[2][6:9] == ["error", "date: not a date\ntime: no such time in a broadcast day", rows[2][8]]
    assert b"<f>" not in out.read_bytes()


@pytest.mark.parametrize("cell", ["=1+1", "+01:00", "-5", "@SUM(A1)", "\t=1", "\r=1"])
def test_what_a_spreadsheet_would_calculate_is_neutralised(cell: str) -> None:
    """An apostrophe makes it text."""
    assert neutral(cell) == f"'{cell}"


@pytest.mark.parametrize("name", ["out.pdf", "out", "none/out.csv"])
def test_a_file_that_cannot_be_written_is_named(name: str, tmp_path: Path) -> None:
    """With what would do."""
    with pytest.raises(ConsoleError, match=r"out"):
        write_problems(tmp_path / name, plan_of(*LINES))
