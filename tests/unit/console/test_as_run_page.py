"""The as-run report on the console: who may see it, what it says, what it refuses, what stands in its files."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI

from console.reports.as_run import AsRunReports
from console.users import People, Role
from console.web.app import create_app
from schedules.airing import Airing
from schedules.delivery import Calendar
from sync.audit import AuditChain
from sync.database import Database
from sync.errors import LedgerError
from sync.hearings import HeardSpot, Hearings
from sync.ledger import Ledger
from sync.plan_versions import PlanSource, PlanVersions
from sync.schema import DETECTION
from timebase import VirtualClock

ORIGIN = "http://127.0.0.1:8400"
PLANNED = datetime(2027, 3, 1, 19, 15, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>"
PATHS = ("/as-run", "/as-run/year", "/api/v1/as-run", "/api/v1/as-run/csv")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger: one airing that nobody listened to, one spot that was heard off plan."""
    file = tmp_path_factory.mktemp("ledger") / "ledger.db"
    ledger = Ledger.open(file, clock=VirtualClock())
    minute = timedelta(minutes=1)
    names: dict[str, Any] = {"channel": "nord", "spot_id": "kaffee-30", "number": 1, "raw": "", "row": 1}
    airing = Airing(airing_id="nord/k/1", planned_utc=PLANNED, opens_utc=PLANNED - minute, closes_utc=PLANNED + minute, **names)
    PlanVersions(ledger).commit("plan", [airing], PlanSource(actor="planner"))
    spot = HeardSpot(
        feed_id="main", channel="nord", occurrence_id="heard:1", spot_id=HOSTILE, spot_ids=(HOSTILE,), onset_s=1.0,
        onset_mono_ns=1, began_utc=PLANNED, heard_ms=210.0, score=50.0, threshold=40.0, speed=1.0,
    )  # fmt: skip
    Hearings(ledger).save([spot], [], [])
    ledger.close()
    return file


class House:
    """The application over a ledger that may fail."""

    def __init__(self, folder: Path, file: Path) -> None:
        self.file, self.fault = file, ""
        clock = VirtualClock(start_utc=PLANNED + timedelta(hours=1))
        calendar = Calendar(zones={"nord": ZoneInfo("Europe/Stockholm")}, otherwise=UTC, day_start_s=6 * 3600)
        reports = AsRunReports(self._open, calendar=calendar, channels=("nord", "syd"), clock=clock)
        self.app: FastAPI = create_app(state_dir=folder, clock=clock, secure_cookies=False, reports=reports)
        hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        self.app.state.people = People(self.app.state.database, clock, hasher)

    @contextmanager
    def _open(self) -> Iterator[Ledger]:
        if self.fault:
            raise LedgerError(self.fault)
        database = Database(self.file)
        try:
            yield Ledger(database, VirtualClock(), AuditChain(None))
        finally:
            database.close()


@pytest.fixture
def house(tmp_path: Path, file: Path) -> House:
    return House(tmp_path, file)


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """Logged in as a viewer."""
    person = house.app.state.people.add("viewer", Role.VIEWER, "correct horse battery")
    token = house.app.state.sessions.start(person)
    transport = httpx.ASGITransport(app=house.app)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, cookies={"cuebird_session": token}) as client:
        yield client
    house.app.state.database.close()


@pytest.mark.parametrize("path", PATHS)
async def test_nothing_is_shown_without_a_session(client: httpx.AsyncClient, path: str) -> None:
    """What aired is the advertiser's business."""
    client.cookies.clear()
    response = await client.get(path)

    assert response.status_code == (401 if path.startswith("/api") else 303)
    assert "kaffee" not in response.text


async def test_the_page_says_what_became_of_each(client: httpx.AsyncClient) -> None:
    """Today's, by the first channel's clock, when no day is named; what a spot is called is text."""
    page = (await client.get("/as-run")).text

    assert "<h1>As run</h1>" in page
    assert "local times of Europe/Stockholm" in page
    assert "nobody listened from 19:14:00 to 19:16:00 UTC" in page
    assert HOSTILE not in page
    assert "&lt;script&gt;alert(1)" in page
    assert page.count('<svg class="picture"') == 2


async def test_filters_stand_in_the_address(client: httpx.AsyncClient) -> None:
    """And in the links to the files, so that page and file show the same."""
    page = (await client.get("/as-run?from=2027-02-27&to=2027-03-02&channel=nord")).text

    assert "/api/v1/as-run/xlsx?from=2027-02-27&amp;to=2027-03-02&amp;channel=nord" in page
    assert "/as-run?from=2027-02-23&amp;to=2027-02-26&amp;channel=nord&amp;campaign=" in page


async def test_an_empty_day_says_so(client: httpx.AsyncClient) -> None:
    """With an empty timeline, and no tables."""
    page = (await client.get("/as-run?from=2027-07-01&channel=syd")).text

    assert "Nothing was planned, heard or fired on 2027-07-01 on syd." in page
    assert "<table" not in page


async def test_a_year_is_a_cell_a_day(client: httpx.AsyncClient) -> None:
    """Each with its words; its months lead to their days."""
    page = (await client.get("/as-run/year?year=2027")).text

    assert page.count("<rect x=") >= 365
    assert "2027-03-01: 0 of 1 as planned, 1 planned, 0 owed, 1 not listened" in page
    assert "/as-run?from=2027-03-01&amp;to=2027-03-31" in page


@pytest.mark.parametrize("form", ["csv", "xlsx", "json", "pdf", "bxf", "svg"])
async def test_each_file_is_an_attachment(client: httpx.AsyncClient, form: str) -> None:
    """Named by its days; a browser never opens it as a page of ours."""
    response = await client.get(f"/api/v1/as-run/{form}?from=2027-03-01&to=2027-03-02")

    assert response.status_code == 200
    assert response.headers["content-disposition"].startswith('attachment; filename="as-run-2027-03-01-to-2027-03-02.')
    assert response.content


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/as-run?from=2027-03-02&to=2027-03-01", "lies before the first day"),
        ("/as-run?from=yesterday", "from"),
        ("/as-run?channel=west", "channel west: it is not configured; known are nord, syd"),
        ("/as-run/year?year=1", "year"),
        ("/api/v1/as-run?from=2020-01-01&to=2027-03-01", "more than 366 days"),
        ("/api/v1/as-run/table", "a table is no file; use one of csv"),
        ("/api/v1/as-run/docx", "format"),
    ],
)
async def test_what_cannot_be_had_is_said(client: httpx.AsyncClient, path: str, said: str) -> None:
    """As a page or as JSON, with the value and the fix."""
    response = await client.get(path)

    assert response.status_code == 422
    assert said in response.text


@pytest.mark.parametrize("path", PATHS)
async def test_a_ledger_that_cannot_be_read_is_no_empty_report(house: House, client: httpx.AsyncClient, path: str) -> None:
    """Nothing looks well that is not known."""
    house.fault = "ledger ledger.db: the disk is gone"
    response = await client.get(path)

    assert response.status_code == 503
    assert "the disk is gone" in response.text


@pytest.fixture
def broken(house: House) -> Iterator[None]:
    """A detection whose spots cannot be read."""
    with house._open() as ledger, ledger.database.writing() as connection:
        connection.execute(DETECTION.update().values(spot_ids_json="nonsense"))
    yield
    with house._open() as ledger, ledger.database.writing() as connection:
        connection.execute(DETECTION.update().values(spot_ids_json=f'["{HOSTILE}"]'))


@pytest.mark.usefixtures("broken")
async def test_rows_that_make_no_sense_are_no_report(client: httpx.AsyncClient) -> None:
    """What cannot be read is said to be, and not left out."""
    response = await client.get("/as-run")

    assert response.status_code == 503
    assert "detection 1: its spots cannot be read" in response.text


async def test_a_console_without_a_ledger_says_so(tmp_path: Path) -> None:
    """The live page works all the same."""
    app = create_app(state_dir=tmp_path, clock=VirtualClock(), secure_cookies=False)
    person = People(app.state.database, VirtualClock()).add("viewer", Role.VIEWER, "correct horse battery")
    token = app.state.sessions.start(person)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url=ORIGIN, cookies={"cuebird_session": token}
    ) as client:
        assert (await client.get("/as-run")).status_code == 503
        assert (await client.get("/")).status_code == 200
    app.state.database.close()
