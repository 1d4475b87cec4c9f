"""Rate headers become limits, and nonsense becomes nothing."""

from datetime import UTC, datetime

import pytest

from sync.outcomes import read_limits
from sync.posting import Limits


def test_all_three_windows_are_read() -> None:
    """The 15 minutes, the user's day and the app's day."""
    limits = read_limits(
        {
            "x-rate-limit-limit": "100",
            "x-rate-limit-remaining": "98",
            "x-rate-limit-reset": "1800000000",
            "x-user-limit-24hour-remaining": "16",
            "x-app-limit-24hour-limit": "10000",
        }
    )
    assert (limits.limit, limits.remaining) == (100, 98)
    assert limits.reset_utc == datetime.fromtimestamp(1_800_000_000, UTC)
    assert (limits.user_day_remaining, limits.app_day_limit, limits.app_day_reset_utc) == (16, 10_000, None)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "abc", "٣", "9" * 40, "999999999999"])
def test_nonsense_is_nothing(text: str) -> None:
    """A header that is no number, or no instant, tells nothing and raises nothing."""
    assert read_limits({"x-rate-limit-reset": text}) == Limits()
