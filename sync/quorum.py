"""Two sources instead of one: what a second one must say before an occurrence is believed. Pure: instants come as arguments."""

from collections import deque
from dataclasses import dataclass, replace

TELLING_NS_MAX = 1_500_000_000
"""How much later than it happened something is told: a detection needs its evidence, a message its way."""
KEYS_MAX = 1000
INSTANTS_MAX = 16
_NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Quorum:
    """What an intent still needs.

    Attributes:
        key: what the second source's testimony is kept under.
        told_by, wanted: the source that told of it, and the one that must besides, in words.
        at_mono_ns: when it happened, as the first one says.
        within_ns: how far the two instants may lie apart.
        awaited: the intent is only to be armed; whether they agree is asked when it is claimed.
        later_ns: how much later the second source says it happened; None while it has said nothing.
    """

    key: str
    told_by: str
    wanted: str
    at_mono_ns: int
    within_ns: int
    awaited: bool = False
    later_ns: int | None = None

    @property
    def until_mono_ns(self) -> int:
        """When the second source has had its time."""
        return self.at_mono_ns + self.within_ns + TELLING_NS_MAX

    @property
    def agrees(self) -> bool:
        """Whether both tell of the same thing."""
        return self.later_ns is not None and abs(self.later_ns) <= self.within_ns

    @property
    def fault(self) -> str:
        """Why it is not to be believed, naming who is missing; empty when it is, or while it is only armed."""
        if self.awaited or self.agrees:
            return ""
        missing = f"{self.wanted} is missing: {self.told_by} told of it alone"
        if self.later_ns is None:
            return missing
        nearest = f"{abs(self.later_ns) / _NS_PER_MS:.0f} ms {'later' if self.later_ns > 0 else 'earlier'}"
        return f"{missing} within {self.within_ns / _NS_PER_MS:.0f} ms (its nearest was {nearest})"


class Statements:
    """What sources have said lately: the newest instants under each key. Bounded."""

    def __init__(self) -> None:
        self._instants: dict[str, deque[int]] = {}

    def note(self, key: str, at_mono_ns: int) -> None:
        """Keep that something happened at an instant, as a source says."""
        instants = self._instants.pop(key, None) or deque(maxlen=INSTANTS_MAX)
        instants.append(at_mono_ns)
        self._instants[key] = instants
        while len(self._instants) > KEYS_MAX:
            del self._instants[next(iter(self._instants))]

    def forget(self, key: str) -> None:
        """Take back what was said under a key."""
        self._instants.pop(key, None)

    def asked(self, quorum: Quorum) -> Quorum:
        """The quorum with the testimony nearest to it."""
        instants = self._instants.get(quorum.key, ())
        nearest = min((at_ns - quorum.at_mono_ns for at_ns in instants), key=abs, default=None)
        return replace(quorum, later_ns=nearest)


def sound_key(occurrence_id: str) -> str:
    """Where it is kept when an airing was heard."""
    return f"sound:{occurrence_id}"


def score_key(device: str, occurrence_id: str) -> str:
    """Where it is kept when a device told of a goal."""
    return f"score:{device}:{occurrence_id}"


def witness_key(fixture: str, name: str, device: str = "") -> str:
    """Where it is kept when a fixture's device told of a horn or a trigger; without a device, whichever did."""
    return f"witness:{fixture}/{name}/{device}"


def marker_key(occurrence_id: str) -> str:
    """Where it is kept when an airing was marked."""
    return f"marker:{occurrence_id}"
