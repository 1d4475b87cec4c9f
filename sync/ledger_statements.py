"""What the ledger is asked again and again: statements made once, to be run with `Database.prepared`.

`ledger.py` says when each is run and what its rows mean.
"""

import sqlalchemy as sa

from sync.schema import AIRING, ALARM, APPROVAL, CUE, FIXTURE_STATE, LEASE, PLAN_VERSION, REPLAY_STATE, SWITCH

SWITCH_NOW = sa.select(SWITCH.c.epoch, SWITCH.c.mode, SWITCH.c.killed, SWITCH.c.kill_reason, SWITCH.c.kill_actor)
LEASE_NOW = sa.select(LEASE.c.holder, LEASE.c.epoch, LEASE.c.beat)

NEXT_EPOCH = (
    sa.update(SWITCH)
    .values(epoch=SWITCH.c.epoch + 1, changed_utc=sa.bindparam("now_utc", type_=SWITCH.c.changed_utc.type))
    .returning(SWITCH.c.epoch)
)
CHANGE_SWITCH = sa.update(SWITCH)
LEASE_VALUES = ("holder", "epoch", "beat")
FIRST_LEASE = sa.insert(LEASE).values(lease_id=1)
NEXT_LEASE = sa.update(LEASE)
LET_GO = sa.update(LEASE).where(LEASE.c.epoch == sa.bindparam("mine"))
BEAT = sa.update(LEASE).where(LEASE.c.epoch == sa.bindparam("mine")).values(beat=LEASE.c.beat + 1).returning(LEASE.c.beat)

STANDING_APPROVALS = (
    sa.select(APPROVAL.c.cue_id, APPROVAL.c.sha256, APPROVAL.c.approved_by, APPROVAL.c.expires_utc)
    .join(CUE, sa.and_(CUE.c.cue_id == APPROVAL.c.cue_id, CUE.c.sha256 == APPROVAL.c.sha256))
    .where(APPROVAL.c.voided_utc.is_(None), APPROVAL.c.expires_utc > sa.bindparam("now_utc", type_=APPROVAL.c.expires_utc.type))
    .order_by(APPROVAL.c.approval_id)
)
CUES = sa.select(CUE.c.cue_id, CUE.c.canonical_json, CUE.c.sha256, CUE.c.hold_reason, CUE.c.hold_actor).order_by(CUE.c.cue_id)
CUE_HASHES = sa.select(CUE.c.cue_id, CUE.c.sha256)
CUE_BY_ID = sa.select(CUE.c.canonical_json, CUE.c.sha256).where(CUE.c.cue_id == sa.bindparam("wanted_id"))
CUE_VALUES = ("canonical_json", "sha256", "updated_utc")
ADD_CUE = sa.insert(CUE).values(hold_reason="", hold_actor="")
CHANGE_CUE = sa.update(CUE).where(CUE.c.cue_id == sa.bindparam("wanted_id")).returning(CUE.c.cue_id)
ADD_APPROVAL = sa.insert(APPROVAL)
APPROVAL_VALUES = ("cue_id", "sha256", "approved_by", "approved_utc", "expires_utc")

_CLOSES_AFTER = AIRING.c.closes_utc >= sa.bindparam("closes_after_utc", type_=AIRING.c.closes_utc.type)
AIRINGS = (
    sa.select(
        AIRING.c.airing_id,
        AIRING.c.channel,
        AIRING.c.spot_id,
        AIRING.c.number,
        AIRING.c.planned_utc,
        AIRING.c.opens_utc,
        AIRING.c.closes_utc,
        AIRING.c.raw,
        AIRING.c.row,
    )
    .where(
        _CLOSES_AFTER,
        AIRING.c.closes_utc <= sa.bindparam("closes_before_utc", type_=AIRING.c.closes_utc.type),
        AIRING.c.opens_utc <= sa.bindparam("opens_before_utc", type_=AIRING.c.opens_utc.type),
    )
    .order_by(AIRING.c.planned_utc, AIRING.c.airing_id)
)
HEARD_AIRINGS = sa.select(AIRING.c.airing_id).where(AIRING.c.heard_utc.is_not(None), _CLOSES_AFTER)
MARK_HEARD = sa.update(AIRING).where(AIRING.c.airing_id == sa.bindparam("wanted_id"), AIRING.c.heard_utc.is_(None))

ADD_ALARM = sa.insert(ALARM).returning(ALARM.c.alarm_id)
NEWEST_ALARMS = sa.select(ALARM).order_by(ALARM.c.alarm_id.desc()).limit(sa.bindparam("most", type_=sa.Integer()))
MARKS = sa.select(
    sa.select(sa.func.coalesce(sa.func.max(PLAN_VERSION.c.version_id), 0)).scalar_subquery().label("plans"),
    sa.select(sa.func.coalesce(sa.func.max(ALARM.c.alarm_id), 0)).scalar_subquery().label("alarms"),
)
PRUNE_ALARMS = sa.delete(ALARM).where(
    ALARM.c.alarm_id <= sa.select(sa.func.max(ALARM.c.alarm_id)).scalar_subquery() - sa.bindparam("kept", type_=sa.Integer())
)

FIXTURE_STATES = sa.select(FIXTURE_STATE.c.fixture, FIXTURE_STATE.c.state_json)
REPLAY_OF_LINK = sa.select(REPLAY_STATE.c.state_json).where(REPLAY_STATE.c.link == sa.bindparam("wanted"))
PUT_VALUES = ("state_json", "updated_utc")
PUT_FIXTURE = sa.update(FIXTURE_STATE).where(FIXTURE_STATE.c.fixture == sa.bindparam("key")).returning(FIXTURE_STATE.c.fixture)
FIRST_OF_FIXTURE = sa.insert(FIXTURE_STATE)
PUT_REPLAY = sa.update(REPLAY_STATE).where(REPLAY_STATE.c.link == sa.bindparam("key")).returning(REPLAY_STATE.c.link)
FIRST_OF_LINK = sa.insert(REPLAY_STATE)
