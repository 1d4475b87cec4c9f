"""The timeline page in a real browser."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright, expect

from sync.accounts import load_credentials
from sync.posting import Outcome, Shot
from sync.publisher import XPublisher
from sync.sandbox import Sandbox
from timebase import SystemClock

pytestmark = pytest.mark.system

CLOCK = SystemClock()
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft " * 3


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
        )
        yield chromium
        await chromium.close()


async def test_the_page_shows_tweets_live_and_says_when_it_is_not(browser: Browser, tmp_path: Path) -> None:
    """Empty, then live without a reload, at any width, text never as markup; and red once the sandbox is gone."""
    page = await browser.new_page(viewport={"width": 360, "height": 740})
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    async with Sandbox(tmp_path, [("anna", "anna_tv")]) as sandbox:
        await page.goto(sandbox.page_url)
        await expect(page.locator("#live")).to_have_attribute("data-state", "live")
        await expect(page.get_by_text("No tweets yet.")).to_be_visible()

        posted = await post(sandbox, "Goal <img src=x onerror=alert(1)> 2:1")
        await post(sandbox, LONG)
        tweet = page.locator(".tweet", has_text="Goal <img")  # not the score: the time of day may read so
        await expect(tweet.locator(".text")).to_have_text("Goal <img src=x onerror=alert(1)> 2:1")
        await expect(tweet).to_contain_text("@anna_tv")
        await expect(tweet).to_contain_text("ms after its first byte")
        await expect(page.locator("#tweet-count")).to_have_text("2")
        await expect(page.locator("#requests tr")).to_have_count(2)
        for width in (360, 1280):
            await page.set_viewport_size({"width": width, "height": 740})
            assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

        await page.reload()
        await expect(page.locator("#tweet-count")).to_have_text("2")
        assert posted.tweet_id is not None
        await delete(sandbox, posted.tweet_id)
        await expect(tweet).to_contain_text("deleted")
        await expect(page.locator("#tweet-count")).to_have_text("1")
        assert problems == []

        await page.locator("#reset").click()
        assert len(sandbox.tweets) == 2, "one click asks, it does not remove"
        await page.locator("#reset").click()
        await expect(page.get_by_text("No tweets yet.")).to_be_visible()
        assert sandbox.tweets == []
    await expect(page.locator("#live")).to_have_attribute("data-state", "lost")


def publisher_to(sandbox: Sandbox) -> XPublisher:
    account = load_credentials(sandbox.credentials_file("anna"))
    return XPublisher([account], clock=CLOCK, api_base=sandbox.api_base, ca_file=sandbox.ca_file)


async def post(sandbox: Sandbox, text: str) -> Outcome:
    publisher = publisher_to(sandbox)
    body = json.dumps({"text": text}).encode()
    deadline_mono_ns = CLOCK.mono_ns() + 10_000_000_000
    outcome = await publisher.post(
        Shot(firing_id=1, account_id="anna", body=body, deadline_mono_ns=deadline_mono_ns), lambda: None
    )
    await publisher.close()
    return outcome


async def delete(sandbox: Sandbox, tweet_id: str) -> None:
    publisher = publisher_to(sandbox)
    await publisher.delete("anna", tweet_id, lambda: None)
    await publisher.close()
