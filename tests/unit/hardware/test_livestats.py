"""The LiveStats feed: baskets, edits, corrections, and what a feed may say besides."""

import json
from collections.abc import Mapping

import pytest

from hardware.events import Reading, Timeout
from hardware.scoreboards.livestats import decoder

TEAMS = {
    "type": "teams",
    "teams": [{"teamNumber": 1, "detail": {"isHomeCompetitor": 0}}, {"teamNumber": 2, "detail": {"isHomeCompetitor": 1}}],
}


def basket(number: int, score1: int, score2: int, **facts: object) -> dict[str, object]:
    return {
        "type": "action", "actionNumber": number, "teamNumber": 1, "clock": "09:23:00", "period": 1, "periodType": "REGULAR",
        "actionType": "3pt", "success": 1, "subType": "", "score1": score1, "score2": score2, **facts,
    }  # fmt: skip


def readings(*messages: Mapping[str, object]) -> list[Reading]:
    data = b"".join(json.dumps(message).encode() + b"\r\n" for message in messages)
    return decoder().feed(data)


def scores(*messages: Mapping[str, object]) -> list[tuple[int | None, int | None]]:
    return [(one.home, one.away) for one in readings(*messages)]


def test_a_basket_tells_the_score_and_other_actions_do_not() -> None:
    """Their score is 0-0, which is none; clock, period and state of the clock are read from all."""
    other = {
        "type": "action",
        "actionNumber": 0,
        "clock": "00:53:40",
        "period": 2,
        "actionType": "clock",
        "subType": "stop",
        "success": 1,
        "score1": 0,
        "score2": 0,
    }
    first, second = readings(basket(326, 43, 56), other)

    assert (first.home, first.away, first.clock, first.period, first.home_told) == (43, 56, "09:23", "1", True)
    assert (second.home, second.away, second.clock, second.period, second.running) == (43, 56, "53.4", "2", False)
    assert not second.home_told


def test_an_edited_basket_of_before_changes_nothing() -> None:
    """The scorer adds the player to the last but one: its score is of its own time. The last one may be edited."""
    assert scores(
        basket(326, 43, 56),
        basket(327, 43, 59),
        basket(326, 43, 56, edited="2022-06-07 19:02:16"),
        basket(327, 43, 58, edited="2022-06-07 19:02:20"),
    ) == [(43, 56), (43, 59), (43, 59), (43, 58)]


def test_a_missed_shot_and_a_deleted_basket_score_nothing() -> None:
    """What takes a basket back is the box score after it."""
    box = {
        "type": "boxscore",
        "teams": [{"teamNumber": 1, "total": {"team": {"sPoints": 40}}}, {"teamNumber": 2, "total": {"team": {"sPoints": 56}}}],
    }

    assert scores(basket(5, 43, 56), basket(6, 46, 56, success=0), basket(5, 43, 56, deleted="2022"), box) == [
        (43, 56), (43, 56), (43, 56), (40, 56)
    ]  # fmt: skip


def test_the_home_side_is_the_team_that_the_feed_names() -> None:
    """Team 1 until then."""
    assert scores(TEAMS, basket(1, 3, 0)) == [(None, None), (0, 3)]


def test_play_by_play_and_status_tell_where_the_match_stands() -> None:
    """What a client gets when it connects during a match."""
    status = {
        "type": "status",
        "clock": "05:00:00",
        "clockRunning": 1,
        "period": {"current": 1, "periodType": "OVERTIME"},
        "scores": [{"teamNumber": 1, "score": 9}, {"teamNumber": 2, "score": 8}],
    }
    replayed, now = readings({"type": "playbyplay", "actions": [basket(1, 2, 0), basket(2, 2, 3)]}, status)

    assert (replayed.home, replayed.away, replayed.home_told) == (2, 3, True)
    assert (now.home, now.away, now.period, now.running, now.clock) == (9, 8, "OT1", True, "05:00")


def test_a_timeout_is_on_until_play_goes_on() -> None:
    """With its side."""
    called = {"type": "action", "actionNumber": 9, "teamNumber": 2, "actionType": "timeout", "success": 1}
    start = {"type": "action", "actionNumber": 0, "actionType": "clock", "subType": "start"}

    assert [one.timeout for one in readings(called, start)] == [Timeout.AWAY, Timeout.NONE]


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b"null",
        b'{"type":1}',
        b'{"type":"action","score1":-1}',
        b'{"type":"action","clock":"noon"}',
        b"\xff\xfe",
        b'{"type":"status","scores":7}',
        b'{"type":"action","score1":1e400}',
        b"[" * 5000,
        b'{"type":"action","actionNumber":' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_message_is_damage(line: bytes) -> None:
    """It is counted, told as not valid, and the next line is read."""
    feed = decoder()
    bad, good = feed.feed(line + b"\n" + json.dumps(basket(1, 2, 0)).encode() + b"\n")

    assert (bad.valid, bad.home, good.valid, good.home) == (False, None, True, 2)
    assert (feed.good_frames, feed.bad_frames) == (1, 1)


@pytest.mark.parametrize("kind", ["ping", "setup", "matchInformation", "officials", "something new"])
def test_messages_that_are_not_read_are_passed_over(kind: str) -> None:
    """Sound, counted, silent."""
    feed = decoder()

    assert feed.feed(json.dumps({"type": kind, "teams": "anything"}).encode() + b"\r\n") == []
    assert (feed.good_frames, feed.bad_frames) == (1, 0)


def test_the_last_line_needs_no_end() -> None:
    """A recording may stop after the last brace."""
    feed = decoder()

    assert feed.feed(json.dumps(basket(1, 2, 0)).encode()) == []
    assert [one.home for one in feed.finish()] == [2]
