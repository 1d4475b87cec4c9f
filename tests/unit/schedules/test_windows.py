from datetime import UTC, datetime, timedelta

from schedules import Airing, WindowChange, Windows, next_changes

NOON = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def airing(name: str, opens: float, closes: float) -> Airing:
    return Airing(
        airing_id=name,
        channel="nord",
        spot_id="kaffee-30",
        number=1,
        planned_utc=at(opens),
        opens_utc=at(opens),
        closes_utc=at(closes),
        raw="",
        row=1,
    )


def taken(windows: Windows, now_utc: datetime) -> list[tuple[str, str]]:
    found = []
    while (due := windows.take_due(now_utc)) is not None:
        found.append((due.airing.airing_id, due.change.value))
    return found


def test_changes_come_in_order_and_close_before_others_open() -> None:
    """One window ends where the next begins."""
    changes = next_changes([airing("b", 5, 10), airing("a", 10, 15)], at(0))

    assert [(one.airing.airing_id, one.change) for one in changes] == [
        ("b", WindowChange.OPENED),
        ("b", WindowChange.CLOSED),
        ("a", WindowChange.OPENED),
        ("a", WindowChange.CLOSED),
    ]


def test_an_open_window_is_opened_at_once_and_a_passed_one_only_closed() -> None:
    """As after a restart in the middle of a break."""
    windows = Windows()
    windows.load([airing("open", -1, 5), airing("passed", -9, -5), airing("later", 3, 6)], at(0))

    assert taken(windows, at(0)) == [("passed", "closed"), ("open", "opened")]
    assert windows.next_utc() == at(3)


def test_a_window_ends_at_its_last_instant() -> None:
    """Told closed at `closes_utc`, not before."""
    windows = Windows()
    windows.load([airing("a", 0, 5)], at(-1))

    assert taken(windows, at(0)) == [("a", "opened")]
    assert taken(windows, at(4.99)) == []
    assert taken(windows, at(5)) == [("a", "closed")]
    assert windows.next_utc() is None


def test_a_step_forward_skips_nothing() -> None:
    """Both changes of a window the clock jumped over are told, in order."""
    windows = Windows()
    windows.load([airing("a", 1, 2), airing("b", 1.5, 60)], at(0))

    assert taken(windows, at(30)) == [("a", "opened"), ("b", "opened"), ("a", "closed")]


def test_a_step_back_repeats_nothing() -> None:
    """Nor does loading again while the clock is behind."""
    windows = Windows()
    plan = [airing("a", 1, 2), airing("b", 1, 5)]
    windows.load(plan, at(0))
    assert taken(windows, at(3)) == [("a", "opened"), ("b", "opened"), ("a", "closed")]

    windows.load(plan, at(-10))

    assert taken(windows, at(1)) == []
    assert taken(windows, at(5)) == [("b", "closed")]


def test_loading_again_tells_only_what_is_new() -> None:
    """An open window stays, a new one opens, one that is gone is closed."""
    windows = Windows()
    windows.load([airing("stays", 0, 9), airing("gone", 0, 9)], at(1))
    assert taken(windows, at(1)) == [("gone", "opened"), ("stays", "opened")]

    windows.load([airing("stays", 0, 9), airing("new", 1, 8)], at(2))

    assert taken(windows, at(2)) == [("gone", "closed"), ("new", "opened")]


def test_a_moved_window_is_closed_and_opened_anew() -> None:
    """Whoever was told of the old one learns of both ends."""
    windows = Windows()
    windows.load([airing("a", 0, 9)], at(1))
    assert taken(windows, at(1)) == [("a", "opened")]

    windows.load([airing("a", 5, 9)], at(2))

    assert taken(windows, at(2)) == [("a", "closed")]
    assert taken(windows, at(9)) == [("a", "opened"), ("a", "closed")]


def test_a_closing_that_a_second_load_overtakes_is_still_told() -> None:
    """Two imports in a row, before anyone could be told."""
    windows = Windows()
    windows.load([airing("a", 0, 9)], at(1))
    assert taken(windows, at(1)) == [("a", "opened")]

    windows.load([], at(2))
    windows.load([], at(2))

    assert taken(windows, at(2)) == [("a", "closed")]
