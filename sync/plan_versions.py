"""Plans as they stand in the ledger, and every version they had: imported whole or not at all, and never under a firing.

What an import changes is worked out beside the ledger; the transaction that claims wait for only looks whether that still holds
and writes what differs.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from schedules import WINDOW_MOST, Airing, PlanChanges, clashes, plan_changes
from schedules.plan import counted
from sync import plan_statements as statements
from sync.errors import IllegalTransitionError, PlanError
from sync.firings import Firings
from sync.ledger import AIRING_FIELDS, Ledger, airing_of
from sync.plan_contents import packed, plain, unpacked
from sync.plan_facts import Begun, PlanFacts
from sync.states import FiringState, Mode

ATTEMPTS_MAX = 5
"""Tries of one import while others change what it was worked out from."""
CONTENTS_KEPT_MAX = 200
"""Versions of one plan that can be compared and rolled back to; of older ones only the line remains."""
CHANGES_WHILE_FIRING_MAX = 20_000
"""Airings that one import may change while the engine may fire: every claim waits for its transaction, and gives up after a
second (`sync.database.BUSY_TIMEOUT_MS`). On a machine that other work keeps busy 100,000 take three seconds, these a half."""
NAME_LETTERS_MAX = 200
_NEW = (*AIRING_FIELDS, "plan_id", "plan_sha256")
_MOVED = ("planned_utc", "opens_utc", "closes_utc", "raw", "row")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSource:
    """Where a version comes from.

    Attributes:
        actor: who imports it.
        file_name: of the plan's file.
        sha256: of the file.
        key: names the very file that a watched folder was given, so that it counts once; empty elsewhere.
        rolled_back_to: the version this one repeats.
    """

    actor: str
    file_name: str = ""
    sha256: str = ""
    key: str = ""
    rolled_back_to: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanVersion:
    """One import of a plan: who, when, which file, and how much it changed. Numbers count from 1 for each plan."""

    plan_id: str
    number: int
    imported_utc: datetime
    actor: str
    file_name: str
    sha256: str
    rolled_back_to: int | None
    source_key: str | None
    new_count: int
    moved_count: int
    dropped_count: int
    airing_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPreview:
    """What importing a plan would change now.

    Attributes:
        newest: the plan's newest version; None before the first.
        generation: of all plans, when this was worked out.
        begun: what has happened to the airings that stand.
    """

    plan_id: str
    changes: PlanChanges
    newest: PlanVersion | None
    generation: int
    begun: Begun

    @property
    def base(self) -> int:
        """Number of the newest version, 0 before the first."""
        return self.newest.number if self.newest else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanImport:
    """What an import did.

    Attributes:
        version: the version that stands now.
        is_new: whether it was made by this import; the same file again makes none.
        withdrawn: numbers of the firings that waited for an airing the plan leaves out.
    """

    version: PlanVersion
    changes: PlanChanges
    is_new: bool
    withdrawn: tuple[int, ...] = ()


class PlanVersions:
    """The plans of a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._database, self._clock = ledger, ledger.database, ledger.clock
        self._facts = PlanFacts(ledger.database, ledger.clock)

    # --- reading --------------------------------------------------------------------------------

    def plans(self) -> tuple[PlanVersion, ...]:
        """The newest version of each plan, by name."""
        return self._versions(statements.NEWEST_OF_EACH)

    def versions(self, plan_id: str) -> tuple[PlanVersion, ...]:
        """Every version of a plan, newest first.

        Raises:
            PlanError: no such plan has ever been imported.
        """
        found = self._versions(statements.VERSIONS, wanted_plan=plan_id)
        if not found:
            raise PlanError(f"plan {plan_id}: none of this name was ever imported; `cuebird schedule versions` lists them")
        return found

    def airings_of(self, plan_id: str, number: int) -> tuple[Airing, ...]:
        """The plan's airings as they were after one of its versions.

        Raises:
            PlanError: there is no such version, or it is too old.
        """
        with self._database.asking() as cursor:
            found = self._database.prepared(statements.CONTENT).run(cursor, {"wanted_plan": plan_id, "wanted_number": number})
        if not found:
            numbers = ", ".join(str(one.number) for one in self.versions(plan_id)[:10])
            raise PlanError(f"plan {plan_id}: there is no version {number}; the newest are {numbers}")
        if found[0][0] is None:
            raise PlanError(f"plan {plan_id}: version {number} is too old; the newest {CONTENTS_KEPT_MAX} are kept whole")
        return unpacked(found[0][0])

    def between(self, plan_id: str, older: int, newer: int) -> PlanChanges:
        """What changed from one version to another.

        Raises:
            PlanError: as `airings_of`.
        """
        before, after = self.airings_of(plan_id, older), self.airings_of(plan_id, newer)
        return plan_changes(before, after)

    def standing(self, plan_id: str) -> tuple[Airing, ...]:
        """The plan's airings as they stand."""
        with self._database.asking() as cursor:
            rows = self._database.prepared(statements.AIRINGS_OF_PLAN).run(cursor, {"wanted_plan": plan_id})
        return tuple(map(airing_of, rows))

    def beside(self, plan_id: str, spots: Collection[tuple[str, str]]) -> tuple[Airing, ...]:
        """Airings to come that other plans have on these channels and of these spots."""
        return self._facts.beside(plan_id, spots, since_utc=self._clock.utc() - WINDOW_MOST)

    # --- importing ------------------------------------------------------------------------------

    def preview(self, plan_id: str, airings: Sequence[Airing]) -> PlanPreview:
        """What importing these airings as the plan would change.

        Raises:
            PlanError: the name cannot be a plan's, or another plan has airings these cannot stand beside.
        """
        _check_name(plan_id)
        with self._database.asking() as cursor:
            ((generation,),) = self._database.prepared(statements.GENERATION).run(cursor, {})
        newest = next(iter(self._versions(statements.NEWEST_OF_PLAN, wanted_plan=plan_id)), None)
        _refuse_clashes(airings, self._facts.others(plan_id, airings))
        standing = self.standing(plan_id)
        begun = self._facts.begun(standing)
        changes = plan_changes(standing, airings, settled=begun.settled, used=self._facts.used(airings))
        return PlanPreview(plan_id=plan_id, changes=changes, newest=newest, generation=generation, begun=begun)

    def commit(
        self,
        plan_id: str,
        airings: Sequence[Airing],
        source: PlanSource,
        *,
        expected_base: int | None = None,
        drops_max: int | None = None,
        shown: PlanPreview | None = None,
    ) -> PlanImport:
        """Make the plan's airings these, all of them or none, as a new version; the same file again changes nothing.

        A firing that waits for an audience delay is withdrawn when the plan leaves its airing out.

        Args:
            expected_base: number of the version that was newest when the changes were shown.
            drops_max: more airings than this are not dropped; None: as many as it takes.
            shown: the preview of these airings, which then need not be worked out again as long as it holds.

        Raises:
            PlanError: as `preview`; the plan has changed since it was shown; or it would drop too many.
            LedgerError: it cannot be written; nothing has changed.
        """
        if (known := self._of_source(source.key)) is not None:
            return PlanImport(version=known, changes=PlanChanges(unchanged=tuple(airings)), is_new=False)
        for _ in range(ATTEMPTS_MAX):
            preview, shown = shown or self.preview(plan_id, airings), None
            _refuse_surprises(preview, expected_base=expected_base, drops_max=drops_max)
            self._refuse_too_long(preview)
            withdrawn = self._withdraw(preview, source.actor)
            if withdrawn is None:
                continue
            if _is_nothing_new(preview, source) and preview.newest is not None:
                return PlanImport(version=preview.newest, changes=preview.changes, is_new=False, withdrawn=withdrawn)
            if (version := self._write(preview, source)) is not None:
                return PlanImport(version=version, changes=preview.changes, is_new=True, withdrawn=withdrawn)
        raise PlanError(f"plan {plan_id}: other imports and firings keep changing what stands; nothing was imported, try again")

    def roll_back(
        self, plan_id: str, number: int, *, actor: str, expected_base: int | None = None, drops_max: int | None = None
    ) -> PlanImport:
        """Make the plan's airings those of an earlier version again, as a new version.

        Raises:
            PlanError: as `airings_of` and `commit`.
        """
        airings = self.airings_of(plan_id, number)
        of = next(one for one in self.versions(plan_id) if one.number == number)
        source = PlanSource(actor=actor, file_name=of.file_name, sha256=of.sha256, rolled_back_to=number)
        return self.commit(plan_id, airings, source, expected_base=expected_base, drops_max=drops_max)

    # --- inside: what is known ------------------------------------------------------------------

    def _versions(self, statement: sa.Select[Any], **values: Any) -> tuple[PlanVersion, ...]:
        with self._database.asking() as cursor:
            rows = self._database.prepared(statement).run(cursor, values)
        return tuple(PlanVersion(**dict(zip(statements.VERSION_COLUMNS, row, strict=True))) for row in rows)

    def _of_source(self, key: str) -> PlanVersion | None:
        found = self._versions(statements.VERSION_OF_SOURCE, wanted_key=key) if key else ()
        return found[0] if found else None

    # --- inside: writing ------------------------------------------------------------------------

    def _withdraw(self, preview: PlanPreview, actor: str) -> tuple[int, ...] | None:
        """Withdraw what waits for airings that are left out, so that no other feed fires it either.

        Returns:
            The numbers of the firings; None when one of them has been claimed meanwhile.
        """
        firings = Firings(self._ledger, epoch=0, boot_id="plans")
        out = [one.airing.airing_id for one in preview.changes.left_alone if one.wanted is None]
        numbers = [number for airing_id in out for number in preview.begun.waiting.get(airing_id, ())]
        reason = f"its airing was taken out of the plan {preview.plan_id} by {actor}"
        for number in numbers:
            try:
                firings.resolve(number, FiringState.WITHDRAWN, reason=reason, settled_by=actor, for_good=True)
            except IllegalTransitionError:
                return None
        return tuple(numbers)

    def _write(self, preview: PlanPreview, source: PlanSource) -> PlanVersion | None:
        """The version written; None when what it was worked out from does not hold any more, and nothing was."""
        changes, database = preview.changes, self._database
        add = database.prepared(statements.ADD_AIRING, sets=_NEW)
        move = database.prepared(statements.MOVE_AIRING, sets=(*_MOVED, "plan_sha256"))
        drop = database.prepared(statements.DROP_AIRING)
        rows, of_file = {one.airing_id: plain(one) for one in changes.standing}, (preview.plan_id, source.sha256)
        added = add.bound_rows(_NEW, [(*rows[one.airing_id], *of_file) for one in changes.new])
        moved = [
            move.bound({**_values(one.after, _MOVED), "plan_sha256": source.sha256, "moved_id": one.after.airing_id})
            for one in changes.moved
        ]
        dropped = [drop.bound({"dropped_id": one.airing_id}) for one in changes.dropped]
        version = self._version(preview, source)
        content = packed(rows.values())
        with database.claiming() as cursor:
            ((generation,),) = database.prepared(statements.GENERATION).run(cursor, {})
            touched = [*(one.before for one in changes.moved), *changes.dropped]
            if generation != preview.generation or self._facts.begun(touched, database.beside()).settled:
                return None
            drop.run_many(cursor, dropped)
            move.run_many(cursor, moved)
            add.run_many(cursor, added)
            self._add_version(cursor, version, content)
            self._ledger.audit.append(database.beside(), version.imported_utc, "plan_imported", _audited(version))
        return version

    def _refuse_too_long(self, preview: PlanPreview) -> None:
        """Refuse an import whose transaction would keep firings waiting."""
        changes, switch = preview.changes, self._ledger.switch()
        number = len(changes.new) + len(changes.moved) + len(changes.dropped)
        if number > CHANGES_WHILE_FIRING_MAX and switch.mode is not Mode.OFF and not switch.killed:
            raise PlanError(
                f"plan {preview.plan_id}: {number} airings would change at once, more than {CHANGES_WHILE_FIRING_MAX}, while the "
                f"engine may fire (mode {switch.mode}) and would have to wait; import it in parts, or in mode OFF"
            )

    def _version(self, preview: PlanPreview, source: PlanSource) -> PlanVersion:
        changes = preview.changes
        return PlanVersion(
            plan_id=preview.plan_id,
            number=preview.base + 1,
            imported_utc=self._clock.utc(),
            actor=source.actor,
            file_name=source.file_name,
            sha256=source.sha256,
            rolled_back_to=source.rolled_back_to,
            source_key=source.key or None,
            new_count=len(changes.new),
            moved_count=len(changes.moved),
            dropped_count=len(changes.dropped),
            airing_count=len(changes.new) + len(changes.moved) + len(changes.unchanged) + len(changes.left_alone),
        )

    def _add_version(self, cursor: Any, version: PlanVersion, content: bytes) -> None:
        values = {name: getattr(version, name) for name in statements.VERSION_COLUMNS}
        add = self._database.prepared(statements.ADD_VERSION, sets=(*statements.VERSION_COLUMNS, "content"))
        add.run(cursor, {**values, "content": content})
        old = {"wanted_plan": version.plan_id, "up_to": version.number - CONTENTS_KEPT_MAX}
        self._database.prepared(statements.FORGET_CONTENT).run(cursor, old)


def _check_name(plan_id: str) -> None:
    if not plan_id.strip() or len(plan_id) > NAME_LETTERS_MAX or "/" in plan_id or not plan_id.isprintable():
        raise PlanError(
            f"plan {plan_id[:40]!r}: a plan's name has 1 to {NAME_LETTERS_MAX} printable letters and no /; choose another"
        )


def _refuse_clashes(airings: Sequence[Airing], others: Sequence[Airing]) -> None:
    found = list(clashes(airings, others)) if others else []
    if found:
        airing, other = found[0]
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise PlanError(
            f"not imported: row {airing.row} plans {airing.airing_id}, but another plan has {other.airing_id} "
            f"({other.raw}){more}; give that plan's name to replace it, or take the row out"
        )


def _refuse_surprises(preview: PlanPreview, *, expected_base: int | None, drops_max: int | None) -> None:
    if expected_base is not None and preview.base != expected_base:
        raise PlanError(
            f"plan {preview.plan_id}: version {preview.base} was imported since this was shown (of version {expected_base}); "
            "look at what it changes now"
        )
    dropped = len(preview.changes.dropped)
    if drops_max is not None and dropped > drops_max:
        raise PlanError(
            f"plan {preview.plan_id}: {counted(dropped, 'airing')} would be dropped, more than {drops_max}; nothing has changed, "
            "confirm that it is meant"
        )


def _is_nothing_new(preview: PlanPreview, source: PlanSource) -> bool:
    """Whether the newest version is this file already, or says the same; another file that says the same is a version."""
    newest = preview.newest
    return (
        newest is not None and not preview.changes.any and (newest.sha256 == source.sha256 or source.rolled_back_to is not None)
    )


def _values(airing: Airing, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(airing, name) for name in names}


def _audited(version: PlanVersion) -> dict[str, Any]:
    facts = {"actor": version.actor, "plan": version.plan_id, "version": version.number, "rolled_back_to": version.rolled_back_to}
    counts = {"new": version.new_count, "moved": version.moved_count, "dropped": version.dropped_count}
    return {**facts, "file": version.file_name, "sha256": version.sha256, **counts}
