"""An engine that stands by says so, as long as it does and no longer."""

import asyncio
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from console.web.engine import EngineRefusedError, EngineSocket
from console.web.live import EngineLostError, EngineStandsByError
from sync.lease import Lease
from sync.standby import STANDBY_NAME, Standby, StandbySign, standby_at
from timebase import VirtualClock

MAIN = Lease(holder="arena:/var/lib/cuebird", epoch=3, beat=10)
NOON = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def path() -> Iterator[Path]:
    """A socket path short enough for the kernel, wherever pytest keeps its folders."""
    with tempfile.TemporaryDirectory(prefix="cb", dir="/tmp") as folder:
        yield Path(folder) / STANDBY_NAME


def permissions(path: Path) -> int:
    return path.stat().st_mode & 0o777


def is_there(path: Path) -> bool:
    return path.exists()


async def test_a_sign_says_who_fires_and_since_when(path: Path) -> None:
    """Another engine that fires meanwhile is named; since when does not change. Afterwards nothing is there."""
    clock = VirtualClock(start_utc=NOON)
    sign = StandbySign(path, clock)
    assert await standby_at(path) is None
    await sign.show(MAIN)
    assert await standby_at(path) == Standby(holder=MAIN.holder, epoch=3, since_utc=NOON)
    assert permissions(path) == 0o600
    await clock.advance(60)
    await sign.show(Lease(holder="truck:/var/lib/cuebird", epoch=4, beat=0))
    shown = await standby_at(path)
    assert shown == Standby(holder="truck:/var/lib/cuebird", epoch=4, since_utc=NOON)
    assert str(shown) == "This engine stands by since 2027-03-01 12:00:00 UTC; the one of truck:/var/lib/cuebird fires"
    await sign.close()
    assert await standby_at(path) is None
    assert not is_there(path)


async def test_a_sign_that_a_dead_process_left_is_no_standby(path: Path) -> None:
    """The file alone says nothing, and is no obstacle to the next sign."""
    listening = await asyncio.start_unix_server(lambda _, writer: writer.close(), path)
    listening.close()
    await listening.wait_closed()
    assert is_there(path)
    assert await standby_at(path) is None
    sign = StandbySign(path, VirtualClock())
    await sign.show(MAIN)
    assert await standby_at(path) is not None
    await sign.close()


@pytest.mark.parametrize("line", [b"", b"yes\n", b"[]\n", b'{"holder": "x"}\n', b"x" * 10_000])
async def test_what_is_no_sign_is_not_believed(path: Path, line: bytes) -> None:
    """Whatever answers there."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(line)
        writer.close()

    async with await asyncio.start_unix_server(answer, path):
        assert await standby_at(path) is None


async def test_a_sign_that_cannot_be_put_up_stops_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Standing by goes on; the log says what is wrong."""
    sign = StandbySign(tmp_path / ("x" * 120) / STANDBY_NAME, VirtualClock())
    await sign.show(MAIN)
    await sign.close()

    assert "standby_not_shown" in caplog.text


async def test_the_console_learns_why_nobody_answers(path: Path) -> None:
    """To stand by is not to be gone; without the sign it is."""
    engine = EngineSocket(path.with_name("engine.sock"))
    sign = StandbySign(path, VirtualClock(start_utc=NOON))
    await sign.show(MAIN)
    with pytest.raises(
        EngineStandsByError, match="stands by since 2027-03-01 12:00:00 UTC; the one of arena:/var/lib/cuebird fires"
    ):
        await engine.request("kill", actor="ops", reason="x")
    with pytest.raises(EngineStandsByError):
        await _first(engine)
    await sign.close()
    for asking in (engine.request("ping"), _first(engine)):
        with pytest.raises(EngineLostError, match="no engine answers here") as lost:
            await asking
        assert not isinstance(lost.value, EngineStandsByError | EngineRefusedError)


async def _first(engine: EngineSocket) -> None:
    async with engine.subscribe() as events:
        async for _ in events:
            return
