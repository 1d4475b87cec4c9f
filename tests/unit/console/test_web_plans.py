"""Plans over HTTP: shown before they are imported, imported as they were shown, gone back to."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from console.config import load_config
from console.users import People, Role
from console.web.app import create_app
from console.web.guard import BODY_BYTES_MAX, UPLOAD_BYTES_MAX
from schedules.cells import FILE_BYTES_MAX
from tests.unit.console.test_web import ORIGIN, QUICK, enter
from timebase import VirtualClock

CONFIG = """
[paths]
state_dir = "state"
[[channel]]
id = "nord"
name = "Nord"
timezone = "Europe/Stockholm"
"""
HEADER = "channel,date,time,spot"
EVENING = "nord,2027-03-01,20:15,kaffee-30"
NIGHT = "nord,2027-03-01,25:30,kaffee-30"
MOVED = "nord,2027-03-01,25:45,kaffee-30"
BINARY = {"content-type": "application/octet-stream"}


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    (tmp_path / "cuebird.toml").write_text(CONFIG)
    (tmp_path / "spots").mkdir()
    (tmp_path / "spots" / "kaffee-30.opus").touch()
    (tmp_path / "state").mkdir()
    config = load_config(tmp_path / "cuebird.toml")
    made = create_app(state_dir=config.paths.state_dir, clock=VirtualClock(), secure_cookies=False, config=config)
    made.state.people = People(made.state.database, made.state.hub.clock, QUICK)
    return made


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app, client=("192.0.2.7", 5000))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN}) as client:
        yield client
    app.state.database.close()


def plan(*rows: str) -> bytes:
    return "\n".join([HEADER, *rows]).encode()


async def sent(client: httpx.AsyncClient, verb: str, content: bytes, **words: Any) -> httpx.Response:
    words = {"file": "spring.csv", **words}
    return await client.post(f"/api/v1/plans/{verb}", params=words, content=content, headers=BINARY)


async def imported(client: httpx.AsyncClient, content: bytes, *, base: int, drops_max: int = 0) -> httpx.Response:
    return await sent(client, "import", content, base=base, drops_max=drops_max)


async def test_a_preview_changes_nothing(app: FastAPI, client: httpx.AsyncClient) -> None:
    """It says how the file is read and what would change."""
    enter(app, client)

    facts = (await sent(client, "preview", plan(EVENING, NIGHT))).json()

    assert (facts["plan"], facts["base"], facts["importable"], facts["airings"]) == ("spring", 0, True, 2)
    assert facts["changes"] == {"new": 2, "moved": 0, "dropped": 0, "unchanged": 0, "left_alone": 0}
    assert facts["rows"][0]["airing_id"] == "nord/kaffee-30/2027-03-01/1"
    assert facts["read_as"].startswith("Read as cuebird (CSV, header in row 1)")
    assert (await client.get("/api/v1/plans")).json() == {"plans": []}


async def test_what_was_shown_is_imported_and_gone_back_to(app: FastAPI, client: httpx.AsyncClient) -> None:
    """In the name of whoever is logged in; versions are compared and rolled back."""
    enter(app, client)
    assert (await imported(client, plan(EVENING, NIGHT), base=0)).json()["version"]["actor"] == "operator"
    again = (await imported(client, plan(EVENING, NIGHT), base=1)).json()
    assert (again["is_new"], again["version"]["number"]) == (False, 1)
    assert (await imported(client, plan(EVENING, MOVED), base=1)).json()["changes"]["moved"] == 1

    versions = (await client.get("/api/v1/plans/spring/versions")).json()["versions"]
    changes = (await client.get("/api/v1/plans/spring/changes", params={"older": 1, "newer": 2})).json()
    back = (await client.get("/api/v1/plans/spring/rollback", params={"number": 1})).json()
    order = {"number": 1, "base": back["base"], "drops_max": 0}
    done = (await client.post("/api/v1/plans/spring/rollback", json=order)).json()

    assert [(one["number"], one["file_name"]) for one in versions] == [(2, "spring.csv"), (1, "spring.csv")]
    assert [(row["change"], row["before_utc"], row["after_utc"]) for row in changes["rows"]] == [
        ("moved", "2027-03-02T00:30:00Z", "2027-03-02T00:45:00Z")
    ]
    assert (back["base"], back["changes"]["moved"]) == (2, 1)
    assert (done["version"]["number"], done["version"]["rolled_back_to"]) == (3, 1)


async def test_what_was_not_shown_is_refused(app: FastAPI, client: httpx.AsyncClient) -> None:
    """Another version since, or more airings dropped than were shown."""
    enter(app, client)
    await imported(client, plan(EVENING, NIGHT), base=0)

    late = await imported(client, plan(EVENING, MOVED), base=0)
    dropping = await imported(client, plan(EVENING), base=1)

    assert (late.status_code, dropping.status_code) == (409, 409)
    assert "version 1 was imported since" in late.json()["error"]["message"]
    assert "1 airing would be dropped" in dropping.json()["error"]["message"]


async def test_a_wrong_plan_is_shown_with_its_problems(app: FastAPI, client: httpx.AsyncClient) -> None:
    """Importing it all the same is refused; the rows can be had with the problems beside them."""
    enter(app, client)
    wrong = plan(EVENING, "nord,2027-03-01,21:15,nobody")

    facts = (await sent(client, "preview", wrong)).json()
    refused = await imported(client, wrong, base=0)
    sheet = await sent(client, "problems", wrong, suffix=".csv")

    assert facts["importable"] is False
    assert (facts["problems"][0]["severity"], facts["problems"][0]["row"]) == ("error", 3)
    assert (refused.status_code, refused.json()["error"]["message"]) == (
        422,
        "spring.csv: 1 error, 0 warnings, 0 notes; nothing has changed, mend them first",
    )
    assert "no spot of this id is known" in sheet.text
    assert (await sent(client, "preview", b"\0")).status_code == 422
    assert (await sent(client, "preview", plan(EVENING), layout="nonsense")).status_code == 422


async def test_a_file_may_be_large_for_those_who_are_logged_in(app: FastAPI, client: httpx.AsyncClient) -> None:
    """As large as a plan may be, and only where files are taken."""
    assert UPLOAD_BYTES_MAX == FILE_BYTES_MAX
    large = b"x" * (BODY_BYTES_MAX + 1)
    assert (await sent(client, "preview", large)).status_code == 413
    enter(app, client)
    assert (await sent(client, "preview", large)).status_code == 422
    assert (await sent(client, "preview", b"x" * (UPLOAD_BYTES_MAX + 1))).status_code == 413
    assert (await client.post("/api/v1/plans/spring/rollback", content=large, headers=BINARY)).status_code == 413


async def test_viewers_look_only(app: FastAPI, client: httpx.AsyncClient) -> None:
    """They see what stands, and can import nothing."""
    enter(app, client, Role.VIEWER)

    assert (await sent(client, "preview", plan(EVENING))).status_code == 403
    assert (await imported(client, plan(EVENING), base=0)).status_code == 403
    assert (await client.get("/api/v1/plans")).status_code == 200
    assert (await client.get("/api/v1/plans/spring/versions")).status_code == 409
    page = await client.get("/plans")
    assert "Importing a plan takes an operator" in page.text


async def test_a_console_without_a_configuration_has_no_plans(tmp_path: Path) -> None:
    """As tests and tools start it."""
    app = create_app(state_dir=tmp_path, clock=VirtualClock(), secure_cookies=False)
    app.state.people = People(app.state.database, app.state.hub.clock, QUICK)
    transport = httpx.ASGITransport(app=app, client=("192.0.2.7", 5000))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN}) as client:
        enter(app, client)
        assert (await client.get("/api/v1/plans")).status_code == 503
    app.state.database.close()
