"""The clock everyone is handed, and the one that reads the machine."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol

NS_PER_S = 1_000_000_000


class Clock(Protocol):
    """Two readings of now and two ways to wait.

    `mono_ns` never goes back and is shared by all processes of one machine; it says nothing about
    the date. `utc` is aware and may step. Waiting follows `mono_ns`, so a stepped wall clock neither
    shortens nor lengthens it.
    """

    def mono_ns(self) -> int:
        """Nanoseconds since an unknown instant; never decreases."""
        ...

    def utc(self) -> datetime:
        """The wall clock, aware, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after at least `seconds`; at once (but yielding) when it is not positive."""
        ...

    async def sleep_until(self, mono_ns: int) -> None:
        """Return once `mono_ns()` has reached the given instant; at once when it is past."""
        ...


class SystemClock:
    """The machine's clocks: CLOCK_MONOTONIC and CLOCK_REALTIME."""

    def mono_ns(self) -> int:
        return time.monotonic_ns()

    def utc(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))

    async def sleep_until(self, mono_ns: int) -> None:
        await asyncio.sleep(max(0.0, (mono_ns - time.monotonic_ns()) / NS_PER_S))
