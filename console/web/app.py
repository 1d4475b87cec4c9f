"""The console's web application, put together."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from console.plan_work import PlanWork
from console.reports.as_run import AsRunReports
from console.users import DATABASE_NAME, ConsoleDatabase, People
from console.web import api, as_run, pages, plans, webhook
from console.web.auth import LoginThrottle, Session, Sessions
from console.web.engine import Engine, EngineSocket
from console.web.guard import Guard
from console.web.live import LiveHub, run_live
from timebase import Clock

if TYPE_CHECKING:
    from console.config import Config

SOCKET_NAME: Final = "engine.sock"
HASHING_MAX: Final = 2
"""Password hashing is made to be expensive; more at once would let strangers keep the machine busy."""
REPORTS_AT_ONCE_MAX: Final = 1
"""A report of many lines takes seconds of a processor; more at once would take them from the engine."""
_log = logging.getLogger(__name__)


def create_app(
    *,
    state_dir: Path,
    clock: Clock,
    secure_cookies: bool,
    engine: Engine | None = None,
    config: "Config | None" = None,
    reports: AsRunReports | None = None,
) -> FastAPI:
    """The application: pages, API and stream, following the engine of this state folder while it runs.

    Args:
        state_dir: holds `console.db` (made when absent) and the engine's `engine.sock`.
        secure_cookies: the console is reached by https; cookies and origins are held to that.
        engine: another way to the engine than the socket in `state_dir`.
        config: the installation whose plans may be imported and whose airings reported here; None: neither.
        reports: another maker of as-run reports than the configuration's.

    Raises:
        ConsoleError: `console.db` cannot be opened.
    """
    database = ConsoleDatabase(state_dir / DATABASE_NAME)
    sessions = Sessions(database, clock)
    app = FastAPI(
        title="Cuebird console",
        version="1",
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    app.state.database, app.state.sessions, app.state.people = database, sessions, People(database, clock)
    app.state.throttle, app.state.hub = LoginThrottle(clock), LiveHub(clock)
    app.state.engine = engine or EngineSocket(state_dir / SOCKET_NAME)
    app.state.message_rate = webhook.MessageRate(clock)
    app.state.reports = reports or (config and AsRunReports.of(config, clock))
    app.state.reporting = asyncio.Semaphore(REPORTS_AT_ONCE_MAX)
    app.state.secure_cookies, app.state.hashing = secure_cookies, asyncio.Semaphore(HASHING_MAX)

    async def find_session(token: str) -> Session | None:
        return await asyncio.to_thread(sessions.find, token)

    app.state.find_session = find_session
    app.include_router(api.router)
    app.include_router(webhook.router)
    app.include_router(as_run.router)
    app.include_router(pages.router)
    app.include_router(plans.router)
    app.state.plans, app.state.plan_turn = config and PlanWork(config), asyncio.Semaphore(1)
    app.include_router(as_run.page_router)
    app.mount("/static", StaticFiles(directory=pages.WEB / "static"), name="static")
    app.add_middleware(Guard, sessions=sessions, secure_cookies=secure_cookies)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(Exception, _unforeseen)
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    live = asyncio.create_task(run_live(app.state.hub, app.state.engine.subscribe), name="console-live")
    try:
        yield
    finally:
        live.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await live
        app.state.database.close()


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _answer(request, error.status_code, str(error.detail), dict(error.headers or {}))


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    return _answer(request, 422, f"{where or 'request'}: {first['msg']}", {})


async def _unforeseen(request: Request, error: Exception) -> Response:
    _log.error("console_request_failed", exc_info=error, extra={"path": request.url.path})
    return _answer(request, 500, "The console made a mistake; its log has the details. The engine is not affected.", {})


def _answer(request: Request, status: int, message: str, headers: dict[str, str]) -> Response:
    if request.url.path.startswith("/api/") or request.url.path in ("/events", "/metrics"):
        return api.error_answer(status, message, headers)
    response = pages.page(request, "problem.html", status, status_code=status, message=message)
    response.headers.update(headers)
    return response
