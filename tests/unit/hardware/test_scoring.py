"""From readings to goals, corrections and periods, by sport."""

import pytest

from hardware.errors import SettingError
from hardware.events import Reading, ScoreKind, Side, Timeout
from hardware.scoring import Confidence, Outcome, Rebaselined, ScoreChange, ScoreKeeper, Seen

MS = 1_000_000


class Board:
    """Feeds a keeper one reading every 100 ms."""

    def __init__(self, sport: str = "ice_hockey", *, checked: bool = True) -> None:
        self.keeper = ScoreKeeper(sport=sport)
        self.checked = checked
        self.now_ns = 0

    def show(
        self,
        home: int | None,
        away: int | None,
        *,
        period: str = "1",
        valid: bool = True,
        after_ms: int = 100,
        running: bool | None = True,
        told: tuple[bool, bool] = (True, True),
        horn: bool | None = None,
        timeout: Timeout | None = None,
    ) -> list[tuple[object, ...]]:
        self.now_ns += after_ms * MS
        reading = Reading(
            offset=0,
            protocol="oes",
            home=home,
            away=away,
            clock="10:00",
            period=period,
            running=running,
            valid=valid,
            checked=self.checked and valid,
            home_told=told[0],
            away_told=told[1],
            horn=horn,
            timeout=timeout,
        )
        return [facts(outcome) for outcome in self.keeper.observe(Seen(reading=reading, mono_ns=self.now_ns, utc_ns=self.now_ns))]


def facts(outcome: Outcome) -> tuple[object, ...]:
    if isinstance(outcome, Rebaselined):
        return ("again", outcome.home, outcome.away)
    return (outcome.kind.value, outcome.side and outcome.side.value, outcome.delta, outcome.ordinal)


def test_the_first_reading_is_a_baseline() -> None:
    """Whatever the score is when we begin to look, nobody scores by our looking."""
    board = Board()
    assert board.show(3, 1) == []
    assert board.show(4, 1) == [("goal", "home", 1, 4)]


def test_a_baseline_waits_for_both_sides() -> None:
    """A blank side is not zero: its first number may be a goal that nobody saw."""
    board = Board()
    assert board.show(1, None) == []
    assert board.show(1, 2) == []
    assert board.show(1, 3) == [("goal", "away", 1, 3)]


def test_a_blank_keeps_the_score() -> None:
    """Consoles flash a score by blanking it; neither the blank nor its end is a change."""
    board = Board()
    board.show(1, 0)
    assert board.show(None, 0) == []
    assert board.show(None, None) == []
    assert board.show(1, 0) == []
    assert board.show(None, 0) == []
    assert board.show(2, 0) == [("goal", "home", 1, 2)]


def test_an_invalid_reading_changes_nothing() -> None:
    """Damage is neither a goal nor a silence that ends."""
    board = Board()
    board.show(0, 0)
    assert board.show(1, 0, valid=False) == []
    assert board.show(0, 0) == []


def test_an_unchecked_goal_needs_a_second_reading() -> None:
    """Without a checksum one odd frame fires nothing, and the event is dated at its first sight."""
    board = Board(checked=False)
    board.show(0, 0)
    board.show(0, 0)
    assert board.show(5, 0) == []
    assert board.show(0, 0) == []
    assert board.show(1, 0) == []
    first_ns = board.now_ns
    reading = Reading(
        offset=9, protocol="stramatel", home=1, away=0, clock="", period="1", running=None, valid=True, checked=False
    )
    (change,) = board.keeper.observe(Seen(reading=reading, mono_ns=first_ns + 300 * MS, utc_ns=first_ns + 300 * MS))

    assert isinstance(change, ScoreChange)
    assert (change.kind, change.side, change.confidence) == (ScoreKind.GOAL, Side.HOME, Confidence.REPEATED)
    assert change.first.utc_ns == first_ns


def test_an_unchecked_baseline_needs_a_second_reading() -> None:
    """A damaged first frame must not become what everything is compared with."""
    board = Board(checked=False)
    assert board.show(7, 0) == []
    assert board.show(0, 0) == []
    assert board.show(0, 0) == []
    assert board.keeper.home == 0


def test_a_silence_makes_a_new_baseline() -> None:
    """After more than three seconds without a reading a higher score is told, not fired."""
    board = Board()
    board.show(0, 0)
    assert board.show(1, 0, after_ms=3_001) == [("again", 1, 0)]
    assert board.show(2, 0, after_ms=3_000) == [("goal", "home", 1, 2)]


def test_a_new_connection_makes_a_new_baseline() -> None:
    """The same after `forget`; with an unchanged score there is nothing to tell."""
    board = Board()
    board.show(0, 0)
    board.keeper.forget()
    assert board.show(0, 0) == []
    board.keeper.forget()
    assert board.show(0, 1) == [("again", 0, 1)]


def test_a_half_confirmed_goal_does_not_survive_a_new_connection() -> None:
    """One sight before the silence and one after it are not two that follow each other."""
    board = Board(checked=False)
    board.show(0, 0)
    board.show(0, 0)
    board.show(1, 0)
    board.keeper.forget()
    assert board.show(1, 0) == []
    assert board.show(1, 0) == [("again", 1, 0)]


def test_a_decrease_is_a_correction_once_confirmed() -> None:
    """What takes a goal back is seen twice even with a checksum; the goal scored again is a goal."""
    board = Board()
    board.show(1, 1)
    assert board.show(2, 1) == [("goal", "home", 1, 2)]
    assert board.show(1, 1) == []
    assert board.show(1, 1) == [("correction", "home", -1, 1)]
    assert board.show(2, 1) == [("goal", "home", 1, 2)]


def test_a_goal_given_to_the_other_side_is_a_correction_first() -> None:
    """One reading may take from one side and give to the other."""
    board = Board()
    board.show(1, 0)
    board.show(0, 1)
    assert board.show(0, 1) == [("correction", "home", -1, 0), ("goal", "away", 1, 1)]


def test_a_jump_begins_again_and_says_so() -> None:
    """More than one score can add is no goal, and is not believed at one sight."""
    board = Board()
    board.show(0, 0)
    assert board.show(2, 0) == []
    assert board.show(2, 0) == [("again", 2, 0)]
    assert board.show(3, 0) == [("goal", "home", 1, 3)]


@pytest.mark.parametrize(
    ("sport", "steps"),
    [("football", {1}), ("ice_hockey", {1}), ("handball", {1}), ("floorball", {1}), ("basketball", {1, 2, 3})],
)
def test_each_sport_has_its_steps(sport: str, steps: set[int]) -> None:
    """What one score may add; everything up to 5 is tried."""
    for step in range(1, 6):
        board = Board(sport)
        board.show(10, 0)
        fired = board.show(10 + step, 0)
        assert fired == ([("goal", "home", step, 10 + step)] if step in steps else [])


def test_a_reset_for_another_match_takes_nothing_back() -> None:
    """Four goals do not vanish at once, and none does as the period begins again."""
    board = Board()
    board.show(3, 1, period="3")
    board.show(0, 0, period="3")
    assert board.show(0, 0, period="3") == [("again", 0, 0)]

    board = Board()
    board.show(1, 0, period="3")
    board.show(0, 0, period="1")
    assert board.show(0, 0, period="1")[-1] == ("again", 0, 0)


def test_a_new_period_is_told_once() -> None:
    """A change of period has no side; blank periods are no change."""
    board = Board()
    board.show(1, 0, period="1")
    assert board.show(1, 0, period="") == []
    assert board.show(1, 0, period="2") == [("period", None, 0, 0)]
    assert board.show(1, 0, period="2") == []


def test_an_unchecked_period_needs_a_second_reading() -> None:
    """One odd frame changes no period either."""
    board = Board(checked=False)
    board.show(1, 0)
    board.show(1, 0)
    assert board.show(1, 0, period="7") == []
    assert board.show(1, 0, period="1") == []
    assert board.show(1, 0, period="2") == []
    assert board.show(1, 0, period="2") == [("period", None, 0, 0)]


def test_an_unknown_sport_is_answered_with_the_known_ones() -> None:
    """The message is enough to correct the configuration."""
    with pytest.raises(SettingError, match=r"sport 'curling': not known; use one of american_football, basketball, fencing"):
        ScoreKeeper(sport="curling")


def test_play_goes_on_when_the_clock_runs_again() -> None:
    """Told once, as its stop is; a protocol that does not say, or a damaged reading, changes nothing."""
    board = Board()
    board.show(1, 0)
    board.show(1, 0)
    assert board.show(1, 0, running=False) == [("stop", None, 0, 0)]
    assert board.show(1, 0, running=None) == []
    assert board.show(1, 0, valid=False) == []
    assert board.show(1, 0) == [("restart", None, 0, 0)]
    assert board.show(1, 0) == []


def test_a_goal_comes_before_the_restart_of_the_same_reading() -> None:
    """A goal that is shown only when play goes on is not confirmed by that restart's being told first."""
    board = Board()
    board.show(0, 0)
    board.show(0, 0, running=False)
    assert board.show(1, 0) == [("goal", "home", 1, 1), ("restart", None, 0, 0)]


def test_whether_the_clock_stood_must_have_been_seen() -> None:
    """Neither the first sight of a running clock, nor one after a silence, says that play goes on."""
    board = Board()
    board.show(1, 0)
    assert board.show(1, 0) == []
    board.show(1, 0, running=False)
    assert board.show(1, 0, after_ms=3_001) == []
    assert board.show(1, 0) == []


def test_an_unchecked_restart_needs_a_second_reading() -> None:
    """One odd frame starts no play."""
    board = Board(checked=False)
    for running in (True, True, True, True, False):
        assert board.show(1, 0, running=running) == []
    assert board.show(1, 0, running=False) == [("stop", None, 0, 0)]
    for running in (True, False, False, False, True):
        assert board.show(1, 0, running=running) == []
    assert board.show(1, 0) == [("restart", None, 0, 0)]


@pytest.mark.parametrize(
    ("sport", "steps"),
    [
        ("rugby", {2, 3, 5, 7}),
        ("american_football", {1, 2, 3, 6, 7, 8}),
        ("water_polo", {1}),
        ("volleyball", {1}),
        ("fencing", {1}),
    ],
)
def test_the_steps_of_other_sports(sport: str, steps: set[int]) -> None:
    """Everything up to 9 is tried."""
    for step in range(1, 10):
        board = Board(sport)
        board.show(10, 0)
        fired = board.show(10 + step, 0)
        assert fired == ([("goal", "home", step, 10 + step)] if step in steps else [])


def test_both_sides_at_once_are_not_believed_at_one_sight() -> None:
    """Damage that passes a checksum changes two bytes; two goals in a tenth of a second are rarer."""
    board = Board()
    board.show(1, 1)
    assert board.show(2, 2) == []
    assert board.show(2, 2) == [("goal", "home", 1, 2), ("goal", "away", 1, 2)]


def test_points_told_by_an_earlier_frame_make_no_baseline() -> None:
    """What a console told before a silence may be old: each side must be told anew."""
    board = Board()
    assert board.show(3, 1, told=(False, False)) == []
    assert board.show(3, 1, told=(True, False)) == []
    assert board.show(4, 1, told=(True, False)) == []
    assert board.show(4, 1, told=(False, True)) == []
    assert board.show(5, 1, told=(True, False)) == [("goal", "home", 1, 5)]
    assert board.show(5, 2, told=(False, False), after_ms=4_000) == []
    assert board.keeper.away == 1


def test_one_frame_is_not_its_own_second_sight() -> None:
    """Without a checksum, frames of the clock that repeat a damaged score confirm nothing."""
    board = Board(checked=False)
    board.show(1, 1)
    board.show(1, 1)
    assert board.show(2, 1) == []
    for _ in range(5):
        assert board.show(2, 1, told=(False, False)) == []
    assert board.show(2, 1) == [("goal", "home", 1, 2)]


def test_a_console_that_sends_changes_only_is_corrected_by_what_follows() -> None:
    """A checked packet is sent once: a correction stands when a later packet does not contradict it."""
    board = Board()
    board.show(2, 1)
    assert board.show(1, 1, told=(True, False)) == []
    assert board.show(1, 1, told=(False, False)) == [("correction", "home", -1, 1)]


def test_points_of_each_set_have_names_of_their_own() -> None:
    """Volleyball: 100 for each set before; a new set takes nothing back, whichever side falls to 0 first."""
    board = Board("volleyball")
    board.show(24, 20)
    assert board.show(25, 20) == [("goal", "home", 1, 25)]
    board.show(0, 20, period="2")
    assert board.show(0, 20, period="2")[0] == ("again", 0, 20)
    board.show(0, 0, period="2")
    assert board.show(0, 0, period="2") == [("again", 0, 0)]
    assert board.show(0, 1, period="2") == [("goal", "away", 1, 101)]
    board.show(0, 0, period="2")
    assert board.show(0, 0, period="2") == [("correction", "away", -1, 100)]


def test_two_gateways_name_the_same_goals() -> None:
    """One that began to look later, and was restarted, tells the same side and ordinal."""
    match = [(0, 0), (1, 0), (1, 0), (2, 0), (2, 1), (1, 1), (1, 1), (2, 1), (3, 1)]
    first, second = Board(), Board()
    told = [event for score in match for event in first.show(*score) if event[0] == "goal"]
    late: list[tuple[object, ...]] = []
    for at, score in enumerate(match):
        if at == 7:
            second.keeper.forget()
        if at >= 2:
            late += [event for event in second.show(*score) if event[0] == "goal"]

    assert late == [("goal", "home", 1, 2), ("goal", "away", 1, 1), ("goal", "home", 1, 3)]
    assert set(late) < set(told)


def test_horn_and_timeouts_are_told_once() -> None:
    """When they begin, and a time-out with its side; not at the first sight, nor when they end."""
    board = Board()
    board.show(0, 0, horn=True, timeout=Timeout.AWAY)
    assert board.show(0, 0, horn=True, timeout=Timeout.AWAY) == []
    assert board.show(0, 0, horn=False, timeout=Timeout.NONE) == []
    assert board.show(0, 0, horn=True, timeout=Timeout.HOME) == [("horn", None, 0, 0), ("timeout", "home", 0, 0)]
    assert board.show(0, 0, horn=True, timeout=Timeout.HOME) == []
    assert board.show(0, 0, horn=False, timeout=Timeout.UNTOLD) == [("timeout", None, 0, 0)]
