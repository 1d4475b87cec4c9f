"""A console's line is followed: losses are baselines, silence and nonsense are said."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable

import pytest

from hardware.errors import ConsoleLostError
from hardware.events import ScoreKind
from hardware.lines import Chunk, LineCounters, TcpServerLine
from hardware.listening import ConsoleListener, ConsoleStatus
from hardware.scoreboards import oes
from hardware.scoreboards.board import Board
from hardware.scoreboards.protocols import PROTOCOLS
from hardware.scoring import ScoreChange
from timebase import Clock, VirtualClock

LOST = None


def frame(home: int, away: int = 0) -> bytes:
    return b"".join(oes.encode(Board(home=home, away=away, clock_tenths=6000, period="1", running=True)))


class PlayedLine:
    """A line played by hand: `say` what comes, `LOST` breaks the connection."""

    idle, remark, silence_s = "played: not begun", "", 3.0

    def __init__(self) -> None:
        self.counters = LineCounters()
        self.closed = False
        self._said: asyncio.Queue[bytes | None] = asyncio.Queue()

    def __str__(self) -> str:
        return "played"

    async def chunks(self, clock: Clock) -> AsyncGenerator[Chunk, None]:
        self.counters.connections += 1
        while (data := await self._said.get()) is not None:
            yield Chunk(data, clock.mono_ns(), 0)
        raise ConsoleLostError("played: broken")

    def close(self) -> None:
        self.closed = True

    def say(self, *said: bytes | None) -> None:
        for one in said:
            self._said.put_nowait(one)


class Listening:
    """A listener on a played line, and what it told."""

    def __init__(self) -> None:
        self.line, self.clock = PlayedLine(), VirtualClock()
        self.changes: list[ScoreChange] = []
        self.listener = ConsoleListener(
            self.line,
            PROTOCOLS["oes"],
            sport="ice_hockey",
            clock=self.clock,
            sink=self.changes.append,
        )

    async def hear(self, *said: bytes | None, seconds: float = 0.1) -> ConsoleStatus:
        self.line.say(*said)
        await self.clock.advance(seconds)
        return self.listener.status()

    @property
    def scores(self) -> list[tuple[ScoreKind, int, int]]:
        return [(one.kind, one.home, one.away) for one in self.changes]


@pytest.fixture
async def listening() -> AsyncIterator[Listening]:
    house = Listening()
    running = asyncio.create_task(house.listener.run())
    yield house
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert house.line.closed


async def test_the_first_reading_after_a_loss_is_a_baseline(listening: Listening) -> None:
    """A goal that the board showed while nobody looked is no event, the next one is."""
    await listening.hear(frame(0), frame(0))
    await listening.hear(LOST, seconds=0.3)
    status = await listening.hear(frame(1), frame(1))
    assert (status.heard, status.home, listening.scores) == (True, 1, [])
    assert status.detail == "the score went from 0-0 to 1-0 while the console was not heard"

    await listening.hear(frame(2), frame(2))
    assert listening.scores == [(ScoreKind.GOAL, 2, 0)]
    assert listening.line.counters.connections == 2


async def test_half_a_frame_never_meets_the_next_connection(listening: Listening) -> None:
    """Two halves of different scores could make a whole frame."""
    await listening.hear(frame(0), frame(1)[:20])
    await listening.hear(LOST, seconds=0.3)
    status = await listening.hear(frame(1)[20:])

    assert (status.heard, status.good_frames, status.bad_frames) == (False, 1, 0)


async def test_a_loss_is_said_until_the_console_is_heard_again(listening: Listening) -> None:
    """From before the first byte; bytes alone are not hearing."""
    assert (listening.listener.status().heard, listening.listener.status().detail) == (False, "played: not begun")
    assert (await listening.hear(frame(0))).heard
    lost = await listening.hear(LOST)
    assert (lost.heard, lost.detail) == (False, "played: broken")
    assert (lost.home, lost.away) == (0, 0)
    heard = await listening.hear(frame(0), seconds=0.3)
    assert (heard.heard, heard.detail) == (True, "")


async def test_a_line_that_stalls_is_not_heard(listening: Listening) -> None:
    """Nothing for longer than its patience, though the connection stands."""
    assert (await listening.hear(frame(0), seconds=3.0)).heard
    stalled = await listening.hear(seconds=0.1)

    assert (stalled.heard, stalled.detail) == (False, "played: nothing for more than 3 s")


async def test_bytes_that_are_no_frames_are_not_hearing(listening: Listening) -> None:
    """As when somebody changes the console's speed: the screen must not go on looking healthy."""
    assert (await listening.hear(frame(0))).heard
    for _ in range(31):
        status = await listening.hear(b"\x02\x74" + bytes(43))

    assert (status.heard, status.detail) == (
        False,
        "played: bytes come but no sound frame; is it oes, at this speed and parity?",
    )
    assert (status.good_frames, status.bad_frames) == (1, 31)


async def test_counters_go_on_over_connections(listening: Listening) -> None:
    """Good and damaged frames since the gateway started."""
    await listening.hear(frame(0), b"\x02\x74" + bytes(43))
    await listening.hear(LOST, seconds=0.3)
    status = await listening.hear(frame(0), frame(0))

    assert (status.good_frames, status.bad_frames, status.connections) == (3, 1, 2)


async def test_a_console_that_calls_again_over_tcp_begins_with_a_baseline() -> None:
    """On real connections: the goal between two calls is not told, the one after is, once."""
    clock, line = VirtualClock(), TcpServerLine("127.0.0.1", 0, silence_s=600.0)
    changes: list[ScoreChange] = []
    listener = ConsoleListener(line, PROTOCOLS["oes"], sport="ice_hockey", clock=clock, sink=changes.append)
    running = asyncio.create_task(listener.run())

    async def until(holds: Callable[[ConsoleStatus], bool]) -> None:
        async with asyncio.timeout(60):
            while not holds(listener.status()):
                await clock.advance(0.01)
                await asyncio.sleep(0.005)

    async def call() -> asyncio.StreamWriter:
        return (await asyncio.open_connection("127.0.0.1", line.port))[1]

    await until(lambda _: line.port != 0)
    console = await call()
    console.write(frame(0) * 2)
    await until(lambda status: status.home == 0)
    console.close()
    await until(lambda status: not status.heard)
    console = await call()
    console.write(frame(1) * 2)
    await until(lambda status: status.home == 1)
    console.write(frame(2) * 2)
    await until(lambda status: status.home == 2)
    console.close()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running

    assert [(one.kind, one.home, one.away) for one in changes] == [(ScoreKind.GOAL, 2, 0)]
