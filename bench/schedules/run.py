"""A run of the schedules benchmark, from its measurements to its report."""

import csv
import io
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.machine import commit_name, load_average, machine_name
from bench.plots import BLUE, INK, RED, _figure, _save
from bench.report import MET, NOT_MET
from bench.schedules.ledgers import ROUNDS, Asked, ask, fill
from bench.schedules.making import A_DAY, csv_file, xlsx_file

REPORT: Final = "report.md"
GROWTH: Final = "schedules-growth.png"
ROWS: Final = 100_000
CSV_S, XLSX_S, MOST_MB = 5.0, 15.0, 400.0
TABLE: Final = (
    "CREATE TABLE airing (airing_id TEXT PRIMARY KEY, plan TEXT, channel TEXT, spot TEXT, planned INT, opens INT, closes INT)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """One import, and what the same rows cost with nothing but the csv module and the database's driver."""

    name: str
    rows: int
    took_s: dict[str, float]
    processor_s: float
    most_mb: float
    floor_s: float | None = None

    @property
    def total_s(self) -> float:
        """All steps."""
        return sum(self.took_s.values())


def run_schedules(out: Path, *, full: bool, remark: str = "") -> Path:
    """Measure and write `report.md` and its plot into `out`.

    Returns:
        The report's path.
    """
    begin_s, load_before = time.monotonic(), load_average()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="cuebird-bench-") as folder:
        growth = [_import(Path(folder), rows) for rows in (10_000, 25_000, 50_000, ROWS)]
        others = [_again(Path(folder)), _workbook(Path(folder))]
        count = 200 * A_DAY if full else 20 * A_DAY
        ledger = Path(folder) / "year.db"
        filled_s = fill(ledger, count)
        asked = ask(ledger, count)
    _draw(out / GROWTH, growth)
    load = f"Load average {load_before} before and {load_average()} after; the run itself wants one core."
    took = f"It took {(time.monotonic() - begin_s) / 60:.1f} min."
    command = f"cuebird bench schedules{' --full' if full else ''}"
    head = [
        f"# Schedules, {'full' if full else 'quick'} run",
        "",
        f"`{command}` of {commit_name()}. {machine_name()}. {load} {took} {remark}".strip(),
    ]
    report = out / REPORT
    report.write_text("\n".join([*head, *_imports([*growth, *others]), *_answers(asked, count, filled_s)]) + "\n")
    return report


def _import(folder: Path, rows: int) -> Imported:
    data = csv_file(rows)
    return _steps(
        folder / f"{rows}.db", folder / f"{rows}.csv", data, f"CSV, {rows:,} rows", rows, floor_s=_floor_s(folder, data)
    )


def _again(folder: Path) -> Imported:
    """The largest plan once more, with each hundredth airing a minute later."""
    data = csv_file(ROWS, late_s=60)
    return _steps(folder / f"{ROWS}.db", folder / "again.csv", data, f"the same again, {ROWS // 100:,} moved", ROWS)


def _workbook(folder: Path) -> Imported:
    return _steps(folder / "xlsx.db", folder / "plan.xlsx", xlsx_file(ROWS), f"XLSX, {ROWS:,} rows", ROWS)


def _steps(ledger: Path, plan: Path, data: bytes, name: str, rows: int, *, floor_s: float | None = None) -> Imported:
    plan.write_bytes(data)
    command = [sys.executable, "-m", "bench.schedules.steps", str(ledger), str(plan)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    return Imported(name=name, rows=rows, floor_s=floor_s, **told)


def _floor_s(folder: Path, data: bytes) -> float:
    """The same rows read by the csv module and written by `executemany`: understood, judged and compared by nobody."""
    begin_s = time.perf_counter()
    rows = list(csv.reader(io.StringIO(data.decode(), newline="")))[1:]
    connection = sqlite3.connect(folder / f"floor-{len(rows)}.db")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(TABLE)
    named = [(f"{channel}/{spot}/{day}/{time_}", "plan", channel, spot, 0, 0, 0) for channel, day, time_, spot, _ in rows]
    connection.executemany("INSERT INTO airing VALUES (?, ?, ?, ?, ?, ?, ?)", named)
    connection.commit()
    connection.close()
    return time.perf_counter() - begin_s


def _imports(measured: list[Imported]) -> list[str]:
    steps = list(measured[0].took_s)
    lines = [
        "",
        "## Imports",
        "",
        f"From the file's bytes to the commit, each in a process of its own. Target for {ROWS:,} rows: {CSV_S:g} s from CSV,"
        f" {XLSX_S:g} s from XLSX, {MOST_MB:g} MB. *Processor*: seconds of it, without the child that reads the workbook."
        " *Floor*: the same rows by the bare csv module and `executemany` into a table with one index, of"
        " the same run.",
        "",
        f"| plan | {', s | '.join(steps)}, s | in all, s | processor, s | µs a row | over the floor | most held, MB | verdict |",
        f"|{'---|' * (len(steps) + 7)}",
    ]
    for one in measured:
        floor = "–" if one.floor_s is None else f"{one.total_s / one.floor_s:.1f}×"
        cells = " | ".join(f"{one.took_s[step]:.2f}" for step in steps)
        lines.append(
            f"| {one.name} | {cells} | {one.total_s:.2f} | {one.processor_s:.2f} | {1e6 * one.total_s / one.rows:.0f} | {floor}"
            f" | {one.most_mb:.0f} | {_verdict(one)} |"
        )
    return [*lines, "", f"![seconds against rows]({GROWTH})"]


def _verdict(one: Imported) -> str:
    most_s = XLSX_S if one.name.startswith("XLSX") else CSV_S
    return MET if one.total_s <= most_s and one.most_mb <= MOST_MB else NOT_MET


def _answers(asked: list[Asked], count: int, filled_s: float) -> list[str]:
    lines = [
        "",
        f"## A ledger with {count:,} airings",
        "",
        f"{A_DAY:,} a day; made in {filled_s:.0f} s. Each question is asked {ROUNDS} times, of days all over the span. *Arming*"
        " is reading the day and handing it to the engine's board and its windows; the next window is looked up in those.",
        "",
        "| question | median, ms | most, ms | target, ms | verdict |",
        "|---|---|---|---|---|",
    ]
    for one in asked:
        verdict = MET if one.most_ms <= one.target_ms else NOT_MET
        lines.append(f"| {one.name} | {_figures(one.median_ms)} | {_figures(one.most_ms)} | {one.target_ms:g} | {verdict} |")
    return lines


def _figures(value_ms: float) -> str:
    return f"{value_ms:.0f}" if value_ms >= 10 else f"{value_ms:.2g}"


def _draw(path: Path, growth: list[Imported]) -> None:
    """Seconds against rows, beside the floor and a straight line through the largest."""
    figure, axes = _figure()
    rows = [one.rows for one in growth]
    axes.plot(rows, [one.total_s for one in growth], "o-", color=BLUE, label="read, validated, compared, committed")
    axes.plot(rows, [one.took_s["read and validated"] for one in growth], "o--", color=RED, label="read and validated")
    axes.plot(rows, [one.floor_s or 0 for one in growth], "o:", color=INK, label="floor: csv module and executemany")
    axes.plot([0, rows[-1]], [0, growth[-1].total_s], color=INK, alpha=0.25, linewidth=0.8, label="in proportion to the largest")
    axes.set(xlabel="rows", ylabel="seconds", xlim=(0, None), ylim=(0, None))
    axes.legend(frameon=False)
    _save(figure, path)
