"""Watching this machine's clock: the kernel at every question, the programme that keeps it now and then."""

import asyncio
import contextlib
import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from hardware.clock_quality import ClockQuality, clock_quality
from hardware.clock_reports import KEEPERS, REPORT_LETTERS_MAX, ClockKeeper, ClockReport
from timebase import Clock

log = logging.getLogger(__name__)

ASK_EVERY_S: Final = 16.0
"""As often as NTP asks at its quickest but one: more would tell nothing new."""
ANSWER_TIMEOUT_S: Final = 2.0


class ClockWatch:
    """Knows how good the clock is; `run` keeps the estimate of its offset fresh until cancelled."""

    def __init__(self, *, clock: Clock, keepers: Sequence[ClockKeeper] = KEEPERS) -> None:
        self._clock, self._keepers = clock, keepers
        self._by = ""
        self._report: ClockReport | None = None

    def quality(self) -> ClockQuality:
        """How good the clock is now.

        The keeper's bound counts where it is larger than the kernel's: PTP and chrony may leave the kernel's at nothing.
        """
        kernel = clock_quality()
        report = self._report
        if report is None or kernel.source != "synchronised":
            return kernel
        bounds = [bound for bound in (kernel.error_us, report.error_us) if bound is not None]
        return replace(kernel, error_us=max(bounds, default=None), offset_us=report.offset_us, by=self._by)

    async def run(self) -> None:
        """Ask whoever keeps the clock."""
        while True:
            by, report = await self._ask()
            if by != self._by:
                log.info("clock.keeper", extra={"keeper": by or "none known"})
            self._by, self._report = by, report
            await self._clock.sleep(ASK_EVERY_S)

    async def _ask(self) -> tuple[str, ClockReport | None]:
        for keeper in self._keepers:
            programme = shutil.which(keeper.command[0])
            report = keeper.parse(await _output(programme, *keeper.command[1:])) if programme else None
            if report is not None:
                return keeper.name, report
        return "", None


async def _output(programme: str, *arguments: str) -> str:
    """What a programme prints; nothing when it fails or takes too long."""
    quiet = asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            programme,
            *arguments,
            stdin=quiet,
            stdout=asyncio.subprocess.PIPE,
            stderr=quiet,
            env={**os.environ, "LC_ALL": "C"},
        )
    except OSError:
        return ""
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            assert process.stdout is not None
            said = bytearray()
            while part := await process.stdout.read(REPORT_LETTERS_MAX):
                said += part[: REPORT_LETTERS_MAX - len(said)]
            return said.decode(errors="replace") if await process.wait() == 0 else ""
    except TimeoutError:
        return ""
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
