"""The HTTP API under /api/v1, health and metrics."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi import Path as PathParameter
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from console.users import Role
from console.web import metrics
from console.web.auth import Session
from console.web.engine import Engine, EngineRefusedError
from console.web.events import EventStream
from console.web.guard import cookie, error_body, session_cookie_name
from console.web.live import EngineLostError, LiveHub

Reason = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]
router = APIRouter()


class Kill(BaseModel):
    """Stop all firing; a reason may follow later."""

    model_config = ConfigDict(extra="forbid")
    reason: Reason = ""


class Release(BaseModel):
    """Allow firing again; `confirm` is the typed word."""

    model_config = ConfigDict(extra="forbid")
    reason: Annotated[Reason, Field(min_length=3)]
    confirm: Literal["RELEASE"]


class Mode(BaseModel):
    """Another mode; for LIVE, `confirm` is the typed word."""

    model_config = ConfigDict(extra="forbid")
    mode: Literal["OFF", "REHEARSAL", "LIVE"]
    confirm: str = Field(default="", max_length=20)


class Veto(BaseModel):
    """Stop a firing that waits for its audience delay; a reason may follow later."""

    model_config = ConfigDict(extra="forbid")
    reason: Reason = ""


class Settle(BaseModel):
    """What became of an unknown firing, by somebody who looked at the account; a tweet that is there has an id."""

    model_config = ConfigDict(extra="forbid")
    state: Literal["POSTED", "NOT_SEEN"]
    reason: Annotated[Reason, Field(min_length=3)]
    tweet_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,25}$")] | None = None


class Error(BaseModel):
    """What went wrong."""

    code: str
    message: str


class ErrorAnswer(BaseModel):
    """The one shape of errors."""

    error: Error


ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": text}
    for status, text in (
        (401, "Not logged in"),
        (403, "The role, the origin or the token does not allow it"),
        (409, "The engine refuses"),
        (422, "The request is not as described"),
        (503, "The engine does not answer"),
    )
}


def session_of(request: Request) -> Session:
    """The session of a request.

    Raises:
        HTTPException: there is none (401).
    """
    session = request.scope["state"].get("session")
    if not isinstance(session, Session):
        raise HTTPException(401, "log in first")
    return session


def operator_session(session: Annotated[Session, Depends(session_of)]) -> Session:
    """The session of somebody who may change what the engine does.

    Raises:
        HTTPException: the role does not cover it (403).
    """
    if not session.person.role.covers(Role.OPERATOR):
        raise HTTPException(403, f"{session.person.name} is a {session.person.role}; this takes an operator or admin")
    return session


def hub_of(request: Request) -> LiveHub:
    """The application's hub."""
    hub = request.app.state.hub
    assert isinstance(hub, LiveHub)
    return hub


def engine_of(request: Request) -> Engine:
    """The application's way to the engine."""
    engine: Engine = request.app.state.engine
    return engine


LoggedIn = Depends(session_of)
AnySession = Annotated[Session, LoggedIn]
Operator = Depends(operator_session)
OperatorSession = Annotated[Session, Operator]
Hub = Annotated[LiveHub, Depends(hub_of)]
EngineDoor = Annotated[Engine, Depends(engine_of)]
FiringId = Annotated[int, PathParameter(ge=1, le=2**62)]


@router.get("/api/v1/snapshot", responses=ERRORS, tags=["engine"], dependencies=[LoggedIn])
async def snapshot(hub: Hub) -> dict[str, Any]:
    """All the console knows of the engine, and how fresh it is."""
    return {
        "fresh": hub.stale_reason() is None,
        "stale_reason": hub.stale_reason(),
        "heartbeat_age_ms": hub.heartbeat_age_ms(),
        **hub.view.snapshot(),
    }


@router.get("/api/v1/firings", responses=ERRORS, tags=["engine"], dependencies=[LoggedIn])
async def firings(
    hub: Hub,
    state: Annotated[str | None, Query(max_length=40)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    """The newest firings first, as in docs/engine-socket.md; `state` keeps those in one state."""
    newest = [row for row in reversed(hub.view.rows("firings")) if state is None or row.get("state") == state]
    return {"firings": newest[:limit]}


@router.post("/api/v1/kill", responses=ERRORS, tags=["commands"])
async def kill(engine: EngineDoor, session: AnySession, order: Kill | None = None) -> dict[str, Any]:
    """Set the kill switch: once this is answered no tweet leaves. Everybody who is logged in may."""
    return await order_kill(engine, session, order.reason if order else "")


async def order_kill(engine: Engine, session: Session, reason: str) -> dict[str, Any]:
    """Pass a kill on to the engine, in the name of the session's person."""
    return await _ordered(engine, "kill", actor=session.person.name, reason=reason or "kill button")


@router.post("/api/v1/release", responses=ERRORS, tags=["commands"])
async def release(engine: EngineDoor, session: OperatorSession, order: Release) -> dict[str, Any]:
    """Clear the kill switch."""
    return await _ordered(engine, "release", actor=session.person.name, reason=order.reason)


@router.post("/api/v1/mode", responses=ERRORS, tags=["commands"])
async def mode(engine: EngineDoor, session: OperatorSession, order: Mode) -> dict[str, Any]:
    """Change the mode."""
    if order.mode == "LIVE" and order.confirm != "LIVE":
        raise HTTPException(422, "confirm: for LIVE it must be the word LIVE")
    return await _ordered(engine, "mode", mode=order.mode, actor=session.person.name)


@router.post("/api/v1/firings/{firing_id}/veto", responses=ERRORS, tags=["commands"])
async def veto(engine: EngineDoor, session: AnySession, firing_id: FiringId, order: Veto | None = None) -> dict[str, Any]:
    """Withdraw a firing that waits for its audience delay, for good; refused once it has been claimed. Whoever may kill may."""
    reason = (order.reason if order else "") or "veto button"
    return await _ordered(engine, "veto", firing_id=firing_id, actor=session.person.name, reason=reason)


@router.post("/api/v1/firings/{firing_id}/settle", responses=ERRORS, tags=["commands"])
async def settle(engine: EngineDoor, session: OperatorSession, firing_id: FiringId, order: Settle) -> dict[str, Any]:
    """Say what became of an unknown firing."""
    fields = order.model_dump(exclude_none=True)
    return await _ordered(engine, "settle", firing_id=firing_id, actor=session.person.name, **fields)


async def _ordered(engine: Engine, op: str, **fields: object) -> dict[str, Any]:
    try:
        return await engine.request(op, **fields)
    except EngineRefusedError as error:
        raise HTTPException(409, str(error)) from error
    except EngineLostError as error:
        raise HTTPException(503, f"The engine did not confirm the {op}: {error}") from error


@router.get("/events", include_in_schema=False, dependencies=[LoggedIn])
async def events(request: Request, hub: Hub) -> Any:
    """Server-sent events: a snapshot, then every change."""
    token = cookie(request.headers, session_cookie_name(secure=request.app.state.secure_cookies)) or ""

    async def still_allowed() -> bool:
        return await request.app.state.find_session(token) is not None

    try:
        client = hub.join()
    except EngineLostError as error:
        raise HTTPException(503, str(error)) from error
    return EventStream(hub, client, still_allowed=still_allowed)


@router.get("/healthz", tags=["health"])
async def healthz() -> dict[str, str]:
    """The console's process lives."""
    return {"status": "ok"}


@router.get("/readyz", tags=["health"], responses={503: {"description": "The engine cannot fire, for these reasons"}})
async def readyz(hub: Hub) -> JSONResponse:
    """Whether the engine can fire: heard lately, not killed, in REHEARSAL or LIVE."""
    reasons = hub.reasons_not_ready()
    return JSONResponse({"ready": not reasons, "mode": hub.view.mode, "reasons": reasons}, 503 if reasons else 200)


@router.get("/metrics", tags=["health"], response_class=PlainTextResponse)
async def metrics_text(hub: Hub) -> PlainTextResponse:
    """Figures in the Prometheus text format; open to programs of this machine."""
    return PlainTextResponse(metrics.render(hub), media_type=metrics.CONTENT_TYPE)


_CODES = {401: "not_logged_in", 403: "forbidden", 404: "not_found", 405: "method_not_allowed", 409: "refused", 413: "too_large",
          422: "bad_request", 429: "too_many_requests", 503: "engine_lost"}  # fmt: skip


def error_answer(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """An error in the one shape."""
    return JSONResponse(error_body(_CODES.get(status, "error"), message), status, headers)
