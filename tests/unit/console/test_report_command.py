"""`cuebird report as-run`, and its files: what is written can be read."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import typer
from python_calamine import CalamineWorkbook
from typer.testing import CliRunner

from console.commands import report
from console.config import load_config
from console.errors import ConsoleError
from console.ledgers import open_ledger
from console.reports.as_run import Asked, AsRunReports, Report
from console.reports.files import FILES
from console.reports.formats import Format
from schedules import Catalogue, Choices, Field, KnownChannel, KnownSpot, PlanFileError
from schedules.airing import Airing
from schedules.broadcast_log import read_log
from schedules.containers import sheets_of
from schedules.recognition import recognise
from schedules.table import read_table
from sync.hearings import HeardEnd, HeardSpot, Hearings, Span
from sync.plan_versions import PlanSource, PlanVersions
from timebase import VirtualClock

PLANNED = datetime(2027, 3, 1, 19, 15, tzinfo=UTC)
FORMULAS = ("=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\t=1", "\x0b=1", "'=1", "'quoted")


class House:
    """An installation in a folder, with a ledger that has heard something."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "cuebird.toml"
        self.config.write_text(
            '[paths]\nstate_dir = "state"\n[[channel]]\nid = "nord"\nname = "Nord"\ntimezone = "Europe/Stockholm"\n'
        )
        (folder / "spots").mkdir()
        (folder / "spots" / "kaffee-30.opus").touch()
        with open_ledger(load_config(self.config)) as ledger:
            airings = [self._airing(number, PLANNED + timedelta(hours=number)) for number in range(3)]
            PlanVersions(ledger).commit("plan", airings, PlanSource(actor="planner"))
            span = Span(feed_id="main", channel="nord", began_utc=PLANNED, until_utc=PLANNED + timedelta(hours=9))
            spot, end = _heard("kaffee-30", PLANNED + timedelta(seconds=2))
            Hearings(ledger).save([spot], [end], [span])

    def _airing(self, number: int, planned: datetime, spot: str = "kaffee-30") -> Airing:
        names: dict[str, Any] = {"channel": "nord", "spot_id": spot, "number": number, "raw": "", "row": number}
        minute = timedelta(minutes=1)
        return Airing(
            airing_id=f"nord/{spot}/2027-03-01/{number}",
            planned_utc=planned,
            opens_utc=planned - minute,
            closes_utc=planned + minute,
            **names,
        )

    def hear(self, spot_id: str) -> None:
        with open_ledger(load_config(self.config)) as ledger:
            spot, end = _heard(spot_id, PLANNED + timedelta(minutes=len(spot_id), seconds=ord(spot_id[0])))
            Hearings(ledger).save([spot], [end], [])

    def report(self, **asked: Any) -> Report:
        day = PLANNED.date()
        return AsRunReports.of(load_config(self.config), VirtualClock(start_utc=PLANNED + timedelta(days=1))).make(
            Asked(first=day, last=day, **asked)
        )

    def run(self, *options: str) -> tuple[int, str, bytes]:
        app = typer.Typer()
        report.register(app)
        app.command("other")(lambda: None)
        result = CliRunner().invoke(
            app, ["report", "as-run", "--config", str(self.config), *options], catch_exceptions=False, env={"COLUMNS": "220"}
        )
        return result.exit_code, result.output, result.stdout_bytes


def _heard(spot_id: str, began: datetime) -> tuple[HeardSpot, HeardEnd]:
    same: dict[str, Any] = {"feed_id": "main", "channel": "nord", "occurrence_id": "x", "spot_id": spot_id, "began_utc": began}
    onset: dict[str, Any] = {"onset_s": began.timestamp(), "speed": 1.0}
    spot = HeardSpot(
        **same, **onset, spot_ids=(spot_id,), onset_mono_ns=int(began.timestamp()), heard_ms=200.0, score=50.0, threshold=40.0
    )
    return spot, HeardEnd(**same, **onset, aired_s=30.0, coverage=1.0, confidence=0.9, cut_s=None, is_joined_late=False)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_the_table_says_what_became_of_each(house: House) -> None:
    """Local times with their zone, the figures below."""
    code, output, _ = house.run("--from", "2027-03-01")

    assert code == 0
    assert "local times of Europe/Stockholm, days begin at 06:00" in output
    assert "20:15:02" in output
    assert "3 airings planned" in output


def test_a_day_without_anything_says_so(house: House) -> None:
    """No empty table."""
    assert house.run("--from", "2027-05-01")[1].strip() == "Nothing was planned, heard or fired on 2027-05-01."


def test_the_small_hours_belong_to_the_day_before(house: House) -> None:
    """The day begins at six, or when the reader says so."""
    with open_ledger(load_config(house.config)) as ledger:
        night = house._airing(9, datetime(2027, 3, 2, 0, 30, tzinfo=UTC), "kaffee-20")
        PlanVersions(ledger).commit("night", [night], PlanSource(actor="planner"))

    days = json.loads(house.run("--from", "2027-03-01", "--format", "json")[2])
    assert [line["broadcast_day"] for line in days["lines"]] == ["2027-03-01"] * 4
    calendar = json.loads(house.run("--from", "2027-03-01", "--day-start", "00:00", "--format", "json")[2])
    assert len(calendar["lines"]) == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--from", "2027-03-02", "--to", "2027-03-01"), "lies before the first day"),
        (("--from", "2026-01-01", "--to", "2027-03-01"), "more than 366 days"),
        (("--from", "2027-03-01", "--channel", "syd"), "channel syd: it is not configured; known are nord"),
        (("--from", "2027-03-01", "--format", "csv", "--out", "none/x.csv"), "none/x.csv: No such file or directory"),
    ],
)
def test_what_cannot_be_had_is_said(house: House, options: tuple[str, ...], said: str) -> None:
    """With the value and the fix."""
    with pytest.raises(ConsoleError, match=said):
        house.run(*options)


def test_without_a_ledger_nothing_is_made(tmp_path: Path) -> None:
    """A report never begins a ledger."""
    config = tmp_path / "cuebird.toml"
    config.write_text('[paths]\nstate_dir = "state"\n')
    reports = AsRunReports.of(load_config(config), VirtualClock(start_utc=PLANNED + timedelta(days=1)))

    with pytest.raises(ConsoleError, match="there is no ledger yet"):
        reports.make(Asked(first=PLANNED.date(), last=PLANNED.date()))
    assert not (tmp_path / "state").exists()


def test_csv_and_xlsx_hold_the_same_text(house: House) -> None:
    """What looks like a formula is neutralised in both, and our reader gives back what was heard."""
    for spot_id in FORMULAS:
        house.hear(spot_id)
    report_ = house.report()
    heard = [line.spot_id for line in report_.lines]
    assert set(FORMULAS) < set(heard)

    rows = list(csv.DictReader(io.StringIO(FILES[Format.CSV].write(report_).decode("utf-8-sig"))))
    assert [row["spot"] for row in rows if row["spot"] in FORMULAS] == []
    assert [_read(FILES[form].write(report_), title) for form, title in ((Format.CSV, "spot"), (Format.XLSX, "Spot"))] == [
        heard,
        heard,
    ]


def _read(data: bytes, title: str) -> list[str]:
    """The column as our own reader has it."""
    prefix = "cuebird" if title == "spot" else ""
    columns = {"channel" if prefix else "Channel": Field.CHANNEL, title: Field.SPOT}
    when = {"broadcast_day" if prefix else "Broadcast day": Field.DATE, "zone" if prefix else "Zone": Field.TIME}
    choices = Choices(columns={**columns, **when}, sheet="" if prefix else "as-run")
    found = recognise(sheets_of(data), choices)
    return [row.cells[Field.SPOT] for row in read_table(found, choices).rows]


def test_a_workbook_has_real_dates_and_numbers(house: House) -> None:
    """And no formula."""
    data = FILES[Format.XLSX].write(house.report())
    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    names = [*book.get_sheet_by_name("as-run").to_python()[0]]
    first = dict(zip(names, book.get_sheet_by_name("as-run").to_python()[1], strict=True))

    assert book.sheet_names == ["as-run", "delivery", "about"]
    assert first["Planned UTC"] == PLANNED.replace(tzinfo=None)
    assert (first["Broadcast day"], first["Off by, s"], first["Of spot"]) == (PLANNED.date(), 2.0, 1.0)
    assert b"<f>" not in data


def test_json_has_instants_with_their_zone(house: House) -> None:
    """To the millisecond, in UTC."""
    facts = json.loads(FILES[Format.JSON].write(house.report()))

    assert facts["lines"][0]["heard"][0]["began_utc"] == "2027-03-01T19:15:02.000+00:00"
    assert facts["total"]["planned"] == 3


def test_bxf_is_read_back(house: House) -> None:
    """What was heard, by our own reader."""
    catalogue = Catalogue.of([KnownChannel(id="nord", timezone="Europe/Stockholm")], [KnownSpot(id="kaffee-30")])
    data = FILES[Format.BXF].write(house.report())

    (one,) = read_log(data, catalogue=catalogue, now_utc=PLANNED, choices=Choices(small_hours_next=True)).logged
    assert (one.began_utc, one.length_s) == (PLANNED + timedelta(seconds=2), 30.0)


def test_pdf_and_svg_are_whole(house: House) -> None:
    """A day with something in it and an empty one; hostile names leave both whole."""
    house.hear("<script>&\x01")
    for report_ in (house.report(), house.report(campaign="none")):
        assert FILES[Format.PDF].write(report_).startswith(b"%PDF-")
        picture = ElementTree.fromstring(FILES[Format.SVG].write(report_))
        assert picture.tag == "{http://www.w3.org/2000/svg}svg"
        assert not [one for one in picture.iter() if one.tag.endswith("script")]


def test_many_days_are_drawn_as_a_map(house: House) -> None:
    """A cell a day, with its words; in the PDF too."""
    reports = AsRunReports.of(load_config(house.config), VirtualClock(start_utc=PLANNED + timedelta(days=1)))
    report_ = reports.make(Asked(first=PLANNED.date(), last=PLANNED.date() + timedelta(days=40)))
    picture = FILES[Format.SVG].write(report_).decode()

    assert picture.count('<rect x="') == 41 + 5, "its days and the legend"
    assert "2027-03-01: 1 of 3 as planned, 3 planned" in picture
    assert FILES[Format.PDF].write(report_).startswith(b"%PDF-")


def test_the_broadcasters_log_stands_beside(house: House, tmp_path: Path) -> None:
    """Agreements, what is missing on either side, and rows of others."""
    log = tmp_path / "log.csv"
    log.write_text(
        "channel,date,time,spot,status\nnord,2027-03-01,20:15:01,kaffee-30,PLAYED\nnord,2027-03-01,22:15,kaffee-30,PLAYED\nnord,2027-03-01,22:16,other,\n"
    )
    code, output, _ = house.run("--from", "2027-03-01", "--log", str(log))

    assert code == 0
    assert "1 agrees" in output
    assert "1 rows of the log are not of our spots and channels" in output
    facts = json.loads(house.run("--from", "2027-03-01", "--log", str(log), "--format", "json")[2])
    assert next(row["agreement"] for row in facts["comparison"]["rows"]) == "agrees"


def test_a_log_that_cannot_be_read_is_refused(house: House, tmp_path: Path) -> None:
    """With its rows."""
    log = tmp_path / "log.csv"
    log.write_text("channel,date,time,spot\nnord,2027-03-01,20:75,kaffee-30\n")

    with pytest.raises(PlanFileError, match=r"log.csv: not compared: 1 of its rows cannot be read"):
        house.run("--from", "2027-03-01", "--log", str(log))
