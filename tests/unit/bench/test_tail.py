"""The extreme-value fit: known tails are recovered, promises follow."""

import numpy as np
import pytest

from bench.tail import at_most, fit_tail, median_between, rate_a_year, threshold_for


def exponential(slope: float, count: int) -> list[float]:
    return list(20.0 + np.random.default_rng(5).exponential(1 / slope, count))


def test_slope_of_an_exponential_tail_is_recovered() -> None:
    """Three hundred coincidences give the slope to a tenth."""
    tail = fit_tail(exponential(0.5, 300), floor=20.0, hours=1.0)
    assert tail is not None
    assert tail.slope == pytest.approx(0.5, rel=0.1)
    assert abs(tail.shape) < 0.15


def test_threshold_keeps_the_promise_it_was_made_from() -> None:
    """At the threshold for one a year, the exponential expects one a year."""
    tail = fit_tail(exponential(0.5, 300), floor=20.0, hours=1.0)
    assert tail is not None
    by_line, _, _, _ = rate_a_year(tail, threshold_for(tail, a_year=1.0))
    assert by_line == pytest.approx(1.0)


def test_interval_holds_the_truth() -> None:
    """Of twenty samples of one tail, the true yearly rate at 40 nats lies in the intervals of all but at most two."""
    truth = 300 * 365.25 * 24 * np.exp(-10.0)
    missed = 0
    for seed in range(20):
        tail = fit_tail(list(20.0 + np.random.default_rng(seed).exponential(2.0, 300)), floor=20.0, hours=1.0)
        assert tail is not None
        _, _, low, high = rate_a_year(tail, 40.0)
        missed += not low < truth < high
    assert missed <= 2


def test_more_sound_narrows_the_interval() -> None:
    """Ten times the coincidences leave less doubt."""
    few = fit_tail(exponential(0.5, 60), floor=20.0, hours=0.2)
    many = fit_tail(exponential(0.5, 600), floor=20.0, hours=2.0)
    assert few is not None
    assert many is not None
    spread = [rate_a_year(tail, 40.0)[3] / rate_a_year(tail, 40.0)[2] for tail in (few, many)]
    assert spread[1] < spread[0]


def test_bounded_tail_has_a_negative_shape() -> None:
    """Scores that cannot pass a bound are not taken for an exponential."""
    scores = list(20.0 + 10 * np.random.default_rng(6).uniform(size=400))
    tail = fit_tail(scores, floor=20.0, hours=1.0)
    assert tail is not None
    assert tail.shape < -0.3
    assert rate_a_year(tail, 60.0)[1] == 0.0


def test_too_few_coincidences_are_no_tail() -> None:
    """Nineteen say nothing about a year."""
    assert fit_tail(exponential(0.5, 19), floor=20.0, hours=1.0) is None


@pytest.mark.parametrize(("failures", "trials", "low", "high"), [(0, 1000, 0.99632, 1.0), (1, 10, 0.55498, 0.99747)])
def test_interval_of_a_share_is_clopper_and_pearsons(failures: int, trials: int, low: float, high: float) -> None:
    """Values of the published table."""
    assert at_most(failures, trials) == pytest.approx((low, high), abs=1e-4)


def test_a_median_of_few_is_known_between_two_of_them() -> None:
    """Of twelve the third and the tenth (Conover's tables); of three all that can be said lies between the outermost."""
    assert median_between([*range(12, 0, -1)]) == (3, 10)
    assert median_between([5.0, float("inf"), 1.0]) == (1.0, float("inf"))


def test_the_worst_of_many_shares_is_judged_as_one_of_many() -> None:
    """One miss of 16 says little about a condition when it was looked for among 34 conditions."""
    alone, among = at_most(1, 16), at_most(1, 16, among=34)
    assert among[0] < alone[0] < 15 / 16 < alone[1] < 0.999 < among[1]
