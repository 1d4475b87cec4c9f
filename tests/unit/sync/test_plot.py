"""What a seed decides before its story begins."""

import itertools

from sync.simulation.plot import STEPS_LONG, STEPS_SHORT, Plot


def test_every_house_has_short_and_long_stories() -> None:
    """Each combination comes up among the seeds that are played for a release; only tight caps are for short stories alone."""
    told = {
        (plot.steps == STEPS_LONG, plot.corrects, plot.confirm_restart, plot.has_standby, plot.caps_are_tight)
        for plot in map(Plot.of, range(10_000))
    }
    wanted = set(itertools.product((False, True), repeat=5))
    assert wanted - told == {one for one in wanted if one[0] and one[4]}


def test_lengths() -> None:
    """Short stories are as long as they say, and long ones few."""
    steps = [Plot.of(seed).steps for seed in range(10_000)]
    short = {one for one in steps if one != STEPS_LONG}
    assert (min(short), max(short)) == STEPS_SHORT
    assert 0.008 < steps.count(STEPS_LONG) / len(steps) < 0.018


def test_a_length_that_is_given_changes_nothing_else() -> None:
    """A story that is told longer plays in the same house."""
    own, longer = Plot.of(7), Plot.of(7, steps=80)
    assert longer.steps == 80
    assert (own.corrects, own.confirm_restart, own.has_standby) == (longer.corrects, longer.confirm_restart, longer.has_standby)
