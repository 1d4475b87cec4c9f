"""What an engine asks of its process: the interpreter, the garbage collector, its name for this boot, its last error."""

import contextlib
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from sync.errors import SyncError

THREADS_TURN_S = 0.0005
"""How long a thread that has work waits for the interpreter while another one computes: Python's own 5 ms is a whole firing."""


def share_the_interpreter() -> None:
    """Let no thread keep the others waiting for long; for good."""
    sys.setswitchinterval(THREADS_TURN_S)


@contextlib.contextmanager
def kept_for_good() -> Iterator[None]:
    """Spare the garbage collector what stands by now: going through all of it takes some ten milliseconds, also in mid-firing."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def boot_id() -> str:
    """The kernel's name for this boot; where there is none every process counts as another boot."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"process-{os.getpid()}"


@contextlib.contextmanager
def one_of_many() -> Iterator[None]:
    """Let a single deliberate error out of a task group as itself: the command line prints its sentence."""
    try:
        yield
    except BaseExceptionGroup as group:
        first = group.exceptions[0]
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        if isinstance(first, SyncError):
            raise first from group
        raise
