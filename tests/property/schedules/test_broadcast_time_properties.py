import contextlib
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schedules.broadcast_time import DAY_S, clock_text, from_utc, parse_zone, to_utc
from schedules.clock_time import TIME_S_MAX, parse_time
from schedules.dates import parse_date
from schedules.errors import BroadcastTimeError

ZONES = (
    "Europe/Stockholm",
    "Europe/Lisbon",
    "America/New_York",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "UTC",
)
CHANGES = (
    date(2027, 3, 27),
    date(2027, 3, 28),
    date(2027, 10, 30),
    date(2027, 10, 31),
    date(2027, 3, 13),
    date(2027, 11, 6),
    date(2027, 4, 3),
)
days = st.one_of(st.sampled_from(CHANGES), st.dates(date(2020, 1, 1), date(2035, 12, 31)))


def reading(day: date, time_s: int, zone: str, start_h: int) -> datetime | BroadcastTimeError:
    try:
        return to_utc(day, time_s, parse_zone(zone), day_start_s=start_h * 3600)
    except BroadcastTimeError as error:
        return error


@settings(max_examples=200, deadline=None)
@given(zone=st.sampled_from(ZONES), day=days, time_s=st.integers(0, TIME_S_MAX), start_h=st.integers(0, 6))
@example(zone="Europe/Stockholm", day=date(2027, 3, 27), time_s=26 * 3600, start_h=6)
@example(zone="Europe/Stockholm", day=date(2027, 10, 30), time_s=27 * 3600 - 1, start_h=6)
@example(zone="Australia/Lord_Howe", day=date(2027, 4, 3), time_s=25 * 3600 + 45 * 60, start_h=6)
def test_an_instant_is_the_only_one_that_shows_this_wall_clock(zone: str, day: date, time_s: int, start_h: int) -> None:
    """Judged by searching zoneinfo from UTC: one instant shows the time, or it is refused as skipped (none) or twice (two)."""
    wall = datetime(day.year, day.month, day.day) + timedelta(seconds=time_s)  # noqa: DTZ001
    around = (wall.replace(tzinfo=UTC) + timedelta(minutes=minutes) for minutes in range(-15 * 60, 15 * 60 + 1, 15))
    showing = [instant for instant in around if instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == wall]

    found = reading(day, time_s, zone, start_h)

    if time_s < start_h * 3600:
        assert isinstance(found, BroadcastTimeError)
        assert "before the broadcast day begins" in found.reason
    elif len(showing) == 1:
        assert found == showing[0]
    else:
        assert isinstance(found, BroadcastTimeError)
        assert ("happens twice" if showing else "is skipped") in found.reason


@settings(max_examples=200, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    instant=st.datetimes(datetime(2020, 1, 1), datetime(2035, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
    start_h=st.integers(0, 6),
)
def test_writing_an_instant_and_reading_it_gives_it_back(zone: str, instant: datetime, start_h: int) -> None:
    """`from_utc` is the inverse of `to_utc`, but for hours that happen twice, which are refused."""
    instant = instant.replace(microsecond=0)
    day, time_s = from_utc(instant, parse_zone(zone), day_start_s=start_h * 3600)

    assert start_h * 3600 <= time_s < start_h * 3600 + DAY_S
    assert (parse_date(str(day)), parse_time(clock_text(time_s))) == (day, time_s)
    found = reading(day, time_s, zone, start_h)
    assert found == instant or (isinstance(found, BroadcastTimeError) and "happens twice" in found.reason)


@settings(max_examples=200)
@given(text=st.text(max_size=12))
def test_any_text_is_a_value_or_a_named_error(text: str) -> None:
    """Nothing but `BroadcastTimeError` leaves the parsers."""
    for parse in (parse_date, parse_time, parse_zone):
        with contextlib.suppress(BroadcastTimeError):
            parse(text)


CHANGE_NIGHTS = {
    "Europe/Stockholm": [(date(2027, 3, 28), 2), (date(2027, 10, 31), 2)],
    "America/Toronto": [(date(2027, 3, 14), 2), (date(2027, 11, 7), 1)],
    "Australia/Lord_Howe": [(date(2027, 10, 3), 2), (date(2027, 4, 4), 1)],
}
"""Nights on which clocks change, with an hour that is skipped or happens twice; Lord Howe changes by half an hour."""


@settings(max_examples=300, deadline=None)
@given(
    zone=st.sampled_from([*CHANGE_NIGHTS, "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Chatham", "America/St_Johns", "UTC"]),
    day=st.dates(date(2024, 1, 1), date(2032, 12, 31)),
    time_s=st.integers(0, TIME_S_MAX),
    day_start_s=st.sampled_from([0, 3 * 3600, 5 * 3600, 6 * 3600]),
)
@example(zone="Europe/Stockholm", day=date(2028, 2, 28), time_s=25 * 3600, day_start_s=6 * 3600)
@example(zone="America/Toronto", day=date(2028, 2, 29), time_s=29 * 3600, day_start_s=6 * 3600)
def test_a_wall_clock_means_one_instant_or_is_refused(zone: str, day: date, time_s: int, day_start_s: int) -> None:
    """Over zones, both changes, leap days and day starts: what is accepted reads back as that wall clock alone."""
    hangs_in = ZoneInfo(zone)
    wall = datetime(day.year, day.month, day.day) + timedelta(seconds=time_s)  # noqa: DTZ001
    meant = {
        instant
        for fold in (0, 1)
        if (instant := wall.replace(tzinfo=hangs_in, fold=fold).astimezone(UTC)).astimezone(hangs_in).replace(tzinfo=None) == wall
    }
    try:
        found = to_utc(day, time_s, hangs_in, day_start_s=day_start_s)
    except BroadcastTimeError:
        assert time_s < day_start_s or len(meant) != 1
        return
    assert time_s >= day_start_s
    assert meant == {found}


@settings(max_examples=60, deadline=None)
@given(
    night=st.sampled_from([(zone, *one) for zone, nights in CHANGE_NIGHTS.items() for one in nights]), minute=st.integers(0, 29)
)
def test_both_changes_are_refused_with_both_readings(night: tuple[str, date, int], minute: int) -> None:
    """In every zone; the offsets told are the two ways to write it."""
    zone, day, hour = night
    late = 30 if zone == "Australia/Lord_Howe" and hour == 1 else 0
    with pytest.raises(BroadcastTimeError) as caught:
        to_utc(day, hour * 3600 + (minute + late) * 60, ZoneInfo(zone), day_start_s=0)
    assert caught.value.reason.count("UTC by") == 2
    assert " or " in caught.value.fix
