"""Workbooks as people and enemies make them, read by the real child process."""

import io
import resource
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest
import xlsxwriter

from schedules import PlanFileError, workbook_child
from schedules.cells import COLUMNS_MAX, ROWS_MAX, SHEETS_MAX
from schedules.workbook_child import UNCALCULATED
from schedules.workbooks import ChildLimits, workbook_sheets

MEMORY_KIB_MAX = 300 << 10
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
SHEET = f'<worksheet xmlns="{MAIN}"><sheetData>%s</sheetData></worksheet>'


def xlsx(fill: Callable[[xlsxwriter.Workbook], object]) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        fill(book)
    return out.getvalue()


def package(sheet: Iterable[bytes], *, more: dict[str, str] | None = None) -> bytes:
    """An .xlsx of one sheet whose XML is given in pieces."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        parts = {
            "[Content_Types].xml": "<Types xmlns='http://schemas.openxmlformats.org/package/2006/content-types'/>",
            "_rels/.rels": f"<Relationships xmlns='{RELATIONS}'><Relationship Id='rId1' Type='{OFFICE}/officeDocument' "
            "Target='xl/workbook.xml'/></Relationships>",
            "xl/workbook.xml": f"<workbook xmlns='{MAIN}' xmlns:r='{OFFICE}'><sheets>"
            "<sheet name='plan' sheetId='1' r:id='rId1'/></sheets></workbook>",
            "xl/_rels/workbook.xml.rels": f"<Relationships xmlns='{RELATIONS}'><Relationship Id='rId1' "
            f"Type='{OFFICE}/worksheet' Target='worksheets/sheet1.xml'/></Relationships>",
            **(more or {}),
        }
        for name, text in parts.items():
            archive.writestr(name, text)
        with archive.open("xl/worksheets/sheet1.xml", "w") as part:
            for piece in sheet:
                part.write(piece)
    return out.getvalue()


def ods(rows: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet", zipfile.ZIP_STORED)
        archive.writestr("META-INF/manifest.xml", "<m:manifest xmlns:m='urn:oasis:names:tc:opendocument:xmlns:manifest:1.0'/>")
        names = {one: f"urn:oasis:names:tc:opendocument:xmlns:{one}:1.0" for one in ("office", "table", "text")}
        spaces = " ".join(f'xmlns:{one}="{name}"' for one, name in names.items())
        archive.writestr(
            "content.xml",
            f"<office:document-content {spaces}><office:body><office:spreadsheet><table:table table:name='plan'>{rows}"
            "</table:table></office:spreadsheet></office:body></office:document-content>",
        )
    return out.getvalue()


def cells_of(data: bytes) -> list[tuple[int, tuple[str, ...]]]:
    (sheet,) = workbook_sheets(data)
    return [(record.line, record.cells) for record in sheet.read()]


def test_cells_are_written_as_a_plan_would_write_them() -> None:
    """Dates as ISO 8601, times to the second, lengths of time beyond a day, whole numbers without a point."""

    def fill(book: xlsxwriter.Workbook) -> None:
        sheet = book.add_worksheet("plan")
        form = {name: book.add_format({"num_format": name}) for name in ("yyyy-mm-dd", "hh:mm:ss", "[hh]:mm:ss", "m/d/yy h:mm")}
        sheet.write_datetime(0, 0, date(2027, 3, 1), form["yyyy-mm-dd"])
        sheet.write_datetime(0, 1, time(20, 14, 59, 999_000), form["hh:mm:ss"])
        sheet.write_datetime(0, 2, timedelta(hours=25, minutes=30), form["[hh]:mm:ss"])
        sheet.write_datetime(0, 3, datetime(2027, 3, 1, 20, 15), form["m/d/yy h:mm"])  # noqa: DTZ001
        sheet.write_row(0, 4, [30, 7.5, " kaffee-30 ", True])

    ((line, cells),) = cells_of(xlsx(fill))

    assert line == 1
    assert cells[1:] == ("20:15:00", "25:30:00", "2027-03-01 20:15:00", "30", "7.5", "kaffee-30", "TRUE")
    assert cells[0].startswith("2027-03-01")


def test_dates_that_count_from_1904() -> None:
    """Old Macs did; the same day comes out."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "date_1904": True}) as book:
        book.add_worksheet("plan").write_datetime(0, 0, date(2027, 3, 1), book.add_format({"num_format": "yyyy-mm-dd"}))

    assert cells_of(out.getvalue())[0][1][0].startswith("2027-03-01")


def test_merged_cells_count_in_each_of_their_cells() -> None:
    """A channel written once beside its rows."""

    def fill(book: xlsxwriter.Workbook) -> None:
        sheet = book.add_worksheet("plan")
        sheet.write_row(1, 0, ["channel", "time"])
        sheet.merge_range(2, 0, 3, 0, "nord")
        sheet.write(2, 1, "20:15")
        sheet.write(3, 1, "21:45")

    assert cells_of(xlsx(fill)) == [(2, ("channel", "time")), (3, ("nord", "20:15")), (4, ("nord", "21:45"))]


def test_formulas_count_by_their_value_and_are_named_without_one() -> None:
    """Nothing is calculated here."""
    row = b'<row r="3"><c r="A3"><f>1+1</f><v>2</v></c><c r="B3"><f>NOW()</f></c><c r="C3" t="str"><f>"x"</f><v></v></c></row>'

    assert cells_of(package([(SHEET % row.decode()).encode()])) == [(3, ("2", UNCALCULATED, UNCALCULATED))]


def test_hidden_sheets_are_not_read_and_said() -> None:
    """Nor are links to other files followed."""

    def fill(book: xlsxwriter.Workbook) -> None:
        book.add_worksheet("plan").write(0, 0, "channel")
        book.add_worksheet("secret").hide()

    (sheet,) = workbook_sheets(xlsx(fill))
    assert [problem.reason for problem in sheet.problems] == ["the hidden sheet 'secret' is not read"]

    linked = package([(SHEET % "<row/>").encode()], more={"xl/externalLinks/externalLink1.xml": "<externalLink/>"})
    assert "refers to other files, which are not opened" in workbook_sheets(linked)[0].problems[0].reason


def test_an_ods_table_is_read() -> None:
    """Text, dates and times by their values."""
    row = (
        "<table:table-row><table:table-cell office:value-type='string'><text:p>nord</text:p></table:table-cell>"
        "<table:table-cell office:value-type='date' office:date-value='2027-03-01'><text:p>1.3.27</text:p></table:table-cell>"
        "<table:table-cell office:value-type='time' office:time-value='PT25H30M00S'><text:p>25:30</text:p></table:table-cell>"
        "</table:table-row>"
    )

    (sheet,) = workbook_sheets(ods(row))

    assert sheet.container == "ODS"
    ((_, cells),) = [(record.line, record.cells) for record in sheet.read()]
    assert (cells[0], cells[1][:10], cells[2]) == ("nord", "2027-03-01", "25:30:00")


def test_merged_cells_and_formulas_of_ods_are_named() -> None:
    """A merged cell counts in each of its cells, also below repeated rows; a formula without a value is told."""
    text = "<table:table-cell {} office:value-type='string'><text:p>{}</text:p></table:table-cell>"
    covered = "<table:covered-table-cell/>"
    empty = (
        "<table:table-row table:number-rows-repeated='2'><table:table-cell table:number-columns-repeated='3'/></table:table-row>"
    )
    merged = text.format("table:number-columns-spanned='2' table:number-rows-spanned='2'", "nord")
    bare = "<table:table-cell table:formula='of:=1+1'/>"
    done = "<table:table-cell table:formula='of:=1+1' office:value-type='float' office:value='2'/>"
    rows = [
        f"<table:table-row>{text.format('', 'a')}{text.format('', 'b')}{text.format('', 'c')}</table:table-row>",
        empty,
        f"<table:table-row>{merged}{covered}{bare}</table:table-row>",
        f"<table:table-row>{covered}{covered}{done}</table:table-row>",
    ]

    assert cells_of(ods("".join(rows))) == [
        (1, ("a", "b", "c")),
        (4, ("nord", "nord", "=(not calculated)")),
        (5, ("nord", "nord", "2")),
    ]


BOMB = package([b"<worksheet><sheetData>", *([b" " * (1 << 20)] * 80), b"</sheetData></worksheet>"])
MANY_ROWS = package([b"<worksheet><sheetData>", *([b"<row/>" * 20_000] * 100), b"</sheetData></worksheet>"])
WIDE = package([(SHEET % "<row r='1'><c r='A1'><v>1</v></c><c r='GR1'><v>1</v></c></row>").encode()])
ENTITIES = package([b'<!DOCTYPE w [<!ENTITY a "aaaa">]>', (SHEET % "<row><c><v>&a;</v></c></row>").encode()])
GOOD = package([(SHEET % "<row r='1'><c r='A1'><v>1</v></c></row>").encode()])
REPEATED = ods(
    "<table:table-row table:number-rows-repeated='1000000'><table:table-cell table:number-columns-repeated='16000' "
    "office:value-type='string'><text:p>x</text:p></table:table-cell></table:table-row>"
)


TALKATIVE = package(
    [
        b"<worksheet><sheetData>",
        *([b"<row>" + b'<c t="s"><v>0</v></c>' * 60 + b"</row>"] * 6_000),
        b"</sheetData></worksheet>",
    ],
    more={"xl/sharedStrings.xml": f"<sst xmlns='{MAIN}'><si><t>{'x' * 80}</t></si></sst>"},
)


def lying() -> bytes:
    """The bomb with a directory that says it is small."""
    data = bytearray(BOMB)
    with zipfile.ZipFile(io.BytesIO(BOMB)) as archive:
        size = archive.getinfo("xl/worksheets/sheet1.xml").file_size
    return bytes(data).replace(struct.pack("<L", size), struct.pack("<L", 1000))


def doubled() -> bytes:
    out = io.BytesIO(GOOD)
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("XL/worksheets/sheet1.xml", "<worksheet/>")
    return out.getvalue()


HOSTILE = {
    "bomb": (BOMB, "unpacks to more than 64 MiB"),
    "bomb that lies": (lying(), "broken|unpacks"),
    "two million rows": (MANY_ROWS, "more than 100020 rows"),
    "two hundred columns": (WIDE, "200 columns, more than 64"),
    "entities": (ENTITIES, "document type or entities"),
    "millions of cells": (
        package([b"<worksheet><sheetData>", *([b"<row>" + b"<c/>" * 64 + b"</row>"] * 40_000), b"</sheetData></worksheet>"]),
        "more than 2000000 cells|took more than 20 s",
    ),
    "one text everywhere": (TALKATIVE, "too much text|needed more than 300 MiB|took more than 20 s"),
    "truncated": (GOOD[: len(GOOD) // 2], "archive is broken"),
    "truncated in its middle": (GOOD[:60] + b"\0" * 60 + GOOD[120:], "broken|cannot be read"),
    "no workbook": (b"PK\x05\x06" + b"\0" * 18, "no .xlsx or .ods workbook"),
    "two parts of one name": (doubled(), "two parts of one name"),
    "repeated for ever": (REPEATED, "cannot be read|needed more than 300 MiB"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_workbook_is_refused_in_one_sentence(case: str) -> None:
    """With a fix, and without this process having unpacked anything."""
    data, message = HOSTILE[case]

    with pytest.raises(PlanFileError, match=message) as caught:
        _ = [list(sheet.read()) for sheet in workbook_sheets(data)]

    assert "\n" not in str(caught.value)


MEASURED = (
    "import resource, subprocess, sys;"
    "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL);"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)
"""A small process between, since a child begins with its parent's peak."""


@pytest.mark.parametrize("case", HOSTILE)
def test_the_child_keeps_within_its_memory(case: str) -> None:
    """Whatever it reads, at most 300 MiB are resident."""
    limits = ChildLimits()
    amounts = (
        limits.memory_bytes,
        limits.processor_s,
        limits.unpacked_bytes,
        limits.answer_bytes,
        ROWS_MAX,
        COLUMNS_MAX,
        SHEETS_MAX,
    )
    child = [sys.executable, "-I", str(Path(workbook_child.__file__)), *map(str, amounts)]

    done = subprocess.run([sys.executable, "-I", "-c", MEASURED, *child], input=HOSTILE[case][0], capture_output=True, check=True)

    assert 0 < int(done.stdout) < MEMORY_KIB_MAX


def test_a_child_that_needs_more_than_it_may_is_refused() -> None:
    """Memory, and wall time: the service goes on."""
    with pytest.raises(PlanFileError, match="needed more than 8 MiB of memory"):
        workbook_sheets(GOOD, ChildLimits(memory_bytes=8 << 20))
    with pytest.raises(PlanFileError, match=r"took more than 0\.001 s"):
        workbook_sheets(GOOD, ChildLimits(wall_s=0.001))
    with pytest.raises(PlanFileError, match="too much text"):
        workbook_sheets(GOOD, ChildLimits(answer_bytes=50))


def test_the_child_sets_its_limits_itself() -> None:
    """No file may be written, no core dumped; shown by the limits a child reports."""
    report = (
        "import resource, sys, io; sys.argv = ['child']; sys.path.insert(0, sys.argv[0]);"
        "import runpy; child = runpy.run_path(sys.stdin.readline().strip());"
        "sys.stdin = io.TextIOWrapper(io.BytesIO(b'')); child['main'](['314572800', '10', '1000', '1000', '10', '10', '10']);"
        "print([resource.getrlimit(one)[0] for one in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", report], input=f"{workbook_child.__file__}\n".encode(), capture_output=True, check=True
    )

    assert done.stdout.splitlines()[-1] == b"[314572800, 10, 0]"
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 0


def test_a_broken_member_is_refused() -> None:
    """A part that cannot be unpacked is named."""
    with zipfile.ZipFile(io.BytesIO(GOOD)) as archive:
        offset = archive.getinfo("xl/worksheets/sheet1.xml").header_offset + 30 + len("xl/worksheets/sheet1.xml")
    broken = GOOD[:offset] + b"\xff\xff\xff\xff" + GOOD[offset + 4 :]

    with pytest.raises(PlanFileError, match=r"sheet1\.xml: this part of the workbook is broken"):
        workbook_sheets(broken)
