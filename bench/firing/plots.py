"""The report's pictures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.plots import BLUE, FAINT, INK, RED, _figure, _save


def draw_ways(path: Path, ways: dict[str, list[float]]) -> None:
    """Share of shots that had arrived within a time, a line a way."""
    figure, axes = _figure(height=4.6)
    for name, values_us in ways.items():
        shares = 100 * np.arange(1, len(values_us) + 1) / len(values_us)
        axes.step(np.array(values_us) / 1000, shares, where="post", label=name)
    axes.set(xscale="log", xlabel="milliseconds from the order to the first byte at the server", ylabel="shots, %", ylim=(0, 101))
    axes.legend(loc="lower right", frameon=False, fontsize=7)
    _save(figure, path)


def draw_bursts(path: Path, bursts: Sequence[Sequence[float]], *, target_ms: float) -> None:
    """How many of a hundred tweets are on the wire within a time, a line a burst."""
    figure, axes = _figure()
    for wire_ms in bursts:
        axes.step([0, *wire_ms], range(len(wire_ms) + 1), where="post", color=BLUE, alpha=0.5)
    axes.axvline(target_ms, color=FAINT, linestyle=":")
    axes.set(xlabel="milliseconds after the cues were decided on", ylabel="tweets on the wire", xlim=(0, None))
    _save(figure, path)


def draw_memory(path: Path, memory: Sequence[tuple[float, float]]) -> None:
    """Memory of the engine's process over time."""
    figure, axes = _figure(height=3.0)
    axes.plot([second for second, _ in memory], [mib for _, mib in memory], color=INK)
    axes.set(xlabel="seconds at full rate", ylabel="MiB held", ylim=(0, None))
    _save(figure, path)


def draw_growth(path: Path, sizes: Sequence[int], claim_ms: Sequence[float], commit_ms: Sequence[float]) -> None:
    """What a claim costs against the size of the ledger."""
    figure, axes = _figure()
    axes.semilogx(sizes, claim_ms, "o-", color=BLUE, label="a claim, durable")
    axes.semilogx(sizes, commit_ms, "o--", color=RED, label="a bare commit at the same time")
    axes.set(xlabel="firings in the ledger", ylabel="milliseconds, median", ylim=(0, None))
    axes.legend(frameon=False)
    _save(figure, path)
