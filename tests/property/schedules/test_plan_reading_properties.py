import csv
import io
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from schedules import Catalogue, KnownChannel, KnownSpot, Plan, SchedulesError, Severity, read_plan

CHANNELS = {"kanal-nord": "Europe/Stockholm", "canal-sud": "America/New_York"}
SPOTS = ("kaffee-30", "kaffee-20")
NOW = datetime(2027, 2, 1, tzinfo=UTC)
CATALOGUE = Catalogue.of(
    [KnownChannel(id=channel, timezone=zone) for channel, zone in CHANNELS.items()], [KnownSpot(id=spot) for spot in SPOTS]
)
COLUMNS = ("channel", "date", "time", "spot", "window_before_s", "window_after_s", "length_s", "timezone")

junk = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
cells = st.tuples(
    st.sampled_from([*CHANNELS, "nord"]) | junk,
    st.sampled_from(["2027-03-01", "2027-03-27", "2027-10-30", "02/03/2027"]) | junk,
    st.sampled_from(["20:15", "25:30", "26:30", "06:00:00", "29:59:59", "02:00"]) | junk,
    st.sampled_from([*SPOTS, "kaffe"]) | junk,
    st.sampled_from(["", "0", "60"]) | junk,
    st.sampled_from(["", "1", "90.5"]) | junk,
    st.sampled_from(["", "30"]) | junk,
    st.sampled_from(["", "UTC", "+01:00", "Asia/Tokyo"]) | junk,
)
good_cells = st.tuples(
    st.sampled_from(sorted(CHANNELS)),
    st.dates(datetime(2027, 5, 1).date(), datetime(2027, 9, 1).date()).map(str),  # noqa: DTZ001
    st.integers(6 * 60, 30 * 60 - 1).map(lambda minutes: f"{minutes // 60:02}:{minutes % 60:02}"),
    st.sampled_from(SPOTS),
    st.just("1"),
    st.just("1"),
    st.just(""),
    st.just(""),
)


def written(rows: list[tuple[str, ...]], separator: str) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator).writerows([COLUMNS, *rows])
    return text.getvalue().encode()


def attempted(data: bytes) -> Plan | SchedulesError:
    try:
        return read_plan(data, catalogue=CATALOGUE, now_utc=NOW)
    except SchedulesError as error:
        return error


@settings(max_examples=200, deadline=None)
@given(rows=st.lists(cells, min_size=1, max_size=6), separator=st.sampled_from(",;\t"))
def test_a_table_imports_wholly_or_names_its_errors(rows: list[tuple[str, ...]], separator: str) -> None:
    """Every row is an airing, a told skip, or an error; one error leaves no airing at all."""
    plan = attempted(written(rows, separator))

    if isinstance(plan, SchedulesError):
        assert str(plan)
        return
    skipped = [problem for problem in plan.problems if problem.severity is Severity.NOTE]
    if plan.errors:
        assert plan.airings == ()
        assert all(problem.reason and problem.fix and problem.row > 1 for problem in plan.errors)
    else:
        assert len(plan.airings) + len(skipped) == len(rows)
    assert len({airing.airing_id for airing in plan.airings}) == len(plan.airings)


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(good_cells, min_size=1, max_size=8, unique=True), separator=st.sampled_from(",;\t"))
def test_no_two_airings_of_an_accepted_plan_hold_the_same_instant(rows: list[tuple[str, ...]], separator: str) -> None:
    """A plan of good rows is refused only for windows that overlap, and accepted only when none do."""
    plan = read_plan(written(rows, separator), catalogue=CATALOGUE, now_utc=NOW)

    assert all("overlaps" in problem.reason or "same airing" in problem.reason for problem in plan.errors)
    assert plan.errors or len(plan.airings) == len(rows)
    for one in plan.airings:
        for other in plan.airings:
            if one is not other and (one.channel, one.spot_id) == (other.channel, other.spot_id):
                assert one.closes_utc < other.opens_utc or other.closes_utc < one.opens_utc


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=300))
def test_any_bytes_are_a_plan_or_one_sentence(data: bytes) -> None:
    """Nothing but `SchedulesError` leaves the reader."""
    found = attempted(data)

    assert isinstance(found, Plan) or str(found)


WHOLE = (
    written([("kanal-nord", "2027-03-01", "20:15", "kaffee-30", "60", "60", "30", "UTC")] * 1, ",")
    + b'"kanal-nord",2027-03-02,20:15:30,kaffee-20,1,1,20,+01:00\r\n'
)


@settings(max_examples=150, deadline=None)
@given(cut=st.integers(0, len(WHOLE)), place=st.integers(0, len(WHOLE)), other=st.binary(max_size=3))
def test_a_damaged_plan_is_a_plan_or_named(cut: int, place: int, other: bytes) -> None:
    """Cut anywhere, changed anywhere: airings, row errors, or one sentence."""
    data = (WHOLE[:place] + other + WHOLE[place + len(other) :])[:cut]
    found = attempted(data)

    if isinstance(found, Plan):
        assert found.errors or found.airings or found.problems
    else:
        assert str(found)


def named_or_whole(data: bytes) -> None:
    found = attempted(data)
    if isinstance(found, SchedulesError):
        assert str(found)
        return
    assert found.errors or found.airings
    assert all(problem.reason and (problem.fix or problem.severity is Severity.NOTE) for problem in found.problems)


HEADERS = [
    ("Air Date", "Air Time", "Network/Station", "Spot Name", "Spot Length"),
    ("AIRING_DATETIME", "CHANNEL_NAME", "MOTIF", "SPOT_LENGTH", "SPEND"),
    ("STATION", "DATE AIRED", "AIR START TIME", "ISCI/AD-ID", "DURATION"),
    ("Station", "Date", "Time", "Len", "ISCI"),
    ("ChannelCode", "StartDate", "StartTime", "InternalIdCode", "Duration"),
]
pieces = st.sampled_from(
    [
        *(*CHANNELS, *SPOTS, "01/03/2027", "13/03/2027", "2027-03-01", "20270301", "2027-03-01 20:15:00"),
        *("0730P", "8:15 PM", "203000", "Total", "Page 1", "", ":30", "00:00:30:00", "20:15:00;01", "=1+1"),
    ]
)


@settings(max_examples=200, deadline=None)
@given(
    header=st.sampled_from(HEADERS),
    rows=st.lists(st.lists(pieces | junk, min_size=0, max_size=6), max_size=6),
    separator=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]),
)
def test_any_table_of_any_layout_imports_wholly_or_names_its_errors(
    header: tuple[str, ...], rows: list[list[str]], separator: str, encoding: str
) -> None:
    """Whatever stands in the cells of another tool's file."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator).writerows([header, *rows])

    named_or_whole(text.getvalue().encode(encoding, "surrogatepass"))


LINES = b"LOI 0301 201500 2000 0030 001 001 000030 000000 00000000 000 00000002303 0000\n2 10:54:45 00:00:30:00 A PLAYED OK\n"
XML = b"<BxfMessage><BxfData><Schedule><ScheduledEvent><EventData/></ScheduledEvent></Schedule></BxfData></BxfMessage>"


@settings(max_examples=200, deadline=None)
@given(
    whole=st.sampled_from([LINES, LINES[:78], LINES[78:], XML]),
    cut=st.integers(0, 140),
    place=st.integers(0, 140),
    other=st.binary(max_size=4),
)
def test_damaged_files_of_machines_are_plans_or_named(whole: bytes, cut: int, place: int, other: bytes) -> None:
    """Cut anywhere, changed anywhere."""
    found = attempted((whole[:place] + other + whole[place + len(other) :])[:cut])

    assert isinstance(found, Plan) or str(found)
