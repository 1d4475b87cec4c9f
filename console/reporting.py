"""A listener's way to the engine: detections kept and sent first, of the statuses only the newest."""

import asyncio
import logging
from collections import deque
from dataclasses import replace

from fingerprints.events import Detection, FeedStatus, FollowEnd, LateFound
from hardware.markers import MarkerReport, MarkerSourceStatus
from hardware.tally import TallyStatus
from sync.client import ControlClient
from sync.errors import EngineUnreachableError
from timebase import Backoff, Clock

log = logging.getLogger(__name__)

FINDINGS_WAITING_MAX = 500
"""Detections, their ends and markers that the engine has not taken yet; beyond it the oldest are dropped, and said so."""


Status = FeedStatus | MarkerSourceStatus | TallyStatus
"""How a source is; only the newest is worth sending."""


class EngineReporter:
    """Takes a listener's reports at once and sends them as the engine takes them.

    While no engine answers, detections and markers wait: whether one is too old to fire is the engine's to judge.
    """

    def __init__(self, client: ControlClient, *, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._findings: deque[Detection | FollowEnd | MarkerReport] = deque()
        self._statuses: dict[tuple[type, str], Status] = {}
        self._filled = asyncio.Event()
        self.dropped_count = 0
        self.reached = asyncio.Event()
        """Set when the engine has taken a first report."""
        self._emptied = asyncio.Event()

    async def take(self, report: Detection | LateFound | FollowEnd | MarkerReport | Status) -> None:
        """Note a report; never waits for the engine."""
        if isinstance(report, FeedStatus):
            self._statuses[FeedStatus, report.feed_id] = report
        elif isinstance(report, MarkerSourceStatus):
            self._statuses[MarkerSourceStatus, report.source_id] = report
        elif isinstance(report, TallyStatus):
            self._statuses[TallyStatus, report.tally_id] = report
        elif isinstance(report, LateFound):
            # The engine learns of it by its end: what was heard too late to fire must not look like a detection.
            log.info("spot.late", extra={"feed_id": report.feed_id, "spot_id": report.spot_id, "onset_s": report.onset_s})
            return
        else:
            if len(self._findings) >= FINDINGS_WAITING_MAX:
                self._findings.popleft()
                self.dropped_count += 1
                log.error("report.dropped", extra={"dropped": self.dropped_count})
            self._findings.append(report)
        self._filled.set()

    async def sent(self) -> None:
        """Return once the engine has everything that has been taken."""
        while self._findings or self._statuses:
            self._emptied.clear()
            await self._emptied.wait()

    async def run(self) -> None:
        """Send what has been taken, until cancelled."""
        backoff = Backoff(first_s=0.1, most_s=1.0, floor_s=0.05)
        while True:
            await self._filled.wait()
            try:
                await self._send()
            except EngineUnreachableError as error:
                log.warning("report.engine_unreachable", extra={"reason": str(error)})
                await self._clock.sleep(backoff.next_s())
            else:
                backoff.reset()

    async def _send(self) -> None:
        while self._findings:
            finding = self._findings[0]
            if isinstance(finding, Detection):
                await self._client.report("detection", detection=finding)
            elif isinstance(finding, MarkerReport):
                await self._client.report("marker", marker=finding)
            else:
                await self._client.report("follow_end", follow_end=replace(finding, confidences=()))
            # Taken out only when it has been written: a broken connection loses none.
            if self._findings and self._findings[0] is finding:
                self._findings.popleft()
            self.reached.set()
        statuses, self._statuses = self._statuses, {}
        for status in statuses.values():
            if isinstance(status, FeedStatus):
                await self._client.report("feed", feed=status)
            elif isinstance(status, TallyStatus):
                await self._client.report("tally", tally=status)
            else:
                await self._client.report("marker_source", marker_source=status)
            self.reached.set()
            if self._findings:
                return  # a detection never waits for the statuses of many feeds; theirs come again at once
        if not self._findings and not self._statuses:
            self._filled.clear()
            self._emptied.set()
