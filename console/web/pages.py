"""The pages: live, plans, one firing, log-in."""

import asyncio
import secrets
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from console.users import PASSWORD_CHARS_MAX, People, Person, Role
from console.web.api import AnySession, EngineDoor, Hub, LoggedIn, order_kill
from console.web.auth import SESSION_MOST, LoginThrottle, Sessions
from console.web.guard import cookie, login_cookie_name, same_token, session_cookie_name

router = APIRouter(include_in_schema=False)
WEB = Path(__file__).parent
_templates = Jinja2Templates(
    env=Environment(
        loader=FileSystemLoader(WEB / "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
)


def page(request: Request, template: str, status: int = 200, **context: Any) -> Response:
    """A rendered page with what every page needs."""
    state = request.scope["state"]
    context.update(nonce=state.get("csp_nonce", ""), session=state.get("session"))
    return _templates.TemplateResponse(request, template, context, status_code=status)


@router.get("/")
async def live(request: Request, session: AnySession) -> Response:
    """The control room."""
    return page(request, "live.html", may_operate=session.person.role.covers(Role.OPERATOR))


@router.get("/plans")
async def plans(request: Request, session: AnySession) -> Response:
    """The plans: import one, compare its versions, go back to one."""
    from schedules.layouts import BY_NAME

    may_operate = session.person.role.covers(Role.OPERATOR)
    return page(request, "plans.html", may_operate=may_operate, layouts=[(name, one.title) for name, one in BY_NAME.items()])


@router.get("/firings/{firing_id}")
async def firing(request: Request, hub: Hub, session: AnySession, firing_id: int) -> Response:
    """Everything known of one firing."""
    record = hub.view.firing(firing_id)
    if record is None:
        raise HTTPException(
            404, f"Firing {firing_id} is not among the {len(hub.view.rows('firings'))} newest that this page can show."
        )
    may_operate = session.person.role.covers(Role.OPERATOR)
    return page(request, "firing.html", firing=record, stale_reason=hub.stale_reason(), may_operate=may_operate)


@router.post("/kill")
async def kill(engine: EngineDoor, session: AnySession) -> Response:
    """The kill button without JavaScript."""
    await order_kill(engine, session, "")
    return RedirectResponse("/", 303)


@router.get("/login")
async def login_form(request: Request) -> Response:
    """The log-in form; whoever is logged in goes on to the live page."""
    if request.scope["state"].get("session") is not None:
        return RedirectResponse("/", 303)
    return _login_page(request)


@router.post("/login")
async def login(
    request: Request,
    name: Annotated[str, Form(max_length=64)],
    password: Annotated[str, Form(max_length=PASSWORD_CHARS_MAX)],
    csrf_token: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Check name and password; the session that begins has a new token."""
    secure, throttle = request.app.state.secure_cookies, request.app.state.throttle
    assert isinstance(throttle, LoginThrottle)
    expected = cookie(request.headers, login_cookie_name(secure=secure))
    if not expected or not same_token(csrf_token, expected):
        return _login_page(request, 403, "This form was too old. Please try again.", name)
    name = name.strip().lower()
    address = request.client.host if request.client else ""
    if wait_s := throttle.wait_s(name, address):
        response = _login_page(request, 429, f"Too many failed attempts. Try again in {wait_s} s.", name)
        response.headers["retry-after"] = str(wait_s)
        return response
    # Counted before the slow hashing, so that many attempts at once do not slip through together.
    throttle.failed(name, address)
    person = await _verified(request, name, password)
    if person is None:
        return _login_page(request, 403, "Name and password do not belong together.", name)
    throttle.succeeded(name, address)
    return await _begin_session(request, person)


@router.post("/logout", dependencies=[LoggedIn])
async def logout(request: Request) -> Response:
    """End this session."""
    secure = request.app.state.secure_cookies
    token = cookie(request.headers, session_cookie_name(secure=secure)) or ""
    sessions: Sessions = request.app.state.sessions
    await asyncio.to_thread(sessions.end, token)
    response = RedirectResponse("/login", 303)
    response.delete_cookie(session_cookie_name(secure=secure), path="/", secure=secure, httponly=True, samesite="lax")
    return response


def _login_page(request: Request, status: int = 200, problem: str = "", name: str = "") -> Response:
    secure, token = request.app.state.secure_cookies, secrets.token_urlsafe(32)
    response = page(request, "login.html", status, problem=problem, name=name, csrf_token=token)
    response.set_cookie(
        login_cookie_name(secure=secure), token, max_age=3600, path="/", secure=secure, httponly=True, samesite="lax"
    )
    return response


async def _verified(request: Request, name: str, password: str) -> Person | None:
    people: People = request.app.state.people
    async with request.app.state.hashing:
        return await asyncio.to_thread(people.verify, name, password)


async def _begin_session(request: Request, person: Person) -> Response:
    secure, sessions = request.app.state.secure_cookies, request.app.state.sessions
    assert isinstance(sessions, Sessions)
    old = cookie(request.headers, session_cookie_name(secure=secure))
    if old:
        await asyncio.to_thread(sessions.end, old)
    token = await asyncio.to_thread(sessions.start, person)
    response = RedirectResponse("/", 303)
    most_s = int(SESSION_MOST.total_seconds())
    response.set_cookie(
        session_cookie_name(secure=secure), token, max_age=most_s, path="/", secure=secure, httponly=True, samesite="lax"
    )
    response.delete_cookie(login_cookie_name(secure=secure), path="/", secure=secure, httponly=True, samesite="lax")
    return response
