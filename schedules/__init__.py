"""Plans in, airings out: reading a plan's file, broadcast time, and the clock that opens and closes windows."""

from schedules.airing import Airing
from schedules.arming import AiringClock
from schedules.broadcast_time import from_utc, to_utc
from schedules.errors import BroadcastTimeError, PlanFileError, SchedulesError
from schedules.plan import Plan, Problem, Severity
from schedules.plan_csv import read_plan
from schedules.windows import WindowChange, Windows, next_changes

__all__ = [
    "Airing",
    "AiringClock",
    "BroadcastTimeError",
    "Plan",
    "PlanFileError",
    "Problem",
    "SchedulesError",
    "Severity",
    "WindowChange",
    "Windows",
    "from_utc",
    "next_changes",
    "read_plan",
    "to_utc",
]
