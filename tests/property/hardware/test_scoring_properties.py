"""What holds for every sequence of readings."""

from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.events import Reading, ScoreKind
from hardware.scoring import ScoreChange, ScoreKeeper, Seen
from hardware.sports import STEPS

points = st.one_of(st.none(), st.integers(0, 6))
readings = st.builds(
    Reading,
    offset=st.just(0),
    protocol=st.just("oes"),
    home=points,
    away=points,
    clock=st.just(""),
    period=st.sampled_from(["", "1", "2"]),
    running=st.none(),
    valid=st.booleans(),
    checked=st.booleans(),
)


@settings(max_examples=200, deadline=None)
@given(
    sport=st.sampled_from(sorted(STEPS)), steps=st.lists(st.tuples(readings, st.sampled_from([100, 100, 100, 4000])), max_size=40)
)
def test_changes_add_up(sport: str, steps: list[tuple[Reading, int]]) -> None:
    """Between two baselines the changes lead from score to score; goals are the sport's steps; the first sight is none."""
    keeper, now_ms = ScoreKeeper(sport=sport), 0
    for reading, after_ms in steps:
        now_ms += after_ms
        before = (keeper.home, keeper.away)
        outcomes = keeper.observe(Seen(reading=reading, mono_ns=now_ms * 1_000_000, utc_ns=now_ms))
        changes = [outcome for outcome in outcomes if isinstance(outcome, ScoreChange)]
        assert reading.valid or outcomes == []
        for change in changes:
            assert (change.home, change.away) == (keeper.home, keeper.away)
            assert change.kind is not ScoreKind.GOAL or change.delta in STEPS[sport]
            assert change.kind is not ScoreKind.CORRECTION or change.delta < 0
        if changes and len(changes) == len(outcomes) and before != (None, None):
            moved = sum(change.delta for change in changes)
            assert (before[0] or 0) + (before[1] or 0) + moved == (keeper.home or 0) + (keeper.away or 0)
        if before == (None, None):
            assert changes == []
