"""One import from bytes to ledger, step by step, in a process of its own so that its memory is its own.

`python -m bench.schedules.steps LEDGER FILE` prints one line of JSON: seconds by step, and the most memory held.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bench.schedules.making import catalogue
from schedules import read_plan
from sync.ledger import Ledger
from sync.plan_versions import PlanSource, PlanVersions
from sync.states import Mode

NOW_UTC = datetime(2026, 12, 1, tzinfo=UTC)


def main(arguments: list[str]) -> int:
    """Import a plan and print what it took."""
    ledger_file, plan_file = map(Path, arguments)
    data, known, took_s = plan_file.read_bytes(), catalogue(), dict[str, float]()
    begin_s = time.process_time()
    with closing(Ledger.open(ledger_file, mode=Mode.OFF)) as ledger:
        plans = PlanVersions(ledger)
        with _timed(took_s, "read and validated"):
            plan = read_plan(data, catalogue=known, now_utc=NOW_UTC, name=plan_file.name)
        if plan.errors:
            raise SystemExit(str(plan.errors[0]))
        with _timed(took_s, "compared"):
            shown = plans.preview("bench", plan.airings)
        source = PlanSource(actor="bench", file_name=plan_file.name, sha256=plan_file.name)
        with _timed(took_s, "committed"):
            plans.commit("bench", plan.airings, source, expected_base=shown.base, shown=shown)
    told = {"took_s": took_s, "processor_s": time.process_time() - begin_s, "most_mb": _most_mb()}
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


def _most_mb() -> float:
    """The most memory this process held: the kernel's word, since `getrusage` counts what its parent held too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e6


@contextmanager
def _timed(took_s: dict[str, float], step: str) -> Iterator[None]:
    begin_s = time.perf_counter()
    yield
    took_s[step] = time.perf_counter() - begin_s


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
