"""The sandbox's OAuth 2.0: the page where an account's owner says yes, the token endpoint, and what a token may do."""

import base64
import binascii
import html
import ipaddress
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from sync.accounts import Credentials
from sync.sandbox import problems
from sync.sandbox.oauth2_grants import SCOPES, App, Grants, is_user_token
from sync.sandbox.problems import Answer, Problem, as_json

AUTHORIZE: Final = "/i/oauth2/authorize"
STATE_CHARS_MAX: Final = 500
_READ: Final = ("tweet.read", "users.read")
_WRITE: Final = (*_READ, "tweet.write")
_CHALLENGE_CHARS: Final = 43
"""Of base64url of a SHA-256; shorter ones cannot be of the method S256."""
_MEANING: Final = {
    "tweet.read": "read posts",
    "tweet.write": "post and delete for you",
    "users.read": "see who you are",
    "media.write": "upload pictures and videos",
    "offline.access": "stay connected until you take it back",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What an app asks of an account's owner."""

    app: App
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str
    challenge: str


class OAuth2:
    """Answers what belongs to OAuth 2.0, and says whom a bearer token speaks for.

    Args:
        accounts: by id; any of them may be the one that says yes.
        apps: the clients.
        now_s: seconds since 1970.
    """

    def __init__(
        self, accounts: Mapping[str, Credentials], apps: Sequence[App], grants: Grants, *, now_s: Callable[[], float]
    ) -> None:
        self._accounts, self._grants, self._now_s = accounts, grants, now_s
        self._apps = {app.client_id: app for app in apps}

    def answer(self, method: str, path: str, *, query: str, authorization: str | None, body: bytes) -> Answer | None:
        """The answer of a request that belongs to a sign-in; None for all others.

        Args:
            query: of the address, encoded.
            authorization: the header's value; None when it is missing.
            body: of a form.

        Raises:
            Problem: it is refused.
        """
        match method, path:
            case "GET", "/i/oauth2/authorize":
                return self._page(self._asked(_fields(query)))
            case "POST", "/i/oauth2/authorize":
                return self._decided(self._asked(_fields(query)), _fields(body.decode(errors="replace")))
            case "POST", "/2/oauth2/token":
                return self._token(_fields(body.decode(errors="replace")), authorization)
            case "POST", "/2/oauth2/revoke":
                return self._revoke(_fields(body.decode(errors="replace")), authorization)
        return None

    def holder(self, authorization: str | None, *, method: str, path: str) -> Credentials | None:
        """The account a user's bearer token speaks for; None when the header holds none.

        Raises:
            Problem: 401, the token does not hold; 403, it may not do this.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not is_user_token(token):
            return None
        grant = self._grants.holder(token, now_s=self._now_s())
        if not set(scopes_needed(method, path)) <= set(grant.scopes):
            raise problems.missing_scope()
        account = self._accounts.get(grant.account_id)
        if account is None:
            raise problems.unauthorized()
        return account

    def _asked(self, given: Mapping[str, str]) -> _Asked:
        app, redirect_uri = self._apps.get(given.get("client_id", "")), given.get("redirect_uri", "")
        scopes = tuple(given.get("scope", "").split())
        wrong = {
            "client_id": app is None,
            "response_type": given.get("response_type") != "code",
            "redirect_uri": not _is_loopback(redirect_uri),
            "scope": not scopes or not set(scopes) <= set(SCOPES),
            "state": not 0 < len(given.get("state", "")) <= STATE_CHARS_MAX,
            "code_challenge": len(given.get("code_challenge", "")) != _CHALLENGE_CHARS,
            "code_challenge_method": given.get("code_challenge_method") != "S256",
        }
        if app is None or any(wrong.values()):
            raise _no_access([name for name, is_wrong in wrong.items() if is_wrong])
        return _Asked(app=app, redirect_uri=redirect_uri, scopes=scopes, state=given["state"], challenge=given["code_challenge"])

    def _page(self, asked: _Asked) -> Answer:
        accounts = "".join(
            f'<option value="{html.escape(account.account_id)}">@{html.escape(account.handle)}</option>'
            for account in self._accounts.values()
        )
        wishes = "".join(f"<li>{_MEANING[scope]} <code>{scope}</code></li>" for scope in asked.scopes)
        back = html.escape(asked.redirect_uri)
        return _html(200, _PAGE.format(accounts=accounts, wishes=wishes, back=back))

    def _decided(self, asked: _Asked, form: Mapping[str, str]) -> Answer:
        account = self._accounts.get(form.get("account", ""))
        if form.get("decision") != "allow" or account is None:
            return _back(asked, {"error": "access_denied"})
        code = self._grants.allow(
            account_id=account.account_id,
            client_id=asked.app.client_id,
            redirect_uri=asked.redirect_uri,
            scopes=asked.scopes,
            challenge=asked.challenge,
            now_s=self._now_s(),
        )
        return _back(asked, {"code": code})

    def _token(self, form: Mapping[str, str], authorization: str | None) -> Answer:
        app = self._client(form, authorization)
        match form.get("grant_type"):
            case "authorization_code":
                code, redirect_uri, verifier = _needed(form, "code", "redirect_uri", "code_verifier")
                tokens = self._grants.exchange(
                    code, client_id=app.client_id, redirect_uri=redirect_uri, verifier=verifier, now_s=self._now_s()
                )
            case "refresh_token":
                (token,) = _needed(form, "refresh_token")
                tokens = self._grants.refresh(token, client_id=app.client_id, now_s=self._now_s())
            case _:
                raise problems.token_refused("Value passed for the grant type was invalid.")
        return as_json(200, tokens, headers={"Cache-Control": "no-store"})

    def _revoke(self, form: Mapping[str, str], authorization: str | None) -> Answer:
        app = self._client(form, authorization)
        (token,) = _needed(form, "token")
        self._grants.revoke(token, client_id=app.client_id)
        return as_json(200, {"revoked": True})

    def _client(self, form: Mapping[str, str], authorization: str | None) -> App:
        """The app that asks: a confidential one by its header, a public one by its name in the form."""
        told, secret = _basic(authorization)
        client_id = told or form.get("client_id", "")
        if not client_id:
            raise problems.token_refused("Missing required parameter [client_id].")
        app = self._apps.get(client_id)
        if app is None or form.get("client_id", client_id) != client_id:
            raise problems.token_refused("Value passed for the client id was invalid.")
        if app.client_secret is not None and not secrets.compare_digest(app.client_secret.encode(), secret.encode()):
            raise problems.client_refused()
        return app


def scopes_needed(method: str, path: str) -> tuple[str, ...]:
    """What a token must be allowed to do for a request, as X documents it."""
    if path.startswith("/2/media/"):
        return ("media.write",)
    return _READ if method == "GET" else _WRITE


def _needed(form: Mapping[str, str], *names: str) -> list[str]:
    for name in names:
        if not form.get(name):
            raise problems.token_refused(f"Missing required parameter [{name}].")
    return [form[name] for name in names]


def _basic(authorization: str | None) -> tuple[str, str]:
    """Name and secret of a Basic header; both empty when there is none."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, secret


def _is_loopback(address: str) -> bool:
    """Whether a code may be sent there: to a program on this machine (RFC 8252, section 7.3)."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        return parts.scheme == "http" and not parts.fragment and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _fields(encoded: str) -> dict[str, str]:
    return dict(parse_qsl(encoded, keep_blank_values=True, max_num_fields=50))


def _back(asked: _Asked, told: Mapping[str, str]) -> Answer:
    joint = "&" if urlsplit(asked.redirect_uri).query else "?"
    location = f"{asked.redirect_uri}{joint}{urlencode({'state': asked.state, **told})}"
    return Answer(status=302, body=b"", content_type="text/html", headers={"Location": location})


def _no_access(wrong: Sequence[str]) -> Problem:
    """X sends nobody back when a request is wrong, and says no more than its first sentence; the sandbox names what is."""
    named = html.escape(", ".join(wrong))
    return Problem(_html(400, _WRONG.format(wrong=named)))


def _html(status: int, text: str) -> Answer:
    return Answer(status=status, body=text.encode(), content_type="text/html", headers={"Cache-Control": "no-store"})


_HEAD: Final = (
    "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'><title>{title}</title>"
    "<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:28rem;margin:8vh auto;padding:0 1rem;color:#111;background:#fff}}"
    "b.mark{{background:#ffd400;padding:.1rem .5rem;letter-spacing:.1em}}button{{font:inherit;padding:.6rem 1.2rem;"
    "border-radius:2rem;border:1px solid #111;background:#fff}}button[value=allow]{{background:#111;color:#fff}}"
    "select{{font:inherit;padding:.4rem}}code{{color:#555}}</style><p><b class=mark>SANDBOX</b> this is not X"
)
_PAGE: Final = (
    _HEAD.replace("{title}", "Authorize")
    + "<h1>An app wants to use your account</h1><form method=post><p><label>You are <select name=account>{accounts}</select>"
    "</label><p>It could:<ul>{wishes}</ul><p><button name=decision value=allow>Authorize app</button>"
    " <button name=decision value=deny>Cancel</button><p>You go back to <code>{back}</code></form>"
)
_WRONG: Final = (
    _HEAD.replace("{title}", "Something went wrong")
    + "<h1>Something went wrong</h1><p>You weren’t able to give access to the App.<p>The sandbox says why: <code>{wrong}</code>"
)
