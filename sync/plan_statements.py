"""What is asked of plans, their versions and what has happened to their airings; `plan_versions.py` says when and why."""

import sqlalchemy as sa

from sync.ledger_statements import AIRINGS
from sync.schema import AIRING, FIRING, PLAN_VERSION
from sync.states import Action

_WANTED: sa.BindParameter[str] = sa.bindparam("wanted_plan")

AIRINGS_OF_PLAN = (
    sa.select(*AIRINGS.selected_columns).where(AIRING.c.plan_id == _WANTED).order_by(AIRING.c.planned_utc, AIRING.c.airing_id)
)
VERSION_COLUMNS = tuple(column.name for column in PLAN_VERSION.columns if column.name not in ("version_id", "content"))
_VERSIONS = sa.select(*(PLAN_VERSION.c[name] for name in VERSION_COLUMNS))
VERSIONS = _VERSIONS.where(PLAN_VERSION.c.plan_id == _WANTED).order_by(PLAN_VERSION.c.number.desc())
VERSION_OF_SOURCE = _VERSIONS.where(PLAN_VERSION.c.source_key == sa.bindparam("wanted_key"))
NEWEST_OF_PLAN = VERSIONS.limit(sa.literal_column("1"))
NEWEST_OF_EACH = _VERSIONS.where(
    PLAN_VERSION.c.version_id.in_(sa.select(sa.func.max(PLAN_VERSION.c.version_id)).group_by(PLAN_VERSION.c.plan_id))
).order_by(PLAN_VERSION.c.plan_id)
CONTENT = sa.select(PLAN_VERSION.c.content).where(
    PLAN_VERSION.c.plan_id == _WANTED, PLAN_VERSION.c.number == sa.bindparam("wanted_number")
)
GENERATION = sa.select(sa.func.coalesce(sa.func.max(PLAN_VERSION.c.version_id), 0))
"""A number that grows with every import, whichever plan it is of."""

ADD_VERSION = sa.insert(PLAN_VERSION)
FORGET_CONTENT = (
    sa.update(PLAN_VERSION)
    .where(PLAN_VERSION.c.plan_id == _WANTED, PLAN_VERSION.c.number <= sa.bindparam("up_to"), PLAN_VERSION.c.content.is_not(None))
    .values(content=sa.null())
)
ADD_AIRING = sa.insert(AIRING)
MOVE_AIRING = sa.update(AIRING).where(AIRING.c.airing_id == sa.bindparam("moved_id"))
DROP_AIRING = sa.delete(AIRING).where(AIRING.c.airing_id == sa.bindparam("dropped_id"))


def heard_of(airing_ids: list[str]) -> sa.Select[tuple[str, object]]:
    """Which of these airings have been heard, and when."""
    return sa.select(AIRING.c.airing_id, AIRING.c.heard_utc).where(
        AIRING.c.airing_id.in_(airing_ids), AIRING.c.heard_utc.is_not(None)
    )


def firings_of(occurrence_ids: list[str]) -> sa.Select[tuple[int, str, str, object]]:
    """The posts of these occurrences, claimed or waiting: number, occurrence, state, instant on air."""
    return sa.select(FIRING.c.firing_id, FIRING.c.occurrence_id, FIRING.c.state, FIRING.c.on_air_utc).where(
        FIRING.c.occurrence_id.in_(occurrence_ids), FIRING.c.action == Action.POST.value, FIRING.c.reserving
    )


def occurrences_between(first: str, end: str) -> sa.Select[tuple[str]]:
    """Occurrences that a firing keeps for itself, from one name to before another."""
    return sa.select(FIRING.c.occurrence_id).where(
        FIRING.c.occurrence_id >= first, FIRING.c.occurrence_id < end, FIRING.c.reserving
    )


def airings_of_spots(plan_id: str, spots: list[tuple[str, str]]) -> sa.Select[tuple[object, ...]]:
    """Airings of these channels and spots that belong to other plans, whose window touches a span."""
    return sa.select(*AIRINGS.selected_columns).where(
        sa.tuple_(AIRING.c.channel, AIRING.c.spot_id).in_(spots),
        AIRING.c.plan_id != plan_id,
        AIRING.c.planned_utc.between(
            sa.bindparam("since_utc", type_=AIRING.c.planned_utc.type), sa.bindparam("until_utc", type_=AIRING.c.planned_utc.type)
        ),
    )
