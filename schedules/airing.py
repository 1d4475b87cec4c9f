"""One planned broadcast of a spot."""

from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW_MOST = timedelta(days=1)
"""No window is longer: what is open at an instant is looked for among those that close within a day of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Airing:
    """One planned broadcast of a spot on a channel, with the window in which it counts.

    Attributes:
        airing_id: stable over re-imports of the same plan: channel, spot, broadcast day and running number.
        channel: id of the channel.
        spot_id: id of the spot.
        number: running number of this spot on this channel within the broadcast day, from 1.
        planned_utc: the planned instant, aware.
        opens_utc, closes_utc: the window, aware; opens <= planned <= closes.
        raw: the time as the plan's author wrote it, with its zone.
        row: line of the plan it was read from, from 1.
    """

    airing_id: str
    channel: str
    spot_id: str
    number: int
    planned_utc: datetime
    opens_utc: datetime
    closes_utc: datetime
    raw: str
    row: int

    def __post_init__(self) -> None:
        if self.planned_utc.tzinfo is None or self.opens_utc.tzinfo is None or self.closes_utc.tzinfo is None:
            raise ValueError(f"airing {self.airing_id}: an instant is naive; give it a time zone")
        if not self.opens_utc <= self.planned_utc <= self.closes_utc:
            window = f"{self.opens_utc} to {self.closes_utc}"
            raise ValueError(f"airing {self.airing_id}: its window {window} does not hold {self.planned_utc}")
        if self.closes_utc - self.opens_utc > WINDOW_MOST:
            raise ValueError(f"airing {self.airing_id}: its window is longer than {WINDOW_MOST}; give it a shorter one")
