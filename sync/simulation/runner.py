"""Playing seeds: one with its story, or thousands on every processor."""

import asyncio
import contextlib
import functools
import gc
import logging
import multiprocessing
import multiprocessing.util
import os
import random
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from sync.simulation.invariants import BrokenGuaranteeError, Invariants
from sync.simulation.plot import Plot
from sync.simulation.storage import Storage
from sync.simulation.story import Story
from sync.simulation.world import World
from timebase import VirtualLoop

YOUNG_OBJECTS = 20_000
"""New objects between two looks of a worker's collector: a story's tasks and records live as long as the story."""
SEEDS_AT_ONCE = 25
"""Seeds a worker takes at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedResult:
    """How a seed ended.

    Attributes:
        broken: the guarantee that does not hold and how, empty when all hold.
        sent: requests that left for X.
        story: what happened, line by line.
    """

    seed: int
    broken: str
    sent: int
    story: tuple[str, ...]


def run_seed(seed: int, storage: Storage, *, steps: int | None = None, tell_engine: bool = False) -> SeedResult:
    """Play a seed to its end, or to the first guarantee that breaks. The same seed and steps give the same story.

    Args:
        steps: how much happens before all is quiet; as much as the seed says, unless given.
        tell_engine: put what the engine logs into the story too.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_play(seed, storage, steps=steps, tell_engine=tell_engine))


def run_seeds(seeds: Iterable[int], *, steps: int | None = None, workers: int | None = None) -> Iterator[SeedResult]:
    """The results of many seeds, as they come, from a process a processor; `steps` is that of `run_seed`."""
    every = list(seeds)
    chunks = [every[start : start + SEEDS_AT_ONCE] for start in range(0, len(every), SEEDS_AT_ONCE)]
    workers = min(workers or os.cpu_count() or 1, max(1, len(chunks)))
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_begin_work) as pool:
        for results in pool.map(functools.partial(_run_chunk, steps), chunks):
            yield from results


async def _play(seed: int, storage: Storage, *, steps: int | None, tell_engine: bool) -> SeedResult:
    random.seed(seed)
    world = World(storage, Plot.of(seed, steps=steps))
    broken = ""
    with _told(world) if tell_engine else contextlib.nullcontext():
        try:
            await Story(world, Invariants(world)).play()
            await world.close()
        except BrokenGuaranteeError as guarantee:
            broken = str(guarantee)
        except (Exception, BaseExceptionGroup) as error:
            # Nothing a world does may make an engine raise.
            broken = f"crash: {_innermost(error)!r}"
        finally:
            with contextlib.suppress(Exception, BaseExceptionGroup):
                await world.close()
    return SeedResult(seed=seed, broken=broken, sent=len(world.x.sent), story=tuple(world.story))


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


# --- in a worker --------------------------------------------------------------------------------

_storages: list[Storage] = []


def _begin_work() -> None:
    # What the engines of a story log is asked for with its seed, not written by the thousand.
    logging.disable(logging.CRITICAL)
    storage = Storage()
    _storages.append(storage)
    multiprocessing.util.Finalize(None, storage.close, exitpriority=10)
    # What is there now stays: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)


def _run_chunk(steps: int | None, seeds: list[int]) -> list[SeedResult]:
    return [run_seed(seed, _storages[0], steps=steps) for seed in seeds]


# --- the engine's voice -------------------------------------------------------------------------


class _StoryHandler(logging.Handler):
    def __init__(self, world: World) -> None:
        super().__init__(logging.INFO)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        facts = {key: value for key, value in vars(record).items() if key not in _PLAIN}
        self._world.say(f"    {record.name} {record.getMessage()} {_shown(facts)}")


_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "taskName"}


def _shown(facts: dict[str, Any]) -> str:
    wanted = ("occurrence_id", "cue_id", "firing_id", "state", "guard", "reason", "text", "error")
    return " ".join(f"{name}={facts[name]}" for name in wanted if facts.get(name))


@contextlib.contextmanager
def _told(world: World) -> Iterator[None]:
    handler, loggers = _StoryHandler(world), [logging.getLogger(name) for name in ("sync", "hardware")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
