"""Made-up plans of any size, as files and as airings."""

import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final

from schedules import Airing, Catalogue, KnownChannel, KnownSpot

CHANNELS: Final = tuple(f"kanal-{number:02}" for number in range(10))
SPOTS: Final = tuple(f"spot-{number:03}" for number in range(100))
AIRINGS_A_DAY: Final = 5
"""Of a spot on a channel: 5,000 airings a day in all."""
A_DAY: Final = len(CHANNELS) * len(SPOTS) * AIRINGS_A_DAY
FIRST_DAY: Final = date(2027, 1, 1)
ZONE: Final = "Europe/Stockholm"
HEADER: Final = ("channel", "date", "time", "spot", "length_s")
WINDOW: Final = timedelta(seconds=120)


def catalogue() -> Catalogue:
    """The channels and spots of the plans."""
    channels = (KnownChannel(id=channel, timezone=ZONE, aliases=(channel.title(),)) for channel in CHANNELS)
    return Catalogue.of(channels, (KnownSpot(id=spot, length_s=30.0) for spot in SPOTS))


def rows(count: int, *, late_s: int = 0) -> Iterator[tuple[str, str, str, str, str]]:
    """So many rows of a plan, channel by channel within each day.

    Args:
        late_s: by how much every hundredth airing is later.
    """
    for number in range(count):
        day, at_s, channel, spot = _place(number)
        at_s += late_s if number % 100 == 0 else 0
        clock = f"{at_s // 3600:02}:{at_s // 60 % 60:02}:{at_s % 60:02}"
        yield CHANNELS[channel], str(FIRST_DAY + timedelta(days=day)), clock, SPOTS[spot], "30"


def airings(first: int, end: int) -> Iterator[Airing]:
    """The airings of rows `first` to `end`, as if they were written in UTC."""
    midnight = datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=UTC)
    for number in range(first, end):
        day, at_s, channel, spot = _place(number)
        planned_utc = midnight + timedelta(days=day, seconds=at_s)
        turn = number % AIRINGS_A_DAY + 1
        yield Airing(
            airing_id=f"{CHANNELS[channel]}/{SPOTS[spot]}/{FIRST_DAY + timedelta(days=day)}/{turn}",
            channel=CHANNELS[channel],
            spot_id=SPOTS[spot],
            number=turn,
            planned_utc=planned_utc,
            opens_utc=planned_utc - WINDOW,
            closes_utc=planned_utc + WINDOW,
            raw="",
            row=number + 2,
        )


def csv_file(count: int, *, late_s: int = 0) -> bytes:
    """A plan as CSV."""
    return "\n".join([",".join(HEADER), *map(",".join, rows(count, late_s=late_s))]).encode()


def xlsx_file(count: int) -> bytes:
    """The same plan as a workbook."""
    import xlsxwriter

    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "constant_memory": True}) as book:
        sheet = book.add_worksheet("plan")
        sheet.write_row(0, 0, HEADER)
        for line, row in enumerate(rows(count), start=1):
            sheet.write_row(line, 0, row)
    return out.getvalue()


def _place(number: int) -> tuple[int, int, int, int]:
    """Day, seconds after midnight, channel and spot of a row."""
    day, of_day = divmod(number, A_DAY)
    slot, turn = divmod(of_day, AIRINGS_A_DAY)
    channel, spot = divmod(slot, len(SPOTS))
    return day, 6 * 3600 + turn * 3 * 3600 + spot * 90 + channel, channel, spot
