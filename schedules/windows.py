"""Which windows open and close, in order, each told once. Pure: the time comes as an argument."""

import enum
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from schedules.airing import Airing


class WindowChange(enum.StrEnum):
    """What happens to an airing's window."""

    OPENED = "opened"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A window's change and the instant it is planned for, aware."""

    at_utc: datetime
    airing: Airing
    change: WindowChange


def next_changes(airings: Iterable[Airing], now_utc: datetime) -> list[Change]:
    """Everything still to be told of `airings`, in order of time; what lies at or before `now_utc` is due at once.

    A window that is open now is still to be opened, one that has passed is only to be closed.
    At equal instants windows close before others open.
    """
    changes = []
    for airing in airings:
        if now_utc < airing.closes_utc:
            changes.append(Change(at_utc=airing.opens_utc, airing=airing, change=WindowChange.OPENED))
        changes.append(Change(at_utc=airing.closes_utc, airing=airing, change=WindowChange.CLOSED))
    return sorted(changes, key=lambda one: (one.at_utc, one.change is WindowChange.OPENED, one.airing.airing_id))


class Windows:
    """Remembers what was told, so that no change is told twice or left out, however the wall clock steps.

    After a step forward across a whole window both its changes are due, in order. After a step back
    nothing already told is told again.
    """

    def __init__(self) -> None:
        self._withdrawn: deque[Change] = deque()
        self._pending: deque[Change] = deque()
        self._told: dict[str, Change] = {}

    def load(self, airings: Iterable[Airing], now_utc: datetime) -> None:
        """Take `airings` in place of those before.

        A window told open that is gone or has moved is closed first; one that stayed is not told again.
        """
        wanted = {airing.airing_id: airing for airing in airings}
        before, self._told = self._told, {}
        for airing_id, last in before.items():
            if airing_id in wanted and _same_window(wanted[airing_id], last.airing):
                self._told[airing_id] = last
            elif last.change is WindowChange.OPENED:
                self._withdrawn.append(Change(at_utc=now_utc, airing=last.airing, change=WindowChange.CLOSED))
        self._pending = deque(one for one in next_changes(wanted.values(), now_utc) if self._is_news(one))

    def take_due(self, now_utc: datetime) -> Change | None:
        """The next change that is due, counted as told from now on; None when there is none."""
        if self._withdrawn:
            return self._withdrawn.popleft()
        if not self._pending or self._pending[0].at_utc > now_utc:
            return None
        change = self._pending.popleft()
        self._told[change.airing.airing_id] = change
        return change

    def next_utc(self) -> datetime | None:
        """When the next change is planned, None when none is left."""
        return self._pending[0].at_utc if self._pending else None

    def _is_news(self, change: Change) -> bool:
        last = self._told.get(change.airing.airing_id)
        return last is None or (last.change is WindowChange.OPENED and change.change is WindowChange.CLOSED)


def _same_window(one: Airing, other: Airing) -> bool:
    return (one.opens_utc, one.closes_utc) == (other.opens_utc, other.closes_utc)
