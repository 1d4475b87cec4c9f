"""What the engine remembers of a match, so that a goal has one identity whoever reports it and in whatever order.

A goal is named by side and ordinal (the side's points after it). When a correction takes it back and it is
scored again, that is another *take*. Which take a report belongs to follows from event times alone: a report
of a goal whose event time is not after the correction speaks of the goal that was taken back, however late it arrives.
"""

import dataclasses
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter

from hardware.events import Side

TAKES_MAX = 50
"""Takes kept of one goal; a scoreboard that flickers more than this is broken, and further goals count as its last take."""
CORRECTIONS_MAX = 200
"""Corrections kept of one side, the oldest forgotten first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """One time a goal was scored.

    Attributes:
        scored_utc: event time of its first report.
        taken_back_utc: event time of the correction that took it back, None while it stands.
    """

    scored_utc: datetime
    taken_back_utc: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A side's score was set back to `points`."""

    points: int
    utc: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SideState:
    """One side's goals by ordinal, and the corrections seen."""

    goals: dict[int, tuple[Take, ...]] = dataclasses.field(default_factory=dict)
    corrections: tuple[Correction, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FixtureState:
    """Both sides of a match. Never changed in place."""

    fixture: str
    home: SideState = SideState()
    away: SideState = SideState()

    def side(self, side: Side) -> SideState:
        """That side's state."""
        return self.home if side is Side.HOME else self.away

    def with_side(self, side: Side, state: SideState) -> "FixtureState":
        """The same match with one side's state replaced."""
        return dataclasses.replace(self, home=state) if side is Side.HOME else dataclasses.replace(self, away=state)


_STATE: TypeAdapter[FixtureState] = TypeAdapter(FixtureState)


def score(state: FixtureState, side: Side, ordinal: int, event_utc: datetime) -> tuple[FixtureState, int, bool]:
    """The match after a report of a goal, the take it speaks of (from 1), and whether that take has been taken back."""
    own = state.side(side)
    takes = own.goals.get(ordinal, ())
    for index, take in enumerate(takes):
        if take.taken_back_utc is None or event_utc <= take.taken_back_utc:
            return state, index + 1, take.taken_back_utc is not None
    if len(takes) >= TAKES_MAX:
        return state, len(takes), True
    # A correction may have overtaken the goal it takes back (another gateway, another path).
    later = [entry.utc for entry in own.corrections if entry.points < ordinal and entry.utc >= event_utc]
    take = Take(scored_utc=event_utc, taken_back_utc=min(later, default=None))
    changed = dataclasses.replace(own, goals={**own.goals, ordinal: (*takes, take)})
    return state.with_side(side, changed), len(takes) + 1, take.taken_back_utc is not None


def correct(
    state: FixtureState, side: Side, points: int, event_utc: datetime
) -> tuple[FixtureState, tuple[tuple[int, int], ...]]:
    """The match after a correction to `points`, and the (ordinal, take) pairs it takes back, lowest first.

    Goals scored after the correction stand: it cannot have meant them. A second report of a correction
    finds nothing standing and changes nothing.
    """
    own = state.side(side)
    goals, taken_back = dict(own.goals), list[tuple[int, int]]()
    for ordinal, takes in sorted(own.goals.items()):
        last = takes[-1]
        if ordinal > points and last.taken_back_utc is None and last.scored_utc < event_utc:
            goals[ordinal] = (*takes[:-1], dataclasses.replace(last, taken_back_utc=event_utc))
            taken_back.append((ordinal, len(takes)))
    corrections = (*own.corrections, Correction(points=points, utc=event_utc))[-CORRECTIONS_MAX:]
    changed = SideState(goals=goals, corrections=corrections)
    return state.with_side(side, changed), tuple(taken_back)


def remember(state: FixtureState, side: Side, ordinal: int, take: int, scored_utc: datetime) -> FixtureState:
    """The match with a goal that is known to have fired; unchanged when it was known.

    Mends the one gap a crash can leave: the claim was written, the state was not.
    """
    own = state.side(side)
    takes = own.goals.get(ordinal, ())
    if len(takes) >= take:
        return state
    changed = dataclasses.replace(own, goals={**own.goals, ordinal: (*takes, Take(scored_utc=scored_utc))})
    return state.with_side(side, changed)


def dump(state: FixtureState) -> str:
    """The state as JSON text for the ledger."""
    return _STATE.dump_json(state).decode()


def load(text: str) -> FixtureState:
    """The state that `dump` wrote.

    Raises:
        ValueError: the text is something else.
    """
    return _STATE.validate_json(text)
