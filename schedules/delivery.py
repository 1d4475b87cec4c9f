"""What was delivered of what was planned: the lines of a report added up by campaign, channel and broadcast day. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from statistics import median

from schedules.as_run import Line, Verdict
from schedules.broadcast_time import clock_text, from_utc


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """In which zone each channel's clock hangs, and when its broadcast days begin.

    Attributes:
        zones: by channel.
        otherwise: of channels that are not configured any more.
        day_start_s: seconds after midnight.
    """

    zones: Mapping[str, tzinfo]
    otherwise: tzinfo
    day_start_s: int

    def zone(self, channel: str) -> tzinfo:
        """The channel's zone."""
        return self.zones.get(channel, self.otherwise)

    def day(self, channel: str, instant_utc: datetime) -> date:
        """The broadcast day that holds an instant."""
        return from_utc(instant_utc, self.zone(channel), day_start_s=self.day_start_s)[0]

    def begin_utc(self, channel: str, day: date) -> datetime:
        """When a broadcast day begins; of two such instants, as the clock changes, the first."""
        midnight = datetime(day.year, day.month, day.day, tzinfo=self.zone(channel))
        return (midnight + timedelta(seconds=self.day_start_s)).astimezone(UTC)

    def clock(self, channel: str, instant_utc: datetime) -> str:
        """The instant's time within its broadcast day, hours counting on past 23."""
        return clock_text(from_utc(instant_utc, self.zone(channel), day_start_s=self.day_start_s)[1])

    def local(self, channel: str, instant_utc: datetime) -> datetime:
        """The instant by the channel's clock, aware."""
        return instant_utc.astimezone(self.zone(channel))


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What was delivered of one campaign on one channel and day; a field that was not told apart is empty.

    Attributes:
        planned: airings in the plan.
        decided: of those, the ones whose window is over.
        delivered: of those, the ones that were broadcast as planned.
        owed: decided and not delivered; those nobody listened to are not among them.
        unknown: decided, not heard, and nobody listened.
        posted: airings whose tweet was posted.
        off_plan: broadcasts without an airing.
        aired_s: seconds broadcast of what was delivered, as far as the feeds told.
        first_byte_ms_median, first_byte_ms_max: of the tweets that left, from on air; None when none did.
        counts: lines by verdict.
    """

    campaign: str
    channel: str
    day: date | None
    planned: int
    decided: int
    delivered: int
    owed: int
    unknown: int
    posted: int
    off_plan: int
    aired_s: float
    first_byte_ms_median: float | None
    first_byte_ms_max: float | None
    counts: Mapping[Verdict, int]

    @property
    def share(self) -> float | None:
        """Delivered of decided, None before the first."""
        return self.delivered / self.decided if self.decided else None


def deliveries(
    lines: Iterable[Line], calendar: Calendar, *, by_campaign: bool = True, by_channel: bool = True, by_day: bool = True
) -> tuple[Delivery, ...]:
    """The sums, in order of day, campaign and channel; each line counts in exactly one."""
    groups = defaultdict[tuple[date | None, str, str], list[Line]](list)
    for line in lines:
        day = calendar.day(line.channel, line.at_utc) if by_day else None
        groups[day, line.campaign if by_campaign else "", line.channel if by_channel else ""].append(line)
    ordered = sorted(groups.items(), key=lambda group: (group[0][0] or date.min, *group[0][1:]))
    return tuple(delivered(group, campaign=campaign, channel=channel, day=day) for (day, campaign, channel), group in ordered)


def delivered(lines: Iterable[Line], *, campaign: str = "", channel: str = "", day: date | None = None) -> Delivery:
    """The sum of these lines."""
    lines = list(lines)
    counts = Counter(line.verdict for line in lines)
    planned = [line for line in lines if line.airing is not None]
    decided = [line for line in planned if line.verdict is not Verdict.PENDING]
    good = [line for line in decided if line.is_delivered]
    unknown = counts[Verdict.NOT_LISTENED]
    left_ms = [line.first_byte_ms for line in lines if line.first_byte_ms is not None]
    return Delivery(
        campaign=campaign,
        channel=channel,
        day=day,
        planned=len(planned),
        decided=len(decided),
        delivered=len(good),
        owed=len(decided) - len(good) - unknown,
        unknown=unknown,
        posted=sum(any(one.reference for one in line.fired) for line in planned),
        off_plan=counts[Verdict.OFF_PLAN],
        aired_s=sum(line.heard[0].aired_s or 0.0 for line in good if line.heard),
        first_byte_ms_median=median(left_ms) if left_ms else None,
        first_byte_ms_max=max(left_ms, default=None),
        counts={verdict: counts[verdict] for verdict in Verdict if counts[verdict]},
    )
