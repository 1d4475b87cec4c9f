"""A plan's file, read and judged against the configuration."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.config import Config
    from schedules import Choices, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A plan as read, with where it came from. `sha256` is of the file's bytes."""

    file: Path
    sha256: str
    plan: "Plan"


def read(file: Path, config: "Config", choices: "Choices", *, name: str = "") -> Source:
    """The plan in `file`, judged against the channels and spots of the configuration.

    Args:
        name: the file's name where it came from, if it has another one here.

    Raises:
        PlanFileError: the file cannot be read or is no plan; the message names it.
        BroadcastTimeError: the day start or zone chosen is none.
    """
    from schedules import PlanFileError
    from schedules.cells import FILE_BYTES_MAX

    try:
        with file.open("rb") as opened:
            data = opened.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise PlanFileError(f"{file}: {error.strerror}; name a file that can be read") from error
    return read_bytes(data, file.with_name(name) if name else file, config, choices)


def read_bytes(data: bytes, file: Path, config: "Config", choices: "Choices") -> Source:
    """As `read`, of a file whose bytes are here already.

    Raises:
        PlanFileError: it is no plan; the message names the file.
        BroadcastTimeError: the day start or zone chosen is none.
    """
    from console.plan_catalogue import plan_catalogue
    from schedules import PlanFileError, read_plan
    from timebase import SystemClock

    try:
        plan = read_plan(data, name=file.name, catalogue=plan_catalogue(config), now_utc=SystemClock().utc(), choices=choices)
    except PlanFileError as error:
        raise PlanFileError(f"{file}: {error}") from error
    return Source(file=file, sha256=hashlib.sha256(data).hexdigest(), plan=plan)
