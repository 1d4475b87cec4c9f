"""`cuebird bench firing`: how soon a tweet leaves, how many leave at once, and how surely none leaves after a kill."""

import asyncio
import tempfile
import time
from pathlib import Path

from bench.firing import measuring
from bench.firing.delays import measure_delays
from bench.firing.report import Measured, write_report
from bench.firing.setting import FiringSetting


def run_firing(setting: FiringSetting, out: Path, *, remark: str = "") -> Path:
    """Measure everything, one after the other, and write the report.

    Args:
        out: folder for the report and its plots.
        remark: a sentence for the report, on what else the machine did for instance.

    Returns:
        The report.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cuebird-firing-", dir=_on_disk(out)) as name:
        folder = Path(name)
        measured = Measured(
            shots=asyncio.run(measuring.measure_shots(_made(folder / "s"), setting)),
            delays=asyncio.run(measure_delays(_made(folder / "d"), setting)),
            bursts=asyncio.run(measuring.measure_bursts(_made(folder / "b"), setting)),
            kills=asyncio.run(measuring.measure_kills(_made(folder / "k"), setting)),
            sustained=asyncio.run(measuring.measure_sustained(_made(folder / "f"), setting)),
            growth=measuring.measure_growth(_made(folder / "g"), setting),
        )
    return write_report(setting, measured, out=out, took_s=time.monotonic() - began, remark=remark)


def _on_disk(out: Path) -> Path:
    """Beside the report: a commit in a folder that is kept in memory would cost nothing."""
    out.mkdir(parents=True, exist_ok=True)
    return out


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
