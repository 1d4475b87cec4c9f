"""What a new version of a plan changes of the one that stands."""

from datetime import UTC, datetime, timedelta

import pytest

from schedules import WINDOW_MOST, Airing, clashes, plan_changes
from schedules.plan_changes import MOVED_AT_MOST, SAME_BROADCAST

DAY = datetime(2027, 3, 1, tzinfo=UTC)


def at(hours: float, number: int = 1, *, spot: str = "kaffee-30", window_s: float = 120, day: str = "2027-03-01") -> Airing:
    """An airing planned so many hours after midnight, as the reader numbers it."""
    planned_utc, width = DAY + timedelta(hours=hours), timedelta(seconds=window_s)
    return Airing(
        airing_id=f"nord/{spot}/{day}/{number}",
        channel="nord",
        spot_id=spot,
        number=number,
        planned_utc=planned_utc,
        opens_utc=planned_utc - width,
        closes_utc=planned_utc + width,
        raw=str(hours),
        row=number + 1,
    )


def hours(airing: Airing) -> float:
    return (airing.planned_utc - DAY) / timedelta(hours=1)


def test_nothing_stands_and_all_is_new() -> None:
    """The first import takes the airings as the reader named them."""
    wanted = (at(10, 1), at(14, 2), at(10, 1, spot="tee-20"))

    changes = plan_changes((), wanted)

    assert set(changes.new) == set(wanted)
    assert changes.any
    assert set(changes.standing) == set(wanted)


def test_the_same_plan_changes_nothing() -> None:
    """Also when its rows stand in another place of the file."""
    standing = (at(10, 1), at(14, 2))
    changes = plan_changes(standing, [at(14, 2), at(10, 1)])

    assert not changes.any
    assert changes.unchanged == standing


def test_a_moved_airing_keeps_its_name() -> None:
    """It is neither dropped nor new."""
    changes = plan_changes([at(10, 1), at(14, 2)], [at(10, 1), at(14.5, 2)])

    (move,) = changes.moved
    assert (move.before.airing_id, move.after.airing_id) == ("nord/kaffee-30/2027-03-01/2",) * 2
    assert (hours(move.before), hours(move.after)) == (14, 14.5)
    assert (changes.new, changes.dropped) == ((), ())


def test_taking_out_an_early_airing_renames_none_of_the_later_ones() -> None:
    """The reader numbers 14:00 first then; it stands as the second of its day, and what fired stays what fired."""
    standing = (at(10, 1), at(14, 2), at(20, 3))

    changes = plan_changes(standing, [at(14, 1), at(20, 2)])

    assert changes.dropped == (at(10, 1),)
    assert changes.unchanged == (at(14, 2), at(20, 3))
    assert changes.moved == ()


def test_a_name_is_not_given_again_while_the_day_has_others() -> None:
    """A new airing never gets the name of one that is dropped with the same import."""
    changes = plan_changes([at(10, 1), at(14, 2)], [at(14, 1), at(22, 2)])

    assert [one.airing_id for one in changes.new] == ["nord/kaffee-30/2027-03-01/3"]
    assert [one.airing_id for one in changes.dropped] == ["nord/kaffee-30/2027-03-01/1"]


def test_a_name_under_which_something_fired_is_not_given_again() -> None:
    """Whatever stands now."""
    changes = plan_changes((), [at(14, 1)], used={"nord/kaffee-30/2027-03-01/1", "nord/kaffee-30/2027-03-01/2"})

    assert [(one.airing_id, one.number) for one in changes.new] == [("nord/kaffee-30/2027-03-01/3", 3)]


def test_airings_are_matched_nearest_first() -> None:
    """09:00 is nearer to 10:00 than nothing, but 10:05 is nearer still."""
    changes = plan_changes([at(10, 1)], [at(9, 1), at(10 + 5 / 60, 2)])

    assert [hours(move.after) for move in changes.moved] == [pytest.approx(10 + 5 / 60)]
    assert [(hours(one), one.number) for one in changes.new] == [(9, 2)]


def test_what_is_planned_far_away_is_another_airing() -> None:
    """A makegood in the evening is not the morning's airing, moved."""
    near, far = MOVED_AT_MOST / timedelta(hours=1), MOVED_AT_MOST / timedelta(hours=1) + 0.1

    assert len(plan_changes([at(10, 1)], [at(10 + near, 1)]).moved) == 1
    changes = plan_changes([at(10, 1)], [at(10 + far, 1)])
    assert (len(changes.new), len(changes.dropped), changes.moved) == (1, 1, ())


def test_spots_and_days_are_never_matched_with_each_other() -> None:
    """Though they are planned at the same instant."""
    changes = plan_changes([at(10, 1)], [at(10, 1, spot="tee-20"), at(10, 1, day="2027-03-02")])

    assert (len(changes.new), len(changes.dropped)) == (2, 1)


def test_another_window_at_the_same_instant_is_a_move() -> None:
    """The engine must disarm and rearm it."""
    (move,) = plan_changes([at(10, 1)], [at(10, 1, window_s=600)]).moved

    assert move.after.closes_utc - move.before.closes_utc == timedelta(seconds=480)


@pytest.mark.parametrize("wanted", [[at(10.05, 1)], []], ids=["moved", "left out"])
def test_what_has_been_heard_is_left_alone(wanted: list[Airing]) -> None:
    """A row that moves or drops it changes nothing, and is told with the reason."""
    changes = plan_changes([at(10, 1)], wanted, settled={at(10, 1).airing_id: "it is being fired"})

    (alone,) = changes.left_alone
    assert not changes.any
    assert changes.standing == (at(10, 1),)
    assert "it is being fired; it stays as it is" in str(alone)


def test_a_later_airing_is_not_taken_for_one_that_was_heard() -> None:
    """It is a broadcast of its own: it gets a name of its own, and may fire."""
    settled = {at(10, 1).airing_id: "it has fired"}
    apart = 2 * timedelta(seconds=120) + SAME_BROADCAST

    def wanted(gap: timedelta) -> Airing:
        return at(10 + gap / timedelta(hours=1), 1)

    near = plan_changes([at(10, 1)], [wanted(apart - timedelta(seconds=1))], settled=settled)
    far = plan_changes([at(10, 1)], [wanted(apart + timedelta(seconds=1))], settled=settled)

    assert (near.new, len(near.left_alone)) == ((), 1)
    assert [one.number for one in far.new] == [2]


def test_clashes_are_told_once_each() -> None:
    """By the day's numbering, or by windows that overlap across days."""
    same_day, overlapping = at(20, 1), at(10, 1, day="2027-02-28")

    assert list(clashes([at(10, 1)], [same_day, at(21, 2)])) == [(at(10, 1), same_day)]
    assert list(clashes([at(10, 1)], [overlapping])) == [(at(10, 1), overlapping)]
    assert list(clashes([at(10, 1)], [at(12, 1, day="2027-02-28"), at(10, 1, spot="tee-20")])) == []


def test_no_window_is_longer_than_what_is_looked_for() -> None:
    """The ledger finds open windows among those that close within this."""
    with pytest.raises(ValueError, match="its window is longer than 1 day"):
        at(10, window_s=WINDOW_MOST.total_seconds() / 2 + 1)
