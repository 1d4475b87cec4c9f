"""What was heard, how far it ran, and when somebody listened: kept for the as-run report, one transaction for many.

The ledger's side; `sync.hearing_log` gathers what it writes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from sync.ledger import Ledger
from sync.prepared import Cursor
from sync.schema import DETECTION, LISTENING

ENDS_WITHIN = timedelta(hours=2)
"""A detection's end belongs to it for so long; then the same place of a feed opened anew is another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardSpot:
    """A detection as it is kept; the fields are those of `fingerprints.events.Detection`.

    Attributes:
        occurrence_id: what the engine took it for.
        spot_id: the spot it counts as.
        began_utc: its first audible sample.
        heard_ms: from then to the decision.
    """

    feed_id: str
    channel: str
    occurrence_id: str
    spot_id: str
    spot_ids: tuple[str, ...]
    onset_s: float
    onset_mono_ns: int
    began_utc: datetime
    heard_ms: float
    score: float
    threshold: float
    speed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardEnd:
    """How far a spot ran; the fields are those of `fingerprints.events.FollowEnd`.

    Attributes:
        occurrence_id, began_utc: of a spot that has no detection, or whose detection was lost.
    """

    feed_id: str
    channel: str
    occurrence_id: str
    spot_id: str
    onset_s: float
    began_utc: datetime
    aired_s: float
    coverage: float
    speed: float
    confidence: float
    cut_s: float | None
    is_joined_late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A span in which a feed was listened to; its end moves on."""

    feed_id: str
    channel: str
    began_utc: datetime
    until_utc: datetime


_SINCE = sa.bindparam("since_utc", type_=DETECTION.c.began_utc.type)
_KNOWN = (
    sa.select(DETECTION.c.detection_id)
    .where(DETECTION.c.feed_id == sa.bindparam("feed"), DETECTION.c.onset_mono_ns == sa.bindparam("onset_ns"))
    .where(DETECTION.c.began_utc >= _SINCE)
    .limit(sa.literal_column("1"))
)
_OF_END = (
    sa.select(DETECTION.c.detection_id)
    .where(DETECTION.c.feed_id == sa.bindparam("feed"), DETECTION.c.onset_s == sa.bindparam("onset"))
    .where(DETECTION.c.began_utc >= _SINCE)
    .order_by(DETECTION.c.detection_id.desc())
    .limit(sa.literal_column("1"))
)
_ADD = sa.insert(DETECTION)
_ADDED = tuple(column.name for column in DETECTION.c if column.name != "detection_id")
_END = sa.update(DETECTION).where(DETECTION.c.detection_id == sa.bindparam("wanted_id"))
_ENDED = ("spot_id", "spot_ids_json", "speed", "aired_s", "coverage", "confidence", "cut_s")
_GO_ON = (
    sa.update(LISTENING)
    .where(LISTENING.c.feed_id == sa.bindparam("feed"))
    .where(LISTENING.c.began_utc == sa.bindparam("since", type_=LISTENING.c.began_utc.type))
    .returning(LISTENING.c.feed_id)
)
_BEGIN = sa.insert(LISTENING)
_UNTOLD: dict[str, Any] = {"onset_mono_ns": None, "heard_ms": None, "score": None, "threshold": None}


class Hearings:
    """What was heard, in a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._database = ledger.database

    def save(self, heard: Sequence[HeardSpot], ended: Sequence[HeardEnd], spans: Sequence[Span]) -> None:
        """Write all of it in one transaction; a detection that is there already is not written again.

        Raises:
            LedgerError: it cannot be written.
        """
        with self._database.claiming() as cursor:
            for one in heard:
                self._add(cursor, one)
            for end in ended:
                self._end(cursor, end)
            for span in spans:
                self._listen(cursor, span)

    def _add(self, cursor: Cursor, one: HeardSpot) -> None:
        key = {"feed": one.feed_id, "onset_ns": one.onset_mono_ns, "since_utc": one.began_utc - ENDS_WITHIN}
        if self._database.prepared(_KNOWN).run(cursor, key):
            return
        names = [name for name in _ADDED if name in HeardSpot.__slots__]
        values = {name: getattr(one, name) for name in names}
        untold = {"aired_s": None, "coverage": None, "confidence": None, "cut_s": None, "joined_late": False}
        self._insert(cursor, {**values, **untold, "spot_ids_json": json.dumps(one.spot_ids)})

    def _end(self, cursor: Cursor, end: HeardEnd) -> None:
        key = {"feed": end.feed_id, "onset": end.onset_s, "since_utc": end.began_utc - ENDS_WITHIN}
        found = self._database.prepared(_OF_END).run(cursor, key)
        values = {name: getattr(end, name) for name in _ENDED if name != "spot_ids_json"}
        values["spot_ids_json"] = json.dumps([end.spot_id])
        if found:
            self._database.prepared(_END, sets=_ENDED).run(cursor, {"wanted_id": found[0][0], **values})
            return
        place = {name: getattr(end, name) for name in ("feed_id", "channel", "occurrence_id", "onset_s", "began_utc")}
        self._insert(cursor, {**_UNTOLD, **values, **place, "joined_late": end.is_joined_late})

    def _insert(self, cursor: Cursor, values: dict[str, Any]) -> None:
        self._database.prepared(_ADD, sets=_ADDED).run(cursor, values)

    def _listen(self, cursor: Cursor, span: Span) -> None:
        going_on = self._database.prepared(_GO_ON, sets=("until_utc",))
        if not going_on.run(cursor, {"feed": span.feed_id, "since": span.began_utc, "until_utc": span.until_utc}):
            names = ("feed_id", "began_utc", "channel", "until_utc")
            begin = self._database.prepared(_BEGIN, sets=names)
            begin.run(cursor, {name: getattr(span, name) for name in names})
