"""Everything that can foreseeably go wrong with devices.

HardwareError
├── UnknownProtocol   no decoder of that name
├── BadScript         a simulated match that cannot be played
├── BadSetting        an address, source or name that cannot be used
├── BrokerTrouble     the embedded broker does not start
└── RefusedMessage    a message that is not believed (in `hardware.messages`)

Messages are one sentence for people: the thing, the value, the fix.
"""


class HardwareError(Exception):
    """Root of the package's errors."""


class UnknownProtocol(HardwareError):
    """No decoder of that name."""


class BadScript(HardwareError):
    """A match script that cannot be read or played."""


class BadSetting(HardwareError):
    """An address, source, name or key that cannot be used."""


class BrokerTrouble(HardwareError):
    """The embedded broker did not start."""
