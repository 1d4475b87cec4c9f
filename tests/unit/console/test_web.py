"""The application from outside: who is let in, what is believed, what is answered."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.types import Message

from console.users import People, Role
from console.web import api, pages, plans
from console.web.app import create_app
from console.web.auth import FAILURES_MAX
from console.web.engine import EngineRefusedError
from console.web.guard import BODY_BYTES_MAX, origin_problem
from console.web.live import EngineLostError, LiveHub, Subscription
from console.web.metrics import render
from sync.firing_timer import Lateness
from sync.snapshot import as_json
from timebase import VirtualClock

ORIGIN = "http://127.0.0.1:8400"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse battery"
PUBLIC = {"/login", "/healthz", "/readyz", "/openapi.json"}


def routes_of(*routers: APIRouter) -> list[tuple[str, str]]:
    return [
        (method, re.sub(r"\{.*?\}", "1", route.path))
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
    ]


ROUTES = routes_of(api.router, pages.router)
COMMANDS: dict[str, dict[str, Any]] = {
    "/api/v1/kill": {"reason": "wrong creative"},
    "/api/v1/release": {"reason": "creative replaced", "confirm": "RELEASE"},
    "/api/v1/mode": {"mode": "LIVE", "confirm": "LIVE"},
    "/api/v1/firings/1/veto": {"reason": "wrong creative"},
    "/api/v1/firings/1/settle": {"state": "POSTED", "tweet_id": "1894", "reason": "it is there"},
}
OPERATORS_ONLY = ("/api/v1/release", "/api/v1/mode", "/api/v1/firings/1/settle")


class RecordingEngine:
    """Remembers what it was asked; fails when told to."""

    def __init__(self) -> None:
        self.asked: list[dict[str, object]] = []
        self.failure: Exception | None = None

    def subscribe(self) -> AbstractAsyncContextManager[Subscription]:
        return self._nobody()

    @asynccontextmanager
    async def _nobody(self) -> AsyncIterator[Subscription]:
        yield _silence()

    async def request(self, op: str, **fields: object) -> dict[str, Any]:
        self.asked.append({"op": op, **fields})
        if self.failure:
            raise self.failure
        return {"done": op}


async def _silence() -> AsyncIterator[tuple[str, object]]:
    await asyncio.Event().wait()
    yield "never", None


@pytest.fixture
def engine() -> RecordingEngine:
    return RecordingEngine()


@pytest.fixture
def app(tmp_path: Path, engine: RecordingEngine) -> FastAPI:
    made = create_app(state_dir=tmp_path, clock=VirtualClock(), secure_cookies=False, engine=engine)
    made.state.people = People(made.state.database, made.state.hub.clock, QUICK)
    return made


@pytest.fixture
async def anybody(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a session that sends the Origin a browser would."""
    transport = httpx.ASGITransport(app=app, client=("192.0.2.7", 5000))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN}) as client:
        yield client
    app.state.database.close()


def enter(app: FastAPI, client: httpx.AsyncClient, role: Role = Role.OPERATOR) -> None:
    """Give the client a session, as log-in would."""
    person = app.state.people.add(role.value, role, PASSWORD)
    token = app.state.sessions.start(person)
    client.cookies.set("cuebird_session", token)
    client.headers["x-csrf-token"] = app.state.sessions.find(token).csrf_token


def hub_of(app: FastAPI) -> LiveHub:
    hub = app.state.hub
    assert isinstance(hub, LiveHub)
    return hub


def engine_says(app: FastAPI, **tables: Any) -> None:
    """The engine is connected and told the console this."""
    state = {"mono_ns": hub_of(app).clock.mono_ns(), "mode": "LIVE", "killed": False}
    hub_of(app).receive("snapshot", {"engine": state, **tables})


@pytest.mark.parametrize(
    ("method", "path"), [*ROUTES, *routes_of(plans.router), ("GET", "/no/such/path"), ("GET", "/static/../app.py")]
)
async def test_nothing_is_answered_without_a_session(
    anybody: httpx.AsyncClient, engine: RecordingEngine, method: str, path: str
) -> None:
    """Every route and method but the few public ones: 401, or the way to the log-in form."""
    response = await anybody.request(method, path)
    if path in PUBLIC:
        assert response.status_code in (200, 422, 503)
    elif method == "GET" and not path.startswith(("/api/", "/events", "/metrics")):
        assert (response.status_code, response.headers["location"]) == (303, "/login")
    else:
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "not_logged_in"
    assert engine.asked == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"])
async def test_other_methods_are_refused(app: FastAPI, anybody: httpx.AsyncClient, method: str) -> None:
    """Nothing here uses them, so nobody gets to try."""
    enter(app, anybody)
    assert (await anybody.request(method, "/api/v1/kill")).status_code == 405


# The stream does not end, and the log-in page is for those outside: each has tests of its own.
@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if route[1] not in ("/events", "/login")])
@pytest.mark.parametrize("role", list(Role))
async def test_each_role_gets_what_it_may(
    app: FastAPI, anybody: httpx.AsyncClient, engine: RecordingEngine, *, role: Role, method: str, path: str
) -> None:
    """Operators and admins change mode, release and settle; everybody who is logged in may look and stop."""
    engine_says(app, firings=[{"firing_id": 1}])
    enter(app, anybody, role)
    response = await anybody.request(method, path, json=COMMANDS.get(path))
    if path in OPERATORS_ONLY and role is Role.VIEWER:
        assert response.status_code == 403
        assert response.json()["error"]["code"] == "forbidden"
        assert engine.asked == []
    else:
        assert response.status_code in (200, 303)


@pytest.mark.parametrize("path", [path for method, path in ROUTES if method == "POST" and path != "/login"])
@pytest.mark.parametrize(
    "headers",
    [
        {"x-csrf-token": "0" * 64},
        {"x-csrf-token": ""},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8401"},
        {"origin": "https://127.0.0.1:8400"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": ""},
    ],
    ids=str,
)
async def test_forged_requests_are_refused(
    app: FastAPI, anybody: httpx.AsyncClient, engine: RecordingEngine, path: str, headers: dict[str, str]
) -> None:
    """A valid session with any one piece of evidence wrong: refused, and the engine hears nothing."""
    enter(app, anybody)
    assert (await anybody.post(path, json=COMMANDS.get(path), headers=headers)).status_code == 403
    assert engine.asked == []


async def test_a_request_that_does_not_say_where_it_comes_from_is_refused(
    app: FastAPI, anybody: httpx.AsyncClient, engine: RecordingEngine
) -> None:
    """Neither Origin nor Sec-Fetch-Site: no evidence, no command."""
    enter(app, anybody)
    del anybody.headers["origin"]
    response = await anybody.post("/api/v1/kill", json={})
    assert (response.status_code, response.json()["error"]["code"]) == (403, "foreign_origin")
    assert engine.asked == []


@pytest.mark.parametrize("body", [b"", b"csrf_token=wrong", b"csrf_token=%ff", b"a=1&" * 30, b"csrf_token=a&csrf_token=b"])
async def test_a_form_without_the_token_is_refused(
    app: FastAPI, anybody: httpx.AsyncClient, engine: RecordingEngine, body: bytes
) -> None:
    """A form on another page can press our buttons, but cannot know the token."""
    enter(app, anybody)
    del anybody.headers["x-csrf-token"]
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert (await anybody.post("/kill", content=body, headers=headers)).status_code == 403
    assert engine.asked == []


async def test_the_kill_form_works_without_javascript(app: FastAPI, anybody: httpx.AsyncClient, engine: RecordingEngine) -> None:
    """The button is a plain form: its hidden token is enough."""
    enter(app, anybody, Role.VIEWER)
    token = anybody.headers.pop("x-csrf-token")
    response = await anybody.post("/kill", data={"csrf_token": token})
    assert (response.status_code, response.headers["location"]) == (303, "/")
    assert engine.asked == [{"op": "kill", "actor": "viewer", "reason": "kill button"}]


@pytest.mark.parametrize(
    ("headers", "secure", "believed"),
    [
        ({"host": "a:1", "origin": "http://a:1"}, False, True),
        ({"host": "A:1", "origin": "http://a:1", "sec-fetch-site": "same-origin"}, False, True),
        ({"host": "a", "origin": "https://a"}, True, True),
        ({"host": "a", "sec-fetch-site": "same-origin"}, True, True),
        ({"host": "a", "origin": "http://a"}, True, False),
        ({"host": "a:1", "origin": "http://a:2"}, False, False),
        ({"host": "a", "origin": "http://a.evil"}, False, False),
        ({"host": "", "origin": "http://"}, False, False),
        ({"host": "a"}, False, False),
    ],
)
def test_origins(headers: dict[str, str], *, secure: bool, believed: bool) -> None:
    """Scheme, host and port must all be ours."""
    assert (origin_problem(headers, secure=secure) is None) is believed


@pytest.mark.parametrize("path", ["/login", "/static/base.css", "/api/v1/snapshot", "/no/such/path", "/healthz"])
async def test_every_answer_carries_the_security_headers(anybody: httpx.AsyncClient, path: str) -> None:
    """Whatever the answer is, the browser is told what it may do with it."""
    headers = (await anybody.get(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == ("no-cache" if path.startswith("/static") else "no-store")


async def test_scripts_run_by_a_nonce_that_is_never_used_twice(app: FastAPI, anybody: httpx.AsyncClient) -> None:
    """Every script tag of the page carries the answer's own nonce."""
    enter(app, anybody)
    nonces = set()
    for _ in range(2):
        response = await anybody.get("/")
        [nonce] = re.findall(r"script-src 'nonce-([^']+)'", response.headers["content-security-policy"])
        assert set(re.findall(r"<script[^>]*nonce=\"([^\"]*)\"", response.text)) == {nonce}
        assert response.text.count("<script") == response.text.count("nonce=")
        nonces.add(nonce)
    assert len(nonces) == 2


async def log_in(client: httpx.AsyncClient, name: str, password: str) -> httpx.Response:
    form = await client.get("/login")
    [token] = re.findall(r'name="csrf_token" value="([^"]+)"', form.text)
    return await client.post("/login", data={"name": name, "password": password, "csrf_token": token})


async def test_log_in_rotates_the_session_and_log_out_ends_it(app: FastAPI, anybody: httpx.AsyncClient) -> None:
    """A token planted before the log-in is worth nothing after it, and the cookie is out of reach of scripts."""
    app.state.people.add("ops", Role.OPERATOR, PASSWORD)
    anybody.cookies.set("cuebird_session", "planted")
    response = await log_in(anybody, "Ops ", PASSWORD)
    assert (response.status_code, response.headers["location"]) == (303, "/")
    cookie = next(value for value in response.headers.get_list("set-cookie") if value.startswith("cuebird_session="))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "planted" not in cookie
    anybody.cookies.clear()
    token = cookie.split(";")[0].split("=", 1)[1]
    anybody.cookies.set("cuebird_session", token)
    assert (await anybody.get("/")).status_code == 200
    csrf = app.state.sessions.find(token).csrf_token
    assert (await anybody.post("/logout", data={"csrf_token": csrf})).status_code == 303
    assert app.state.sessions.find(token) is None


async def test_https_cookies_are_bound_to_the_host(tmp_path: Path, engine: RecordingEngine) -> None:
    """With https every cookie is `__Host-` and Secure, and the browser is told to stay with https."""
    app = create_app(state_dir=tmp_path, clock=VirtualClock(), secure_cookies=True, engine=engine)
    app.state.people.add("ops", Role.OPERATOR, PASSWORD)
    origin = "https://console.example"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=origin, headers={"origin": origin}) as client:
        response = await log_in(client, "ops", PASSWORD)
    app.state.database.close()
    assert response.status_code == 303
    assert all(value.startswith("__Host-") and "Secure" in value for value in response.headers.get_list("set-cookie"))
    assert "max-age" in response.headers["strict-transport-security"]


async def test_a_log_in_form_of_another_browser_is_refused(app: FastAPI, anybody: httpx.AsyncClient) -> None:
    """Nobody can be logged in to somebody else's account by a prepared form."""
    app.state.people.add("ops", Role.OPERATOR, PASSWORD)
    form = {"name": "ops", "password": PASSWORD, "csrf_token": "stolen"}
    assert (await anybody.post("/login", data=form)).status_code == 403
    await anybody.get("/login")
    assert (await anybody.post("/login", data=form)).status_code == 403


async def test_guessing_stops_even_with_the_right_password(app: FastAPI, anybody: httpx.AsyncClient) -> None:
    """After five failures the sixth attempt is refused unseen, right or wrong; the name is shown as text."""
    app.state.people.add("ops", Role.OPERATOR, PASSWORD)
    for _ in range(FAILURES_MAX):
        assert (await log_in(anybody, "ops", "wrong")).status_code == 403
    response = await log_in(anybody, "ops", PASSWORD)
    assert response.status_code == 429
    assert int(response.headers["retry-after"]) > 0
    assert "<b>" not in (await log_in(anybody, "<b>", "wrong")).text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/release", {"reason": "because", "confirm": "release"}),
        ("/api/v1/release", {"reason": " ", "confirm": "RELEASE"}),
        ("/api/v1/mode", {"mode": "LIVE"}),
        ("/api/v1/mode", {"mode": "LIVE", "confirm": "live"}),
        ("/api/v1/mode", {"mode": "FASTER"}),
        ("/api/v1/firings/0/veto", {}),
        ("/api/v1/firings/1/settle", {"state": "POSTED", "reason": ""}),
        ("/api/v1/firings/1/settle", {"state": "SENT", "reason": "it is there"}),
        ("/api/v1/firings/1/settle", {"state": "POSTED", "tweet_id": "12x", "reason": "it is there"}),
        ("/api/v1/kill", {"reason": "x" * 501}),
        ("/api/v1/kill", {"raeson": "typing error"}),
        ("/api/v1/kill", [1]),
    ],
)
async def test_commands_are_refused_with_one_sentence(
    app: FastAPI, anybody: httpx.AsyncClient, engine: RecordingEngine, path: str, body: object
) -> None:
    """What a hand must type on the page must be in the request too."""
    enter(app, anybody)
    response = await anybody.post(path, json=body)
    assert response.status_code == 422
    assert response.json()["error"]["code"] == "bad_request"
    assert engine.asked == []


async def test_orders_about_a_firing_carry_who_gave_them(
    app: FastAPI, anybody: httpx.AsyncClient, engine: RecordingEngine
) -> None:
    """The name is the session's; a veto needs no reason, and gets one."""
    enter(app, anybody)
    await anybody.post("/api/v1/firings/7/veto")
    await anybody.post("/api/v1/firings/8/settle", json={"state": "NOT_SEEN", "reason": "looked twice"})
    assert [one["actor"] for one in engine.asked] == ["operator", "operator"]
    assert engine.asked[0] == {"op": "veto", "firing_id": 7, "actor": "operator", "reason": "veto button"}
    assert engine.asked[1] == {"op": "settle", "firing_id": 8, "actor": "operator", "state": "NOT_SEEN", "reason": "looked twice"}


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [(EngineLostError("it is gone"), 503, "engine_lost"), (EngineRefusedError("not now"), 409, "refused")],
)
async def test_a_command_that_is_not_confirmed_is_an_error(
    app: FastAPI, anybody: httpx.AsyncClient, engine: RecordingEngine, *, failure: Exception, status: int, code: str
) -> None:
    """Only the engine's own yes is a success."""
    enter(app, anybody)
    engine.failure = failure
    response = await anybody.post("/api/v1/kill", json={})
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert str(failure) in response.json()["error"]["message"]


async def test_a_body_too_large_is_refused(app: FastAPI, anybody: httpx.AsyncClient, engine: RecordingEngine) -> None:
    """By its length, and also when it does not say its length."""
    enter(app, anybody)
    assert (await anybody.post("/api/v1/kill", content=b" " * (BODY_BYTES_MAX + 1))).status_code == 413

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 8192

    response = await anybody.post("/api/v1/kill", content=endless(), headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert engine.asked == []


async def test_the_snapshot_says_how_fresh_it_is(app: FastAPI, anybody: httpx.AsyncClient) -> None:
    """An API client cannot mistake old figures for new ones."""
    enter(app, anybody)
    assert (await anybody.get("/api/v1/snapshot")).json()["fresh"] is False
    engine_says(app)
    answer = (await anybody.get("/api/v1/snapshot")).json()
    assert (answer["fresh"], answer["stale_reason"], answer["engine"]["mode"]) == (True, None, "LIVE")


async def test_firings_come_newest_first_and_by_state(app: FastAPI, anybody: httpx.AsyncClient) -> None:
    """With a limit, and only those in one state when asked."""
    states = ["POSTED", "DECLINED", "POSTED"]
    engine_says(app, firings=[{"firing_id": number, "state": state} for number, state in enumerate(states)])
    enter(app, anybody)
    assert [row["firing_id"] for row in (await anybody.get("/api/v1/firings?limit=2")).json()["firings"]] == [2, 1]
    assert [row["firing_id"] for row in (await anybody.get("/api/v1/firings?state=POSTED")).json()["firings"]] == [2, 0]
    assert (await anybody.get("/api/v1/firings?limit=0")).json()["error"]["code"] == "bad_request"


async def test_ready_only_while_the_engine_can_fire(app: FastAPI, anybody: httpx.AsyncClient) -> None:
    """503 with the reasons otherwise; the process itself is healthy all the while."""
    assert (await anybody.get("/readyz")).status_code == 503
    assert (await anybody.get("/healthz")).json() == {"status": "ok"}
    engine_says(app)
    assert (await anybody.get("/readyz")).json() == {"ready": True, "mode": "LIVE", "reasons": []}
    hub_of(app).lost("it is gone")
    response = await anybody.get("/readyz")
    assert (response.status_code, response.json()["reasons"]) == (503, ["No connection to the engine: it is gone"])


async def test_metrics_are_for_this_machine_or_a_session(app: FastAPI, anybody: httpx.AsyncClient) -> None:
    """A collector beside the console needs no session; one that was forwarded does."""
    engine_says(
        app,
        feeds=[
            {"feed_id": 'a"\n', "channel": "k", "state": "live", "level_db": -18.5, "seen_mono_ns": hub_of(app).clock.mono_ns()}
        ],
        firings=[{"firing_id": 1, "mode": "LIVE", "state": "POSTED"}, {"firing_id": 2, "mode": "LIVE", "state": "POSTED"}],
    )
    transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 5000))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as here:
        response = await here.get("/metrics")
        assert (await here.get("/metrics", headers={"x-forwarded-for": "192.0.2.1"})).status_code == 401
    lines = response.text.splitlines()
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'cuebird_feed_level_db{feed="a\\"\\n",channel="k"} -18.5' in lines
    assert 'cuebird_firings{mode="LIVE",state="POSTED"} 2.0' in lines
    assert "cuebird_engine_heartbeat_age_seconds 0.0" in lines
    shape = re.compile(r'# (HELP|TYPE) cuebird_\w+ .+|cuebird_\w+(\{(\w+="([^"\\\n]|\\.)*",?)+\})? (NaN|-?[0-9.e+-]+)')
    assert all(shape.fullmatch(line) for line in lines)


@pytest.mark.parametrize("told", [None, 7, {"buckets": [7, [1, 2, 3], ["a", "b"]]}, {"waits": "many", "buckets": {}}])
def test_a_timer_that_cannot_be_read_is_no_figure(told: object) -> None:
    """What the engine sends is not believed to be whole: nonsense is NaN or left out, not an error."""
    hub = LiveHub(VirtualClock())
    hub.receive("snapshot", {"engine": {"timer": told}})

    assert 'cuebird_timer_lateness_recent_seconds{quantile="0.99"} NaN' in render(hub).splitlines()


async def test_the_timers_lateness_is_a_histogram() -> None:
    """Cumulative buckets that end with +Inf, and quantiles of late; in seconds."""
    hub, lateness = LiveHub(VirtualClock()), Lateness()
    for late_ms in (0.25, 0.75, 3.0, 900.0):
        lateness.note(round(late_ms * 1e6))
    hub.receive("snapshot", {"engine": {"timer": as_json(lateness.view())}})
    lines = render(hub).splitlines()

    assert "# TYPE cuebird_timer_lateness_seconds histogram" in lines
    for bound, count in (("0.0005", 1), ("0.001", 2), ("0.005", 3), ("0.5", 3), ("+Inf", 4)):
        assert f'cuebird_timer_lateness_seconds_bucket{{le="{bound}"}} {count}.0' in lines
    assert "cuebird_timer_lateness_seconds_count 4.0" in lines
    assert "cuebird_timer_lateness_seconds_sum 0.904" in lines
    assert 'cuebird_timer_lateness_recent_seconds{quantile="1"} 0.9' in lines


async def test_an_unknown_firing_is_a_page_that_says_so(app: FastAPI, anybody: httpx.AsyncClient) -> None:
    """404 with a sentence and a way back; nonsense for a number is no crash either."""
    enter(app, anybody)
    response = await anybody.get("/firings/77")
    assert response.status_code == 404
    assert "Firing 77 is not among" in response.text
    assert (await anybody.get("/firings/<script>")).status_code == 422


async def test_the_api_describes_itself(anybody: httpx.AsyncClient) -> None:
    """Every path of the API is in /openapi.json."""
    paths = (await anybody.get("/openapi.json")).json()["paths"]
    described = {re.sub(r"\{.*?\}", "1", path) for path in paths}
    assert {path for _, path in ROUTES if path.startswith("/api/")} <= described


async def test_the_stream_delivers_and_ends_with_the_session(app: FastAPI, anybody: httpx.AsyncClient) -> None:
    """A browser gets the snapshot and then each change; a log-out closes the stream."""
    enter(app, anybody)
    engine_says(app)
    clock = hub_of(app).clock
    assert isinstance(clock, VirtualClock)
    sent: asyncio.Queue[Message] = asyncio.Queue()
    token = anybody.cookies["cuebird_session"]
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/events",
        "raw_path": b"/events",
        "query_string": b"",
        "headers": [(b"cookie", f"cuebird_session={token}".encode())],
        "client": ("192.0.2.7", 5000),
        "server": ("127.0.0.1", 8400),
        "scheme": "http",
    }

    async def receive() -> Message:
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    streaming = asyncio.create_task(app(scope, receive, sent.put))
    assert (await sent.get())["status"] == 200
    assert (await sent.get())["body"] == b"retry: 500\n\n"
    assert (await sent.get())["body"].startswith(b"event: snapshot\ndata: ")
    hub_of(app).receive("firing", {"firing_id": 9, "text": "Tor!"})
    event, data = (await sent.get())["body"].decode().strip().split("\n")
    assert (event, json.loads(data.removeprefix("data: "))) == ("event: firing", {"firing_id": 9, "text": "Tor!"})
    app.state.sessions.end(token)
    async with asyncio.timeout(5):
        while not streaming.done():
            await clock.advance(1)
            # The session is looked up in a thread, which virtual time does not wait for.
            await asyncio.to_thread(app.state.sessions.find, token)
    await streaming
    assert hub_of(app)._clients == set()
