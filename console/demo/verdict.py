"""What the demonstration must have fired, and whether it did: no firing missing, none too many. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hardware.match import Action, Match

JsonObject = Mapping[str, Any]
CLAIMED_STATES = frozenset({"CLAIMED", "POSTED", "REFUSED", "NOT_SENT", "UNKNOWN", "NOT_SEEN"})
"""A firing record in one of these has been claimed, so that something may have left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aired:
    """One broadcast of a spot in the programme.

    Attributes:
        onset_s: its first audible sample, from the programme's beginning.
        cue_id: the cue that wants this spot.
        occurrence_id: the planned airing's, None where no plan has it: then nothing may fire.
    """

    spot_id: str
    onset_s: float
    cue_id: str
    occurrence_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One thing that must have happened exactly once.

    Attributes:
        what: for people.
        occurrence_id: None for a spot off plan, which must be declined.
        live: it must have been posted; otherwise only rehearsed.
        taken_back: its tweet must have been deleted.
    """

    what: str
    at_s: float
    cue_id: str
    occurrence_id: str | None
    live: bool
    taken_back: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """How one expectation came out."""

    expected: Expected
    ok: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The whole judgement; `surplus` are sentences about what happened and should not have."""

    findings: tuple[Finding, ...]
    surplus: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Everything expected happened, and nothing else."""
        return not self.surplus and all(finding.ok for finding in self.findings)


def expected_spots(aired: Sequence[Aired], *, live_from_s: float) -> list[Expected]:
    """What each broadcast of a spot must lead to."""
    return [
        Expected(
            what=f"{one.spot_id} on air at {one.onset_s:.1f} s" + ("" if one.occurrence_id else ", not in the plan"),
            at_s=one.onset_s,
            cue_id=one.cue_id,
            occurrence_id=one.occurrence_id,
            live=one.onset_s >= live_from_s,
        )
        for one in aired
    ]


def expected_goals(match: Match, *, fixture: str, cues: Mapping[str, str], live_from_s: float, until_s: float) -> list[Expected]:
    """What each goal of a scripted match must lead to; `cues` maps a side to its cue."""
    goals: list[Expected] = []
    takes: dict[tuple[str, int], int] = {}
    points = {"home": match.start.home, "away": match.start.away}
    for step in match.steps:
        side, _, kind = step.action.value.partition("_")
        if side not in points or step.at_s > until_s:
            continue
        if step.action in (Action.HOME_GOAL, Action.AWAY_GOAL):
            points[side] += step.points
            take = takes.setdefault((side, points[side]), 1)
            goals.append(
                Expected(
                    what=f"{side} goal {points[side]} at {step.at_s:.1f} s" + ("" if take == 1 else ", scored anew"),
                    at_s=step.at_s,
                    cue_id=cues[side],
                    occurrence_id=f"goal:{fixture}/{side}/{points[side]}/{take}",
                    live=step.at_s >= live_from_s,
                )
            )
            continue
        assert kind == "correction"
        gone = f"goal:{fixture}/{side}/{points[side]}/{takes[side, points[side]]}"
        goals = [_taken_back(goal) if goal.occurrence_id == gone else goal for goal in goals]
        takes[side, points[side]] += 1
        points[side] -= step.points
    return goals


def _taken_back(goal: Expected) -> Expected:
    return Expected(
        what=f"{goal.what}, taken back",
        at_s=goal.at_s,
        cue_id=goal.cue_id,
        occurrence_id=goal.occurrence_id,
        live=goal.live,
        taken_back=goal.live,
    )


def judge(expected: Sequence[Expected], firings: Sequence[JsonObject], tweets: Sequence[JsonObject]) -> Verdict:
    """Hold what happened against what had to happen.

    Args:
        firings: the engine's firing records (docs/engine-socket.md), each in its last state.
        tweets: the sandbox's tweets, deleted ones too: `id`, `text`, `deleted_utc`.
    """
    posts = [firing for firing in firings if firing["action"] == "post"]
    claimed = [firing for firing in posts if firing["state"] in CLAIMED_STATES]
    by_id = {str(tweet["id"]): tweet for tweet in tweets}
    findings = tuple(_finding(one, posts, by_id) for one in expected)
    wanted = {(one.occurrence_id, one.cue_id) for one in expected}
    surplus = [
        f"{firing['cue_id']} fired for {firing['occurrence_id']}, which nobody expected"
        for firing in claimed
        if (firing["occurrence_id"], firing["cue_id"]) not in wanted
    ]
    ours = {firing["tweet_id"] for firing in claimed if firing["mode"] == "LIVE"}
    surplus += [f"tweet {tweet_id} is on the sandbox and in no firing" for tweet_id in by_id if tweet_id not in ours]
    return Verdict(findings=findings, surplus=tuple(surplus))


def _finding(expected: Expected, posts: Sequence[JsonObject], tweets: Mapping[str, JsonObject]) -> Finding:
    if expected.occurrence_id is None:
        return _declined(expected, posts)
    found = [
        firing
        for firing in posts
        if firing["occurrence_id"] == expected.occurrence_id
        and firing["cue_id"] == expected.cue_id
        and firing["state"] in CLAIMED_STATES
    ]
    if len(found) != 1:
        reasons = [
            f"{firing['state']}: {firing['reason']}" for firing in posts if firing["occurrence_id"] == expected.occurrence_id
        ]
        why = f" ({'; '.join(reasons)})" if reasons and not found else ""
        return Finding(expected=expected, ok=False, text=f"fired {len(found)} times{why}")
    (firing,) = found
    wrong = next((text for text, is_so in _faults(expected, firing, tweets.get(str(firing["tweet_id"]))) if is_so), None)
    if wrong is not None:
        return Finding(expected=expected, ok=False, text=wrong)
    if not expected.live:
        return Finding(expected=expected, ok=True, text="rehearsed")
    return Finding(expected=expected, ok=True, text="posted, then deleted" if expected.taken_back else "posted")


def _faults(expected: Expected, firing: JsonObject, tweet: JsonObject | None) -> Iterator[tuple[str, bool]]:
    """What may be wrong with the one firing of an expectation, gravest first."""
    wanted_mode = "LIVE" if expected.live else "REHEARSAL"
    state = f"{firing['state']} in {firing['mode']} {firing['reason']}".strip()
    yield state, firing["state"] != "POSTED" or firing["mode"] != wanted_mode
    if not expected.live:
        yield "rehearsed, but a tweet left", tweet is not None
        return
    yield f"tweet {firing['tweet_id']} is not on the sandbox", tweet is None
    assert tweet is not None
    yield "the tweet's text is not the approved one", tweet["text"] != firing["text"]
    yield "taken back, but not deleted", expected.taken_back and not tweet["deleted_utc"]
    yield "deleted, though the goal stands", not expected.taken_back and bool(tweet["deleted_utc"])


def _declined(expected: Expected, posts: Sequence[JsonObject]) -> Finding:
    declined = [firing for firing in posts if firing["cue_id"] == expected.cue_id and firing["state"] == "DECLINED"]
    if not declined:
        return Finding(expected=expected, ok=False, text="not declined: it was not heard")
    return Finding(expected=expected, ok=True, text=f"declined: {declined[0]['reason']}")
