"""Importing plans, for the command line, the page and the watched folder alike: previewed, committed, rolled back, told."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.errors import ConsoleError
from console.ledgers import open_ledger
from console.plan_sources import Source
from console.plan_supplies import supplies_of
from schedules import Airing, PlanChanges, shortages
from sync.ledger import Ledger
from sync.plan_versions import PlanImport, PlanPreview, PlanSource, PlanVersion, PlanVersions
from timebase import SystemClock

if TYPE_CHECKING:
    from console.config import Config
    from schedules.plan import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A plan's file beside what stands.

    Attributes:
        source: the plan as read, with what the ledger's cues say of it among its problems.
        preview: what importing it would change.
    """

    source: Source
    preview: PlanPreview


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What an import or a rollback did; `reloaded`: whether a running engine has taken it up already."""

    result: PlanImport
    reloaded: bool


class PlanDesk:
    """Where plans are imported into the ledger of a configuration."""

    def __init__(self, config: "Config") -> None:
        self._config = config

    def show(self, source: Source, plan_id: str) -> Shown:
        """What importing the file as this plan would change; nothing does.

        Raises:
            PlanError: it cannot be imported as it is.
            LedgerError: the ledger cannot be read.
        """
        with open_ledger(self._config) as ledger:
            preview = PlanVersions(ledger).preview(plan_id, source.plan.airings)
            told = _short(ledger, preview)
        problems = (*source.plan.problems, *told)
        return Shown(source=replace(source, plan=replace(source.plan, problems=problems)), preview=preview)

    def commit(
        self,
        source: Source,
        plan_id: str,
        *,
        actor: str,
        base: int | None = None,
        drops_max: int | None = None,
        shown: PlanPreview | None = None,
        key: str = "",
    ) -> Done:
        """Import the file as this plan, all of it or nothing, and have a running engine take it up.

        Args:
            base: number of the version that was newest when the changes were shown.
            drops_max: more airings than this are not dropped.
            shown: what was shown, where that was in this process.
            key: names a watched folder's file, so that it counts once.

        Raises:
            PlanError: as `show`; or it is not what was shown, or drops too many. Nothing has changed.
            LedgerError: the ledger cannot be written. Nothing has changed.
            ConsoleError: it is imported, but the running engine refuses to take it up.
        """
        of = PlanSource(actor=actor, file_name=source.file.name, sha256=source.sha256, key=key)
        with self.versions() as versions:
            result = versions.commit(plan_id, source.plan.airings, of, expected_base=base, drops_max=drops_max, shown=shown)
        return Done(result=result, reloaded=reload_engine(self._config.paths.socket_file))

    def roll_back(self, plan_id: str, number: int, *, actor: str, base: int | None = None, drops_max: int | None = None) -> Done:
        """Make an earlier version stand again, as a new one.

        Raises:
            PlanError, LedgerError, ConsoleError: as `commit`.
        """
        with self.versions() as versions:
            result = versions.roll_back(plan_id, number, actor=actor, expected_base=base, drops_max=drops_max)
        return Done(result=result, reloaded=reload_engine(self._config.paths.socket_file))

    @contextmanager
    def versions(self) -> Iterator[PlanVersions]:
        """The versions of the ledger's plans.

        Raises:
            LedgerError: the ledger cannot be opened.
        """
        with open_ledger(self._config) as ledger:
            yield PlanVersions(ledger)


def _short(ledger: Ledger, preview: PlanPreview) -> "tuple[Problem, ...]":
    """Cues whose approved texts will not last for the airings that would then stand."""
    coming = preview.changes.standing
    planned = {(one.channel, one.spot_id) for one in coming}
    supplies = [one for one in supplies_of(ledger) if any((one.channel, spot_id) in planned for spot_id in one.spot_ids)]
    spots = {(one.channel, spot_id) for one in supplies for spot_id in one.spot_ids}
    others = PlanVersions(ledger).beside(preview.plan_id, spots)
    return tuple(shortages(coming, supplies, others=others, now_utc=SystemClock().utc()))


def reload_engine(socket: Path) -> bool:
    """Whether an engine runs and has read the plans again; one that does not answer sees them within a second by itself.

    Raises:
        ConsoleError: it runs, and refused.
    """
    from sync.client import ControlClient
    from sync.errors import ControlError, EngineUnreachableError

    async def ask() -> None:
        async with ControlClient(socket) as client:
            await client.request("reload")

    if not socket.exists():
        return False
    try:
        asyncio.run(ask())
    except EngineUnreachableError:
        return False
    except ControlError as error:
        raise ConsoleError(f"the plan is imported, but the running engine has not taken it up: {error}; restart it") from error
    return True


def plan_facts(source: Source) -> dict[str, Any]:
    """The plan as JSON: airings, problems, how it was read, and whether it may be imported."""
    plan = source.plan
    return {
        "file": str(source.file),
        "sha256": source.sha256,
        "importable": not plan.errors,
        "reading": asdict(plan.reading),
        "airings": [asdict(airing) for airing in plan.airings],
        "problems": [asdict(problem) for problem in plan.problems],
    }


def change_facts(changes: PlanChanges) -> dict[str, list[str]]:
    """What changes, as the names of airings; and why some are left alone, as sentences."""
    return {
        "new": [one.airing_id for one in changes.new],
        "moved": [one.after.airing_id for one in changes.moved],
        "dropped": [one.airing_id for one in changes.dropped],
        "unchanged": [one.airing_id for one in changes.unchanged],
        "left_alone": [str(one) for one in changes.left_alone],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRow:
    """One line of a diff: what becomes of an airing, and its instant before and after."""

    change: str
    airing_id: str
    channel: str
    spot_id: str
    before_utc: datetime | None
    after_utc: datetime | None
    remark: str = ""


def change_rows(changes: PlanChanges) -> list[ChangeRow]:
    """Every airing that does not simply stay, in order of time."""

    def row(change: str, one: Airing, before: Airing | None, after: Airing | None, remark: str = "") -> ChangeRow:
        return ChangeRow(
            change=change,
            airing_id=one.airing_id,
            channel=one.channel,
            spot_id=one.spot_id,
            before_utc=before.planned_utc if before else None,
            after_utc=after.planned_utc if after else None,
            remark=remark,
        )

    rows = [row("new", one, None, one) for one in changes.new]
    rows += [row("moved", one.after, one.before, one.after, _window_remark(one.before, one.after)) for one in changes.moved]
    rows += [row("dropped", one, one, None) for one in changes.dropped]
    rows += [row("left alone", one.airing, one.airing, one.wanted, one.reason) for one in changes.left_alone]
    return sorted(rows, key=lambda one: (one.after_utc or one.before_utc, one.airing_id))


def _window_remark(before: Airing, after: Airing) -> str:
    if before.planned_utc != after.planned_utc:
        return ""
    return f"its window is now {after.opens_utc:%H:%M:%S} to {after.closes_utc:%H:%M:%S} UTC"


def counts(changes: PlanChanges) -> str:
    """How many airings each change concerns, in words."""
    alone = f", {len(changes.left_alone)} left alone" if changes.left_alone else ""
    numbers = (len(changes.new), len(changes.moved), len(changes.dropped), len(changes.unchanged))
    return "{} new, {} moved, {} dropped, {} unchanged".format(*numbers) + alone


def version_facts(version: PlanVersion) -> dict[str, Any]:
    """A version as JSON."""
    facts = asdict(version)
    del facts["source_key"]
    return facts
