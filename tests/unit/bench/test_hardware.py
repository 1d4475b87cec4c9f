"""The hardware benchmark: its sums, and that it measures what it says."""

from typing import Any

import pytest

from bench.hardware.decoding import Decoding, _measure
from bench.hardware.gateway import GatewayNeeds
from bench.hardware.link import Crowd, Way
from bench.hardware.report import decoding_lines, link_lines
from hardware.scoreboards.protocols import PROTOCOLS


def needs(**changes: Any) -> GatewayNeeds:
    return GatewayNeeds(
        **{
            "start_s": (0.7, 0.8, 1.1),
            "processor_s": 0.55,
            "floor_s": (0.02, 0.02),
            "resident_mb": 44.0,
            "peak_mb": 46.5,
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [({}, "| 46.5 MB | met |"), ({"peak_mb": 60.1}, "**not met**"), ({"start_s": (0.7, 2.1)}, "**not met**")],
)
def test_a_gateway_meets_both_targets_or_none(changes: dict[str, Any], verdict: str) -> None:
    """The slowest start and the most memory count."""
    assert verdict in needs(**changes).lines()[-1]
    assert needs().lines()[-1].startswith("| 0.80 s | 1.10 s | 0.55 s | 0.020 s | 40× | 44.0 MB |")


def test_figures_follow_from_what_was_measured() -> None:
    """A thousand consoles of 1,920 bytes a second at 2 MB/s fill a core."""
    one = Decoding(
        name="x", data_bytes=600_000, good_frames=10_000, decode_s=0.3, keep_s=0.09, floor_s=0.003, line_bytes_s=1920.0
    )

    assert round(one.megabytes_s, 3) == 2.0
    assert round(one.frame_us, 3) == 30.0
    assert round(one.cores, 3) == 1.5
    assert round(one.cores_full_line or 0, 3) == 0.96
    assert "| x | 2.00 | 30.0 | 100× | 1.50 | 0.96 | **not met** |" in decoding_lines([one])


def test_a_match_is_decoded_whole() -> None:
    """Every cycle of the slowest console gives its frames."""
    one = _measure(PROTOCOLS["cts"], 1)

    assert one.good_frames == 6 * 120
    assert one.decode_s > 0


def test_the_link_is_judged_by_what_was_measured() -> None:
    """An event that was lost, one that came twice, and a path that is too slow at its slowest."""
    way = Way(ours_ms=[1.0] * 98 + [7.0, 7.0], line_ms=[0.2], floor_ms=[0.5] * 100)
    crowd = Crowd(
        devices=2, seconds=30.0, asked=10, published=10, taken=9, twice=1, late_ms=[1.0], refusals={"bad signature": 2},
        alarms=["1 event was not taken"], memory=[(0.0, 50.0), (0.5, 61.0)],
    )  # fmt: skip
    lines = link_lines(way, crowd)

    assert "| last byte → engine, p50 | ≤ 1.5 ms | 1.00 ms | met |" in lines
    assert "| last byte → engine, p99 | ≤ 6 ms | 7.00 ms | **not met** |" in lines
    assert "| p50 over the floor's | ≤ 2.5× | 2.00× | met |" in lines
    assert "| lost | 0 | 1 of 10 | **not met** |" in lines
    assert "| twice | 0 | 1; refused 2 | **not met** |" in lines
    assert "| memory meanwhile | flat | +11.0 MiB after the first quarter | **not met** |" in lines
    assert "The link told: 1 event was not taken" in lines
