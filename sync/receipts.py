"""A firing as it is recorded, and what is told of it: to the log, to the console."""

import logging
from dataclasses import dataclass
from datetime import datetime

from sync.snapshot import FiringView, ReceiptView
from sync.states import Action, FiringState, Mode

_log = logging.getLogger(__name__)

STEPS = ("heard", "decided", "claimed", "first_byte", "answered")
"""The instants after on air, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FiringRecord:
    """A row of the ledger.

    Attributes:
        guard: the guard that declined it, empty when none did.
        of_firing_id: for a delete or a correction, the firing whose tweet it answers.
        body, body_sha256: the request that leaves, byte for byte, and its hash; empty and None where none does.
        boot_id: the boot of the machine its `_mono_ns` belong to.
        connection: `warm`, `cold` or empty.
        settled_by: the person who settled an unknown, empty otherwise.
    """

    firing_id: int
    occurrence_id: str
    cue_id: str
    cue_name: str
    account_id: str
    mode: Mode
    action: Action
    state: FiringState
    guard: str
    reason: str
    text: str
    spot_id: str | None
    tweet_id: str | None
    of_firing_id: int | None
    http_status: int | None
    epoch: int
    boot_id: str
    deadline_mono_ns: int
    on_air_mono_ns: int | None
    heard_mono_ns: int | None
    decided_mono_ns: int | None
    claimed_mono_ns: int | None
    first_byte_mono_ns: int | None
    answered_mono_ns: int | None
    on_air_utc: datetime | None
    decided_utc: datetime | None
    claimed_utc: datetime | None
    answered_utc: datetime | None
    updated_utc: datetime
    connection: str
    settled_by: str
    body: str
    body_sha256: str | None

    def steps_ms(self) -> dict[str, float]:
        """Milliseconds from on air to each instant reached."""
        start = self.on_air_mono_ns
        if start is None:
            return {}
        reached = {name: getattr(self, f"{name}_mono_ns") for name in STEPS}
        return {name: round((instant - start) / 1e6, 3) for name, instant in reached.items() if instant is not None}


def firing_view(record: FiringRecord) -> FiringView:
    """The record as docs/engine-socket.md shows it."""
    return FiringView(
        firing_id=record.firing_id,
        occurrence_id=record.occurrence_id,
        cue_id=record.cue_id,
        cue_name=record.cue_name,
        account_id=record.account_id,
        mode=record.mode,
        action=record.action,
        state=record.state,
        reason=record.reason,
        guard=record.guard,
        text=record.text,
        tweet_id=record.tweet_id,
        updated_utc=record.updated_utc,
        receipt=ReceiptView(
            on_air_mono_ns=record.on_air_mono_ns,
            heard_mono_ns=record.heard_mono_ns,
            decided_mono_ns=record.decided_mono_ns,
            claimed_mono_ns=record.claimed_mono_ns,
            first_byte_mono_ns=record.first_byte_mono_ns,
            answered_mono_ns=record.answered_mono_ns,
            on_air_utc=record.on_air_utc,
            decided_utc=record.decided_utc,
            answered_utc=record.answered_utc,
            connection=record.connection,
        ),
        steps_ms=record.steps_ms(),
    )


def log_firing(record: FiringRecord) -> None:
    """Write the one canonical line of a firing that has come to rest, with every instant."""
    level = logging.INFO if record.state in (FiringState.POSTED, FiringState.DECLINED) else logging.WARNING
    if not _log.isEnabledFor(level):
        return
    facts = {
        "firing_id": record.firing_id,
        "occurrence_id": record.occurrence_id,
        "cue_id": record.cue_id,
        "account_id": record.account_id,
        "mode": record.mode.value,
        "action": record.action.value,
        "state": record.state.value,
        "guard": record.guard,
        "reason": record.reason,
        "tweet_id": record.tweet_id,
        "http_status": record.http_status,
        "connection": record.connection,
        "on_air_utc": record.on_air_utc and record.on_air_utc.isoformat(),
        **{f"{name}_mono_ns": getattr(record, f"{name}_mono_ns") for name in ("on_air", *STEPS)},
        "steps_ms": record.steps_ms(),
    }
    _log.log(level, "firing", extra=facts)
