"""XLSX and ODS to tables of cells, in a process with limits of memory, processor time and wall time."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from schedules import workbook_child
from schedules.cells import COLUMNS_MAX, HEADER_ROW_MAX, ROWS_MAX, SHEETS_MAX, Record, Sheet, about, limited
from schedules.errors import PlanFileError
from schedules.plan import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildLimits:
    """What the process that reads a workbook may take.

    Attributes:
        memory_bytes: of address space.
        processor_s: of processor time.
        wall_s: until it is ended.
        unpacked_bytes: to which a workbook may unpack.
        answer_bytes: it may answer.
    """

    memory_bytes: int = 300 << 20
    processor_s: int = 10
    wall_s: float = 20.0
    unpacked_bytes: int = 64 << 20
    answer_bytes: int = 24 << 20


def workbook_sheets(data: bytes, limits: ChildLimits | None = None) -> list[Sheet]:
    """The visible sheets of a workbook; dates as ISO 8601, merged cells filled, formulas by the value last calculated.

    Raises:
        PlanFileError: the workbook is broken, takes more than `limits`, or is none.
    """
    head, *lines = _answer(data, limits or ChildLimits())
    for refused in (line for line in (head, *lines[-1:]) if isinstance(line, dict) and "refused" in line):
        raise PlanFileError(refused["refused"])
    rows: dict[int, list[Record]] = {number: [] for number in range(len(head["sheets"]))}
    for number, line, cells in lines:
        rows[number].append(Record(line=line, cells=tuple(cells)))
    container = "ODS" if b"opendocument" in data[:200] else "XLSX"
    problems = tuple(about(Severity.WARNING, 1, warning, "check the plan's values") for warning in head["warnings"])
    return [
        Sheet(container=container, name=name, read=partial(_records, rows[number]), problems=problems)
        for number, name in enumerate(head["sheets"])
    ]


def _answer(data: bytes, limits: ChildLimits) -> list[Any]:
    of_process = (limits.memory_bytes, limits.processor_s, limits.unpacked_bytes, limits.answer_bytes)
    of_plan = (ROWS_MAX + HEADER_ROW_MAX, COLUMNS_MAX, SHEETS_MAX)
    command = [sys.executable, "-I", str(Path(workbook_child.__file__)), *map(str, (*of_process, *of_plan))]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=limits.wall_s, check=False, env={})
    except subprocess.TimeoutExpired as error:
        raise PlanFileError(f"reading the workbook took more than {limits.wall_s:g} s; save it as CSV UTF-8") from error
    except OSError as error:
        raise PlanFileError(
            f"no process could be started to read the workbook ({error.strerror}); save it as CSV UTF-8"
        ) from error
    if done.returncode or not done.stdout:
        raise PlanFileError(
            f"reading the workbook needed more than {limits.memory_bytes >> 20} MiB of memory or {limits.processor_s} s, "
            "or broke its reader; split the plan, or save it as CSV UTF-8"
        )
    return [json.loads(line) for line in done.stdout.splitlines()]


def _records(records: Sequence[Record]) -> Iterator[Record]:
    return limited(iter(records))
