"""Accounts of people: made, found, verified, removed."""

import stat
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from console.users import NOBODY_HASH, ConsoleDatabase, People, Role, UserError
from timebase import VirtualClock

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse battery"


@pytest.fixture
def people(tmp_path: Path) -> People:
    return People(ConsoleDatabase(tmp_path / "console.db"), VirtualClock(), QUICK)


def test_the_right_password_gives_the_person(people: People) -> None:
    """Name and password together, and only together."""
    added = people.add("ops", Role.OPERATOR, PASSWORD)
    assert people.verify("ops", PASSWORD) == added
    assert people.verify("ops", PASSWORD + "!") is None
    assert people.verify("nobody", PASSWORD) is None


def test_the_file_holds_no_password_and_is_ours_alone(people: People, tmp_path: Path) -> None:
    """Only an argon2id hash is kept, in a file of mode 0600."""
    people.add("ops", Role.OPERATOR, PASSWORD)
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert PASSWORD.encode() not in kept
    assert b"$argon2id$" in kept
    assert stat.S_IMODE((tmp_path / "console.db").stat().st_mode) == 0o600


def test_an_unknown_name_costs_as_much_as_a_known_one() -> None:
    """The hash checked for nobody has the parameters new hashes get."""
    assert not PasswordHasher().check_needs_rehash(NOBODY_HASH)


@pytest.mark.parametrize("name", ["", "Ops", "a b", "-x", "x" * 65, "ops\n", "<b>"])
def test_a_malformed_name_is_refused(people: People, name: str) -> None:
    """The sentence says what a name is made of."""
    with pytest.raises(UserError, match="a name has 1 to 64"):
        people.add(name, Role.VIEWER, PASSWORD)


@pytest.mark.parametrize("length", [0, 11, 1025])
def test_a_password_too_short_or_too_long_is_refused(people: People, length: int) -> None:
    """The sentence names the length and not the password."""
    with pytest.raises(UserError, match=f"has {length} characters"):
        people.add("ops", Role.VIEWER, "x" * length)


def test_a_taken_name_is_refused_and_keeps_its_role(people: People) -> None:
    """Adding again never raises somebody's role."""
    people.add("ops", Role.VIEWER, PASSWORD)
    with pytest.raises(UserError, match="there is an account of this name"):
        people.add("ops", Role.ADMIN, PASSWORD)
    assert [person.role for person in people.everyone()] == [Role.VIEWER]


def test_removing_nobody_says_so(people: People) -> None:
    """A typing error is noticed."""
    with pytest.raises(UserError, match="no account of this name"):
        people.remove("opps")


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    """The message names the file and the way out."""
    (tmp_path / "console.db").write_bytes(b"not a database at all, but long enough to look at " * 20)
    with pytest.raises(UserError, match=r"console\.db: .* move the file away"):
        ConsoleDatabase(tmp_path / "console.db")


@pytest.mark.parametrize(
    ("role", "needed", "covered"),
    [
        (Role.VIEWER, Role.OPERATOR, False),
        (Role.OPERATOR, Role.OPERATOR, True),
        (Role.ADMIN, Role.OPERATOR, True),
        (Role.OPERATOR, Role.ADMIN, False),
    ],
)
def test_each_role_covers_the_ones_below(role: Role, needed: Role, *, covered: bool) -> None:
    """viewer < operator < admin."""
    assert role.covers(needed) is covered
