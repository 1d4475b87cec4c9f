"""A goal has one identity, whoever reports it, however often and in whatever order."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.events import Side
from sync.fixtures import FixtureState, correct, dump, load, remember, score

START = datetime(2027, 3, 1, 18, tzinfo=UTC)
EMPTY = FixtureState(fixture="final")


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


@st.composite
def matches(draw: st.DrawFn) -> list[tuple[str, int, float]]:
    """What truly happened on one side of a scoreboard: goals and corrections, ten seconds apart."""
    story, points = list[tuple[str, int, float]](), 0
    for number in range(draw(st.integers(1, 12))):
        if points and draw(st.booleans()):
            points -= 1
            story.append(("correction", points, 10.0 * number))
        else:
            points += 1
            story.append(("goal", points, 10.0 * number))
    return story


def play(
    state: FixtureState, reports: list[tuple[str, int, float]]
) -> tuple[FixtureState, set[tuple[int, int]], list[tuple[int, int]]]:
    """The state, the (ordinal, take) pairs that would fire, and those taken back, in order."""
    fired, back = set[tuple[int, int]](), list[tuple[int, int]]()
    for kind, points, second in reports:
        if kind == "goal":
            state, take, taken_back = score(state, Side.HOME, points, at(second))
            if not taken_back:
                fired.add((points, take))
        else:
            state, gone = correct(state, Side.HOME, points, at(second))
            back += gone
    return state, fired, back


@given(matches(), st.data())
@settings(max_examples=150)
def test_repetitions_change_nothing(story: list[tuple[str, int, float]], data: st.DataObject) -> None:
    """Reports repeated, late and with a second gateway's slightly other clock fire and take back nothing more."""
    _, fired, back = play(EMPTY, story)
    echoes = list(story)
    for _ in range(data.draw(st.integers(0, 8))):
        index = data.draw(st.integers(0, len(story) - 1))
        kind, points, second = story[index]
        first = echoes.index(story[index])
        echoes.insert(data.draw(st.integers(first + 1, len(echoes))), (kind, points, second + data.draw(st.floats(0, 2))))
    state, fired_with_echoes, back_with_echoes = play(EMPTY, echoes)
    assert fired_with_echoes == fired
    assert sorted(back_with_echoes) == sorted(back)
    assert load(dump(state)) == state


@given(matches())
@settings(max_examples=100)
def test_every_goal_that_was_scored_fires_once(story: list[tuple[str, int, float]]) -> None:
    """Each true goal is an occurrence of its own, each correction takes back exactly the goal above it."""
    _, fired, back = play(EMPTY, story)
    assert len(fired) == sum(kind == "goal" for kind, _, _ in story)
    assert len(back) == len(set(back)) == sum(kind == "correction" for kind, _, _ in story)


def test_correction_that_overtakes_its_goal() -> None:
    """A goal reported after its own correction never fires; scored anew it does."""
    state, _ = correct(EMPTY, Side.HOME, 0, at(10))
    state, take, taken_back = score(state, Side.HOME, 1, at(5))
    assert (take, taken_back) == (1, True)
    state, take, taken_back = score(state, Side.HOME, 1, at(20))
    assert (take, taken_back) == (2, False)


def test_late_correction_spares_the_goal_scored_anew() -> None:
    """A second gateway's correction that arrives after the goal was scored again does not take that one back."""
    state, _, _ = score(EMPTY, Side.HOME, 1, at(5))
    state, back = correct(state, Side.HOME, 0, at(10))
    assert back == ((1, 1),)
    state, take, _ = score(state, Side.HOME, 1, at(20))
    assert take == 2
    state, back = correct(state, Side.HOME, 0, at(10.2))
    assert back == ()
    assert score(state, Side.HOME, 1, at(20.3))[1:] == (2, False)


def test_correction_of_several_points_takes_them_all_back() -> None:
    """From 3 to 1: the third and the second goal go, the other side's stay."""
    state = EMPTY
    for points in (1, 2, 3):
        state, _, _ = score(state, Side.HOME, points, at(points))
    state, _, _ = score(state, Side.AWAY, 2, at(4))
    state, back = correct(state, Side.HOME, 1, at(9))
    assert back == ((2, 1), (3, 1))
    assert correct(state, Side.AWAY, 0, at(10))[1] == ((2, 1),)


def test_goal_known_only_from_its_claim() -> None:
    """What a crash kept from memory is mended from the ledger, once."""
    state = remember(EMPTY, Side.HOME, 1, 1, at(5))
    assert remember(state, Side.HOME, 1, 1, at(6)) == state
    assert correct(state, Side.HOME, 0, at(10))[1] == ((1, 1),)
