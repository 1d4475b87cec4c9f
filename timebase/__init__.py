"""Time for every part of Cuebird: the one package that reads clocks and sleeps.

It stands below all others, so that the leaves can be handed a `Clock` without knowing `sync`
(docs/adr/0002). Two kinds of instants exist: `mono_ns` decides (deadlines, durations, order),
aware UTC informs (people, records, other machines). Neither replaces the other.
"""

from timebase.backoff import Backoff
from timebase.clock import Clock, SystemClock
from timebase.loop import LoopClock, VirtualLoop
from timebase.virtual import VirtualClock

__all__ = ["Backoff", "Clock", "LoopClock", "SystemClock", "VirtualClock", "VirtualLoop"]
