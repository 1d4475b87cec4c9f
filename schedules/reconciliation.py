"""Planned, heard and fired, side by side: one line for each airing, and every detection and firing in exactly one line. Pure.

An airing takes what was heard of its spot in its window before anything else is considered; what is left may be another version
of it in the same window, and then the same spot outside it. In each of the three rounds as many airings as possible get one, and
of all ways to do that the one nearest to the plan counts, so that no airing loses its only broadcast to a neighbour.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from schedules.airing import Airing
from schedules.as_run import Fate, Fired, Heard, Line, Listened, Verdict, began_of
from schedules.matching import best_pairs

SAME_BROADCAST = timedelta(seconds=15)
"""Two feeds of a channel that hear a spot this close together heard the same broadcast of it."""
BREAK_REACH = timedelta(hours=3)
"""A spot is taken for an airing planned at most this far away; what lies further was not this airing."""
UNHEARD_GAP = timedelta(seconds=2)
"""A shorter interruption hides no spot: the follower joins late what began in it."""
SETTLING = timedelta(seconds=60)
"""What was heard, and that somebody listened, is on record this soon after a window has closed."""
OCCURRENCE_PREFIX = "airing:"
"""How the occurrence of a planned airing begins; its airing's id follows."""

_FATES = (
    *((Fate.UNSETTLED, Verdict.UNSETTLED), (Fate.FAILED, Verdict.FAILED), (Fate.POSTED, Verdict.FIRED)),
    *((Fate.WAITING, Verdict.WAITING), (Fate.LATE, Verdict.LATE), (Fate.HELD, Verdict.HELD), (Fate.REHEARSED, Verdict.REHEARSED)),
)
"""Of several cues the first of these fates is the airing's: what needs a person comes first, and all is well only at the end."""
_BEST_OF_CUE = (Fate.POSTED, Fate.UNSETTLED, Fate.FAILED, Fate.WAITING, Fate.REHEARSED, Fate.LATE, Fate.HELD)
"""Of several records of one cue the one that counts: a feed's weak evidence was held before the other feed fired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What spots belong to.

    Attributes:
        campaigns: by channel and spot.
        families: by spot, what all versions of it are called; a spot that is left out has no other version.
    """

    campaigns: Mapping[tuple[str, str], str] = field(default_factory=dict)
    families: Mapping[str, str] = field(default_factory=dict)

    def campaign(self, channel: str, spot_id: str) -> str:
        """The campaign of a spot on a channel, empty when it has none."""
        return self.campaigns.get((channel, spot_id), "")

    def families_of(self, spot_ids: Iterable[str]) -> frozenset[str]:
        """What all versions of these spots are called."""
        return frozenset(self.families[spot_id] for spot_id in spot_ids if spot_id in self.families)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Broadcast:
    """What one or several feeds of a channel heard of one broadcast."""

    heard: tuple[Heard, ...]

    @property
    def channel(self) -> str:
        return self.heard[0].channel

    @property
    def began_utc(self) -> datetime:
        return began_of(self.heard)

    @property
    def spot_ids(self) -> frozenset[str]:
        """What it may be: whoever followed it to its end knows best."""
        return frozenset(min(self.heard, key=lambda one: (len(one.spot_ids), one.spot_ids)).spot_ids)

    @property
    def best(self) -> Heard:
        return self.heard[0]


def reconcile(
    airings: Iterable[Airing],
    heard: Iterable[Heard],
    fired: Iterable[Fired],
    listened: Iterable[Listened],
    *,
    now_utc: datetime,
    names: Names | None = None,
) -> tuple[Line, ...]:
    """The report's lines, in order of time.

    Args:
        heard: detections of the span, each with an id of its own.
        listened: when somebody listened; outside of it nothing is known of what aired.
        now_utc: airings whose window has not closed a minute before are pending.
        names: what spots belong to.
    """
    names = names or Names()
    planned = sorted(airings, key=lambda one: (one.planned_utc, one.airing_id))
    broadcasts = _broadcasts(heard)
    pairs = _paired(planned, broadcasts, names)
    firings = defaultdict[str, list[Fired]](list)
    for one in sorted(fired, key=lambda one: one.firing_id):
        firings[one.occurrence_id].append(one)
    ears = _Ears(listened)
    lines = [
        _airing_line(
            airing,
            broadcasts[pairs[number]] if number in pairs else None,
            firings.pop(f"{OCCURRENCE_PREFIX}{airing.airing_id}", []),
            ears=ears,
            names=names,
            now_utc=now_utc,
        )
        for number, airing in enumerate(planned)
    ]
    taken = set(pairs.values())
    free = [broadcast for number, broadcast in enumerate(broadcasts) if number not in taken]
    lines += [_off_plan_line(broadcast, firings, names) for broadcast in free]
    lines += [_unplanned_line(occurrence, names) for occurrence in firings.values()]
    return tuple(sorted(lines, key=_order))


def _order(line: Line) -> tuple[datetime, str, str, int, int]:
    first_heard = min((one.detection_id for one in line.heard), default=0)
    first_fired = min((one.firing_id for one in line.fired), default=0)
    return line.at_utc, line.channel, line.airing.airing_id if line.airing else "", first_heard, first_fired


# --- one broadcast, several feeds ---------------------------------------------------------------


def _broadcasts(heard: Iterable[Heard]) -> list[_Broadcast]:
    """The detections by broadcast: of one spot, close together, no feed twice."""
    open_by_channel = defaultdict[str, list[list[Heard]]](list)
    groups: list[list[Heard]] = []
    for one in sorted(heard, key=lambda one: (one.began_utc, one.channel, one.feed_id, one.detection_id)):
        near = [group for group in open_by_channel[one.channel] if one.began_utc - group[0].began_utc <= SAME_BROADCAST]
        mine = next((group for group in near if _is_same(group, one)), None)
        if mine is None:
            mine = []
            near.append(mine)
            groups.append(mine)
        mine.append(one)
        open_by_channel[one.channel] = near
    return [_Broadcast(heard=tuple(sorted(group, key=_fullest_first))) for group in groups]


def _is_same(group: Sequence[Heard], one: Heard) -> bool:
    return all(other.feed_id != one.feed_id and set(other.spot_ids) & set(one.spot_ids) for other in group)


def _fullest_first(one: Heard) -> tuple[bool, bool, float, datetime, int]:
    return one.is_joined_late, one.cut_s is not None, -(one.coverage or 0.0), one.began_utc, one.detection_id


# --- who gets what ------------------------------------------------------------------------------


def _paired(planned: Sequence[Airing], broadcasts: Sequence[_Broadcast], names: Names) -> dict[int, int]:
    """The broadcast of each airing that got one, both by their place."""
    of_spot = _Index((((one.channel, spot_id) for spot_id in one.spot_ids), one) for one in broadcasts)
    of_family = _Index((((one.channel, family) for family in names.families_of(one.spot_ids)), one) for one in broadcasts)
    pairs: dict[int, int] = {}
    for index, name_of, span_of in (
        (of_spot, lambda airing: airing.spot_id, _window),
        (of_family, lambda airing: names.families.get(airing.spot_id, ""), _window),
        (of_spot, lambda airing: airing.spot_id, _reach),
    ):
        taken = set(pairs.values())
        pairs |= best_pairs(
            (number, found, abs(_deviation_ms(airing, broadcasts[found])))
            for number, airing in enumerate(planned)
            if number not in pairs
            for found in index.between((airing.channel, name_of(airing)), *span_of(airing))
            if found not in taken
        )
    return pairs


class _Index:
    """Places of broadcasts by what they may be and when they began."""

    def __init__(self, entries: Iterable[tuple[Iterable[tuple[str, str]], _Broadcast]]) -> None:
        self._found = defaultdict[tuple[str, str], list[tuple[datetime, int]]](list)
        for number, (keys, broadcast) in enumerate(entries):
            for key in keys:
                self._found[key].append((broadcast.began_utc, number))
        for found in self._found.values():
            found.sort()

    def between(self, key: tuple[str, str], begin_utc: datetime, end_utc: datetime) -> Iterator[int]:
        """The places of those that began within a span, both ends included."""
        found = self._found.get(key, [])
        for began_utc, number in found[bisect_left(found, (begin_utc, 0)) :]:
            if began_utc > end_utc:
                return
            yield number


def _window(airing: Airing) -> tuple[datetime, datetime]:
    return airing.opens_utc, airing.closes_utc


def _reach(airing: Airing) -> tuple[datetime, datetime]:
    return airing.planned_utc - BREAK_REACH, airing.planned_utc + BREAK_REACH


def _began_in_window(airing: Airing, broadcast: _Broadcast) -> bool:
    return airing.opens_utc <= broadcast.began_utc <= airing.closes_utc


def _deviation_ms(airing: Airing, broadcast: _Broadcast) -> int:
    return (broadcast.began_utc - airing.planned_utc) // timedelta(milliseconds=1)


# --- the lines ----------------------------------------------------------------------------------


def _airing_line(
    airing: Airing, broadcast: _Broadcast | None, fired: list[Fired], *, ears: "_Ears", names: Names, now_utc: datetime
) -> Line:
    of_cue = _of_cues(fired)
    verdict, why = _unheard(airing, of_cue, ears, now_utc) if broadcast is None else _heard(airing, broadcast, of_cue)
    return Line(
        verdict=verdict,
        why=why,
        channel=airing.channel,
        spot_id=airing.spot_id,
        campaign=_campaign(of_cue, airing.channel, airing.spot_id, names),
        airing=airing,
        heard=() if broadcast is None else broadcast.heard,
        fired=tuple(fired),
    )


def _unheard(airing: Airing, of_cue: Sequence[Fired], ears: "_Ears", now_utc: datetime) -> tuple[Verdict, str]:
    told = next((verdict for fate, verdict in _FATES if fate is not Fate.HELD and any(one.fate is fate for one in of_cue)), None)
    if told is not None:
        why = "no sound of it is on record"
        return told, "; ".join([why, *_others(of_cue)])
    if now_utc < airing.closes_utc + SETTLING:
        return Verdict.PENDING, f"its window closes at {airing.closes_utc:%H:%M:%S} UTC"
    deaf = ears.longest_gap(airing.channel, airing.opens_utc, airing.closes_utc)
    if deaf is not None:
        return Verdict.NOT_LISTENED, f"nobody listened from {deaf[0]:%H:%M:%S} to {deaf[1]:%H:%M:%S} UTC"
    return Verdict.NOT_HEARD, "; ".join(_others(of_cue))


def _heard(airing: Airing, broadcast: _Broadcast, of_cue: Sequence[Fired]) -> tuple[Verdict, str]:
    best = broadcast.best
    fates = "; ".join(_others(of_cue))
    if airing.spot_id not in broadcast.spot_ids:
        return Verdict.WRONG_VERSION, _joined(f"{' or '.join(sorted(broadcast.spot_ids))} was heard", fates)
    if not _began_in_window(airing, broadcast):
        late_s = (broadcast.began_utc - airing.planned_utc).total_seconds()
        return Verdict.WRONG_BREAK, _joined(f"{abs(late_s):.0f} s {'after' if late_s > 0 else 'before'} its plan", fates)
    if best.is_joined_late:
        return Verdict.JOINED_LATE, _joined(_share(best), fates)
    if best.cut_s is not None:
        return Verdict.CUT_SHORT, _joined(f"broken off after {best.cut_s:.1f} s", fates)
    verdict = next((verdict for fate, verdict in _FATES if any(one.fate is fate for one in of_cue)), Verdict.HEARD)
    return verdict, fates


def _share(best: Heard) -> str:
    return "" if best.coverage is None else f"{best.coverage:.0%} of it was heard"


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _others(of_cue: Sequence[Fired]) -> list[str]:
    """Each cue whose tweet is not simply there, and why."""
    return [
        f"{one.cue_name or one.cue_id} {one.fate}" + (f": {one.reason}" if one.reason else "")
        for one in of_cue
        if one.fate not in (Fate.POSTED, Fate.REHEARSED)
    ]


def _of_cues(fired: Sequence[Fired]) -> list[Fired]:
    """Of each cue the record that counts."""
    of_cue: dict[str, Fired] = {}
    for one in fired:
        known = of_cue.get(one.cue_id)
        if known is None or _BEST_OF_CUE.index(one.fate) <= _BEST_OF_CUE.index(known.fate):
            of_cue[one.cue_id] = one
    return list(of_cue.values())


def _campaign(fired: Sequence[Fired], channel: str, spot_id: str, names: Names) -> str:
    return next((one.campaign for one in fired if one.campaign), "") or names.campaign(channel, spot_id)


def _off_plan_line(broadcast: _Broadcast, firings: dict[str, list[Fired]], names: Names) -> Line:
    """A broadcast without an airing, with the records of the occurrences it was taken for."""
    occurrences = sorted({one.occurrence_id for one in broadcast.heard})
    fired = [one for occurrence in occurrences for one in firings.pop(occurrence, [])]
    channel, spot_id = broadcast.channel, broadcast.best.spot_id
    why = "" if len(broadcast.spot_ids) == 1 else f"it may be {' or '.join(sorted(broadcast.spot_ids))}"
    campaign = _campaign(fired, channel, spot_id, names)
    return Line(
        verdict=Verdict.OFF_PLAN,
        why=_joined(why, *_others(_of_cues(fired))),
        channel=channel,
        spot_id=spot_id,
        campaign=campaign,
        airing=None,
        heard=broadcast.heard,
        fired=tuple(fired),
    )


def _unplanned_line(fired: Sequence[Fired], names: Names) -> Line:
    first = fired[0]
    return Line(
        verdict=Verdict.UNPLANNED,
        why=_joined(*(f"{one.cue_name or one.cue_id} {one.fate}" + (f": {one.reason}" if one.reason else "") for one in fired)),
        channel=first.channel,
        spot_id=first.spot_id,
        campaign=_campaign(fired, first.channel, first.spot_id, names),
        airing=None,
        heard=(),
        fired=tuple(fired),
    )


# --- who listened -------------------------------------------------------------------------------


class _Ears:
    """When somebody listened to each channel, whichever feed it was."""

    def __init__(self, listened: Iterable[Listened]) -> None:
        self._spans: dict[str, list[tuple[datetime, datetime]]] = {}
        for span in sorted(listened, key=lambda one: (one.began_utc, one.until_utc)):
            spans = self._spans.setdefault(span.channel, [])
            if spans and span.began_utc <= spans[-1][1] + UNHEARD_GAP:
                spans[-1] = (spans[-1][0], max(spans[-1][1], span.until_utc))
            else:
                spans.append((span.began_utc, span.until_utc))

    def longest_gap(self, channel: str, opens_utc: datetime, closes_utc: datetime) -> tuple[datetime, datetime] | None:
        """The longest time within a window in which nobody listened, None when somebody always did."""
        gaps = [gap for gap in self._gaps(channel, opens_utc, closes_utc) if gap[1] - gap[0] > UNHEARD_GAP]
        return max(gaps, key=lambda gap: gap[1] - gap[0], default=None)

    def _gaps(self, channel: str, opens_utc: datetime, closes_utc: datetime) -> Iterator[tuple[datetime, datetime]]:
        deaf_since_utc = opens_utc
        for began_utc, until_utc in self._spans.get(channel, []):
            if until_utc < opens_utc:
                continue
            if began_utc > closes_utc:
                break
            if began_utc > deaf_since_utc:
                yield deaf_since_utc, began_utc
            deaf_since_utc = max(deaf_since_utc, until_utc)
        if deaf_since_utc < closes_utc:
            yield deaf_since_utc, closes_utc
