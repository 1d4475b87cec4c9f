"""What must hold besides: score states, ordinals, periods, players, dayparts, and the day's airings."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.conditions import SCORE_STATES, GoalCondition, SpotCondition, When, day_fault, day_of, goal_fault, hours_fault, nth
from sync.signals import GoalScored, OccurrenceId

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
ON = GoalCondition(kind="goal", fixture="final", side="any")
SPOT = SpotCondition(kind="spot", spots=("k",), channel="nord")


def goal(home: int, away: int, *, side: str = "home", points: int = 1, **other: Any) -> GoalScored:
    facts: dict[str, Any] = {"period": "1", "player": "", **other}
    return GoalScored(
        occurrence_id=OccurrenceId("goal"),
        fixture="final",
        side=side,
        ordinal=home if side == "home" else away,
        take=1,
        home_score=home,
        away_score=away,
        clock="12:34",
        taken_back=False,
        points=points,
        on_air_mono_ns=1,
        on_air_utc=NOON,
        heard_mono_ns=1,
        **facts,
    )


@pytest.mark.parametrize(
    ("scored", "states"),
    [
        (goal(1, 0), {"opening", "goes_ahead", "leading"}),
        (goal(2, 0), {"leading"}),
        (goal(1, 1), {"equaliser"}),
        (goal(1, 2), {"trailing"}),
        (goal(2, 1), {"goes_ahead", "leading"}),
        (goal(0, 1, side="away"), {"opening", "goes_ahead", "leading"}),
        (goal(1, 1, side="away"), {"equaliser"}),
        (goal(3, 2, side="away"), {"trailing"}),
        (goal(3, 0, points=3), {"opening", "goes_ahead", "leading"}),
        (goal(9, 8, points=3), {"goes_ahead", "leading"}),
        (goal(12, 8, points=3), {"leading"}),
    ],
)
def test_score_states(scored: GoalScored, states: set[str]) -> None:
    """Each state holds exactly where a reporter would say it; the other ones decline and say the score."""
    held = {state for state in SCORE_STATES if not goal_fault(dataclasses.replace(ON, score_states=(state,)), scored)}
    assert held == states
    fault = goal_fault(dataclasses.replace(ON, score_states=tuple(sorted(set(SCORE_STATES) - states))), scored)
    assert f"{scored.home_score}:{scored.away_score}" in fault


@pytest.mark.parametrize(
    ("condition", "scored", "holds"),
    [
        ({"goals": (1, 3)}, goal(3, 5), True),
        ({"goals": (1, 3)}, goal(2, 5), False),
        ({"goals": (100,)}, goal(101, 5, points=2), True),
        ({"goals": (100,)}, goal(102, 5, points=2), False),
        ({"every": 3}, goal(6, 5), True),
        ({"every": 3}, goal(5, 5), False),
        ({"every": 10}, goal(11, 5, points=3), True),
        ({"periods": ("2", "OT")}, goal(1, 0, period="OT"), True),
        ({"periods": ("2", "OT")}, goal(1, 0, period="1"), False),
        ({"players": ("Nyholm",)}, goal(1, 0, player="Nyholm"), True),
        ({"players": ("Nyholm",)}, goal(1, 0, player="Berg"), False),
        ({"players": ("Nyholm",)}, goal(1, 0), False),
        ({"goals": (1,), "periods": ("2",)}, goal(1, 0, period="1"), False),
    ],
)
def test_goals_periods_players(condition: dict[str, Any], scored: GoalScored, holds: bool) -> None:
    """All conditions must hold; of a list one entry is enough; what nobody tells does not hold."""
    assert (goal_fault(dataclasses.replace(ON, **condition), scored) == "") is holds


@pytest.mark.parametrize(
    ("dayparts", "hours"),
    [
        ((), set(range(24))),
        (("06:00-10:00",), {6, 7, 8, 9}),
        (("22:00-02:00",), {22, 23, 0, 1}),
        (("01:00-02:00", "05:00-06:00"), {1, 5}),
    ],
)
def test_dayparts_in_their_zone(dayparts: tuple[str, ...], hours: set[int]) -> None:
    """The end is not included, midnight is no border, and the hours are those of the zone."""
    when = When(timezone="Europe/Stockholm", dayparts=dayparts)
    instants = {hour: datetime(2027, 7, 1, hour, tzinfo=UTC) - timedelta(hours=2) for hour in range(24)}
    assert {hour for hour, at in instants.items() if not hours_fault(when, at)} == hours


zones = st.sampled_from(["UTC", "Europe/Stockholm", "America/New_York", "Australia/Lord_Howe"])
times = st.builds(lambda hour, minute: f"{hour:02d}:{minute:02d}", st.integers(0, 23), st.integers(0, 59))
instants = st.integers(0, 2 * 366 * 86_400).map(lambda second: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second))


@given(zones, times, instants)
def test_each_instant_lies_in_one_day(zone: str, begins: str, at: datetime) -> None:
    """Days are whole and touch, also where clocks change: the next one begins where this one ends."""
    when = When(timezone=zone, day_begins=begins)
    begin, end = day_of(when, at)
    assert begin <= at < end
    assert timedelta(hours=22) <= end - begin <= timedelta(hours=26)
    assert day_of(when, begin)[0] == begin
    assert day_of(when, end - timedelta(microseconds=1))[0] == begin
    assert day_of(when, end)[0] == end


def test_airings_of_a_day() -> None:
    """The first, every third, or all of them; the fault names which one it is."""
    first, third = dataclasses.replace(SPOT, first_in_day=True), dataclasses.replace(SPOT, every=3)
    assert [day_fault(first, earlier) == "" for earlier in range(3)] == [True, False, False]
    assert [day_fault(third, earlier) == "" for earlier in range(6)] == [False, False, True, False, False, True]
    assert not any(day_fault(SPOT, earlier) for earlier in range(9))
    assert "airing 4 of the day" in day_fault(first, 3)
    assert [one.counts_the_day for one in (SPOT, first, third)] == [False, True, True]


def test_ordinals_read_well() -> None:
    """As people say them."""
    assert [nth(number) for number in (1, 2, 3, 4, 11, 12, 13, 21, 112)] == [
        "1st",
        "2nd",
        "3rd",
        "4th",
        "11th",
        "12th",
        "13th",
        "21st",
        "112th",
    ]
