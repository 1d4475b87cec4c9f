"""Everything that can foreseeably go wrong with devices.

HardwareError
├── UnknownProtocolError   no decoder of that name
├── UnrecognisedConsoleError   a stream that no decoder understands
├── ScriptError            a simulated match that cannot be played
├── SettingError           an address, source, name or key that cannot be used
├── ConsoleLostError       the scoreboard console cannot be reached or has fallen silent
├── EmbeddedBrokerError    the embedded broker does not start
├── SectionError           bytes that are no broadcaster's marker (hardware/scte35/sections.py)
├── SourceLostError        a source of markers cannot be opened or has fallen silent
└── RefusedMessage         a message that is not believed; its text is the reason
    └── RepeatedMessage    the device only tells again what it had told

Messages are one sentence for people: the thing, the value, the fix.
"""

from hardware.events import RefusalKind


class HardwareError(Exception):
    """Root of the package's errors."""


class UnknownProtocolError(HardwareError):
    """No decoder of that name."""


class UnrecognisedConsoleError(HardwareError):
    """A stream that no decoder understands."""


class ScriptError(HardwareError):
    """A match script that cannot be read or played."""


class SettingError(HardwareError):
    """An address, source, name or key that cannot be used."""


class ConsoleLostError(HardwareError):
    """The scoreboard console cannot be reached or has fallen silent; the gateway tries again."""


class SourceLostError(HardwareError):
    """A source of markers cannot be opened or has fallen silent; it is tried again."""


class EmbeddedBrokerError(HardwareError):
    """The embedded broker did not start."""


class RefusedMessage(HardwareError):  # noqa: N818  it says what happened to the message, not what is wrong with the program
    """A message that is not believed; the text is the reason, `kind` what it counts as."""

    def __init__(self, kind: RefusalKind, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


class RepeatedMessage(RefusedMessage):
    """A message by which a device tells again, after a lost connection, what had been taken."""
