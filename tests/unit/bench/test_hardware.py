"""The hardware benchmark: its sums, and that it measures what it says."""

from bench.hardware.decoding import Decoding, _measure
from bench.hardware.run import _report
from hardware.scoreboards.protocols import PROTOCOLS


def test_figures_follow_from_what_was_measured() -> None:
    """A thousand consoles of 1,920 bytes a second at 2 MB/s fill a core."""
    one = Decoding(
        name="x", data_bytes=600_000, good_frames=10_000, decode_s=0.3, keep_s=0.09, floor_s=0.003, line_bytes_s=1920.0
    )

    assert round(one.megabytes_s, 3) == 2.0
    assert round(one.frame_us, 3) == 30.0
    assert round(one.cores, 3) == 1.5
    assert round(one.cores_full_line or 0, 3) == 0.96
    assert "| x | 2.00 | 30.0 | 100× | 1.50 | 0.96 | **not met** |" in _report([one], full=False, took_s=1)


def test_a_match_is_decoded_whole() -> None:
    """Every cycle of the slowest console gives its frames."""
    one = _measure(PROTOCOLS["cts"], 1)

    assert one.good_frames == 6 * 120
    assert one.decode_s > 0
