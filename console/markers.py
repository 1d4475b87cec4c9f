"""Where markers and tallies meet the rest: the configuration becomes listeners that report to the engine."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from console.config import Config, MarkerSource
from console.reporting import EngineReporter
from fingerprints.errors import SpotError
from fingerprints.particulars import SUFFIX, read_particulars
from hardware.scte35.automation import SCHEME, AutomationListener
from hardware.scte35.listening import MarkerListener, MarkerSourceSetup
from hardware.tally.listening import TallyAddress, TallyListener, TallySetup
from sync.client import ControlClient
from timebase import SystemClock

log = logging.getLogger(__name__)


async def run_configured_markers(config: Config, *, on_ready: Callable[[], None]) -> None:
    """Listen to every source of markers and every tally, and report to the engine until cancelled, or until files end."""
    clock = SystemClock()
    spots = spots_by_identifier(config.paths.spots_dir)
    async with ControlClient(config.paths.socket_file) as client, asyncio.TaskGroup() as tasks:
        reporter = EngineReporter(client, clock=clock)
        sending = tasks.create_task(reporter.run(), name="report to the engine")
        async with asyncio.TaskGroup() as listeners:
            for source in config.marker_sources:
                kind = AutomationListener if source.url.startswith(f"{SCHEME}:") else MarkerListener
                listener = kind(_setup(source, spots), clock=clock, sink=reporter.take)
                listeners.create_task(listener.run(), name=f"markers of {source.id}")
            for address, setups in _by_address(config).items():
                tally = TallyListener(setups, clock=clock, sink=reporter.take)
                listeners.create_task(tally.run(), name=f"tally of {address.listen}")
            await reporter.reached.wait()
            on_ready()
        await reporter.sent()
        sending.cancel()


def spots_by_identifier(folder: Path) -> dict[str, str]:
    """Spot ids by what their particulars call them, in capital letters; what several spots are called names none."""
    found: dict[str, set[str]] = {}
    for file in sorted(folder.glob(f"*{SUFFIX}")):
        spot_id = file.name.removesuffix(SUFFIX)
        try:
            identifiers = read_particulars(folder, spot_id).identifiers
        except SpotError as error:
            log.warning("markers.spot_unreadable", extra={"reason": str(error)})
            continue
        for identifier in identifiers.values():
            found.setdefault(identifier.upper(), set()).add(spot_id)
    for identifier, spots in found.items():
        if len(spots) > 1:
            log.warning("markers.identifier_twice", extra={"identifier": identifier, "spots": sorted(spots)})
    return {identifier: spots.pop() for identifier, spots in found.items() if len(spots) == 1}


def _by_address(config: Config) -> dict[TallyAddress, list[TallySetup]]:
    """The tallies of each mixer: they share its socket."""
    found: dict[TallyAddress, list[TallySetup]] = {}
    for setup in (tally.setup() for tally in config.tallies):
        found.setdefault(setup.address, []).append(setup)
    return found


def _setup(source: MarkerSource, spots: dict[str, str]) -> MarkerSourceSetup:
    return MarkerSourceSetup(
        source_id=source.id,
        url=source.url,
        program=source.program,
        spots={**spots, **{identifier.upper(): spot_id for identifier, spot_id in source.spots.items()}},
        by_position=source.by_position,
        offset_ms=source.offset_ms,
    )
