"""Rounds of chaos: each a house of its own, struck again and again, judged in between and at its end."""

import asyncio
import contextlib
import itertools
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiomqtt

from bench.chaos.blows import FENCED_PATIENCE_S, Blow, Striker, plan
from bench.chaos.house import House, house
from bench.chaos.judge import Judge
from bench.chaos.processes import CLOCK, StuckError, nursery
from bench.chaos.scene import FIXTURES, sandbox_user_ids
from bench.chaos.story import Story
from sync.cues import Cue
from sync.simulation import BrokenGuaranteeError

KILLS_A_ROUND = 100
"""Then the house begins anew: its ledger and timelines have grown, and a round that fails is to be repeated soon."""
KILLS_BETWEEN_LOOKS = 10
CALM_S = 0.3
"""How long all goes well before a look: what is told then must be accounted for."""
REST_PATIENCE_S = 40.0
"""How long it may take until nothing is under way any more."""


@dataclass(slots=True, kw_only=True)
class Round:
    """What became of a round.

    Attributes:
        kills: by what was done.
        missed: steps that were not reached in time (the engine was killed elsewhere), and what else went another way.
        disk: whether a file system could be filled; otherwise only files were limited.
        broken: the guarantee that does not hold and how, empty when all hold.
        folder: where it is played; kept when something is broken.
    """

    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    missed: dict[str, int] = field(default_factory=dict)
    signals: int = 0
    firings: int = 0
    posts: int = 0
    seconds: float = 0.0
    disk: bool = False
    broken: str = ""
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A step of a round, as it is made: the blow struck, or, with None, the round's end."""

    round: Round
    blow: Blow | None


async def run_chaos(
    kills: int,
    seed: int,
    *,
    postgresql: bool = False,
    bug: str = "",
    folder: Path | None = None,
    blows: list[Blow] | None = None,
    rest_patience_s: float | None = None,
) -> AsyncIterator[Told]:
    """Strike so many blows, round after round; stops at the first round that breaks a guarantee.

    Args:
        bug: one of `bench.chaos.bugs.BUGS`, planted in every engine.
        folder: where rounds are played; those that hold are removed.
        blows: these instead of the seed's.
        rest_patience_s: how long a house may take to come to rest; `REST_PATIENCE_S` unless given.

    Raises:
        BenchError: a program is not installed.
    """
    asyncio.get_running_loop().set_exception_handler(_not_of_the_broker)
    async with nursery() as forks:
        for number in range((kills + KILLS_A_ROUND - 1) // KILLS_A_ROUND):
            left = min(kills - number * KILLS_A_ROUND, KILLS_A_ROUND)
            one = Round(seed=seed + number, folder=Path(tempfile.mkdtemp(prefix="cuebird-chaos-", dir=folder)))
            begun_ns = CLOCK.mono_ns()
            try:
                async with house(one.folder, forks, postgresql=postgresql, bug=bug) as built:
                    played = _play(one, built, left, blows, rest_patience_s or REST_PATIENCE_S)
                    async with contextlib.aclosing(played):
                        async for blow in played:
                            yield Told(round=one, blow=blow)
            except BrokenGuaranteeError as guarantee:
                one.broken = str(guarantee)
            except StuckError as stuck:
                one.broken = f"recovery: {stuck}"
            finally:
                if not one.broken:
                    shutil.rmtree(one.folder, ignore_errors=True)
            one.seconds = (CLOCK.mono_ns() - begun_ns) / 1e9
            yield Told(round=one, blow=None)
            if one.broken:
                return


def _not_of_the_broker(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """aiomqtt leaves a future behind when its broker is killed; everything else is reported as ever."""
    if not isinstance(context.get("exception"), aiomqtt.MqttError):
        loop.default_exception_handler(context)


async def _play(
    one: Round, built: House, kills: int, blows: list[Blow] | None, rest_patience_s: float
) -> AsyncGenerator[Blow, None]:
    one.disk = built.room is not None and built.room.mounted
    state_dirs = tuple(built.folder / place.name for place in built.engines)
    story = Story(one.seed, built.scene, mqtt_port=built.broker.port, page_url=built.page_url, state_dirs=state_dirs)
    fenced_patience_s = min(FENCED_PATIENCE_S, rest_patience_s)
    striker, judge = Striker(built, story, one.seed, fenced_patience_s=fenced_patience_s), _judge(built, story)
    planned = iter(blows) if blows is not None else plan(one.seed, postgresql=built.database is not None, full=one.disk)
    telling = asyncio.create_task(story.tell(), name="story")
    story.going.set()
    try:
        for number, blow in enumerate(itertools.islice(planned, kills), start=1):
            await striker.strike(blow)
            one.kills[str(blow)] += 1
            await asyncio.to_thread(judge.look)
            if telling.done():
                telling.result()
            yield blow
            if number % KILLS_BETWEEN_LOOKS == 0:
                await _calm(one, built, story, judge, rest_patience_s)
        await _calm(one, built, story, judge, rest_patience_s)
    finally:
        one.missed, one.signals, one.firings = striker.missed, story.signals, judge.firings
        telling.cancel()
        await asyncio.wait({telling})
        judge.close()


async def _calm(one: Round, built: House, story: Story, judge: Judge, rest_patience_s: float) -> None:
    """Let nothing be disturbed for a while, wait until nothing is under way, and judge everything.

    Raises:
        BrokenGuaranteeError: by the first guarantee that does not hold.
    """
    begun_ns = CLOCK.mono_ns()
    await built.until_firing()
    await story.behave()
    known, story.gentle = len(story.truth.told), True
    while not await asyncio.to_thread(judge.posts_again, story.truth.told[known:]):
        if CLOCK.mono_ns() - begun_ns > rest_patience_s * 1e9:
            await asyncio.to_thread(judge.check)  # what is worse is said first
            raise BrokenGuaranteeError("G2", "an engine that nothing disturbs posts none of the goals it is told of")
        await CLOCK.sleep(0.1)
    story.gentle, story.undisturbed = False, True
    await CLOCK.sleep(CALM_S)
    story.undisturbed = False
    story.going.clear()
    while asked := await asyncio.to_thread(judge.open_questions):
        if CLOCK.mono_ns() - begun_ns > 2 * rest_patience_s * 1e9:
            await asyncio.to_thread(judge.check)
            raise BrokenGuaranteeError("G2", asked[0])
        await CLOCK.sleep(0.1)
    one.posts = await asyncio.to_thread(judge.check)
    story.going.set()


def _judge(built: House, story: Story) -> Judge:
    order = built.order
    return Judge(
        story.truth,
        ledger=order.target,
        audit=order.audit_files,
        sandbox_dir=Path(order.sandbox_dir),
        accounts=sandbox_user_ids(Path(order.sandbox_dir), order.accounts),
        cues_of={fixture: _cues_of(built.scene.cues, fixture) for fixture in FIXTURES},
    )


def _cues_of(cues: tuple[Cue, ...], fixture: str) -> tuple[str, ...]:
    return tuple(cue.cue_id for cue in cues if cue.on.kind == "goal" and cue.on.fixture == fixture)
