"""When it is said that an approval ends too early."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from schedules.airing import Airing
from sync.approvals import lapse
from sync.simulation.storage import scene_cues

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
SPOT, GOAL = (next(cue for cue in scene_cues() if cue.on.kind == kind) for kind in ("spot", "goal"))
HOUR = timedelta(hours=1)


def airing(opens_in: timedelta) -> Airing:
    opens_utc = NOW + opens_in
    return Airing(
        airing_id=f"nord/{opens_utc}",
        channel="nord",
        spot_id="kaffee-30",
        number=1,
        planned_utc=opens_utc,
        opens_utc=opens_utc,
        closes_utc=opens_utc + HOUR,
        raw="",
        row=1,
    )


@pytest.mark.parametrize(
    ("ends_in", "opens_in", "sentence"),
    [
        pytest.param(3, [1], "", id="it ends after the window closes"),
        pytest.param(2, [1], "", id="it ends as the window closes"),
        pytest.param(
            1.5,
            [1],
            "its approval ends 2027-03-01 13:30 UTC, before the window of 2027-03-01 13:00 UTC closes",
            id="it ends in the window",
        ),
        pytest.param(
            1,
            [30, 3, 0],
            "its approval ends 2027-03-01 13:00 UTC, before the window of 2027-03-01 15:00 UTC closes and 1 more",
            id="it ends before the second and the third",
        ),
        pytest.param(1, [], "", id="nothing is planned"),
        pytest.param(0, [1], "", id="it has ended: the cue says so itself"),
    ],
)
def test_a_spots_approval_is_measured_by_its_plan(ends_in: float, opens_in: list[float], sentence: str) -> None:
    """Every planned window must close before the approval ends."""
    airings = [airing(hours * HOUR) for hours in opens_in]
    assert lapse(SPOT, NOW + ends_in * HOUR, airings, NOW) == sentence


def test_a_goals_approval_is_measured_by_the_day() -> None:
    """No plan says when a goal falls."""
    assert lapse(GOAL, NOW + 25 * HOUR, [], NOW) == ""
    assert lapse(GOAL, NOW + 23 * HOUR, [], NOW) == "its approval ends 2027-03-02 11:00 UTC, in less than a day"


def test_a_cue_that_is_not_approved_is_not_warned_of() -> None:
    """It says so in its state."""
    assert lapse(dataclasses.replace(SPOT), None, [airing(HOUR)], NOW) == ""
