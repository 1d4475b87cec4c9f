"""The secret a device signs with."""

from dataclasses import dataclass, field

from hardware.errors import SettingError
from hardware.topics import NAME, DeviceTopic

KEY_BYTES_MIN = 32
"""As many as HMAC-SHA256 gives back; `openssl rand -hex 32` writes twice as many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceKey:
    """A device: where it is, the fixture it keeps the score of, and the key it signs with.

    Attributes:
        key: the bytes of the key file's first line, as they are.

    Raises:
        SettingError: a name that fits no topic, or a key that is too short.
    """

    venue: str
    device: str
    fixture: str
    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        DeviceTopic(venue=self.venue, device=self.device, leaf="event")
        if not NAME.fullmatch(self.fixture):
            raise SettingError(f"fixture {self.fixture!r}: use up to 64 letters, digits, - and _")
        if len(self.key) < KEY_BYTES_MIN:
            raise SettingError(
                f"key of {self.device}: {len(self.key)} bytes; make one of at least {KEY_BYTES_MIN}: openssl rand -hex 32"
            )
