"""A scripted match, and the console that plays it."""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hardware.errors import ConsoleLostError, ScriptError
from hardware.events import ScoreKind, Timeout
from hardware.lines import Chunk, SerialLine, parse_line
from hardware.match import Action, Match, parse_match, random_match
from hardware.scoreboards.board import Board
from hardware.scoreboards.protocols import PROTOCOLS
from hardware.scoring import ScoreChange, ScoreKeeper, Seen
from hardware.simulator import damaged_frame, play, pty_line, tcp_line
from hardware.sports import COUNTING_UP, STEPS
from timebase import SystemClock, VirtualClock

EXAMPLE = Path(__file__).parents[3] / "examples" / "match.toml"
SCRIPT = """
[board]
clock = "01:00"
running = true
[[step]]
at_s = 0.5
do = "home_goal"
[[step]]
at_s = 1.0
do = "clock_stop"
[[step]]
at_s = 2.0
do = "period"
period = "2"
"""


class Recorded:
    """A line that keeps what was sent on it."""

    address = "nowhere"

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.drops = 0

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def drop(self) -> None:
        self.drops += 1


async def recorded(match: Match, protocol: str, *, seconds: float, sport: str | None = None, speed: float = 1.0) -> Recorded:
    line, clock = Recorded(), VirtualClock()
    playing = asyncio.create_task(play(PROTOCOLS[protocol], match, line, clock=clock, sport=sport, speed=speed))
    await clock.advance(seconds)
    playing.cancel()
    await asyncio.wait({playing})
    return line


def test_a_script_tells_the_board_at_every_moment() -> None:
    """Goals, the running clock, its stop and the period, each from its second on."""
    match = parse_match(SCRIPT, name="test")

    assert (match.board(0.4).home, match.board(0.5).home) == (0, 1)
    assert [match.board(at_s).clock_text for at_s in (0, 0.5, 1.0, 9.0)] == ["01:00", "59.5", "59.0", "59.0"]
    assert (match.board(1.9).period, match.board(2.0).period) == ("1", "2")
    assert match.length_s == 2.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[step", "m.toml: not TOML"),
        ('[[step]]\nat_s = 1.0\ndo = "home_gaol"', "m.toml: step.0.do = 'home_gaol'"),
        ("[[step]]\nat_s = -1.0\ndo = 'junk'", "step.0.at_s = -1.0"),
        ("[board]\nclok = '1'", "board.clok"),
        ('[[step]]\nat_s = 1.0\ndo = "period"', "goes with do"),
        ('[[step]]\nat_s = 1.0\ndo = "home_correction"', "m.toml: match script: home_correction at 1 s: score -1-0"),
    ],
)
def test_a_script_that_cannot_be_played_is_named(text: str, message: str) -> None:
    """File, place and value, before anything is played."""
    with pytest.raises(ScriptError) as caught:
        parse_match(text, name="m.toml")
    assert message in str(caught.value)


@pytest.mark.parametrize("protocol", sorted(PROTOCOLS))
async def test_the_example_match_is_played_as_the_demonstration_expects(protocol: str) -> None:
    """1-0, 1-1, 2-1, taken back to 1-1, 2-1 again, each at its second, through junk, damage and a dropped connection."""
    match = parse_match(EXAMPLE.read_text(), name="match.toml")
    line = await recorded(match, protocol, seconds=115)
    changes = changes_of(protocol, line)

    assert [(one.kind.value, one.home, one.away) for one in changes if one.kind in (ScoreKind.GOAL, ScoreKind.CORRECTION)] == [
        ("goal", 1, 0),
        ("goal", 1, 1),
        ("goal", 2, 1),
        ("correction", 1, 1),
        ("goal", 2, 1),
    ]
    if protocol not in CLOCK_STATE_UNTOLD:
        assert [one.kind.value for one in changes if one.side is None] == ["stop", "restart"]
    assert line.drops == 1


CLOCK_STATE_UNTOLD = frozenset({"cts", "mp70", "favero"})


def changes_of(protocol: str, line: Recorded) -> list[ScoreChange]:
    """What a keeper makes of everything on a line, every cycle a tenth of a second after the last; no alarm may come of it."""
    spoken = PROTOCOLS[protocol]
    decoder, keeper = spoken.decoder(), ScoreKeeper(sport=spoken.sports[0])
    changes: list[ScoreChange] = []
    for at, data in enumerate(line.sent):
        for reading in decoder.feed(data):
            for outcome in keeper.observe(Seen(reading=reading, mono_ns=at * 10**7, utc_ns=at)):
                assert isinstance(outcome, ScoreChange)
                changes.append(outcome)
    return changes


@pytest.mark.parametrize("sport", sorted(STEPS))
def test_a_made_up_match_is_whole_and_repeats(sport: str) -> None:
    """The same seed gives the same match; it can be shown from its first to its last step, and much happens."""
    match = random_match(sport=sport, seed=7, length_s=1800)

    assert match == random_match(sport=sport, seed=7, length_s=1800)
    assert match != random_match(sport=sport, seed=8, length_s=1800)
    kinds = {step.action for step in match.steps}
    assert {Action.HOME_GOAL, Action.AWAY_GOAL, Action.CLOCK_STOP, Action.CLOCK_START, Action.DAMAGED_FRAME} <= kinds
    assert match.counts_up == (sport in COUNTING_UP)


def test_a_script_may_count_up_and_blow_the_horn() -> None:
    """Football's clock, the horn at its end, and a time-out that stops the clock."""
    match = parse_match(
        """
        [board]
        clock = "44:59"
        running = true
        counts_up = true
        [[step]]
        at_s = 2.0
        do = "horn"
        [[step]]
        at_s = 3.0
        do = "home_timeout"
        """,
        name="test",
    )

    assert [match.board(at_s).clock_text for at_s in (0, 2, 3, 9)] == ["44:59", "45:01", "45:02", "45:02"]
    assert [(match.board(at_s).horn, match.board(at_s).timeout) for at_s in (1, 2, 3)] == [
        (False, Timeout.NONE), (True, Timeout.NONE), (True, Timeout.HOME)
    ]  # fmt: skip


async def test_basketball_has_frames_of_its_own() -> None:
    """Three types in turn, ten cycles a second."""
    line = await recorded(Match(start=Board(home=101), steps=()), "stramatel", seconds=0.25, sport="basketball")

    assert [frame[1:2] for frame in line.sent] == [b"7", b"3", b"8"] * 3


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_one_damaged_frame_makes_no_event(name: str) -> None:
    """Whatever byte of whatever frame is hit: it is seen, or says nothing, or is not believed at one sight."""
    protocol = PROTOCOLS[name]
    sport = protocol.sports[0]
    board = Board(home=1, away=2, clock_tenths=6000, period="1")
    for seed in range(100):
        rng, encode = random.Random(seed), protocol.encoder(sport)
        decoder, keeper = protocol.decoder(), ScoreKeeper(sport=sport)
        for at in range(6):
            frames = protocol.encoder(sport)(board) if at < 3 else encode(board)
            if at == 3:
                frames = [damaged_frame(frame, rng) for frame in frames]
            for reading in decoder.feed(b"".join(frames)):
                assert keeper.observe(Seen(reading=reading, mono_ns=at * 10**8, utc_ns=at)) == [], seed


async def test_a_faster_console_sends_the_same_bytes() -> None:
    """A hundred times faster, frames and all: only the instants differ."""
    match = parse_match(SCRIPT, name="script")
    earnest, faster = await recorded(match, "oes", seconds=3.0), await recorded(match, "oes", seconds=0.03, speed=100.0)

    assert faster.sent == earnest.sent
    assert len(faster.sent) == 31


async def test_every_tcp_client_gets_every_byte_until_it_is_dropped() -> None:
    """Two gateways may read one console; a dropped connection ends their reading."""
    async with tcp_line("127.0.0.1", 0) as line:
        readings = [parse_line(line.address, PROTOCOLS["oes"]).chunks(SystemClock()) for _ in range(2)]
        firsts = [asyncio.ensure_future(anext(reading)) for reading in readings]
        async with asyncio.timeout(10):
            while not all(first.done() for first in firsts):
                line.send(b"frame")
                await asyncio.sleep(0.01)
            line.drop()
            for first, reading in zip(firsts, readings, strict=True):
                assert (await first).data.startswith(b"frame")
                with pytest.raises(ConsoleLostError, match=r"lost|closed"):
                    await _to_the_end(reading)


async def _to_the_end(reading: AsyncIterator[Chunk]) -> None:
    async for chunk in reading:
        assert b"frame" in chunk.data


async def test_a_pty_reads_like_a_serial_port() -> None:
    """Bytes pass unchanged, line ends and control characters included, and what nobody read is not waited for."""
    protocol = PROTOCOLS["oes"]
    async with pty_line(protocol) as line:
        for _ in range(5000):
            line.send(b"old bytes that a cable would have lost")
        chunks = SerialLine(line.address, speed=protocol.baud, silence_s=3.0).chunks(SystemClock())
        reading = asyncio.ensure_future(anext(chunks))
        data = bytes(range(256))
        while not reading.done():
            line.send(data)
            await asyncio.sleep(0.01)
        assert data in (await reading).data * 2
        await chunks.aclose()


async def test_a_console_that_is_not_there_is_named() -> None:
    """A closed port, a missing path and a file that is no port."""
    async with tcp_line("127.0.0.1", 0) as line:
        closed = line.address
    for source, message in (
        (parse_line(closed, PROTOCOLS["oes"]), "not reachable"),
        (parse_line("/dev/no-such-port", PROTOCOLS["oes"]), "/dev/no-such-port: cannot be opened"),
        (parse_line(os.devnull, PROTOCOLS["oes"]), "/dev/null: not a serial port"),
    ):
        with pytest.raises(ConsoleLostError, match=message):
            await anext(source.chunks(SystemClock()))
