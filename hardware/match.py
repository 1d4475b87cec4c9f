"""A scripted match: what happens on a simulated console, and when.

Pure: `Match.board(at_s)` and the script are values; the simulator only plays them.

    [board]                        how the console stands at 0 s; every key may be left out
    home = 0
    away = 0
    clock = "12:40"                mm:ss; it counts down while it runs
    period = "3"
    running = true
    counts_up = false              true in football, handball and the like

    [[step]]
    at_s = 14.0
    do = "home_goal"
    points = 1                     for goals and corrections; 1 when left out

`random_match` makes one up from a seed.
"""

import bisect
import enum
import random
import tomllib
from dataclasses import dataclass, field, replace
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hardware.errors import ScriptError
from hardware.events import Timeout
from hardware.scoreboards.board import Board
from hardware.sports import COUNTING_UP, IN_SETS, steps_of

STEPS_MAX = 10_000
CLOCK_TENTHS_MAX = 59_999
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
    HORN = "horn"
    HORN_ENDS = "horn_ends"
    HOME_TIMEOUT = "home_timeout"
    AWAY_TIMEOUT = "away_timeout"
    TIMEOUT_ENDS = "timeout_ends"
    RESET = "reset"
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
    """A beginning and the steps after it, in order of time.

    Raises:
        ScriptError: the steps are not in order, or one leads to a board that no console shows.
    """

    start: Board
    steps: tuple[Step, ...]
    counts_up: bool = False
    _boards: tuple[Board, ...] = field(init=False, repr=False, compare=False)
    """After each number of steps."""

    def __post_init__(self) -> None:
        if list(self.steps) != sorted(self.steps, key=lambda step: step.at_s):
            raise ScriptError("match script: the steps are not in order of at_s; sort them")
        boards, then_s = [self.start], 0.0
        for step in self.steps:
            try:
                boards.append(_applied(self._counted(boards[-1], step.at_s - then_s), step))
            except ValueError as error:
                raise ScriptError(f"match script: {step.action} at {step.at_s:g} s: {error}") from error
            then_s = step.at_s
        object.__setattr__(self, "_boards", tuple(boards))

    @property
    def length_s(self) -> float:
        """When the last step happens."""
        return self.steps[-1].at_s if self.steps else 0.0

    def board(self, at_s: float) -> Board:
        """How the board stands `at_s` seconds into the script."""
        done = bisect.bisect_right(self.steps, at_s, key=lambda step: step.at_s)
        return self._counted(self._boards[done], at_s - (self.steps[done - 1].at_s if done else 0.0))

    def _counted(self, board: Board, elapsed_s: float) -> Board:
        if not board.running:
            return board
        tenths = round(elapsed_s * 10) * (1 if self.counts_up else -1)
        return replace(board, clock_tenths=min(max(0, board.clock_tenths + tenths), CLOCK_TENTHS_MAX))


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
        case Action.HORN | Action.HORN_ENDS:
            changed = replace(board, horn=step.action is Action.HORN)
        case Action.HOME_TIMEOUT:
            changed = replace(board, timeout=Timeout.HOME, running=False)
        case Action.AWAY_TIMEOUT:
            changed = replace(board, timeout=Timeout.AWAY, running=False)
        case Action.TIMEOUT_ENDS:
            changed = replace(board, timeout=Timeout.NONE)
        case Action.RESET:
            changed = replace(board, home=0, away=0)
        case Action.JUNK | Action.DAMAGED_FRAME | Action.DROP_CONNECTION:
            changed = board
    return changed


class _BoardTable(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    home: Annotated[int, Field(ge=0, le=199)] = 0
    away: Annotated[int, Field(ge=0, le=199)] = 0
    clock: Annotated[str, Field(pattern=r"^[0-9]{2}:[0-5][0-9]$")] = "20:00"
    period: Annotated[str, Field(pattern=r"^[0-9]?$")] = "1"
    running: bool = False
    counts_up: bool = False


class _StepTable(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    at_s: Annotated[float, Field(ge=0, le=SCRIPT_S_MAX, allow_inf_nan=False)]
    do: Action = Field(strict=False)
    points: Annotated[int, Field(ge=1, le=8)] = 1
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
            counts_up=script.board.counts_up,
            steps=tuple(Step(at_s=step.at_s, action=step.do, points=step.points, period=step.period) for step in steps),
        )
    except ScriptError as error:
        raise ScriptError(f"{name}: {error}") from error


RANDOM_POINTS_MAX = 99
"""A made-up match stops scoring here: some consoles show two digits."""
SET_POINTS = 25
_NEXT = {
    Action.HORN: Action.HORN_ENDS,
    Action.HOME_TIMEOUT: Action.TIMEOUT_ENDS,
    Action.AWAY_TIMEOUT: Action.TIMEOUT_ENDS,
    Action.CLOCK_STOP: Action.CLOCK_START,
}
"""What ends what was begun."""


def random_match(*, sport: str, seed: int, length_s: float = 3600.0, every_s: float = 8.0, line_faults: bool = True) -> Match:
    """A match of `sport` that nobody planned: goals, corrections, clock, horn, time-outs, and faults of the line.

    Args:
        seed: the same seed makes the same match.
        every_s: mean time between two steps.
        line_faults: whether junk, damaged frames and dropped connections are among them.

    Raises:
        SettingError: the sport is not known.
    """
    rng, points = random.Random(seed), {Action.HOME_GOAL: 0, Action.AWAY_GOAL: 0}
    steps: list[Step] = []
    begun: Action | None = None
    at_s, period = 2.0, 1
    while len(steps) < STEPS_MAX:
        # Not closer than a console repeats itself twice: what nobody can see on the board is no event.
        at_s = round(at_s + 1.0 + rng.expovariate(1 / every_s), 1)
        if at_s > length_s:
            break
        if begun is not None:
            steps.append(Step(at_s=at_s, action=_NEXT[begun]))
            begun = None
            continue
        action = _random_action(rng, line_faults=line_faults)
        if action in points:
            scored = rng.choice(steps_of(sport))
            if points[action] + scored > RANDOM_POINTS_MAX:
                continue
            points[action] += scored
            steps.append(Step(at_s=at_s, action=action, points=scored))
            if sport in IN_SETS and points[action] >= SET_POINTS and period < 3:
                period += 1
                points = dict.fromkeys(points, 0)
                steps.append(Step(at_s=at_s + 5, action=Action.PERIOD, period=str(period)))
                steps.append(Step(at_s=at_s + 5, action=Action.RESET))
                at_s += 8
        elif action is Action.HOME_CORRECTION:
            last = next((step for step in reversed(steps) if step.action in points), None)
            if last is None or points[last.action] < last.points or sport in IN_SETS:
                continue
            points[last.action] -= last.points
            taken = Action.HOME_CORRECTION if last.action is Action.HOME_GOAL else Action.AWAY_CORRECTION
            steps.append(Step(at_s=at_s, action=taken, points=last.points))
        elif action is Action.PERIOD:
            if period < 3 and sport not in IN_SETS:
                period += 1
                steps.append(Step(at_s=at_s, action=Action.PERIOD, period=str(period)))
        else:
            steps.append(Step(at_s=at_s, action=action))
            begun = action if action in _NEXT else None
    start = Board(clock_tenths=0 if sport in COUNTING_UP else 36_000, period="1", running=True)
    return Match(start=start, steps=tuple(steps), counts_up=sport in COUNTING_UP)


def _random_action(rng: random.Random, *, line_faults: bool) -> Action:
    weights = {
        Action.HOME_GOAL: 6,
        Action.AWAY_GOAL: 6,
        Action.HOME_CORRECTION: 1,
        Action.PERIOD: 0.2,
        Action.CLOCK_STOP: 2,
        Action.HORN: 0.5,
        Action.HOME_TIMEOUT: 0.4,
        Action.AWAY_TIMEOUT: 0.4,
        Action.JUNK: 2 if line_faults else 0,
        Action.DAMAGED_FRAME: 2 if line_faults else 0,
        Action.DROP_CONNECTION: 0.3 if line_faults else 0,
    }
    (chosen,) = rng.choices(list(weights), list(weights.values()))
    return chosen
