"""What a supervised process does for its supervisor: say that it is ready, and not outlive it."""

import ctypes
import json
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def announce(**facts: object) -> None:
    """Write one JSON line for the supervisor on standard output, at once."""
    sys.stdout.write(json.dumps(facts, default=str) + "\n")
    sys.stdout.flush()


def die_with_parent() -> None:
    """Ask the kernel for a SIGTERM when the supervisor dies, however it dies.

    Without it a killed supervisor would leave an engine behind that nobody watches. Linux only;
    elsewhere this does nothing.

    Source: prctl(2), PR_SET_PDEATHSIG.
    """
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
