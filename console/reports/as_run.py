"""The as-run report of some broadcast days: what was asked for, the lines, and their sums."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from console.config import Config
from console.errors import ConsoleError
from console.ledgers import reading_ledger
from schedules.as_run import Line
from schedules.broadcast_log import BroadcastLog, Logged
from schedules.broadcast_time import parse_day_start
from schedules.comparison import Comparison, compare
from schedules.delivery import Calendar, Delivery, delivered, deliveries
from sync.as_run import as_run_lines
from sync.ledger import Ledger
from timebase import Clock

DAY_START = "06:00"
DAYS_MAX = 366
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a report is asked for: broadcast days, both ends included, of one channel or campaign or of all."""

    first: date
    last: date
    channel: str = ""
    campaign: str = ""

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ConsoleError(f"to {self.last}: it lies before the first day, {self.first}; give the days in their order")
        if (self.last - self.first).days >= DAYS_MAX:
            raise ConsoleError(f"{self.first} to {self.last}: more than {DAYS_MAX} days; ask for a shorter span")

    @property
    def days(self) -> tuple[date, ...]:
        """Every day asked for."""
        return tuple(self.first + number * _DAY for number in range((self.last - self.first).days + 1))

    @property
    def words(self) -> str:
        """The days, for people."""
        return f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report.

    Attributes:
        asked: what was asked for.
        made_utc: when it was made; what was still open then may have ended since.
        lines: in order of time.
        sums: by day, campaign and channel.
        total: of all lines.
        channels, campaigns: that a report may be asked for.
        log: the broadcaster's own log, and how it compares; None where none was given.
    """

    asked: Asked
    made_utc: datetime
    calendar: Calendar
    lines: tuple[Line, ...]
    sums: tuple[Delivery, ...]
    total: Delivery
    channels: tuple[str, ...]
    campaigns: tuple[str, ...]
    log: BroadcastLog | None = None
    comparison: Comparison | None = None

    @property
    def zones(self) -> str:
        """The zones its local times are of, for people."""
        asked = {self.asked.channel} if self.asked.channel else set(self.channels)
        channels = sorted({line.channel for line in self.lines} or asked)
        names = sorted({str(self.calendar.zone(channel)) for channel in channels})
        return ", ".join(names) or "UTC"

    @property
    def day_start(self) -> str:
        """When its broadcast days begin, `HH:MM`."""
        return f"{self.calendar.day_start_s // 3600:02}:{self.calendar.day_start_s // 60 % 60:02}"


class AsRunReports:
    """Makes reports for one installation.

    Args:
        open_ledger: the ledger, to be read.
        calendar: of its channels.
    """

    def __init__(
        self,
        open_ledger: Callable[[], AbstractContextManager[Ledger]],
        *,
        calendar: Calendar,
        channels: tuple[str, ...],
        clock: Clock,
    ) -> None:
        self._open_ledger, self._clock = open_ledger, clock
        self.calendar, self.channels = calendar, channels

    @classmethod
    def of(cls, config: Config, clock: Clock, *, day_start: str = DAY_START) -> "AsRunReports":
        """As configured.

        Raises:
            BroadcastTimeError: `day_start` is none.
        """
        zones = {channel.id: ZoneInfo(channel.timezone) for channel in config.channels}
        calendar = Calendar(zones=zones, otherwise=UTC, day_start_s=parse_day_start(day_start))
        channels = tuple(channel.id for channel in config.channels)
        return cls(partial(reading_ledger, config), calendar=calendar, channels=channels, clock=clock)

    def today(self) -> date:
        """The broadcast day that runs now on the first channel."""
        channel = self.channels[0] if self.channels else ""
        return self.calendar.day(channel, self._clock.utc())

    def make(self, asked: Asked, *, log: BroadcastLog | None = None) -> Report:
        """The report.

        Args:
            log: the broadcaster's own, to be compared.

        Raises:
            ConsoleError: there is no ledger, or a channel or campaign that is asked for is not known.
            SyncError: the ledger cannot be read, or the report would be too long.
        """
        if asked.channel and asked.channel not in self.channels:
            known = ", ".join(self.channels) or "none"
            raise ConsoleError(f"channel {asked.channel}: it is not configured; known are {known}")
        now_utc = self._clock.utc()
        # From the first channel's dawn to the last one's; then the days are kept by each channel's own clock.
        channels = (asked.channel,) if asked.channel else ("", *self.channels)
        begin_utc = min(self.calendar.begin_utc(channel, asked.first) for channel in channels)
        end_utc = max(self.calendar.begin_utc(channel, asked.last + _DAY) for channel in channels)
        with self._open_ledger() as ledger:
            read = as_run_lines(ledger, begin_utc, end_utc, now_utc=now_utc, channel=asked.channel)
        within = [line for line in read if asked.first <= self.calendar.day(line.channel, line.at_utc) <= asked.last]
        lines = tuple(line for line in within if not asked.campaign or line.campaign == asked.campaign)
        return Report(
            asked=asked,
            made_utc=now_utc,
            calendar=self.calendar,
            lines=lines,
            sums=deliveries(lines, self.calendar),
            total=delivered(lines),
            channels=self.channels,
            campaigns=tuple(sorted({line.campaign for line in within if line.campaign})),
            log=log,
            comparison=None if log is None else compare(lines, self._asked_for(log, asked)),
        )

    def _asked_for(self, log: BroadcastLog, asked: Asked) -> list[Logged]:
        return [
            one
            for one in log.logged
            if (not asked.channel or one.channel == asked.channel)
            and asked.first <= self.calendar.day(one.channel, one.began_utc) <= asked.last
        ]
