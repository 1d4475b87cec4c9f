"""A PostgreSQL server of its own that can be killed and comes back."""

import asyncio
import contextlib
import getpass
import os
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from bench.chaos.processes import CLOCK, PATIENCE_S, StuckError
from bench.errors import MissingError


class PostgreSql:
    """A server on a Unix socket, its commits as durable as its defaults make them. Made by `running`."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._data = folder, folder / "data"
        # The server refuses to run as root.
        self._become = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        self._user = "postgres" if self._become else getpass.getuser()

    @property
    def url(self) -> str:
        """Of its database."""
        return f"postgresql+psycopg://{self._user}@/postgres?host={self._folder}"

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls) -> AsyncIterator["PostgreSql"]:
        """A new server; its data goes with it.

        Raises:
            MissingError: PostgreSQL is not installed.
        """
        # A socket's path is short, and the server's user must be let in: neither holds for every folder.
        with tempfile.TemporaryDirectory(prefix="cbpg", dir="/tmp", ignore_cleanup_errors=True) as folder:
            server = cls(Path(folder))
            if server._become:
                await _run("chown", "postgres", folder)
            await server._server("initdb", "-D", str(server._data), "-A", "trust", "-U", server._user)
            await server.start()
            try:
                yield server
            finally:
                with contextlib.suppress(StuckError):
                    await server._server("pg_ctl", "-D", str(server._data), "-m", "immediate", "stop")

    async def start(self) -> None:
        """Start it, or start it again where it was killed; its orphans may take a moment to go."""
        log = str(self._folder / "log")
        options = f"-c listen_addresses='' -c unix_socket_directories={self._folder}"
        begun_ns = CLOCK.mono_ns()
        while True:
            try:
                await self._server("pg_ctl", "-D", str(self._data), "-w", "-l", log, "-o", options, "start")
                return
            except StuckError:
                if CLOCK.mono_ns() - begun_ns > PATIENCE_S * 1e9:
                    raise
                await CLOCK.sleep(0.2)

    def kill(self) -> None:
        """SIGKILL to the server's first process; those it forked end when they notice."""
        pid = int((self._data / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGKILL)

    async def _server(self, name: str, *arguments: str) -> None:
        await _run(*self._become, _program(name), *arguments)


def _program(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if not found:
        raise MissingError(f"{name} is not installed; install PostgreSQL (Debian: apt-get install postgresql)")
    return str(found[-1])


async def _run(*words: str) -> None:
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*words, stdout=quiet, stderr=quiet)
    if await process.wait():
        raise StuckError(f"{' '.join(words)}: ended with {process.returncode}")
