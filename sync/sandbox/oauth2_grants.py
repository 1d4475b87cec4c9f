"""Who may act for whom by OAuth 2.0: codes, access tokens, and refresh tokens that are good once.

A yes begins a family: the tokens of the first answer and all that come from renewing them. A refresh token that comes a
second time has been copied by somebody, or its answer was lost; either way the whole family ends, as at X (RFC 9700,
section 4.14.2). Only digests are kept.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Literal

from sync.sandbox import problems
from sync.sandbox.authority import write_private

SCOPES: Final = ("tweet.read", "tweet.write", "users.read", "media.write", "offline.access")
CODES_MAX: Final = 100
GRANTS_MAX: Final = 1000
USED_MAX: Final = 1000
"""Refresh tokens of a family that are remembered as used; half a year of renewing every few hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A client of the token endpoint; without a secret it is a public one."""

    client_id: str
    client_secret: str | None = None

    def to_json(self) -> str:
        """What `cuebird account sign-in --oauth2 --app` reads."""
        return json.dumps({name: value for name, value in asdict(self).items() if value is not None}, indent=2) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A yes that waits to be exchanged for tokens."""

    account_id: str
    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    challenge: str
    ends_s: float


@dataclass(slots=True, kw_only=True)
class Grant:
    """A family: its newest tokens, as digests, and the refresh tokens that were used."""

    account_id: str
    client_id: str
    scopes: tuple[str, ...]
    code: str
    access: str = ""
    access_ends_s: float = 0.0
    refresh: str = ""
    used: list[str] = field(default_factory=list)


class Grants:
    """Every code and family of a sandbox; families outlive it in a file.

    Args:
        access_s: how long an access token lasts.
        code_s: how long a code lasts.
        path: the file; made when missing.
    """

    def __init__(self, *, access_s: int, code_s: int, path: Path) -> None:
        self._access_s, self._code_s, self._path = access_s, code_s, path
        self._codes: dict[str, Code] = {}
        self._grants: list[Grant] = []
        if path.exists():
            kept = json.loads(path.read_text())
            self._grants = [Grant(**{**one, "scopes": tuple(one["scopes"])}) for one in kept]

    def allow(
        self, *, account_id: str, client_id: str, redirect_uri: str, scopes: Sequence[str], challenge: str, now_s: float
    ) -> str:
        """A code for a yes; it is good once, and for seconds."""
        if len(self._codes) >= CODES_MAX:
            del self._codes[next(iter(self._codes))]
        code = _token("ac", now_s)
        self._codes[_digest(code)] = Code(
            account_id=account_id,
            client_id=client_id,
            redirect_uri=redirect_uri,
            scopes=tuple(scopes),
            challenge=challenge,
            ends_s=now_s + self._code_s,
        )
        return code

    def exchange(self, code: str, *, client_id: str, redirect_uri: str, verifier: str, now_s: float) -> dict[str, object]:
        """The first tokens of a family, in the form of the token endpoint.

        Raises:
            Problem: 400; the code is spent then, whatever was wrong.
        """
        digest = _digest(code)
        # A code that comes twice was copied on its way: what it gave is taken back (RFC 6749, section 4.1.2).
        self._end([grant for grant in self._grants if grant.code == digest])
        known = self._codes.pop(digest, None)
        if known is None or known.client_id != client_id or now_s >= known.ends_s:
            raise problems.token_refused("Value passed for the authorization code was invalid.")
        if known.redirect_uri != redirect_uri:
            raise problems.token_refused("Value passed for the redirect uri did not match the uri of the authorization code.")
        if not secrets.compare_digest(challenge_of(verifier), known.challenge):
            raise problems.token_refused("Value passed for the code verifier did not match the code challenge.")
        grant = Grant(account_id=known.account_id, client_id=client_id, scopes=known.scopes, code=digest)
        self._grants = [*self._grants, grant][-GRANTS_MAX:]
        return self._issue(grant, now_s)

    def refresh(self, token: str, *, client_id: str, now_s: float) -> dict[str, object]:
        """New tokens for a refresh token, which is used up, as is the access token that came with it.

        Raises:
            Problem: 400; its family is at an end if the token was used before.
        """
        digest = _digest(token)
        self._end([grant for grant in self._grants if digest in grant.used])
        grant = next((one for one in self._grants if one.refresh == digest and one.client_id == client_id), None)
        if grant is None:
            raise problems.token_refused("Value passed for the token was invalid.")
        grant.used = [*grant.used, digest][-USED_MAX:]
        return self._issue(grant, now_s)

    def revoke(self, token: str, *, client_id: str) -> None:
        """End an access token, or with a refresh token its family; an unknown one is no mistake (RFC 7009)."""
        digest = _digest(token)
        mine = [one for one in self._grants if one.client_id == client_id]
        for grant in mine:
            if grant.access == digest:
                grant.access = ""
        self._end([one for one in mine if one.refresh == digest])
        self._save()

    def holder(self, token: str, *, now_s: float) -> Grant:
        """Whom an access token speaks for, and what it may do.

        Raises:
            Problem: 401; it is unknown, over, or was taken back.
        """
        digest = _digest(token)
        grant = next((one for one in self._grants if one.access == digest and now_s < one.access_ends_s), None)
        if grant is None:
            raise problems.unauthorized()
        return grant

    def _issue(self, grant: Grant, now_s: float) -> dict[str, object]:
        access, renewable = _token("at", now_s), "offline.access" in grant.scopes
        refresh = _token("rt", now_s) if renewable else ""
        grant.access, grant.access_ends_s = _digest(access), now_s + self._access_s
        grant.refresh = _digest(refresh) if renewable else ""
        self._save()
        answer: dict[str, object] = {"token_type": "bearer", "expires_in": self._access_s, "access_token": access}
        return answer | {"scope": " ".join(grant.scopes)} | ({"refresh_token": refresh} if renewable else {})

    def _end(self, grants: Sequence[Grant]) -> None:
        if grants:
            self._grants = [one for one in self._grants if one not in grants]
            self._save()

    def _save(self) -> None:
        part = self._path.with_name(f"{self._path.name}.part")
        write_private(part, json.dumps([asdict(grant) for grant in self._grants]).encode())
        part.replace(self._path)


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a code verifier (RFC 7636, section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def is_user_token(bearer: str) -> bool:
    """Whether a bearer token has the form of a user's; those of an app alone look otherwise."""
    try:
        return base64.urlsafe_b64decode(bearer + "=" * (-len(bearer) % 4)).endswith(b":at:1")
    except ValueError:
        return False


def _token(kind: Literal["ac", "at", "rt"], now_s: float) -> str:
    """X's own form: base64 of a random part, the time, and what it is."""
    shown = f"{secrets.token_urlsafe(32)}:{int(now_s * 1000)}:1:0:{kind}:1"
    return base64.urlsafe_b64encode(shown.encode()).rstrip(b"=").decode()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
