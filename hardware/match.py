"""A scripted match: what happens on a simulated console, and when.

Pure: `Match.board(at_s)` and the script are values; the simulator only plays them.

    [board]                        how the console stands at 0 s; every key may be left out
    home = 0
    away = 0
    clock = "12:40"                mm:ss; it counts down while it runs
    period = "3"
    running = true

    [[step]]
    at_s = 14.0
    do = "home_goal"
    points = 1                     for goals and corrections; 1 when left out
"""

import enum
import tomllib
from dataclasses import dataclass, replace
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hardware.errors import ScriptError
from hardware.scoreboards.board import Board

STEPS_MAX = 10_000
SCRIPT_S_MAX = 86_400.0


class Action(enum.StrEnum):
    """What a step does."""

    HOME_GOAL = "home_goal"
    AWAY_GOAL = "away_goal"
    HOME_CORRECTION = "home_correction"
    AWAY_CORRECTION = "away_correction"
    PERIOD = "period"
    CLOCK_START = "clock_start"
    CLOCK_STOP = "clock_stop"
    JUNK = "junk"
    DAMAGED_FRAME = "damaged_frame"
    DROP_CONNECTION = "drop_connection"


LINE_ACTIONS = frozenset({Action.JUNK, Action.DAMAGED_FRAME, Action.DROP_CONNECTION})
"""Actions on the line: they change nothing on the board."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happens.

    Attributes:
        at_s: seconds from the beginning of the script.
        points: for goals and corrections, how many.
        period: for a change of period, the new one.
    """

    at_s: float
    action: Action
    points: int = 1
    period: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A beginning and the steps after it, in order of time."""

    start: Board
    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        if list(self.steps) != sorted(self.steps, key=lambda step: step.at_s):
            raise ScriptError("match script: the steps are not in order of at_s; sort them")
        self.board(self.length_s)

    @property
    def length_s(self) -> float:
        """When the last step happens."""
        return self.steps[-1].at_s if self.steps else 0.0

    def board(self, at_s: float) -> Board:
        """How the board stands `at_s` seconds into the script.

        Raises:
            ScriptError: a step leads to a board that no console shows.
        """
        board, then_s = self.start, 0.0
        for step in self.steps:
            if step.at_s > at_s:
                break
            try:
                board = _applied(_counted_down(board, step.at_s - then_s), step)
            except ValueError as error:
                raise ScriptError(f"match script: {step.action} at {step.at_s:g} s: {error}") from error
            then_s = step.at_s
        return _counted_down(board, at_s - then_s)


def _counted_down(board: Board, elapsed_s: float) -> Board:
    if not board.running:
        return board
    return replace(board, clock_tenths=max(0, board.clock_tenths - round(elapsed_s * 10)))


def _applied(board: Board, step: Step) -> Board:
    match step.action:
        case Action.HOME_GOAL:
            changed = replace(board, home=board.home + step.points)
        case Action.AWAY_GOAL:
            changed = replace(board, away=board.away + step.points)
        case Action.HOME_CORRECTION:
            changed = replace(board, home=board.home - step.points)
        case Action.AWAY_CORRECTION:
            changed = replace(board, away=board.away - step.points)
        case Action.PERIOD:
            changed = replace(board, period=step.period)
        case Action.CLOCK_START | Action.CLOCK_STOP:
            changed = replace(board, running=step.action is Action.CLOCK_START)
        case Action.JUNK | Action.DAMAGED_FRAME | Action.DROP_CONNECTION:
            changed = board
    return changed


class _BoardTable(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    home: Annotated[int, Field(ge=0, le=99)] = 0
    away: Annotated[int, Field(ge=0, le=99)] = 0
    clock: Annotated[str, Field(pattern=r"^[0-9]{2}:[0-5][0-9]$")] = "20:00"
    period: Annotated[str, Field(pattern=r"^[0-9]?$")] = "1"
    running: bool = False


class _StepTable(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    at_s: Annotated[float, Field(ge=0, le=SCRIPT_S_MAX, allow_inf_nan=False)]
    do: Action = Field(strict=False)
    points: Annotated[int, Field(ge=1, le=3)] = 1
    period: Annotated[str, Field(pattern=r"^[0-9]?$")] = ""

    @model_validator(mode="after")
    def _period_is_named(self) -> Self:
        if (self.do is Action.PERIOD) != bool(self.period):
            raise ValueError('`period` goes with do = "period", and only with it')
        return self


class _Script(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    board: _BoardTable = _BoardTable()
    step: Annotated[list[_StepTable], Field(max_length=STEPS_MAX)] = []


def parse_match(text: str, *, name: str) -> Match:
    """The match that a TOML script tells; `name` is the script's, for messages.

    Raises:
        ScriptError: it is no TOML, or not such a script; the message names the place.
    """
    try:
        script = _Script.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ScriptError(f"{name}: not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ScriptError(f"{name}: {where} = {first['input']!r}: {first['msg']}") from error
    minutes, seconds = script.board.clock.split(":")
    start = Board(
        home=script.board.home,
        away=script.board.away,
        clock_tenths=(int(minutes) * 60 + int(seconds)) * 10,
        period=script.board.period,
        running=script.board.running,
    )
    steps = sorted(script.step, key=lambda step: step.at_s)
    try:
        return Match(
            start=start,
            steps=tuple(Step(at_s=step.at_s, action=step.do, points=step.points, period=step.period) for step in steps),
        )
    except ScriptError as error:
        raise ScriptError(f"{name}: {error}") from error
