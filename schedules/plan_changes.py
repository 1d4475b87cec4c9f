"""What a new version of a plan changes: which of its airings stand already, which have moved, which are new or gone. Pure.

An airing keeps its name when it moves: the name is the identity a firing is recorded under. Airings are matched within channel,
spot and broadcast day: first those planned at the same instant, then the nearest to each other. What is left over gets names
that nothing of that day has, so taking out an early airing gives none of the later ones its name.
"""

import heapq
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import attrgetter

from schedules.airing import Airing

MOVED_AT_MOST = timedelta(hours=2)
"""An airing planned further away than this is another one; a programme that runs late moves its breaks by less."""
SAME_BROADCAST = timedelta(minutes=10)
"""A window as near as this to that of an airing that was heard may mean the same broadcast, which must not fire again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """An airing whose instant or window has changed; both bear the same name."""

    before: Airing
    after: Airing


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftAlone:
    """An airing that stays as it is whatever the plan says now.

    Attributes:
        airing: as it stands.
        wanted: what the plan says instead; None when it leaves the airing out.
        reason: why it stays, as a clause.
    """

    airing: Airing
    wanted: Airing | None
    reason: str

    def __str__(self) -> str:
        if self.wanted is None:
            change = "is not in the plan any more"
        else:
            change = f"is to move to {self.wanted.planned_utc:%H:%M:%S} UTC (row {self.wanted.row})"
        return f"{self.airing.airing_id} {change}, but {self.reason}; it stays as it is"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChanges:
    """What becomes of each airing, every group in order of time."""

    new: tuple[Airing, ...] = ()
    moved: tuple[Move, ...] = ()
    dropped: tuple[Airing, ...] = ()
    unchanged: tuple[Airing, ...] = ()
    left_alone: tuple[LeftAlone, ...] = ()

    @property
    def any(self) -> bool:
        """Whether anything that stands changes."""
        return bool(self.new or self.moved or self.dropped)

    @property
    def standing(self) -> tuple[Airing, ...]:
        """The plan's airings once this is done, in order of time."""
        after = [*self.new, *(one.after for one in self.moved), *self.unchanged, *(one.airing for one in self.left_alone)]
        return tuple(sorted(after, key=_in_time))


def day_of(airing: Airing) -> str:
    """Channel, spot and broadcast day: the airing's name without its running number."""
    return airing.airing_id.rpartition("/")[0]


def plan_changes(
    standing: Iterable[Airing],
    wanted: Iterable[Airing],
    *,
    settled: Mapping[str, str] | None = None,
    used: Collection[str] = (),
) -> PlanChanges:
    """What `wanted` changes of `standing`.

    Args:
        standing: airings of the plan as they stand.
        wanted: airings as the plan has them now; those that stand already get the name they stand under.
        settled: why an airing cannot be changed any more (it has been heard, it is being fired), by its name.
        used: names that no new airing may get: something has happened under them before.
    """
    settled = settled or {}
    left = {(day_of(one), one.planned_utc): one for one in standing}
    highest = defaultdict[str, int](int)
    for one in left.values():
        highest[day_of(one)] = max(highest[day_of(one)], one.number)
    pairs, unmatched = list[tuple[Airing, Airing]](), defaultdict[str, list[Airing]](list)
    for one in wanted:
        day = day_of(one)
        old = left.pop((day, one.planned_utc), None)
        if old is None:
            unmatched[day].append(one)
        else:
            pairs.append((old, one))
    gone = defaultdict[str, list[Airing]](list)
    for (day, _), old in left.items():
        gone[day].append(old)
    new = list[Airing]()
    for day, some in unmatched.items():
        near, others = _nearest(gone[day], some, settled)
        pairs += near
        moved_away = {old.airing_id for old, _ in near}
        gone[day] = [old for old in gone[day] if old.airing_id not in moved_away]
        for one in others:
            highest[day] = number = _free_number(day, max(highest[day] + 1, one.number), used)
            new.append(one if number == one.number else replace(one, airing_id=f"{day}/{number}", number=number))
    return _sorted_out(pairs, new, [old for some in gone.values() for old in some], settled)


def _sorted_out(
    pairs: Iterable[tuple[Airing, Airing]], new: list[Airing], gone: Iterable[Airing], settled: Mapping[str, str]
) -> PlanChanges:
    moved, unchanged, left_alone = list[Move](), list[Airing](), list[LeftAlone]()
    dropped = list[Airing]()
    for old, one in pairs:
        if _window(old) == _window(one):
            unchanged.append(old)
        elif old.airing_id in settled:
            left_alone.append(LeftAlone(airing=old, wanted=one, reason=settled[old.airing_id]))
        else:
            moved.append(Move(before=old, after=replace(one, airing_id=old.airing_id, number=old.number)))
    for old in gone:
        if old.airing_id in settled:
            left_alone.append(LeftAlone(airing=old, wanted=None, reason=settled[old.airing_id]))
        else:
            dropped.append(old)
    return PlanChanges(
        new=tuple(sorted(new, key=_in_time)),
        moved=tuple(sorted(moved, key=lambda one: _in_time(one.after))),
        dropped=tuple(sorted(dropped, key=_in_time)),
        unchanged=tuple(sorted(unchanged, key=_in_time)),
        left_alone=tuple(sorted(left_alone, key=lambda one: _in_time(one.airing))),
    )


def _nearest(
    gone: Iterable[Airing], wanted: list[Airing], settled: Mapping[str, str]
) -> tuple[list[tuple[Airing, Airing]], list[Airing]]:
    """Pairs of one day that may be the same airing, the nearest first, and those of `wanted` that have no counterpart."""
    free = sorted(gone, key=_in_time)
    if not free:
        return [], sorted(wanted, key=_in_time)
    waiting = [(found[0], index) for index, one in enumerate(wanted) if (found := _counterpart(one, free, settled))]
    heapq.heapify(waiting)
    pairs = list[tuple[Airing, Airing]]()
    matched = set[int]()
    while waiting:
        distance, index = heapq.heappop(waiting)
        found = _counterpart(wanted[index], free, settled)
        if found is None:
            continue
        if found[0] > distance:  # the nearest one has gone to somebody nearer
            heapq.heappush(waiting, (found[0], index))
            continue
        pairs.append((free.pop(found[1]), wanted[index]))
        matched.add(index)
    return pairs, sorted((one for index, one in enumerate(wanted) if index not in matched), key=_in_time)


def _counterpart(one: Airing, free: list[Airing], settled: Mapping[str, str]) -> tuple[timedelta, int] | None:
    """How far off the nearest airing is that may be the same one, and its place among the free ones."""
    place = bisect_left(free, one.planned_utc, key=lambda old: old.planned_utc)
    beside = [index for index in (place - 1, place) if 0 <= index < len(free) and _may_be(free[index], one, settled)]
    return min(((abs(free[index].planned_utc - one.planned_utc), index) for index in beside), default=None)


def _may_be(old: Airing, one: Airing, settled: Mapping[str, str]) -> bool:
    if old.airing_id in settled:
        return one.opens_utc <= old.closes_utc + SAME_BROADCAST and one.closes_utc >= old.opens_utc - SAME_BROADCAST
    return abs(old.planned_utc - one.planned_utc) <= MOVED_AT_MOST


def _free_number(day: str, number: int, used: Collection[str]) -> int:
    while used and f"{day}/{number}" in used:
        number += 1
    return number


def _window(airing: Airing) -> tuple[datetime, datetime, datetime]:
    return airing.opens_utc, airing.planned_utc, airing.closes_utc


_in_time = attrgetter("planned_utc", "airing_id")


def clashes(airings: Iterable[Airing], standing: Iterable[Airing]) -> Iterator[tuple[Airing, Airing]]:
    """Pairs of a new airing and one that stands already, of the same spot and channel, that cannot stand side by side.

    Either their windows overlap, so that a detection could be both, or they are numbered within the
    same broadcast day by two plans that do not know of each other. Of several the first is told.
    """
    of_day: dict[str, Airing] = {}
    of_spot = defaultdict[tuple[str, str], list[Airing]](list)
    for other in sorted(standing, key=lambda one: one.opens_utc):
        of_day.setdefault(day_of(other), other)
        of_spot[other.channel, other.spot_id].append(other)
    for airing in airings:
        found = of_day.get(day_of(airing)) or _overlapping(airing, of_spot[airing.channel, airing.spot_id])
        if found is not None:
            yield airing, found


def _overlapping(airing: Airing, others: list[Airing]) -> Airing | None:
    """The one whose window shares an instant; those of one spot never overlap, so it is the last to open before this ends."""
    place = bisect_left(others, airing.closes_utc, key=lambda other: other.opens_utc)
    beside = [others[index] for index in (place - 1, place) if 0 <= index < len(others)]
    return next(
        (other for other in beside if airing.opens_utc <= other.closes_utc and other.opens_utc <= airing.closes_utc), None
    )
