"""Keeps the program's processes running: starts them, restarts what dies, stops them in order.

A child writes one JSON line on standard output when it is ready (and may write more, which are
handed on); its standard error goes to a log file of its own, or to ours when there is no folder.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from console.child import SUPERVISED
from console.errors import ConsoleError
from timebase import Backoff, Clock

log = logging.getLogger(__name__)

STOP_PATIENCE_S = 5.0
"""How long a child may take to end after SIGTERM before it is killed."""
LINE_BYTES_MAX = 1 << 20
LOG_BYTES_MAX = 20 << 20
"""A child's log file is put aside as `.old` at this size when the child is started again."""


class ChildFailedError(ConsoleError):
    """A process could not even be started once; its own last sentence is the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One process to keep running.

    Attributes:
        name: shown to people and used for the log file.
        arguments: the words after `cuebird`.
        restart: start it again when it ends; otherwise its end is only noted.
    """

    name: str
    arguments: tuple[str, ...]
    restart: bool = True


@dataclass(slots=True)
class Running:
    """A child that has been started: its state for those who wait for it."""

    child: Child
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    facts: dict[str, Any] = field(default_factory=dict)
    process: asyncio.subprocess.Process | None = None
    starts: int = 0
    ever_ready: bool = False
    exit_code: int | None = None


class Supervisor:
    """Starts children and keeps them running until the `async with` block ends.

    Children are stopped in the reverse order of their start. The first child that fails before it
    was ever ready ends the block with its own sentence, since starting it again would not help.
    `on_exit` is told of every other one that ends and is started again.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        program: tuple[str, ...] = (sys.executable, "-m", "console.cli"),
        log_dir: Path | None = None,
        on_line: Callable[[str, dict[str, Any]], None] | None = None,
        on_exit: Callable[[str, int], None] | None = None,
    ) -> None:
        self._clock = clock
        self._program = program
        self._log_dir = log_dir
        self._on_line = on_line
        self._on_exit = on_exit
        self._running: dict[str, Running] = {}
        self._keepers: list[tuple[Running, asyncio.Task[None]]] = []
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for _, keeper in reversed(self._keepers):
            await self._stop(keeper)
        await self._group.__aexit__(kind, error, trace)

    async def start(self, child: Child) -> Running:
        """Start a child and return at once; wait for `.ready` when it matters."""
        if child.name in self._running:
            raise ValueError(f"{child.name}: a child of this name is running already")
        running = Running(child)
        self._running[child.name] = running
        keeper = self._group.create_task(self._keep(running), name=f"keep {child.name}")
        self._keepers.append((running, keeper))
        return running

    async def start_ready(self, child: Child) -> Running:
        """Start a child and wait until it says that it is ready."""
        running = await self.start(child)
        await running.ready.wait()
        return running

    async def ended(self, name: str) -> None:
        """Return when a child that is not restarted has ended."""
        await self._running[name].ended.wait()

    async def stop(self, name: str) -> None:
        """End one child for good."""
        for running, keeper in self._keepers:
            if running.child.name == name:
                await self._stop(keeper)

    async def wait(self) -> None:
        """Return when no child is left that would be kept running."""
        await asyncio.gather(*(running.ended.wait() for running in self._running.values() if running.child.restart))

    async def _stop(self, keeper: asyncio.Task[None]) -> None:
        keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(asyncio.wait({keeper}))

    async def _keep(self, running: Running) -> None:
        backoff = Backoff(first_s=0.2, most_s=10.0, floor_s=0.05)
        try:
            while True:
                begun_ns = self._clock.mono_ns()
                running.exit_code = await self._run_once(running)
                if not running.child.restart:
                    running.ready.set()
                    return
                if not running.ever_ready:
                    raise ChildFailedError(self._last_words(running))
                if self._clock.mono_ns() - begun_ns > 30_000_000_000:
                    backoff.reset()
                if self._on_exit is not None:
                    self._on_exit(running.child.name, running.exit_code)
                log.warning("child.ended", extra={"child": running.child.name, "exit_code": running.exit_code})
                await self._clock.sleep(backoff.next_s())
        finally:
            running.ended.set()

    async def _run_once(self, running: Running) -> int:
        with contextlib.ExitStack() as stack:
            stderr = self._log_file(running.child.name)
            if stderr is not None:
                stack.enter_context(stderr)
            process = await asyncio.create_subprocess_exec(
                *self._program,
                *running.child.arguments,
                env={**os.environ, SUPERVISED: "1"},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
                limit=LINE_BYTES_MAX,
            )
            running.process = process
            running.starts += 1
            running.ready.clear()
            try:
                await self._read(running, process)
                return await process.wait()
            finally:
                await asyncio.shield(self._end(process))

    async def _read(self, running: Running, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            try:
                facts = json.loads(line)
            except ValueError:
                continue
            if not isinstance(facts, dict):
                continue
            if facts.get("ready"):
                running.facts = facts
                running.ever_ready = True
                running.ready.set()
            if self._on_line is not None:
                self._on_line(running.child.name, facts)

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGCONT)
        try:
            async with asyncio.timeout(STOP_PATIENCE_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _log_path(self, name: str) -> Path | None:
        return None if self._log_dir is None else self._log_dir / f"{name}.log"

    def _log_file(self, name: str) -> IO[bytes] | None:
        path = self._log_path(name)
        if path is None:
            return None
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
            path.replace(path.with_suffix(".log.old"))
        return path.open("ab")

    def _last_words(self, running: Running) -> str:
        name = running.child.name
        path = self._log_path(name)
        lines = [] if path is None else path.read_text(errors="replace").strip().splitlines()
        if lines:
            return f"{name} could not start: {lines[-1].removeprefix('cuebird: ')}"
        return f"{name} could not start (exit code {running.exit_code})"
