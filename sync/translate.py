"""The one place where what the leaves report becomes signals. Pure: time and knowledge come as arguments."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from fingerprints.events import Detection
from hardware.events import ScoreEvent, ScoreKind
from hardware.markers import MarkerReport
from schedules.airing import Airing
from sync.fixtures import FixtureState, correct, score
from sync.signals import (
    GoalScored,
    GoalTakenBack,
    PlayRestarted,
    SpotHeard,
    SpotMarked,
    airing_occurrence,
    goal_occurrence,
    off_plan_occurrence,
)

BREAK_GAP = timedelta(minutes=3)
"""Airings of a channel that are planned further apart than this belong to different breaks."""

ScoreSignal = GoalScored | GoalTakenBack | PlayRestarted
"""What a score event can mean."""


def spot_signal(
    detection: Detection, *, channel: str, airings: Iterable[Airing], now_mono_ns: int, now_utc: datetime
) -> SpotHeard:
    """The signal of a detection: the airing whose window holds the onset, or off plan.

    The onset's UTC instant is counted back from now by the monotonic clock, so that a listener's
    wall clock has no say. Of several windows the one planned nearest counts, whatever the listener
    thinks likeliest: two feeds that cannot tell cut-downs apart must name the same airing.
    """
    # An onset in the future would move the deadline with it.
    onset_mono_ns = min(detection.onset_mono_ns, now_mono_ns)
    onset_utc = now_utc - timedelta(microseconds=(now_mono_ns - onset_mono_ns) / 1000)
    airing = airing_at(airings, channel=channel, spot_ids=detection.spot_ids, instant_utc=onset_utc)
    if airing is None:
        occurrence_id = off_plan_occurrence(channel=channel, spot_id=detection.spot_id, onset_utc=onset_utc)
    else:
        occurrence_id = airing_occurrence(airing)
    return SpotHeard(
        occurrence_id=occurrence_id,
        airing=airing,
        spot_id=airing.spot_id if airing else detection.spot_id,
        spot_ids=detection.spot_ids,
        channel=channel,
        feed_id=detection.feed_id,
        score=detection.score,
        threshold=detection.threshold,
        on_air_mono_ns=onset_mono_ns,
        on_air_utc=onset_utc,
        heard_mono_ns=detection.decided_mono_ns,
    )


def airing_at(airings: Iterable[Airing], *, channel: str, spot_ids: Iterable[str], instant_utc: datetime) -> Airing | None:
    """The airing of one of the spots whose window holds the instant, nearest to its plan; None if there is none."""
    wanted = frozenset(spot_ids)
    held = [
        airing
        for airing in airings
        if airing.channel == channel and airing.spot_id in wanted and airing.opens_utc <= instant_utc <= airing.closes_utc
    ]
    return min(held, key=lambda airing: (abs(airing.planned_utc - instant_utc), airing.airing_id), default=None)


def marker_signal(
    report: MarkerReport, *, channel: str, airings: Iterable[Airing], now_mono_ns: int, now_utc: datetime
) -> SpotMarked:
    """The signal of a marker: the airing of the spot that its identifiers name, or the one at its place in the break.

    Args:
        airings: every airing of the channel.
    """
    at_utc = now_utc + timedelta(microseconds=(report.at_mono_ns - now_mono_ns) / 1000)
    if report.spot_ids:
        airing = airing_at(airings, channel=channel, spot_ids=report.spot_ids, instant_utc=at_utc)
    else:
        airing = airing_in_break(airings, channel=channel, position=report.position, instant_utc=at_utc)
    spot_id = airing.spot_id if airing else next(iter(report.spot_ids), "")
    if airing is None:
        occurrence_id = off_plan_occurrence(channel=channel, spot_id=spot_id, onset_utc=at_utc)
    else:
        occurrence_id = airing_occurrence(airing)
    return SpotMarked(
        occurrence_id=occurrence_id,
        airing=airing,
        spot_id=spot_id,
        spot_ids=report.spot_ids,
        channel=channel,
        source_id=report.source_id,
        event=report.event,
        on_air_mono_ns=report.at_mono_ns,
        on_air_utc=at_utc,
        heard_mono_ns=report.seen_mono_ns,
    )


def airing_in_break(airings: Iterable[Airing], *, channel: str, position: int | None, instant_utc: datetime) -> Airing | None:
    """The airing that has this place in its break and whose window holds the instant, nearest to its plan; None if none has.

    A break is what is planned on a channel without a gap; the plan must hold every spot of it.
    """
    if position is None:
        return None
    found = list[Airing]()
    place, before = 0, None
    for airing in sorted((one for one in airings if one.channel == channel), key=lambda one: (one.planned_utc, one.airing_id)):
        place = 1 if before is None or airing.planned_utc - before > BREAK_GAP else place + 1
        before = airing.planned_utc
        if place == position and airing.opens_utc <= instant_utc <= airing.closes_utc:
            found.append(airing)
    return min(found, key=lambda airing: (abs(airing.planned_utc - instant_utc), airing.airing_id), default=None)


def score_signals(state: FixtureState, event: ScoreEvent) -> tuple[FixtureState, tuple[ScoreSignal, ...]]:
    """The match after a score event, and what the event means for cues."""
    if event.kind is ScoreKind.RESTART:
        return state, (PlayRestarted(fixture=event.fixture, on_air_utc=event.event_utc),)
    if event.side is None or event.kind not in (ScoreKind.GOAL, ScoreKind.CORRECTION):
        return state, ()
    if event.kind is ScoreKind.GOAL:
        state, take, taken_back = score(state, event.side, event.ordinal, event.event_utc)
        return state, (_goal(event, side=event.side, take=take, taken_back=taken_back),)
    state, back = correct(state, event.side, event.ordinal, event.event_utc)
    return state, tuple(_taken_back(event, side=event.side, ordinal=ordinal, take=take) for ordinal, take in back)


def _goal(event: ScoreEvent, *, side: str, take: int, taken_back: bool) -> GoalScored:
    return GoalScored(
        occurrence_id=goal_occurrence(fixture=event.fixture, side=side, ordinal=event.ordinal, take=take),
        fixture=event.fixture,
        side=side,
        ordinal=event.ordinal,
        take=take,
        home_score=event.home,
        away_score=event.away,
        period=event.period,
        clock=event.clock,
        taken_back=taken_back,
        points=event.delta,
        player=event.player,
        device=event.device,
        on_air_mono_ns=event.event_mono_ns,
        on_air_utc=event.event_utc,
        heard_mono_ns=event.received_mono_ns,
    )


def _taken_back(event: ScoreEvent, *, side: str, ordinal: int, take: int) -> GoalTakenBack:
    return GoalTakenBack(
        occurrence_id=goal_occurrence(fixture=event.fixture, side=side, ordinal=ordinal, take=take),
        fixture=event.fixture,
        side=side,
        on_air_mono_ns=event.event_mono_ns,
        on_air_utc=event.event_utc,
        heard_mono_ns=event.received_mono_ns,
    )
