"""Plans kept as files, with the instants they mean written out by hand."""

from datetime import UTC, datetime
from pathlib import Path

from schedules import Catalogue, KnownChannel, KnownSpot, Severity, read_plan

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
NOW = datetime(2027, 2, 1, tzinfo=UTC)
CATALOGUE = Catalogue.of(
    [KnownChannel(id="kanal-nord", timezone="Europe/Stockholm"), KnownChannel(id="ontario", timezone="America/Toronto")],
    [KnownSpot(id=spot) for spot in ("kaffee-30", "kaffee-20", "fjordbank-20", "sparring-15")],
)


def test_a_spreadsheet_of_two_clock_changes() -> None:
    """Windows text, semicolons, a title, a totals row; the hours around both changes by hand."""
    plan = read_plan((HERE / "spring-cp1252.csv").read_bytes(), catalogue=CATALOGUE, now_utc=NOW)

    assert [problem.severity for problem in plan.problems if problem.severity is Severity.ERROR] == []
    assert (plan.reading.encoding, plan.reading.separator) == ("cp1252", ";")
    assert {airing.row: f"{airing.planned_utc:%Y-%m-%dT%H:%M:%SZ}" for airing in plan.airings} == {
        4: "2027-03-28T00:59:59Z",  # 01:59:59 by +01:00, the last second of winter time
        5: "2027-03-28T01:00:00Z",  # 03:00:00 by +02:00, one second later
        6: "2027-03-28T01:30:00Z",  # the skipped 02:30, by its offset
        7: "2027-10-31T00:30:00Z",  # the first 02:30
        8: "2027-10-31T01:30:00Z",  # the second
        9: "2027-03-02T10:59:59Z",  # 05:59:59 by -05:00
    }


def test_the_example_plan_is_right() -> None:
    """examples/plan.csv, against the channels and spots it is written for."""
    plan = read_plan((ROOT / "examples" / "plan.csv").read_bytes(), catalogue=CATALOGUE, now_utc=NOW)

    assert plan.problems == ()
    assert [airing.airing_id for airing in plan.airings] == [
        "kanal-nord/fjordbank-20/2027-03-01/1",
        "kanal-nord/kaffee-30/2027-03-01/1",
        "kanal-nord/kaffee-20/2027-03-01/1",
        "kanal-nord/kaffee-30/2027-03-01/2",
        "kanal-nord/sparring-15/2027-03-27/1",
    ]
