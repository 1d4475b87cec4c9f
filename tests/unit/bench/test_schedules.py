"""The plans that the schedules benchmark makes up are plans, and its report says what was measured."""

from pathlib import Path

import pytest

from bench.schedules.making import A_DAY, airings, catalogue, csv_file, xlsx_file
from bench.schedules.run import CSV_S, MOST_MB, ROWS, Imported, _verdict
from bench.schedules.steps import NOW_UTC, main
from schedules import plan_changes, read_plan


@pytest.mark.parametrize("make", [csv_file, xlsx_file])
def test_the_plans_are_right(make: object) -> None:
    """Every row is an airing, without a warning; the same from either kind of file."""
    assert callable(make)
    plan = read_plan(make(300), catalogue=catalogue(), now_utc=NOW_UTC)

    assert (len(plan.airings), plan.problems) == (300, ())
    assert plan_changes((), plan.airings).new == plan.airings


def test_late_rows_are_moved_airings() -> None:
    """Every hundredth."""
    first, second = (
        read_plan(csv_file(300, late_s=late_s), catalogue=catalogue(), now_utc=NOW_UTC).airings for late_s in (0, 60)
    )

    assert len(plan_changes(first, second).moved) == 3


def test_made_up_airings_are_told_apart() -> None:
    """Over days, none with the name of another."""
    some = list(airings(A_DAY - 50, A_DAY + 50))

    assert len({one.airing_id for one in some}) == 100
    assert plan_changes((), some).new


def test_an_import_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From the file to the ledger, in steps."""
    (tmp_path / "plan.csv").write_bytes(csv_file(50))

    assert main([str(tmp_path / "ledger.db"), str(tmp_path / "plan.csv")]) == 0
    told = capsys.readouterr().out
    assert all(step in told for step in ("read and validated", "compared", "committed", "most_mb"))


def test_what_is_met() -> None:
    """Both figures count."""

    def took(seconds: float, most_mb: float) -> Imported:
        return Imported(name="CSV", rows=ROWS, took_s={"all": seconds}, processor_s=seconds, most_mb=most_mb)

    assert _verdict(took(CSV_S, MOST_MB)) == "met"
    assert "not met" in _verdict(took(CSV_S + 0.1, MOST_MB))
    assert "not met" in _verdict(took(CSV_S, MOST_MB + 1))
