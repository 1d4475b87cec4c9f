"""The report's pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.tail import Tail

INK, FAINT, BLUE, RED = "#222222", "#bbbbbb", "#2a6fbb", "#c03a2b"


def draw_delays(path: Path, conditions: Sequence[tuple[str, list[float]]]) -> None:
    """Share of airings decided within a time, a line a condition."""
    figure, axes = _figure()
    for name, delays_ms in conditions:
        shares = np.arange(1, len(delays_ms) + 1) / max(1, len(delays_ms))
        heard = np.isfinite(delays_ms)
        axes.step(np.array(delays_ms)[heard], 100 * shares[heard], where="post", label=name)
    axes.set(xlabel="milliseconds after the first audible sample", ylabel="airings decided, %", xlim=(0, 1000), ylim=(0, 101))
    axes.axvline(150, color=FAINT, linestyle=":")
    axes.legend(loc="lower right", frameon=False)
    _save(figure, path)


def draw_recall(path: Path, conditions: Sequence[tuple[str, int, int]]) -> None:
    """Share of airings heard, a bar a condition."""
    figure, axes = _figure(height=0.24 * len(conditions) + 1)
    names = [name for name, _, _ in conditions][::-1]
    shares = [100 * (1 - missed / max(1, count)) for _, missed, count in conditions][::-1]
    axes.barh(names, shares, color=[BLUE if share >= 99.9 else RED for share in shares])
    axes.set(xlabel="airings heard, %", xlim=(0, 100), ylim=(-0.6, len(names) - 0.4))
    _save(figure, path)


def draw_tail(path: Path, scores: Sequence[float], tail: Tail | None, *, threshold: float) -> None:
    """How many coincidences a feed-year reach a score: counted, fitted, and where the threshold lies."""
    figure, axes = _figure()
    if tail is not None:
        years = tail.hours / (365.25 * 24)
        ordered = np.sort([score for score in scores if score > tail.floor])[::-1]
        axes.semilogy(ordered, np.arange(1, len(ordered) + 1) / years, ".", color=INK, markersize=4, label="counted")
        grid = np.linspace(tail.floor, max(threshold * 1.05, tail.largest), 200)
        line = tail.count / years * np.exp(-tail.slope * (grid - tail.floor))
        axes.semilogy(grid, line, color=BLUE, label=f"exponential, slope {tail.slope:.2f}")
        inside = np.maximum(1 + tail.shape * (grid - tail.floor) / tail.scale, 0)
        pareto = inside ** (-1 / tail.shape) if abs(tail.shape) > 1e-9 else np.exp(-(grid - tail.floor) / tail.scale)
        axes.semilogy(grid, tail.count / years * pareto, color=RED, linestyle="--", label=f"Pareto, shape {tail.shape:+.2f}")
        axes.set_ylim(bottom=1e-3)
    axes.axvline(threshold, color=FAINT)
    axes.axhline(1, color=FAINT, linestyle=":")
    axes.set(xlabel="score, nats (vertical line: the threshold)", ylabel="coincidences a feed-year")
    if tail is not None:
        axes.legend(frameon=False)
    _save(figure, path)


def draw_costs(path: Path, feeds_a_core: Sequence[tuple[int, float]]) -> None:
    """Feeds a core against the number of spots."""
    figure, axes = _figure()
    axes.loglog([n for n, _ in feeds_a_core], [feeds for _, feeds in feeds_a_core], "o-", color=BLUE)
    axes.plot([10_000], [200], "x", color=RED, label="asked for")
    axes.plot([100_000], [50], "x", color=RED)
    axes.set(xlabel="spots", ylabel="live feeds a core")
    axes.legend(frameon=False)
    _save(figure, path)


def _figure(*, height: float = 4.0) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=80)
