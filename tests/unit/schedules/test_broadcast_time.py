from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from schedules.broadcast_time import clock_text, from_utc, parse_day_start, parse_zone, to_utc
from schedules.clock_time import parse_time
from schedules.errors import BroadcastTimeError

STOCKHOLM = ZoneInfo("Europe/Stockholm")
SIX = 6 * 3600


def test_half_past_twenty_five_is_the_next_morning() -> None:
    """25:30 on 1 March is 01:30 on 2 March by the wall clock."""
    assert to_utc(date(2027, 3, 1), parse_time("25:30"), STOCKHOLM, day_start_s=SIX) == datetime(2027, 3, 2, 0, 30, tzinfo=UTC)


def test_a_time_before_the_day_begins_is_refused_with_both_readings() -> None:
    """02:00 in a day that begins at 06:00 may be this morning or the next."""
    with pytest.raises(
        BroadcastTimeError,
        match="26:00:00 for the morning of 2027-03-02, or 2027-02-28 and 26:00:00 for the morning of 2027-03-01",
    ):
        to_utc(date(2027, 3, 1), 2 * 3600, STOCKHOLM, day_start_s=SIX)


def test_calendar_days_have_early_mornings() -> None:
    """With day start 00:00 a time is what it says."""
    assert to_utc(date(2027, 3, 1), 2 * 3600, STOCKHOLM, day_start_s=0) == datetime(2027, 3, 1, 1, 0, tzinfo=UTC)


def test_a_skipped_time_is_refused_with_both_readings() -> None:
    """02:30 does not exist on the night clocks go forward."""
    with pytest.raises(
        BroadcastTimeError, match=r"is skipped .* 01:30:00 UTC by \+01:00, 00:30:00 UTC by \+02:00; write \+01:00 or \+02:00"
    ):
        to_utc(date(2027, 3, 27), parse_time("26:30"), STOCKHOLM, day_start_s=SIX)


def test_a_time_that_happens_twice_is_refused_with_both_readings() -> None:
    """02:30 exists twice on the night clocks go back."""
    with pytest.raises(BroadcastTimeError, match=r"happens twice .* 00:30:00 UTC by \+02:00, 01:30:00 UTC by \+01:00"):
        to_utc(date(2027, 10, 30), parse_time("26:30"), STOCKHOLM, day_start_s=SIX)


@pytest.mark.parametrize(("offset", "hour"), [("+02:00", 0), ("+01:00", 1)])
def test_an_offset_settles_an_ambiguous_time(offset: str, hour: int) -> None:
    """What the refusal proposes is then accepted."""
    instant = to_utc(date(2027, 10, 30), parse_time("26:30"), parse_zone(offset), day_start_s=SIX)

    assert instant == datetime(2027, 10, 31, hour, 30, tzinfo=UTC)


def test_the_night_of_the_change_keeps_its_broadcast_day() -> None:
    """After the skipped hour the wall clock counts on: 27:30 is 03:30 summer time."""
    assert to_utc(date(2027, 3, 27), parse_time("27:30"), STOCKHOLM, day_start_s=SIX) == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "match"),
    [("Europe/Stokholm", "did you mean Europe/Stockholm"), ("+25:00", "offset"), ("", "IANA"), ("../etc/passwd", "zone")],
)
def test_zones_that_are_none_are_refused(text: str, match: str) -> None:
    """Only names of the database and offsets of up to 14 hours."""
    with pytest.raises(BroadcastTimeError, match=match):
        parse_zone(text)


def test_a_day_that_begins_after_six_is_refused() -> None:
    """Its last hours would lie beyond 29:59:59 and could not be written."""
    assert parse_day_start("06:00") == SIX
    with pytest.raises(BroadcastTimeError, match="00:00 to 06:00"):
        parse_day_start("06:01")


def test_an_early_instant_belongs_to_the_day_before() -> None:
    """01:30 on 2 March is written 25:30 on 1 March."""
    day, time_s = from_utc(datetime(2027, 3, 2, 0, 30, tzinfo=UTC), STOCKHOLM, day_start_s=SIX)

    assert (day, clock_text(time_s)) == (date(2027, 3, 1), "25:30:00")
