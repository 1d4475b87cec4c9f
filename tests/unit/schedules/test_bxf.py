import pytest

from schedules import PlanFileError
from schedules.bxf import bxf_sheet
from schedules.cells import Record, Sheet

EVENT = (
    "<ScheduledEvent><EventData eventType='Primary' action='add'><EventId><EventId>urn:uuid:1</EventId></EventId>"
    "<PrimaryEvent><NonProgramEvent/></PrimaryEvent><StartDateTime><SmpteDateTime broadcastDate='2027-03-01'>"
    "<SmpteTimeCode>20:15:00:12</SmpteTimeCode></SmpteDateTime></StartDateTime><LengthOption><Duration><SmpteDuration>"
    "<SmpteTimeCode>00:00:30:00</SmpteTimeCode></SmpteDuration></Duration></LengthOption></EventData>"
    "<Content><ContentId><HouseNumber>kaffee-30</HouseNumber></ContentId><Name>Spring</Name></Content></ScheduledEvent>"
)


def message(*events: str, schedule: str = "", prolog: str = "") -> bytes:
    return (
        f"{prolog}<BxfMessage xmlns='http://smpte-ra.org/schemas/2021/2008/BXF'><BxfData><Schedule {schedule}>"
        f"<Channel shortName='NORD' channelNumber='26'/>{''.join(events)}</Schedule></BxfData></BxfMessage>"
    ).encode()


def rows(sheet: Sheet) -> list[Record]:
    return [record for record in sheet.read() if record.line]


def test_a_commercial_becomes_a_row() -> None:
    """Channel, broadcast date, timecode, duration and house number, each as it is written."""
    (record,) = rows(bxf_sheet(message(EVENT)))

    assert record.cells == ("urn:uuid:1", "NORD", "2027-03-01", "20:15:00:12", "", "00:00:30:00", "kaffee-30", "Spring", "")


@pytest.mark.parametrize("kind", ["<ProgramEvent/>", "<ProgramEvent><NonProgramEvent/></ProgramEvent>"])
def test_programmes_are_skipped_and_counted(kind: str) -> None:
    """Nobody advertises with the news."""
    sheet = bxf_sheet(message(EVENT, EVENT.replace("<NonProgramEvent/>", kind)))

    assert len(rows(sheet)) == 1
    assert [str(problem) for problem in sheet.problems] == ["row 1: 1 programmes and secondary events skipped"]


def test_secondary_events_are_skipped() -> None:
    """A logo beside a programme is no airing."""
    assert len(rows(bxf_sheet(message(EVENT, EVENT.replace("'Primary'", "'NonPrimary-Logo'"))))) == 1


def test_without_a_house_number_an_alternate_id_names_the_spot() -> None:
    """Else the content's name."""
    alternate = EVENT.replace("<HouseNumber>kaffee-30</HouseNumber>", "<AlternateId idType='Ad-ID'>ABCD1234000H</AlternateId>")
    nameless = EVENT.replace("<ContentId><HouseNumber>kaffee-30</HouseNumber></ContentId>", "")

    assert [record.cells[6] for record in rows(bxf_sheet(message(alternate, nameless)))] == ["ABCD1234000H", "Spring"]


def test_an_instant_in_utc_says_its_zone() -> None:
    """Some systems write ISO 8601 where a timecode belongs."""
    (record,) = rows(bxf_sheet(message(EVENT.replace("20:15:00:12", "2027-03-01T19:15:00.5Z"))))

    assert record.cells[2:5] == ("2027-03-01", "19:15:00", "UTC")


@pytest.mark.parametrize("removal", ["event", "schedule"])
def test_a_removal_is_an_error(removal: str) -> None:
    """Taken for a plan it would arm what is to go."""
    by_event = removal == "event"
    sheet = bxf_sheet(
        message(
            EVENT.replace("action='add'", "action='remove'" if by_event else ""), schedule="" if by_event else "action='remove'"
        )
    )

    assert rows(sheet) == []
    assert "to be taken out (action remove)" in sheet.problems[0].reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (message(EVENT, prolog="<!DOCTYPE b [<!ENTITY a 'x'>]>"), r"document type \(DOCTYPE\)"),
        (message(EVENT, prolog='<!DOCTYPE b SYSTEM "file:///etc/passwd">'), r"document type \(DOCTYPE\)"),
        (message(EVENT)[:-20], "the XML is broken"),
        (message(EVENT.replace("Spring", "&a;")), "the XML is broken"),
        (message(), "no scheduled event"),
        (b"<html><body/></html>", "its root is <html>.*web page"),
        (message(EVENT.replace("Spring", "x" * 10_001)), "more than 10000 letters"),
        (message("<a>" * 70), "nested deeper than 64"),
    ],
)
def test_what_is_no_schedule_is_refused(data: bytes, reason: str) -> None:
    """Before an entity is declared, in one sentence."""
    with pytest.raises(PlanFileError, match=reason):
        bxf_sheet(data)


def test_a_billion_laughs_are_not_laughed() -> None:
    """The document type is refused at its first letter."""
    lol = "".join(f"<!ENTITY l{i} '{f'&l{i - 1};' * 10}'>" for i in range(1, 10))

    with pytest.raises(PlanFileError, match="refused unread"):
        bxf_sheet(message(EVENT.replace("Spring", "&l9;"), prolog=f"<!DOCTYPE b [<!ENTITY l0 'ha'>{lol}]>"))
