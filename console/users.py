"""The people who may log in: names, roles and password hashes, kept in `console.db` of the state folder."""

import enum
import os
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from console.errors import ConsoleError
from timebase import Clock

DATABASE_NAME: Final = "console.db"
"""The file in the state folder."""
PASSWORD_CHARS_MIN: Final = 12
PASSWORD_CHARS_MAX: Final = 1024
"""A longer one is refused: hashing time must not be in the caller's hand."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
NOBODY_HASH: Final = "$argon2id$v=19$m=65536,t=3,p=4$4ZaJFXUs2z/d4hwxi28Gng$ZoAMZKuuTnAE9tjHvzNOKYtUN6+9OyyyHOFf67fjwfE"
"""Checked when a name is unknown, so that the answer takes as long as for a known one."""
_BUSY_TIMEOUT_MS: Final = 2000
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS person (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    password_hash TEXT NOT NULL,
    created_utc TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS session (
    token_hash BLOB PRIMARY KEY,
    name TEXT NOT NULL REFERENCES person (name) ON DELETE CASCADE,
    created_utc TEXT NOT NULL,
    seen_utc TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS session_name ON session (name);
"""


class UserError(ConsoleError):
    """A person's account that cannot be made, found or read."""


class Role(enum.StrEnum):
    """What a person may do; each role may do all that the ones before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def covers(self, needed: "Role") -> bool:
        """Whether this role may do what `needed` may."""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(needed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who may log in."""

    name: str
    role: Role
    created_utc: datetime


class ConsoleDatabase:
    """One SQLite file, opened for this process and safe to use from its threads.

    Calls block for a disk write at most `_BUSY_TIMEOUT_MS`; on an event loop, use them through
    `asyncio.to_thread`.

    Raises:
        UserError: the file cannot be opened, read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise UserError(f"{path}: {error}; the folder must be writable for the user who runs Cuebird") from error
        self._prepare()

    def _prepare(self) -> None:
        try:
            self._connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            self._connection.close()
            raise UserError(f"{self.path}: {error}; move the file away and add the accounts again") from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection whose statements are kept together or not at all."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                except BaseException:
                    self._connection.execute("ROLLBACK")
                    raise
                self._connection.execute("COMMIT")
            except sqlite3.IntegrityError:
                raise
            except sqlite3.Error as error:
                raise UserError(f"{self.path}: {error}; nothing was changed") from error

    def read(self, sql: str, arguments: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        """All rows of a query."""
        with self._lock:
            try:
                return self._connection.execute(sql, arguments).fetchall()
            except sqlite3.Error as error:
                raise UserError(f"{self.path}: {error}; the accounts cannot be read") from error

    def close(self) -> None:
        """Close the file; the object is of no use afterwards."""
        with self._lock:
            self._connection.close()


class People:
    """The accounts of people in a `ConsoleDatabase`.

    Args:
        record: told of every change (`user_added`, `user_removed`; name and role) before it is kept. Where it raises
            nothing is changed: the audit record may know of a change that a crash prevented, never the other way round.
    """

    def __init__(
        self,
        database: ConsoleDatabase,
        clock: Clock,
        hasher: PasswordHasher | None = None,
        *,
        record: Callable[[str, dict[str, str]], None] = lambda _kind, _facts: None,
    ) -> None:
        self._database, self._clock, self._record = database, clock, record
        self._hasher = hasher or PasswordHasher()

    def add(self, name: str, role: Role, password: str) -> Person:
        """Make an account.

        Raises:
            UserError: the name is taken or malformed, or the password too short or too long.
        """
        if not _NAME.fullmatch(name):
            raise UserError(f"{name!r}: a name has 1 to 64 of a-z 0-9 . _ @ - and begins with a letter or digit")
        if not PASSWORD_CHARS_MIN <= len(password) <= PASSWORD_CHARS_MAX:
            raise UserError(
                f"{name}: the password has {len(password)} characters; it needs {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX}"
            )
        person = Person(name=name, role=role, created_utc=self._clock.utc())
        row = (name, role.value, self._hasher.hash(password), person.created_utc.isoformat())
        try:
            with self._database.transaction() as connection:
                connection.execute("INSERT INTO person VALUES (?, ?, ?, ?)", row)
                self._record("user_added", {"name": name, "role": role.value})
        except sqlite3.IntegrityError as error:
            raise UserError(f"{name}: there is an account of this name; remove it first or take another name") from error
        return person

    def remove(self, name: str) -> None:
        """Remove an account and end its sessions.

        Raises:
            UserError: there is none of this name.
        """
        with self._database.transaction() as connection:
            if connection.execute("DELETE FROM person WHERE name = ?", (name,)).rowcount == 0:
                raise UserError(f"{name}: no account of this name; `cuebird user list` shows them")
            self._record("user_removed", {"name": name})

    def everyone(self) -> list[Person]:
        """All accounts, by name."""
        return [_person(row) for row in self._database.read("SELECT name, role, created_utc FROM person ORDER BY name")]

    def verify(self, name: str, password: str) -> Person | None:
        """The person, if name and password belong together. Slow on purpose, and as slow for unknown names."""
        rows = self._database.read("SELECT name, role, created_utc, password_hash FROM person WHERE name = ?", (name,))
        password_hash = str(rows[0][3]) if rows else NOBODY_HASH
        try:
            self._hasher.verify(password_hash, password[: PASSWORD_CHARS_MAX + 1])
        except (VerificationError, InvalidHashError):
            return None
        return _person(rows[0][:3]) if rows else None


def _person(row: tuple[object, ...]) -> Person:
    name, role, created_utc = row
    return Person(name=str(name), role=Role(str(role)), created_utc=datetime.fromisoformat(str(created_utc)))
