"""What ends an approval, and that nobody is surprised by it: voided, withdrawn, expired; each goes into the audit record."""

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from schedules.airing import Airing
from sync.audit import AuditChain
from sync.conditions import SpotCondition
from sync.cues import Cue, person
from sync.database import Database
from sync.prepared import Cursor
from sync.schema import APPROVAL

SOON = timedelta(days=1)
"""How long before its end a goal's approval is warned of: no plan says when the next goal may fall."""


class Ended(enum.StrEnum):
    """Why an approval was voided before its time, as the audit record has it."""

    CHANGED = "the cue was changed"
    RENEWED = "the same person approved it anew"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiredApproval:
    """An approval whose time is over."""

    cue_id: str
    approved_by: str
    expires_utc: datetime


_STANDING = (
    sa.select(APPROVAL.c.approval_id, APPROVAL.c.cue_id, APPROVAL.c.sha256, APPROVAL.c.approved_by)
    .where(APPROVAL.c.cue_id == sa.bindparam("of_cue"), APPROVAL.c.voided_utc.is_(None))
    .order_by(APPROVAL.c.approval_id)
)
_VOID = sa.update(APPROVAL).where(APPROVAL.c.approval_id == sa.bindparam("wanted_id"))


def void(
    database: Database,
    cursor: Cursor,
    audit: AuditChain,
    cue_id: str,
    *,
    of: str | None,
    actor: str,
    reason: Ended,
    remark: str,
    now_utc: datetime,
) -> int:
    """Void a cue's approvals for good and record each, in the transaction of `claiming`; how many there were.

    Args:
        of: whose, however they write their name; None is everybody's.
    """
    said = {"remark": remark} if remark else {}
    standing = [
        row for row in database.prepared(_STANDING).run(cursor, {"of_cue": cue_id}) if of is None or person(row[3]) == person(of)
    ]
    for approval_id, _, sha256, approved_by in standing:
        database.prepared(_VOID, sets=("voided_utc",)).run(cursor, {"wanted_id": approval_id, "voided_utc": now_utc})
        facts = {"approval_id": approval_id, "cue_id": cue_id, "sha256": sha256, "approved_by": approved_by}
        audit.append(database.beside(), now_utc, "approval_voided", {**facts, "actor": actor, "reason": reason.value, **said})
    return len(standing)


_LATELY_EXPIRED = (
    sa.select(APPROVAL.c.approval_id)
    .where(
        APPROVAL.c.voided_utc.is_(None),
        APPROVAL.c.expiry_seen_utc.is_(None),
        APPROVAL.c.expires_utc <= sa.bindparam("now_utc", type_=APPROVAL.c.expires_utc.type),
    )
    .order_by(APPROVAL.c.approval_id)
)


def note_expired(database: Database, audit: AuditChain, now_utc: datetime) -> tuple[ExpiredApproval, ...]:
    """Record the approvals that have expired since the last look, each once; those it found.

    They are not voided: a wall clock that is wrong by a year for a minute must not undo people's work.

    Raises:
        LedgerError: the database does not obey; the next look finds them again.
    """
    with database.asking() as cursor:
        if not database.prepared(_LATELY_EXPIRED).run(cursor, {"now_utc": now_utc}):
            return ()
    seen = sa.update(APPROVAL).where(APPROVAL.c.approval_id.in_(_LATELY_EXPIRED.order_by(None)))
    columns = (APPROVAL.c.approval_id, APPROVAL.c.cue_id, APPROVAL.c.sha256, APPROVAL.c.approved_by, APPROVAL.c.expires_utc)
    with database.writing() as connection:
        rows = connection.execute(seen.values(expiry_seen_utc=now_utc).returning(*columns), {"now_utc": now_utc}).all()
        rows = sorted(rows, key=lambda row: row.approval_id)
        for row in rows:
            facts = {**row._mapping, "expires_utc": row.expires_utc.isoformat()}
            audit.append(connection, now_utc, "approval_expired", facts)
    return tuple(ExpiredApproval(cue_id=row.cue_id, approved_by=row.approved_by, expires_utc=row.expires_utc) for row in rows)


def lapse(cue: Cue, ends_utc: datetime | None, airings: Iterable[Airing], now_utc: datetime) -> str:
    """Why an approved cue will not be approved when it is needed, in words; empty when it will.

    Args:
        ends_utc: when its approval ends, None when it is not approved.
        airings: planned ones of the cue's spots on its channel.
    """
    if ends_utc is None or ends_utc <= now_utc:
        return ""
    sentence = f"its approval ends {ends_utc:%Y-%m-%d %H:%M} UTC"
    if not isinstance(cue.on, SpotCondition):
        return f"{sentence}, in less than a day" if ends_utc - now_utc < SOON else ""
    without = [airing.opens_utc for airing in airings if airing.closes_utc > ends_utc]
    if not without:
        return ""
    first = f"the window of {min(without):%Y-%m-%d %H:%M} UTC"
    return f"{sentence}, before {first} closes" + (f" and {len(without) - 1} more" if len(without) > 1 else "")
