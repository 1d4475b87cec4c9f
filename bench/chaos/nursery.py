"""A process that has imported everything and forks engines and sandboxes from itself: `python -m bench.chaos.nursery`.

A fresh interpreter needs seconds until it is an engine; a fork needs milliseconds, so that hundreds of kills fit into
minutes. What is forked is a process like any other: it has its own files, sockets and threads, and dies alone.

Orders come as JSON lines on standard input, `{"part": "engine", "name": "main", "log": …, "order": {…}}`. What happens is
told as JSON lines on standard output: `{"pid", "begun"}`, whatever the part announces (`ready`, `standby`), `{"pid", "ended"}`.
When standard input ends every child is killed.
"""

import json
import os
import select
import signal
import sys
from typing import Any

from bench.chaos import engine, sandbox
from sync.simulation.storage import Storage
from sync.tweet_text import weight

LOOK_S = 0.01
"""How often the nursery looks whether a child has ended."""


def main() -> None:
    """Fork and tell until standard input ends."""
    _warm_up()
    living, orders = set[int](), _Lines(sys.stdin.fileno())
    _tell(nursery=True)
    try:
        while orders.open:
            select.select([sys.stdin], [], [], LOOK_S)
            for line in orders.take():
                order = json.loads(line)
                pid = os.fork()
                if pid == 0:
                    _be(order)
                living.add(pid)
                _tell(pid=pid, begun=order["name"])
            living -= _ended(living)
    finally:
        for pid in living:
            os.kill(pid, signal.SIGKILL)


def _warm_up() -> None:
    """Do once what every child would do first: tables, statements and lazy imports take longer than all the rest."""
    weight("")
    Storage().close()


class _Lines:
    """Whole lines of a pipe, without waiting for any."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor, self._begun = descriptor, b""
        self.open = True

    def take(self) -> list[bytes]:
        try:
            found = os.read(self._descriptor, 1 << 20)
        except BlockingIOError:
            return []
        self.open = bool(found)
        *whole, self._begun = (self._begun + found).split(b"\n")
        return whole


def _ended(living: set[int]) -> set[int]:
    ended = set[int]()
    for pid in living:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            ended.add(pid)
            _tell(pid=pid, ended=os.waitstatus_to_exitcode(status))
    return ended


def _be(order: dict[str, Any]) -> None:
    """Become the part that is ordered; never returns."""
    status = 1
    try:
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        name = order["name"]

        def announce(**facts: object) -> None:
            _tell(pid=os.getpid(), name=name, **facts)

        if order["part"] == "engine":
            engine.run(engine.EngineOrder(**{key: _tupled(value) for key, value in order["order"].items()}), announce)
        else:
            sandbox.run(sandbox.SandboxOrder(**{key: _tupled(value) for key, value in order["order"].items()}), announce)
        status = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(status)


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _tell(**facts: object) -> None:
    # One write, shorter than a pipe's atomic size: lines of several processes never mix.
    os.write(1, json.dumps(facts).encode() + b"\n")


if __name__ == "__main__":
    main()
