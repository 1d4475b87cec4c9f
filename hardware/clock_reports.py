"""What the programmes that keep a clock say of it: chrony, systemd-timesyncd and ptp4l. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

REPORT_LETTERS_MAX: Final = 8192
"""More of a programme's output is not looked at."""

_UNITS_US: Mapping[str, float] = MappingProxyType({"us": 1, "ms": 1e3, "s": 1e6, "min": 60e6, "h": 3600e6})
_SPAN: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)(us|ms|s|min|h)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReport:
    """What a programme says.

    Attributes:
        offset_us: how far the clock is ahead, negative when behind.
        error_us: the bound on that, None where it gives none.
    """

    offset_us: int
    error_us: int | None


def parse_chrony(text: str) -> ClockReport | None:
    """`chronyc tracking`; None while chrony follows no source.

    Source: chronyc(1), on the bound: offset, root dispersion and half the root delay.
    """
    facts = _facts(text)
    system = re.match(r"([0-9]{1,12}\.[0-9]{1,12}) seconds (slow|fast) of NTP time", facts.get("System time", ""))
    if system is None or facts.get("Leap status", "Not synchronised") == "Not synchronised":
        return None
    offset_us = float(system[1]) * (1e6 if system[2] == "fast" else -1e6)
    delay, dispersion = (_seconds(facts.get(name, "")) for name in ("Root delay", "Root dispersion"))
    error_us = None if delay is None or dispersion is None else round(abs(offset_us) + (dispersion + delay / 2) * 1e6)
    return ClockReport(offset_us=round(offset_us), error_us=error_us)


def parse_timesyncd(text: str) -> ClockReport | None:
    """`timedatectl timesync-status`; None before the first answer of a server.

    Source: systemd's timedatectl.c: its offset is the server's time less ours.
    """
    facts = _facts(text)
    offset, distance = facts.get("Offset", ""), facts.get("Root distance", "").partition(" (")[0]
    offset_us = _span_us(offset.lstrip("+-"))
    if offset_us is None:
        return None
    error_us = _span_us(distance)
    ahead_us = offset_us if offset.startswith("-") else -offset_us
    return ClockReport(offset_us=round(ahead_us), error_us=None if error_us is None else round(abs(ahead_us) + error_us))


def parse_ptp(text: str) -> ClockReport | None:
    """`pmc 'GET TIME_STATUS_NP'`; None without a grandmaster. The offset is that of the clock ptp4l keeps, in nanoseconds."""
    found = dict(re.findall(r"^\s*(master_offset|gmPresent)\s+(\S+)", text[:REPORT_LETTERS_MAX], flags=re.MULTILINE))
    if found.get("gmPresent") != "true" or not re.fullmatch(r"-?[0-9]{1,18}", found.get("master_offset", "")):
        return None
    return ClockReport(offset_us=round(int(found["master_offset"]) / 1000), error_us=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockKeeper:
    """A programme that keeps clocks, and how it is asked. Every command reads only."""

    name: str
    command: tuple[str, ...]
    parse: Callable[[str], ClockReport | None]


KEEPERS: Final = (
    ClockKeeper(name="ptp4l", command=("pmc", "-u", "-b", "0", "GET TIME_STATUS_NP"), parse=parse_ptp),
    ClockKeeper(name="chrony", command=("chronyc", "-n", "tracking"), parse=parse_chrony),
    ClockKeeper(name="systemd-timesyncd", command=("timedatectl", "timesync-status"), parse=parse_timesyncd),
)
"""In the order in which they are believed: whoever runs PTP runs it for this."""


def _facts(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text[:REPORT_LETTERS_MAX].splitlines())
    return {name.strip(): value.strip() for name, colon, value in pairs if colon}


def _seconds(text: str) -> float | None:
    found = re.fullmatch(r"([0-9]{1,12}\.[0-9]{1,12}) seconds", text)
    return float(found[1]) if found else None


def _span_us(text: str) -> float | None:
    """Microseconds of a time span as systemd writes it, such as `1min 2.5s`."""
    parts = [_SPAN.fullmatch(part) for part in text.split()]
    if not parts or None in parts:
        return None
    return sum(float(part[1]) * _UNITS_US[part[2]] for part in parts if part)
