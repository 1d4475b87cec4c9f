"""The broadcaster's own as-run log: read like a plan, but of a log what is not ours is passed over."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from schedules.catalogue import Catalogue, KnownChannel, KnownSpot, Names
from schedules.clock_time import parse_length
from schedules.containers import sheets_of
from schedules.errors import BroadcastTimeError, PlanFileError
from schedules.layouts import Field, named
from schedules.plan import Plan, Problem, Reading
from schedules.plan_reading import read_plan
from schedules.recognition import Choices, recognise
from schedules.table import Row, read_table

_ELSE = "\x1f"
"""Begins the ids given to channels and spots that are not ours; no id of ours can hold it."""
_NOT_AIRED = re.compile(r"(skipp|not\b|did not|miss|fail|cancel|remov|delet)", re.IGNORECASE)
_CUT = re.compile(r"(clipp|stopp|short|truncat)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """One broadcast of one of our spots as its broadcaster logged it.

    Attributes:
        row: line of the log, from 1.
        length_s: None where the log does not say.
        status: as the log has it, empty where it has none.
    """

    row: int
    channel: str
    spot_id: str
    began_utc: datetime
    length_s: float | None
    status: str

    @property
    def is_aired(self) -> bool:
        """Whether the log says that it was broadcast."""
        return _NOT_AIRED.match(self.status) is None

    @property
    def is_cut(self) -> bool:
        """Whether the log says that it was broken off."""
        return _CUT.match(self.status) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastLog:
    """A log as read.

    Attributes:
        logged: of our spots on our channels, by instant; empty when there is an error.
        problems: what is wrong, or was left out.
        n_others: rows of spots or channels that are not ours.
        reading: how the file was understood.
    """

    logged: tuple[Logged, ...]
    problems: tuple[Problem, ...]
    n_others: int
    reading: Reading


def read_log(
    data: bytes, *, catalogue: Catalogue, now_utc: datetime, name: str = "", choices: Choices | None = None
) -> BroadcastLog:
    """What a broadcaster's log says of our spots.

    Args:
        choices: what the person who gives it says of the file.

    Raises:
        PlanFileError: the file as a whole is no log.
        BroadcastTimeError: a day start or zone of `choices` is none.
    """
    choices = choices or Choices()
    found = recognise(sheets_of(data, name=name), choices)
    if found.layout.name == "ccms":
        raise PlanFileError("a CCMS file says when a spot was to air before it says when it did; give an .arl, BXF or CSV log")
    rows = read_table(found, choices).rows
    # Two broadcasts of a spot may follow each other closely: a window of a second holds one of them.
    constants = {**choices.constants, Field.WINDOW_BEFORE: "0", Field.WINDOW_AFTER: "1"}
    everything = _with_the_others(catalogue, rows)
    plan = read_plan(data, catalogue=everything, now_utc=now_utc, name=name, choices=replace(choices, constants=constants))
    cells = _Cells(plan)
    ours = [one for one in plan.airings if not one.channel.startswith(_ELSE) and not one.spot_id.startswith(_ELSE)]
    return BroadcastLog(
        logged=tuple(
            Logged(
                row=one.row,
                channel=one.channel,
                spot_id=one.spot_id,
                began_utc=one.planned_utc,
                length_s=cells.length_s(one.row),
                status=cells.status(one.row),
            )
            for one in ours
        ),
        problems=plan.errors,
        n_others=len(plan.airings) - len(ours),
        reading=plan.reading,
    )


def _with_the_others(catalogue: Catalogue, rows: tuple[Row, ...]) -> Catalogue:
    """The catalogue, with what the log names and we do not know."""
    channels = Names({one.id: one.aliases for one in catalogue.channels.values()})
    spots = Names({one.id: (*one.aliases, *one.identifiers) for one in catalogue.spots.values()})
    other_channels = _unknown(channels, (row.cells.get(Field.CHANNEL, "") for row in rows))
    other_spots = _unknown(spots, (row.cells.get(Field.SPOT, "") for row in rows))
    return Catalogue.of(
        [
            *catalogue.channels.values(),
            *(KnownChannel(id=_ELSE + text, timezone="UTC", aliases=(text,)) for text in other_channels),
        ],
        [*catalogue.spots.values(), *(KnownSpot(id=_ELSE + text, aliases=(text,)) for text in other_spots)],
    )


def _unknown(names: Names, texts: Iterable[str]) -> list[str]:
    """The names that mean nothing of ours, each in one spelling."""
    found = {" ".join(text.casefold().split()): text for text in texts if text and not names.meant(text)}
    return sorted(found.values())


class _Cells:
    """What a log says besides channel, time and spot."""

    def __init__(self, plan: Plan) -> None:
        titles = [named(title) for title in plan.original.titles]
        length = named(plan.reading.columns.get(Field.LENGTH.value, ""))
        self._rows = dict(plan.original.rows)
        self._length = titles.index(length) if length in titles else None
        self._status = titles.index("status") if "status" in titles else None

    def length_s(self, row: int) -> float | None:
        text = self._cell(row, self._length)
        try:
            return parse_length(text) if text else None
        except BroadcastTimeError:  # told among the problems
            return None

    def status(self, row: int) -> str:
        return self._cell(row, self._status)

    def _cell(self, row: int, place: int | None) -> str:
        cells = self._rows.get(row, ())
        return cells[place] if place is not None and place < len(cells) else ""
