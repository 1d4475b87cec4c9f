"""Plans in, airings out: reading a plan's file, broadcast time, and the clock that opens and closes windows."""

from schedules.airing import Airing
from schedules.arming import AiringClock
from schedules.broadcast_time import from_utc, to_utc
from schedules.catalogue import Catalogue, KnownChannel, KnownSpot
from schedules.dates import DateOrder
from schedules.errors import BroadcastTimeError, PlanFileError, SchedulesError
from schedules.layouts import Field
from schedules.plan import Plan, Problem, Severity
from schedules.plan_reading import read_plan
from schedules.plan_rules import Supply, shortages
from schedules.recognition import Choices
from schedules.windows import WindowChange, Windows, next_changes

__all__ = [
    "Airing",
    "AiringClock",
    "BroadcastTimeError",
    "Catalogue",
    "Choices",
    "DateOrder",
    "Field",
    "KnownChannel",
    "KnownSpot",
    "Plan",
    "PlanFileError",
    "Problem",
    "SchedulesError",
    "Severity",
    "Supply",
    "WindowChange",
    "Windows",
    "from_utc",
    "next_changes",
    "read_plan",
    "shortages",
    "to_utc",
]
