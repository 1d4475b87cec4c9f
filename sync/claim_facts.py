"""What a claim is judged by: what the ledger says of its cue, its occurrence and its texts, and the day's claims, counted.

Read in the transaction that writes the verdict (`sync.firings`), so that nothing can change in between.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sync.caps import DAY_S, CapLimits, ClaimCounts, Claimed
from sync.claim_statements import HASH_NAMES, TEXTS_AT_ONCE, corrected_by, earlier_in_day, statements_for
from sync.cues import Cue
from sync.database import Database
from sync.decide import Intent
from sync.firing_rows import sha256_of
from sync.gate import Facts
from sync.media import MediaStanding
from sync.prepared import Cursor
from sync.states import Action, Mode
from timebase import Clock

_MICROSECOND = timedelta(microseconds=1)
_COUNTED_AT_ONCE = 5000
_COUNTED_FOR = timedelta(seconds=DAY_S, hours=1)
"""How far back the day's claims are read: an hour more than a day, for those claimed in another order than their numbers'."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """An intent that wants to be claimed.

    Attributes:
        account_faults: why the account cannot post, by mode; modes in which it can are left out.
        media: which of the account's media can be posted, by mode and upload key; those left out cannot.
        armed_firing_id: the firing that was armed for this intent and comes due now.
        arm_only: reserve the occurrence without claiming it: it waits for its audience delay.
    """

    intent: Intent
    account_faults: Mapping[Mode, str]
    armed_firing_id: int | None = None
    arm_only: bool = False
    media: Mapping[Mode, Mapping[str, MediaStanding]] = field(default_factory=dict)


class ClaimFacts:
    """Asks for the facts of claims, as one engine sees them, and counts what has been claimed.

    Args:
        epoch: the engine's; a ledger with a higher one has been taken over.
        boot_id: names the boot whose monotonic clock the instants belong to.
        limits: of spots, campaigns, accounts and everything; each cue brings its own.
    """

    def __init__(self, database: Database, clock: Clock, *, epoch: int, boot_id: str, limits: CapLimits) -> None:
        self._database, self._clock = database, clock
        self._epoch, self._boot_id, self._limits = epoch, boot_id, limits
        self._statements = statements_for(database.sql)
        self._counts: ClaimCounts | None = None

    def read(self, cursor: Cursor, request: ClaimRequest) -> tuple[Claimed, Facts]:
        """What is known of a request now, and what its claim would count as."""
        intent, cue, own_id = request.intent, request.intent.cue, request.armed_firing_id or 0
        # Read after the lock was had: waiting for it may have cost the deadline.
        now_ns, now_utc = self._clock.mono_ns(), self._clock.utc()
        key = {"occurrence_id": intent.occurrence_id, "cue_id": cue.cue_id, "account_id": cue.account_id, "own_id": own_id}
        key |= {"action": intent.action.value, "priority": cue.priority, "now_utc": now_utc}
        hashes = _hashes(intent.texts[:TEXTS_AT_ONCE])
        key |= self._texts_key(cue, hashes, now=(now_ns, now_utc))
        (row,) = self._statements.facts(len(hashes), lately=bool(cue.duplicate_window_h)).run(cursor, key)
        epoch, mode_now, killed, kill_reason, cue_sha256, hold, approved_sha256, approvals, used_by, rival, armed_in, used = row
        mode = Mode(mode_now)
        used_texts = frozenset(hashes[value] for value in used.split(",")) if used else frozenset[str]()
        if len(used_texts) == len(hashes) and len(intent.texts) > TEXTS_AT_ONCE:
            used_texts |= self._used_texts_after(cursor, intent, mode, now=(now_ns, now_utc), own_id=own_id)
        claimed = Claimed(mode=mode, cue_id=cue.cue_id, campaign=cue.campaign, account_id=cue.account_id, spot_id=intent.spot_id)
        is_post = intent.action is Action.POST
        counts = self._counts_in(cursor)
        facts = Facts(
            now_mono_ns=now_ns,
            killed=killed,
            kill_reason=kill_reason,
            fenced=epoch != self._epoch,
            mode=mode,
            armed_in=None if armed_in is None else Mode(armed_in),
            cue_sha256=cue_sha256,
            approved_sha256=approved_sha256,
            approvals=approvals,
            account_fault=request.account_faults.get(mode, ""),
            used_by=used_by if is_post else used_by or corrected_by(self._database.beside(), intent),
            rival=rival if is_post else None,
            earlier_in_day=0 if intent.day is None else earlier_in_day(self._database.beside(), intent),
            # At most one correction follows a post, and the post has been counted.
            caps=counts.full(claimed, cue_caps=cue.caps, limits=self._limits, now_mono_ns=now_ns) if is_post else (),
            used_texts=used_texts,
            hold=hold or "",
            media=request.media.get(mode, {}),
        )
        return claimed, facts

    def _used_texts_after(
        self, cursor: Cursor, intent: Intent, mode: Mode, *, now: tuple[int, datetime], own_id: int
    ) -> frozenset[str]:
        """Used ones of the intent's texts after the first `TEXTS_AT_ONCE`, as far as the first that is not."""
        used = set[str]()
        for begin in range(TEXTS_AT_ONCE, len(intent.texts), TEXTS_AT_ONCE):
            some = intent.texts[begin : begin + TEXTS_AT_ONCE]
            found = self.texts_used(cursor, intent.cue, some, mode, now=now, own_id=own_id)
            used |= found
            if len(found) < len(set(some)):
                break
        return frozenset(used)

    def texts_used(
        self, cursor: Cursor, cue: Cue, texts: Sequence[str], mode: Mode, *, now: tuple[int, datetime], own_id: int
    ) -> set[str]:
        """Those of these texts, `TEXTS_AT_ONCE` at most, that have left the cue's account in the mode.

        Args:
            own_id: the firing whose own text does not count; 0 for none.
        """
        some = _hashes(texts)
        key = self._texts_key(cue, some, now=now) | {"account_id": cue.account_id, "mode": mode.value, "own_id": own_id}
        statement = self._statements.used_texts(len(some), lately=bool(cue.duplicate_window_h))
        return {some[value] for (value,) in statement.run(cursor, key)}

    def _texts_key(self, cue: Cue, hashes: Iterable[str], *, now: tuple[int, datetime]) -> dict[str, Any]:
        key: dict[str, Any] = _named(tuple(hashes))
        if cue.duplicate_window_h:
            (now_ns, now_utc), window = now, timedelta(hours=cue.duplicate_window_h)
            since_mono_ns = now_ns - window // _MICROSECOND * 1000
            key |= {"boot_id": self._boot_id, "since_utc": now_utc - window, "since_mono_ns": since_mono_ns}
        return key

    def count(self, cursor: Cursor, claimed: Claimed, at_mono_ns: int) -> None:
        """Count a claim that is being written."""
        self._counts_in(cursor).add(claimed, at_mono_ns)

    def count_again(self, cursor: Cursor) -> None:
        """Read the day's claims from the ledger now."""
        self._counts = self._counted(cursor)

    def forget_counts(self) -> None:
        """What was counted may not have been written; the next claim reads the day again."""
        self._counts = None

    def _counts_in(self, cursor: Cursor) -> ClaimCounts:
        if self._counts is None:
            self._counts = self._counted(cursor)
        return self._counts

    def _counted(self, cursor: Cursor) -> ClaimCounts:
        """The day's claims as the ledger has them, read from the newest back."""
        now_ns, now_utc = self._clock.mono_ns(), self._clock.utc()
        instants = list[tuple[int, Claimed]]()
        below, oldest_ns = 1 << 62, now_ns - round(_COUNTED_FOR.total_seconds() * 1e9)
        while rows := self._statements.claims.run(cursor, {"below": below, "most": _COUNTED_AT_ONCE}):
            for _, mode, cue_id, campaign, account_id, spot_id, boot_id, claimed_mono_ns, claimed_utc in rows:
                # Another boot's clock means nothing here: its claims are as long ago as the wall clock says.
                ago_ns = (now_utc - claimed_utc) // timedelta(microseconds=1) * 1000
                at_ns = claimed_mono_ns if boot_id == self._boot_id else now_ns - ago_ns
                claimed = Claimed(mode=Mode(mode), cue_id=cue_id, campaign=campaign, account_id=account_id, spot_id=spot_id)
                instants.append((at_ns, claimed))
            below = rows[-1][0]
            if instants[-1][0] < oldest_ns:
                break
        counts = ClaimCounts()
        for at_ns, claimed in sorted(instants, key=lambda pair: pair[0]):
            counts.add(claimed, at_ns)
        return counts


def _named(hashes: tuple[str, ...]) -> dict[str, Any]:
    """The hashes by their names in a statement; one that takes more is given the last one again."""
    return dict(zip(HASH_NAMES, (*hashes, *hashes[-1:] * TEXTS_AT_ONCE), strict=False))


def _hashes(texts: Sequence[str]) -> dict[str, str]:
    """The texts by their hash."""
    return {sha256_of(text): text for text in texts}
