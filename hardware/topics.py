"""The names a gateway publishes under."""

import re
from dataclasses import dataclass
from typing import Literal

from hardware.errors import SettingError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""What a venue, a device and a fixture may be called: no `/`, `+` or `#` can slip into a topic."""

_TOPIC = re.compile(rf"cuebird/v1/({NAME.pattern})/({NAME.pattern})/(event|state)")

Leaf = Literal["event", "state"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTopic:
    """A device and which of its two topics.

    Raises:
        SettingError: a name that does not fit into a topic.
    """

    venue: str
    device: str
    leaf: Leaf

    def __post_init__(self) -> None:
        for what, name in (("venue", self.venue), ("device", self.device)):
            if not NAME.fullmatch(name):
                raise SettingError(f"{what} {name!r}: use up to 64 letters, digits, - and _")

    def __str__(self) -> str:
        return f"cuebird/v1/{self.venue}/{self.device}/{self.leaf}"


def parse_topic(topic: str) -> DeviceTopic | None:
    """The device and leaf that `topic` names, None when it is not one of ours."""
    match = _TOPIC.fullmatch(topic)
    if match is None:
        return None
    return DeviceTopic(venue=match[1], device=match[2], leaf="event" if match[3] == "event" else "state")
