"""Who fires: one engine at a time. A second one on the same ledger stands by and takes over when the first falls silent.

The engine that fires counts its heartbeats in the ledger. Whoever else opens the ledger watches that count by its own monotonic
clock, so no two clocks need agree. Taking over is one transaction: it holds only if the count is still the one that was seen,
and it begins a new epoch, so that whatever the other engine wakes up to do is refused (`firings.py`). A lease decides who
may try; that nothing is posted twice never hangs on it.

Source: Gray & Cheriton 1989 (leases); fencing by epoch: docs/adr/0003-at-most-once.md.
"""

import logging
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sync.errors import LedgerError
from timebase import Clock

SILENT_NS: Final = 2_400_000_000
"""Without a heartbeat for this long the other engine is taken for dead; it beats once a second."""
LOOK_S: Final = 0.2

_log = logging.getLogger(__name__)


class LeaseHeldError(LedgerError):
    """The other engine has beaten in the meantime."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The engine that fires, as the ledger shows it.

    Attributes:
        holder: its machine and state folder; "" once it has stopped in order.
        epoch: rises with each engine.
        beat: rises with each heartbeat.
    """

    holder: str
    epoch: int
    beat: int


def holder_of(state_dir: Path) -> str:
    """The name of the engine of a state folder on this machine; only one can run there."""
    return f"{socket.gethostname()}:{state_dir.absolute()}"


class SilenceWatch:
    """Whether the engine that fires has fallen silent. Pure: looks and instants in."""

    def __init__(self) -> None:
        self._last: Lease | None = None
        self._since_ns = 0

    def is_silent(self, lease: Lease, now_ns: int) -> bool:
        """Whether it has shown no sign since `SILENT_NS` before `now_ns`; the first look at it is a sign."""
        if lease != self._last:
            self._last, self._since_ns = lease, now_ns
        return now_ns - self._since_ns >= SILENT_NS


async def take_over(
    read: Callable[[], Awaitable[Lease | None]],
    take: Callable[[Lease | None], Awaitable[int]],
    *,
    holder: str,
    clock: Clock,
    on_standby: Callable[[Lease], Awaitable[None]],
) -> int:
    """Stand by as long as another engine lives, then take over; at once where none does, or where it was ourselves.

    Args:
        read: the lease as it stands.
        take: takes the ledger over if the lease is still the one given.
        holder: us.
        on_standby: told once of each engine that is waited for.

    Returns:
        The new epoch.

    Raises:
        LedgerError: the ledger cannot be read or written at the first look; later that is waited out.
    """
    watch, told = SilenceWatch(), set[tuple[str, int]]()
    while True:
        try:
            lease = await read()
            if lease is None or lease.holder in {"", holder} or watch.is_silent(lease, clock.mono_ns()):
                epoch = await take(lease)
                if told:
                    _log.warning("taken_over", extra={"holder": lease.holder if lease else "", "epoch": epoch})
                return epoch
            if (lease.holder, lease.epoch) not in told:
                told.add((lease.holder, lease.epoch))
                _log.warning("standing_by", extra={"holder": lease.holder, "epoch": lease.epoch})
                await on_standby(lease)
        except LeaseHeldError:
            pass  # it lives
        except LedgerError as error:
            if not told:
                raise
            _log.warning("lease_not_read", extra={"reason": str(error)})
            # Who could not be heard was not silent: what kept us from reading may have kept the other from beating.
            watch = SilenceWatch()
        await clock.sleep(LOOK_S)
