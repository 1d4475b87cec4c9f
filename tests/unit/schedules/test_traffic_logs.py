from schedules.cells import Sheet
from schedules.containers import sheets_of

LOI = "LOI 0301 201500 2000 0030 001 001 000030 000000 00000000 000 00000002303 0000"


def sheet_of(text: str, name: str = "30126001.SCH") -> Sheet:
    (sheet,) = sheets_of(text.encode(), name=name)
    return sheet


def told(sheet: Sheet) -> list[str]:
    return [str(problem) for problem in sheet.problems]


def test_a_ccms_record_is_read_by_position() -> None:
    """The channel stands in the file's name, the month there is hexadecimal."""
    sheet = sheet_of(f"REM spring\r\n{LOI}\r\nEND\r\n")

    header, record = sheet.read()
    row = dict(zip(header.cells, record.cells, strict=True))
    assert (record.line, sheet.container) == (2, "CCMS")
    assert (row["ccms_channel"], row["scheduled_date"], row["scheduled_time"]) == ("26", "0301", "201500")
    assert (row["scheduled_length"], row["spot_id"], row["status"]) == ("000030", "00000002303", "0000")


def test_a_record_of_another_day_than_the_files_name_is_an_error() -> None:
    """One of the two is wrong, and nobody knows which."""
    assert told(sheet_of(LOI, name="C0126001.SCH")) == [
        "row 1: the record is of 0301, the file's name of 1201; check date and name; both are month and day"
    ]


def test_half_a_record_is_an_error() -> None:
    """Its spot would be half a spot."""
    assert "ends after 69 letters" in told(sheet_of(f"{LOI}\n{LOI[:69]}"))[0]
    assert "not a CCMS record" in told(sheet_of(f"{LOI}\nLO"))[0]


def test_an_as_run_log_is_read_by_its_words() -> None:
    """Titles have spaces; the status says what became of it."""
    sheet = sheet_of(
        "2 10:54:45 00:00:30:00 Cellular One – Talk Time PLAYED OK\n3 10:55:15 00:00:15;00 Spring SKIPPED\n", "a.arl"
    )

    _, first, second = sheet.read()
    assert first.cells == ("2", "10:54:45", "00:00:30:00", "Cellular One – Talk Time", "PLAYED OK")
    assert second.cells == ("3", "10:55:15", "00:00:15;00", "Spring", "SKIPPED")


def test_a_line_that_is_none_is_an_error() -> None:
    """Not skipped: it may be an airing."""
    assert told(sheet_of("2 10:54:45 00:00:30:00 Spring PLAYED OK\n2 10:54", "a.arl")) == [
        "row 2: not a line of an as-run log; write channel, time, length, title and PLAYED, CLIPPED, SKIPPED or STOPPED"
    ]
