"""From readings to what they mean: goals, corrections, periods, play going on, and a score to begin again from.

Pure: the instants come with the readings. The keeper remembers the last score it believed and never
fires on the first one it sees, nor after a silence: what happened while nobody looked is not known.

    blank field                    the side keeps its last score: a blank is not a zero
    plain step of the sport        goal; at once from a checked reading, else after two equal ones
    decrease                       correction, after two equal readings
    clock runs after it stood,     restart, stop, horn, time-out; at once from a checked reading, else after two equal ones
      or stops, horn, time-out
    larger jump                    begins again from the new score, with an alarm, after two
    fall to 0-0, or decrease as    the board was reset for another match: begins again, with an
      the period falls               alarm; nothing is taken back
    volleyball: fall to 0          a new set: begins again, with its own ordinals

A reading may tell points that an earlier frame told (`Reading.home_told`). Those make no baseline, and
confirm nothing where the protocol has no checksum: one frame is never its own second sight.
"""

import enum
from dataclasses import dataclass
from typing import Generic, TypeVar

from hardware.events import Reading, ScoreKind, Side, Timeout
from hardware.sports import IN_SETS, SET_ORDINALS, steps_of

T = TypeVar("T")
Score = tuple[int, int]

NS_PER_S = 1_000_000_000

SILENCE_S = 3.0
"""Without a valid reading for this long, the next one is a baseline. Most consoles repeat ten times a second."""

CONFIRMATIONS = 2
"""Equal readings that make an unchecked or unusual change believed."""


class Confidence(enum.StrEnum):
    """Why a change is believed."""

    CHECKED = "checked"
    """The frame's checksum was right."""

    REPEATED = "repeated"
    """Equal readings followed each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A reading and the instant its last byte arrived."""

    reading: Reading
    mono_ns: int
    utc_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreChange:
    """One thing that happened, as in `ScoreKind`.

    Attributes:
        side, delta, ordinal: as in `ScoreEvent`.
        home, away: the score after the change.
        first: the reading that first showed it: its instant is the event's instant, however long confirming took.
        confidence: why it is believed.
    """

    kind: ScoreKind
    side: Side | None
    delta: int
    home: int
    away: int
    ordinal: int
    first: Seen
    confidence: Confidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebaselined:
    """The keeper began again from a score without saying how it came about; one sentence why."""

    home: int
    away: int
    reason: str


Outcome = ScoreChange | Rebaselined


@dataclass(slots=True)
class _Pending(Generic[T]):
    """A new value on its way to be believed."""

    value: T
    first: Seen
    period_before: str
    count: int = 1


class _Watched(Generic[T]):
    """Something beside the score, believed after one checked or two equal readings."""

    def __init__(self) -> None:
        self.value: T | None = None
        self._pending: _Pending[T] | None = None

    def forget(self, *, value: bool) -> None:
        """Drop what is on its way, and on demand what was believed."""
        self._pending = None
        if value:
            self.value = None

    def settled(self, value: T | None, seen: Seen) -> tuple[T | None, Seen] | None:
        """What was believed before and the reading that first showed the change, once `value` is believed; else None."""
        if value is None or value == self.value:
            self._pending = None
            return None
        pending = self._pending
        if pending is None or pending.value != value:
            self._pending = pending = _Pending(value, seen, "")
        else:
            pending.count += 1
        if pending.count < (1 if seen.reading.checked else CONFIRMATIONS):
            return None
        before, self.value, self._pending = self.value, value, None
        return before, pending.first


class ScoreKeeper:
    """Remembers one match's score and says what each reading changes."""

    def __init__(self, *, sport: str, silence_s: float = SILENCE_S) -> None:
        """Keep a match of `sport`; the first valid reading after `silence_s` without one is a baseline.

        Raises:
            SettingError: the sport is not known.
        """
        self._steps, self._in_sets = steps_of(sport), sport in IN_SETS
        self._silence_ns = round(silence_s * NS_PER_S)
        self._score: Score | None = None
        self._heard: tuple[int | None, int | None] = (None, None)
        self._period = ""
        self._last_mono_ns: int | None = None
        self._pending_score: _Pending[Score] | None = None
        self._pending_period: _Pending[str] | None = None
        self._running = _Watched[bool]()
        self._horn = _Watched[bool]()
        self._timeout = _Watched[Timeout]()
        self._baseline_due = True

    @property
    def home(self) -> int | None:
        """The home side's points as last believed, None while unknown."""
        return None if self._score is None else self._score[0]

    @property
    def away(self) -> int | None:
        """The away side's points as last believed, None while unknown."""
        return None if self._score is None else self._score[1]

    @property
    def period(self) -> str:
        """The period as last believed, empty while unknown."""
        return self._period

    def forget(self) -> None:
        """Take the next valid reading as a baseline: the connection to the console was new or lost."""
        self._baseline_due = True
        self._heard = (None, None)
        self._pending_score = self._pending_period = None
        for watched in (self._running, self._horn, self._timeout):
            watched.forget(value=True)

    def observe(self, seen: Seen) -> list[Outcome]:
        """What this reading changes, in order: corrections before goals, scores before periods, restarts and the like last."""
        reading = seen.reading
        if not reading.valid:
            return []
        if self._last_mono_ns is not None and seen.mono_ns - self._last_mono_ns > self._silence_ns:
            self.forget()
        self._last_mono_ns = seen.mono_ns
        if self._baseline_due:
            return self._observe_baseline(seen)
        return [*self._observe_score(seen), *self._observe_period(seen), *self._observe_play(seen)]

    def _observe_baseline(self, seen: Seen) -> list[Outcome]:
        reading = seen.reading
        told = (reading.home if reading.home_told else None, reading.away if reading.away_told else None)
        home, away = (new if new is not None else old for new, old in zip(told, self._heard, strict=True))
        self._heard = (home, away)
        # Both sides must be lit: what an unlit one shows next may have happened while nobody looked.
        if home is None or away is None or not (reading.checked or reading.home_told or reading.away_told):
            return []
        score = (home, away)
        if not self._confirmed_score(seen, score, needed=1 if reading.checked else CONFIRMATIONS):
            return []
        before, self._score, self._period = self._score, score, reading.period or self._period
        self._pending_score = self._pending_period = None
        self._baseline_due = False
        if before is None or before == score:
            return []
        return [_begin_again(score, f"the score went from {_text(before)} to {_text(score)} while the console was not heard")]

    def _confirmed_score(self, seen: Seen, score: Score, *, needed: int) -> bool:
        pending = self._pending_score
        if pending is None or pending.value != score:
            self._pending_score = pending = _Pending(score, seen, self._period)
        else:
            pending.count += 1
        return pending.count >= needed

    def _observe_score(self, seen: Seen) -> list[Outcome]:
        reading, before = seen.reading, self._score
        if before is None:
            return []
        home = reading.home if reading.home_told or reading.checked else None
        away = reading.away if reading.away_told or reading.checked else None
        score = (before[0] if home is None else home, before[1] if away is None else away)
        if score == before:
            # A blank says nothing, so it does not take a pending change back.
            if home is not None and away is not None:
                self._pending_score = None
            return []
        deltas = [new - old for old, new in zip(before, score, strict=True)]
        # Both sides at once is rarer than damage that passes a checksum.
        plain = 0 in deltas and sum(deltas) in self._steps
        needed = 1 if reading.checked and plain else CONFIRMATIONS
        if not self._confirmed_score(seen, score, needed=needed) or self._pending_score is None:
            return []
        pending, self._pending_score, self._score = self._pending_score, None, score
        reason = self._reset_reason(before, score, deltas, periods=(pending.period_before, reading.period))
        if reason is not None:
            self._period = reading.period or self._period
            return [_begin_again(score, reason)]
        confidence = Confidence.CHECKED if needed == 1 else Confidence.REPEATED
        changes = [
            self._change(side, delta, score, pending.first, confidence) for side, delta in zip(Side, deltas, strict=True) if delta
        ]
        changes.sort(key=lambda change: change.delta > 0)
        return [*changes]

    def _reset_reason(self, before: Score, score: Score, deltas: list[int], *, periods: tuple[str, str]) -> str | None:
        if any(delta > 0 and delta not in self._steps for delta in deltas):
            return f"the score jumped from {_text(before)} to {_text(score)}; one score adds at most {max(self._steps)}"
        if self._in_sets and any(delta < -1 and points == 0 for delta, points in zip(deltas, score, strict=True)):
            return f"a new set begins: the score went from {_text(before)} to {_text(score)}; nothing is taken back"
        fall = -sum(delta for delta in deltas if delta < 0)
        # The period may have been believed while the score was being confirmed, so both are from the same sights.
        period_fell = all(period.isdigit() for period in periods) and int(periods[1]) < int(periods[0])
        if fall and (period_fell or (score == (0, 0) and fall > max(self._steps))):
            return f"the board was reset from {_text(before)} to {_text(score)}; nothing is taken back"
        return None

    def _observe_period(self, seen: Seen) -> list[Outcome]:
        period = seen.reading.period
        if not period or period == self._period:
            self._pending_period = None if period else self._pending_period
            return []
        pending = self._pending_period
        if pending is None or pending.value != period:
            self._pending_period = pending = _Pending(period, seen, self._period)
        else:
            pending.count += 1
        if pending.count < (1 if seen.reading.checked else CONFIRMATIONS):
            return []
        known, self._period, self._pending_period = self._period, period, None
        if not known or self._score is None:
            return []
        return [_without_points(ScoreKind.PERIOD, self._score, pending.first, checked=seen.reading.checked)]

    def _observe_play(self, seen: Seen) -> list[Outcome]:
        reading, score = seen.reading, self._score
        ran = self._running.settled(reading.running, seen)
        sounded = self._horn.settled(reading.horn, seen)
        called = self._timeout.settled(reading.timeout, seen)
        if score is None:
            return []
        changes: list[Outcome] = []
        # The first sight says nothing: whether it was the same before is not known.
        if ran is not None and ran[0] is not None:
            kind = ScoreKind.RESTART if self._running.value else ScoreKind.STOP
            changes.append(_without_points(kind, score, ran[1], checked=reading.checked))
        if sounded is not None and sounded[0] is False:
            changes.append(_without_points(ScoreKind.HORN, score, sounded[1], checked=reading.checked))
        if called is not None and called[0] is not None and self._timeout.value is not Timeout.NONE:
            side = {Timeout.HOME: Side.HOME, Timeout.AWAY: Side.AWAY}.get(self._timeout.value or Timeout.NONE)
            changes.append(_without_points(ScoreKind.TIMEOUT, score, called[1], checked=reading.checked, side=side))
        return changes

    def _change(self, side: Side, delta: int, score: Score, first: Seen, confidence: Confidence) -> ScoreChange:
        home, away = score
        return ScoreChange(
            kind=ScoreKind.GOAL if delta > 0 else ScoreKind.CORRECTION,
            side=side,
            delta=delta,
            home=home,
            away=away,
            ordinal=self._ordinal(home if side is Side.HOME else away, first.reading.period or self._period),
            first=first,
            confidence=confidence,
        )

    def _ordinal(self, points: int, period: str) -> int:
        """The name of the side's goal with `points`: the same for every gateway, whenever it began to look."""
        if not self._in_sets or not period.isdigit() or int(period) < 1:
            return points
        return SET_ORDINALS * (int(period) - 1) + points


def _without_points(kind: ScoreKind, score: Score, first: Seen, *, checked: bool, side: Side | None = None) -> ScoreChange:
    confidence = Confidence.CHECKED if checked else Confidence.REPEATED
    home, away = score
    return ScoreChange(kind=kind, side=side, delta=0, home=home, away=away, ordinal=0, first=first, confidence=confidence)


def _begin_again(score: Score, reason: str) -> Rebaselined:
    return Rebaselined(home=score[0], away=score[1], reason=reason)


def _text(score: Score) -> str:
    return f"{score[0]}-{score[1]}"
