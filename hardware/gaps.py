"""Which events of a device were never taken, told from the numbers that its gateway gives them.

A gateway numbers the events of a boot from 1, and says in every state which was the last to leave it; after a lost
connection it goes back to the one before the first that it tells again. What was not taken by then was dropped by the
gateway, refused, or lost on the way: nobody else would ever tell. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hardware.replay import Device, ReplayState

GRACE_NS = 4_000_000_000
"""How long an event may come after the state that tells of it: the two take different ways through a broker."""

Numbers = tuple[int, int]
"""The first and the last of some events that follow each other."""


@dataclass(slots=True)
class _Count:
    """One device's events.

    Attributes:
        taken: the highest number that was taken, or told of as missing.
        told: a number that the gateway says has left it, and that was not taken yet.
        told_mono_ns: since when it says so; None where everything it told of was taken.
        present: whether the device has been heard since we began; what happened to an earlier boot's end is not known.
    """

    boot: str
    taken: int
    told: int = 0
    told_mono_ns: int | None = None
    present: bool = False

    def awaits(self, sequence: int, mono_ns: int) -> None:
        self.told, self.told_mono_ns = sequence, mono_ns if sequence > self.taken else None


class Gaps:
    """Counts the events of every device."""

    def __init__(self, replay: ReplayState, *, freshness_s: float) -> None:
        """Go on from what was taken before; an event older than `freshness_s` is not taken any more."""
        self._counts = {device: _Count(known.boot, known.sequence) for device, known in replay.devices.items()}
        self._last_ns = GRACE_NS + round(freshness_s * 1e9)
        self._missing: dict[Device, list[Numbers]] = {}

    def take_event(self, device: Device, *, boot: str, sequence: int) -> None:
        """Note that an event was taken."""
        count = self._count(device, boot, begin=sequence - 1)
        if count is None or sequence <= count.taken:
            return
        if sequence > count.taken + 1:
            self._miss(device, (count.taken + 1, sequence - 1))
        count.taken = sequence
        if count.taken >= count.told:
            count.told_mono_ns = None

    def take_state(self, device: Device, *, boot: str, sequence: int, mono_ns: int) -> None:
        """Note which event was the last to leave the gateway when it said how it is."""
        count = self._count(device, boot, begin=sequence)
        if count is None:
            return
        if count.told_mono_ns is None or sequence < count.told:
            count.awaits(sequence, mono_ns)
        elif mono_ns - count.told_mono_ns >= GRACE_NS:
            self._give_up(device, count)
            count.awaits(sequence, mono_ns)

    def hold(self, mono_ns: int) -> None:
        """Give everything the time to come that it had when it was told of: the way here was closed, or is full."""
        for count in self._counts.values():
            if count.told_mono_ns is not None:
                count.told_mono_ns = mono_ns

    def due(self, mono_ns: int) -> Mapping[Device, tuple[Numbers, ...]]:
        """What is missing for good by now; each is told once."""
        for device, count in self._counts.items():
            # A gateway that says nothing any more: by now the event would not be taken.
            if count.told_mono_ns is not None and mono_ns - count.told_mono_ns >= self._last_ns:
                self._give_up(device, count)
        missing, self._missing = self._missing, {}
        return {device: tuple(numbers) for device, numbers in missing.items()}

    def _give_up(self, device: Device, count: _Count) -> None:
        self._miss(device, (count.taken + 1, count.told))
        count.taken, count.told_mono_ns = count.told, None

    def _miss(self, device: Device, numbers: Numbers) -> None:
        self._missing.setdefault(device, []).append(numbers)

    def _count(self, device: Device, boot: str, *, begin: int) -> _Count | None:
        """The count of the device's boot; None for a boot that is over. One that is new to us begins at `begin`."""
        count = self._counts.get(device)
        if count is not None and boot < count.boot:
            return None
        if count is None or boot > count.boot:
            if count is not None and count.told_mono_ns is not None:
                self._give_up(device, count)
            # A gateway that starts while we listen counts from 1; where it was before we did is not ours to miss.
            count = self._counts[device] = _Count(boot, 0 if count is not None and count.present else begin)
        count.present = True
        return count


def missing_sentence(missing: Mapping[Device, tuple[Numbers, ...]], *, devices_max: int = 5) -> str:
    """What to tell people of events that are missing."""
    total = sum(last - first + 1 for numbers in missing.values() for first, last in numbers)
    named = [f"no. {', '.join(map(_range, numbers))} of {device}" for (_, device), numbers in list(missing.items())[:devices_max]]
    if len(missing) > devices_max:
        named.append(f"those of {len(missing) - devices_max} more devices")
    events = "1 event was" if total == 1 else f"{total} events were"
    why = "refused, too old at the gateway, or lost by the broker"
    return f"{events} not taken ({'; '.join(named)}): {why}; look at the scoreboard"


def _range(numbers: Numbers) -> str:
    first, last = numbers
    return str(first) if first == last else f"{first} to {last}"
