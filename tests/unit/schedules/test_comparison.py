"""Three ways: what the log says beside what was heard and planned."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules.as_run import Line
from schedules.broadcast_log import Logged
from schedules.comparison import Agreement, compare
from tests.unit.schedules.test_reconciliation import LATER, PLANNED, airing, heard, lines


def logged(
    after_s: float = 0, *, row: int = 1, length_s: float | None = 30.0, status: str = "PLAYED OK", spot: str = "kaffee-30"
) -> Logged:
    return Logged(
        row=row, channel="nord", spot_id=spot, began_utc=PLANNED + timedelta(seconds=after_s), length_s=length_s, status=status
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "agreement", "difference_s"),
    [
        ((airing(), heard(after_s=1)), (logged(),), Agreement.AGREES, 1.0),
        ((airing(), heard(after_s=90)), (logged(),), Agreement.TIMES_DIFFER, 90.0),
        ((airing(), heard(after_s=1)), (logged(length_s=20.0),), Agreement.LENGTHS_DIFFER, 1.0),
        ((airing(), heard(after_s=1)), (logged(length_s=None),), Agreement.AGREES, 1.0),
        ((airing(), heard(after_s=1)), (logged(status="SKIPPED"),), Agreement.DENIED, 1.0),
        ((airing(), heard(after_s=1)), (), Agreement.NOT_LOGGED, None),
        ((airing(),), (logged(),), Agreement.NOT_HEARD, None),
        ((airing(),), (logged(status="SKIPPED"),), Agreement.BOTH_MISSED, None),
        ((airing(),), (), Agreement.NEITHER, None),
        ((), (logged(),), Agreement.NOT_HEARD, None),
        ((heard(),), (logged(after_s=3),), Agreement.AGREES, 0.0),
    ],
)
def test_each_agreement(
    ours: tuple[object, ...], theirs: tuple[Logged, ...], agreement: Agreement, difference_s: float | None
) -> None:
    """One row each, with the difference where both say when."""
    (row,) = compare(lines(*ours), theirs).rows

    assert (row.agreement, row.difference_s) == (agreement, difference_s)


def test_an_open_window_and_a_deaf_one() -> None:
    """Nothing is held against a log before its time, nor against ears that were not there."""
    (pending,) = compare(lines(airing(), now=PLANNED), ()).rows
    (deaf,) = compare(lines(airing(), listened=()), (logged(),)).rows

    assert (pending.agreement, deaf.agreement) == (Agreement.OPEN, Agreement.NOT_LISTENED)


def test_what_is_always_later_is_the_way_from_the_playout() -> None:
    """A channel is heard four seconds after its log; one that is off by more than that differs."""
    ours = [
        one for number in (1, 2, 3) for one in (airing(number, after_s=600 * number), heard(number, after_s=600 * number + 4))
    ]
    late = [airing(4, after_s=2400), heard(4, after_s=2410)]

    found = compare(lines(*ours, *late), [logged(600 * number, row=number) for number in (1, 2, 3, 4)])

    assert found.offsets_s == {"nord": 4.0}
    assert [row.agreement for row in found.rows] == [*[Agreement.AGREES] * 3, Agreement.TIMES_DIFFER]
    assert found.counts() == {Agreement.AGREES: 3, Agreement.TIMES_DIFFER: 1}


times = st.lists(st.integers(0, 1200), max_size=6)


@settings(max_examples=100, deadline=None)
@given(times, times, times)
def test_each_line_and_each_row_of_the_log_once(planned_s: list[int], heard_s: list[int], logged_s: list[int]) -> None:
    """Nothing is lost between the two, and nothing counted twice."""
    ours: tuple[Line, ...] = lines(
        *(airing(number, after_s=at_s, window_s=30) for number, at_s in enumerate(planned_s)),
        *(heard(number, after_s=at_s) for number, at_s in enumerate(heard_s)),
        now=LATER,
    )
    theirs = [logged(at_s, row=number) for number, at_s in enumerate(logged_s)]

    rows = compare(ours, theirs).rows

    assert sorted(id(row.line) for row in rows if row.line) == sorted(id(line) for line in ours)
    assert sorted(row.logged.row for row in rows if row.logged) == list(range(len(theirs)))
