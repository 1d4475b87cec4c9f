"""What a console shows, as the encoders and the simulator see it."""

from collections.abc import Callable
from dataclasses import dataclass

from hardware.events import Timeout


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One state of a scoreboard to be put into a frame.

    Attributes:
        home, away: points, 0-199 (some consoles show two digits: 0-99).
        clock_tenths: the game clock in tenths of a second, 0 to 99:59.9. Below one minute consoles show `ss.t`.
        period: one character, empty for blank.
        running: whether the game clock runs.
        horn: whether the horn sounds.
        timeout: whose time-out is on.
    """

    home: int = 0
    away: int = 0
    clock_tenths: int = 0
    period: str = ""
    running: bool = False
    horn: bool = False
    timeout: Timeout = Timeout.NONE

    def __post_init__(self) -> None:
        if not (0 <= self.home <= 199 and 0 <= self.away <= 199):
            raise ValueError(f"score {self.home}-{self.away}: each side shows 0 to 199 points")
        if not 0 <= self.clock_tenths < 60_000:
            raise ValueError(f"clock {self.clock_tenths} tenths: a board shows 0 to 59,999")
        if len(self.period) > 1 or not (self.period.isascii() and (self.period.isalnum() or not self.period)):
            raise ValueError(f"period {self.period!r}: one letter or digit, or empty")

    @property
    def shows_tenths(self) -> bool:
        """Whether the clock is in its last minute."""
        return self.clock_tenths < 600

    @property
    def clock_digits(self) -> str:
        """Four characters: `mmss`, or `sst` and a space; unlit leading digits are spaces."""
        if self.shows_tenths:
            return f"{self.clock_tenths // 10:2d}{self.clock_tenths % 10} "
        seconds = self.clock_tenths // 10
        return f"{seconds // 60:2d}{seconds % 60:02d}"

    @property
    def clock_text(self) -> str:
        """The same clock as a decoder must read it: `mm:ss` or `ss.t`."""
        if self.shows_tenths:
            return f"{self.clock_tenths // 10:02d}.{self.clock_tenths % 10}"
        return self.clock_minutes

    @property
    def clock_minutes(self) -> str:
        """The clock of a console without tenths: `mm:ss`."""
        seconds = self.clock_tenths // 10
        return f"{seconds // 60:02d}:{seconds % 60:02d}"

    def two_digits(self, console: str) -> None:
        """Make sure that a console with two digits a side can show the score.

        Raises:
            ValueError: it cannot.
        """
        if self.home > 99 or self.away > 99:
            raise ValueError(f"score {self.home}-{self.away}: {console} shows two digits a side")

    def digit_period(self, console: str) -> None:
        """Make sure that a console whose period is a digit can show it.

        Raises:
            ValueError: it cannot.
        """
        if self.period and not self.period.isdigit():
            raise ValueError(f"period {self.period!r}: {console} shows a digit")


Encoder = Callable[[Board], list[bytes]]
"""Gives the frames of one cycle of a console that shows a board; some remember what they sent before.

Raises ValueError for a board that the console cannot show.
"""
