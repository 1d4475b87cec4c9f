"""Which sources of events a gateway can read, and the listener of each."""

from collections.abc import Callable, Mapping

from hardware.errors import SettingError
from hardware.inputs.gpio import GpioListener
from hardware.inputs.osc_listening import OscListener
from hardware.inputs.told import InputListener, Told
from timebase import Clock

LISTENERS: Mapping[str, Callable[..., InputListener]] = {"gpio": GpioListener, "osc": OscListener}
"""By protocol."""


def input_listener(
    protocol: str, source: str, events: Mapping[str, str], *, clock: Clock, sink: Callable[[Told], None]
) -> InputListener:
    """The listener of a source; nothing is opened yet.

    Raises:
        SettingError: the source or its events cannot be used.
    """
    if not events:
        raise SettingError(f"{protocol}: no events; say under [gateway.events] what each address or pin means")
    return LISTENERS[protocol](source, events, clock=clock, sink=sink)
