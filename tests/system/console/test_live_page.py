"""The console as a person meets it: a real process, the real control socket with a scripted engine behind it, a real browser."""

import asyncio
import contextlib
import os
import re
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, StorageState, async_playwright, expect

from console.users import DATABASE_NAME, ConsoleDatabase, People, Role
from console.web.app import SOCKET_NAME
from sync.control import ControlServer, control_server
from sync.lease import Lease
from sync.standby import STANDBY_NAME, StandbySign
from sync.wire import Request
from timebase import SystemClock

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="module")]

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
        self.beating = True
        self.tables: dict[str, list[Json]] = {
            name: []
            for name in (
                "feeds",
                "detections",
                "devices",
                "cues",
                "airings",
                "firings",
                "accounts",
                "alarms",
                "marker_sources",
                "markers",
                "tallies",
            )
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

    async def begin_again(self) -> None:
        """Forget everything; whoever follows is disconnected, and this returns once somebody follows again."""
        self.commands.clear()
        self.killed, self.mode, self.reason, self.actor, self.beating = False, "REHEARSAL", "", "", True
        if self._task is None:
            await self.start()
        assert self._server is not None
        self._server.close()
        await self.clock.sleep(0.01)
        async with asyncio.timeout(10):
            while not self._server.subscribers:
                await self.clock.sleep(0.01)

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


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with an operator `ops`, a viewer `guest` and `leaver`, who will be removed."""
    folder = tmp_path_factory.mktemp("state")
    database = ConsoleDatabase(folder / DATABASE_NAME)
    people = People(database, SystemClock())
    for name, role in (("ops", Role.OPERATOR), ("guest", Role.VIEWER), ("leaver", Role.ADMIN)):
        people.add(name, role, PASSWORD)
    database.close()
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running_engine(state_dir: Path) -> AsyncIterator[ScriptedEngine]:
    """The scripted engine of the module."""
    scripted = ScriptedEngine(state_dir)
    await scripted.start()
    yield scripted
    await scripted.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def console_url(state_dir: Path, running_engine: ScriptedEngine) -> AsyncIterator[str]:
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
async def engine(running_engine: ScriptedEngine, console_url: str) -> ScriptedEngine:
    """The engine as if newly begun, with the console following it."""
    await running_engine.begin_again()
    return running_engine


@pytest_asyncio.fixture(loop_scope="module")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A browser profile of this test's own."""
    fresh = await browser.new_context(viewport={"width": 1440, "height": 900})
    fresh.set_default_timeout(8000)
    yield fresh
    await fresh.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ops_state(browser: Browser, console_url: str) -> StorageState:
    """What a browser keeps once `ops` has logged in."""
    profile = await browser.new_context()
    page = await profile.new_page()
    await log_in(page, console_url, "ops")
    await expect(page.locator("#kill")).to_be_visible()
    kept = await profile.storage_state()
    await profile.close()
    return kept


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, console_url: str, engine: ScriptedEngine, ops_state: StorageState) -> AsyncIterator[Page]:
    """The live page, with `ops` logged in. Fails on any error the page itself reports."""
    complaints: list[str] = []
    context = await browser.new_context(viewport={"width": 1440, "height": 900}, storage_state=ops_state)
    context.set_default_timeout(8000)
    fresh = await context.new_page()
    fresh.on("pageerror", lambda error: complaints.append(str(error)))
    fresh.on("console", lambda message: complaints.append(message.text) if "Content Security Policy" in message.text else None)
    await fresh.goto(console_url)
    await expect(fresh.locator("body")).to_have_attribute("data-fresh", "yes")
    yield fresh
    await context.close()
    assert not complaints


async def log_in(page: Page, url: str, name: str, password: str = PASSWORD) -> None:
    """Fill in the log-in form as a person would."""
    await page.goto(url)
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Log in").click()


async def test_log_in_shows_the_live_page(context: BrowserContext, console_url: str, engine: ScriptedEngine) -> None:
    """Name and password lead to a page that shows the mode and a fresh heartbeat."""
    page = await context.new_page()
    await log_in(page, console_url, "ops")
    await expect(page.locator("#mode-word")).to_have_text("REHEARSAL")
    await expect(page.locator("body")).to_have_attribute("data-fresh", "yes")
    await expect(page.locator("#stale")).to_be_hidden()


async def test_a_wrong_password_says_so_and_shows_nothing(context: BrowserContext, console_url: str) -> None:
    """A failed log-in stays on the form with one sentence."""
    page = await context.new_page()
    await log_in(page, console_url, "ops", "not the password")
    await expect(page.get_by_role("alert")).to_have_text("Name and password do not belong together.")
    await page.goto(console_url)
    assert page.url.endswith("/login")


async def test_feeds_move(page: Page, engine: ScriptedEngine) -> None:
    """A new level moves the meter and its figure."""
    engine.publish("feed", feed(-40.0))
    await expect(page.locator(".meter-db")).to_have_text("-40.0 dB")
    low = await page.locator(".meter-fill").evaluate("node => node.style.transform")
    engine.publish("feed", feed(-6.0))
    await expect(page.locator(".meter-db")).to_have_text("-6.0 dB")
    assert await page.locator(".meter-fill").evaluate("node => node.style.transform") != low


async def test_a_feed_without_data_is_shown_as_old(page: Page, engine: ScriptedEngine) -> None:
    """Whatever state word the engine sends, old samples look old."""
    engine.publish("feed", feed(-20.0, seen_mono_ns=time.monotonic_ns() - 5_000_000_000))
    await expect(page.locator(".feed .old")).to_have_text(re.compile(r"data [5-9]\.\d s old"))
    await expect(page.locator(".meter-db")).to_have_text("– dB")


async def test_an_approval_that_ends_too_early_is_told_on_the_cue(page: Page, engine: ScriptedEngine) -> None:
    """Below what the cue does now, as long as it is so."""
    cue: Json = {"cue_id": "a", "name": "Coffee", "kind": "spot", "account_id": "x", "variants_left": 3}
    cue |= {"state": "armed", "detail": "window open until 20:15:30 UTC"}
    sentence = "its approval ends 2027-03-01 19:00 UTC, before the window of 2027-03-01 20:15 UTC closes"
    engine.publish("cue", {**cue, "warning": sentence})
    await expect(page.locator("#cues article .warn")).to_have_text(sentence)
    await expect(page.locator("#cues article .warn")).to_be_visible()
    engine.publish("cue", {**cue, "warning": ""})
    await expect(page.locator("#cues article .warn")).to_be_hidden()


async def test_a_cue_that_is_over_leaves_the_page(page: Page, engine: ScriptedEngine) -> None:
    """What is spent wants a person; what is over does not, and is only counted."""
    for cue_id, name in (("a", "Coffee"), ("b", "Tea")):
        cue = {
            "cue_id": cue_id,
            "name": name,
            "kind": "spot",
            "account_id": "x",
            "state": "spent",
            "detail": "",
            "variants_left": 0,
        }
        engine.publish("cue", cue)
    await expect(page.locator("#cues article")).to_have_count(2)
    await expect(page.locator("#cues-count")).to_have_text("2")
    engine.publish("cue", {**cue, "state": "over"})
    await expect(page.locator("#cues article")).to_have_count(1)
    await expect(page.locator("#cues article .name")).to_have_text("Coffee")
    await expect(page.locator("#cues-count")).to_have_text("1, 1 over")


async def test_an_accounts_tile_shows_how_long_its_token_holds(page: Page, engine: ScriptedEngine) -> None:
    """It counts down, says when it has ended, and what a person must do; keys that do not end show nothing."""
    account = {
        "account_id": "coffee",
        "handle": "coffee_tv",
        "connections": 2,
        "warm": True,
        "remaining": 98,
        "reset_utc": None,
        "last_answer_utc": utc(-3),
        "detail": "",
        "token_expires_utc": utc(3000),
        "fault": "",
    }
    tile = page.locator("#accounts article")
    engine.publish("account", account)
    await expect(tile).to_contain_text(re.compile(r"98 posts left · token (50:00|49:\d\d)"))
    ended = "the access token of account coffee ended at 20:00:00 UTC and was not renewed"
    engine.publish("account", {**account, "token_expires_utc": utc(-5), "detail": ended})
    await expect(tile).to_contain_text("token ended")
    await expect(tile).to_contain_text(ended)
    engine.publish("account", {**account, "token_expires_utc": None})
    await expect(tile).not_to_contain_text("token")


async def test_an_engine_that_stands_by_says_so(page: Page, engine: ScriptedEngine) -> None:
    """Who fires and since when, instead of a connection that is missing; once it has taken over all is fresh again."""
    sign = StandbySign(engine.path.with_name(STANDBY_NAME), engine.clock)
    await engine.stop()
    await sign.show(Lease(holder="arena:/var/lib/cuebird", epoch=3, beat=1))
    await expect(page.locator("#stale-word")).to_have_text("STANDBY")
    await expect(page.locator("#stale-text")).to_have_text(
        re.compile(r"^This engine stands by since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC; the one of arena:/var/lib/cuebird fires\.$")
    )
    await expect(page.locator("body")).to_have_attribute("data-fresh", "no")
    await expect(page).to_have_title("STANDBY · Cuebird")
    await sign.close()
    await engine.start()
    await expect(page.locator("body")).to_have_attribute("data-fresh", "yes")
    await expect(page.locator("#stale")).to_be_hidden()


async def test_a_firing_appears_with_its_receipt(page: Page, engine: ScriptedEngine) -> None:
    """Text, outcome and each step in milliseconds; then everything on its own page."""
    engine.publish("firing", firing(12, state="CLAIMED", steps_ms={"heard": 212.4, "decided": 212.9, "claimed": 213.5}))
    card = page.locator(".firing")
    await expect(card.locator(".outcome")).to_have_text("SENDING")
    engine.publish("firing", firing(12))
    await expect(card).to_have_count(1)
    await expect(card.locator(".outcome")).to_have_text("POSTED")
    await expect(card.locator(".tweet")).to_have_text("Now on Kanal Nord: the story behind our coffee. #ad")
    await expect(card.locator(".headline b")).to_have_text("214.1 ms")
    await expect(card.locator(".steps")).to_have_text("heard 212.4decided +0.5claimed +0.6first byte +0.6answered +15.7")
    widths = await card.locator(".scale i").evaluate_all("parts => parts.map(part => parseFloat(part.style.width))")
    assert widths[0] == pytest.approx(212.4 / 500 * 100)
    await card.get_by_role("link").click()
    await expect(
        page.get_by_role("cell", name="1894000000000000000").or_(page.get_by_text("1894000000000000000"))
    ).to_be_visible()
    await expect(page.get_by_role("row", name=re.compile("First byte 214.1 ms"))).to_be_visible()


async def test_a_rehearsed_firing_is_never_called_posted(page: Page, engine: ScriptedEngine) -> None:
    """Rehearsal has its own word."""
    engine.publish("firing", firing(1, mode="REHEARSAL"))
    await expect(page.locator(".firing .outcome")).to_have_text("REHEARSED")


async def test_a_deletion_is_never_called_posted(page: Page, engine: ScriptedEngine) -> None:
    """A goal that was taken back shows the tweet struck out."""
    engine.publish("firing", firing(1, action="delete", occurrence_id="goal:final/home/2/1"))
    await expect(page.locator(".firing .outcome")).to_have_text("DELETED")
    await expect(page.locator(".firing .tweet")).to_have_class(re.compile("gone"))
    await expect(page.locator(".firing .headline")).to_contain_text("goal → first byte")


async def test_a_firing_that_waits_can_be_vetoed_with_one_press(page: Page, engine: ScriptedEngine) -> None:
    """The button stands on what waits and on nothing else."""
    engine.publish("firing", firing(11))
    engine.publish("firing", firing(12, state="ARMED", steps_ms={"heard": 212.4}))
    await expect(page.locator(".firing")).to_have_count(2)
    veto = page.get_by_role("button", name="VETO")
    await expect(veto).to_have_count(1)
    await veto.click()
    await expect(veto).to_be_enabled()
    assert engine.commands == [{"op": "veto", "firing_id": 12, "actor": "ops", "reason": "veto button"}]
    engine.publish("firing", firing(12, state="WITHDRAWN", reason="vetoed: veto button"))
    await expect(veto).to_have_count(0)


async def test_an_unknown_firing_is_settled_on_its_own_page(page: Page, engine: ScriptedEngine) -> None:
    """What was seen, the tweet's id, and how one knows; then the page shows what the engine says."""
    engine.publish("firing", firing(13, state="UNKNOWN", reason="no answer", tweet_id=None))
    await page.get_by_role("link", name="Firing 13 in full").click()
    await page.get_by_label("It was posted").check()
    await page.locator("input[name=tweet_id]").fill("1894")
    await page.get_by_label("How you know").fill("it is on the timeline")
    async with page.expect_navigation():
        await page.get_by_role("button", name="Settle").click()
    assert engine.commands == [
        {
            "op": "settle",
            "firing_id": 13,
            "state": "POSTED",
            "actor": "ops",
            "reason": "it is on the timeline",
            "tweet_id": "1894",
        }
    ]


async def test_kill_is_one_press_and_release_is_not(page: Page, engine: ScriptedEngine) -> None:
    """KILL asks nothing; releasing takes a reason and the typed word."""
    await page.get_by_role("button", name="KILL").click()
    await expect(page.locator("#killed")).to_be_visible()
    await expect(page.locator("body")).to_have_attribute("data-killed", "yes")
    assert engine.commands == [{"op": "kill", "actor": "ops", "reason": "kill button"}]
    await page.get_by_role("button", name="Release…").click()
    confirm = page.locator("#release-confirm")
    await expect(confirm).to_be_disabled()
    await page.get_by_label("Reason").fill("creative was replaced")
    await page.get_by_label("Type RELEASE to confirm").fill("RELEASE")
    await confirm.click()
    await expect(page.locator("#killed")).to_be_hidden()
    assert engine.commands[1:] == [{"op": "release", "actor": "ops", "reason": "creative was replaced"}]


async def test_live_takes_the_typed_word(page: Page, engine: ScriptedEngine) -> None:
    """The confirm button stays shut until LIVE is typed."""
    await expect(page.locator("#mode-word")).to_have_text("REHEARSAL")
    await page.locator("#mode").click()
    await page.locator("#mode-dialog").get_by_text("LIVE", exact=True).first.click()
    await expect(page.locator("#mode-confirm")).to_be_disabled()
    await page.get_by_label("Type LIVE to confirm").fill("LIVE")
    await page.get_by_role("button", name="Go LIVE").click()
    await expect(page.locator("#mode-word")).to_have_text("LIVE")
    assert engine.commands == [{"op": "mode", "mode": "LIVE", "actor": "ops"}]


async def test_no_single_key_commands_anything(page: Page, engine: ScriptedEngine) -> None:
    """Every printable key, Enter, Space and Escape on a fresh page: nothing reaches the engine; ? opens the help."""
    await expect(page.locator("body")).to_have_attribute("data-fresh", "yes")
    for key in [*"abcdefghijklmnopqrstuvwxyz0123456789", "Enter", "Space", "Escape", "Delete"]:
        await page.keyboard.press(key)
    assert engine.commands == []
    await page.keyboard.press("?")
    await expect(page.locator("#help-dialog")).to_be_visible()


async def test_a_viewer_may_kill_but_not_change_the_mode(
    context: BrowserContext, console_url: str, engine: ScriptedEngine
) -> None:
    """Anybody who is logged in may stop; starting takes an operator."""
    page = await context.new_page()
    await log_in(page, console_url, "guest")
    await expect(page.locator("#mode")).to_be_disabled()
    await page.get_by_role("button", name="KILL").click()
    await expect(page.locator("#killed")).to_be_visible()
    await expect(page.locator("#release-open")).to_be_disabled()


async def test_a_dead_engine_turns_the_page_grey_and_back(page: Page, engine: ScriptedEngine) -> None:
    """The loss is visible with a sentence, KILL says that it is not confirmed, and a new engine clears it."""
    await expect(page.locator("body")).to_have_attribute("data-fresh", "yes")
    await engine.stop()
    await expect(page.locator("body")).to_have_attribute("data-fresh", "no", timeout=3000)
    await expect(page.locator("#stale")).to_contain_text("STALE")
    await expect(page.locator("#stale")).to_contain_text("No connection to the engine")
    await page.get_by_role("button", name="KILL").click()
    await expect(page.locator("#failed-text")).to_contain_text("KILL IS NOT CONFIRMED")
    await engine.start()
    await expect(page.locator("body")).to_have_attribute("data-fresh", "yes")


async def test_a_hung_engine_turns_the_page_grey(page: Page, engine: ScriptedEngine) -> None:
    """A connection without a heartbeat is not taken for a healthy engine, however busy its feeds are."""
    await expect(page.locator("body")).to_have_attribute("data-fresh", "yes")
    engine.beating = False
    for _ in range(25):
        engine.publish("feed", feed(-20.0))
        await engine.clock.sleep(0.1)
    await expect(page.locator("body")).to_have_attribute("data-fresh", "no", timeout=1000)
    await expect(page.locator("#stale-text")).to_have_text("The engine is silent.")


async def test_broken_data_does_not_break_the_page(page: Page, engine: ScriptedEngine, console_url: str) -> None:
    """Nulls, markup, huge texts and unknown states are shown as text, and what comes after them still works."""
    huge = "<img src=x onerror=alert(1)>" * 5000
    broken: dict[str, Any] = dict.fromkeys(firing(1))
    engine.publish("firing", broken | {"firing_id": 1})
    engine.publish(
        "firing", firing(2, state="EXPLODED", text=huge, cue_name=huge, reason=huge, steps_ms={"heard": "x", "answered": -5})
    )
    engine.publish("firing", firing(3, state="DECLINED", reason=huge, steps_ms=[], receipt=None))
    engine.publish("feed", {"feed_id": "odd", "level_db": None, "state": 7, "channel": huge})
    engine.publish("device", {"venue": "v", "device": "d", "home": "<b>", "clock": huge, "period": huge, "fixture": huge})
    engine.publish("marker_source", {"source_id": "s", "channel": huge, "state": None, "messages": huge, "detail": huge})
    engine.publish("marker", {"source_id": "s", "event": "1", "what": huge, "at_utc": "never", "sound_later_ms": huge})
    engine.publish("cue", {"cue_id": "c", "name": huge, "state": None, "detail": huge, "variants_left": "many"})
    engine.publish("airing", {"airing_id": "a", "planned_utc": "yesterday", "state": {}, "spot_id": huge})
    engine.publish("account", {"account_id": "a", "handle": huge, "remaining": "all", "reset_utc": 5})
    engine.publish("alarm", {"alarm_id": 1, "utc": "?", "level": None, "text": huge})
    engine.publish("alarm", {"no id": True})
    engine.publish("firing", firing(4, text="after the storm"))
    await expect(page.get_by_text("after the storm")).to_be_visible()
    await expect(page.locator(".firing")).to_have_count(4)
    await expect(page.get_by_text("EXPLODED")).to_be_visible()
    assert await page.locator("main img").count() == 0
    assert await page.get_by_text("This record cannot be shown.").count() == 0
    await expect(page.locator("body")).to_have_attribute("data-fresh", "yes")
    await page.set_viewport_size({"width": 360, "height": 800})
    wide = await page.evaluate(
        "[...document.querySelectorAll('main *')].filter(n => n.getBoundingClientRect().right > 361).map(n => n.className)"
    )
    assert await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), wide
    for firing_id in (1, 2, 3):
        response = await page.request.get(f"{console_url}firings/{firing_id}")
        assert response.status == 200
        assert "<img" not in await response.text()


async def test_sources_of_markers_are_seen_to_fail(page: Page, engine: ScriptedEngine) -> None:
    """No room is taken where there are none; a source says how it is, and its newest marker how the sound agreed."""
    await expect(page.locator("#markers")).to_be_hidden()
    source = {"source_id": "ts-nord", "channel": "nord", "messages": 4, "damaged": 1, "ignored": 0, "detail": ""}
    engine.publish("marker_source", source | {"state": "live", "seen_mono_ns": engine.clock.mono_ns()})
    marker = {"source_id": "ts-nord", "channel": "nord", "what": "splice out", "spot_id": "kaffee-30", "state": "announced"}
    engine.publish("marker", marker | {"event": "1", "at_mono_ns": 1, "at_utc": utc(-9), "sound_later_ms": None})
    engine.publish("marker", marker | {"event": "2", "at_mono_ns": 2, "at_utc": utc(), "sound_later_ms": 41.6})
    tile = page.locator("#marker_sources article")
    await expect(tile).to_contain_text("4 messages, 1 damaged")
    await expect(tile).to_contain_text("kaffee-30, sound +42 ms")
    engine.publish("marker_source", source | {"state": "live", "seen_mono_ns": engine.clock.mono_ns() - 5_000_000_000})
    await expect(tile.locator(".pill")).to_have_text("silent")
    engine.publish("marker_source", source | {"state": "failed", "detail": "nothing for 3 s; look at the sender"})
    await expect(tile.locator(".pill")).to_have_attribute("data-tone", "bad")
    await expect(tile).to_contain_text("look at the sender")


async def test_a_devices_tile_tells_how_its_console_its_clock_and_its_messages_are(page: Page, engine: ScriptedEngine) -> None:
    """Ages, errors of the last minute, connections, clock, newest event, refusals by reason; a button has no board."""
    device = {
        "venue": "eishalle",
        "device": "oes-1",
        "fixture": "final",
        "state": "online",
        "home": 2,
        "away": 1,
        "clock": "11:35",
        "period": "3",
        "connections": 2,
        "dropped_events": 0,
        "clock_source": "synchronised",
        "clock_by": "chrony",
        "clock_behind_ms": 12.4,
        "refused": 3,
        "refusals": {"bad_signature": 1, "stale": 2},
        "last_event": "goal home 2:1",
        "last_event_utc": utc(),
        "detail": "",
    }

    def tell(good: int, bad: int, frame_ago_s: float, **changes: Any) -> None:
        now_ns = engine.clock.mono_ns()
        frame = {"good_frames": good, "bad_frames": bad, "frame_mono_ns": now_ns - round(frame_ago_s * 1e9)}
        engine.publish("device", device | frame | {"seen_mono_ns": now_ns} | changes)

    tile = page.locator("#devices article")
    tell(900, 1, 0.1)
    await expect(tile).to_contain_text("900 frames, 1 bad")
    for words in (
        "2 connections",
        "Clock 12 ms behind, synchronised, chrony.",
        "goal home 2:1",
        "3 refused: stale 2, bad signature 1",
    ):
        await expect(tile).to_contain_text(words)
    await expect(tile.locator(".end.old")).to_have_count(0)
    tell(996, 5, 5)
    await expect(tile).to_contain_text("996 frames, 5 bad, 4.0 % of the last minute's")
    await expect(tile.locator(".end.old")).to_contain_text("frame 5")
    tell(1000, 5, 0.1, clock_behind_ms=-800.0, clock_source="unsynchronised", clock_by="", refused=0, refusals={})
    await expect(tile.locator(".warn").first).to_have_text("Clock 800 ms ahead, unsynchronised.")
    await expect(tile).not_to_contain_text("refused")
    await expect(tile.locator(".board")).to_be_visible()
    tell(3, 0, 600, home=None, away=None, clock="", period="")
    await expect(tile.locator(".board")).to_be_hidden()
    await expect(tile.locator(".end.old")).to_have_count(0)


async def test_a_tally_is_on_air_only_while_it_is_told_of(page: Page, engine: ScriptedEngine) -> None:
    """No room is taken where there is none; a lamp that was on when its mixer or its listener fell silent is not shown as on."""
    await expect(page.locator("#tally")).to_be_hidden()
    tally = {
        "tally_id": "nord-pgm",
        "state": "live",
        "on_air": True,
        "label": "PGM",
        "frames": 7,
        "damaged": 1,
        "silence_s": 10.0,
    }
    pill = page.locator("#tallies article .pill")
    for seen_ago_s, sent_ago_s, changes, word, tone in (
        (1, 0, {}, "on air", "good"),
        (1, 0, {"on_air": False}, "off air", ""),
        (11, 0, {}, "silent", "warn"),
        (1, 5, {}, "silent", "warn"),
        (1, 0, {"state": "failed", "detail": "cannot be listened to"}, "failed", "bad"),
    ):
        seen = {"seen_mono_ns": engine.clock.mono_ns() - seen_ago_s * 10**9, "sent_utc": utc(-sent_ago_s)}
        engine.publish("tally", tally | seen | changes)
        await expect(pill).to_have_text(word)
        await expect(pill).to_have_attribute("data-tone", tone)
    await expect(page.locator("#tallies article")).to_contain_text("7 messages, 1 damaged")


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_no_width_scrolls_sideways(theme: str, page: Page, engine: ScriptedEngine) -> None:
    """From a phone to a wall, in both themes, everything fits."""
    engine.publish("feed", feed(-12.0))
    engine.publish("firing", firing(1))
    engine.publish("firing", firing(2, state="DECLINED", reason="no airing is planned now", steps_ms={}))
    engine.publish("alarm", {"alarm_id": 1, "utc": utc(), "level": "warning", "text": "Feed nord-main was silent for 4 s."})
    await expect(page.locator(".firing")).to_have_count(2)
    if theme == "light":
        await page.get_by_role("button", name="Theme").click()
    assert await page.evaluate("getComputedStyle(document.documentElement).colorScheme") == theme
    for width in (360, 900, 1440, 3840):
        await page.set_viewport_size({"width": width, "height": 900})
        overflow = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow == 0, f"{width} px: {overflow} px too wide"
        await expect(page.get_by_role("button", name="KILL")).to_be_in_viewport()


async def test_a_removed_account_is_out_at_once(context: BrowserContext, state_dir: Path, console_url: str) -> None:
    """The next request of a removed person leads to the log-in form."""
    page = await context.new_page()
    await log_in(page, console_url, "leaver")
    await expect(page.locator("#kill")).to_be_visible()
    database = ConsoleDatabase(state_dir / DATABASE_NAME)
    People(database, SystemClock()).remove("leaver")
    database.close()
    await page.goto(console_url)
    assert page.url.endswith("/login")
