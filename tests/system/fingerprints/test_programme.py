"""The example programme and its beginning again, through a broadcast codec: every airing is heard, and nothing else."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from fingerprints.broadcast import RATE_HZ, encode
from fingerprints.events import Detection, FollowEnd
from fingerprints.listener import Report, run_listener
from timebase import SystemClock

pytestmark = pytest.mark.system

MEDIA = Path(__file__).parents[3] / "examples" / "media"
TRUTH: dict[str, Any] = json.loads((MEDIA / "programme.json").read_text(encoding="utf-8"))
HEARD_S = TRUTH["length_s"] + 18.0
"""Over the seam of the loop, to the end of the first airing."""
CUT_DOWNS = ("kaffee-20", "kaffee-30")


async def test_every_airing_is_heard_once_and_followed_to_its_end(tmp_path: Path) -> None:
    """Onsets within 50 ms of the truth (AAC delays by 21), cut-downs by group and told apart at the end, the cut one cut."""
    chunks = encode(MEDIA / "programme.opus", codec="aac", bit_rate=64_000, loop=True)
    on_air = itertools.takewhile(lambda chunk: chunk.until_sample <= HEARD_S * RATE_HZ, chunks)
    stream, reports = tmp_path / "evening.aac", list[Report]()
    stream.write_bytes(b"".join(chunk.data for chunk in on_air))

    async def sink(report: Report) -> None:
        reports.append(report)

    await run_listener(
        feed_id="nord-main",
        url=str(stream),
        library_folder=MEDIA / "spots",
        false_per_feed_year=1.0,
        silence_db=-60.0,
        clock=SystemClock(),
        sink=sink,
    )

    airings = TRUTH["airings"]
    expected = [*((0.0, airing) for airing in airings), (TRUTH["length_s"], airings[0])]
    detections = [report for report in reports if isinstance(report, Detection)]
    ends = {report.onset_s: report for report in reports if isinstance(report, FollowEnd)}
    assert len(detections) == len(ends) == len(expected)
    for detection, (begin_s, airing) in zip(detections, expected, strict=True):
        spot, end = airing["spot"], ends[detection.onset_s]
        assert detection.spot_ids == (CUT_DOWNS if spot in CUT_DOWNS else (spot,))
        assert detection.onset_s == pytest.approx(begin_s + airing["onset_s"], abs=0.05)
        assert detection.onset_s < detection.decided_s < detection.onset_s + 1.0
        assert end.spot_id == spot
        assert end.end_s == pytest.approx(begin_s + airing["end_s"], abs=0.3)
        assert (end.coverage > 0.95) is airing["complete"]
