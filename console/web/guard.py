"""The door of the console: nothing is answered without a session, nothing unsafe without proof of origin."""

import asyncio
import ipaddress
import json
import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.errors import ConsoleError
from console.web.auth import Session, Sessions

CSRF_HEADER: Final = "x-csrf-token"
CSRF_FIELD: Final = "csrf_token"
BODY_BYTES_MAX: Final = 65_536
UPLOAD_BYTES_MAX: Final = 16 << 20
"""Of a plan's file, sent to one of `_UPLOADS` by somebody who is logged in (`schedules.cells.FILE_BYTES_MAX`)."""

_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_METHODS: Final = _SAFE_METHODS | {"POST"}
_LOGIN: Final = "/login"
_PUBLIC: Final = frozenset({_LOGIN, "/healthz", "/readyz", "/openapi.json", "/favicon.ico"})
_UPLOADS: Final = frozenset({"/api/v1/plans/preview", "/api/v1/plans/import", "/api/v1/plans/problems"})
_PUBLIC_FOLDER: Final = "/static/"
_LOCAL: Final = frozenset({"/metrics"})
"""Open to programs of this machine, for a metrics collector; from elsewhere a session is needed."""
SIGNED_FOLDER: Final = "/api/v1/devices/"
"""What is posted here proves itself by a device's signature, which the engine verifies; no browser has a part in it."""
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip")
_JSON_PATHS: Final = ("/api/", "/events", "/metrics")


def session_cookie_name(*, secure: bool) -> str:
    """The cookie's name; `__Host-` makes browsers refuse it without https, with a domain or with another path."""
    return "__Host-cuebird" if secure else "cuebird_session"


def login_cookie_name(*, secure: bool) -> str:
    """The name of the cookie that ties a log-in form to the browser that asked for it."""
    return "__Host-cuebird-login" if secure else "cuebird_login"


def error_body(code: str, message: str) -> dict[str, dict[str, str]]:
    """The one shape of errors of the HTTP API."""
    return {"error": {"code": code, "message": message}}


def origin_problem(headers: Mapping[str, str], *, secure: bool) -> str | None:
    """Why an unsafe request is not believed to come from our own page, or None when it is.

    Every piece of evidence must agree, and there must be some: a request with neither `Sec-Fetch-Site` nor
    `Origin` is refused, as is one with the `null` origin of a sandboxed frame.

    Source:
        W3C Fetch Metadata Request Headers; RFC 6454 section 7.
    """
    site, origin, host = headers.get("sec-fetch-site"), headers.get("origin"), headers.get("host", "")
    if site is None and origin is None:
        return "the request says nothing of where it comes from; send an Origin header"
    if site is not None and site != "same-origin":
        return f"the request comes from another page (Sec-Fetch-Site: {site})"
    if origin is not None:
        parts = urlsplit(origin)
        if parts.scheme != ("https" if secure else "http") or not host or parts.netloc.lower() != host.lower():
            return f"the request comes from {origin}, not from this console"
    return None


class Guard:
    """ASGI middleware around the whole application.

    Puts `session` (or None) and `csp_nonce` into the request's state. Refuses, before any route is looked up:
    other methods than GET, HEAD and POST; large bodies; unsafe requests of foreign origin, or without their
    session's token in the `X-CSRF-Token` header or the form's `csrf_token` field (the log-in form, which has no
    session yet, is tied to a cookie by its route); every path but the few public ones without a session. What devices
    post under `SIGNED_FOLDER` needs none of these.
    """

    def __init__(self, app: ASGIApp, *, sessions: Sessions, secure_cookies: bool) -> None:
        self._app, self._sessions, self._secure = app, sessions, secure_cookies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        nonce = secrets.token_urlsafe(16)
        sender = _with_headers(send, path=scope["path"], nonce=nonce, secure=self._secure)
        headers = Headers(scope=scope)
        try:
            session = await self._session(headers)
        except ConsoleError as error:
            await _refuse(scope, sender, 503, "accounts_unreadable", str(error))
            return
        scope.setdefault("state", {}).update(session=session, csp_nonce=nonce)
        receive = _limited(receive, _bytes_max(scope, session))
        refusal = self._refusal(scope, headers, session)
        unsafe = scope["method"] not in _SAFE_METHODS and scope["path"] != _LOGIN and not _is_signed(scope)
        if refusal is None and session is not None and unsafe:
            given, receive = await _csrf_token_of(headers, receive)
            if not same_token(given, session.csrf_token):
                refusal = 403, "csrf_token", "the request does not carry this session's token; reload the page and try again"
        if refusal is None:
            await self._app(scope, receive, sender)
        else:
            await _refuse(scope, sender, *refusal)

    async def _session(self, headers: Headers) -> Session | None:
        token = cookie(headers, session_cookie_name(secure=self._secure))
        return await asyncio.to_thread(self._sessions.find, token) if token else None

    def _refusal(self, scope: Scope, headers: Headers, session: Session | None) -> tuple[int, str, str] | None:
        path, method = scope["path"], scope["method"]
        if method not in _METHODS:
            return 405, "method_not_allowed", f"{method} is not used here; use GET or POST"
        length = headers.get("content-length", "0")
        most = _bytes_max(scope, session)
        if not length.isdigit() or int(length) > most:
            return 413, "too_large", f"a request's body may have {most} bytes"
        if _is_signed(scope):
            return None
        if method not in _SAFE_METHODS and (problem := origin_problem(headers, secure=self._secure)):
            return 403, "foreign_origin", problem
        is_open = path in _PUBLIC or path.startswith(_PUBLIC_FOLDER) or (path in _LOCAL and _is_local(scope, headers))
        return None if session is not None or is_open else (401, "not_logged_in", "log in first")


def same_token(given: str | None, expected: str) -> bool:
    """Whether a secret token is the expected one, found out in a time that tells nothing."""
    return given is not None and secrets.compare_digest(given.encode(), expected.encode())


def cookie(headers: Headers, name: str) -> str | None:
    """A cookie's value, None when it is absent or the header is malformed."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return None
    return morsel.value if morsel else None


async def _csrf_token_of(headers: Headers, receive: Receive) -> tuple[str | None, Receive]:
    """The token a request carries, and its body to be read once more by the route."""
    if CSRF_HEADER in headers or not _is_form(headers):
        return headers.get(CSRF_HEADER), receive
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    try:
        values = parse_qs(body.decode("utf-8", "replace"), max_num_fields=20).get(CSRF_FIELD, [])
    except ValueError:
        values = []
    return (values[0] if len(values) == 1 else None), _replayed(body, receive)


def _replayed(body: bytes, receive: Receive) -> Receive:
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay


def _is_signed(scope: Scope) -> bool:
    return scope["method"] == "POST" and str(scope["path"]).startswith(SIGNED_FOLDER)


def _is_form(headers: Headers) -> bool:
    return headers.get("content-type", "").partition(";")[0].strip().lower() == "application/x-www-form-urlencoded"


def _is_local(scope: Scope, headers: Headers) -> bool:
    if not scope.get("client") or any(name in headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(scope["client"][0]).is_loopback
    except ValueError:
        return False


def _bytes_max(scope: Scope, session: Session | None) -> int:
    return UPLOAD_BYTES_MAX if scope["path"] in _UPLOADS and session is not None else BODY_BYTES_MAX


def _limited(receive: Receive, most: int) -> Receive:
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        # A body longer than it said (or chunked without end) is cut off as if the client had gone.
        return message if taken <= most else {"type": "http.disconnect"}

    return limited


def _with_headers(send: Send, *, path: str, nonce: str, secure: bool) -> Send:
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )

    async def sender(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["content-security-policy"] = policy
            headers["x-content-type-options"] = "nosniff"
            headers["x-frame-options"] = "DENY"
            headers["referrer-policy"] = "same-origin"
            headers["cross-origin-opener-policy"] = "same-origin"
            headers["cross-origin-resource-policy"] = "same-origin"
            headers["permissions-policy"] = "camera=(), microphone=(), geolocation=(), payment=()"
            headers["cache-control"] = "no-cache" if path.startswith(_PUBLIC_FOLDER) else "no-store"
            if secure:
                headers["strict-transport-security"] = "max-age=31536000"
        await send(message)

    return sender


async def _refuse(scope: Scope, send: Send, status: int, code: str, message: str) -> None:
    wants_page = scope["method"] in _SAFE_METHODS and not scope["path"].startswith(_JSON_PATHS)
    if status == 401 and wants_page:
        status, body, headers = 303, b"", [(b"location", b"/login")]
    else:
        body, headers = json.dumps(error_body(code, message)).encode(), [(b"content-type", b"application/json")]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
