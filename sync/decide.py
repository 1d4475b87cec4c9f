"""Deciding what a signal asks for. Pure: the signal and the cues come in, intents come out; nothing is looked up."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sync.cues import Cue, GoalCondition, SpotCondition, field_fault, fill
from sync.signals import GoalScored, OccurrenceId, SpotHeard

_NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a detection rests on, judged by the gate; None in an intent that rests on a signed event.

    Attributes:
        status_age_ns: age of the feed's last status when the detection arrived, None if there was none.
    """

    feed_id: str
    score: float
    threshold: float
    status_age_ns: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When an occurrence counts, and when it happened."""

    opens_utc: datetime
    closes_utc: datetime
    on_air_utc: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A cue that a signal matched: everything known about the firing before the ledger is asked.

    Attributes:
        texts: the cue's variants as they would be posted, in order of preference.
        text_fault: why none of them may be posted; empty when they may.
        off_plan: the spot was heard where no plan has it.
        window: None where there is none to keep (a goal).
        taken_back: the goal does not stand any more.
        fire_mono_ns: not before this (the audience delay).
        deadline_mono_ns: not after this.
    """

    cue: Cue
    occurrence_id: OccurrenceId
    texts: tuple[str, ...]
    text_fault: str
    spot_id: str | None
    off_plan: bool
    window: Window | None
    evidence: Evidence | None
    taken_back: bool
    on_air_mono_ns: int
    on_air_utc: datetime
    heard_mono_ns: int
    decided_mono_ns: int
    decided_utc: datetime
    fire_mono_ns: int
    deadline_mono_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Now, by both clocks."""

    mono_ns: int
    utc: datetime


def decide_spot(signal: SpotHeard, cues: Iterable[Cue], *, status_age_ns: int | None, now: Moment) -> tuple[Intent, ...]:
    """One intent for each cue that waits for this spot on this channel."""
    return tuple(
        _spot_intent(signal, cue, status_age_ns=status_age_ns, now=now)
        for cue in cues
        if isinstance(cue.on, SpotCondition) and cue.on.channel == signal.channel and _wanted(cue.on, signal)
    )


def decide_goal(
    signal: GoalScored, cues: Iterable[Cue], *, names: Mapping[str, tuple[str, str]], now: Moment
) -> tuple[Intent, ...]:
    """One intent for each cue that waits for this side of this fixture; `names` are home and away by fixture."""
    return tuple(
        _goal_intent(signal, cue, names=names, now=now)
        for cue in cues
        if isinstance(cue.on, GoalCondition) and cue.on.fixture == signal.fixture and cue.on.side in ("any", signal.side)
    )


def _wanted(on: SpotCondition, signal: SpotHeard) -> bool:
    # On plan the airing's spot is what counts; off plan any of the candidates, so that the refusal is recorded.
    heard = (signal.spot_id,) if signal.airing else signal.spot_ids
    return any(spot_id in on.spots for spot_id in heard)


def _spot_intent(signal: SpotHeard, cue: Cue, *, status_age_ns: int | None, now: Moment) -> Intent:
    airing = signal.airing
    window = Window(opens_utc=airing.opens_utc, closes_utc=airing.closes_utc, on_air_utc=signal.on_air_utc) if airing else None
    return Intent(
        cue=cue,
        occurrence_id=signal.occurrence_id,
        texts=cue.variants,
        text_fault="",
        spot_id=signal.spot_id,
        off_plan=airing is None,
        window=window,
        evidence=Evidence(feed_id=signal.feed_id, score=signal.score, threshold=signal.threshold, status_age_ns=status_age_ns),
        taken_back=False,
        on_air_mono_ns=signal.on_air_mono_ns,
        on_air_utc=signal.on_air_utc,
        heard_mono_ns=signal.heard_mono_ns,
        decided_mono_ns=now.mono_ns,
        decided_utc=now.utc,
        fire_mono_ns=signal.on_air_mono_ns + cue.audience_delay_ms * _NS_PER_MS,
        deadline_mono_ns=signal.on_air_mono_ns + cue.deadline_ms * _NS_PER_MS,
    )


def _rotated(variants: tuple[str, ...], by: int) -> tuple[str, ...]:
    # Texts with fields can be used again; beginning each goal with another one keeps them from sounding alike.
    start = by % len(variants)
    return variants[start:] + variants[:start]


def _goal_intent(signal: GoalScored, cue: Cue, *, names: Mapping[str, tuple[str, str]], now: Moment) -> Intent:
    home, away = names.get(signal.fixture, ("", ""))
    fields = {
        "home": home,
        "away": away,
        "home_score": str(signal.home_score),
        "away_score": str(signal.away_score),
        "period": signal.period,
        "clock": signal.clock,
    }
    fault = field_fault(fields) or ("" if home and away else f"the names of fixture {signal.fixture} are not configured")
    return Intent(
        cue=cue,
        occurrence_id=signal.occurrence_id,
        texts=tuple(dict.fromkeys(fill(variant, fields) for variant in _rotated(cue.variants, signal.ordinal + signal.take - 2))),
        text_fault=fault,
        spot_id=None,
        off_plan=False,
        window=None,
        evidence=None,
        taken_back=signal.taken_back,
        on_air_mono_ns=signal.on_air_mono_ns,
        on_air_utc=signal.on_air_utc,
        heard_mono_ns=signal.heard_mono_ns,
        decided_mono_ns=now.mono_ns,
        decided_utc=now.utc,
        fire_mono_ns=signal.on_air_mono_ns + cue.audience_delay_ms * _NS_PER_MS,
        deadline_mono_ns=signal.on_air_mono_ns + cue.deadline_ms * _NS_PER_MS,
    )
