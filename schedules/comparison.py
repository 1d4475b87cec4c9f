"""Three ways side by side: what was planned, what was heard, and what the broadcaster's own log says. Pure."""

import enum
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from schedules.as_run import Line, Verdict
from schedules.broadcast_log import Logged
from schedules.matching import best_pairs

LOG_REACH = timedelta(minutes=5)
"""A logged broadcast is taken for one that was heard, or planned, at most this far away."""
SAME_TIME_S = 2.0
"""Log and ear agree when they differ by no more: logs are written in whole seconds."""
SAME_LENGTH_S = 1.5
OFFSET_S_MAX = 60.0
"""A channel is heard later than its playout logs by up to so much; a log that is further off is wrong."""


class Agreement(enum.StrEnum):
    """What a broadcast's log and our ears say of each other."""

    AGREES = "agrees"
    TIMES_DIFFER = "times differ"
    LENGTHS_DIFFER = "lengths differ"
    DENIED = "heard, logged as not aired"
    NOT_LOGGED = "heard, not logged"
    NOT_HEARD = "logged, not heard"
    NOT_LISTENED = "logged, nobody listened"
    NEITHER = "neither heard nor logged"
    BOTH_MISSED = "not heard, logged as not aired"
    OPEN = "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A line of our report beside a row of the log; one of the two may be missing.

    Attributes:
        difference_s: how much later than the log it was heard, None unless both say so.
        length_difference_s: how much longer than logged it ran.
    """

    agreement: Agreement
    line: Line | None
    logged: Logged | None
    difference_s: float | None
    length_difference_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Everything compared.

    Attributes:
        rows: in order of time; each line and each row of the log in exactly one.
        offsets_s: by channel, how much later than the log it is usually heard; taken off before times are compared.
    """

    rows: tuple[Compared, ...]
    offsets_s: Mapping[str, float]

    def counts(self) -> dict[Agreement, int]:
        """Rows by agreement; those without any are left out."""
        found = [row.agreement for row in self.rows]
        return {agreement: found.count(agreement) for agreement in Agreement if agreement in found}


def compare(lines: Iterable[Line], logged: Iterable[Logged]) -> Comparison:
    """Our report and the broadcaster's log, side by side."""
    ours = sorted(lines, key=lambda one: (one.at_utc, one.channel, one.spot_id))
    theirs = sorted(logged, key=lambda one: (one.began_utc, one.channel, one.spot_id, one.row))
    pairs: dict[int, int] = {}
    for is_mine, is_theirs in _ROUNDS:
        taken = set(pairs.values())
        mine = [number for number, line in enumerate(ours) if number not in pairs and is_mine(line)]
        free = [number for number, one in enumerate(theirs) if number not in taken and is_theirs(one)]
        pairs |= best_pairs(_edges(ours, mine, theirs, free))
    offsets_s = _offsets(ours, theirs, pairs)
    left = set(range(len(theirs))) - set(pairs.values())
    rows = [_compared(line, theirs[pairs[number]] if number in pairs else None, offsets_s) for number, line in enumerate(ours)]
    rows += [_compared(None, theirs[number], offsets_s) for number in left]
    return Comparison(rows=tuple(sorted(rows, key=_order)), offsets_s=offsets_s)


def _is_heard(line: Line) -> bool:
    return bool(line.heard)


def _is_unheard(line: Line) -> bool:
    return line.airing is not None and not line.heard


def _is_aired(one: Logged) -> bool:
    return one.is_aired


def _any(_one: Logged) -> bool:
    return True


_ROUNDS: Sequence[tuple[Callable[[Line], bool], Callable[[Logged], bool]]] = (
    (_is_heard, _is_aired),
    (_is_heard, _any),
    (_is_unheard, _is_aired),
    (_is_unheard, _any),
)
"""What was heard belongs to what was aired before anything else is considered."""


def _edges(
    ours: Sequence[Line], mine: Sequence[int], theirs: Sequence[Logged], free: Sequence[int]
) -> Iterable[tuple[int, int, int]]:
    of_spot = defaultdict[tuple[str, str], list[tuple[datetime, int]]](list)
    for number in free:
        of_spot[theirs[number].channel, theirs[number].spot_id].append((theirs[number].began_utc, number))
    for number in mine:
        line = ours[number]
        at_utc = line.began_utc or line.at_utc
        for spot_id in line.heard[0].spot_ids if line.heard else (line.spot_id,):
            logged = of_spot.get((line.channel, spot_id), [])
            for began_utc, other in logged[bisect_left(logged, (at_utc - LOG_REACH, 0)) :]:
                if began_utc > at_utc + LOG_REACH:
                    break
                yield number, other, abs(began_utc - at_utc) // timedelta(milliseconds=1)


def _offsets(ours: Sequence[Line], theirs: Sequence[Logged], pairs: Mapping[int, int]) -> dict[str, float]:
    apart = defaultdict[str, list[float]](list)
    for number, other in pairs.items():
        began_utc = ours[number].began_utc
        if began_utc is not None and theirs[other].is_aired:
            apart[ours[number].channel].append((began_utc - theirs[other].began_utc).total_seconds())
    usual = {channel: median(seconds) for channel, seconds in sorted(apart.items())}
    return {channel: offset_s for channel, offset_s in usual.items() if abs(offset_s) <= OFFSET_S_MAX}


def _compared(line: Line | None, logged: Logged | None, offsets_s: Mapping[str, float]) -> Compared:
    began_utc = line.began_utc if line else None
    difference_s = length_difference_s = None
    if line is not None and logged is not None and began_utc is not None:
        difference_s = (began_utc - logged.began_utc).total_seconds()
        aired_s = line.heard[0].aired_s
        length_difference_s = None if aired_s is None or logged.length_s is None else aired_s - logged.length_s
    apart_s = None if difference_s is None or line is None else difference_s - offsets_s.get(line.channel, 0.0)
    return Compared(
        agreement=_agreement(line, logged, apart_s, length_difference_s),
        line=line,
        logged=logged,
        difference_s=difference_s,
        length_difference_s=length_difference_s,
    )


def _agreement(line: Line | None, logged: Logged | None, apart_s: float | None, longer_s: float | None) -> Agreement:
    if logged is None:
        assert line is not None
        return _unlogged(line)
    if apart_s is None:
        return _unheard(line, logged)
    if not logged.is_aired:
        return Agreement.DENIED
    if abs(apart_s) > SAME_TIME_S:
        return Agreement.TIMES_DIFFER
    return Agreement.LENGTHS_DIFFER if longer_s is not None and abs(longer_s) > SAME_LENGTH_S else Agreement.AGREES


def _unheard(line: Line | None, logged: Logged) -> Agreement:
    if not logged.is_aired:
        return Agreement.BOTH_MISSED
    nobody = line is not None and line.verdict is Verdict.NOT_LISTENED
    return Agreement.NOT_LISTENED if nobody else Agreement.NOT_HEARD


def _unlogged(line: Line) -> Agreement:
    if line.heard:
        return Agreement.NOT_LOGGED
    return Agreement.OPEN if line.verdict is Verdict.PENDING else Agreement.NEITHER


def _order(row: Compared) -> tuple[datetime, str, int]:
    if row.line is not None:
        return row.line.at_utc, row.line.channel, row.logged.row if row.logged else 0
    assert row.logged is not None
    return row.logged.began_utc, row.logged.channel, row.logged.row
