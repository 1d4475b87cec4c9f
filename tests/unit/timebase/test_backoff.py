"""Back-off waits."""

import random

import pytest

from timebase import Backoff


def test_ceiling_doubles_up_to_the_most() -> None:
    """Over many tries the longest waits approach the stated maximum and never pass it."""
    backoff = Backoff(first_s=1.0, most_s=8.0, rng=random.Random(1))
    waits = [backoff.next_s() for _ in range(200)]

    assert max(waits[:1]) <= 1.0
    assert max(waits[1:2]) <= 2.0
    assert 7.0 < max(waits) <= 8.0


def test_floor_keeps_waits_from_vanishing() -> None:
    """No wait is shorter than the floor."""
    backoff = Backoff(first_s=0.5, most_s=4.0, floor_s=0.2, rng=random.Random(2))

    assert min(backoff.next_s() for _ in range(500)) >= 0.2


def test_reset_begins_again() -> None:
    """After a success the next wait is short again."""
    backoff = Backoff(first_s=0.1, most_s=60.0, rng=random.Random(3))
    for _ in range(20):
        backoff.next_s()
    backoff.reset()

    assert backoff.next_s() <= 0.1


def test_impossible_limits_are_named() -> None:
    """Limits that do not rise are refused with their values."""
    with pytest.raises(ValueError, match=r"floor 2 s, first 1 s, most 9 s"):
        Backoff(first_s=1, most_s=9, floor_s=2)
