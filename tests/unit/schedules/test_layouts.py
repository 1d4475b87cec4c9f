"""How other tools' files are recognised, read by what the sender says, and refused where nothing settles a doubt."""

from datetime import UTC, datetime

import pytest

from schedules import Catalogue, Choices, DateOrder, Field, KnownChannel, KnownSpot, Plan, PlanFileError, Severity, read_plan

NOW = datetime(2027, 2, 1, tzinfo=UTC)
CATALOGUE = Catalogue.of(
    [
        KnownChannel(id="kanal-nord", timezone="Europe/Stockholm", aliases=("Kanal Nord", "26")),
        KnownChannel(id="ontario", timezone="America/Toronto", aliases=("TV1",)),
        KnownChannel(id="quebec", timezone="America/Toronto", aliases=("TV1",)),
    ],
    [
        KnownSpot(id="kaffee-30", aliases=("Spring 30",), identifiers=("ABCD1234", "DIR/CORP001/030")),
        KnownSpot(id="kaffee-20", length_s=20.0, doubt="kaffee-20 begins like kaffee-30; wait"),
    ],
    remark_of=lambda text: "an ISCI" if text == "ABCD9999" else "",
)
CLARIVOY = "Air Date,Air Time,Network/Station,Spot Name,Spot Length"


def read(*lines: str, **choices: object) -> Plan:
    said = Choices(**choices)  # type: ignore[arg-type]
    return read_plan("\n".join(lines).encode(), catalogue=CATALOGUE, now_utc=NOW, choices=said)


def told(plan: Plan, severity: Severity = Severity.ERROR) -> list[str]:
    return [str(problem) for problem in plan.problems if problem.severity is severity]


def instants(plan: Plan) -> list[str]:
    return [f"{airing.planned_utc:%m-%dT%H:%M:%S}" for airing in plan.airings]


def test_a_row_above_twelve_proves_the_order_of_the_file() -> None:
    """And the reading says which."""
    plan = read(CLARIVOY, "02/03/2027,08:15 PM,Kanal Nord,kaffee-30,30", "13/03/2027,08:15 PM,Kanal Nord,kaffee-30,30")

    assert instants(plan) == ["03-02T19:15:00", "03-13T19:15:00"]
    assert (plan.reading.date_order, plan.reading.date_order_because) == ("day/month/year", "row 3 can be nothing else")


def test_an_order_that_nothing_proves_is_asked_for() -> None:
    """What the layout is documented as is told and not applied."""
    row = "02/03/2027,08:15 PM,Kanal Nord,kaffee-30,30"

    plan = read(CLARIVOY, row)
    assert "could be 3 February 2027 or 2 March 2027" in told(plan)[0]
    assert "Clarivoy spot log is documented as month/day/year" in told(plan, Severity.NOTE)[0]
    assert instants(read(CLARIVOY, row, date_order=DateOrder.MONTH_FIRST)) == ["02-03T19:15:00"]
    assert instants(read(CLARIVOY, row, date_order=DateOrder.DAY_FIRST)) == ["03-02T19:15:00"]


def test_two_orders_in_a_file_refuse_it() -> None:
    """Both rows are named."""
    plan = read(CLARIVOY, "13/03/2027,08:15 PM,Kanal Nord,kaffee-30,", "03/14/2027,08:15 PM,Kanal Nord,kaffee-30,")

    assert "row 2 can only be day/month and row 3 only month/day" in told(plan)[0]


def test_times_after_midnight_belong_to_a_morning_that_is_said() -> None:
    """Buy lines write 0130A under the broadcast date; others under the calendar's."""
    lines = ("Station,Date,Time,Len,ISCI", "Kanal Nord,2027-03-01,0130A,30,ABCD1234")

    assert "lies before the broadcast day begins" in told(read(*lines))[0]
    assert instants(read(*lines, small_hours_next=True)) == ["03-02T00:30:00"]
    assert instants(read(*lines, day_start="00:00")) == ["03-01T00:30:00"]


def test_columns_and_constants_that_are_said_win() -> None:
    """A file of no known layout, whose channel stands in its name."""
    plan = read(
        "Sendetag;Uhrzeit;Motiv",
        "2027-03-01;20:15;Spring 30",
        columns={"Sendetag": Field.DATE, "Uhrzeit": Field.TIME, "Motiv": Field.SPOT},
        constants={Field.CHANNEL: "26", Field.WINDOW_AFTER: "600"},
    )

    (airing,) = plan.airings
    assert (airing.channel, airing.spot_id, airing.raw) == ("kanal-nord", "kaffee-30", "2027-03-01 20:15 Europe/Stockholm")
    assert (airing.closes_utc - airing.planned_utc).total_seconds() == 600
    assert plan.reading.columns == {"date": "Sendetag", "time": "Uhrzeit", "spot": "Motiv"}


def test_a_zone_that_is_said_holds_for_the_file() -> None:
    """But a row's own zone wins."""
    header = "channel,date,time,spot,timezone"
    plan = read(header, "ontario,2027-03-01,20:15,kaffee-30,", "ontario,2027-03-02,20:15,kaffee-30,Asia/Tokyo", zone="UTC")

    assert instants(plan) == ["03-01T20:15:00", "03-02T11:15:00"]


def test_an_instant_says_its_own_zone() -> None:
    """And may not contradict the zone's column."""
    header = "AIRING_DATETIME|CHANNEL_NAME|MOTIF"

    assert instants(read(header, "2027-03-01T19:15:00Z|Kanal Nord|kaffee-30")) == ["03-01T19:15:00"]
    both = read(header + "|timezone", "2027-03-01T19:15:00Z|Kanal Nord|kaffee-30|UTC", columns={"timezone": Field.TIMEZONE})
    assert instants(both) == ["03-01T19:15:00"]
    clash = read(header + "|tz", "2027-03-01T19:15:00Z|Kanal Nord|kaffee-30|+01:00", columns={"tz": Field.TIMEZONE})
    assert "the time itself says UTC" in told(clash)[0]


@pytest.mark.parametrize("name", ["kaffee-30", "spring  30", "abcd1234", "dir/corp001/030"])
def test_a_spot_has_several_names(name: str) -> None:
    """Its id, an alias, each of its identifiers; only the id minds its case."""
    assert read("channel,date,time,spot", f"kanal-nord,2027-03-01,20:15,{name}").airings[0].spot_id == "kaffee-30"


def test_names_that_mean_several_or_none() -> None:
    """The fix names ids, the reason what kind of identifier it seems to be."""
    plan = read("channel,date,time,spot", "tv1,2027-03-01,20:15,ABCD9999", "kanal nrd,2027-03-01,20:15,ABCD1243")

    assert told(plan) == [
        "row 2, channel = 'tv1': several are called so: ontario, quebec; write the channel's id",
        "row 2, spot = 'ABCD9999': no spot of this id is known (an ISCI); add its audio with cuebird spots add",
        "row 3, channel = 'kanal nrd': no channel of this id is known; did you mean kanal-nord?",
        "row 3, spot = 'ABCD1243': no spot of this id is known; did you mean kaffee-30?",
    ]


def test_lengths_and_doubts_are_warnings() -> None:
    """A recording of another length, and a spot that begins like another, told at its first row."""
    rows = [f"kanal-nord,2027-03-0{day},20:15,kaffee-20,30" for day in (1, 2)]

    assert told(read("channel,date,time,spot,length_s", *rows), Severity.WARNING) == [
        "row 2: 30 s planned, but the recording of kaffee-20 lasts 20.0 s; is another version meant? Check spot and length",
        "row 2: kaffee-20 begins like kaffee-30 (and 1 more row); wait",
        "row 3: 30 s planned, but the recording of kaffee-20 lasts 20.0 s; is another version meant? Check spot and length",
    ]


def test_group_rows_totals_and_footers_are_skipped_with_a_note() -> None:
    """People send them all the same; a row with a time never is one."""
    plan = read(
        "Spring plan,,,,",
        CLARIVOY,
        "Kanal Nord,,,,",
        "2027-03-01,08:15 PM,Kanal Nord,kaffee-30,:30",
        "Total Kanal Nord,,,,1",
        "Generated 2027-02-01 by traffic",
        "Total,08:15 PM,,,",
    )

    assert told(plan, Severity.NOTE) == [
        "row 3: group row 'Kanal Nord' skipped",
        "row 5: totals row skipped",
        "row 6: footer 'Generated 2027-02-01 by traffic' skipped",
    ]
    assert {problem.row for problem in plan.errors} == {7}


def test_a_kantar_file_needs_no_header() -> None:
    """Its first row says what it is; 26:30 is half past two the next morning."""
    plan = read("101,26,20270301,263000,4,1,30,0,kaffee-30,10000000000000000000,1,263000,263300,")

    assert (plan.reading.layout, plan.reading.header_row, instants(plan)) == ("kantar", 0, ["03-02T01:30:00"])


@pytest.mark.parametrize(
    ("lines", "choices", "message"),
    [
        (["Air Date,Air Time,Spot Name", "a,b,c"], {}, "of the layout clarivoy but lacks the channel"),
        (["a,b", "1,2"], {}, "nor that of another layout"),
        ([CLARIVOY, "a,b,c,d,e"], {"layout": "nielsen"}, "no such layout; use one of cuebird"),
        ([CLARIVOY, "a,b,c,d,e"], {"sheet": "plan"}, "no such sheet"),
        ([CLARIVOY, "a,b,c,d,e"], {"constants": {Field.YEAR: "27"}}, "not a year"),
    ],
)
def test_what_cannot_be_read_says_what_would_help(lines: list[str], choices: dict[str, object], message: str) -> None:
    """One sentence each."""
    with pytest.raises(PlanFileError, match=message):
        read(*lines, **choices)


def test_an_apostrophe_before_a_formula_is_taken_off() -> None:
    """Our own list of errors writes it, and is sent back."""
    header = "channel,date,time,spot,timezone,cuebird_row,cuebird_severity,cuebird_problem,cuebird_fix"
    plan = read(header, "kanal-nord,2027-03-27,26:30,kaffee-30,'+01:00,2,error,old,old")

    assert instants(plan) == ["03-28T01:30:00"]
    assert plan.problems == ()
