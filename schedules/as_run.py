"""What an as-run report is made of: what was planned, heard, fired and listened to, and the line each airing gets.

Values only. `schedules.reconciliation` makes the lines, `schedules.delivery` adds them up.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from schedules.airing import Airing


class Verdict(enum.StrEnum):
    """What became of an airing: one for each line of the report, in the order in which they are judged.

    What is wrong with the broadcast itself comes before what became of its tweet.
    """

    PENDING = "pending"
    NOT_LISTENED = "not listened"
    NOT_HEARD = "not heard"
    OFF_PLAN = "off plan"
    WRONG_VERSION = "wrong version"
    WRONG_BREAK = "wrong break"
    CUT_SHORT = "cut short"
    JOINED_LATE = "joined late"
    UNSETTLED = "unsettled"
    FAILED = "failed"
    FIRED = "fired"
    LATE = "late"
    HELD = "held"
    REHEARSED = "rehearsed"
    WAITING = "waiting"
    HEARD = "heard"
    UNPLANNED = "unplanned"


MEANINGS = {
    Verdict.PENDING: "its window is still open, or has just closed",
    Verdict.NOT_LISTENED: "not heard, and nobody listened during all of its window: it may have aired",
    Verdict.NOT_HEARD: "not heard, though its channel was listened to from the opening of its window to its end",
    Verdict.OFF_PLAN: "a spot that was heard and belongs to no airing",
    Verdict.WRONG_VERSION: "another version of the spot was heard in its window",
    Verdict.WRONG_BREAK: "heard outside its window",
    Verdict.CUT_SHORT: "broken off before the end of the spot",
    Verdict.JOINED_LATE: "heard, but not its beginning",
    Verdict.UNSETTLED: "aired as planned; whether its tweet was posted is not known",
    Verdict.FAILED: "aired as planned; its tweet was refused or could not be sent",
    Verdict.FIRED: "aired as planned, its tweet posted",
    Verdict.LATE: "aired as planned; its tweet was too late to leave",
    Verdict.HELD: "aired as planned; its tweet was held",
    Verdict.REHEARSED: "aired as planned; its tweet was rehearsed",
    Verdict.WAITING: "aired as planned; its tweet waits or is being sent",
    Verdict.HEARD: "aired as planned; no cue waited for it",
    Verdict.UNPLANNED: "a firing whose airing is in no plan any more",
}
"""Each verdict in words."""

DELIVERED = frozenset(
    {
        *(Verdict.UNSETTLED, Verdict.FAILED, Verdict.FIRED, Verdict.LATE),
        *(Verdict.HELD, Verdict.REHEARSED, Verdict.WAITING, Verdict.HEARD),
    }
)
"""Verdicts of airings that were broadcast as they were planned, whatever became of the tweet."""


class Fate(enum.StrEnum):
    """How a firing ended, as far as a report distinguishes."""

    POSTED = "posted"
    REHEARSED = "rehearsed"
    UNSETTLED = "unsettled"
    FAILED = "failed"
    LATE = "late"
    HELD = "held"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One detection.

    Attributes:
        detection_id: its own, among all detections.
        occurrence_id: what it was taken for when it was heard.
        spot_ids: every spot it may be, sorted; one when it was followed to its end.
        began_utc: its first audible sample, aware.
        heard_ms: from then to the decision; None when its beginning was not heard.
        aired_s: how long it ran, None when that was not told.
        coverage: share of the spot that was heard, 0 to 1; None when that was not told.
        cut_s: how long after its beginning it was broken off, None when it was not, or that was not told.
        is_joined_late: its beginning was not heard.
    """

    detection_id: int
    occurrence_id: str
    channel: str
    feed_id: str
    spot_id: str
    spot_ids: tuple[str, ...]
    began_utc: datetime
    heard_ms: float | None = None
    aired_s: float | None = None
    coverage: float | None = None
    cut_s: float | None = None
    is_joined_late: bool = False


def began_of(heard: Iterable[Heard]) -> datetime:
    """When a broadcast began: as the first feed heard its beginning, or is thought to where none did."""
    return min((one.is_joined_late, one.began_utc) for one in heard)[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """One firing.

    Attributes:
        occurrence_id: `airing:` and the airing's id, or what else it was heard as.
        on_air_utc: what it counts from; when it was decided where that is not known. Aware.
        reason: why it did not leave, empty when it did.
        first_byte_ms: from on air to the first byte.
        reference: id of what was posted, empty when nothing was.
    """

    firing_id: int
    occurrence_id: str
    cue_id: str
    cue_name: str
    campaign: str
    channel: str
    spot_id: str
    fate: Fate
    reason: str
    on_air_utc: datetime
    first_byte_ms: float | None
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listened:
    """A span of time in which somebody listened to a channel, aware."""

    channel: str
    feed_id: str
    began_utc: datetime
    until_utc: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the report: an airing with what was heard and fired for it, or something without an airing.

    Attributes:
        why: what a person should know besides, as a clause; empty when there is nothing.
        spot_id: planned, else heard, else fired.
        heard: the detections of one broadcast, by several feeds; the fullest first.
        fired: by cue.
    """

    verdict: Verdict
    why: str
    channel: str
    spot_id: str
    campaign: str
    airing: Airing | None
    heard: tuple[Heard, ...]
    fired: tuple[Fired, ...]

    @property
    def is_delivered(self) -> bool:
        """Whether an airing was broadcast as planned."""
        return self.airing is not None and self.verdict in DELIVERED

    @property
    def began_utc(self) -> datetime | None:
        """When the broadcast began, None when it was not heard."""
        return began_of(self.heard) if self.heard else None

    @property
    def at_utc(self) -> datetime:
        """Where the line stands in time: planned, else heard, else fired."""
        if self.airing is not None:
            return self.airing.planned_utc
        return self.began_utc or self.fired[0].on_air_utc

    @property
    def deviation_s(self) -> float | None:
        """How much later than planned it began, None without plan or sound."""
        began_utc = self.began_utc
        if self.airing is None or began_utc is None:
            return None
        return (began_utc - self.airing.planned_utc).total_seconds()

    @property
    def first_byte_ms(self) -> float | None:
        """From on air to the first byte, of the quickest firing that left."""
        return min((one.first_byte_ms for one in self.fired if one.first_byte_ms is not None), default=None)
