"""Stream positions over reconnects and the instants samples arrived."""

import numpy as np
import pytest

from fingerprints.audio import SAMPLE_RATE_HZ, AudioBlock
from fingerprints.positions import ARRIVALS_MAX, Arrivals, Positions

NS_PER_S = 1_000_000_000


def block(first_sample: int, *, seen_s: float, n_samples: int = 320, gap: bool = False) -> AudioBlock:
    return AudioBlock(
        pcm=np.zeros(n_samples, dtype=np.float32), first_sample=first_sample, seen_mono_ns=round(seen_s * NS_PER_S), gap=gap
    )


def test_positions_of_the_first_connection_are_those_of_the_capture() -> None:
    """Nothing is added before the first reconnect."""
    positions = Positions()
    positions.reconnect()

    placed = [positions.place(block(first, seen_s=1 + first / SAMPLE_RATE_HZ)) for first in (0, 320, 640)]

    assert [(part.first_sample, part.gap) for part in placed] == [(0, False), (320, False), (640, False)]


def test_a_reconnect_moves_on_by_the_time_that_passed() -> None:
    """5 s after the last block the first new one of 20 ms ends 5 s further on, and is marked."""
    positions = Positions()
    positions.place(block(0, seen_s=10.0))
    positions.reconnect()

    placed = positions.place(block(0, seen_s=15.0))

    assert (placed.first_sample + 320, placed.gap) == (320 + 5 * SAMPLE_RATE_HZ, True)
    assert positions.place(block(320, seen_s=15.02)).gap is False


def test_a_burst_after_a_reconnect_never_goes_back() -> None:
    """A server that sends old sound at once cannot bring positions back."""
    positions = Positions()
    positions.place(block(0, seen_s=10.0))
    positions.reconnect()

    assert positions.place(block(0, seen_s=10.001)).first_sample > 320


def test_a_sample_arrived_between_its_block_and_the_one_before() -> None:
    """Half of the block's samples are left after its middle one."""
    arrivals = Arrivals()
    arrivals.note(block(0, seen_s=1.00))
    arrivals.note(block(320, seen_s=1.02))

    assert arrivals.mono_ns(480) == round(1.01 * NS_PER_S)
    assert arrivals.mono_ns(640) == round(1.02 * NS_PER_S)


def test_the_samples_of_a_burst_arrived_together() -> None:
    """Ten seconds that came in a millisecond are not reckoned back ten seconds."""
    arrivals = Arrivals()
    for number in range(500):
        arrivals.note(block(320 * number, seen_s=1 + number / 1e6))

    assert arrivals.mono_ns(0) == pytest.approx(1 * NS_PER_S, abs=0.03 * NS_PER_S)
    assert arrivals.mono_ns(320 * 250) == pytest.approx(1 * NS_PER_S, abs=0.001 * NS_PER_S)


def test_a_late_block_did_not_arrive_early() -> None:
    """After a pause of the network a block's samples are at most its own length older than its arrival."""
    arrivals = Arrivals()
    arrivals.note(block(0, seen_s=1.0))
    arrivals.note(block(320, seen_s=3.0))

    assert arrivals.mono_ns(320) == round(2.98 * NS_PER_S)


def test_forgotten_samples_are_reckoned_back() -> None:
    """Memory is bounded; older samples are taken to have come in real time."""
    arrivals = Arrivals()
    for number in range(ARRIVALS_MAX + 100):
        arrivals.note(block(320 * number, seen_s=1 + 0.02 * (number + 1)))

    assert arrivals.mono_ns(0) == 1 * NS_PER_S


def test_a_sample_before_any_block_has_no_instant() -> None:
    """Asking too early is a mistake of the caller, said plainly."""
    with pytest.raises(ValueError, match="nothing has arrived"):
        Arrivals().mono_ns(5)
