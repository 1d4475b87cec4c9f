"""What a source of events tells, and what every source does."""

from dataclasses import dataclass
from typing import Protocol

from hardware.listening import ConsoleStatus
from hardware.topics import NAME

HORN = "horn"
"""The event that counts as a console's horn; every other name is a trigger's."""
REST_NS = 500_000_000
"""An event that comes again within this of its last report is the same press: a fader that moves, a contact that bounces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Something happened.

    Attributes:
        name: `horn`, or a trigger's name.
        utc_ns: when, by this machine's clock.
        evidence: the bytes it was read from.
    """

    name: str
    utc_ns: int
    evidence: bytes


class InputListener(Protocol):
    """Follows a source until cancelled; tells its sink of each event at once."""

    async def run(self) -> None:
        """Listen."""
        ...

    def status(self) -> ConsoleStatus:
        """How it is now; of a score nothing is known."""
        ...


def name_fault(name: str) -> str:
    """Why an event may not be called so; empty when it may."""
    return "" if NAME.fullmatch(name) else f"event {name!r}: use up to 64 letters, digits, - and _"


def status_of(
    *,
    heard: bool,
    good_frames: int,
    bad_frames: int,
    connections: int,
    refused: int,
    received_bytes: int,
    frame_mono_ns: int | None,
    detail: str,
) -> ConsoleStatus:
    """The status of a source that keeps no score; `heard`: its port or pins are open."""
    return ConsoleStatus(
        heard=heard,
        home=None,
        away=None,
        period="",
        last=None,
        detail=detail,
        good_frames=good_frames,
        bad_frames=bad_frames,
        connections=connections,
        refused=refused,
        received_bytes=received_bytes,
        frame_mono_ns=frame_mono_ns,
    )


class Presses:
    """Makes one event of reports that follow each other closely. Pure."""

    def __init__(self) -> None:
        self._last_mono_ns: dict[str, int] = {}

    def is_new(self, name: str, mono_ns: int) -> bool:
        """Whether a report begins another event; one that does not lets the rest begin anew."""
        last_ns = self._last_mono_ns.get(name)
        self._last_mono_ns[name] = mono_ns
        return last_ns is None or mono_ns - last_ns >= REST_NS
