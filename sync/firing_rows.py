"""A firing as a row of the ledger: what its columns hold when it is written, and the record they make when it is read."""

import functools
import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sync.decide import Intent
from sync.gate import Facts, Judgement
from sync.prepared import Row
from sync.receipts import FiringRecord
from sync.schema import FIRING
from sync.states import RESERVING, Action, FiringState, Mode
from sync.tweets import request_body

_NAMES = tuple(column.name for column in FIRING.columns)
NOTHING_YET: dict[str, Any] = {
    "tweet_id": None,
    "http_status": None,
    "first_byte_mono_ns": None,
    "answered_mono_ns": None,
    "answered_utc": None,
    "connection": "",
    "settled_by": "",
    "campaign": "",
    "priority": 0,
    "body": "",
    "body_sha256": None,
}
"""Columns of a firing that has not been sent."""


def intent_values(intent: Intent) -> dict[str, Any]:
    """What a firing has of its intent."""
    return {
        "occurrence_id": intent.occurrence_id,
        "cue_id": intent.cue.cue_id,
        "cue_name": intent.cue.name,
        "account_id": intent.cue.account_id,
        "action": intent.action.value,
        "campaign": intent.cue.campaign,
        "priority": intent.cue.priority,
        "spot_id": intent.spot_id,
        "deadline_mono_ns": intent.deadline_mono_ns,
        "on_air_mono_ns": intent.on_air_mono_ns,
        "heard_mono_ns": intent.heard_mono_ns,
        "decided_mono_ns": intent.decided_mono_ns,
        "on_air_utc": intent.on_air_utc,
        "decided_utc": intent.decided_utc,
        "of_firing_id": intent.of_firing_id,
    }


def verdict_values(
    intent: Intent, facts: Facts, judgement: Judgement, state: FiringState, *, now_utc: datetime
) -> dict[str, Any]:
    """What a firing has of the gate's verdict: its state and reason, its text, and the bytes that may be sent."""
    against = judgement.against
    text = judgement.text if against is None else None
    paid = intent.cue.paid_partnership
    body = request_body(text, paid_partnership=paid, media_ids=judgement.media_ids) if text else ""
    claimed = state is FiringState.CLAIMED
    return {
        "mode": facts.mode.value,
        "state": state.value,
        "reserving": state in RESERVING,
        "guard": against.guard.value if against else "",
        "reason": against.reason if against else "",
        "text": text or "",
        "text_sha256": text and sha256_of(text),
        "body": body,
        "body_sha256": sha256_of(body) if body else None,
        "claimed_mono_ns": facts.now_mono_ns if claimed else None,
        "claimed_utc": now_utc if claimed else None,
        "updated_utc": now_utc,
    }


def same_event(posted: FiringRecord) -> dict[str, Any]:
    """What the deletion of a tweet has of its firing."""
    names = ("occurrence_id", "cue_id", "cue_name", "account_id", "text", "spot_id", "tweet_id")
    return {**{name: getattr(posted, name) for name in names}, "mode": posted.mode.value}


_RECORD_FIELDS = tuple(name for name in FiringRecord.__slots__ if name not in ("mode", "action", "state"))


def records_of(rows: Iterable[Row]) -> tuple[FiringRecord, ...]:
    """The firings in rows that have every column, in the table's order."""
    return tuple(record_of(dict(zip(_NAMES, row, strict=True))) for row in rows)


def record_of(values: Mapping[str, Any]) -> FiringRecord:
    """The firing with these columns."""
    return FiringRecord(
        mode=Mode(values["mode"]),
        action=Action(values["action"]),
        state=FiringState(values["state"]),
        **{name: values[name] for name in _RECORD_FIELDS},
    )


@functools.lru_cache(maxsize=4096)
def sha256_of(text: str) -> str:
    """The hash of a text, as the ledger has it."""
    return hashlib.sha256(text.encode()).hexdigest()
