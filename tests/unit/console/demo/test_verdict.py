"""The demonstration's judgement: it must see every way in which the job can go wrong."""

from dataclasses import replace
from typing import Any

import pytest

from console.demo.verdict import Aired, Expected, Verdict, expected_goals, expected_spots, judge
from hardware.match import Action, Match, Step
from hardware.scoreboards.board import Board

KAFFEE = Aired(spot_id="kaffee-30", onset_s=18.0, cue_id="kaffee-spot", occurrence_id="airing:a/kaffee-30/1")
BRUS = Aired(spot_id="brus-10", onset_s=8.0, cue_id="brus-spot", occurrence_id="airing:a/brus-10/1")
OFF_PLAN = Aired(spot_id="vinterdack-20", onset_s=76.0, cue_id="vinterdack-spot", occurrence_id=None)
EXPECTED = expected_spots([BRUS, KAFFEE, OFF_PLAN], live_from_s=16.0)


def firing(expected: Expected, **changes: Any) -> dict[str, Any]:
    """A firing record that meets the expectation."""
    live = {"mode": "LIVE", "tweet_id": f"1-{expected.cue_id}"}
    rehearsed = {"mode": "REHEARSAL", "tweet_id": "rehearsal"}
    record = {
        "action": "post",
        "occurrence_id": expected.occurrence_id,
        "cue_id": expected.cue_id,
        "state": "POSTED",
        "reason": "",
        "text": f"text of {expected.cue_id}",
        **(live if expected.live else rehearsed),
    }
    return record | changes


def tweet(record: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The tweet of a firing on the sandbox."""
    return {"id": record["tweet_id"], "text": record["text"], "deleted_utc": None} | changes


REHEARSED = firing(EXPECTED[0])
POSTED = firing(EXPECTED[1])
DECLINED = firing(EXPECTED[2], occurrence_id="heard:x", state="DECLINED", reason="off plan", tweet_id=None)
GOOD = [REHEARSED, POSTED, DECLINED]


def test_all_as_expected_is_ok() -> None:
    """One rehearsed, one posted, one declined: nothing to complain of."""
    verdict = judge(EXPECTED, GOOD, [tweet(POSTED)])

    assert verdict.ok
    assert [finding.text for finding in verdict.findings] == ["rehearsed", "posted", "declined: off plan"]


@pytest.mark.parametrize(
    ("firings", "tweets", "complaint"),
    [
        ([REHEARSED, DECLINED], [], "fired 0 times"),
        ([REHEARSED, POSTED, POSTED, DECLINED], [tweet(POSTED)], "fired 2 times"),
        ([REHEARSED, POSTED, DECLINED], [], "tweet 1-kaffee-spot is not on the sandbox"),
        ([REHEARSED, POSTED, DECLINED], [tweet(POSTED, text="other")], "the tweet's text is not the approved one"),
        ([REHEARSED, POSTED, DECLINED], [tweet(POSTED, deleted_utc="2027")], "deleted, though the goal stands"),
        ([REHEARSED, POSTED], [tweet(POSTED)], "not declined: it was not heard"),
        ([REHEARSED, POSTED | {"mode": "REHEARSAL"}, DECLINED], [tweet(POSTED)], "POSTED in REHEARSAL"),
        ([REHEARSED, POSTED | {"state": "UNKNOWN", "reason": "timeout"}, DECLINED], [tweet(POSTED)], "UNKNOWN in LIVE timeout"),
        ([REHEARSED | {"tweet_id": "7"}, POSTED, DECLINED], [tweet(POSTED), {"id": "7", "text": "", "deleted_utc": None}],
         "rehearsed, but a tweet left"),
    ],
)  # fmt: skip
def test_each_fault_is_named(firings: list[dict[str, Any]], tweets: list[dict[str, Any]], complaint: str) -> None:
    """A firing missing, double, wrong, in the wrong mode or not on the sandbox is told in words."""
    verdict = judge(EXPECTED, firings, tweets)

    assert not verdict.ok
    assert complaint in [finding.text for finding in verdict.findings]


def test_a_claim_nobody_expected_is_surplus() -> None:
    """An off-plan spot that fired is not hidden by its declined record."""
    verdict = judge(EXPECTED, [*GOOD, firing(EXPECTED[2], occurrence_id="heard:x")], [tweet(POSTED)])

    assert not verdict.ok
    assert verdict.surplus[0] == "vinterdack-spot fired for heard:x, which nobody expected"


def test_a_tweet_without_a_firing_is_surplus() -> None:
    """A second tweet of one claim, or one in rehearsal, shows on the sandbox only."""
    verdict = judge(EXPECTED, GOOD, [tweet(POSTED), tweet(POSTED, id="999")])

    assert verdict.surplus == ("tweet 999 is on the sandbox and in no firing",)
    assert verdict.ok is False


def test_goals_are_counted_through_a_correction() -> None:
    """A goal taken back and scored anew is two occurrences of one ordinal."""
    match = Match(
        start=Board(home=0, away=0, clock_tenths=6000, period="1", running=True),
        steps=(
            Step(at_s=10.0, action=Action.HOME_GOAL),
            Step(at_s=12.0, action=Action.JUNK),
            Step(at_s=20.0, action=Action.AWAY_GOAL),
            Step(at_s=30.0, action=Action.HOME_GOAL),
            Step(at_s=35.0, action=Action.HOME_CORRECTION),
            Step(at_s=50.0, action=Action.HOME_GOAL),
            Step(at_s=500.0, action=Action.HOME_GOAL),
        ),
    )
    goals = expected_goals(match, fixture="final", cues={"home": "h", "away": "a"}, live_from_s=15.0, until_s=100.0)

    assert [(goal.occurrence_id, goal.cue_id, goal.live, goal.taken_back) for goal in goals] == [
        ("goal:final/home/1/1", "h", False, False),
        ("goal:final/away/1/1", "a", True, False),
        ("goal:final/home/2/1", "h", True, True),
        ("goal:final/home/2/2", "h", True, False),
    ]


def test_a_goal_taken_back_must_be_deleted() -> None:
    """Leaving the tweet of a disallowed goal is a fault."""
    goal = replace(EXPECTED[1], occurrence_id="goal:final/home/2/1", taken_back=True)
    record = firing(goal)

    def verdict(**changes: Any) -> Verdict:
        return judge([goal], [record], [tweet(record, **changes)])

    assert verdict(deleted_utc="2027-03-01T12:00:00Z").ok
    assert verdict().findings[0].text == "taken back, but not deleted"
