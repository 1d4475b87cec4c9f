from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from schedules import Airing, WindowChange, Windows

NOON = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)


def airing(name: str, opens_s: int, lasts_s: int) -> Airing:
    opens_utc = NOON + timedelta(seconds=opens_s)
    closes_utc = opens_utc + timedelta(seconds=lasts_s)
    return Airing(
        airing_id=name,
        channel="nord",
        spot_id="kaffee-30",
        number=1,
        planned_utc=opens_utc,
        opens_utc=opens_utc,
        closes_utc=closes_utc,
        raw="",
        row=1,
    )


airings = st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.integers(0, 100), st.integers(1, 50)), max_size=6)


@settings(max_examples=200)
@given(
    plans=st.lists(airings, min_size=1, max_size=4),
    clock_s=st.lists(st.integers(-50, 200), max_size=30),
    reload_every=st.integers(1, 10),
)
def test_however_the_clock_steps_opened_and_closed_alternate(
    plans: list[dict[str, tuple[int, int]]], clock_s: list[int], reload_every: int
) -> None:
    """For each airing: never opened twice running, and all is closed in the end."""
    windows, last = Windows(), dict[str, WindowChange]()
    for turn, now_s in enumerate([*clock_s, 1000]):
        now_utc = NOON + timedelta(seconds=now_s)
        if turn % reload_every == 0:
            plan = plans[turn // reload_every % len(plans)]
            windows.load([airing(name, *times) for name, times in plan.items()], now_utc)
        while (due := windows.take_due(now_utc)) is not None:
            name = due.airing.airing_id
            assert due.at_utc <= now_utc
            if due.change is WindowChange.OPENED:
                assert last.get(name) is not WindowChange.OPENED
            last[name] = due.change

    assert set(last.values()) <= {WindowChange.CLOSED}
    assert windows.next_utc() is None


@settings(max_examples=100)
@given(plan=airings, clock_s=st.lists(st.integers(-50, 200), max_size=30))
def test_without_a_new_plan_each_change_is_told_exactly_once(plan: dict[str, tuple[int, int]], clock_s: list[int]) -> None:
    """Steps forth and back neither skip nor repeat."""
    windows = Windows()
    windows.load([airing(name, *times) for name, times in plan.items()], NOON - timedelta(seconds=1))
    told = []
    for now_s in [*clock_s, 1000]:
        while (due := windows.take_due(NOON + timedelta(seconds=now_s))) is not None:
            told.append((due.airing.airing_id, due.change))

    assert sorted(told) == sorted((name, change) for name in plan for change in WindowChange)
