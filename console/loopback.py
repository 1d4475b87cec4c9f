"""Waits on this machine for the browser that X sends back after a sign-in (RFC 8252, section 7.3)."""

import ipaddress
import socket
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Final
from urllib.parse import parse_qs, urlsplit

from console.config import ConfigError

WAIT_S_MAX: Final = 600.0
"""Longest wait for somebody who signs in; X's page may ask for a password and a second factor."""
_READ_S: Final = 5.0
_PAGE: Final = (
    b"<!doctype html><meta charset=utf-8><title>Cuebird</title>"
    b"<style>body{font:1.1rem system-ui;margin:20vh auto;max-width:26rem}</style>"
    b"<p>Cuebird has its answer. Close this window and go back to the terminal."
)


class Loopback:
    """The redirect address as a resource: enter it before the page is opened, then `wait`.

    Args:
        redirect_uri: `http://127.0.0.1:PORT/PATH`, exactly as the app's settings have it.

    Raises:
        ConfigError: it is no address of this machine, or another program listens there.
    """

    def __init__(self, redirect_uri: str, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        parts = urlsplit(redirect_uri)
        try:
            port, is_here = parts.port or 80, ipaddress.ip_address(parts.hostname or "").is_loopback
        except ValueError:
            port, is_here = 0, False
        if parts.scheme != "http" or not is_here:
            raise ConfigError(f"--redirect-uri {redirect_uri}: give http://127.0.0.1:PORT/PATH, as the app's settings have it")
        self._back, self._clock_s = "", clock_s
        try:
            self._server = _server_class(parts.hostname or "")((parts.hostname or "", port), self._handler(parts.path))
        except OSError as error:
            why = error.strerror or str(error)
            raise ConfigError(f"--redirect-uri {redirect_uri}: {why}; stop what listens there, or use --paste") from error

    def __enter__(self) -> "Loopback":
        return self

    def __exit__(self, *_: object) -> None:
        self._server.server_close()

    def wait(self) -> str:
        """The whole address the browser came back with.

        Raises:
            ConfigError: nobody came in ten minutes.
        """
        give_up_s = self._clock_s() + WAIT_S_MAX
        while not self._back:
            self._server.timeout = give_up_s - self._clock_s()
            if self._server.timeout <= 0:
                raise ConfigError("nobody came back from X's page in ten minutes; begin again")
            self._server.handle_request()
        return self._back

    def _handler(self, path: str) -> type[BaseHTTPRequestHandler]:
        loopback = self

        class Handler(BaseHTTPRequestHandler):
            timeout = _READ_S

            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                wanted = urlsplit(self.path).path == path and "state" in query and ("code" in query or "error" in query)
                self.send_response(200 if wanted else 404)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(_PAGE) if wanted else 0))
                self.end_headers()
                if wanted:
                    self.wfile.write(_PAGE)
                    loopback._back = f"http://{self.headers.get('Host', '')}{self.path}"

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing: the address holds the code."""

        return Handler


def _server_class(host: str) -> type[HTTPServer]:
    class Server(HTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        allow_reuse_address = False

    return Server
