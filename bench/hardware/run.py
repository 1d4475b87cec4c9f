"""A run of the hardware benchmark, from its measurements to its report."""

import asyncio
import tempfile
import time
from pathlib import Path

from bench.hardware.decoding import measure_decoding
from bench.hardware.gateway import measure_gateway
from bench.hardware.link import measure_crowd, measure_way
from bench.hardware.report import Measured, write_report

QUICK_ROUNDS, FULL_ROUNDS = 3, 10
QUICK_GOALS, FULL_GOALS = 200, 1000
DEVICES, PER_MINUTE = 500, 10_000
QUICK_S, FULL_S = 30.0, 600.0


def run_hardware(out: Path, *, full: bool, remark: str = "") -> Path:
    """Measure and write `report.md` and its plot into `out`.

    Args:
        remark: a sentence for the report, on what else the machine did for instance.

    Returns:
        The report's path.
    """
    begin_s, rounds = time.monotonic(), FULL_ROUNDS if full else QUICK_ROUNDS
    with tempfile.TemporaryDirectory(prefix="cuebird-hardware-") as name:
        measured = Measured(
            decoding=measure_decoding(rounds=rounds),
            gateway=measure_gateway(rounds=rounds),
            way=asyncio.run(measure_way(Path(name) / "one", goals=FULL_GOALS if full else QUICK_GOALS)),
            crowd=asyncio.run(
                measure_crowd(Path(name) / "many", devices=DEVICES, per_minute=PER_MINUTE, seconds=FULL_S if full else QUICK_S)
            ),
        )
    return write_report(out, measured, full=full, took_s=time.monotonic() - begin_s, remark=remark)
