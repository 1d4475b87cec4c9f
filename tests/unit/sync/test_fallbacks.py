"""When nobody can hear an airing: only where every feed's own listener says so, now and for a while."""

from datetime import UTC, datetime, timedelta

import pytest

from fingerprints.events import FeedState
from schedules.airing import Airing
from sync.conditions import SpotCondition, plan_fault
from sync.cues import parse_cues
from sync.decide import Moment, decide_planned
from sync.errors import CueError
from sync.fallbacks import DOWN_LEAST_NS, FeedWord, as_planned_sentence, deaf_evidence, unheard_sentence
from sync.gate import FEED_STATUS_AGE_MAX_NS, evidence_fault
from sync.signals import SpotPlanned, airing_occurrence

PLANNED = datetime(2027, 3, 1, 19, 15, tzinfo=UTC)
CUE = """
[[cue]]
id = "kaffee"
name = "Coffee"
author = "sponsor"
account = "coffee"
audience_delay_ms = 1000
variants = ["one"]
[cue.on]
kind = "spot"
spots = ["kaffee-30"]
channel = "nord"
"""


def feed(
    feed_id: str = "main", *, state: str = FeedState.FAILED, age_ns: int | None = 100, down_for_ns: int = 2 * DOWN_LEAST_NS
) -> FeedWord:
    return FeedWord(feed_id=feed_id, state=state, age_ns=age_ns, down_for_ns=down_for_ns)


def airing() -> Airing:
    return Airing(
        airing_id="nord/kaffee-30/2027-03-01/1",
        channel="nord",
        spot_id="kaffee-30",
        number=1,
        planned_utc=PLANNED,
        opens_utc=PLANNED - timedelta(minutes=2),
        closes_utc=PLANNED + timedelta(minutes=2),
        raw="20:15",
        row=1,
    )


@pytest.mark.parametrize("state", [FeedState.STALLED, FeedState.FAILED, FeedState.ENDED])
def test_a_feed_whose_listener_says_that_it_is_down(state: FeedState) -> None:
    """That is evidence, and the gate believes it."""
    evidence = deaf_evidence([feed(state=state), feed("backup")])

    assert evidence is not None
    assert evidence_fault(evidence) == ""


@pytest.mark.parametrize("state", [FeedState.LIVE, FeedState.SILENT, FeedState.CONNECTING])
def test_a_feed_that_may_hear_is_waited_for(state: FeedState) -> None:
    """One of several is enough: silence is heard, and one that connects may hear at any moment."""
    assert deaf_evidence([feed(), feed("backup", state=state, down_for_ns=0)]) is None


def test_a_feed_that_has_just_stumbled_is_waited_for() -> None:
    """It has to have been down for a while."""
    assert deaf_evidence([feed(down_for_ns=DOWN_LEAST_NS - 1)]) is None
    assert deaf_evidence([feed(down_for_ns=DOWN_LEAST_NS)]) is not None


@pytest.mark.parametrize("age_ns", [None, FEED_STATUS_AGE_MAX_NS + 1])
def test_a_listener_of_which_nothing_is_heard_proves_nothing(age_ns: int | None) -> None:
    """It may hear the spot; the gate says so, though the other feed is known to be down."""
    evidence = deaf_evidence([feed(), feed("backup", age_ns=age_ns)])

    assert evidence is not None
    assert evidence_fault(evidence).startswith("feed backup ")


def test_a_channel_without_feeds_is_not_deaf() -> None:
    """Nobody has said that anything is wrong."""
    assert deaf_evidence([]) is None


def test_only_cues_whose_authors_allow_it_are_asked() -> None:
    """On this channel, for this spot; the moment is the planned instant, and delays count from there."""
    allowed = CUE.replace('"nord"', '"nord"\nfeed_down = "fire_as_planned"')
    cues = [
        *parse_cues(allowed.encode(), source="test"),
        *parse_cues(CUE.encode(), source="test"),
        *parse_cues(allowed.replace("kaffee-30", "kaffee-20").encode(), source="test"),
        *parse_cues(allowed.replace('"nord"', '"syd"').encode(), source="test"),
    ]
    evidence = deaf_evidence([feed()])
    assert evidence is not None
    signal = SpotPlanned(
        occurrence_id=airing_occurrence(airing()),
        airing=airing(),
        spot_id="kaffee-30",
        channel="nord",
        on_air_mono_ns=50,
        on_air_utc=PLANNED,
        heard_mono_ns=60,
    )

    intents = decide_planned(signal, cues, evidence=evidence, now=Moment(mono_ns=60, utc=PLANNED))

    assert [intent.cue for intent in intents] == [cues[0]]
    assert (intents[0].fire_mono_ns, intents[0].deadline_mono_ns) == (1_000_000_050, 3_000_000_050)
    assert intents[0].occurrence_id == airing_occurrence(airing())


@pytest.mark.parametrize(
    ("near_s", "off_s", "fault"),
    [
        (0, 110, ""),
        (10, 10, ""),
        (10, -10, ""),
        (10, 10.1, "it began 10.1 s after its planned instant; the cue asks for 10 s at most"),
        (10, -95, "it began 95.0 s before its planned instant; the cue asks for 10 s at most"),
    ],
)
def test_heard_and_planned_so_near_each_other(near_s: int, off_s: float, fault: str) -> None:
    """Both ends count; without the condition the whole window does."""
    on = SpotCondition(kind="spot", spots=("kaffee-30",), channel="nord", near_plan_s=near_s)

    assert plan_fault(on, PLANNED, PLANNED + timedelta(seconds=off_s)) == fault


@pytest.mark.parametrize("by", ["marker", "both"])
def test_who_asks_for_the_marker_does_not_fire_unheard(by: str) -> None:
    """The two contradict each other, and the author is told so."""
    text = CUE.replace('"nord"', f'"nord"\nfeed_down = "fire_as_planned"\nby = "{by}"')

    with pytest.raises(CueError, match=f'contradicts by = "{by}"'):
        parse_cues(text.encode(), source="test")


@pytest.mark.parametrize("line", ['feed_down = "fire_as_planned"', "near_plan_s = 5", "alert_unheard_s = 0"])
def test_the_policy_is_part_of_what_is_approved(line: str) -> None:
    """And a cue that asks for nothing has the hash it had before there were any."""
    (plain,) = parse_cues(CUE.encode(), source="test")
    (other,) = parse_cues(CUE.replace('"nord"', f'"nord"\n{line}').encode(), source="test")

    assert plain.sha256() != other.sha256()
    assert "feed_down" not in plain.canonical_json()


def test_a_person_is_told_what_is_known() -> None:
    """What was planned, and what each feed says."""
    feeds = [feed(), feed("backup", age_ns=None)]

    assert unheard_sentence(airing(), feeds) == (
        "kaffee-30 on nord, planned for 2027-03-01 19:15:00 UTC, was not heard until its window closed at 19:17:00; "
        "feed main is failed for 10 s, nothing is heard of feed backup's listener"
    )
    assert as_planned_sentence(airing(), feeds).startswith(
        "kaffee-30 on nord is not taken to begin as planned, at 19:15:00 UTC: "
    )
    assert as_planned_sentence(airing(), feeds[:1]).startswith("kaffee-30 on nord is taken to begin as planned")
