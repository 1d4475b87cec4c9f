"""The benchmark of a gateway measures what it says."""

import pytest

from bench.hardware.gateway import measure_gateway

pytestmark = pytest.mark.system


def test_a_gateway_is_started_and_measured() -> None:
    """Once: it publishes, is more than an interpreter, and its peak is no less than what it keeps."""
    needs = measure_gateway(rounds=1)

    assert len(needs.start_s) == len(needs.floor_s) == 1
    assert needs.start_s[0] > needs.floor_s[0] > 0
    assert needs.start_s[0] > needs.processor_s > 0
    assert 20 < needs.resident_mb <= needs.peak_mb
