"""How far a device's clock is from ours, from when its messages say they left and when they came."""

from collections import deque
from typing import Final

LAGS_MAX: Final = 20
"""The newest this many states of a device, ten seconds or more: the one that was quickest on its way tells most of the clock."""
LAGS_MIN: Final = 2
"""The first may have lain at the broker."""
BEHIND_MS_MAX: Final = 1000.0
AHEAD_MS_MAX: Final = 500.0
"""Half of what an event may be ahead (`hardware.messages.FUTURE_S`): said before anything is refused for it."""


class ClockComparison:
    """The newest lags of one device: the clocks' difference and the message's way. The least is nearly the first alone."""

    def __init__(self) -> None:
        self._lags_ns: deque[int] = deque(maxlen=LAGS_MAX)

    def note(self, lag_ns: int) -> None:
        """Take one more: received by our clock less sent by the device's."""
        self._lags_ns.append(lag_ns)

    def forget(self) -> None:
        """Begin anew: the device went, and its clock may be set before it returns."""
        self._lags_ns.clear()

    @property
    def behind_ms(self) -> float | None:
        """How far the device's clock is behind ours, negative when ahead; None before there is enough to say."""
        return min(self._lags_ns) / 1e6 if len(self._lags_ns) >= LAGS_MIN else None

    @property
    def ahead_ns(self) -> int:
        """How far the device's clock is ahead of ours at least, 0 unless shown: every message left before it came."""
        return max(0, -min(self._lags_ns, default=0))

    @property
    def remark(self) -> str:
        """A sentence for people once the clocks differ by too much, or empty."""
        behind_ms = self.behind_ms
        if behind_ms is None or -AHEAD_MS_MAX <= behind_ms <= BEHIND_MS_MAX:
            return ""
        side = "behind" if behind_ms > 0 else "ahead of"
        return f"its clock is {abs(behind_ms) / 1000:.1f} s {side} the engine's: set the clocks, or its events are refused"
