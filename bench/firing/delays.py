"""The measurement of audience delays: how long after its instant an otherwise idle engine fires."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from bench.firing import processes
from bench.firing.inputs import detection, status
from bench.firing.scene import Scene, read_posts, spot_cue
from bench.firing.setting import FiringSetting

DELAY_MS = 700
"""After the first audible sample; half a second after the detection that tells of it."""
PAUSE_S = 0.6
SPOTS_A_CUE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """How late an idle engine is.

    Attributes:
        waits: firings and probes that its timer measured.
        p50_ms, p99_ms, max_ms: their lateness, as its snapshot tells.
        claimed_ms: from the instant at which each firing was due to its claim, sorted.
    """

    waits: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    claimed_ms: list[float]


async def measure_delays(folder: Path, setting: FiringSetting) -> Delays:
    """Spots whose cue waits for its audience delay, one after the other; nothing else happens."""
    spots = tuple(f"delayed{number}" for number in range(setting.delays))
    batches = [spots[first : first + SPOTS_A_CUE] for first in range(0, len(spots), SPOTS_A_CUE)]
    cues = tuple(
        spot_cue(f"cue{number}", account="delays", spots=batch, variants=SPOTS_A_CUE, audience_delay_ms=DELAY_MS)
        for number, batch in enumerate(batches)
    )
    scene = Scene(cues=cues, spots=spots)
    async with (
        processes.sandbox(folder / "sandbox", scene.accounts) as server,
        processes.engine(folder / "engine", scene, server) as engine,
    ):
        await asyncio.sleep(1.0)
        for spot in spots:
            await engine.client.report("feed", feed=status())
            await engine.client.report("detection", detection=detection(spot))
            await asyncio.sleep(PAUSE_S)
        await asyncio.sleep(1.0)
        timer = (await engine.client.request("snapshot"))["engine"]["timer"]
    posts = [one for one in read_posts(folder / "engine") if one.claimed_mono_ns is not None]
    if len(posts) != len(spots):
        raise RuntimeError(f"bench: {len(posts)} of {len(spots)} delayed firings were claimed")
    late_ms = [((one.claimed_mono_ns or 0) - (one.on_air_mono_ns or 0)) / 1e6 - DELAY_MS for one in posts]
    return Delays(
        waits=timer["waits"],
        p50_ms=timer["p50_ms"],
        p99_ms=timer["p99_ms"],
        max_ms=timer["max_ms"],
        claimed_ms=sorted(late_ms),
    )
