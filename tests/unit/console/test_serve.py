"""What keeps the console from starting, and that its documents name all it offers."""

import re
import socket
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from console.errors import ConsoleError
from console.web import api, pages
from console.web.live import LiveHub
from console.web.metrics import render
from console.web.serve import run_console
from timebase import VirtualClock

DOCUMENT = (Path(__file__).parents[3] / "docs" / "console.md").read_text()


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    """It names the port and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConsoleError, match=f"{port} on 127.0.0.1 is in use; stop the other program"):
            run_console("127.0.0.1", port, state_dir=tmp_path)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "console.example"])
def test_passwords_never_cross_a_network_in_the_clear(tmp_path: Path, host: str) -> None:
    """Without TLS only this machine is served."""
    with pytest.raises(ConsoleError, match="without TLS"):
        run_console(host, 0, state_dir=tmp_path)


def test_a_certificate_needs_its_key(tmp_path: Path) -> None:
    """Half a pair is refused, and so is a file that is not there."""
    with pytest.raises(ConsoleError, match="belong together"):
        run_console("127.0.0.1", 0, state_dir=tmp_path, tls_cert=tmp_path / "cert.pem")
    with pytest.raises(ConsoleError, match=r"cert\.pem is not a file"):
        run_console("127.0.0.1", 0, state_dir=tmp_path, tls_cert=tmp_path / "cert.pem", tls_key=tmp_path / "key.pem")


def test_a_certificate_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    """It names both files."""
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_text("not a certificate")
    with pytest.raises(ConsoleError, match=r"cert\.pem with .*key\.pem: .* belong together"):
        run_console("127.0.0.1", 0, state_dir=tmp_path, tls_cert=tmp_path / "cert.pem", tls_key=tmp_path / "key.pem")


@pytest.mark.parametrize(
    "path",
    sorted({route.path for router in (api.router, pages.router) for route in router.routes if isinstance(route, APIRoute)}),
)
def test_every_route_is_documented(path: str) -> None:
    """docs/console.md names it."""
    assert f"`{path}`" in DOCUMENT or f" {path}`" in DOCUMENT


@pytest.mark.parametrize("metric", sorted(set(re.findall(r"# TYPE (\w+)", render(LiveHub(VirtualClock()))))))
def test_every_metric_is_documented(metric: str) -> None:
    """docs/console.md names it."""
    assert f"`{metric}`" in DOCUMENT
