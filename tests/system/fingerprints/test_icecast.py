"""A listener fed by a real Icecast that is restarted while it plays."""

import asyncio
import socket
from pathlib import Path

import pytest

from fingerprints.batch import FeedSetup, run_listeners
from fingerprints.events import FeedState, FeedStatus, FollowEnd
from tests.system.fingerprints.stations import PROGRAMME, SPOT, Evening, free_port, icecast, running
from timebase import SystemClock

pytestmark = pytest.mark.system


async def test_each_airing_is_heard_once_though_icecast_restarts(tmp_path: Path) -> None:
    """Five times as fast as real time, from a server that repeats its last seconds to whoever comes back."""
    evening = Evening()
    port = free_port(socket.SOCK_STREAM)
    encoder = ["-c:a", "libmp3lame", "-b:a", "128k", "-content_type", "audio/mpeg", "-f", "mp3"]

    def source(from_s: float, to_s: float) -> list[str]:
        reading = [
            "ffmpeg",
            "-v",
            "error",
            "-nostdin",
            "-readrate",
            "5",
            "-ss",
            str(from_s),
            "-to",
            str(to_s),
            "-i",
            str(PROGRAMME),
        ]
        return [*reading, *encoder, f"icecast://source:hackme@127.0.0.1:{port}/live.mp3"]

    feed = FeedSetup(feed_id="radio", url=f"http://127.0.0.1:{port}/live.mp3")
    listening = asyncio.create_task(
        run_listeners(
            [feed], library_folder=SPOT.parent, false_per_feed_year=1.0, silence_db=-60.0, clock=SystemClock(), sink=evening.sink
        )
    )
    try:
        with icecast(tmp_path, port=port, burst_bytes=65_536):
            await evening.until(lambda: evening.state() is FeedState.FAILED)  # the spots are loaded, the mount is not there yet
            with running(source(5.0, 60.0)):
                await evening.until(lambda: len(evening.heard()) == 2)
                await evening.until(lambda: sum(isinstance(report, FollowEnd) for report in evening.reports) == 2)
        await evening.until(lambda: evening.state() in (FeedState.ENDED, FeedState.FAILED))
        with icecast(tmp_path, port=port, burst_bytes=65_536), running(source(49.0, 75.0)):
            await evening.until(lambda: len(evening.heard()) == 3)
            await evening.until(lambda: sum(isinstance(report, FollowEnd) for report in evening.reports) == 3)
    finally:
        listening.cancel()
        await asyncio.wait([listening])

    assert evening.heard() == ["brus-10", "kaffee-20", "sparring-15"]
    statuses = [report for report in evening.reports if isinstance(report, FeedStatus)]
    assert statuses[-1].gaps >= 1
    assert statuses[-1].dropped_blocks == 0
    assert max(status.delay_ms for status in statuses) > 0
