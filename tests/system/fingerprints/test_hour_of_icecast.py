"""An hour of programme through a real Icecast, thirty times as fast as it plays, with a restart of the server in its middle."""

import asyncio
import random
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.batch import FeedSetup, LoadedSpots
from fingerprints.events import Detection, FeedState, FeedStatus, FollowEnd
from fingerprints.library import SpotLibrary, read_recording
from fingerprints.listener import Listener
from tests.system.fingerprints.stations import SPOT, Evening, free_port, icecast, running
from timebase import Backoff, SystemClock

pytestmark = pytest.mark.system

Pcm = npt.NDArray[np.float32]

SEED = 7
HOUR_S = 3600.0
LEAD_S = 90.0
"""Without spots: what is sent while the listener connects is not asked for."""
RATE = 30
BACK_S = 20.0
"""After the restart the sender begins so far before what was heard last: the spot that began there must not be heard twice."""
BURST_BYTES = 2 << 20
"""Two minutes of programme: a listener that needs 4 s to come back still gets the mount's first sound."""
QUEUE_BYTES = 64 << 20
NEAR_S = 0.5
PATIENCE_S = 150.0
FRAME_SAMPLES = 16_384
"""Of FLAC: a second. The queue of 400 blocks is then seven minutes of programme, 13 s of a busy machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aired:
    """A spot of the hour and where it begins."""

    spot_id: str
    onset_s: float


def music(rng: np.random.Generator, seconds: float) -> Pcm:
    """Chords that no spot and no other piece of programme has."""
    parts: list[Pcm] = []
    while sum(map(len, parts)) < seconds * SAMPLE_RATE_HZ:
        at = np.arange(int(rng.integers(2_400, 9_000)), dtype=np.float32) / SAMPLE_RATE_HZ
        chord = sum(
            np.sin(2 * np.pi * pitch_hz * at) * np.exp(-at * fall)
            for pitch_hz, fall in rng.uniform((90, 1), (3_000, 12), (10, 2))
        )
        parts.append((0.03 * chord + 0.003 * rng.standard_normal(len(at))).astype(np.float32))
    return np.concatenate(parts)


def hour(library: SpotLibrary) -> tuple[Pcm, list[Aired]]:
    """The programme and the truth about it."""
    chance, rng = random.Random(SEED), np.random.default_rng(SEED)
    sounds = {spot.id: read_recording(spot.path) for spot in library.spots}
    parts, aired = [music(rng, LEAD_S)], list[Aired]()
    samples = len(parts[0])
    while samples < HOUR_S * SAMPLE_RATE_HZ:
        spot = chance.choice(library.spots)
        aired.append(Aired(spot_id=spot.id, onset_s=samples / SAMPLE_RATE_HZ + spot.lead_in_s))
        parts.append(sounds[spot.id])
        if pause_s := chance.choice([0.0, 3.0, 6.0, 12.0]):
            parts.append(music(rng, pause_s))
        samples = sum(map(len, parts))
    return np.concatenate([*parts, music(rng, 20.0)]), aired


def encoded(pcm: Pcm, path: Path) -> Path:
    shape = ["-f", "f32le", "-ar", str(SAMPLE_RATE_HZ), "-ac", "1", "-i", "-", "-c:a", "flac", "-frame_size", str(FRAME_SAMPLES)]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *shape, path], input=pcm.tobytes(), check=True)
    return path


def shift_s(heard: Sequence[Detection], aired: Sequence[Aired]) -> float:
    """How much earlier the feed's positions are than the programme's: the difference most detections agree on."""
    shifts = [one.onset_s - each.onset_s for each in heard for one in aired if one.spot_id in each.spot_ids]
    return max(shifts, key=lambda shift: sum(abs(other - shift) < NEAR_S for other in shifts))


async def test_each_airing_of_an_hour_is_heard_once(tmp_path: Path) -> None:
    """Icecast is killed in the middle of the hour and comes back; nothing is missed, and nothing told twice."""
    spots = LoadedSpots(SPOT.parent)
    pcm, aired = hour(spots.library)
    programme, port, evening, clock = encoded(pcm, tmp_path / "hour.ogg"), free_port(socket.SOCK_STREAM), Evening(), SystemClock()
    url = f"http://127.0.0.1:{port}/live.ogg"

    def sender(from_s: float) -> list[str]:
        reading = ["ffmpeg", "-v", "error", "-nostdin", "-readrate", str(RATE), "-ss", str(from_s), "-i", str(programme)]
        target = f"icecast://source:hackme@127.0.0.1:{port}/live.ogg"
        return [*reading, "-c", "copy", "-content_type", "application/ogg", "-f", "ogg", target]

    def detections() -> list[Detection]:
        return [report for report in evening.reports if isinstance(report, Detection)]

    def is_away() -> bool:
        return evening.state() in (FeedState.ENDED, FeedState.FAILED)

    listener = Listener(
        feed_id="radio",
        url=url,
        make_matcher=lambda: spots.ear(FeedSetup(feed_id="radio", url=url), false_per_feed_year=1.0),
        silence_db=-60.0,
        clock=clock,
        sink=evening.sink,
        backoff=Backoff(first_s=0.1, most_s=0.1, floor_s=0.1),
    )
    listening = asyncio.create_task(listener.run())
    try:
        with icecast(tmp_path, port=port, burst_bytes=BURST_BYTES, queue_bytes=QUEUE_BYTES):
            await evening.until(is_away)  # the spots are loaded, the mount is not there yet
            with running(sender(0.0)):
                await evening.until(lambda: len(detections()) >= len(aired) // 2, patience_s=PATIENCE_S)
        await evening.until(is_away)
        first_half = len(detections())
        resumed_s = evening.position_s() + shift_s(detections(), aired) - BACK_S
        with icecast(tmp_path, port=port, burst_bytes=BURST_BYTES, queue_bytes=QUEUE_BYTES), running(sender(resumed_s)):
            await evening.until(lambda: len(detections()) >= len(aired), patience_s=PATIENCE_S)
            ends = len(evening.reports)
            await evening.until(lambda: any(isinstance(one, FollowEnd) for one in evening.reports[ends:]) or is_away())
            await evening.until(is_away)  # to the end of the hour: nothing more may come
    finally:
        listening.cancel()
        await asyncio.wait([listening])

    statuses = [report for report in evening.reports if isinstance(report, FeedStatus)]
    assert statuses[-1].dropped_blocks == 0
    heard = []
    for part in (detections()[:first_half], detections()[first_half:]):
        shift = shift_s(part, aired)
        heard += [(each.onset_s + shift, each.spot_ids) for each in part]
    assert [onset_s for onset_s, _ in heard] == pytest.approx([one.onset_s for one in aired], abs=NEAR_S)
    assert [one.spot_id in spot_ids for one, (_, spot_ids) in zip(aired, heard, strict=True)] == [True] * len(aired)
