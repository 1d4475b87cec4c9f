"""Sessions and the brake on guessing passwords."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from console.users import ConsoleDatabase, People, Person, Role
from console.web.auth import (
    FAILURES_MAX,
    FAILURES_PER_ADDRESS_MAX,
    FAILURES_WINDOW_S,
    SESSION_IDLE,
    SESSION_MOST,
    SESSIONS_PER_PERSON_MAX,
    LoginThrottle,
    Sessions,
)
from timebase import VirtualClock


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(start_utc=datetime(2027, 3, 1, 12, 0, tzinfo=UTC))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[ConsoleDatabase]:
    opened = ConsoleDatabase(tmp_path / "console.db")
    yield opened
    opened.close()


@pytest.fixture
def people(database: ConsoleDatabase, clock: VirtualClock) -> People:
    return People(database, clock, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def ops(people: People) -> Person:
    return people.add("ops", Role.OPERATOR, "correct horse battery")


def test_a_session_is_found_by_its_token_only(database: ConsoleDatabase, clock: VirtualClock, ops: Person) -> None:
    """The token opens, anything else does not, and the file holds no token."""
    sessions = Sessions(database, clock)
    token = sessions.start(ops)
    found = sessions.find(token)
    assert found is not None
    assert found.person == ops
    assert sessions.find(token[:-1]) is None
    assert sessions.find("") is None
    kept = b"".join(path.read_bytes() for path in database.path.parent.iterdir())
    assert token.encode() not in kept
    assert len(token) >= 43


async def test_an_unused_session_ends(database: ConsoleDatabase, clock: VirtualClock, ops: Person) -> None:
    """Idle for the limit: over. Used in between: not over."""
    sessions = Sessions(database, clock)
    token = sessions.start(ops)
    almost_s = SESSION_IDLE.total_seconds() - 1
    await clock.advance(almost_s)
    assert sessions.find(token) is not None
    await clock.advance(almost_s)
    assert sessions.find(token) is not None
    await clock.advance(almost_s + 1)
    assert sessions.find(token) is None


async def test_a_used_session_ends_too(database: ConsoleDatabase, clock: VirtualClock, ops: Person) -> None:
    """However busy, a session ends with its absolute limit."""
    sessions = Sessions(database, clock)
    token = sessions.start(ops)
    step = timedelta(hours=6)
    for _ in range(SESSION_MOST // step - 1):
        await clock.advance(step.total_seconds())
        assert sessions.find(token) is not None
    await clock.advance(step.total_seconds())
    assert sessions.find(token) is None


def test_ending_a_session_leaves_others(database: ConsoleDatabase, clock: VirtualClock, ops: Person) -> None:
    """Logging out here does not log out elsewhere."""
    sessions = Sessions(database, clock)
    here, elsewhere = sessions.start(ops), sessions.start(ops)
    sessions.end(here)
    assert sessions.find(here) is None
    assert sessions.find(elsewhere) is not None


def test_removing_a_person_ends_the_sessions(database: ConsoleDatabase, clock: VirtualClock, people: People, ops: Person) -> None:
    """A removed account is out at once."""
    sessions = Sessions(database, clock)
    token = sessions.start(ops)
    people.remove("ops")
    assert sessions.find(token) is None


def test_the_oldest_of_too_many_sessions_ends(database: ConsoleDatabase, clock: VirtualClock, ops: Person) -> None:
    """The table cannot grow without end."""
    sessions = Sessions(database, clock)
    tokens = [sessions.start(ops) for _ in range(SESSIONS_PER_PERSON_MAX + 2)]
    assert [sessions.find(token) is not None for token in tokens] == [False] * 2 + [True] * SESSIONS_PER_PERSON_MAX


def test_csrf_tokens_differ_by_session(database: ConsoleDatabase, clock: VirtualClock, ops: Person) -> None:
    """A token of one session is of no use in another."""
    sessions = Sessions(database, clock)
    found = [sessions.find(sessions.start(ops)) for _ in range(2)]
    assert len({session.csrf_token for session in found if session}) == 2


async def test_guessing_is_slowed_down_and_forgiven(clock: VirtualClock) -> None:
    """After five failures a name waits, for this address only, until the window has passed."""
    throttle = LoginThrottle(clock)
    for _ in range(FAILURES_MAX):
        assert throttle.wait_s("ops", "10.0.0.1") == 0
        throttle.failed("ops", "10.0.0.1")
    assert throttle.wait_s("ops", "10.0.0.1") == FAILURES_WINDOW_S
    assert throttle.wait_s("ops", "10.0.0.2") == 0
    assert throttle.wait_s("other", "10.0.0.1") == 0
    await clock.advance(FAILURES_WINDOW_S)
    assert throttle.wait_s("ops", "10.0.0.1") == 0


def test_trying_many_names_is_slowed_down_too(clock: VirtualClock) -> None:
    """An address that fails with thirty names waits with any name."""
    throttle = LoginThrottle(clock)
    for number in range(FAILURES_PER_ADDRESS_MAX):
        throttle.failed(f"name{number}", "10.0.0.1")
    assert throttle.wait_s("ops", "10.0.0.1") > 0
    assert throttle.wait_s("ops", "10.0.0.2") == 0


def test_success_forgets_the_failures_of_the_name(clock: VirtualClock) -> None:
    """Who remembers the password at the fourth try begins anew."""
    throttle = LoginThrottle(clock)
    for _ in range(FAILURES_MAX):
        throttle.failed("ops", "10.0.0.1")
    throttle.succeeded("ops", "10.0.0.1")
    assert throttle.wait_s("ops", "10.0.0.1") == 0
