"""Listening to a console: open its line, decode, keep the score, open it again, and say all the time how it is."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass

from hardware.errors import ConsoleLostError
from hardware.events import Reading
from hardware.lines import ConsoleLine, Recorder
from hardware.scoreboards.decoding import Decoder
from hardware.scoreboards.protocols import ScoreboardProtocol
from hardware.scoring import NS_PER_S, ScoreChange, ScoreKeeper, Seen
from timebase import Backoff, Clock

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleStatus:
    """How a console is.

    Attributes:
        heard: whether a sound frame came within the line's patience.
        home, away, period: as believed, None and empty while unknown.
        last: the newest sound reading.
        detail: a sentence for people, or empty.
        good_frames, bad_frames: since the gateway started.
        connections, refused, received_bytes: as in `LineCounters`.
        frame_mono_ns: when the newest sound frame came, None before the first.
    """

    heard: bool
    home: int | None
    away: int | None
    period: str
    last: Reading | None
    detail: str
    good_frames: int
    bad_frames: int
    connections: int
    refused: int
    received_bytes: int
    frame_mono_ns: int | None


class ConsoleListener:
    """Follows one console until cancelled, or until a recording ends."""

    def __init__(
        self,
        line: ConsoleLine,
        protocol: ScoreboardProtocol,
        *,
        sport: str,
        clock: Clock,
        sink: Callable[[ScoreChange], None],
        recorder: Recorder | None = None,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            sink: told of every change, at once; never waits.
            recorder: keeps what comes; the caller closes it.

        Raises:
            SettingError: the sport is not known.
        """
        self._line, self._protocol, self._clock, self._sink = line, protocol, clock, sink
        self._recorder = recorder
        self._keeper = ScoreKeeper(sport=sport, silence_s=line.silence_s)
        self._backoff = Backoff(first_s=0.25, most_s=5.0, floor_s=0.05)
        self._last: Reading | None = None
        self._good_frames = self._bad_frames = 0
        self._heard_mono_ns: int | None = None
        self._frame_mono_ns: int | None = None
        self._bytes_mono_ns: int | None = None
        self._trouble, self._remark = line.idle, ""
        self.ended = asyncio.Event()
        """Set once a recording is at its end."""

    async def run(self) -> None:
        """Listen."""
        try:
            while not self.ended.is_set():
                # What the new connection first shows may have happened while nobody looked: a baseline, no goal.
                self._keeper.forget()
                try:
                    # A new decoder: half a frame from before must not meet half a frame from now.
                    await self._follow(self._protocol.decoder())
                except ConsoleLostError as lost:
                    self._note_lost(str(lost))
                    await self._clock.sleep(self._backoff.next_s())
        finally:
            self._line.close()

    def status(self) -> ConsoleStatus:
        """How the console is now."""
        heard, keeper, counters = self._heard(), self._keeper, self._line.counters
        words = [self._line.remark, self._remark if heard else self._stalled()]
        return ConsoleStatus(
            heard=heard,
            home=keeper.home,
            away=keeper.away,
            period=keeper.period,
            last=self._last,
            detail="; ".join(word for word in words if word),
            good_frames=self._good_frames,
            bad_frames=self._bad_frames,
            connections=counters.connections,
            refused=counters.refused,
            received_bytes=counters.received_bytes,
            frame_mono_ns=self._frame_mono_ns,
        )

    def _heard(self) -> bool:
        return self._recent(self._heard_mono_ns)

    def _recent(self, mono_ns: int | None) -> bool:
        return mono_ns is not None and self._clock.mono_ns() - mono_ns <= self._line.silence_s * NS_PER_S

    def _stalled(self) -> str:
        """Why the console is not heard."""
        if self._trouble and not self._recent(self._bytes_mono_ns):
            return self._trouble
        if self._recent(self._bytes_mono_ns):
            return f"{self._line}: bytes come but no sound frame; is it {self._protocol.name}, at this speed and parity?"
        return f"{self._line}: nothing for more than {self._line.silence_s:g} s"

    async def _follow(self, decoder: Decoder) -> None:
        good_before, bad_before = self._good_frames, self._bad_frames
        async with contextlib.aclosing(self._line.chunks(self._clock)) as chunks:
            async for chunk in chunks:
                self._bytes_mono_ns, self._trouble = chunk.mono_ns, ""
                if self._recorder is not None:
                    self._recorder.keep(chunk)
                readings = decoder.feed(chunk.data)
                self._good_frames, self._bad_frames = good_before + decoder.good_frames, bad_before + decoder.bad_frames
                for reading in readings:
                    self._take(Seen(reading=reading, mono_ns=chunk.mono_ns, utc_ns=chunk.utc_ns))
        self._heard_mono_ns = self._bytes_mono_ns = None
        self._trouble = f"{self._line}: at its end"
        self.ended.set()

    def _note_lost(self, reason: str) -> None:
        if self._heard() or self._trouble != reason:
            log.warning("gateway.console_lost", extra={"source": str(self._line), "error": reason})
        self._heard_mono_ns = self._bytes_mono_ns = None
        self._trouble = reason

    def _take(self, seen: Seen) -> None:
        if not seen.reading.valid:
            return
        if not self._heard():
            log.info("gateway.console_heard", extra={"source": str(self._line)})
            self._remark = ""
            self._backoff.reset()
        self._last, self._heard_mono_ns = seen.reading, seen.mono_ns
        self._frame_mono_ns = seen.mono_ns
        for outcome in self._keeper.observe(seen):
            if isinstance(outcome, ScoreChange):
                self._remark = ""
                self._sink(outcome)
            else:
                self._remark = outcome.reason
                log.warning("gateway.rebaselined", extra={"reason": outcome.reason, "source": str(self._line)})
