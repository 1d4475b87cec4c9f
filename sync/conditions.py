"""What a cue waits for, and what must hold besides. Pure: the instant and the match come as arguments.

A condition says what is against it in words, and nothing when it holds: the words become the record's reason.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo

from sync.signals import GoalScored

ScoreState = Literal["opening", "goes_ahead", "leading", "equaliser", "trailing"]
"""What a goal makes of the score, seen from the side that scored it."""

SCORE_STATES: dict[ScoreState, str] = {
    "opening": "the first goal of the match",
    "goes_ahead": "a goal that puts its side ahead",
    "leading": "a goal after which its side leads",
    "equaliser": "an equaliser",
    "trailing": "a goal of a side that is still behind",
}
"""Each score state in words."""


By = Literal["sound", "marker", "either", "both"]
"""Who must tell that a spot began: its sound, the broadcaster's marker, one of them, or both."""

FeedDown = Literal["hold", "fire_as_planned"]
"""What happens at the planned instant while every feed of the channel is known to be down: nothing, or the cue fires unheard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotCondition:
    """A spot that began inside the window of a planned airing.

    Attributes:
        by: who must tell so.
        within_ms: how far sound and marker may lie apart where both must.
        first_in_day: only the first airing of a broadcast day.
        every: only every n-th airing of a broadcast day: the n-th, the 2n-th …
        near_plan_s: it must begin so near its planned instant; 0: anywhere in its window.
        feed_down: whether it fires unheard when nobody can hear it.
        alert_unheard_s: so long after its window a person is told that it was not heard; None: nobody is.
    """

    kind: Literal["spot"]
    spots: tuple[str, ...]
    channel: str
    first_in_day: bool = False
    every: int = 1
    by: By = "sound"
    within_ms: int = 1000
    near_plan_s: int = 0
    feed_down: FeedDown = "hold"
    alert_unheard_s: int | None = None

    @property
    def counts_the_day(self) -> bool:
        """Whether it must be known how many airings came earlier in the day."""
        return self.first_in_day or self.every > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalCondition:
    """A goal of a side of a fixture. Several conditions must all hold; of a list, one entry is enough.

    Attributes:
        score_states: what the goal must make of the score.
        goals: which of the side's goals, by its points: the 1st, the 3rd …
        every: only every n-th of the side's points.
        periods: as the scoreboard shows them.
        players: as the scorer is told; a goal whose scorer is not told does not count.
        devices: two devices that must both tell of it; none: any device is enough.
        witness: an event that must stand beside it: `horn`, or a trigger's name; empty: none.
        witness_device: whose event that must be; empty: of any device of the fixture.
        within_ms: how far the instants of the two may lie apart.
    """

    kind: Literal["goal"]
    fixture: str
    side: Literal["home", "away", "any"]
    score_states: tuple[ScoreState, ...] = ()
    goals: tuple[int, ...] = ()
    every: int = 1
    periods: tuple[str, ...] = ()
    players: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    witness: str = ""
    witness_device: str = ""
    within_ms: int = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerCondition:
    """Something with a name that a fixture's device tells of: a button, a contact, a show's beginning.

    Attributes:
        devices: two devices that must both tell of it; none: any device is enough.
        within_ms: how far the instants of the two may lie apart.
    """

    kind: Literal["trigger"]
    fixture: str
    name: str
    devices: tuple[str, ...] = ()
    within_ms: int = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """The hours in which a cue counts, and what a day is.

    Attributes:
        timezone: IANA zone in which the rest is meant.
        day_begins: when a broadcast day begins, `HH:MM`.
        dayparts: `HH:MM-HH:MM`, the end not included; an end before its beginning is on the next day. Empty: always.
    """

    timezone: str = "UTC"
    day_begins: str = "00:00"
    dayparts: tuple[str, ...] = ()


ALWAYS = When()
"""At any hour."""


def goal_fault(on: GoalCondition, goal: GoalScored) -> str:
    """Why this goal is not one the cue waits for; empty when it is."""
    own, other = goal.home_score, goal.away_score
    if goal.side == "away":
        own, other = other, own
    # Not from the ordinal: in a sport in sets that counts the sets before as well.
    new_points = range(own - goal.points + 1, own + 1)
    if on.score_states and not any(_score_holds(state, own, other, goal.points) for state in on.score_states):
        wanted = " or ".join(SCORE_STATES[state] for state in on.score_states)
        return f"the score is {goal.home_score}:{goal.away_score}; the cue waits for {wanted}"
    if on.goals and not any(point in on.goals for point in new_points):
        return f"it is goal {own} of the side; the cue waits for goal {', '.join(map(str, on.goals))}"
    if all(point % on.every for point in new_points):
        return f"it is goal {own} of the side; the cue waits for every {nth(on.every)}"
    if on.periods and goal.period not in on.periods:
        return f"the scoreboard shows period {goal.period!r}; the cue waits for {', '.join(on.periods)}"
    return _teller_fault(on, goal)


def _teller_fault(on: GoalCondition, goal: GoalScored) -> str:
    """Why what is told of it, or by whom, is not what the cue waits for."""
    if on.players and goal.player not in on.players:
        scorer = f"{goal.player!r} scored" if goal.player else "nobody says who scored"
        return f"{scorer}; the cue waits for {', '.join(on.players)}"
    return device_fault(on.devices, goal.device)


def device_fault(devices: tuple[str, ...], device: str) -> str:
    """Why the one who told is none of those the cue waits for; empty when it is, or it waits for none."""
    if not devices or device in devices:
        return ""
    return f"device {device or 'unknown'} told of it; the cue waits for {' and '.join(devices)}"


def _score_holds(state: ScoreState, own: int, other: int, points: int) -> bool:
    holds = {
        "opening": own == points and other == 0,
        "goes_ahead": own > other >= own - points,
        "leading": own > other,
        "equaliser": own == other,
        "trailing": own < other,
    }
    return holds[state]


def hours_fault(when: When, instant_utc: datetime) -> str:
    """Why the instant lies outside the cue's dayparts; empty when it does not."""
    local = instant_utc.astimezone(_zone(when.timezone))
    if not when.dayparts or any(_daypart_holds(daypart, local.time()) for daypart in when.dayparts):
        return ""
    return f"it is {local:%H:%M} in {when.timezone}; the cue counts {', '.join(when.dayparts)}"


def day_of(when: When, instant_utc: datetime) -> tuple[datetime, datetime]:
    """Beginning and end, in UTC, of the broadcast day that holds the instant; 23 or 25 hours long where clocks change."""
    zone, begins = _zone(when.timezone), time.fromisoformat(when.day_begins)
    today = instant_utc.astimezone(zone).date()
    begin_utc = _instant(today, begins, zone)
    if instant_utc < begin_utc:
        return _instant(today - timedelta(days=1), begins, zone), begin_utc
    return begin_utc, _instant(today + timedelta(days=1), begins, zone)


def plan_fault(on: SpotCondition, planned_utc: datetime, on_air_utc: datetime) -> str:
    """Why an airing began too far from its planned instant; empty when it did not."""
    off_s = (on_air_utc - planned_utc).total_seconds()
    if not on.near_plan_s or abs(off_s) <= on.near_plan_s:
        return ""
    side = "after" if off_s > 0 else "before"
    return f"it began {abs(off_s):.1f} s {side} its planned instant; the cue asks for {on.near_plan_s} s at most"


def day_fault(on: SpotCondition, earlier_in_day: int) -> str:
    """Why an airing after so many others of its day is not one the cue waits for; empty when it is."""
    if on.first_in_day and earlier_in_day:
        return f"it is airing {earlier_in_day + 1} of the day; the cue waits for the first"
    if (earlier_in_day + 1) % on.every:
        return f"it is airing {earlier_in_day + 1} of the day; the cue waits for every {nth(on.every)}"
    return ""


def nth(number: int) -> str:
    """The number as people say it: 1st, 2nd, 3rd, 11th."""
    ends = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ends.get(number % 10, 'th')}"


def _daypart_holds(daypart: str, at: time) -> bool:
    opens, closes = (time.fromisoformat(part) for part in daypart.split("-"))
    return opens <= at < closes if opens < closes else at >= opens or at < closes


def _instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
