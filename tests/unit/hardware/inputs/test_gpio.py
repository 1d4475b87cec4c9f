"""Contacts on gpiozero's mock pins: an edge is an event once it has stood, at the instant the kernel stamped it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory, MockPin

from hardware.errors import SettingError
from hardware.inputs import Told
from hardware.inputs.gpio import GpioListener, parse_gpio
from hardware.inputs.osc_listening import _EPOCH
from timebase import VirtualClock

EVENTS = {"17": "horn", "27": "show-begins"}


class LatePin(MockPin):  # type: ignore[misc]  # gpiozero has no types
    """A pin whose edges Python comes to three seconds after the kernel stamped them."""

    def _call_when_changed(self) -> None:
        super(MockPin, self)._call_when_changed(self._last_change - 3.0, self._state)


class Bench:
    """Pins, a listener of them, and what it has told."""

    def __init__(self, source: str, pin_class: type[MockPin]) -> None:
        self.clock, self.told = VirtualClock(), list[Told]()
        self.factory = MockFactory(pin_class=pin_class)
        self.listener = GpioListener(source, EVENTS, clock=self.clock, sink=self.told.append, factory=self.factory)

    def pin(self, number: int) -> Any:
        return self.factory.pin(number)


@contextlib.asynccontextmanager
async def bench(source: str = "gpio:?debounce_ms=20", pin_class: type[MockPin] = MockPin) -> AsyncIterator[Bench]:
    made = Bench(source, pin_class)
    task = asyncio.create_task(made.listener.run())
    await made.clock.advance(0)
    try:
        yield made
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        made.factory.reset()


async def test_a_contact_that_stays_closed_is_one_event() -> None:
    """Not before the debounce time, once, and again only after a rest."""
    async with bench() as made:
        made.pin(17).drive_low()
        await made.clock.advance(0.019)
        assert made.told == []
        await made.clock.advance(0.002)
        assert [one.name for one in made.told] == ["horn"]
        made.pin(17).drive_high()
        made.pin(17).drive_low()
        await made.clock.advance(0.3)
        assert len(made.told) == 1
        made.pin(17).drive_high()
        await made.clock.advance(1)
        made.pin(17).drive_low()
        made.pin(27).drive_low()
        await made.clock.advance(0.1)
        assert [one.name for one in made.told] == ["horn", "horn", "show-begins"]


async def test_a_contact_that_bounces_open_is_none() -> None:
    """A pulse shorter than the debounce time is counted and dropped."""
    async with bench() as made:
        made.pin(17).drive_low()
        await made.clock.advance(0.01)
        made.pin(17).drive_high()
        await made.clock.advance(1)
        status = made.listener.status()
        assert (made.told, status.good_frames, status.bad_frames) == ([], 0, 1)


async def test_it_is_dated_by_its_edge() -> None:
    """However late the thread and the loop come to it."""
    async with bench("gpio:?debounce_ms=0", LatePin) as made:
        made.pin(17).drive_low()
        await made.clock.advance(0)
        (told,) = made.told
        edge_utc = _EPOCH + timedelta(microseconds=told.utc_ns / 1000)
        assert (made.clock.utc() - edge_utc).total_seconds() == pytest.approx(3.0, abs=0.5)


async def test_what_is_closed_at_the_start_was_closed_by_nobody() -> None:
    """Only an edge is an event."""
    made = Bench("gpio:?active=high&debounce_ms=0", MockPin)
    pin = made.pin(17)
    pin.pull = "down"
    pin.drive_high()
    task = asyncio.create_task(made.listener.run())
    await made.clock.advance(1)
    assert made.told == []
    made.pin(27).drive_high()
    await made.clock.advance(1)
    assert [one.name for one in made.told] == ["show-begins"]
    task.cancel()


async def test_pins_that_cannot_be_opened_are_told_of() -> None:
    """The device is not shown as online, and it is tried again."""
    async with bench() as taken:
        made = Bench("gpio:", MockPin)
        made.factory = taken.factory
        made.listener = GpioListener("gpio:", EVENTS, clock=made.clock, sink=made.told.append, factory=taken.factory)
        task = asyncio.create_task(made.listener.run())
        await made.clock.advance(0)
        status = made.listener.status()
        assert not status.heard
        assert status.detail.startswith("the pins cannot be opened: ")
        task.cancel()


@pytest.mark.parametrize(
    ("source", "events", "words"),
    [
        ("gpio", EVENTS | {"28": "x"}, "pin '28': give the chip's number"),
        ("gpio:", {"GPIO17": "x"}, "pin 'GPIO17'"),
        ("gpio:", {"17": "a b"}, "event 'a b'"),
        ("gpio:?active=left", EVENTS, "write for example gpio:"),
        ("gpio:?speed=3", EVENTS, "write for example gpio:"),
        ("gpio:?debounce_ms=2000", EVENTS, "debounce_ms is at most 1000"),
        ("pins:", EVENTS, "write for example gpio:"),
    ],
)
def test_settings_that_cannot_be(source: str, events: dict[str, str], words: str) -> None:
    """Each is one sentence with the way out."""
    with pytest.raises(SettingError, match=words):
        parse_gpio(source, events)


def test_settings() -> None:
    """Active low and twenty milliseconds unless said."""
    assert parse_gpio("gpio:", EVENTS).active_low
    settings = parse_gpio("gpio:?active=high&debounce_ms=5", EVENTS)
    assert (settings.active_low, settings.debounce_ms, settings.events) == (False, 5, {17: "horn", 27: "show-begins"})
