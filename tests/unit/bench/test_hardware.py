"""The hardware benchmark: its sums, and that it measures what it says."""

from typing import Any

import pytest

from bench.hardware.decoding import Decoding, _measure
from bench.hardware.gateway import GatewayNeeds
from bench.hardware.run import _report
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
    assert verdict in _report([], needs(**changes), full=False, took_s=1)
    assert "| 0.80 s | 1.10 s | 0.55 s | 0.020 s | 40× | 44.0 MB |" in _report([], needs(), full=False, took_s=1)


def test_figures_follow_from_what_was_measured() -> None:
    """A thousand consoles of 1,920 bytes a second at 2 MB/s fill a core."""
    one = Decoding(
        name="x", data_bytes=600_000, good_frames=10_000, decode_s=0.3, keep_s=0.09, floor_s=0.003, line_bytes_s=1920.0
    )

    assert round(one.megabytes_s, 3) == 2.0
    assert round(one.frame_us, 3) == 30.0
    assert round(one.cores, 3) == 1.5
    assert round(one.cores_full_line or 0, 3) == 0.96
    assert "| x | 2.00 | 30.0 | 100× | 1.50 | 0.96 | **not met** |" in _report([one], needs(), full=False, took_s=1)


def test_a_match_is_decoded_whole() -> None:
    """Every cycle of the slowest console gives its frames."""
    one = _measure(PROTOCOLS["cts"], 1)

    assert one.good_frames == 6 * 120
    assert one.decode_s > 0
