"""How good this machine's wall clock is, as the kernel knows it."""

import ctypes
import ctypes.util
import functools
import sys
from dataclasses import dataclass

_TIME_ERROR = 5
_STA_PLL = 0x0001
_STA_NANO = 0x2000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockQuality:
    """Whether something disciplines the wall clock, the most it may be off, and how far off it is thought to be.

    Attributes:
        source: `synchronised`, `unsynchronised`, or `unknown` where the kernel cannot be asked.
        error_us: the bound on the error, None when nothing bounds it.
        offset_us: how far the clock is ahead of the true time by the best estimate there is, negative when behind; None
            when nobody estimates it.
        by: the programme that keeps the clock, `kernel` for the kernel's own loop, empty when nothing is known of it.
    """

    source: str
    error_us: int | None
    offset_us: int | None = None
    by: str = ""


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
    state = _libc().adjtimex(ctypes.byref(timex))
    if state < 0:
        return unknown
    if state == _TIME_ERROR:
        return ClockQuality(source="unsynchronised", error_us=None)
    offset_us = _offset_us(timex.status, timex.offset)
    return ClockQuality(
        source="synchronised",
        error_us=int(timex.maxerror),
        offset_us=offset_us,
        by="" if offset_us is None else "kernel",
    )


@functools.cache
def _libc() -> ctypes.CDLL:
    """Loading it anew took ten times as long as asking it."""
    return ctypes.CDLL(None)


def _offset_us(status: int, offset: int) -> int | None:
    """How far ahead the clock is: what the kernel's loop still has to add, the other way round; None when it does not run."""
    if not status & _STA_PLL:
        return None
    return -round(offset / 1000 if status & _STA_NANO else offset)
