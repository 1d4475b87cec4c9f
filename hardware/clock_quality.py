"""How good this machine's wall clock is, as the kernel knows it."""

import ctypes
import ctypes.util
import sys
from dataclasses import dataclass

_TIME_ERROR = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockQuality:
    """Whether something disciplines the wall clock, and the most it may be off.

    Attributes:
        source: `synchronised`, `unsynchronised`, or `unknown` where the kernel cannot be asked.
        error_us: the kernel's bound on the error, None when nothing bounds it.
    """

    source: str
    error_us: int | None


class _Timex(ctypes.Structure):
    """`struct timex` up to the fields we read, with room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_int),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def clock_quality() -> ClockQuality:
    """Ask the kernel; reads only, needs no privilege.

    Source: adjtimex(2).
    """
    unknown = ClockQuality(source="unknown", error_us=None)
    if not sys.platform.startswith("linux"):
        return unknown
    timex = _Timex()
    state = ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    if state < 0:
        return unknown
    if state == _TIME_ERROR:
        return ClockQuality(source="unsynchronised", error_us=None)
    return ClockQuality(source="synchronised", error_us=int(timex.maxerror))
