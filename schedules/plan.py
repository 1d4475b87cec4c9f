"""What reading a plan gives: its airings, or everything that is wrong with it."""

import enum
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from schedules.airing import Airing


class Severity(enum.StrEnum):
    """How bad a problem is: an error refuses the whole plan, a warning wants a look, a note tells what was skipped."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing about a plan that its author should know.

    Attributes:
        row: line of the file, from 1.
        column: name of the column, empty when the whole row is meant.
        value: the cell as it stands, shortened; empty when the whole row is meant.
        reason: what is wrong.
        fix: what to do about it, empty for notes.
    """

    severity: Severity
    row: int
    column: str
    value: str
    reason: str
    fix: str

    def __str__(self) -> str:
        where = f"row {self.row}" + (f", {self.column} = {self.value!r}" if self.column else "")
        return f"{where}: {self.reason}" + (f"; {self.fix}" if self.fix else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A plan as read.

    Attributes:
        airings: by planned instant; empty as soon as there is one error, since running numbers, and
            so the names of airings, depend on every row.
        problems: by row.
        separator: the character between its cells.
        encoding: `utf-8` or `cp1252`.
    """

    airings: tuple[Airing, ...]
    problems: tuple[Problem, ...]
    separator: str
    encoding: str

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that refuse the plan; empty for a plan that may be imported."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)


def clashes(airings: Iterable[Airing], standing: Iterable[Airing]) -> Iterator[tuple[Airing, Airing]]:
    """Pairs of a new airing and one that stands already, of the same spot and channel, that cannot stand side by side.

    Either their windows overlap, so that a detection could be both, or they are numbered within the
    same broadcast day by two plans that do not know of each other.
    """
    known: defaultdict[tuple[str, str], list[Airing]] = defaultdict(list)
    for other in standing:
        known[other.channel, other.spot_id].append(other)
    for airing in airings:
        for other in known[airing.channel, airing.spot_id]:
            overlap = airing.opens_utc <= other.closes_utc and other.opens_utc <= airing.closes_utc
            if overlap or _day_of(airing) == _day_of(other):
                yield airing, other


def _day_of(airing: Airing) -> str:
    """Channel, spot and broadcast day: the airing's id without its running number."""
    return airing.airing_id.rpartition("/")[0]
