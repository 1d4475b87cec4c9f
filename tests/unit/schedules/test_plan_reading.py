from datetime import UTC, datetime, timedelta

import pytest

from schedules import BroadcastTimeError, Catalogue, Choices, KnownChannel, KnownSpot, Plan, PlanFileError, Severity, read_plan
from schedules.cells import CELL_LETTERS_MAX, FILE_BYTES_MAX, ROWS_MAX

CATALOGUE = Catalogue.of(
    [
        KnownChannel(id="kanal-nord", timezone="Europe/Stockholm"),
        KnownChannel(id="canal-sud", timezone="Europe/Paris"),
        KnownChannel(id="brisbane", timezone="Australia/Brisbane"),
    ],
    [KnownSpot(id="kaffee-30"), KnownSpot(id="kaffee-20"), KnownSpot(id="fjordbank-20")],
)
NOW = datetime(2027, 2, 1, tzinfo=UTC)
HEADER = "channel,date,time,spot"
ROW = "kanal-nord,2027-03-01,20:15,kaffee-30"


def read(*lines: str, encoding: str = "utf-8", day_start: str = "", now_utc: datetime = NOW) -> Plan:
    data = "\n".join(lines).encode(encoding)
    return read_plan(data, catalogue=CATALOGUE, now_utc=now_utc, choices=Choices(day_start=day_start))


def told(plan: Plan, severity: Severity = Severity.ERROR) -> list[str]:
    return [str(problem) for problem in plan.problems if problem.severity is severity]


def test_a_row_becomes_an_airing() -> None:
    """Every field of the airing, and nothing to complain about."""
    plan = read(HEADER, ROW)

    (airing,) = plan.airings
    assert plan.problems == ()
    assert airing.airing_id == "kanal-nord/kaffee-30/2027-03-01/1"
    assert (airing.channel, airing.spot_id, airing.number, airing.row) == ("kanal-nord", "kaffee-30", 1, 2)
    assert airing.planned_utc == datetime(2027, 3, 1, 19, 15, tzinfo=UTC)
    assert airing.opens_utc == airing.planned_utc - timedelta(seconds=120)
    assert airing.closes_utc == airing.planned_utc + timedelta(seconds=120)
    assert airing.raw == "2027-03-01 20:15 Europe/Stockholm"


def test_numbers_follow_the_instant_and_not_the_order_of_rows() -> None:
    """A sorted and an unsorted plan name their airings alike; another day and another spot count anew."""
    rows = [
        "kanal-nord,2027-03-01,25:30,kaffee-30",
        "kanal-nord,2027-03-01,20:15,kaffee-30",
        "kanal-nord,2027-03-02,20:15,kaffee-30",
        "kanal-nord,2027-03-01,21:00,kaffee-20",
    ]

    names = [airing.airing_id for airing in read(HEADER, *rows).airings]

    assert names == [
        "kanal-nord/kaffee-30/2027-03-01/1",
        "kanal-nord/kaffee-20/2027-03-01/1",
        "kanal-nord/kaffee-30/2027-03-01/2",
        "kanal-nord/kaffee-30/2027-03-02/1",
    ]
    assert names == [airing.airing_id for airing in read(HEADER, *sorted(rows)).airings]


def test_each_channel_has_its_own_zone() -> None:
    """The same wall clock is another instant elsewhere."""
    plan = read(HEADER, ROW, "brisbane,2027-03-01,20:15,kaffee-30")

    assert [airing.planned_utc.hour for airing in plan.airings] == [10, 19]


def test_windows_and_zones_of_a_row_win() -> None:
    """Optional columns override the defaults; empty cells keep them."""
    plan = read(
        HEADER + ",window_before_s,window_after_s,length_s,timezone",
        ROW + ",10,7.5,30,UTC",
        "canal-sud,2027-03-01,20:15,kaffee-30,,,,",
    )

    with_own, with_defaults = sorted(plan.airings, key=lambda airing: airing.row)
    assert with_own.planned_utc == datetime(2027, 3, 1, 20, 15, tzinfo=UTC)
    assert (with_own.planned_utc - with_own.opens_utc).total_seconds() == 10
    assert (with_own.closes_utc - with_own.planned_utc).total_seconds() == 7.5
    assert (with_defaults.closes_utc - with_defaults.opens_utc).total_seconds() == 240


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_separators_line_ends_and_byte_order_marks(separator: str, end: str, encoding: str) -> None:
    """What spreadsheets write is read without being told."""
    text = end.join([HEADER, ROW]).replace(",", separator)
    plan = read_plan(text.encode(encoding), catalogue=CATALOGUE, now_utc=NOW)

    assert len(plan.airings) == 1
    assert plan.reading.separator == separator
    assert plan.problems == ()


def test_windows_encoding_is_read_with_a_warning() -> None:
    """An accented letter in cp1252 is understood, and said."""
    plan = read(
        "Plan für den März – Kanal Süd,,,,", HEADER + ",note", ROW + ",Eröffnung nach Mitternacht für Käufer", encoding="cp1252"
    )

    assert len(plan.airings) == 1
    assert plan.reading.encoding == "cp1252"
    assert "read as cp1252" in told(plan, Severity.WARNING)[0]


def test_the_header_may_stand_below_a_title() -> None:
    """Anywhere in the first 20 rows, in any case and order."""
    plan = read("Nordkaffee,,,", ",,,", " Spot ,TIME,Date,Channel", "kaffee-30,20:15,2027-03-01,kanal-nord")

    assert plan.airings[0].row == 4
    with pytest.raises(PlanFileError, match="first 20 rows"):
        read(*[",,,"] * 20, HEADER, ROW)


def test_blank_totals_and_repeated_header_rows_are_skipped_with_a_note() -> None:
    """People send them all the same."""
    plan = read(HEADER, ",,,", ROW, HEADER, "Total:,,,1", "")

    assert len(plan.airings) == 1
    assert told(plan, Severity.NOTE) == [
        "row 2: blank row skipped",
        "row 4: repeated header skipped",
        "row 5: totals row skipped",
    ]


@pytest.mark.parametrize("row", ["total,2027-03-01,,", "total,,20:15,"])
def test_a_total_with_a_date_or_time_is_no_totals_row(row: str) -> None:
    """A row that could be an airing is never dropped silently."""
    assert told(read(HEADER, row))[0].startswith("row 2, channel = 'total': no channel of this id is known")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "kanal-nrd,2027-03-01,20:15,kaffee-30",
            "row 2, channel = 'kanal-nrd': no channel of this id is known; did you mean kanal-nord?",
        ),
        (
            "Kanal-Nord,2027-03-01,20:15,kaffee-30",
            "row 2, channel = 'Kanal-Nord': no channel of this id is known; did you mean kanal-nord?",
        ),
        (
            "kanal-nord,2027-03-01,20:15,zzz",
            "row 2, spot = 'zzz': no spot of this id is known; add its audio with cuebird spots add",
        ),
        ("kanal-nord,2027-03-01,20:15,", "row 2, spot = '': empty; name a spot"),
        (
            "kanal-nord,02/03/2027,20:15,kaffee-30",
            "row 2, date = '02/03/2027': could be 3 February 2027 or 2 March 2027; "
            "write 2027-02-03 or 2027-03-02, or say the order of the whole file with --date-order",
        ),
        ("kanal-nord,2027-03-01,8:15,kaffee-30", "row 2, time = '8:15': not a time; write 08:15"),
        ("kanal-nord,2027-03-01,20:15", "row 2: the row ends after 3 of 4 columns; is the file whole? Fill the row or remove it"),
        (
            "kanal-nord,2027-03-01,20:15,kaffee-30,x",
            "row 2: the row has cells beyond the 4 columns of the header; put a cell that holds the separator into quotes",
        ),
    ],
)
def test_a_wrong_row_is_named_with_its_fix(row: str, message: str) -> None:
    """Row, column, value, reason and fix, and nothing of the plan is taken."""
    plan = read(HEADER, row, "kanal-nord,2027-03-03,20:15,kaffee-30")

    assert told(plan) == [message]
    assert plan.airings == ()


def test_every_error_of_a_row_is_told_at_once() -> None:
    """A person mends a row in one go."""
    plan = read(HEADER, "x,y,z,w")

    assert [problem.column for problem in plan.errors] == ["channel", "spot", "date", "time"]


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("window_before_s", "7,5", "not a number of seconds"),
        ("window_after_s", "30s", "not a number of seconds"),
        ("window_after_s", "nan", "not a number of seconds"),
        ("window_after_s", "-5", "not a number of seconds"),
        ("window_before_s", "21601", "more than 21600 s"),
        ("length_s", "0", "no length"),
        ("timezone", "CEST", "not a time zone"),
    ],
)
def test_wrong_optional_cells_are_named(column: str, cell: str, reason: str) -> None:
    """Numbers have a point and no unit; nothing endless."""
    (problem,) = read(
        f"{HEADER};{column}".replace(",", ";"), f"{ROW};{cell}".replace(",2027", ";2027").replace(",20:15,", ";20:15;")
    ).errors

    assert (problem.row, problem.column, problem.value, problem.reason) == (2, column, cell, reason)


def test_a_window_without_width_is_refused() -> None:
    """It could hold no onset."""
    (problem,) = read(HEADER + ",window_before_s,window_after_s", ROW + ",0,0").errors

    assert problem.reason == "the window is shorter than a second"


def test_the_same_airing_twice_is_refused() -> None:
    """Both rows are named."""
    (problem,) = read(HEADER, ROW, ROW).errors

    assert str(problem) == "row 3: row 2 plans the same airing; remove one of the two"


def test_overlapping_windows_of_a_spot_are_refused() -> None:
    """A detection inside both could be either airing; touching counts, since both ends belong to a window."""
    touching = read(HEADER, ROW, "kanal-nord,2027-03-01,20:19,kaffee-30")
    apart = read(HEADER, ROW, "kanal-nord,2027-03-01,20:19:01,kaffee-30")

    assert "overlaps that of row 2 (until 19:17:00 UTC)" in touching.errors[0].reason
    assert len(apart.airings) == 2


def test_a_wide_window_overlaps_beyond_its_neighbour() -> None:
    """The widest window so far is judged, not only the one before."""
    lines = [ROW + ",10,3600", "kanal-nord,2027-03-01,20:30,kaffee-30,1,1", "kanal-nord,2027-03-01,21:00,kaffee-30,1,1"]

    problems = read(HEADER + ",window_before_s,window_after_s", *lines).errors

    assert [(problem.row, "row 2" in problem.reason) for problem in problems] == [(3, True), (4, True)]


def test_other_spots_and_channels_may_overlap() -> None:
    """Only airings that could be confused are refused."""
    plan = read(HEADER, ROW, "kanal-nord,2027-03-01,20:15,kaffee-20", "canal-sud,2027-03-01,20:15,kaffee-30")

    assert len(plan.airings) == 3


def test_a_spot_planned_inside_another_is_a_warning() -> None:
    """Known lengths show a slip in a time; the plan may still be imported."""
    plan = read(HEADER + ",length_s", ROW + ",30", "kanal-nord,2027-03-01,20:15:20,kaffee-20,20")

    assert len(plan.airings) == 2
    assert told(plan, Severity.WARNING) == [
        "row 3: planned while kaffee-30 of row 2 still runs, until 19:15:30 UTC; check both times",
    ]


def test_a_past_airing_is_a_warning() -> None:
    """It may be meant (a plan of the whole week), but is said."""
    plan = read(HEADER, ROW, now_utc=datetime(2027, 3, 1, 19, 17, 1, tzinfo=UTC))

    assert len(plan.airings) == 1
    assert told(plan, Severity.WARNING) == [
        "row 2: its window closed at 2027-03-01 19:17:00 UTC; it will count as missed; check the date",
    ]


def test_a_column_of_no_meaning_is_noted() -> None:
    """It is said that nothing is made of it."""
    assert told(read(HEADER + ",cost", ROW + ",5"), Severity.NOTE) == ["row 1: column 'cost' is not used"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("window_after", "window_after_s"),
        ("length", "length_s"),
        ("zone", "timezone"),
        ("tz", "timezone"),
        ("Time Zone", "timezone"),
    ],
)
def test_a_column_that_seems_to_mean_a_setting_is_refused(name: str, meant: str) -> None:
    """A window or a zone that is silently not applied would be worse than an error."""
    (problem,) = read(f"{HEADER},{name}", ROW + ",5").errors

    assert problem.fix == f"did you mean {meant}?"


def test_two_columns_of_one_name_are_refused() -> None:
    """Nobody knows which is meant."""
    assert told(read(HEADER + ",spot", ROW + ",kaffee-20")) == ["row 1: two columns named spot; remove or rename one"]


def test_lines_are_counted_as_an_editor_does() -> None:
    """A quoted cell of two lines moves the rows below it down."""
    plan = read('"Plan,\nspring"', HEADER, "x" + ROW)

    assert plan.errors[0].row == 4


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b" \r\n\n", "empty"),
        (b"PK\x03\x04rest of a workbook", "archive is broken"),
        (b"\xff\xfec\0h\0", "no header row"),
        (b"OggS\0\x02\0\0", "NUL"),
        (b"\x81\x8d\x8f\x90\x9d", "no header row"),
        (b"station,day,hour,advert\n", "no header row with the columns channel, date, time, spot"),
        (b"chanel,date,time,spot\n", r"lacks channel \(is it 'chanel'\?\)"),
        (b"channel,date,time,spot\n", "no rows below the header in row 1"),
        (b'channel,date,time,spot\nkanal-nord,"2027-03-01,20:15', "row 2: broken quotes"),
        (b'channel,date,time,spot\nkanal-nord,"2027"-03-01,20:15,x', "row 2: broken quotes"),
        (b"channel,date,time,spot\n" + b"kanal-nord,2027-03-01,20:15,kaffee-30\n" * (ROWS_MAX + 1), "more than 100000 rows"),
        (b"x" * (FILE_BYTES_MAX + 1), "split the plan"),
        (b"channel,date,time,spot\n" + b"a," * 80 + b"a", "81 cells"),
    ],
)
def test_a_file_that_is_no_plan_is_refused_in_one_sentence(data: bytes, message: str) -> None:
    """Binary renamed to .csv, wrong columns, nothing, half of something, too much."""
    with pytest.raises(PlanFileError, match=message) as caught:
        read_plan(data, catalogue=CATALOGUE, now_utc=NOW)
    assert "\n" not in str(caught.value)


def test_a_huge_cell_is_named_and_shortened() -> None:
    """A lost quote swallows half a file into one cell."""
    (problem,) = read(HEADER, "kanal-nord,2027-03-01,20:15," + "x" * (CELL_LETTERS_MAX + 1)).errors

    assert problem.reason == "201 letters in one cell"
    assert len(problem.value) == 60


def test_a_wrong_day_start_is_refused_before_the_file_is_read() -> None:
    """The setting is the caller's, so it is an error and not a row's problem."""
    with pytest.raises(BroadcastTimeError, match="00:00 to 06:00"):
        read(HEADER, ROW, day_start="07:00")


def test_many_unknown_names_do_not_cost_a_search_each() -> None:
    """After 50 distinct names the hint is plain: the plan was made for another installation."""
    plan = read(HEADER, *(f"kanal-nord,2027-03-01,20:15,kaffee-{number}" for number in range(100, 200)))

    assert [problem.fix.startswith("did you mean") for problem in plan.errors].count(True) == 50


def test_many_wrong_zones_do_not_cost_a_search_each() -> None:
    """As with names: a column of junk is refused in no time."""
    plan = read(HEADER + ",timezone", *(f"kanal-nord,2027-03-01,20:15,kaffee-30,Europe/Stokholm{number}" for number in range(60)))

    assert [problem.fix.startswith("did you mean") for problem in plan.errors] == [True] * 50 + [False] * 10


def test_what_was_understood_before_does_not_hide_a_clock_change() -> None:
    """02:30 is read on Saturday; on Sunday it does not exist, and in October it exists twice."""
    rows = ["2027-03-27,02:30", "2027-03-27,04:00", "2027-03-28,04:00", "2027-03-28,02:30", "2027-10-31,02:30"]
    data = "\n".join(["channel,date,time,spot", *(f"nord,{row},kaffee-30" for row in rows)]).encode()
    catalogue = Catalogue.of([KnownChannel(id="nord", timezone="Europe/Stockholm")], [KnownSpot(id="kaffee-30")])

    plan = read_plan(data, catalogue=catalogue, now_utc=datetime(2027, 1, 1, tzinfo=UTC), choices=Choices(day_start="00:00"))

    assert [(problem.row, problem.column) for problem in plan.errors] == [(5, "time"), (6, "time")]
    assert "is skipped" in plan.errors[0].reason
    assert "happens twice" in plan.errors[1].reason
