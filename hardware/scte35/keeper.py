"""From messages to markers: each told once, at its instant; repeats make no second one, a cancellation takes it back. Pure.

Messages come some seconds ahead and several times. What names a marker is its programme, kind, event, type and time: the same
event with another time has been moved, and its old time is taken back first.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from hardware.markers import MarkerKind, MarkerReport
from hardware.scte35.facts import type_name
from hardware.scte35.message import Segmentation, SpliceMessage

LEAD_S_MAX = 120
"""A marker further ahead is ignored: it will be repeated."""
LATE_S_MAX = 2
"""One whose time has passed by more is over."""
REPEATED_NS = 30_000_000_000
"""A message without a time is a repeat when the one before it came within this."""
SAME_NS = 100_000_000
"""Times of one event that lie no further apart are the same one, told again."""
REMEMBERED_MAX = 512
CLOCK_AWAITED_MAX = 16

BREAK_TYPES = frozenset((0x22, 0x34, 0x36, 0x44, 0x46))
"""What begins a break: its first spot, unless they are counted."""
SPOT_TYPES = frozenset((0x30, 0x32, 0x3C, 0x3E))
"""What begins a single spot."""
AD_IDENTIFIERS = frozenset(("ad_id", "isci"))
"""Identifiers that name an advert and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """When a message came, and when its time comes.

    Attributes:
        at_mono_ns: when what it announces happens; None when the stream's clock is not known.
    """

    mono_ns: int
    utc: datetime
    at_mono_ns: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Announced:
    """What a message says of one event, before anything is known of earlier ones."""

    key: tuple[str, int, int]
    canceled: bool
    begins: bool = False
    what: str = ""
    position: int | None = None
    upids: tuple[str, ...] = ()
    names_an_advert: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Remembered:
    pts: int | None
    seen_mono_ns: int
    report: MarkerReport


def pts_of(message: SpliceMessage) -> int | None:
    """The time of what a message announces; None when it is now."""
    return message.signal_pts if message.splice is None else message.splice.splice_pts


class MarkerKeeper:
    """Keeps the markers of one programme of one source.

    Args:
        spots: spot ids by identifier, in capital letters.
        by_position: whether the place in a break is told: only where the plan lists every spot of it.

    Attributes:
        ignored: markers without an instant, too far ahead, or over.
    """

    def __init__(self, source_id: str, spots: Mapping[str, str], *, by_position: bool = False) -> None:
        self._source_id, self._spots, self._by_position = source_id, spots, by_position
        self._known: dict[tuple[str, int, int], _Remembered] = {}
        self.ignored = 0

    def take(self, message: SpliceMessage, arrival: Arrival) -> list[MarkerReport]:
        """What a message tells that is new."""
        reports: list[MarkerReport] = []
        for one in _announced(message):
            if one.canceled:
                reports += self._cancel(one, arrival)
            elif one.begins:
                reports += self._begin(one, pts_of(message), arrival)
        return reports

    def _begin(self, one: _Announced, pts: int | None, arrival: Arrival) -> Iterator[MarkerReport]:
        before = self._known.get(one.key)
        at_ns = arrival.mono_ns if pts is None else arrival.at_mono_ns
        if before is not None and _is_repeat(before, pts, at_ns, arrival):
            self._known[one.key] = replace(before, seen_mono_ns=arrival.mono_ns)
            return
        if at_ns is None or not -LATE_S_MAX * 1e9 <= at_ns - arrival.mono_ns <= LEAD_S_MAX * 1e9:
            self.ignored += 1
            return
        if before is not None and before.report.at_mono_ns > arrival.mono_ns:
            yield _canceled(before.report, arrival)  # moved
        report = self._report(one, pts, at_ns, arrival)
        self._remember(one.key, _Remembered(pts=pts, seen_mono_ns=arrival.mono_ns, report=report))
        yield report

    def _cancel(self, one: _Announced, arrival: Arrival) -> Iterator[MarkerReport]:
        kind, event_id, _ = one.key
        for key in [key for key in self._known if key[:2] == (kind, event_id)]:
            known = self._known.pop(key)
            if known.report.at_mono_ns > arrival.mono_ns:
                yield _canceled(known.report, arrival)

    def _report(self, one: _Announced, pts: int | None, at_ns: int, arrival: Arrival) -> MarkerReport:
        spots = tuple(sorted({self._spots[upid.upper()] for upid in one.upids if upid.upper() in self._spots}))
        kind, event_id, type_id = one.key
        when = f"now-{arrival.mono_ns}" if pts is None else str(pts)
        return MarkerReport(
            source_id=self._source_id,
            event=f"{kind}/{event_id}/{type_id:02x}/{when}",
            kind=MarkerKind.BEGINS,
            what=one.what,
            spot_ids=spots,
            position=one.position if self._by_position and not (one.names_an_advert and not spots) else None,
            upids=one.upids,
            at_mono_ns=at_ns,
            seen_mono_ns=arrival.mono_ns,
            sent_utc=arrival.utc,
        )

    def _remember(self, key: tuple[str, int, int], remembered: _Remembered) -> None:
        self._known.pop(key, None)
        self._known[key] = remembered
        while len(self._known) > REMEMBERED_MAX:
            del self._known[next(iter(self._known))]


def _is_repeat(before: _Remembered, pts: int | None, at_ns: int | None, arrival: Arrival) -> bool:
    if pts is None or before.pts is None:
        return pts is before.pts and arrival.mono_ns - before.seen_mono_ns <= REPEATED_NS
    if at_ns is None:
        return pts == before.pts
    return abs(at_ns - before.report.at_mono_ns) <= SAME_NS


def _canceled(report: MarkerReport, arrival: Arrival) -> MarkerReport:
    return replace(report, kind=MarkerKind.CANCELED, seen_mono_ns=arrival.mono_ns, sent_utc=arrival.utc)


def _announced(message: SpliceMessage) -> Iterator[_Announced]:
    splice = message.splice
    if splice is not None:
        yield _Announced(
            key=("splice", splice.event_id, 0),
            canceled=splice.canceled,
            begins=splice.out,
            what="break begins",
            position=splice.avail_number or 1,
        )
    for one in message.segmentations:
        yield _of_segmentation(one)


def _of_segmentation(one: Segmentation) -> _Announced:
    kinds = {upid.kind for upid in one.upids}
    first = 1 if one.type_id in BREAK_TYPES else None
    return _Announced(
        key=("segmentation", one.event_id, one.type_id),
        canceled=one.canceled,
        begins=one.type_id in BREAK_TYPES | SPOT_TYPES,
        what=type_name(one.type_id),
        position=one.segment_number or first,
        upids=tuple(upid.text for upid in one.upids),
        names_an_advert=bool(kinds & AD_IDENTIFIERS),
    )
