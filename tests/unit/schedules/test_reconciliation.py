"""One airing, one verdict: what each means, and which comes first."""

from datetime import UTC, datetime, timedelta

import pytest

from schedules.airing import Airing
from schedules.as_run import MEANINGS, Fate, Fired, Heard, Line, Listened, Verdict
from schedules.reconciliation import BREAK_REACH, Names, reconcile

PLANNED = datetime(2027, 3, 1, 19, 15, tzinfo=UTC)
LATER = PLANNED + timedelta(hours=8)
NAMES = Names(campaigns={("nord", "kaffee-30"): "spring"}, families={"kaffee-30": "kaffee", "kaffee-20": "kaffee"})
ALWAYS = Listened(channel="nord", feed_id="main", began_utc=PLANNED - timedelta(days=1), until_utc=PLANNED + timedelta(days=1))


def airing(
    number: int = 1, *, spot: str = "kaffee-30", channel: str = "nord", after_s: float = 0, window_s: float = 120
) -> Airing:
    planned = PLANNED + timedelta(seconds=after_s)
    return Airing(
        airing_id=f"{channel}/{spot}/2027-03-01/{number}",
        channel=channel,
        spot_id=spot,
        number=number,
        planned_utc=planned,
        opens_utc=planned - timedelta(seconds=window_s),
        closes_utc=planned + timedelta(seconds=window_s),
        raw="20:15",
        row=number,
    )


def heard(
    detection_id: int = 1, *, after_s: float = 3, spots: tuple[str, ...] = ("kaffee-30",), feed: str = "main", **more: object
) -> Heard:
    facts: dict[str, object] = {"heard_ms": 210.0, "aired_s": 30.0, "coverage": 1.0, **more}
    return Heard(
        detection_id=detection_id,
        occurrence_id=f"heard:{detection_id}",
        channel="nord",
        feed_id=feed,
        spot_id=spots[0],
        spot_ids=spots,
        began_utc=PLANNED + timedelta(seconds=after_s),
        **facts,  # type: ignore[arg-type]  # each test names the ones it is about
    )


def fired(fate: Fate, *, firing_id: int = 1, cue: str = "coffee", occurrence: str = "", reason: str = "") -> Fired:
    return Fired(
        firing_id=firing_id,
        occurrence_id=occurrence or f"airing:{airing().airing_id}",
        cue_id=cue,
        cue_name=cue.title(),
        campaign="spring",
        channel="nord",
        spot_id="kaffee-30",
        fate=fate,
        reason=reason,
        on_air_utc=PLANNED,
        first_byte_ms=240.0 if fate is Fate.POSTED else None,
        reference="18" if fate is Fate.POSTED else "",
    )


def lines(*parts: object, now: datetime = LATER, listened: tuple[Listened, ...] = (ALWAYS,)) -> tuple[Line, ...]:
    return reconcile(
        [one for one in parts if isinstance(one, Airing)],
        [one for one in parts if isinstance(one, Heard)],
        [one for one in parts if isinstance(one, Fired)],
        listened,
        now_utc=now,
        names=NAMES,
    )


def only(*parts: object, now: datetime = LATER, listened: tuple[Listened, ...] = (ALWAYS,)) -> Line:
    (line,) = lines(*parts, now=now, listened=listened)
    return line


@pytest.mark.parametrize(
    ("parts", "verdict", "why"),
    [
        ((airing(), heard()), Verdict.HEARD, ""),
        ((airing(), heard(), fired(Fate.POSTED)), Verdict.FIRED, ""),
        ((airing(), heard(), fired(Fate.REHEARSED)), Verdict.REHEARSED, ""),
        ((airing(), heard(), fired(Fate.HELD, reason="hold: by Ann")), Verdict.HELD, "Coffee held: hold: by Ann"),
        ((airing(), heard(), fired(Fate.LATE, reason="deadline: 90 ms")), Verdict.LATE, "Coffee late: deadline: 90 ms"),
        ((airing(), heard(), fired(Fate.FAILED, reason="401")), Verdict.FAILED, "Coffee failed: 401"),
        ((airing(), heard(), fired(Fate.UNSETTLED)), Verdict.UNSETTLED, "Coffee unsettled"),
        ((airing(), heard(), fired(Fate.WAITING)), Verdict.WAITING, "Coffee waiting"),
        ((airing(), heard(cut_s=12.0, coverage=0.4)), Verdict.CUT_SHORT, "broken off after 12.0 s"),
        ((airing(), heard(is_joined_late=True, coverage=0.55)), Verdict.JOINED_LATE, "55% of it was heard"),
        ((airing(), heard(spots=("kaffee-20",))), Verdict.WRONG_VERSION, "kaffee-20 was heard"),
        ((airing(), heard(after_s=1800)), Verdict.WRONG_BREAK, "1800 s after its plan"),
        ((airing(), heard(after_s=-1800)), Verdict.WRONG_BREAK, "1800 s before its plan"),
        ((airing(),), Verdict.NOT_HEARD, ""),
        ((airing(), fired(Fate.POSTED)), Verdict.FIRED, "no sound of it is on record"),
        ((heard(),), Verdict.OFF_PLAN, ""),
        ((fired(Fate.POSTED),), Verdict.UNPLANNED, "Coffee posted"),
    ],
)
def test_each_verdict(parts: tuple[object, ...], verdict: Verdict, why: str) -> None:
    """What happened has one name, and says what a person should know besides."""
    line = only(*parts)

    assert (line.verdict, line.why) == (verdict, why)


def test_every_verdict_is_explained() -> None:
    """The report says what its words mean."""
    assert set(MEANINGS) == set(Verdict)


def test_an_open_window_is_pending_until_what_was_heard_is_on_record() -> None:
    """Nothing is called missed while it may still come."""
    closes = airing().closes_utc

    assert only(airing(), now=closes + timedelta(seconds=59)).verdict is Verdict.PENDING
    assert only(airing(), now=closes + timedelta(seconds=60)).verdict is Verdict.NOT_HEARD


@pytest.mark.parametrize("deaf_s", [(-120, -100), (0, 5), (100, 400)])
def test_unheard_is_only_said_when_somebody_listened_throughout(deaf_s: tuple[int, int]) -> None:
    """A gap anywhere in the window: the spot may have aired in it."""
    gap = [PLANNED + timedelta(seconds=s) for s in deaf_s]
    before = Listened(channel="nord", feed_id="main", began_utc=ALWAYS.began_utc, until_utc=gap[0])
    after = Listened(channel="nord", feed_id="main", began_utc=gap[1], until_utc=ALWAYS.until_utc)

    line = only(airing(), listened=(before, after))

    assert line.verdict is Verdict.NOT_LISTENED
    assert line.why.startswith("nobody listened from ")


def test_the_backup_listens_while_the_main_feed_is_gone() -> None:
    """One ear is enough; a channel's gap is where all its feeds have one."""
    main = Listened(channel="nord", feed_id="main", began_utc=ALWAYS.began_utc, until_utc=PLANNED)
    backup = Listened(channel="nord", feed_id="backup", began_utc=PLANNED - timedelta(seconds=9), until_utc=ALWAYS.until_utc)
    other = Listened(channel="syd", feed_id="syd", began_utc=ALWAYS.began_utc, until_utc=ALWAYS.until_utc)

    assert only(airing(), listened=(main, backup)).verdict is Verdict.NOT_HEARD
    assert only(airing(), listened=(main, other)).verdict is Verdict.NOT_LISTENED
    assert only(airing(), listened=()).verdict is Verdict.NOT_LISTENED


def test_no_airing_loses_its_only_broadcast_to_a_neighbour() -> None:
    """The nearest first would give the second broadcast to the first airing and leave the second airing without."""
    first, second = airing(1, window_s=600), airing(2, after_s=300, window_s=600)
    early, late = heard(1, after_s=-500), heard(2, after_s=10)

    found = lines(first, second, early, late)

    assert [(line.airing, line.heard[0].detection_id) for line in found] == [(first, 1), (second, 2)]
    assert {line.verdict for line in found} == {Verdict.HEARD}


def test_in_its_window_comes_before_anything_else() -> None:
    """A wrong break never takes what another airing heard in time."""
    missed, good = airing(1, window_s=60), airing(2, after_s=900, window_s=600)

    by_number = {line.airing.number: line.verdict for line in lines(missed, good, heard(1, after_s=400)) if line.airing}

    assert by_number == {1: Verdict.NOT_HEARD, 2: Verdict.HEARD}


def test_what_lies_too_far_away_is_another_airing() -> None:
    """Of yesterday's broadcast nobody is owed today's."""
    too_late = heard(after_s=BREAK_REACH.total_seconds() + 1)

    assert [line.verdict for line in lines(airing(), too_late)] == [Verdict.NOT_HEARD, Verdict.OFF_PLAN]


def test_two_feeds_hear_one_broadcast() -> None:
    """The backup's detection is evidence of the same airing, not of a second one; the fuller one speaks."""
    line = only(airing(), heard(1, after_s=3, cut_s=20.0, coverage=0.66), heard(2, after_s=6, feed="backup"))

    assert line.verdict is Verdict.HEARD
    assert [one.detection_id for one in line.heard] == [2, 1]
    assert line.deviation_s == 3


def test_one_feed_hears_two_broadcasts() -> None:
    """A spot that airs twice in a row was heard twice."""
    found = lines(airing(), heard(1, after_s=0), heard(2, after_s=12))

    assert [line.verdict for line in found] == [Verdict.HEARD, Verdict.OFF_PLAN]


def test_versions_that_cannot_be_told_apart_may_be_the_one_planned() -> None:
    """Until one was followed to its end; then whoever followed it knows best."""
    either = heard(1, spots=("kaffee-20", "kaffee-30"))
    told = heard(2, spots=("kaffee-20",), feed="backup")

    assert only(airing(), either).verdict is Verdict.HEARD
    assert only(airing(), either, told).verdict is Verdict.WRONG_VERSION


def test_what_needs_a_person_comes_before_what_went_well() -> None:
    """Two cues: one posted, of the other nobody knows."""
    line = only(airing(), heard(), fired(Fate.POSTED), fired(Fate.UNSETTLED, firing_id=2, cue="cake"))

    assert (line.verdict, line.why) == (Verdict.UNSETTLED, "Cake unsettled")


def test_of_one_cue_the_record_counts_that_left() -> None:
    """The main feed's evidence was weak, the backup's fired the same airing."""
    line = only(airing(), heard(), fired(Fate.POSTED, firing_id=2), fired(Fate.HELD, reason="evidence"))

    assert (line.verdict, line.why, len(line.fired)) == (Verdict.FIRED, "", 2)


def test_a_declined_record_stands_beside_what_was_heard_off_plan() -> None:
    """The firing belongs to the occurrence that its detection was taken for."""
    line = only(heard(7), fired(Fate.HELD, occurrence="heard:7", reason="window: off plan"))

    assert (line.verdict, len(line.fired), line.why) == (Verdict.OFF_PLAN, 1, "Coffee held: window: off plan")
