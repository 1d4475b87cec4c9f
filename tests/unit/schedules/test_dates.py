from datetime import date

import pytest

from schedules.dates import DateForms, DateOrder, OrderProof, parse_date, prove_order
from schedules.errors import BroadcastTimeError

DAY_FIRST = DateForms(order=DateOrder.DAY_FIRST)
MONTH_FIRST = DateForms(order=DateOrder.MONTH_FIRST)
GIVEN = DateForms(order=DateOrder.DAY_FIRST, is_given=True)


@pytest.mark.parametrize(
    "text", ["2027-03-01", "2027/03/01", "2027.03.01", "1 Mar 2027", "01-mar-2027", "March 1, 2027", "2027-03-01 00:00:00"]
)
def test_dates_that_say_everything_by_themselves(text: str) -> None:
    """The year first, or the month as a word; spreadsheets append a midnight."""
    assert parse_date(text) == date(2027, 3, 1)


@pytest.mark.parametrize(("forms", "day"), [(DAY_FIRST, date(2027, 3, 2)), (MONTH_FIRST, date(2027, 2, 3))])
@pytest.mark.parametrize("text", ["02/03/2027", "2.3.2027", "02-03-2027"])
def test_the_order_reads_numbers(forms: DateForms, day: date, text: str) -> None:
    """Once it is known, and not before."""
    assert parse_date(text, forms) == day
    with pytest.raises(BroadcastTimeError, match="3 February 2027 or 2 March 2027; write 2027-02-03 or 2027-03-02, or say the"):
        parse_date(text)


def test_a_date_against_the_order_does_not_exist() -> None:
    """No row is read by another order than the file's."""
    with pytest.raises(BroadcastTimeError, match="no such day"):
        parse_date("02/15/2027", DAY_FIRST)


def test_one_row_proves_the_order_of_all() -> None:
    """A number above 12 can only be the day."""
    assert prove_order([(2, "02/03/2027"), (3, "13/03/2027")]).order is DateOrder.DAY_FIRST
    assert prove_order([(2, "02/03/2027"), (3, "03/13/2027")]).order is DateOrder.MONTH_FIRST
    assert prove_order([(2, "02/03/2027"), (3, "12/12/2027")]) == OrderProof()


@pytest.mark.parametrize("text", ["27-03-01", "13/03/27", "13/13/2027", "00/13/2027", "2027-13-01", "soon"])
def test_what_has_other_readings_proves_nothing(text: str) -> None:
    """A year of two digits might stand first."""
    assert prove_order([(2, text)]).order is None


def test_two_orders_prove_neither() -> None:
    """Both rows are told."""
    proof = prove_order([(2, "13/03/2027"), (7, "03/13/2027")])

    assert proof.order is None
    assert proof.contradiction == "row 2 can only be day/month and row 7 only month/day"


def test_a_year_of_two_digits_needs_somebody_who_says_the_order() -> None:
    """27-03-01 has three readings, even in a file that proves its order."""
    assert parse_date("01/03/27", GIVEN) == date(2027, 3, 1)
    with pytest.raises(BroadcastTimeError, match="two digits"):
        parse_date("01/03/27", DAY_FIRST)


def test_digits_and_dates_without_a_year_are_of_layouts_that_have_them() -> None:
    """Elsewhere eight digits might be anything."""
    assert parse_date("20270301", DateForms(digits=True)) == date(2027, 3, 1)
    assert parse_date("0301", DateForms(has_no_year=True, year=2027)) == date(2027, 3, 1)
    with pytest.raises(BroadcastTimeError, match="--set year=YYYY"):
        parse_date("0301", DateForms(has_no_year=True))
    with pytest.raises(BroadcastTimeError, match="no such day in 2027"):
        parse_date("0229", DateForms(has_no_year=True, year=2027))


@pytest.mark.parametrize(("year", "leap"), [(2027, False), (2028, True), (2000, True), (2096, True)])
def test_leap_days(year: int, leap: bool) -> None:
    """29 February exists every fourth year."""
    if leap:
        assert parse_date(f"{year}-02-29") == date(year, 2, 29)
    else:
        with pytest.raises(BroadcastTimeError, match="no such day"):
            parse_date(f"{year}-02-29")


@pytest.mark.parametrize(
    "text",
    ["2027-13-01", "0027-01-01", "2100-01-01", "20270101", "", "2027-3-1", "1 Mrz 2027", "46447", "２０２７-01-01", "1/2-2027"],
)
def test_dates_that_do_not_exist_or_cannot_be_meant_are_refused(text: str) -> None:
    """A slip of the pen does not become an airing."""
    with pytest.raises(BroadcastTimeError):
        parse_date(text)
