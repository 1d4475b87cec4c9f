"""Who is asking: sessions kept on the server, and how often a log-in may be tried."""

import hashlib
import hmac
import secrets
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from console.users import ConsoleDatabase, Person, Role
from timebase import Clock

SESSION_IDLE: Final = timedelta(hours=12)
"""A session unused this long is over; an open live page counts as use."""
SESSION_MOST: Final = timedelta(days=7)
"""A session is over this long after its log-in, whatever happened since."""
SESSIONS_PER_PERSON_MAX: Final = 20
"""Logging in once more ends the oldest."""
_TOUCH_EVERY: Final = timedelta(minutes=1)

FAILURES_MAX: Final = 5
"""Failed log-ins of one name from one address within `FAILURES_WINDOW_S`; then they are refused unseen."""
FAILURES_PER_ADDRESS_MAX: Final = 30
FAILURES_WINDOW_S: Final = 300
_TRACKED_MAX: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A log-in that is still good.

    Attributes:
        csrf_token: what every unsafe request of this session must carry.
    """

    person: Person
    csrf_token: str


class Sessions:
    """Log-ins in a `ConsoleDatabase`: the browser holds a random 256-bit token, the file only its SHA-256."""

    def __init__(self, database: ConsoleDatabase, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def start(self, person: Person) -> str:
        """A new session's token, for the cookie; old sessions beyond the limit end, and so do stale ones of everybody."""
        token = secrets.token_urlsafe(32)
        now = self._clock.utc()
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM session WHERE seen_utc < ?", (_text(now - SESSION_IDLE),))
            connection.execute("INSERT INTO session VALUES (?, ?, ?, ?)", (_hash(token), person.name, _text(now), _text(now)))
            connection.execute(
                "DELETE FROM session WHERE name = ? AND token_hash NOT IN "
                "(SELECT token_hash FROM session WHERE name = ? ORDER BY created_utc DESC, rowid DESC LIMIT ?)",
                (person.name, person.name, SESSIONS_PER_PERSON_MAX),
            )
        return token

    def find(self, token: str) -> Session | None:
        """The session of a cookie's token, or None when there is none or it is over."""
        rows = self._database.read(
            "SELECT p.name, p.role, p.created_utc, s.created_utc, s.seen_utc "
            "FROM session s JOIN person p ON p.name = s.name WHERE s.token_hash = ?",
            (_hash(token),),
        )
        if not rows:
            return None
        name, role, person_created, created, seen = (str(value) for value in rows[0])
        now = self._clock.utc()
        if now - datetime.fromisoformat(created) >= SESSION_MOST or now - datetime.fromisoformat(seen) >= SESSION_IDLE:
            self.end(token)
            return None
        if now - datetime.fromisoformat(seen) >= _TOUCH_EVERY:
            with self._database.transaction() as connection:
                connection.execute("UPDATE session SET seen_utc = ? WHERE token_hash = ?", (_text(now), _hash(token)))
        person = Person(name=name, role=Role(role), created_utc=datetime.fromisoformat(person_created))
        return Session(person=person, csrf_token=csrf_token(token))

    def end(self, token: str) -> None:
        """Log out; nothing happens when the session is over already."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM session WHERE token_hash = ?", (_hash(token),))


def csrf_token(session_token: str) -> str:
    """The token a session's forms carry: derived, so that it ends with the session and need not be stored."""
    return hmac.new(session_token.encode(), b"cuebird csrf", hashlib.sha256).hexdigest()


class LoginThrottle:
    """Counts failed log-ins. In memory: a restart forgets them, which costs an attacker nothing worth having.

    A name is only locked for the address that fails, so that nobody can lock the operators out from elsewhere.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: OrderedDict[tuple[str, ...], deque[int]] = OrderedDict()

    def wait_s(self, name: str, address: str) -> int:
        """Seconds until this name may be tried from this address again, 0 when it may be now."""
        return max(self._wait_s((name, address), FAILURES_MAX), self._wait_s((address,), FAILURES_PER_ADDRESS_MAX))

    def failed(self, name: str, address: str) -> None:
        """Count one failure."""
        for key in ((name, address), (address,)):
            self._failures.setdefault(key, deque(maxlen=FAILURES_PER_ADDRESS_MAX)).append(self._clock.mono_ns())
            self._failures.move_to_end(key)
        while len(self._failures) > _TRACKED_MAX:
            self._failures.popitem(last=False)

    def succeeded(self, name: str, address: str) -> None:
        """Forget this name's failures from this address."""
        self._failures.pop((name, address), None)

    def _wait_s(self, key: tuple[str, ...], most: int) -> int:
        window_ns = FAILURES_WINDOW_S * 1_000_000_000
        now = self._clock.mono_ns()
        recent = [at for at in self._failures.get(key, ()) if now - at < window_ns]
        if len(recent) < most:
            return 0
        return max(1, (recent[-most] + window_ns - now) // 1_000_000_000)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _text(instant_utc: datetime) -> str:
    # A fixed width keeps the order of texts the order of instants.
    return instant_utc.isoformat(timespec="microseconds")
