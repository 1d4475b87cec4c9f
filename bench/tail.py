"""How often would the best of the impostors pass the threshold? Extreme values, from hours to years.

Scores above a floor are excesses. Their tail is fitted twice: as an exponential (the straight line that sequential tests
predict) and as a generalised Pareto law, whose shape says how far from straight it is. The interval comes from all the Pareto
laws whose likelihood the counts do not contradict, so it is as wide as the extrapolation deserves; shapes below 0, tails that
end, are left out of it, because no promise should rest on impostors being unable to score high.

Source: Pickands 1975; Coles 2001, An Introduction to Statistical Modeling of Extreme Values, chapter 4.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

LEAST: Final = 20
"""Fewer excesses than this are no tail."""
CHI_2_95: Final = 5.991
"""Of two parameters at once."""
SHAPES: Final = np.linspace(-0.5, 0.5, 101)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """A fitted tail.

    Attributes:
        floor: above which it is fitted.
        count: excesses it was fitted to.
        hours: of sound they were found in.
        slope: of the exponential, 1/nats.
        shape: of the Pareto law, 0 for an exponential, negative for a tail that ends.
        scale: of the Pareto law, nats.
        largest: the highest score.
    """

    floor: float
    count: int
    hours: float
    slope: float
    shape: float
    scale: float
    largest: float
    region: tuple[tuple[float, float], ...]
    """Pareto laws (shape, scale) the counts do not contradict at 95 %, shapes from 0 on."""


def fit_tail(scores: Sequence[float], *, floor: float, hours: float) -> Tail | None:
    """The tail of impostor scores above `floor`; None when there are fewer than `LEAST`.

    Args:
        scores: best score of each coincidence, nats.
        floor: where the tail begins.
        hours: sound they were found in.
    """
    excess = np.array([score - floor for score in scores if score > floor])
    if len(excess) < LEAST:
        return None
    laws = [(float(shape), scale, like) for shape in SHAPES for scale, like in _likelihoods(excess, float(shape))]
    shape, scale, _ = max(laws, key=lambda law: law[2])
    straight_or_heavier = [law for law in laws if law[0] >= -1e-9]
    likeliest = max(law[2] for law in straight_or_heavier)
    region = tuple((law[0], law[1]) for law in straight_or_heavier if law[2] > likeliest - CHI_2_95 / 2)
    return Tail(
        floor=floor, count=len(excess), hours=hours, slope=float(1.0 / excess.mean()), shape=shape, scale=scale,
        largest=floor + float(excess.max()), region=region,
    )  # fmt: skip


def rate_a_year(tail: Tail, threshold: float) -> tuple[float, float, float, float]:
    """Expected impostors above the threshold a feed-year.

    Returns:
        (by the exponential, by the Pareto law, lower and upper end of its 95 % interval)
    """
    years = tail.hours / (365.25 * 24)
    over = max(0.0, threshold - tail.floor)
    exponential = tail.count / years * math.exp(-tail.slope * over)
    best = tail.count / years * _survival(over, tail.shape, tail.scale)
    values = [tail.count / years * _survival(over, shape, scale) for shape, scale in tail.region]
    wobble = math.exp(1.96 / math.sqrt(tail.count))
    low, high = min(values) / wobble, max(values) * wobble
    return exponential, best, low, high


def threshold_for(tail: Tail, *, a_year: float) -> float:
    """The score the exponential tail passes `a_year` times a feed-year."""
    years = tail.hours / (365.25 * 24)
    return tail.floor + math.log(tail.count / years / a_year) / tail.slope


def _likelihoods(excess: "np.ndarray[tuple[int], np.dtype[np.float64]]", shape: float) -> list[tuple[float, float]]:
    """(scale, log-likelihood) of Pareto laws of one shape."""
    mean = float(excess.mean())
    scales = np.geomspace(mean / 5, mean * 5, 200)
    if abs(shape) < 1e-9:
        likelihoods = -len(excess) * np.log(scales) - excess.sum() / scales
    else:
        inside = 1.0 + shape * excess[:, None] / scales[None, :]
        logs = np.log(np.maximum(inside, 1e-300))
        likelihoods = -len(excess) * np.log(scales) - (1.0 + 1.0 / shape) * logs.sum(axis=0)
        likelihoods = np.where((inside > 0).all(axis=0), likelihoods, -np.inf)
    return [(float(scale), float(like)) for scale, like in zip(scales, likelihoods, strict=True)]


def _survival(over: float, shape: float, scale: float) -> float:
    if abs(shape) < 1e-9:
        return math.exp(-over / scale)
    inside = 1.0 + shape * over / scale
    return inside ** (-1.0 / shape) if inside > 0 else 0.0


def at_most(failures: int, trials: int, *, among: int = 1) -> tuple[float, float]:
    """95 % interval (Clopper-Pearson) of a share of successes, given the failures.

    Args:
        among: of how many such shares this is one: the intervals then hold all at once (Bonferroni), so that the worst of many
            is not taken for worse than it is.
    """
    from scipy.stats import beta

    hits, outside = trials - failures, 0.025 / among
    low = float(beta.ppf(outside, hits, failures + 1)) if hits else 0.0
    high = float(beta.ppf(1 - outside, hits + 1, failures)) if failures else 1.0
    return low, high


def median_between(values: Sequence[float]) -> tuple[float, float]:
    """95 % interval of a median, by its order statistics; the outermost values where there are too few.

    Source:
        David & Nagaraja, Order Statistics, 2003, section 7.1.
    """
    from scipy.stats import binom

    ordered = sorted(values)
    outside = max(1, int(binom.ppf(0.025, len(ordered), 0.5)))
    return ordered[outside - 1], ordered[len(ordered) - outside]
