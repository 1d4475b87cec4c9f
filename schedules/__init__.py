"""Plans in, airings out: reading a plan's file, broadcast time, and the clock that opens and closes windows."""

from schedules.airing import WINDOW_MOST, Airing
from schedules.arming import AiringClock
from schedules.broadcast_time import from_utc, to_utc
from schedules.catalogue import Catalogue, KnownChannel, KnownSpot
from schedules.dates import DateOrder
from schedules.errors import BroadcastTimeError, PlanFileError, SchedulesError
from schedules.layouts import Field
from schedules.plan import Plan, Problem, Severity
from schedules.plan_changes import LeftAlone, Move, PlanChanges, clashes, plan_changes
from schedules.plan_reading import read_plan
from schedules.plan_rules import Supply, shortages
from schedules.recognition import Choices
from schedules.windows import WindowChange, Windows, next_changes

__all__ = [
    "WINDOW_MOST",
    "Airing",
    "AiringClock",
    "BroadcastTimeError",
    "Catalogue",
    "Choices",
    "DateOrder",
    "Field",
    "KnownChannel",
    "KnownSpot",
    "LeftAlone",
    "Move",
    "Plan",
    "PlanChanges",
    "PlanFileError",
    "Problem",
    "SchedulesError",
    "Severity",
    "Supply",
    "WindowChange",
    "Windows",
    "clashes",
    "from_utc",
    "next_changes",
    "plan_changes",
    "read_plan",
    "shortages",
    "to_utc",
]
