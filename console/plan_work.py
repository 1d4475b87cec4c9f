"""What the console's API does with plans: plain calls that take a while, answered as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from console.plan_import import Done, PlanDesk, change_rows, counts, version_facts
from console.plan_problems import problem_file
from console.plan_showing import read_as, severities
from console.plan_sources import Source, read_bytes
from schedules import Choices, PlanChanges, PlanFileError

if TYPE_CHECKING:
    from console.config import Config
    from schedules.plan import Problem

ROWS_SHOWN_MAX: Final = 500
"""Changes and problems in one answer; their numbers are told whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A plan's file as it was sent. `plan_id`: the plan it is; empty for the file's name without suffix."""

    data: bytes
    name: str
    plan_id: str
    choices: Choices


class PlanWork:
    """Plans of one installation."""

    def __init__(self, config: "Config") -> None:
        self._config, self._desk = config, PlanDesk(config)

    def preview(self, upload: Upload) -> dict[str, Any]:
        """How the file is read, what is wrong with it, and what importing it would change. Nothing does.

        Raises:
            PlanFileError: it is no plan.
            PlanError: it cannot be imported as it is.
        """
        source = self._read(upload)
        facts = _file_facts(source, source.plan.problems)
        if source.plan.errors:
            return facts
        shown = self._desk.show(source, _plan_id(upload))
        return {
            **_file_facts(shown.source, shown.source.plan.problems),
            "plan": _plan_id(upload),
            "base": shown.preview.base,
            **_change_facts(shown.preview.changes),
        }

    def commit(self, upload: Upload, *, actor: str, base: int, drops_max: int) -> dict[str, Any]:
        """Import it; what it changed and which version it is.

        Raises:
            PlanFileError: it is no plan, or has errors.
            PlanError: it is not what was shown, or drops too much; nothing has changed.
        """
        source = self._read(upload)
        if source.plan.errors:
            raise PlanFileError(f"{source.file}: {severities(source.plan.errors)}; nothing has changed, mend them first")
        return _done_facts(self._desk.commit(source, _plan_id(upload), actor=actor, base=base, drops_max=drops_max))

    def problems(self, upload: Upload, suffix: str) -> bytes:
        """The file's rows with their problems, as a file of that suffix.

        Raises:
            PlanFileError: it is no plan.
        """
        return problem_file(self._read(upload).plan, suffix)

    def plans(self) -> dict[str, Any]:
        """The newest version of each plan."""
        with self._desk.versions() as versions:
            return {"plans": [version_facts(one) for one in versions.plans()]}

    def versions(self, plan_id: str) -> dict[str, Any]:
        """Every version of a plan, newest first.

        Raises:
            PlanError: there is no such plan.
        """
        with self._desk.versions() as versions:
            return {"versions": [version_facts(one) for one in versions.versions(plan_id)]}

    def between(self, plan_id: str, older: int, newer: int) -> dict[str, Any]:
        """What changed from one version to another.

        Raises:
            PlanError: there is no such version.
        """
        with self._desk.versions() as versions:
            return _change_facts(versions.between(plan_id, older, newer))

    def preview_rollback(self, plan_id: str, number: int) -> dict[str, Any]:
        """What going back to a version would change. Nothing does.

        Raises:
            PlanError: there is no such version.
        """
        with self._desk.versions() as versions:
            preview = versions.preview(plan_id, versions.airings_of(plan_id, number))
        return {"plan": plan_id, "base": preview.base, **_change_facts(preview.changes)}

    def roll_back(self, plan_id: str, number: int, *, actor: str, base: int, drops_max: int) -> dict[str, Any]:
        """Go back to a version.

        Raises:
            PlanError: as `commit`, or there is no such version.
        """
        return _done_facts(self._desk.roll_back(plan_id, number, actor=actor, base=base, drops_max=drops_max))

    def _read(self, upload: Upload) -> Source:
        return read_bytes(upload.data, Path(Path(upload.name).name), self._config, upload.choices)


def _plan_id(upload: Upload) -> str:
    return upload.plan_id or Path(upload.name).stem


def _file_facts(source: Source, problems: "Sequence[Problem]") -> dict[str, Any]:
    return {
        "file": source.file.name,
        "sha256": source.sha256,
        "importable": not source.plan.errors,
        "airings": len(source.plan.airings),
        "read_as": read_as(source.plan.reading),
        "told": severities(problems),
        "problems": [asdict(one) for one in _worst_first(problems)[:ROWS_SHOWN_MAX]],
        "problem_count": len(problems),
    }


def _worst_first(problems: "Sequence[Problem]") -> "list[Problem]":
    order = {"error": 0, "warning": 1, "note": 2}
    return sorted(problems, key=lambda one: (order[one.severity], one.row))


def _change_facts(changes: PlanChanges) -> dict[str, Any]:
    rows = change_rows(changes)
    return {
        "changes": _counts(changes),
        "told_changes": counts(changes),
        "rows": [asdict(one) for one in rows[:ROWS_SHOWN_MAX]],
        "row_count": len(rows),
    }


def _counts(changes: PlanChanges) -> Mapping[str, int]:
    names = ("new", "moved", "dropped", "unchanged", "left_alone")
    return {name: len(getattr(changes, name)) for name in names}


def _done_facts(done: Done) -> dict[str, Any]:
    result = done.result
    return {
        "version": version_facts(result.version),
        "is_new": result.is_new,
        "withdrawn": list(result.withdrawn),
        "engine_reloaded": done.reloaded,
        **_change_facts(result.changes),
    }
