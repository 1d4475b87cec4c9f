"""What the rows of a plan say together: doubles, windows that overlap, lengths, the past, texts that run out. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from operator import attrgetter
from typing import NamedTuple

from schedules.airing import Airing
from schedules.catalogue import KnownSpot
from schedules.cells import about
from schedules.plan import Problem, Severity, counted

LENGTH_TOLERANCE_S = 1.5
"""A 30 s spot is sold as such though silence at its ends leaves 29 s to be heard."""


class Entry(NamedTuple):
    """One row, understood: an airing that only lacks its running number."""

    row: int
    channel: str
    spot_id: str
    day: date
    planned_utc: datetime
    opens_utc: datetime
    closes_utc: datetime
    length_s: float | None
    raw: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """How many texts a cue can still send.

    Attributes:
        cue_id: its id.
        channel: the channel it listens on.
        spot_ids: the spots it fires on.
        texts_left: approved texts not yet used.
    """

    cue_id: str
    channel: str
    spot_ids: frozenset[str]
    texts_left: int


def rules(entries: list[Entry], *, spots: Mapping[str, KnownSpot], now_utc: datetime) -> Iterator[Problem]:
    """Everything that is to be said of the rows together."""
    yield from _conflicts(entries)
    yield from _overruns(entries, spots)
    yield from _past(entries, now_utc)
    yield from _lengths(entries, spots)
    yield from _doubts(entries, spots)


def shortages(
    airings: Collection[Airing], supplies: Iterable[Supply], *, others: Collection[Airing] = (), now_utc: datetime
) -> Iterator[Problem]:
    """Cues that have fewer approved texts left than airings are planned: after the last text an airing fires nothing.

    The row named is that of the plan's first airing without a text.

    Args:
        airings: of the plan.
        supplies: one for each cue.
        others: airings of other plans, which use texts too.
        now_utc: airings whose window closed before this instant use none any more.
    """
    own = {one.airing_id for one in airings if one.closes_utc >= now_utc}
    coming = sorted((one for one in (*airings, *others) if one.closes_utc >= now_utc), key=lambda one: one.planned_utc)
    for supply in supplies:
        fires = [one for one in coming if one.channel == supply.channel and one.spot_id in supply.spot_ids]
        first = next((one for one in fires[supply.texts_left :] if one.airing_id in own), None)
        if first is not None:
            left = counted(supply.texts_left, "approved text") if supply.texts_left else "no approved text"
            planned = counted(len(fires), "airing")
            reason = f"the cue {supply.cue_id} has {left} left for {planned} to come; from this one on it fires nothing"
            yield about(Severity.WARNING, first.row, reason, "give it more variants and have them approved")


def numbered(entries: Iterable[Entry]) -> Iterator[Airing]:
    """Airings by planned instant, numbered within channel, spot and broadcast day."""
    counts: dict[tuple[str, str, date], int] = {}
    days: dict[date, str] = {}
    for entry in sorted(entries, key=attrgetter("planned_utc", "channel", "spot_id")):
        key = (entry.channel, entry.spot_id, entry.day)
        counts[key] = number = counts.get(key, 0) + 1
        day = days.get(entry.day) or days.setdefault(entry.day, str(entry.day))
        yield Airing(
            airing_id=f"{entry.channel}/{entry.spot_id}/{day}/{number}",
            channel=entry.channel,
            spot_id=entry.spot_id,
            number=number,
            planned_utc=entry.planned_utc,
            opens_utc=entry.opens_utc,
            closes_utc=entry.closes_utc,
            raw=entry.raw,
            row=entry.row,
        )


def _conflicts(entries: Iterable[Entry]) -> Iterator[Problem]:
    """Airings of one spot on one channel that could not be told apart: the same twice, or overlapping windows."""
    widest: dict[tuple[str, str], Entry] = {}
    planned: dict[tuple[str, str, datetime], Entry] = {}
    for entry in sorted(entries, key=attrgetter("opens_utc", "row")):
        twin = planned.setdefault((entry.channel, entry.spot_id, entry.planned_utc), entry)
        other = widest.get((entry.channel, entry.spot_id))
        if twin is not entry:
            yield about(Severity.ERROR, entry.row, f"row {twin.row} plans the same airing", "remove one of the two")
        elif other is not None and entry.opens_utc <= other.closes_utc:
            yield about(
                Severity.ERROR,
                entry.row,
                f"its window overlaps that of row {other.row} (until {other.closes_utc:%H:%M:%S} UTC), "
                f"so a {entry.spot_id} heard then could be either",
                "shorten window_before_s or window_after_s of the two",
            )
        if other is None or entry.closes_utc > other.closes_utc:
            widest[entry.channel, entry.spot_id] = entry


def _overruns(entries: Iterable[Entry], spots: Mapping[str, KnownSpot]) -> Iterator[Problem]:
    """Airings planned while another spot of known length still runs on their channel."""
    running: dict[str, tuple[datetime, Entry]] = {}
    for entry in sorted(entries, key=attrgetter("planned_utc", "row")):
        ends_utc, other = running.get(entry.channel, (entry.planned_utc, entry))
        if entry.planned_utc < ends_utc and entry.spot_id != other.spot_id:
            reason = f"planned while {other.spot_id} of row {other.row} still runs, until {ends_utc:%H:%M:%S} UTC"
            yield about(Severity.WARNING, entry.row, reason, "check both times")
        length_s = spots[entry.spot_id].length_s if entry.length_s is None else entry.length_s
        if length_s is not None and entry.planned_utc + timedelta(seconds=length_s) > ends_utc:
            running[entry.channel] = (entry.planned_utc + timedelta(seconds=length_s), entry)


def _past(entries: Iterable[Entry], now_utc: datetime) -> Iterator[Problem]:
    for entry in entries:
        if entry.closes_utc < now_utc:
            reason = f"its window closed at {entry.closes_utc:%Y-%m-%d %H:%M:%S} UTC; it will count as missed"
            yield about(Severity.WARNING, entry.row, reason, "check the date")


def _lengths(entries: Iterable[Entry], spots: Mapping[str, KnownSpot]) -> Iterator[Problem]:
    """Rows whose length is not that of the spot's recording: perhaps another version is meant."""
    for entry in entries:
        heard_s = spots[entry.spot_id].length_s
        if entry.length_s is None or heard_s is None or abs(entry.length_s - heard_s) <= LENGTH_TOLERANCE_S:
            continue
        reason = f"{entry.length_s:g} s planned, but the recording of {entry.spot_id} lasts {heard_s:.1f} s"
        yield about(Severity.WARNING, entry.row, reason, "is another version meant? Check spot and length")


def _doubts(entries: Iterable[Entry], spots: Mapping[str, KnownSpot]) -> Iterator[Problem]:
    """Spots that may not be heard or told apart, each doubt at its first row."""
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for entry in entries:
        if doubt := spots[entry.spot_id].doubt:
            rows[doubt].append(entry.row)
    for doubt, of_doubt in rows.items():
        reason, _, fix = doubt.partition("; ")
        more = f" (and {counted(len(of_doubt) - 1, 'more row')})" if len(of_doubt) > 1 else ""
        yield about(Severity.WARNING, min(of_doubt), reason + more, fix)
