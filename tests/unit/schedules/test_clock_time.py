import pytest

from schedules.clock_time import TimeForms, parse_length, parse_time, split_instant
from schedules.errors import BroadcastTimeError

ALL = TimeForms(short=True, digits=True)


@pytest.mark.parametrize(
    ("text", "seconds"), [("00:00", 0), ("06:00:01", 21601), ("23:59:59", 86399), ("24:00", 86400), ("29:59:59", 107999)]
)
def test_times_of_a_broadcast_day(text: str, seconds: int) -> None:
    """Hours count from 00 to 29."""
    assert parse_time(text) == seconds


@pytest.mark.parametrize(
    ("text", "hours", "minutes"),
    [
        ("8:15 PM", 20, 15),
        ("08:15:00pm", 20, 15),
        ("8:15 p.m.", 20, 15),
        ("12:05 AM", 0, 5),
        ("12:05 PM", 12, 5),
        ("0730P", 19, 30),
        ("730a", 7, 30),
        ("1200N", 12, 0),
        ("1230N", 12, 30),
        ("1200M", 0, 0),
        ("1230A", 0, 30),
    ],
)
def test_half_days(text: str, hours: int, minutes: int) -> None:
    """Twelve is noon with P or N, midnight with A or M."""
    assert parse_time(text) == hours * 3600 + minutes * 60


@pytest.mark.parametrize("text", ["13:00 PM", "0:30 AM", "0000A", "0730N", "0100M", "1260P", "8:15:61 AM", "8 PM"])
def test_half_days_that_do_not_exist(text: str) -> None:
    """N and M only with 12; nothing beyond 12."""
    with pytest.raises(BroadcastTimeError):
        parse_time(text)


def test_frames_are_rounded_down_and_checked() -> None:
    """Drop-frame timecode leaves out frames 00 and 01 of each minute but every tenth."""
    assert parse_time("20:15:30:24") == parse_time("20:15:30;29") == parse_time("20:15:30")
    assert parse_time("20:10:00;00") == parse_time("20:10")
    with pytest.raises(BroadcastTimeError, match=r"leaves out frame 01 of this minute; write 20:15:00;02"):
        parse_time("20:15:00;01")
    for text in ("20:15:30;30", "20:15:30:60", "20:60:30:00"):
        with pytest.raises(BroadcastTimeError):
            parse_time(text)


@pytest.mark.parametrize(("text", "fix"), [("8:15", "write 08:15"), ("201500", "write HH:MM")])
def test_short_times_and_digits_are_of_layouts_that_have_them(text: str, fix: str) -> None:
    """Elsewhere they are refused with their fix."""
    assert parse_time(text, ALL) == parse_time("20:15" if text == "201500" else "08:15")
    with pytest.raises(BroadcastTimeError, match=fix):
        parse_time(text)


@pytest.mark.parametrize(
    "text", ["30:00", "12:60", "12:00:60", "", "1234", "12.30", "-1:00", "12:30:00.5", "１２:３０", "12:30\n", "99:99", "30000"]
)
def test_other_times_are_refused(text: str) -> None:
    """Nothing is guessed, not even with every form allowed: a French screen named 1000 is no time."""
    with pytest.raises(BroadcastTimeError):
        parse_time(text, ALL)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30), ("7.5", 7.5), ("30s", 30), ('30"', 30), (":30", 30), ("1:30", 90), ("00:00:30", 30), ("00:00:30:00", 30)],
)
def test_lengths(text: str, seconds: float) -> None:
    """Seconds, or a clock."""
    assert parse_length(text) == seconds


def test_lengths_of_frames_and_digits() -> None:
    """Half a second is 12.5 frames of 25; HHMMSS only where the layout has it."""
    assert parse_length("00:00:30:10") == pytest.approx(30.4)
    assert parse_length("000130", digits=True) == 90
    for text in ("", "thirty", "7,5", "-1", "0:75", "nan"):
        with pytest.raises(BroadcastTimeError):
            parse_length(text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("2027-03-01 20:15:00", ("2027-03-01", "20:15:00", "")),
        ("2027-03-01T19:15:00Z", ("2027-03-01", "19:15:00", "UTC")),
        ("2027-03-01T20:15:00+0100", ("2027-03-01", "20:15:00", "+01:00")),
        ("2027-03-01 20:15:00.000", ("2027-03-01", "20:15:00", "")),
        ("2017-08-17T20:56:53.026Z", ("2017-08-17", "20:56:53", "UTC")),
        ("02/15/2027 8:15 PM", ("02/15/2027", "8:15 PM", "")),
        ("1 Mar 2027 20:15", ("1 Mar 2027", "20:15", "")),
    ],
)
def test_instants_are_taken_apart(text: str, parts: tuple[str, str, str]) -> None:
    """Date, time, and the zone if one is written."""
    assert split_instant(text) == parts


@pytest.mark.parametrize("text", ["2027-03-01", "20:15", "", "tomorrow at 8"])
def test_half_an_instant_is_none(text: str) -> None:
    """A date alone has no time."""
    with pytest.raises(BroadcastTimeError):
        split_instant(text)
