"""Where the parts meet: the configuration becomes an engine, or a listener."""

import asyncio
from collections.abc import Callable

from console.config import Config, ConfigError
from console.reporting import EngineReporter
from sync.client import ControlClient
from timebase import SystemClock

ENGINE_SOCKET = "engine.sock"


async def run_configured_listener(config: Config, feed_id: str, *, on_ready: Callable[[], None]) -> None:
    """Listen to one feed and report to the engine until cancelled, or until a file ends.

    Raises:
        ConfigError: there is no such feed.
        FingerprintsError: there is no usable spot.
    """
    from fingerprints.listener import run_listener

    feed = next((one for one in config.feeds if one.id == feed_id), None)
    if feed is None:
        known = ", ".join(one.id for one in config.feeds) or "none"
        raise ConfigError(f"feed {feed_id}: not in the configuration; it has {known}")
    clock = SystemClock()
    async with ControlClient(config.paths.state_dir / ENGINE_SOCKET) as client, asyncio.TaskGroup() as tasks:
        reporter = EngineReporter(client, clock=clock)
        sending = tasks.create_task(reporter.run(), name="report to the engine")
        ready = tasks.create_task(_when_reached(reporter, on_ready), name="first report")
        await run_listener(
            feed_id=feed.id,
            url=feed.url,
            library_folder=config.paths.spots_dir,
            false_per_feed_year=config.listening.false_per_feed_year,
            silence_db=config.listening.silence_db,
            clock=clock,
            sink=reporter.take,
        )
        ready.cancel()
        sending.cancel()


async def _when_reached(reporter: EngineReporter, on_ready: Callable[[], None]) -> None:
    await reporter.reached.wait()
    on_ready()
