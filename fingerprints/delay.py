"""Two feeds listened to at once, and how far one lags behind the other, measured again and again."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from fingerprints.alignment import RANGE_S, WINDOW_S, BitsTape, Playout, align
from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.capture import CaptureError, Transport, masked
from fingerprints.features import FeatureStream
from fingerprints.intake import open_intake
from fingerprints.positions import Positions
from fingerprints.sources import Channel, parse_source
from timebase import Backoff, Clock

EVERY_S: Final = 1.0
STEADY_S: Final = 0.02
STEADY_TIMES: Final = 3
"""So many measurements in a row must agree: one spot that airs on both of two unrelated channels does not make them one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """What is known of the delay between two feeds at an instant.

    Attributes:
        delay_ms: how much later the same sound comes on feed B than on feed A; None when that cannot be said.
        confidence: 0 to 1.
        correlation: of the two feeds' bits at that delay.
        detail: why there is no delay to tell; empty when there is.
    """

    feed_a: str
    feed_b: str
    delay_ms: float | None
    confidence: float
    correlation: float
    detail: str
    utc: datetime


class FeedTape:
    """One feed's newest bits and arrivals, kept up by a task."""

    def __init__(self, url: str, *, clock: Clock, range_s: float = RANGE_S, channel: Channel = "mix") -> None:
        self.url, self._clock, self._channel = url, clock, channel
        self.is_file = parse_source(url).transport is Transport.FILE
        self.tape = BitsTape(length_s=range_s + WINDOW_S)
        self.playout = Playout(bursts=False)
        self.trouble = "connecting"
        self.ended = False
        self.position_s = 0.0
        self._features, self._positions, self._origin_sample = FeatureStream(), Positions(), 0

    @property
    def tape_origin_s(self) -> float:
        """Stream position of the tape's frame 0, seconds."""
        return self._origin_sample / SAMPLE_RATE_HZ

    async def run(self) -> None:
        """Listen until cancelled, or until a file ends.

        Raises:
            CaptureError: the source never can be read.
        """
        backoff = Backoff(first_s=0.5, most_s=5.0, floor_s=0.25)
        while True:
            try:
                await self._connection(backoff)
                self.trouble = "the stream has ended"
            except CaptureError as error:
                self.trouble = str(error)
                if self.is_file or error.permanent:
                    raise
            if self.is_file:
                self.ended, self.trouble = True, ""
                return
            await self._clock.sleep(backoff.next_s())

    async def _connection(self, backoff: Backoff) -> None:
        self._positions.reconnect()
        name = f"capture {masked(self.url)}"
        intake = open_intake(self.url, clock=self._clock, name=name, channel=self._channel)
        self.playout = Playout(bursts=intake.segmented)
        try:
            while True:
                batch = await intake.take()
                for block in batch.blocks:
                    placed = self._positions.place(block)
                    if placed.gap:
                        self._features, self._origin_sample = FeatureStream(), placed.first_sample
                        self.tape.restart(0)
                    self.trouble = ""
                    seen = placed.seen_mono_ns
                    self.playout.note(first_sample=placed.first_sample, n_samples=len(placed.pcm), seen_mono_ns=seen)
                    self.tape.add(self._features.feed(placed.pcm))
                    self.position_s = (placed.first_sample + len(placed.pcm)) / SAMPLE_RATE_HZ
                if batch.blocks:
                    backoff.reset()
                if batch.over:
                    return
        finally:
            intake.close()


async def measure_delay(
    url_a: str,
    url_b: str,
    *,
    clock: Clock,
    tell: Callable[[Delay], Awaitable[None]],
    range_s: float = RANGE_S,
    channels: tuple[Channel, Channel] = ("mix", "mix"),
) -> None:
    """Tell the delay between two feeds once a second; return when both were files and have been read.

    Between streams it is the time between the instants the same sound can be heard here. Between files, which have none, it
    is the difference of their positions.

    Raises:
        CaptureError: a source never can be read.
    """
    a = FeedTape(url_a, clock=clock, range_s=range_s, channel=channels[0])
    b = FeedTape(url_b, clock=clock, range_s=range_s, channel=channels[1])
    meter = DelayMeter(a, b, clock=clock)
    async with asyncio.TaskGroup() as tasks:
        feeds = [tasks.create_task(one.run(), name=f"delay {masked(one.url)}") for one in (a, b)]
        while not all(feed.done() for feed in feeds):
            await clock.sleep(EVERY_S)
            await tell(await asyncio.to_thread(meter.measure))
        if a.is_file and b.is_file:
            await tell(meter.measure())


class DelayMeter:
    """Turns two tapes into a delay, and says so only when several measurements agree."""

    def __init__(self, a: FeedTape, b: FeedTape, *, clock: Clock) -> None:
        self._a, self._b, self._clock = a, b, clock
        self._last_s: list[float] = []

    def measure(self) -> Delay:
        """The delay now."""
        a, b = self._a, self._b
        found = align(a.tape, b.tape)
        trouble = next((f"{masked(one.url)}: {one.trouble}" for one in (a, b) if one.trouble), "")
        delay_s: float | None = None
        detail = trouble or found.reason
        if found.same and not trouble:
            later_s = 0.0 if a.is_file and b.is_file else b.playout.origin_s - a.playout.origin_s
            # The same sound stands at position p in A and at p - offset in B.
            offset_s = found.offset_s + a.tape_origin_s - b.tape_origin_s
            delay_s = later_s - offset_s
            steady = [one for one in self._last_s if abs(one - delay_s) <= STEADY_S]
            self._last_s = [*self._last_s, delay_s][-(STEADY_TIMES - 1) :]
            if len(steady) < STEADY_TIMES - 1 and not (a.ended and b.ended):
                delay_s, detail = None, "measuring"
        else:
            self._last_s = []
        return Delay(
            feed_a=masked(a.url),
            feed_b=masked(b.url),
            delay_ms=None if delay_s is None else round(1000 * delay_s, 1),
            confidence=round(found.confidence if delay_s is not None else 0.0, 3),
            correlation=round(found.correlation, 3),
            detail=detail,
            utc=self._clock.utc(),
        )
