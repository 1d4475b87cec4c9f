"""The databases that every contract of the ledger is kept on."""

import getpass
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from sync.audit import AuditFiles
from timebase import VirtualClock


def _bin(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    assert found, f"{name} is not installed; `make test` installs Debian's postgresql"
    return str(found[-1])


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """A PostgreSQL of its own, on a Unix socket in a folder of its own."""
    # The server refuses to run as root.
    become = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    user = "postgres" if become else getpass.getuser()
    with tempfile.TemporaryDirectory(prefix="cbpg", dir="/tmp") as folder:
        if become:
            subprocess.run(["chown", "postgres", folder], check=True)
        data = f"{folder}/data"
        subprocess.run(
            [*become, _bin("initdb"), "-D", data, "-A", "trust", "-U", user, "--no-sync"], check=True, capture_output=True
        )
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        start = [*become, _bin("pg_ctl"), "-D", data, "-w", "-l", f"{folder}/log", "-o", options, "start"]
        subprocess.run(start, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield f"postgresql+psycopg://{user}@/postgres?host={folder}"
        finally:
            subprocess.run([*become, _bin("pg_ctl"), "-D", data, "-m", "immediate", "stop"], check=True, capture_output=True)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where a new, empty ledger goes."""
    if request.param == "sqlite":
        return tmp_path / "ledger.db"
    url: str = request.getfixturevalue("postgresql")
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    engine.dispose()
    return url


@pytest.fixture
def audit(tmp_path: Path) -> AuditFiles:
    """Where the audit record's key and anchor go, whatever the database."""
    return AuditFiles.beside(tmp_path / "ledger.db")


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()
