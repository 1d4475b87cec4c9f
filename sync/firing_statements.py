"""What is read of the firings outside the claim: statements made once, to be run with `Database.prepared`."""

import sqlalchemy as sa

from sync.claim_statements import IS_RESERVING
from sync.schema import FIRING
from sync.states import Action, FiringState, Mode

READ_MAX = 1000
GOALS_MAX = 10_000

_NEWEST_FIRST = sa.select(FIRING).order_by(FIRING.c.firing_id.desc())
_CLAIMED_AFTER = FIRING.c.claimed_utc > sa.bindparam("after_utc", type_=FIRING.c.claimed_utc.type)

BY_ID = sa.select(FIRING).where(FIRING.c.firing_id == sa.bindparam("wanted_id"))
RECENT = _NEWEST_FIRST.limit(sa.bindparam("most", type_=sa.Integer()))
OF_OCCURRENCE = _NEWEST_FIRST.where(FIRING.c.occurrence_id == sa.bindparam("wanted")).limit(sa.literal_column(str(READ_MAX)))
UNSETTLED = _NEWEST_FIRST.where(
    sa.or_(*(FIRING.c.state == sa.literal(state.value) for state in (FiringState.UNKNOWN, FiringState.NOT_SEEN))),
    FIRING.c.mode == Mode.LIVE.value,
    FIRING.c.settled_by == "",
    _CLAIMED_AFTER,
).limit(sa.literal_column(str(READ_MAX)))
GOALS_CLAIMED = _NEWEST_FIRST.where(
    FIRING.c.occurrence_id.like("goal:%"), FIRING.c.action == Action.POST.value, _CLAIMED_AFTER
).limit(sa.literal_column(str(GOALS_MAX)))
TRIGGERS_CLAIMED = (
    sa.select(FIRING.c.occurrence_id)
    .where(FIRING.c.occurrence_id.like("trigger:%"), _CLAIMED_AFTER)
    .order_by(FIRING.c.firing_id)
    .limit(sa.literal_column(str(READ_MAX)))
)
KNOWN_TWEETS = sa.select(FIRING.c.tweet_id).where(
    FIRING.c.account_id == sa.bindparam("wanted_account"), FIRING.c.tweet_id.is_not(None)
)
FIRED_AIRINGS = sa.select(FIRING.c.mode, FIRING.c.occurrence_id).where(
    _CLAIMED_AFTER, FIRING.c.occurrence_id.like("airing:%"), IS_RESERVING
)
