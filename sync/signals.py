"""What happened out there, in the engine's own words, with an identity that does not depend on who told it."""

from dataclasses import dataclass
from datetime import datetime
from typing import NewType

from schedules.airing import Airing

OccurrenceId = NewType("OccurrenceId", str)
"""Names a real-world event: the same whoever reports it, and however often."""


def airing_occurrence(airing: Airing) -> OccurrenceId:
    """The broadcast of a spot that a plan foresaw; main and backup feed hear the same one."""
    return OccurrenceId(f"airing:{airing.airing_id}")


def off_plan_occurrence(*, channel: str, spot_id: str, onset_utc: datetime) -> OccurrenceId:
    """A spot heard where no plan has it. It never fires; the instant keeps the records apart."""
    return OccurrenceId(f"heard:{channel}/{spot_id}/{onset_utc:%Y-%m-%dT%H:%M:%S.%f}Z")


def goal_occurrence(*, fixture: str, side: str, ordinal: int, take: int) -> OccurrenceId:
    """A goal: the side's points after it, and how often that goal has been scored anew after being taken back."""
    return OccurrenceId(f"goal:{fixture}/{side}/{ordinal}/{take}")


def trigger_occurrence(*, fixture: str, name: str, first_utc: datetime) -> OccurrenceId:
    """What a trigger tells of: the instant is that of the first report, whoever else reports it."""
    return OccurrenceId(f"trigger:{fixture}/{name}/{first_utc:%Y-%m-%dT%H:%M:%S.%f}Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotHeard:
    """A spot began on a feed.

    Attributes:
        airing: the planned broadcast it belongs to, None off plan.
        spot_ids: the spots the evidence cannot tell apart, sorted.
        score, threshold: the evidence and what it had to reach, in nats.
        on_air_mono_ns, on_air_utc: its first audible sample.
        heard_mono_ns: the listener's decision.
    """

    occurrence_id: OccurrenceId
    airing: Airing | None
    spot_id: str
    spot_ids: tuple[str, ...]
    channel: str
    feed_id: str
    score: float
    threshold: float
    on_air_mono_ns: int
    on_air_utc: datetime
    heard_mono_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotMarked:
    """A broadcaster marked that a spot begins on a channel, mostly some seconds ahead.

    Attributes:
        airing: the planned broadcast it belongs to, None off plan or when the marker names no spot of ours.
        spot_id: the spot, empty when the marker names none of ours.
        source_id, event: which marker.
        on_air_mono_ns, on_air_utc: when it begins; may lie ahead.
        heard_mono_ns: when the marker arrived.
    """

    occurrence_id: OccurrenceId
    airing: Airing | None
    spot_id: str
    spot_ids: tuple[str, ...]
    channel: str
    source_id: str
    event: str
    on_air_mono_ns: int
    on_air_utc: datetime
    heard_mono_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotPlanned:
    """The planned instant of an airing has come that nobody can hear.

    Attributes:
        on_air_mono_ns, on_air_utc: the planned instant.
        heard_mono_ns: when it was seen that nobody can.
    """

    occurrence_id: OccurrenceId
    airing: Airing
    spot_id: str
    channel: str
    on_air_mono_ns: int
    on_air_utc: datetime
    heard_mono_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalScored:
    """A side scored.

    Attributes:
        take: 1 the first time it is scored, 2 when it is scored anew after being taken back.
        taken_back: this very goal has been taken back already (the report is late).
        points: how many it counts; `ordinal` is the side's points with them.
        player: who scored, empty when nobody says.
        device: whose gateway told so, empty when it is not known.
        on_air_mono_ns, on_air_utc: the change of the scoreboard.
        heard_mono_ns: when the event reached the engine.
    """

    occurrence_id: OccurrenceId
    fixture: str
    side: str
    ordinal: int
    take: int
    home_score: int
    away_score: int
    period: str
    clock: str
    taken_back: bool
    points: int = 1
    player: str = ""
    device: str = ""
    on_air_mono_ns: int
    on_air_utc: datetime
    heard_mono_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalTakenBack:
    """A goal that stood until now does not count: one signal a goal."""

    occurrence_id: OccurrenceId
    fixture: str
    side: str
    on_air_mono_ns: int
    on_air_utc: datetime
    heard_mono_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Triggered:
    """Something with a name happened: a button was pressed, a contact closed.

    Attributes:
        device: whose gateway told so.
        on_air_mono_ns, on_air_utc: the press.
        heard_mono_ns: when the event reached the engine.
    """

    occurrence_id: OccurrenceId
    fixture: str
    name: str
    device: str
    on_air_mono_ns: int
    on_air_utc: datetime
    heard_mono_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayRestarted:
    """Play goes on: a goal scored before has been accepted on the ice or the pitch."""

    fixture: str
    on_air_utc: datetime


def goal_taken_back(occurrence_id: str, *, on_air_mono_ns: int, on_air_utc: datetime, heard_mono_ns: int) -> GoalTakenBack:
    """The signal that takes back the goal of an occurrence, whose fixture and side its name tells."""
    fixture, side, _, _ = occurrence_id.removeprefix("goal:").rsplit("/", 3)
    return GoalTakenBack(
        occurrence_id=OccurrenceId(occurrence_id),
        fixture=fixture,
        side=side,
        on_air_mono_ns=on_air_mono_ns,
        on_air_utc=on_air_utc,
        heard_mono_ns=heard_mono_ns,
    )


Signal = SpotHeard | SpotMarked | SpotPlanned | GoalScored | GoalTakenBack | PlayRestarted | Triggered
