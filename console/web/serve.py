"""The console as a process: its port, its TLS, its end."""

import asyncio
import contextlib
import errno
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvicorn

from console.errors import ConsoleError
from console.web.app import create_app
from console.web.live import LiveHub
from timebase import Clock, SystemClock

if TYPE_CHECKING:
    from console.config import Config

GRACE_S: Final = 2
"""How long open requests may take to end when the console stops."""


class _Server(uvicorn.Server):
    """uvicorn, ending the event streams first: they would otherwise hold up the stop."""

    def __init__(self, config: uvicorn.Config, hub: LiveHub) -> None:
        super().__init__(config)
        self._hub = hub

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._hub.close()
        await super().shutdown(sockets)


def run_console(
    host: str,
    port: int,
    *,
    state_dir: Path,
    config: "Config | None" = None,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    clock: Clock | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the console until SIGINT or SIGTERM.

    Args:
        host: address to listen on; without TLS only a loopback address is allowed, since passwords pass here.
        port: 0 takes a free one.
        config: as of `create_app`.
        on_ready: told the console's address once it listens.

    Raises:
        ConsoleError: the port is in use, the address is not allowed, or `console.db` cannot be opened.
    """
    if (tls_cert is None) != (tls_key is None):
        raise ConsoleError("console: a TLS certificate and its key belong together; give both or neither")
    secure = tls_cert is not None
    if not secure and not _is_loopback(host):
        raise ConsoleError(
            f"console.host: {host} is open to the network without TLS; give tls_cert and tls_key, or use 127.0.0.1"
        )
    if tls_cert is not None and tls_key is not None:
        _check_tls(tls_cert, tls_key)
    with _listening(host, port) as listener:
        app = create_app(state_dir=state_dir, clock=clock or SystemClock(), secure_cookies=secure, config=config)
        serving = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            lifespan="on",
            timeout_graceful_shutdown=GRACE_S,
            ssl_certfile=tls_cert,
            ssl_keyfile=tls_key,
        )
        server = _Server(serving, app.state.hub)
        if on_ready:
            name = f"[{host}]" if ":" in host else host
            on_ready(f"{'https' if secure else 'http'}://{name}:{listener.getsockname()[1]}/")
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(server.serve(sockets=[listener]))


def _check_tls(cert: Path, key: Path) -> None:
    for path in (cert, key):
        if not path.is_file():
            raise ConsoleError(f"console: {path} is not a file; give the certificate and key in PEM format")
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        raise ConsoleError(f"console: {cert} with {key}: {error}; both must be PEM and belong together") from error


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=128)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConsoleError(
                f"console.port: {port} on {host} is in use; stop the other program or choose another port"
            ) from error
        raise ConsoleError(f"console: cannot listen on {host}:{port}: {error.strerror or error}") from error
    with listener:
        yield listener
