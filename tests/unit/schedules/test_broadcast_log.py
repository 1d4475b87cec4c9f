"""The broadcaster's log: ours are read, others passed over, and what we write as BXF is read back."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest

from schedules import Catalogue, Choices, Field, KnownChannel, KnownSpot, PlanFileError
from schedules.as_run import Heard, Line, Verdict
from schedules.broadcast_log import BroadcastLog, read_log
from schedules.bxf_writing import as_bxf
from schedules.delivery import Calendar

CATALOGUE = Catalogue.of(
    [KnownChannel(id="nord", timezone="Europe/Stockholm", aliases=("26",))],
    [KnownSpot(id="kaffee-30"), KnownSpot(id="=kaffee-20"), KnownSpot(id="kaffee-15")],
)
NOW = datetime(2027, 4, 1, tzinfo=UTC)
CALENDAR = Calendar(zones={"nord": ZoneInfo("Europe/Stockholm")}, otherwise=UTC, day_start_s=6 * 3600)
BXF = b"""<BxfMessage xmlns='http://smpte-ra.org/schemas/2021/2008/BXF'><BxfData><Schedule><Channel ShortName='26'/>
<AsRun><BasicAsRun><AsRunEventId><EventId>urn:uuid:1</EventId></AsRunEventId>
<Content><ContentId><HouseNumber>kaffee-30</HouseNumber>
</ContentId><Name>Spring</Name></Content><AsRunDetail><Status>%s</Status><Type>%s</Type><StartDateTime>
<SmpteDateTime broadcastDate='2027-03-01' frameRate='25'><SmpteTimeCode>20:15:02:12</SmpteTimeCode></SmpteDateTime>
</StartDateTime><Duration><SmpteDuration><SmpteTimeCode>00:00:29:12</SmpteTimeCode></SmpteDuration></Duration></AsRunDetail></BasicAsRun></AsRun>
</Schedule></BxfData></BxfMessage>"""


def read(data: bytes, **choices: object) -> BroadcastLog:
    return read_log(data, catalogue=CATALOGUE, now_utc=NOW, choices=Choices(**choices))  # type: ignore[arg-type]


def test_an_arl_log_says_what_was_played_and_what_was_not() -> None:
    """Other advertisers' spots, other channels and repeats of theirs are passed over, and counted."""
    log = read(
        b"26 20:15:02 00:00:30:00 kaffee-30 PLAYED OK\n"
        b"26 20:15:32 00:00:20:00 Cellular One PLAYED OK\n"
        b"27 20:15:32 00:00:20:00 kaffee-30 PLAYED OK\n"
        b"26 21:15:00 00:00:15:00 kaffee-15 SKIPPED\n"
        b"26 22:15:00 00:00:09:00 kaffee-15 CLIPPED\n",
        constants={Field.DATE: "2027-03-01"},
    )

    assert [(one.spot_id, one.is_aired, one.is_cut, one.length_s) for one in log.logged] == [
        ("kaffee-30", True, False, 30.0),
        ("kaffee-15", False, False, 15.0),
        ("kaffee-15", True, True, 9.0),
    ]
    assert log.logged[0].began_utc == datetime(2027, 3, 1, 19, 15, 2, tzinfo=UTC)
    assert (log.n_others, log.problems) == (2, ())


@pytest.mark.parametrize(
    ("status", "is_aired"), [(b"Aired Without Discrepancy", True), (b"Did Not Air", False), (b"Not Aired", False)]
)
def test_a_bxf_as_run_log(status: bytes, *, is_aired: bool) -> None:
    """Its status, its duration with frames, its event in the channel's zone."""
    (one,) = read(BXF % (status, b"Primary")).logged

    assert (one.channel, one.spot_id, one.is_aired, one.length_s) == ("nord", "kaffee-30", is_aired, 29.48)


def test_secondary_events_of_a_bxf_log_are_passed_over() -> None:
    """A logo beside a programme is no broadcast of a spot."""
    with pytest.raises(PlanFileError, match="no rows"):
        read(BXF % (b"Aired Without Discrepancy", b"NonPrimary"))


def test_a_csv_log_with_wrong_rows_names_them() -> None:
    """A row of ours that cannot be read refuses the log: leaving it out would call it missing."""
    log = read(b"channel,date,time,spot\nnord,2027-03-01,20:75,kaffee-30\nnord,2027-03-01,20:15,kaffee-30\n")

    assert log.logged == ()
    assert [problem.row for problem in log.problems] == [2]


def test_a_ccms_file_is_no_log() -> None:
    """Its first time is when a spot was to air."""
    line = (
        b"LOI 0301 201500 2000 0030 001 001 000030 000000 00000000 000 kaffee-30   0000 Advertiser                       Spring"
    )
    with pytest.raises(PlanFileError, match="CCMS"):
        read(line, constants={Field.YEAR: "2027", Field.CHANNEL: "nord"})


def line(began_utc: datetime, *, spot: str = "kaffee-30", aired_s: float | None = 29.48, cut_s: float | None = None) -> Line:
    one = Heard(
        detection_id=1,
        occurrence_id="heard:1",
        channel="nord",
        feed_id="main",
        spot_id=spot,
        spot_ids=(spot,),
        began_utc=began_utc,
        aired_s=aired_s,
        cut_s=cut_s,
    )
    return Line(verdict=Verdict.OFF_PLAN, why="", channel="nord", spot_id=spot, campaign="", airing=None, heard=(one,), fired=())


@pytest.mark.parametrize(
    "began_utc",
    [
        datetime(2027, 3, 1, 19, 15, 2, tzinfo=UTC),
        datetime(2027, 3, 2, 0, 30, tzinfo=UTC),  # in the small hours, of the day before
        datetime(2027, 3, 28, 1, 30, tzinfo=UTC),  # half an hour after the clock was put on
        datetime(2027, 10, 31, 0, 30, tzinfo=UTC),  # the first of two half past twos
        datetime(2027, 10, 31, 1, 30, tzinfo=UTC),  # the second
    ],
)
@pytest.mark.parametrize("spot", ["kaffee-30", "=kaffee-20"])
def test_what_is_written_as_bxf_is_read_back(began_utc: datetime, spot: str) -> None:
    """To the second and the frame, at every hour of every night."""
    lines = [
        line(began_utc, spot=spot),
        line(began_utc + timedelta(hours=1, milliseconds=500), spot=spot, cut_s=4.0, aired_s=4.0),
    ]

    log = read(as_bxf(lines, CALENDAR, made_utc=NOW), small_hours_next=True)

    assert [(one.channel, one.spot_id, one.began_utc, one.length_s) for one in log.logged] == [
        ("nord", spot, began_utc, 29.48),
        ("nord", spot, began_utc + timedelta(hours=1), 4.0),
    ]
    assert [one.status for one in log.logged] == ["Aired Without Discrepancy", "Aired With Discrepancy"]


def test_a_message_without_broadcasts_is_still_xml() -> None:
    """And a name that XML could not hold leaves it whole."""
    strange = line(NOW, spot="a\x00<b>&\x1f")

    assert ElementTree.fromstring(as_bxf([], CALENDAR, made_utc=NOW)).tag.endswith("BxfMessage")
    texts = [one.text for one in ElementTree.fromstring(as_bxf([strange], CALENDAR, made_utc=NOW)).iter() if one.text]
    assert "a<b>&" in texts
