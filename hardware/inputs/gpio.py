"""Contacts on a small computer's pins: each closing is an event, at the instant of its edge.

gpiozero (the extra `gpio`) calls from a thread of its own with the kernel's time of the edge; the event is told on the loop
once the contact has stayed closed for the debounce time. One that is closed when the gateway starts was closed by nobody.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import parse_qsl

from hardware.errors import SettingError
from hardware.inputs.told import Presses, Told, name_fault, status_of
from hardware.listening import ConsoleStatus
from timebase import Backoff, Clock

SCHEME = "gpio"
DEBOUNCE_MS = 20
DEBOUNCE_MS_MAX = 1000
PINS = range(28)
"""By the chip's numbers (BCM), those that are led out."""
EDGES_WAITING_MAX = 256
EXAMPLE = "gpio:?active=low&debounce_ms=20"

log = logging.getLogger(__name__)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Contact(Protocol):
    """An input of gpiozero's, as far as it is used here."""

    when_activated: Callable[[], None] | None
    is_active: bool
    active_time: float | None

    def close(self) -> None:
        """Give the pin back."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GpioSettings:
    """How the pins are read.

    Attributes:
        events: event by pin.
        active_low: closed means low, with the chip's own pull-up; otherwise high, with its pull-down.
    """

    events: Mapping[int, str]
    active_low: bool = True
    debounce_ms: int = DEBOUNCE_MS


def parse_gpio(source: str, events: Mapping[str, str]) -> GpioSettings:
    """The settings of `gpio:?active=low&debounce_ms=20` and of events by pin.

    Raises:
        SettingError: they are none.
    """
    scheme, _, query = source.partition(":")
    options = dict(parse_qsl(query.removeprefix("?"), keep_blank_values=True))
    active, debounce = options.pop("active", "low"), options.pop("debounce_ms", str(DEBOUNCE_MS))
    if scheme != SCHEME or options or active not in ("low", "high") or not debounce.isdecimal():
        raise SettingError(f"source {source!r}: write for example {EXAMPLE}")
    if int(debounce) > DEBOUNCE_MS_MAX:
        raise SettingError(f"source {source!r}: debounce_ms is at most {DEBOUNCE_MS_MAX}")
    for pin, name in events.items():
        if not pin.isdecimal() or int(pin) not in PINS:
            raise SettingError(f"pin {pin!r}: give the chip's number (BCM), 0 to {PINS[-1]}")
        if fault := name_fault(name):
            raise SettingError(fault)
    by_pin = {int(pin): name for pin, name in events.items()}
    return GpioSettings(events=by_pin, active_low=active == "low", debounce_ms=int(debounce))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edge:
    pin: int
    mono_ns: int
    utc_ns: int


class GpioListener:
    """Follows pins until cancelled.

    Args:
        factory: gpiozero's pin factory; None takes the machine's own.

    Raises:
        SettingError: the source or an event is none.
    """

    def __init__(
        self, source: str, events: Mapping[str, str], *, clock: Clock, sink: Callable[[Told], None], factory: Any = None
    ) -> None:
        self._settings = parse_gpio(source, events)
        self._clock, self._sink, self._factory, self._presses = clock, sink, factory, Presses()
        self._contacts: dict[int, Contact] = {}
        self._told = self._bounced = 0
        self._frame_mono_ns: int | None = None
        self._trouble = "its pins are not open yet"

    async def run(self) -> None:
        """Listen."""
        backoff = Backoff(first_s=0.25, most_s=5.0, floor_s=0.05)
        while True:
            edges: asyncio.Queue[_Edge] = asyncio.Queue(maxsize=EDGES_WAITING_MAX)
            try:
                self._open(edges)
                while True:
                    await self._take(await edges.get())
            except _PinError as error:
                self._trouble = str(error)
                log.warning("gateway.source_lost", extra={"source": SCHEME, "error": self._trouble})
            finally:
                self._close()
            await self._clock.sleep(backoff.next_s())

    def status(self) -> ConsoleStatus:
        """How it is now."""
        return status_of(
            heard=bool(self._contacts),
            good_frames=self._told,
            bad_frames=self._bounced,
            connections=len(self._contacts),
            refused=0,
            received_bytes=0,
            frame_mono_ns=self._frame_mono_ns,
            detail=self._trouble,
        )

    def _open(self, edges: asyncio.Queue[_Edge]) -> None:
        try:
            import gpiozero
        except ImportError as error:
            raise _PinError("pins need gpiozero, which is not installed; install cuebird[gpio]") from error
        loop = asyncio.get_running_loop()
        try:
            for pin in self._settings.events:
                contact = gpiozero.DigitalInputDevice(pin, pull_up=self._settings.active_low, pin_factory=self._factory)
                self._contacts[pin] = contact
                contact.when_activated = self._noting(pin, contact, edges, loop)
        except gpiozero.GPIOZeroError as error:
            raise _PinError(
                f"the pins cannot be opened: {error}; is this machine a Raspberry Pi, and lgpio installed?"
            ) from error
        self._trouble = ""

    def _noting(
        self, pin: int, contact: Contact, edges: asyncio.Queue[_Edge], loop: asyncio.AbstractEventLoop
    ) -> Callable[[], None]:
        def put(edge: _Edge) -> None:
            if not edges.full():
                edges.put_nowait(edge)

        def note() -> None:
            """In gpiozero's thread: the edge was `active_time` ago."""
            ago_ns = round((contact.active_time or 0.0) * 1e9)
            utc_ns = (self._clock.utc() - _EPOCH) // timedelta(microseconds=1) * 1000
            edge = _Edge(pin=pin, mono_ns=self._clock.mono_ns() - ago_ns, utc_ns=utc_ns - ago_ns)
            loop.call_soon_threadsafe(put, edge)

        return note

    async def _take(self, edge: _Edge) -> None:
        await self._clock.sleep_until(edge.mono_ns + self._settings.debounce_ms * 1_000_000)
        if not self._contacts[edge.pin].is_active:
            self._bounced += 1
            return
        name = self._settings.events[edge.pin]
        if self._presses.is_new(name, edge.mono_ns):
            self._told += 1
            self._frame_mono_ns = edge.mono_ns
            self._sink(Told(name=name, utc_ns=edge.utc_ns, evidence=f"gpio {edge.pin} {edge.mono_ns}".encode()))

    def _close(self) -> None:
        for contact in self._contacts.values():
            contact.close()
        self._contacts = {}


class _PinError(Exception):
    """The pins cannot be read; its text is for people."""
