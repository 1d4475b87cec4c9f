"""What can go wrong in `schedules` and is foreseen.

SchedulesError
├── BroadcastTimeError   schedules.broadcast_time: a date, time or zone that says nothing, or two things
└── PlanFileError        schedules.table: the file as a whole is no plan

A wrong row is no error but a `schedules.plan.Problem`: a plan may have many, and all are wanted.
"""


class SchedulesError(Exception):
    """Root of this package's errors; its message names the thing, the value and what to do."""


class PlanFileError(SchedulesError):
    """The file cannot be read as a plan at all."""


class BroadcastTimeError(SchedulesError):
    """A date, time or zone cannot be understood.

    Attributes:
        reason: what is wrong with it.
        fix: what to write instead.
    """

    def __init__(self, *, reason: str, fix: str) -> None:
        self.reason, self.fix = reason, fix
        super().__init__(f"{reason}; {fix}")
