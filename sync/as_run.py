"""What the ledger knows of a span of time, in the words of `schedules.as_run`: read beside the engine, changing nothing."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from schedules.airing import WINDOW_MOST, Airing
from schedules.as_run import Fate, Fired, Heard, Line, Listened
from schedules.reconciliation import BREAK_REACH, Names, reconcile
from sync.conditions import SpotCondition
from sync.errors import LedgerError, ReportError
from sync.ledger import Ledger, StoredCue
from sync.reconciler import PROVISIONAL
from sync.schema import AIRING, CUE, DETECTION, FIRING, LISTENING
from sync.states import Action, FiringState, Mode

MARGIN = BREAK_REACH + timedelta(hours=6)
"""Read besides the span on both sides, so that what lies at its edges is judged as in its middle; a window is 6 h at most."""
LINES_MAX = 200_000
"""Airings, detections or firings of one report; a longer span is refused."""

_FATES = {
    FiringState.ARMED: Fate.WAITING,
    FiringState.CLAIMED: Fate.WAITING,
    FiringState.POSTED: Fate.POSTED,
    FiringState.REFUSED: Fate.FAILED,
    FiringState.NOT_SENT: Fate.FAILED,
    FiringState.UNKNOWN: Fate.UNSETTLED,
    FiringState.NOT_SEEN: Fate.UNSETTLED,
    FiringState.DECLINED: Fate.HELD,
    FiringState.EXPIRED: Fate.LATE,
    FiringState.WITHDRAWN: Fate.HELD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything known of a span."""

    airings: tuple[Airing, ...]
    heard: tuple[Heard, ...]
    fired: tuple[Fired, ...]
    listened: tuple[Listened, ...]
    names: Names


def as_run_lines(
    ledger: Ledger, begin_utc: datetime, end_utc: datetime, *, now_utc: datetime, channel: str = ""
) -> tuple[Line, ...]:
    """The report's lines from an instant to before another.

    Args:
        channel: only its; empty for all.

    Raises:
        LedgerError: the ledger cannot be read.
        ReportError: more than `LINES_MAX` airings, detections or firings.
    """
    facts = as_run_facts(ledger, begin_utc - MARGIN, end_utc + MARGIN, now_utc=now_utc, channel=channel)
    lines = reconcile(facts.airings, facts.heard, facts.fired, facts.listened, now_utc=now_utc, names=facts.names)
    return tuple(line for line in lines if begin_utc <= line.at_utc < end_utc)


def as_run_facts(ledger: Ledger, begin_utc: datetime, end_utc: datetime, *, now_utc: datetime, channel: str = "") -> Facts:
    """What is known of a span, of one channel or of all.

    Raises:
        LedgerError: the ledger cannot be read.
        ReportError: more than `LINES_MAX` airings, detections or firings.
    """
    names = names_of(ledger.cues())
    with ledger.database.snapshot() as connection:
        airings = tuple(_airings(connection, begin_utc, end_utc, channel))
        heard = tuple(_heard(connection, begin_utc, end_utc, channel))
        listened = tuple(_listened(connection, begin_utc, end_utc, channel))
        fired = tuple(_fired(connection, begin_utc, end_utc, now_utc))
    channels = {f"airing:{one.airing_id}": one.channel for one in airings} | {one.occurrence_id: one.channel for one in heard}
    told = (replace(one, channel=channels.get(one.occurrence_id, one.channel)) for one in fired)
    mine = tuple(one for one in told if not channel or one.channel == channel)
    return Facts(airings=airings, heard=heard, fired=mine, listened=listened, names=names)


def names_of(cues: Sequence[StoredCue]) -> Names:
    """What spots belong to, as the cues have it: the spots of one cue are versions of each other."""
    campaigns: dict[tuple[str, str], str] = {}
    families: dict[str, str] = {}
    for stored in cues:
        on = stored.cue.on
        if not isinstance(on, SpotCondition):
            continue
        joined = {families.get(spot_id, spot_id) for spot_id in on.spots}
        name = min(joined)
        families = {spot_id: name if family in joined else family for spot_id, family in families.items()}
        families |= dict.fromkeys(on.spots, name)
        if stored.cue.campaign:
            campaigns |= {
                (on.channel, spot_id): stored.cue.campaign for spot_id in on.spots if (on.channel, spot_id) not in campaigns
            }
    return Names(campaigns=campaigns, families=families)


def _rows(connection: sa.Connection, query: sa.Select[Any], channel: str, what: str) -> Iterator[sa.Row[Any]]:
    column = query.selected_columns.get("channel")
    if channel and column is not None:
        query = query.where(column == channel)
    rows = connection.execute(query.limit(LINES_MAX + 1)).fetchall()
    if len(rows) > LINES_MAX:
        raise ReportError(f"more than {LINES_MAX} {what} in this span; choose a shorter one, or one channel")
    return iter(rows)


def _airings(connection: sa.Connection, begin_utc: datetime, end_utc: datetime, channel: str) -> Iterator[Airing]:
    columns = [AIRING.c[name] for name in Airing.__slots__]
    # Bounded on both sides by what the index holds: a plan may reach years ahead.
    near = AIRING.c.closes_utc.between(begin_utc, end_utc + WINDOW_MOST)
    query = sa.select(*columns).where(near, AIRING.c.opens_utc <= end_utc)
    for row in _rows(connection, query.order_by(AIRING.c.planned_utc), channel, "airings"):
        yield Airing(**row._mapping)


def _heard(connection: sa.Connection, begin_utc: datetime, end_utc: datetime, channel: str) -> Iterator[Heard]:
    query = sa.select(DETECTION).where(DETECTION.c.began_utc >= begin_utc, DETECTION.c.began_utc <= end_utc)
    for row in _rows(connection, query, channel, "detections"):
        yield Heard(
            detection_id=row.detection_id,
            occurrence_id=row.occurrence_id,
            channel=row.channel,
            feed_id=row.feed_id,
            spot_id=row.spot_id,
            spot_ids=_spot_ids(row),
            began_utc=row.began_utc,
            heard_ms=row.heard_ms,
            aired_s=row.aired_s,
            coverage=row.coverage,
            cut_s=row.cut_s,
            is_joined_late=row.joined_late,
        )


def _spot_ids(row: sa.Row[Any]) -> tuple[str, ...]:
    try:
        return tuple(json.loads(row.spot_ids_json))
    except (TypeError, ValueError) as error:
        raise LedgerError(
            f"detection {row.detection_id}: its spots cannot be read; something else wrote into the ledger"
        ) from error


def _listened(connection: sa.Connection, begin_utc: datetime, end_utc: datetime, channel: str) -> Iterator[Listened]:
    query = sa.select(LISTENING).where(LISTENING.c.until_utc >= begin_utc, LISTENING.c.began_utc <= end_utc)
    for row in _rows(connection, query, channel, "spans of listening"):
        yield Listened(channel=row.channel, feed_id=row.feed_id, began_utc=row.began_utc, until_utc=row.until_utc)


def _fired(connection: sa.Connection, begin_utc: datetime, end_utc: datetime, now_utc: datetime) -> Iterator[Fired]:
    """The firings of spots; by cue, since that is how the ledger finds them by their time."""
    query = sa.select(FIRING).where(
        FIRING.c.cue_id.in_(sa.select(CUE.c.cue_id)),
        FIRING.c.on_air_utc >= begin_utc,
        FIRING.c.on_air_utc <= end_utc,
        FIRING.c.action == Action.POST.value,
        sa.or_(FIRING.c.occurrence_id.like("airing:%"), FIRING.c.occurrence_id.like("heard:%")),
    )
    for row in _rows(connection, query, "", "firings"):
        fate = _fate(row, now_utc)
        yield Fired(
            firing_id=row.firing_id,
            occurrence_id=row.occurrence_id,
            cue_id=row.cue_id,
            cue_name=row.cue_name,
            campaign=row.campaign,
            channel=row.occurrence_id.partition(":")[2].partition("/")[0],
            spot_id=row.spot_id or "",
            fate=fate,
            reason=": ".join(part for part in (row.guard, row.reason) if part),
            on_air_utc=row.on_air_utc,
            first_byte_ms=_first_byte_ms(row),
            reference=(row.tweet_id or "") if fate is Fate.POSTED else "",
        )


def _fate(row: sa.Row[Any], now_utc: datetime) -> Fate:
    fate = _FATES[FiringState(row.state)]
    if fate is Fate.POSTED and Mode(row.mode) is Mode.REHEARSAL:
        return Fate.REHEARSED
    is_final = row.settled_by or (row.claimed_utc is not None and now_utc - row.claimed_utc > PROVISIONAL)
    return Fate.FAILED if row.state == FiringState.NOT_SEEN and is_final else fate


def _first_byte_ms(row: sa.Row[Any]) -> float | None:
    if row.first_byte_mono_ns is None or row.on_air_mono_ns is None:
        return None
    after_ns: int = row.first_byte_mono_ns - row.on_air_mono_ns
    return round(after_ns / 1e6, 3)
