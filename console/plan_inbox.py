"""A watched folder: files that senders drop into it are imported by their sender's rules, each exactly once.

```
inbox/agency/plan.csv                   dropped by SFTP, or renamed in
inbox/agency/taken/<stamp>-plan.csv     being imported; its new name says which file it is
inbox/agency/done/<stamp>-plan.csv      imported; beside it <stamp>-plan.csv.json says as which version
inbox/agency/refused/<stamp>-plan.csv   not imported; beside it why, and the rows with their problems
```

Every step is a rename or can be done again: after a crash between any two of them the file is found where it was and goes on.
That it is imported once the ledger sees to: a version bears the file's key, and there is at most one of each.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from console.errors import ConsoleError
from console.ledgers import open_ledger
from console.plan_import import Done, PlanDesk, change_facts, counts, version_facts
from console.plan_options import choices_of
from console.plan_problems import problem_file
from console.plan_showing import severities
from console.plan_sources import Source, read
from schedules import SchedulesError
from schedules.plan import counted
from sync.errors import LedgerError, PlanError
from timebase import Clock

if TYPE_CHECKING:
    from console.config import Config, PlanSender

FILES_AT_ONCE_MAX = 100
"""Files of one sender taken in one look; the others wait for the next."""
LOOKED_EVERY_S = 1.0
TAKEN, DONE, REFUSED = "taken", "done", "refused"
_UNFINISHED = (".part", ".filepart", ".tmp", ".partial", ".crdownload")
"""Endings under which transfer programs write before they rename."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How a file stood at a look."""

    size: int
    mtime_ns: int
    since_mono_ns: int


class PlanInbox:
    """The inbox of a configuration.

    Args:
        mono_ns: a monotonic clock, nanoseconds.
    """

    def __init__(self, config: "Config", *, mono_ns: Callable[[], int]) -> None:
        if config.plans.inbox_dir is None:
            raise ConsoleError("plans.inbox_dir: missing; name the folder that plans are dropped into")
        self._config, self._inbox, self._mono_ns = config, config.plans.inbox_dir, mono_ns
        self._whole_after_ns = round(config.plans.whole_after_s * 1e9)
        self._desk = PlanDesk(config)
        self._seen: dict[Path, Seen] = {}

    def look(self) -> int:
        """Take what is whole, import what was taken; how many files came to rest.

        Raises:
            ConsoleError: a folder cannot be made or read.
            LedgerError: the ledger cannot be written; the files wait for the next look.
        """
        return sum(self._look_at(sender) for sender in self._config.plan_senders)

    def _look_at(self, sender: "PlanSender") -> int:
        folder = self._inbox / sender.id
        try:
            for name in (TAKEN, DONE, REFUSED):
                (folder / name).mkdir(parents=True, exist_ok=True)
            whole = list(self._whole(folder))[:FILES_AT_ONCE_MAX]
            for path in whole:
                _take(path, folder / TAKEN)
            taken = sorted(path for path in (folder / TAKEN).iterdir() if path.is_file())
        except OSError as error:
            raise ConsoleError(f"{folder}: {error.strerror}; the inbox of {sender.id} must be a folder of ours") from error
        for path in taken:
            self._bring_to_rest(path, sender)
        return len(taken)

    def _whole(self, folder: Path) -> Iterator[Path]:
        """Files that have not changed for a while; one that was renamed in has its age already and still waits, once."""
        now_ns, here = self._mono_ns(), dict[Path, Seen]()
        for path in sorted(folder.iterdir()):
            if path.name.startswith(".") or path.name.endswith(_UNFINISHED) or path.is_symlink() or not path.is_file():
                continue
            about = path.stat()
            before = self._seen.get(path)
            is_same = before is not None and (before.size, before.mtime_ns) == (about.st_size, about.st_mtime_ns)
            since_ns = before.since_mono_ns if before is not None and is_same else now_ns
            here[path] = Seen(size=about.st_size, mtime_ns=about.st_mtime_ns, since_mono_ns=since_ns)
            if now_ns - since_ns >= self._whole_after_ns:
                yield path
        self._seen = {path: seen for path, seen in self._seen.items() if path.parent != folder} | here

    # --- one file -------------------------------------------------------------------------------

    def _bring_to_rest(self, path: Path, sender: "PlanSender") -> None:
        name = path.name.partition("-")[2]
        try:
            source = self._read(path, sender)
            if not _is_as_taken(path):
                self._refuse(
                    path, sender, "it was still being written when it was taken; send it again, and rename it last", None
                )
                return
            if source.plan.errors:
                self._refuse(path, sender, severities(source.plan.errors), problem_file(source.plan, ".csv"))
                return
            key = hashlib.sha256(f"{sender.id}/{path.name} {source.sha256}".encode()).hexdigest()
            done = self._desk.commit(
                source,
                sender.plan or Path(name).stem,
                actor=f"inbox {sender.id}",
                drops_max=sender.drops_max,
                key=key,
            )
        except (SchedulesError, PlanError) as error:
            self._refuse(path, sender, str(error), None)
        else:
            self._finish(path, sender, done, key)

    def _read(self, path: Path, sender: "PlanSender") -> Source:
        choices = choices_of(
            layout=sender.layout,
            columns=[f"{column}={field}" for column, field in sender.columns.items()],
            constants=[f"{field}={value}" for field, value in sender.constants.items()],
            date_order=sender.date_order,
            zone=sender.zone,
            day_start=sender.day_start,
            small_hours=sender.small_hours,
            sheet=sender.sheet,
        )
        return read(path, self._config, choices, name=path.name.partition("-")[2])

    def _finish(self, path: Path, sender: "PlanSender", done: Done, key: str) -> None:
        result = done.result
        told = {"version": version_facts(result.version), "is_new": result.is_new, "changes": change_facts(result.changes)}
        _write(path.parent.parent / DONE / f"{path.name}.json", json.dumps(told, default=str, indent=2).encode())
        if result.version.source_key == key:  # it made this version, now or before a crash: told again rather than never
            sentence = (
                f"plan {result.version.plan_id}: version {result.version.number} from {sender.id}: {counts(result.changes)}"
            )
            alone = len(result.changes.left_alone)
            level = "warning" if alone or result.withdrawn else "info"
            withdrawn = f"; {counted(len(result.withdrawn), 'firing')} withdrawn" if result.withdrawn else ""
            _sound(self._config, level, sentence + withdrawn)
        _log.info("plan_taken", extra={"file": path.name, "version": result.version.number, "is_new": result.is_new})
        os.replace(path, path.parent.parent / DONE / path.name)

    def _refuse(self, path: Path, sender: "PlanSender", reason: str, problems: bytes | None) -> None:
        folder = path.parent.parent / REFUSED
        _write(folder / f"{path.name}.txt", f"{reason}\n".encode())
        if problems is not None:
            _write(folder / f"{path.name}.problems.csv", problems)
        name = path.name.partition("-")[2]
        _sound(self._config, "warning", f"the plan {name} of {sender.id} was refused: {reason}; see {folder}")
        _log.warning("plan_refused", extra={"file": path.name, "reason": reason})
        os.replace(path, folder / path.name)


def _take(path: Path, taken: Path) -> None:
    """Put a whole file where no sender writes, under a name that no other file ever has."""
    with contextlib.suppress(FileNotFoundError):  # its sender took it back
        os.replace(path, taken / f"{_stamp(path)}-{path.name}")


def _stamp(path: Path) -> str:
    """When the file was last written, and its number in the file system."""
    about = path.stat()
    second = datetime.fromtimestamp(about.st_mtime_ns // 1_000_000_000, UTC)
    return f"{second:%Y%m%dT%H%M%S}.{about.st_mtime_ns % 1_000_000_000:09}Z.{about.st_ino}"


def _is_as_taken(path: Path) -> bool:
    """Whether nobody has written into the file since it got its name here."""
    return path.name.startswith(f"{_stamp(path)}-")


def _write(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    os.replace(part, path)


async def watch_inbox(config: "Config", *, clock: Clock, on_ready: Callable[[], None]) -> None:
    """Look once a second until cancelled; what keeps the inbox from working is an alarm, once.

    Raises:
        ConsoleError: the configuration has no inbox.
    """
    inbox = PlanInbox(config, mono_ns=clock.mono_ns)
    on_ready()
    fault = ""
    while True:
        before, fault = fault, ""
        try:
            await asyncio.to_thread(inbox.look)
        except (ConsoleError, LedgerError) as error:
            fault = str(error)
            _log.error("inbox_stands", extra={"reason": fault})
        if fault and fault != before:
            with contextlib.suppress(LedgerError):
                await asyncio.to_thread(_sound, config, "critical", f"plans are not taken from the inbox: {fault}")
        await clock.sleep(LOOKED_EVERY_S)


def _sound(config: "Config", level: str, sentence: str) -> None:
    with open_ledger(config) as ledger:
        ledger.add_alarm(level, sentence)
