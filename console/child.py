"""What a supervised process does for its supervisor: say that it is ready, and not outlive it."""

import asyncio
import ctypes
import json
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any

SUPERVISED = "CUEBIRD_SUPERVISED"
"""Set in the environment of every process that a supervisor starts."""
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


def run_until_told(part: Coroutine[Any, Any, None]) -> None:
    """Run a part of the program until it ends or the process is told to (SIGTERM, SIGINT), then let it clean up."""

    async def guarded() -> None:
        task = asyncio.ensure_future(part)
        loop = asyncio.get_running_loop()
        for told in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(told, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            if not task.cancelled():
                raise

    asyncio.run(guarded())
