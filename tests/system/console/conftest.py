"""A scripted engine behind the real control socket, the console as a process of its own, and a real browser."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from console.users import ConsoleDatabase, People, Role
from console.web.app import DATABASE_NAME, SOCKET_NAME
from sync.control import ControlServer, control_server
from sync.wire import Request
from timebase import SystemClock

PASSWORD = "a long enough password"
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_CONSOLE = """
import sys
from pathlib import Path
from console.web import run_console
run_console("127.0.0.1", 0, state_dir=Path(sys.argv[1]), on_ready=lambda url: print(url, flush=True))
"""

Json = dict[str, Any]


def utc(offset_s: float = 0.0) -> str:
    """Now, moved, as the engine writes instants."""
    return (datetime.now(UTC) + timedelta(seconds=offset_s)).isoformat().replace("+00:00", "Z")


class ScriptedEngine:
    """Answers on the real socket in the real protocol; what it says is up to the test."""

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / SOCKET_NAME
        self.clock = SystemClock()
        self.commands: list[Json] = []
        self.killed, self.mode, self.reason, self.actor = False, "REHEARSAL", "", ""
        self.answers_late_s = 0.0
        self.beating = True
        self.tables: dict[str, list[Json]] = {
            name: [] for name in ("feeds", "detections", "devices", "cues", "airings", "firings", "accounts", "alarms")
        }
        self._server: ControlServer | None = None
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def engine(self) -> Json:
        return {
            "pid": os.getpid(),
            "started_utc": utc(-60),
            "utc": utc(),
            "mono_ns": self.clock.mono_ns(),
            "epoch": 1,
            "mode": self.mode,
            "killed": self.killed,
            "kill_reason": self.reason,
            "kill_actor": self.actor,
        }

    def snapshot(self) -> Json:
        return {"engine": self.engine(), **self.tables}

    async def answer(self, request: Request) -> Json:
        command = request.model_dump()
        self.commands.append(command)
        await self.clock.sleep(self.answers_late_s)
        if command["op"] in ("kill", "release"):
            self.killed = command["op"] == "kill"
            self.reason, self.actor = command["reason"], command["actor"]
            return {"killed": self.killed}
        if command["op"] == "mode":
            self.mode = command["mode"]
            return {"mode": self.mode}
        return {}

    def publish(self, event: str, data: Json) -> None:
        assert self._server is not None
        self._server.publish(event, data)

    async def start(self) -> None:
        self._stop = asyncio.Event()
        listening = asyncio.Event()
        self._task = asyncio.create_task(self._run(listening), name="scripted-engine")
        await listening.wait()

    async def stop(self) -> None:
        self._stop.set()
        if self._task is not None:
            await self._task
            self._task = None

    async def _run(self, listening: asyncio.Event) -> None:
        async with control_server(self.path, self) as self._server:
            listening.set()
            beat = asyncio.create_task(self._beat(), name="scripted-heartbeat")
            await self._stop.wait()
            beat.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beat

    async def _beat(self) -> None:
        while True:
            if self.beating:
                self.publish("heartbeat", self.engine())
            await self.clock.sleep(0.5)


def feed(level_db: float = -18.0, *, feed_id: str = "nord-main", state: str = "live", seen_mono_ns: int | None = None) -> Json:
    """One feed of a snapshot."""
    seen = time.monotonic_ns() if seen_mono_ns is None else seen_mono_ns
    return {
        "feed_id": feed_id,
        "channel": "kanal-nord",
        "state": state,
        "level_db": level_db,
        "position_s": 81.3,
        "seen_mono_ns": seen,
        "sent_utc": utc(),
        "detail": "",
        "last_spot": "",
        "last_utc": None,
    }


def firing(firing_id: int, **changes: Any) -> Json:
    """One firing of a snapshot."""
    return {
        "firing_id": firing_id,
        "occurrence_id": f"airing:kanal-nord/kaffee-30/2027-03-01/{firing_id}",
        "cue_id": "kaffee-spot",
        "cue_name": "Nordkaffee on air",
        "account_id": "nordkaffee",
        "mode": "LIVE",
        "action": "post",
        "state": "POSTED",
        "reason": "",
        "guard": "",
        "text": "Now on Kanal Nord: the story behind our coffee. #ad",
        "tweet_id": "1894000000000000000",
        "updated_utc": utc(),
        "receipt": {
            "on_air_mono_ns": 1_000_000_000,
            "heard_mono_ns": 1_212_400_000,
            "decided_mono_ns": 1_212_900_000,
            "claimed_mono_ns": 1_213_500_000,
            "first_byte_mono_ns": 1_214_100_000,
            "answered_mono_ns": 1_229_800_000,
            "on_air_utc": utc(-0.3),
            "decided_utc": utc(-0.1),
            "answered_utc": utc(),
            "connection": "warm",
        },
        "steps_ms": {"heard": 212.4, "decided": 212.9, "claimed": 213.5, "first_byte": 214.1, "answered": 229.8},
    } | changes


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for the tests of a module; each test has a context of its own."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM_ARGUMENTS)
        yield chromium
        await chromium.close()


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """A state folder with an operator `ops` and a viewer `guest`."""
    database = ConsoleDatabase(tmp_path / DATABASE_NAME)
    people = People(database, SystemClock())
    people.add("ops", Role.OPERATOR, PASSWORD)
    people.add("guest", Role.VIEWER, PASSWORD)
    database.close()
    return tmp_path


@pytest_asyncio.fixture(loop_scope="module")
async def engine(state_dir: Path) -> AsyncIterator[ScriptedEngine]:
    """A running scripted engine."""
    scripted = ScriptedEngine(state_dir)
    await scripted.start()
    yield scripted
    await scripted.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def console_url(state_dir: Path, engine: ScriptedEngine) -> AsyncIterator[str]:
    """The address of a console process that follows the engine."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _CONSOLE, str(state_dir), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().strip()
    assert url, "the console did not start"
    yield url
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 10) in (0, -15)


@pytest_asyncio.fixture(loop_scope="module")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A browser profile of this test's own."""
    fresh = await browser.new_context(viewport={"width": 1440, "height": 900})
    yield fresh
    await fresh.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(context: BrowserContext, console_url: str) -> AsyncIterator[Page]:
    """The live page, with `ops` logged in. Fails on any error the page itself reports."""
    complaints: list[str] = []
    fresh = await context.new_page()
    fresh.on("pageerror", lambda error: complaints.append(str(error)))
    fresh.on("console", lambda message: complaints.append(message.text) if "Content Security Policy" in message.text else None)
    await log_in(fresh, console_url, "ops")
    yield fresh
    assert not complaints


async def log_in(page: Page, url: str, name: str, password: str = PASSWORD) -> None:
    """Fill in the log-in form as a person would."""
    await page.goto(url)
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Log in").click()
