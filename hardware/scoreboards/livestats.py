"""FIBA / NCAA LiveStats "TV feed": TCP 7677, one JSON object a line, ended by CRLF.

After connecting the client sends `SUBSCRIBE`. Read are:

    action       a basket is `2pt`, `3pt` or `freethrow` with `success` 1 and has the score after it in `score1` and
                 `score2`, which are 0 on every other action. `actionNumber` is its identity: it comes again, `edited`,
                 when the scorer adds something. `clock` starts and stops the clock, `game`, `period` and `timeout` tell theirs
    status       clock, whether it runs, period and score
    boxscore     each team's points so far: what corrects a basket that is taken back
    playbyplay   the actions so far; read like actions
    teams        which team is at home; until then number 1

An edited basket older than the last one tells a score of its own time and changes nothing. A line is text in
a TCP stream, which vouches for its bytes: a whole object is believed at once.

Source:
    Messages of an NCAA feed, FIBA's description of the TV feed, and public clients.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.alias_generators import to_camel
from pydantic_core import from_json

from hardware.events import Reading, Timeout
from hardware.scoreboards.board import Board, Encoder
from hardware.scoreboards.decoding import damaged

NAME = "livestats"
PORT = 7677
SUBSCRIBE = b'{"type":"parameters","types":"se,ac,mi,te,box,pbp","playbyplayOnConnect":1}\r\n'
LINE_BYTES_MAX = 1 << 21
"""Longer lines are skipped: the largest known, a whole game's play by play, has a few hundred thousand bytes."""
BASKETS = frozenset({"2pt", "3pt", "freethrow"})
POINTS_MAX = 999


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore", alias_generator=to_camel, frozen=True)


Points = Annotated[int, Field(ge=0, le=POINTS_MAX)]
Clock = Annotated[str, Field(pattern=r"^(?:\d{1,3}:\d\d(?::\d\d)?)?$")]


class _Action(_Message):
    type: Literal["action"] = "action"
    action_number: int = 0
    team_number: int = 0
    action_type: str = ""
    sub_type: str | None = None
    success: int = 0
    clock: Clock = ""
    period: int | None = None
    period_type: str | None = None
    score1: Points = 0
    score2: Points = 0
    edited: Any = None
    deleted: Any = None


class _PlayByPlay(_Message):
    type: Literal["playbyplay"]
    actions: list[_Action] = []


class _Period(_Message):
    current: int | None = None
    period_type: str | None = None


class _TeamScore(_Message):
    team_number: int
    score: Points


class _Status(_Message):
    type: Literal["status"]
    clock: Clock = ""
    clock_running: bool | None = None
    period: _Period = _Period()
    scores: list[_TeamScore] = []


class _TeamTotals(_Message):
    s_points: Points | None = None


class _Totals(_Message):
    team: _TeamTotals = _TeamTotals()


class _BoxTeam(_Message):
    team_number: int
    total: _Totals = _Totals()


class _Boxscore(_Message):
    type: Literal["boxscore"]
    teams: list[_BoxTeam] = []


class _TeamDetail(_Message):
    is_home_competitor: int = 0


class _Team(_Message):
    team_number: int
    detail: _TeamDetail = _TeamDetail()


class _Teams(_Message):
    type: Literal["teams"]
    teams: list[_Team] = []


_Read = _Action | _PlayByPlay | _Status | _Boxscore | _Teams
_READ: TypeAdapter[_Read] = TypeAdapter(Annotated[_Read, Field(discriminator="type")])
_KINDS = frozenset({"action", "playbyplay", "status", "boxscore", "teams"})


class LiveStatsDecoder:
    """A `Decoder` of one feed."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._line_bytes = self._line_offset = 0
        self._game = _Game()
        self.good_frames = self.bad_frames = self.good_bytes = 0

    def feed(self, data: bytes) -> list[Reading]:
        readings: list[Reading] = []
        *ended, rest = data.split(b"\n")
        for piece in ended:
            self._keep(piece)
            self._end_line(readings)
        self._keep(rest)
        return readings

    def finish(self) -> list[Reading]:
        readings: list[Reading] = []
        self._end_line(readings)
        return readings

    def _keep(self, piece: bytes) -> None:
        self._line_bytes += len(piece)
        if self._line_bytes <= LINE_BYTES_MAX:
            self._line += piece
        else:
            self._line.clear()

    def _end_line(self, readings: list[Reading]) -> None:
        line, offset, too_long = bytes(self._line), self._line_offset, self._line_bytes > LINE_BYTES_MAX
        self._line_offset += self._line_bytes + 1
        self._line.clear()
        self._line_bytes = 0
        offset += len(line) - len(line.lstrip())
        line = line.strip()
        if not line and not too_long:
            return
        try:
            told = None if too_long else self._game.take(line)
        except ValueError:
            too_long = True
        if too_long:
            self.bad_frames += 1
            readings.append(damaged(offset=offset, protocol=NAME, frame=line))
            return
        self.good_frames += 1
        self.good_bytes += len(line)
        if told is not None:
            readings.append(self._game.reading(line, offset, told))


class _Game:
    """What the messages so far told."""

    def __init__(self) -> None:
        self._home_team = 1
        self._scores: dict[int, int] = {}
        self._last_basket = 0
        self._clock = self._period = ""
        self._running: bool | None = None
        self._timeout: Timeout | None = None

    def take(self, line: bytes) -> set[int] | None:
        """The numbers of the teams whose points a message tells; None for a message that is not read.

        Raises:
            ValueError: it is no JSON object, or not such a message.
        """
        message = from_json(line)
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            raise ValueError("not an object with a type")
        if message["type"] not in _KINDS:
            return None
        match _READ.validate_python(message):
            case _Action() as action:
                return self._take_action(action)
            case _PlayByPlay(actions=actions):
                return set().union(*(self._take_action(action) for action in actions))
            case _Status() as status:
                return self._take_status(status)
            case _Boxscore(teams=teams):
                totals = {team.team_number: team.total.team.s_points for team in teams}
                return self._take_scores({number: points for number, points in totals.items() if points is not None})
            case _Teams(teams=named):
                self._home_team = next((team.team_number for team in named if team.detail.is_home_competitor == 1), 1)
                return set()

    def _take_action(self, action: _Action) -> set[int]:
        if action.edited is None:
            self._take_play(action)
        basket = action.action_type in BASKETS and action.success == 1 and action.deleted is None
        if not basket or action.action_number < self._last_basket or not (action.score1 or action.score2):
            return set()
        self._last_basket = action.action_number
        return self._take_scores({1: action.score1, 2: action.score2})

    def _take_play(self, action: _Action) -> None:
        self._take_clock(action.clock)
        self._take_period(action.period, action.period_type)
        if action.action_type == "clock" and action.sub_type in ("start", "stop"):
            self._running = action.sub_type == "start"
        if action.action_type == "timeout":
            self._timeout = self._side_of(action.team_number)
        elif self._running:
            self._timeout = Timeout.NONE

    def _take_status(self, status: _Status) -> set[int]:
        self._take_clock(status.clock)
        self._take_period(status.period.current, status.period.period_type)
        if status.clock_running is not None:
            self._running = status.clock_running
        return self._take_scores({team.team_number: team.score for team in status.scores})

    def _take_scores(self, scores: dict[int, int]) -> set[int]:
        self._scores |= {number: points for number, points in scores.items() if number in (1, 2)}
        return set(scores)

    def _take_clock(self, clock: str) -> None:
        if not clock:
            return
        minutes, seconds, *hundredths = clock.split(":")
        last_minute = int(minutes) == 0 and hundredths
        self._clock = f"{seconds}.{hundredths[0][0]}" if last_minute else f"{minutes:0>2}:{seconds}"

    def _take_period(self, period: int | None, kind: str | None) -> None:
        if period is not None:
            self._period = f"OT{period}" if kind == "OVERTIME" else str(period)

    def _side_of(self, team: int) -> Timeout:
        if team not in (1, 2):
            return Timeout.UNTOLD
        return Timeout.HOME if team == self._home_team else Timeout.AWAY

    def reading(self, line: bytes, offset: int, told: set[int]) -> Reading:
        """The board after a message that told the points of the teams `told`."""
        home, away = self._home_team, 3 - self._home_team
        return Reading(
            offset=offset,
            protocol=NAME,
            home=self._scores.get(home),
            away=self._scores.get(away),
            clock=self._clock,
            period=self._period[:16],
            running=self._running,
            valid=True,
            checked=True,
            home_told=home in told,
            away_told=away in told,
            timeout=self._timeout,
            frame=line,
        )


def decoder() -> LiveStatsDecoder:
    """A new decoder for one feed."""
    return LiveStatsDecoder()


def encoder(sport: str) -> Encoder:
    """The feed's messages for what changed since the board before: a basket, a time-out, a corrected box score, the status."""
    del sport
    return _Feed().encode


class _Feed:
    """What a feed has told its client so far."""

    def __init__(self) -> None:
        self._board: Board | None = None
        self._actions = 0

    def encode(self, board: Board) -> list[bytes]:
        before, self._board = self._board, board
        if before is None:
            teams = [{"teamNumber": number, "detail": {"isHomeCompetitor": number % 2}} for number in (1, 2)]
            return [_line({"type": "teams", "teams": teams}), _boxscore(board), _status(board)]
        messages: list[bytes] = []
        for team, points in ((1, board.home - before.home), (2, board.away - before.away)):
            if 0 < points <= 3:
                messages.append(self._basket(board, team, points))
        if board.home < before.home or board.away < before.away:
            messages.append(_boxscore(board))
        if board.timeout is not before.timeout and board.timeout is not Timeout.NONE:
            team = {Timeout.HOME: 1, Timeout.AWAY: 2}.get(board.timeout, 0)
            messages.append(self._action(board, {"actionType": "timeout", "teamNumber": team}))
        return [*messages, _status(board)]

    def _basket(self, board: Board, team: int, points: int) -> bytes:
        kind = {1: "freethrow", 2: "2pt", 3: "3pt"}[points]
        return self._action(
            board, {"actionType": kind, "teamNumber": team, "success": 1, "score1": board.home, "score2": board.away}
        )

    def _action(self, board: Board, facts: dict[str, object]) -> bytes:
        self._actions += 1
        return _line({"type": "action", "actionNumber": self._actions, "clock": _clock(board), **facts})


def _status(board: Board) -> bytes:
    period = {"current": int(board.period), "periodType": "REGULAR"} if board.period.isdigit() else {}
    scores = [{"teamNumber": 1, "score": board.home}, {"teamNumber": 2, "score": board.away}]
    return _line(
        {"type": "status", "clock": _clock(board), "clockRunning": int(board.running), "period": period, "scores": scores}
    )


def _boxscore(board: Board) -> bytes:
    points = {1: board.home, 2: board.away}
    teams = [{"teamNumber": number, "total": {"team": {"sPoints": shown}}} for number, shown in points.items()]
    return _line({"type": "boxscore", "teams": teams})


def _clock(board: Board) -> str:
    seconds, tenths = divmod(board.clock_tenths, 10)
    return f"{seconds // 60:02d}:{seconds % 60:02d}:{tenths}0"


def _line(message: dict[str, object]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\r\n"
