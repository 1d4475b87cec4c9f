"""A stream's clock brought over to this machine's: at which CLOCK_MONOTONIC instant a presentation time comes. Pure.

A clock reference that arrives late says only that the network was slow, so the earliest arrival of the last seconds is the
measure, by which each presentation time is placed. What a viewer's receiver does besides is a constant of its own
(the source's `offset_ms`).
"""

from collections import deque

from hardware.scte35.message import PTS_MODULUS, TICKS_PER_S

WINDOW_NS = 10_000_000_000
"""How long an arrival counts: clocks may differ by 30 ppm, which is 0.3 ms in that time."""
READINGS_MAX = 1024
JUMP_NS = 1_000_000_000
"""A reference that is off by more than this begins a new clock; the standard allows 0.1 s between two."""
STALE_NS = 2_000_000_000
"""Without a reference for so long the clock is not known."""
_PCR_PER_US = 27
_PCR_MODULUS = PTS_MODULUS * 300


class StreamClock:
    """The clock of one programme, as its references arrive."""

    def __init__(self) -> None:
        self._last_pcr: int | None = None
        self._stream_ns = 0
        self._arrived_ns = 0
        self._earliest: deque[tuple[int, int]] = deque()
        """Arrival and lead of arrival over stream, leads rising: the first one is the least."""

    def observe(self, pcr: int, arrived_mono_ns: int, *, jumped: bool = False) -> None:
        """Take a clock reference.

        Args:
            pcr: ticks of 27 MHz.
            jumped: the sender says that its clock began anew.
        """
        passed_ns = 0 if self._last_pcr is None else ((pcr - self._last_pcr) % _PCR_MODULUS) * 1000 // _PCR_PER_US
        really_ns = arrived_mono_ns - self._arrived_ns
        if self._last_pcr is None or jumped or abs(passed_ns - really_ns) > JUMP_NS:
            self._earliest.clear()
            self._stream_ns = 0
        else:
            self._stream_ns += passed_ns
        self._last_pcr, self._arrived_ns = pcr, arrived_mono_ns
        self._note(arrived_mono_ns, arrived_mono_ns - self._stream_ns)

    def instant_of(self, pts: int, now_mono_ns: int) -> int | None:
        """When a presentation time comes, by CLOCK_MONOTONIC; None while the stream's clock is not known.

        Args:
            pts: ticks of 90 kHz; the nearer half of the 33 bits' circle is meant.
        """
        if self._last_pcr is None or now_mono_ns - self._arrived_ns > STALE_NS:
            return None
        ahead = (pts - self._last_pcr // 300 + PTS_MODULUS // 2) % PTS_MODULUS - PTS_MODULUS // 2
        return self._stream_ns + self._earliest[0][1] + ahead * 1_000_000_000 // TICKS_PER_S

    def _note(self, arrived_ns: int, lead_ns: int) -> None:
        while self._earliest and self._earliest[-1][1] >= lead_ns:
            self._earliest.pop()
        self._earliest.append((arrived_ns, lead_ns))
        while self._earliest[0][0] < arrived_ns - WINDOW_NS or len(self._earliest) > READINGS_MAX:
            self._earliest.popleft()
