"""From what the leaves report to signals, and from signals to intents."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from fingerprints.events import Detection
from hardware.events import ScoreEvent, ScoreKind, Side
from hardware.markers import MarkerKind, MarkerReport
from schedules.airing import Airing
from sync.conditions import By, GoalCondition, SpotCondition, When
from sync.cues import Caps, Cue
from sync.decide import Moment, decide_goal, decide_marked, decide_spot
from sync.fixtures import FixtureState
from sync.signals import GoalScored, PlayRestarted, SpotHeard, SpotMarked, goal_occurrence
from sync.translate import airing_in_break, marker_signal, score_signals, spot_signal

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
NOW = Moment(mono_ns=100_000_000_000, utc=NOON)


def airing(number: int, *, at_s: float, spot_id: str = "kaffee-30", channel: str = "nord", width_s: float = 10) -> Airing:
    planned = NOON + timedelta(seconds=at_s)
    half = timedelta(seconds=width_s / 2)
    return Airing(
        airing_id=f"{channel}/{spot_id}/{number}",
        channel=channel,
        spot_id=spot_id,
        number=number,
        planned_utc=planned,
        opens_utc=planned - half,
        closes_utc=planned + half,
        raw="",
        row=number,
    )


def heard(*airings: Airing, spot_ids: tuple[str, ...] = ("kaffee-30",), ago_s: float = 0.3) -> SpotHeard:
    onset_ns = NOW.mono_ns - round(ago_s * 1e9)
    detection = Detection(
        spot_id=spot_ids[0],
        spot_ids=spot_ids,
        feed_id="main",
        onset_s=1,
        decided_s=1.2,
        score=50,
        threshold=40,
        speed=1,
        onset_mono_ns=onset_ns,
        decided_mono_ns=NOW.mono_ns,
        decided_utc=NOON + timedelta(hours=7),
    )
    return spot_signal(detection, channel="nord", airings=airings, now_mono_ns=NOW.mono_ns, now_utc=NOW.utc)


CUE = Cue(
    cue_id="kaffee",
    name="Coffee",
    author="sponsor",
    account_id="coffee",
    deadline_ms=3000,
    audience_delay_ms=500,
    taken_back="leave",
    variants=("one", "two", "three"),
    caps=Caps(per_minute=1, per_hour=1, per_day=1),
    on=SpotCondition(kind="spot", spots=("kaffee-30",), channel="nord"),
)


def test_onset_decides_not_the_listeners_wall_clock() -> None:
    """The onset's instant is counted back from the engine's now: 300 ms before noon, whatever the listener's date."""
    assert heard().on_air_utc == NOON - timedelta(milliseconds=300)


def test_window_holds_the_onset_not_the_decision() -> None:
    """A spot that began just before its window closed belongs to it, although it was decided after."""
    closed = airing(1, at_s=-5.2)
    assert heard(closed, ago_s=0.3).airing == closed
    assert heard(closed, ago_s=0.1).airing is None


def test_nearest_plan_wins_whatever_the_listener_thinks_likeliest() -> None:
    """Two feeds that cannot tell cut-downs apart, each with another favourite, name the same airing."""
    near, far = airing(1, at_s=-1, spot_id="kaffee-20"), airing(2, at_s=3, spot_id="kaffee-30")
    one = heard(near, far, spot_ids=("kaffee-20", "kaffee-30"))
    other = heard(far, near, spot_ids=("kaffee-30", "kaffee-20"))
    assert one.occurrence_id == other.occurrence_id == "airing:nord/kaffee-20/1"
    assert other.spot_id == "kaffee-20"


@pytest.mark.parametrize("other", [airing(1, at_s=0, channel="syd"), airing(1, at_s=0, spot_id="brus"), airing(1, at_s=60)])
def test_off_plan(other: Airing) -> None:
    """Another channel's, another spot's or a later airing does not count."""
    signal = heard(other)
    assert signal.airing is None
    assert signal.occurrence_id == "heard:nord/kaffee-30/2027-03-01T11:59:59.700000Z"


def test_onset_in_the_future_does_not_move_the_deadline() -> None:
    """A listener that reports tomorrow gets no longer deadline for it."""
    assert heard(ago_s=-100).on_air_mono_ns == NOW.mono_ns


def test_intent_of_a_spot() -> None:
    """Delay and deadline are counted from on air, and a cue for another spot or channel is left alone."""
    signal = heard(airing(1, at_s=0))
    others = [
        dataclasses.replace(CUE, on=SpotCondition(kind="spot", spots=("brus",), channel="nord")),
        dataclasses.replace(CUE, on=SpotCondition(kind="spot", spots=("kaffee-30",), channel="syd")),
        dataclasses.replace(CUE, on=GoalCondition(kind="goal", fixture="final", side="any")),
    ]
    (intent,) = decide_spot(signal, [*others, CUE], status_age_ns=5, now=NOW)
    assert intent.cue == CUE
    assert (intent.fire_mono_ns - signal.on_air_mono_ns, intent.deadline_mono_ns - signal.on_air_mono_ns) == (
        500_000_000,
        3_000_000_000,
    )


def test_cut_down_fires_only_the_cue_of_its_airing() -> None:
    """Heard as a group, planned as the short one: a cue for the long one alone is not meant."""
    signal = heard(airing(1, at_s=0, spot_id="kaffee-20"), spot_ids=("kaffee-20", "kaffee-30"))
    assert decide_spot(signal, [CUE], status_age_ns=5, now=NOW) == ()


def goal(*, ordinal: int, take: int = 1, side: str = "home", clock: str = "12:34") -> GoalScored:
    return GoalScored(
        occurrence_id=goal_occurrence(fixture="final", side=side, ordinal=ordinal, take=take),
        fixture="final",
        side=side,
        ordinal=ordinal,
        take=take,
        home_score=ordinal,
        away_score=0,
        period="1",
        clock=clock,
        taken_back=False,
        on_air_mono_ns=NOW.mono_ns,
        on_air_utc=NOON,
        heard_mono_ns=NOW.mono_ns,
    )


def test_goals_take_turns_with_the_variants() -> None:
    """Each goal, and each time it is scored anew, begins with the next variant; every one stays in reach."""
    cue = dataclasses.replace(CUE, on=GoalCondition(kind="goal", fixture="final", side="home"), variants=("a", "b {home}", "c"))
    signals = [goal(ordinal=1), goal(ordinal=2), goal(ordinal=2, take=2), goal(ordinal=4)]
    texts = [decide_goal(signal, [cue], names={"final": ("N", "S")}, now=NOW)[0].texts for signal in signals]
    assert texts == [("a", "b N", "c"), ("b N", "c", "a"), ("c", "a", "b N"), ("a", "b N", "c")]
    assert decide_goal(goal(ordinal=1, side="away"), [cue], names={}, now=NOW) == ()


def test_what_may_not_stand_in_a_tweet_is_said() -> None:
    """A clock that could be a link, or a fixture without names: the intent carries the fault to the gate."""
    cue = dataclasses.replace(CUE, on=GoalCondition(kind="goal", fixture="final", side="any"))
    (intent,) = decide_goal(goal(ordinal=1, clock="t.co/x"), [cue], names={"final": ("N", "S")}, now=NOW)
    assert "clock" in intent.text_fault
    (intent,) = decide_goal(goal(ordinal=1), [cue], names={}, now=NOW)
    assert "names of fixture final" in intent.text_fault


def test_the_highest_priority_comes_first_and_what_declines_anyway_last() -> None:
    """The order of the intents is the order of their claims: nothing that fires waits for what does not."""
    on = GoalCondition(kind="goal", fixture="final", side="any")
    cues = [
        dataclasses.replace(CUE, cue_id="declines", on=dataclasses.replace(on, periods=("9",)), priority=9),
        dataclasses.replace(CUE, cue_id="low", on=on, priority=-1),
        dataclasses.replace(CUE, cue_id="usual", on=on),
        dataclasses.replace(CUE, cue_id="high", on=on, priority=5),
    ]
    intents = decide_goal(goal(ordinal=1), cues, names={"final": ("N", "S")}, now=NOW)
    assert [intent.cue.cue_id for intent in intents] == ["high", "usual", "low", "declines"]
    assert [bool(intent.condition_fault) for intent in intents] == [False, False, False, True]
    spots = [dataclasses.replace(CUE, cue_id="low"), dataclasses.replace(CUE, cue_id="high", priority=1)]
    heard_now = decide_spot(heard(airing(1, at_s=0)), spots, status_age_ns=5, now=NOW)
    assert [intent.cue.cue_id for intent in heard_now] == ["high", "low"]


def test_hours_and_days_are_those_of_the_moment_on_air() -> None:
    """11:59:59.7 in the morning: inside a daypart that ends at noon; the day is known only to cues that count it."""
    morning = dataclasses.replace(CUE, when=When(dayparts=("06:00-12:00",)))
    assert isinstance(CUE.on, SpotCondition)
    evening = dataclasses.replace(CUE, when=When(dayparts=("18:00-23:00",)), on=dataclasses.replace(CUE.on, every=2))
    inside, outside = decide_spot(heard(airing(1, at_s=0)), [morning, evening], status_age_ns=5, now=NOW)
    assert (inside.condition_fault, inside.day) == ("", None)
    assert outside.condition_fault == "it is 11:59 in UTC; the cue counts 18:00-23:00"
    assert outside.day == (NOON - timedelta(hours=12), NOON + timedelta(hours=12))


def test_fields_of_a_goal() -> None:
    """Who scored, who did not, and the minute; a text whose field is blank is passed over."""
    on = GoalCondition(kind="goal", fixture="final", side="any")
    cue = dataclasses.replace(CUE, on=on, variants=("{side} {opponent} {minute}", "{side}!"))
    names = {"final": ("N", "S")}
    (intent,) = decide_goal(goal(ordinal=1, side="away"), [cue], names=names, now=NOW)
    assert intent.texts == ("S N 13", "S!")
    (intent,) = decide_goal(goal(ordinal=1, clock="12.3"), [cue], names=names, now=NOW)
    assert (intent.texts, intent.text_fault) == (("N!",), "")
    (intent,) = decide_goal(goal(ordinal=1, clock=""), [dataclasses.replace(cue, variants=("{clock}",))], names=names, now=NOW)
    assert (intent.texts, intent.text_fault) == ((), "every variant uses a field that the scoreboard leaves blank")


@pytest.mark.parametrize(("delay_ms", "confirm_ms", "waits_ms"), [(500, 0, 500), (500, 2000, 2000), (900, 200, 900)])
def test_delay_and_confirmation_run_side_by_side(delay_ms: int, confirm_ms: int, waits_ms: int) -> None:
    """A goal that has stood while viewers waited for it does not wait again."""
    on = GoalCondition(kind="goal", fixture="final", side="any")
    cue = dataclasses.replace(CUE, on=on, audience_delay_ms=delay_ms, confirm_ms=confirm_ms)
    (intent,) = decide_goal(goal(ordinal=1), [cue], names={"final": ("N", "S")}, now=NOW)
    assert intent.fire_mono_ns - intent.on_air_mono_ns == waits_ms * 1_000_000


def test_what_a_score_event_means() -> None:
    """A restart is a signal of its own and changes no score; a goal tells its points and its scorer."""
    event = ScoreEvent(
        event_id="1", venue="arena", device="oes-1", fixture="final", kind=ScoreKind.RESTART, side=None, delta=0, home=1, away=0,
        ordinal=0, period="1", clock="12:34", event_utc=NOON, event_mono_ns=1, received_mono_ns=2,
    )  # fmt: skip
    state = FixtureState(fixture="final")
    assert score_signals(state, event) == (state, (PlayRestarted(fixture="final", on_air_utc=NOON),))
    scored = dataclasses.replace(event, kind=ScoreKind.GOAL, side=Side.HOME, delta=3, home=3, ordinal=3, player="Nyholm")
    _, (signal,) = score_signals(state, scored)
    assert isinstance(signal, GoalScored)
    assert (signal.points, signal.player) == (3, "Nyholm")


def marked(
    *airings: Airing, spot_ids: tuple[str, ...] = ("kaffee-30",), position: int | None = None, ahead_s: float = 4
) -> SpotMarked:
    report = MarkerReport(
        source_id="ts",
        event="1/splice/7",
        kind=MarkerKind.BEGINS,
        what="break begins",
        spot_ids=spot_ids,
        position=position,
        upids=(),
        at_mono_ns=NOW.mono_ns + round(ahead_s * 1e9),
        seen_mono_ns=NOW.mono_ns,
        sent_utc=NOON,
    )
    return marker_signal(report, channel="nord", airings=airings, now_mono_ns=NOW.mono_ns, now_utc=NOW.utc)


def test_marker_and_sound_name_the_same_occurrence() -> None:
    """Whoever tells of an airing names it alike; the marker's instant may lie ahead."""
    planned = airing(1, at_s=4)
    signal = marked(planned)

    assert signal.occurrence_id == heard(planned, ago_s=-4).occurrence_id == "airing:nord/kaffee-30/1"
    assert (signal.on_air_mono_ns, signal.on_air_utc) == (NOW.mono_ns + 4_000_000_000, NOON + timedelta(seconds=4))


def test_marker_of_a_spot_that_is_not_planned_is_off_plan() -> None:
    """It makes a record of its own, so that the refusal is seen."""
    signal = marked(airing(1, at_s=100))

    assert (signal.airing, signal.spot_id) == (None, "kaffee-30")
    assert signal.occurrence_id.startswith("heard:nord/kaffee-30/")


BREAK = tuple(airing(number, at_s=100 + number * 30, width_s=120) for number in range(4))
LATER = tuple(airing(number + 10, at_s=1000 + number * 30, width_s=120) for number in range(4))


@pytest.mark.parametrize(("position", "at_s", "number"), [(1, 100, 0), (2, 130, 1), (4, 190, 3), (1, 140, 0), (3, 1060, 12)])
def test_place_in_the_break(position: int, at_s: float, number: int) -> None:
    """The n-th airing of the break, even when the break begins late: never the one planned nearest."""
    found = airing_in_break(BREAK + LATER, channel="nord", position=position, instant_utc=NOON + timedelta(seconds=at_s))

    assert found is not None
    assert found.number == number


@pytest.mark.parametrize(("position", "at_s"), [(None, 100), (5, 220), (1, 500), (1, 161)])
def test_no_such_place(position: int | None, at_s: float) -> None:
    """No place told, more than the break has, or outside the window of the one that has it."""
    assert airing_in_break(BREAK, channel="nord", position=position, instant_utc=NOON + timedelta(seconds=at_s)) is None


def test_identifier_counts_before_the_place() -> None:
    """A marker that names a spot means it, wherever it stands."""
    other = dataclasses.replace(BREAK[1], spot_id="kaffee-20")
    signal = marked(BREAK[0], other, spot_ids=("kaffee-20",), position=1, ahead_s=130)

    assert signal.airing == other


@pytest.mark.parametrize(("by", "sound", "marker"), [("sound", 1, 0), ("marker", 0, 1), ("either", 1, 1), ("both", 1, 1)])
def test_who_may_tell(by: By, sound: int, marker: int) -> None:
    """A cue hears those it was approved for; with both, each waits for the other."""
    planned = airing(1, at_s=4)
    cue = dataclasses.replace(CUE, on=SpotCondition(kind="spot", spots=("kaffee-30",), channel="nord", by=by))
    of_sound = decide_spot(heard(planned, ago_s=-4), [cue], status_age_ns=0, now=NOW)
    of_marker = decide_marked(marked(planned), [cue], status_age_ns=0, now=NOW)

    assert (len(of_sound), len(of_marker)) == (sound, marker)
    if by == "both":
        (one,), (other,) = of_sound, of_marker
        assert one.quorum is not None
        assert other.quorum is not None
        assert (one.quorum.key, other.quorum.key) == (f"marker:{one.occurrence_id}", f"sound:{one.occurrence_id}")
        assert (one.quorum.agrees, other.quorum.agrees) == (False, False)


def test_marker_arms_for_its_instant() -> None:
    """What is ahead fires then, with the audience delay."""
    cue = dataclasses.replace(
        CUE, audience_delay_ms=500, on=SpotCondition(kind="spot", spots=("kaffee-30",), channel="nord", by="marker")
    )
    (intent,) = decide_marked(marked(airing(1, at_s=4)), [cue], status_age_ns=0, now=NOW)

    assert intent.fire_mono_ns == NOW.mono_ns + 4_500_000_000
    assert intent.deadline_mono_ns == NOW.mono_ns + 4_000_000_000 + cue.deadline_ms * 1_000_000
