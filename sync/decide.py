"""Deciding what a signal asks for. Pure: the signal and the cues come in, intents come out; nothing is looked up."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sync.conditions import (
    GoalCondition,
    SpotCondition,
    TriggerCondition,
    day_of,
    device_fault,
    goal_fault,
    hours_fault,
    plan_fault,
)
from sync.cues import Cue
from sync.media import Media, media_by_text
from sync.quorum import Quorum, marker_key, score_key, sound_key, witness_key
from sync.signals import GoalScored, GoalTakenBack, OccurrenceId, SpotHeard, SpotMarked, SpotPlanned, Triggered
from sync.states import Action, Mode
from sync.tweets import field_fault, fields_of, fill, fillable, minute_of

_NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a detection or a marker rests on, judged by the gate; None in an intent that rests on a signed event.

    Attributes:
        feed_id: the feed, or the source of markers.
        score, threshold: of a detection; a marker has none.
        status_age_ns: age of the source's last status when it told, None if there was none.
        source: what it is, in words.
    """

    feed_id: str
    score: float
    threshold: float
    status_age_ns: int | None
    source: str = "feed"


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
        media: what goes with each text, where something does.
        text_fault: why none of them may be posted; empty when they may.
        off_plan: the spot was heard where no plan has it.
        window: None where there is none to keep (a goal).
        condition_fault: why the occurrence is not one the cue waits for; empty when it is.
        day: the broadcast day whose earlier airings count, None where it does not matter how many there were.
        taken_back: the goal does not stand any more.
        fire_mono_ns: not before this (the audience delay, the confirmation).
        deadline_mono_ns: not after this.
        quorum: what another source must say besides, None where one is enough.
        on_air_fault: why it does not count as on air; empty when it does, or while it is only armed.
        restart_of: the fixture whose play must go on first, None where nothing is waited for.
        action: what it asks of the account; a correction is posted instead of a tweet that was taken back.
        of_firing_id, of_mode: for a correction, the firing it corrects and the mode that was posted in.
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
    condition_fault: str = ""
    day: tuple[datetime, datetime] | None = None
    quorum: Quorum | None = None
    on_air_fault: str = ""
    restart_of: str | None = None
    action: Action = Action.POST
    of_firing_id: int | None = None
    of_mode: Mode | None = None
    media: Mapping[str, tuple[Media, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Now, by both clocks."""

    mono_ns: int
    utc: datetime


def decide_spot(signal: SpotHeard, cues: Iterable[Cue], *, status_age_ns: int | None, now: Moment) -> tuple[Intent, ...]:
    """One intent for each cue that waits for this spot on this channel, in the order in which they are to be claimed."""
    return _in_order(
        _spot_intent(signal, cue, cue.on, status_age_ns=status_age_ns, now=now)
        for cue in cues
        if isinstance(cue.on, SpotCondition)
        and cue.on.channel == signal.channel
        and cue.on.by != "marker"
        and _wanted(cue.on, signal)
    )


def decide_marked(signal: SpotMarked, cues: Iterable[Cue], *, status_age_ns: int | None, now: Moment) -> tuple[Intent, ...]:
    """One intent for each cue that waits for this spot's marker on this channel, in the order in which they are to be claimed."""
    return _in_order(
        _marked_intent(signal, cue, cue.on, status_age_ns=status_age_ns, now=now)
        for cue in cues
        if isinstance(cue.on, SpotCondition)
        and cue.on.channel == signal.channel
        and cue.on.by != "sound"
        and _wanted(cue.on, signal)
    )


def decide_planned(signal: SpotPlanned, cues: Iterable[Cue], *, evidence: Evidence, now: Moment) -> tuple[Intent, ...]:
    """One intent for each cue whose author lets it fire at this airing's planned instant while its feeds are down.

    Args:
        evidence: what says that they are.
    """
    return _in_order(
        _begun_intent(signal, cue, cue.on, evidence=evidence, quorum=None, now=now)
        for cue in cues
        if isinstance(cue.on, SpotCondition)
        and cue.on.feed_down == "fire_as_planned"
        and cue.on.channel == signal.channel
        and signal.spot_id in cue.on.spots
    )


def decide_goal(
    signal: GoalScored, cues: Iterable[Cue], *, names: Mapping[str, tuple[str, str]], now: Moment
) -> tuple[Intent, ...]:
    """One intent for each cue that waits for this side of this fixture, in the order in which they are to be claimed.

    Args:
        names: home and away by fixture.
    """
    return _in_order(
        _goal_intent(signal, cue, cue.on, names=names, now=now)
        for cue in cues
        if isinstance(cue.on, GoalCondition) and cue.on.fixture == signal.fixture and cue.on.side in ("any", signal.side)
    )


def decide_trigger(signal: Triggered, cues: Iterable[Cue], *, now: Moment) -> tuple[Intent, ...]:
    """One intent for each cue that waits for this trigger, in the order in which they are to be claimed."""
    return _in_order(
        _trigger_intent(signal, cue, cue.on, now=now)
        for cue in cues
        if isinstance(cue.on, TriggerCondition) and (cue.on.fixture, cue.on.name) == (signal.fixture, signal.name)
    )


def _in_order(intents: Iterable[Intent]) -> tuple[Intent, ...]:
    # The highest priority claims first, and what is declined anyway keeps nobody waiting.
    return tuple(sorted(intents, key=lambda intent: (bool(intent.condition_fault), -intent.cue.priority)))


def _wanted(on: SpotCondition, signal: SpotHeard | SpotMarked) -> bool:
    # On plan the airing's spot is what counts; off plan any of the candidates, so that the refusal is recorded.
    heard = (signal.spot_id,) if signal.airing else signal.spot_ids
    return any(spot_id in on.spots for spot_id in heard)


def _spot_intent(signal: SpotHeard, cue: Cue, on: SpotCondition, *, status_age_ns: int | None, now: Moment) -> Intent:
    evidence = evidence_of(signal, status_age_ns=status_age_ns)
    told_by, wanted, key = f"the sound of feed {signal.feed_id}", "the marker", marker_key(signal.occurrence_id)
    return _begun_intent(signal, cue, on, evidence=evidence, quorum=_both(on, signal, key, told_by, wanted), now=now)


def evidence_of(signal: SpotHeard, *, status_age_ns: int | None) -> Evidence:
    """What a detection rests on."""
    return Evidence(feed_id=signal.feed_id, score=signal.score, threshold=signal.threshold, status_age_ns=status_age_ns)


def _marked_intent(signal: SpotMarked, cue: Cue, on: SpotCondition, *, status_age_ns: int | None, now: Moment) -> Intent:
    evidence = Evidence(
        feed_id=signal.source_id, score=0.0, threshold=0.0, status_age_ns=status_age_ns, source="source of markers"
    )
    told_by, wanted, key = f"the marker of {signal.source_id}", "the sound", sound_key(signal.occurrence_id)
    return _begun_intent(signal, cue, on, evidence=evidence, quorum=_both(on, signal, key, told_by, wanted), now=now)


def _both(on: SpotCondition, signal: SpotHeard | SpotMarked, key: str, told_by: str, wanted: str) -> Quorum | None:
    if on.by != "both":
        return None
    within_ns = on.within_ms * _NS_PER_MS
    return Quorum(key=key, told_by=told_by, wanted=wanted, at_mono_ns=signal.on_air_mono_ns, within_ns=within_ns)


def _begun_intent(
    signal: SpotHeard | SpotMarked | SpotPlanned,
    cue: Cue,
    on: SpotCondition,
    *,
    evidence: Evidence,
    quorum: Quorum | None,
    now: Moment,
) -> Intent:
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
        evidence=evidence,
        quorum=quorum,
        taken_back=False,
        on_air_mono_ns=signal.on_air_mono_ns,
        on_air_utc=signal.on_air_utc,
        heard_mono_ns=signal.heard_mono_ns,
        decided_mono_ns=now.mono_ns,
        decided_utc=now.utc,
        fire_mono_ns=signal.on_air_mono_ns + cue.audience_delay_ms * _NS_PER_MS,
        deadline_mono_ns=signal.on_air_mono_ns + cue.deadline_ms * _NS_PER_MS,
        condition_fault=(plan_fault(on, airing.planned_utc, signal.on_air_utc) if airing else "")
        or hours_fault(cue.when, signal.on_air_utc),
        day=day_of(cue.when, signal.on_air_utc) if on.counts_the_day else None,
        media=media_by_text(cue.media, enumerate(cue.variants, start=1)),
    )


def _rotated(variants: tuple[str, ...], by: int) -> tuple[str, ...]:
    # Texts with fields can be used again; beginning each goal with another one keeps them from sounding alike.
    start = by % len(variants)
    return variants[start:] + variants[:start]


def _goal_intent(signal: GoalScored, cue: Cue, on: GoalCondition, *, names: Mapping[str, tuple[str, str]], now: Moment) -> Intent:
    fields = {
        **_team_fields(signal, names),
        "home_score": str(signal.home_score),
        "away_score": str(signal.away_score),
        "period": signal.period,
        "clock": signal.clock,
        "minute": minute_of(signal.clock),
    }
    texts = fillable(_rotated(cue.variants, signal.ordinal + signal.take - 2), fields)
    return Intent(
        cue=cue,
        occurrence_id=signal.occurrence_id,
        texts=texts,
        text_fault=field_fault(fields) or _names_fault(signal, fields) or ("" if texts else _BLANK),
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
        fire_mono_ns=signal.on_air_mono_ns + max(cue.audience_delay_ms, cue.confirm_ms) * _NS_PER_MS,
        deadline_mono_ns=signal.on_air_mono_ns + cue.deadline_ms * _NS_PER_MS,
        condition_fault=goal_fault(on, signal) or hours_fault(cue.when, signal.on_air_utc),
        quorum=_second_source(on, signal),
        restart_of=signal.fixture if cue.confirm_restart else None,
        media=media_by_text(cue.media, _filled(cue.variants, fields)),
    )


def _trigger_intent(signal: Triggered, cue: Cue, on: TriggerCondition, *, now: Moment) -> Intent:
    return Intent(
        cue=cue,
        occurrence_id=signal.occurrence_id,
        texts=cue.variants,
        text_fault="",
        spot_id=None,
        off_plan=False,
        window=None,
        evidence=None,
        taken_back=False,
        on_air_mono_ns=signal.on_air_mono_ns,
        on_air_utc=signal.on_air_utc,
        heard_mono_ns=signal.heard_mono_ns,
        decided_mono_ns=now.mono_ns,
        decided_utc=now.utc,
        fire_mono_ns=signal.on_air_mono_ns + cue.audience_delay_ms * _NS_PER_MS,
        deadline_mono_ns=signal.on_air_mono_ns + cue.deadline_ms * _NS_PER_MS,
        condition_fault=device_fault(on.devices, signal.device) or hours_fault(cue.when, signal.on_air_utc),
        quorum=_second_device(on, signal),
        media=media_by_text(cue.media, enumerate(cue.variants, start=1)),
    )


def _second_source(on: GoalCondition, signal: GoalScored) -> Quorum | None:
    if not on.witness:
        return _second_device(on, signal)
    by_whom = f" of device {on.witness_device}" if on.witness_device else ""
    what = "the horn" if on.witness == "horn" else f"the trigger {on.witness}"
    return Quorum(
        key=witness_key(on.fixture, on.witness, on.witness_device),
        told_by=f"device {signal.device}",
        wanted=f"{what}{by_whom}",
        at_mono_ns=signal.on_air_mono_ns,
        within_ns=on.within_ms * _NS_PER_MS,
    )


def _second_device(on: GoalCondition | TriggerCondition, signal: GoalScored | Triggered) -> Quorum | None:
    other = next((device for device in on.devices if device != signal.device), None)
    if other is None:
        return None
    return Quorum(
        key=score_key(other, signal.occurrence_id),
        told_by=f"device {signal.device}",
        wanted=f"device {other}",
        at_mono_ns=signal.on_air_mono_ns,
        within_ns=on.within_ms * _NS_PER_MS,
    )


def _filled(variants: tuple[str, ...], fields: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    for number, variant in enumerate(variants, start=1):
        if all(fields[name] for name in fields_of(variant)):
            yield number, fill(variant, fields)


_BLANK = "every variant uses a field that the scoreboard leaves blank"


def _team_fields(signal: GoalScored | GoalTakenBack, names: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    home, away = names.get(signal.fixture, ("", ""))
    side, opponent = (home, away) if signal.side == "home" else (away, home)
    return {"home": home, "away": away, "side": side, "opponent": opponent}


def _names_fault(signal: GoalScored | GoalTakenBack, fields: Mapping[str, str]) -> str:
    return "" if fields["home"] and fields["away"] else f"the names of fixture {signal.fixture} are not configured"


def decide_correction(
    signal: GoalTakenBack,
    cue: Cue,
    *,
    firing_id: int,
    mode: Mode,
    names: Mapping[str, tuple[str, str]],
    deadline_mono_ns: int,
    now: Moment,
) -> Intent:
    """The correction that follows a tweet whose goal was taken back.

    Args:
        firing_id, mode: the firing that posted it, and how.
        deadline_mono_ns: when it is too late for a correction to be worth posting.
    """
    fields = _team_fields(signal, names)
    return Intent(
        cue=cue,
        occurrence_id=signal.occurrence_id,
        texts=fillable(cue.corrections, fields),
        text_fault=_names_fault(signal, fields),
        spot_id=None,
        off_plan=False,
        window=None,
        evidence=None,
        taken_back=False,
        on_air_mono_ns=signal.on_air_mono_ns,
        on_air_utc=signal.on_air_utc,
        heard_mono_ns=signal.heard_mono_ns,
        decided_mono_ns=now.mono_ns,
        decided_utc=now.utc,
        fire_mono_ns=now.mono_ns,
        deadline_mono_ns=deadline_mono_ns,
        action=Action.CORRECT,
        of_firing_id=firing_id,
        of_mode=mode,
    )
