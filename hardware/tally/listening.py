"""Listening to a mixer's tally, and saying at once when a lamp changes, and twice a second that it still stands."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace

from hardware.errors import SettingError, SourceLostError
from hardware.receiving import Feed, ListenAddress, Receiver
from hardware.tally.status import TallyState, TallyStatus
from hardware.tally.umd import DatagramDecoder, Display, StreamDecoder
from timebase import Backoff, Clock

STATUS_EVERY_S = 0.5
LAMPS = {"3.1": ("1", "2", "3", "4"), "5.0": ("left", "text", "right")}
"""The lamps a display has, by version."""
RED = {"3.1": frozenset("1"), "5.0": frozenset(LAMPS["5.0"])}
"""What `red` means: by convention tally 1 of version 3.1; any lamp of version 5.0."""

log = logging.getLogger(__name__)

TallySink = Callable[[TallyStatus], Awaitable[None]]
"""Takes what a tally tells; never waits for long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyAddress:
    """Where a mixer sends its tally, and who it is.

    Attributes:
        listen: over TCP the mixer connects to us.
        version: `3.1` (over UDP only) or `5.0`.

    Raises:
        SettingError: they do not fit together.
    """

    listen: ListenAddress
    version: str

    def __post_init__(self) -> None:
        if self.version not in LAMPS:
            raise SettingError(f"version {self.version!r}: Cuebird reads {' and '.join(LAMPS)}")
        if self.listen.scheme == "tcp" and self.version != "5.0":
            raise SettingError(f"{self.listen}: version {self.version} has no TCP; use udp://, or version 5.0")


@dataclass(frozen=True, slots=True, kw_only=True)
class TallySetup:
    """A display whose lamp is looked at.

    Attributes:
        screen: only with version 5.0.
        lamp: one of its lamps, or `red`.

    Raises:
        SettingError: the version has no such lamp.
    """

    tally_id: str
    address: TallyAddress
    display: int
    screen: int = 0
    lamp: str = "red"

    def __post_init__(self) -> None:
        known = LAMPS[self.address.version]
        if self.lamp not in ("red", *known):
            raise SettingError(f"lamp {self.lamp!r}: version {self.address.version} has red, {', '.join(known)}")

    def is_lit(self, display: Display) -> bool:
        """Whether a message says that it is on air."""
        wanted = RED[self.address.version] if self.lamp == "red" else frozenset((self.lamp,))
        return bool(wanted & display.lit)


class TallyListener:
    """Listens at one address for all the displays that are looked at there, until cancelled.

    Args:
        setups: of that address; at least one.
    """

    def __init__(self, setups: Iterable[TallySetup], *, clock: Clock, sink: TallySink) -> None:
        self._setups = {setup.tally_id: setup for setup in setups}
        self._address = next(iter(self._setups.values())).address
        self._clock, self._sink = clock, sink
        self._known: dict[str, TallyStatus] = {}
        self._frames = self._damaged = 0
        self._datagrams = DatagramDecoder(self._address.version)
        # What was said over a connection holds while there is somebody to say something else.
        self.receiver = Receiver(self._address.listen, datagram=self._datagram, connection=self._connection, ended=self._forget)
        self._changed = asyncio.Event()
        self._forget(f"nothing has come to {self._address.listen} yet")

    async def run(self) -> None:
        """Listen."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tell(), name="tally status")
            tasks.create_task(self._listen(), name="tally")

    def statuses(self) -> tuple[TallyStatus, ...]:
        """How each tally is now."""
        now_utc, refused = self._clock.utc(), self.receiver.refused
        return tuple(
            replace(status, frames=self._frames, damaged=self._damaged, refused=refused, sent_utc=now_utc)
            for status in self._known.values()
        )

    async def _listen(self) -> None:
        backoff = Backoff(first_s=0.25, most_s=5.0, floor_s=0.05)
        while True:
            try:
                await self.receiver.run()
            except SourceLostError as lost:
                log.warning("tally.failed", extra={"reason": str(lost)})
                self._forget(str(lost), state=TallyState.FAILED)
            await self._clock.sleep(backoff.next_s())

    def _connection(self) -> Feed:
        decoder = StreamDecoder()

        def feed(data: bytes) -> None:
            self._take(decoder.feed(data))
            self._count(decoder)

        return feed

    def _datagram(self, data: bytes) -> None:
        self._take(self._datagrams.feed(data))
        self._count(self._datagrams)

    # --- what is known --------------------------------------------------------------------------

    def _count(self, decoder: DatagramDecoder | StreamDecoder) -> None:
        self._frames, self._damaged = self._frames + decoder.frames, self._damaged + decoder.damaged
        decoder.frames = decoder.damaged = 0

    def _take(self, displays: Iterable[Display]) -> None:
        now_ns = self._clock.mono_ns()
        for display in displays:
            for tally_id, setup in self._setups.items():
                if display.is_of(setup.screen, setup.display):
                    self._note(tally_id, display.text, now_ns, on_air=setup.is_lit(display))

    def _note(self, tally_id: str, label: str, now_ns: int, *, on_air: bool) -> None:
        known = self._known[tally_id]
        self._known[tally_id] = replace(known, on_air=on_air, label=label, state=TallyState.LIVE, seen_mono_ns=now_ns, detail="")
        if known.on_air != on_air or known.state is not TallyState.LIVE:
            log.info("tally.changed", extra={"tally_id": tally_id, "on_air": on_air, "label": label})
            self._changed.set()

    def _forget(self, why: str, *, state: TallyState = TallyState.WAITING) -> None:
        for tally_id in self._setups:
            seen_mono_ns = self._known[tally_id].seen_mono_ns if tally_id in self._known else 0
            self._known[tally_id] = TallyStatus(
                tally_id=tally_id,
                state=state,
                on_air=False,
                label="",
                frames=0,
                damaged=0,
                refused=0,
                seen_mono_ns=seen_mono_ns,
                sent_utc=self._clock.utc(),
                detail=why,
            )
        self._changed.set()

    async def _tell(self) -> None:
        while True:
            self._changed.clear()
            for status in self.statuses():
                await self._sink(status)
            await self._until_changed()

    async def _until_changed(self) -> None:
        changed = asyncio.create_task(self._changed.wait(), name="tally changed")
        due = asyncio.create_task(self._clock.sleep(STATUS_EVERY_S), name="tally due")
        try:
            await asyncio.wait({changed, due}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
            due.cancel()
