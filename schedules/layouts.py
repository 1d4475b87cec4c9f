"""The layouts plans come in, declared as data: which column names mean what, which forms dates and times have. Pure.

Source: the documentation of the tools named, as collected in docs/schedules.md.
"""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from schedules.clock_time import TimeForms


class Field(enum.StrEnum):
    """What a column can mean."""

    CHANNEL = "channel"
    DATE = "date"
    TIME = "time"
    INSTANT = "instant"
    SPOT = "spot"
    LENGTH = "length_s"
    WINDOW_BEFORE = "window_before_s"
    WINDOW_AFTER = "window_after_s"
    TIMEZONE = "timezone"
    YEAR = "year"


NEEDED = (Field.CHANNEL, Field.DATE, Field.TIME, Field.SPOT)
"""What each row must say; an instant says date and time."""


OUR_COLUMNS = "cuebird_"
"""How the columns begin that a list of problems has beside the plan's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One way to write a plan.

    Attributes:
        name: for `--layout`.
        title: whose it is, for people.
        columns: accepted names of the column that means each field, as `named` makes them.
        signature: names that must all be there for the layout to be recognised by its header.
        unused: further documented names, of which nothing is made.
        times: forms of times beside those that say everything.
        date_digits: `YYYYMMDD` counts as a date.
        has_no_year: dates are `MMDD`.
        length_digits: lengths are `HHMMSS`.
        day_start: when its broadcast days begin, where the format itself says so; empty otherwise.
        written_order: the order of day and month its documentation shows. Only told, never applied.
        order: its columns in order, for files without a header; empty when there always is one.
        removal: a column and the word in it that takes an airing out instead of planning it.
        first_row: what the first row of a file without a header must look like, cells joined by `,`.
    """

    name: str
    title: str
    columns: Mapping[Field, tuple[str, ...]]
    signature: tuple[str, ...]
    unused: tuple[str, ...] = ()
    times: TimeForms = field(default_factory=TimeForms)
    date_digits: bool = False
    has_no_year: bool = False
    length_digits: bool = False
    day_start: str = ""
    written_order: str = ""
    order: tuple[str, ...] = ()
    removal: tuple[str, str] | None = None
    first_row: re.Pattern[str] | None = None

    @property
    def known(self) -> frozenset[str]:
        """Every column name the layout has a word for."""
        return frozenset(self.unused).union(*self.columns.values())

    def field_of(self, name: str) -> Field | None:
        """What a column of that name means, None when nothing."""
        return next((field_ for field_, names in self.columns.items() if name in names), None)


def named(cell: str) -> str:
    """A column's name as it is compared: lower case, words joined by `_`."""
    return "_".join(cell.casefold().split())


OWN = Layout(
    name="cuebird",
    title="Cuebird",
    columns={field_: (field_.value,) for field_ in Field if field_ not in (Field.INSTANT, Field.YEAR)},
    signature=tuple(NEEDED),
)
_SHORT = TimeForms(short=True)

LAYOUTS: tuple[Layout, ...] = (
    OWN,
    Layout(
        name="clarivoy",
        title="Clarivoy spot log",
        columns={
            Field.DATE: ("air_date",),
            Field.TIME: ("air_time",),
            Field.CHANNEL: ("network/station", "network", "station"),
            Field.SPOT: ("spot_name", "ad-id", "spot_name_(or_ad-id)"),
            Field.LENGTH: ("spot_length",),
        },
        signature=("air_date", "air_time"),
        unused=("program", "spot_cost", "provider", "zone"),
        times=_SHORT,
        written_order="month/day/year",
    ),
    Layout(
        name="innovidxp",
        title="InnovidXP airings",
        columns={
            Field.DATE: ("date",),
            Field.TIME: ("time",),
            Field.CHANNEL: ("station",),
            Field.SPOT: ("creative", "clock_number", "clock"),
            Field.LENGTH: ("spot_length",),
        },
        signature=("date", "time", "station"),
        unused=("cost", "audience"),
        times=_SHORT,
    ),
    Layout(
        name="funnel",
        title="Funnel / Adtriba TV data",
        columns={
            Field.INSTANT: ("airing_datetime",),
            Field.CHANNEL: ("channel_name", "station"),
            Field.SPOT: ("motif",),
            Field.LENGTH: ("spot_length",),
        },
        signature=("airing_datetime",),
        unused=("program_before", "program_after", "tandem_type", "genre_before", "genre_after", "timeslot", "spend", "reach"),
        times=_SHORT,
        day_start="00:00",
    ),
    Layout(
        name="eulerian",
        title="Eulerian TV spots",
        columns={
            Field.INSTANT: ("date",),
            Field.CHANNEL: ("channel", "chaine", "chaîne"),
            Field.SPOT: ("creative", "spot", "creation", "création"),
            Field.LENGTH: ("duration", "duree", "durée", "format"),
        },
        signature=("date",),
        unused=("cost", "cout", "coût", "campaign", "campagne", "grp", "screen", "ecran", "écran"),
        times=_SHORT,
        day_start="00:00",
        written_order="day/month/year, though its own example is month/day/year",
    ),
    Layout(
        name="sigma",
        title="Sigma / BVS detections",
        columns={
            Field.DATE: ("date_aired",),
            Field.TIME: ("air_start_time",),
            Field.CHANNEL: ("station",),
            Field.SPOT: ("isci/ad-id", "isci", "ad-id"),
            Field.LENGTH: ("duration",),
        },
        signature=("date_aired", "air_start_time"),
        unused=("client", "product", "release_name", "dma", "daypart", "program_name", "air_end_time", "market", "affiliate"),
        times=_SHORT,
    ),
    Layout(
        name="mediaocean",
        title="Mediaocean buy lines",
        columns={
            Field.DATE: ("date", "air_date"),
            Field.TIME: ("time", "start_time"),
            Field.CHANNEL: ("station", "vendor"),
            Field.SPOT: ("isci", "copy", "ad-id", "traffic_code"),
            Field.LENGTH: ("len", "length"),
        },
        signature=("station", "len"),
        unused=(
            "line",
            "buy_line",
            "estimate",
            "product",
            "program",
            "daypart",
            "dpt",
            "cost",
            "rate",
            "end_time",
            "days",
            "week",
        ),
        times=_SHORT,
        written_order="month/day/year",
    ),
    Layout(
        name="kantar",
        title="Kantar SPT<yymmdd>.DAILY.CSV",
        columns={
            Field.CHANNEL: ("channelcode",),
            Field.DATE: ("startdate",),
            Field.TIME: ("starttime",),
            Field.SPOT: ("internalidcode",),
            Field.LENGTH: ("duration",),
        },
        signature=("channelcode", "startdate", "starttime", "internalidcode"),
        unused=(
            *("campaigncode", "totalspotsinbreak", "breakposition", "cost", "transmissionvector"),
            *("spottypecode", "blockstarttime", "blockendtime", "reloadcode"),
        ),
        times=TimeForms(digits=True),
        date_digits=True,
        day_start="03:00",
        order=(
            *("campaigncode", "channelcode", "startdate", "starttime", "totalspotsinbreak", "breakposition", "duration", "cost"),
            *("internalidcode", "transmissionvector", "spottypecode", "blockstarttime", "blockendtime", "reloadcode"),
        ),
        removal=("reloadcode", "2"),
        first_row=re.compile(r"[0-9]+,[0-9]+,20[0-9]{6},[0-9]{5,6}(?:,[^,]*){9,10}"),
    ),
    Layout(
        name="ccms",
        title="CCMS .SCH / .VER",
        columns={
            Field.CHANNEL: ("ccms_channel",),
            Field.DATE: ("scheduled_date",),
            Field.TIME: ("scheduled_time",),
            Field.SPOT: ("spot_id",),
            Field.LENGTH: ("scheduled_length",),
        },
        signature=("ccms_channel", "scheduled_time"),
        unused=(
            *("event_type", "window_start", "window_duration", "break", "position", "aired_time", "aired_length"),
            *("aired_position", "status", "advertiser", "spot_name"),
        ),
        times=TimeForms(digits=True),
        has_no_year=True,
        length_digits=True,
        day_start="00:00",
    ),
    Layout(
        name="arl",
        title="as-run log .arl",
        columns={
            Field.CHANNEL: ("arl_channel",),
            Field.TIME: ("aired_time",),
            Field.LENGTH: ("aired_length",),
            Field.SPOT: ("title",),
        },
        signature=("arl_channel", "aired_time"),
        unused=("status",),
    ),
    Layout(
        name="bxf",
        title="BXF (SMPTE ST 2021) schedule",
        columns={
            Field.CHANNEL: ("bxf_channel",),
            Field.DATE: ("broadcast_date",),
            Field.TIME: ("timecode",),
            Field.SPOT: ("house_number",),
            Field.LENGTH: ("duration",),
            Field.TIMEZONE: ("utc_zone",),
        },
        signature=("bxf_channel", "timecode"),
        unused=("event_id", "title", "identifiers", "status"),
    ),
)
BY_NAME: Mapping[str, Layout] = {layout.name: layout for layout in LAYOUTS}
