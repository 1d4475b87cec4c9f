"""What an import of a plan must respect: other plans' airings, and what has been heard or fired already."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeVar

import sqlalchemy as sa

from schedules import Airing
from schedules.plan_changes import day_of
from sync import plan_statements as statements
from sync.database import Database
from sync.ledger import LAST_UTC, airing_of
from sync.signals import airing_occurrence
from sync.states import FiringState
from timebase import Clock

HEARD_BEFORE = timedelta(minutes=1)
"""An airing whose window opens later than this from now can have been neither heard nor fired."""
BESIDE = timedelta(days=2)
"""How far from a plan's span others are looked at: windows and broadcast days reach beyond the instant."""
_AT_ONCE = 500
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What has happened to airings.

    Attributes:
        settled: why an airing cannot change any more, as a clause, by its name.
        waiting: numbers of the firings that wait for an audience delay, by the airing's name.
    """

    settled: dict[str, str]
    waiting: dict[str, list[int]]


class PlanFacts:
    """Asks the ledger, outside any transaction."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def others(self, plan_id: str, airings: Sequence[Airing]) -> tuple[Airing, ...]:
        """Airings of other plans that use the same spots in the same days."""
        if not airings:
            return ()
        planned = [one.planned_utc for one in airings]
        spots = {(one.channel, one.spot_id) for one in airings}
        return self.beside(plan_id, spots, since_utc=min(planned) - BESIDE, until_utc=max(planned) + BESIDE)

    def beside(
        self, plan_id: str, spots: Iterable[tuple[str, str]], *, since_utc: datetime, until_utc: datetime = LAST_UTC
    ) -> tuple[Airing, ...]:
        """Airings of other plans on these channels and of these spots, planned within a span."""
        span = {"since_utc": since_utc, "until_utc": until_utc}
        with self._database.reading() as connection:
            rows = [
                row
                for some in _chunks(sorted(spots))
                for row in connection.execute(statements.airings_of_spots(plan_id, list(some)), span)
            ]
        return tuple(map(airing_of, rows))

    def begun(self, airings: Iterable[Airing], within: sa.Connection | None = None) -> Begun:
        """What has happened to those of these airings whose window has opened, or is about to.

        Args:
            within: of a transaction that must not be left.
        """
        latest_utc = self._clock.utc() + HEARD_BEFORE
        opened = {airing_occurrence(one): one.airing_id for one in airings if one.opens_utc <= latest_utc}
        settled, waiting = dict[str, str](), defaultdict[str, list[int]](list)
        with self._database.reading() if within is None else nullcontext(within) as connection:
            for some in _chunks(list(opened)):
                names = [opened[occurrence] for occurrence in some]
                for airing_id, heard_utc in connection.execute(statements.heard_of(names)):
                    settled[airing_id] = f"it was heard at {heard_utc:%H:%M:%S} UTC"
                for firing_id, occurrence, state, on_air_utc in connection.execute(statements.firings_of(list(some))):
                    settled[opened[occurrence]] = _fired(state, on_air_utc)
                    if state == FiringState.ARMED:
                        waiting[opened[occurrence]].append(firing_id)
        return Begun(settled=settled, waiting=dict(waiting))

    def used(self, airings: Iterable[Airing]) -> frozenset[str]:
        """Names of the days of these airings under which something has fired, whether they stand or not."""
        tomorrow = (self._clock.utc() + timedelta(days=1)).date()
        days = [day for day in set(map(day_of, airings)) if _date_of(day) <= tomorrow]
        used = set[str]()
        with self._database.reading() as connection:
            for day in days:
                first = f"airing:{day}/"
                # "0" follows "/".
                found = connection.execute(statements.occurrences_between(first, f"{first[:-1]}0"))
                used.update(occurrence.partition(":")[2] for (occurrence,) in found)
        return frozenset(used)


def _fired(state: str, on_air_utc: datetime | None) -> str:
    when = "" if on_air_utc is None else f" at {on_air_utc:%H:%M:%S} UTC"
    if state == FiringState.ARMED:
        return f"it was heard{when} and its tweet waits for the audience delay"
    if state == FiringState.CLAIMED:
        return f"it was heard{when} and is being fired"
    return f"it has fired{when}: {state}"


def _date_of(day: str) -> date:
    """The broadcast day in the name of a day; names made elsewhere may have none, and are looked at."""
    try:
        return date.fromisoformat(day.rpartition("/")[2])
    except ValueError:
        return date.min


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[begin : begin + _AT_ONCE] for begin in range(0, len(items), _AT_ONCE))
