"""The page of plans as a buyer meets it: a real console, a real browser, a file dropped on it."""

import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect

from console.users import DATABASE_NAME, ConsoleDatabase, People, Role
from tests.system.console.test_live_page import CHROMIUM_ARGUMENTS, PASSWORD
from timebase import SystemClock

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[3]
CONFIG = """
[paths]
state_dir = "state"
[[channel]]
id = "nord"
name = "Nord"
timezone = "Europe/Stockholm"
"""
HEADER = "channel,date,time,spot\n"
FIRST = HEADER + "nord,2027-03-01,20:15,kaffee-30\nnord,2027-03-01,21:15,tee-20\n"
SECOND = HEADER + "nord,2027-03-01,20:25,kaffee-30\nnord,2027-03-02,20:15,kaffee-30\n"
WRONG = HEADER + "nord,2027-03-01,20:15,nobody\n"
DROP = """([selector, name, text]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name));
  document.querySelector(selector).dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Of a console over a configuration with one channel and two spots, and a person who may import."""
    (tmp_path / "cuebird.toml").write_text(CONFIG)
    (tmp_path / "spots").mkdir()
    (tmp_path / "state").mkdir()
    for name in ("kaffee-30.opus", "tee-20.opus"):
        (tmp_path / "spots" / name).touch()
    database = ConsoleDatabase(tmp_path / "state" / DATABASE_NAME)
    People(database, SystemClock()).add("mia", Role.OPERATOR, PASSWORD)
    database.close()
    program = (
        "import sys; from pathlib import Path; from console.config import load_config; from console.web import run_console; "
        "config = load_config(Path(sys.argv[1])); ready = lambda url: print(url, flush=True); "
        "run_console('127.0.0.1', 0, state_dir=config.paths.state_dir, config=config, on_ready=ready)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "cuebird.toml")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@pytest.fixture
async def page(address: str) -> AsyncIterator[Page]:
    """The page of plans, logged in; what goes wrong in its scripts fails the test."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_ARGUMENTS)
        page = await browser.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        await page.goto(f"{address}login")
        await page.fill("[name=name]", "mia")
        await page.fill("[name=password]", PASSWORD)
        await page.click("button.primary")
        await page.click("text=Plans")
        await expect(page.locator("#plans")).to_have_text("No plan has been imported yet.")
        yield page
        await browser.close()
        assert faults == []


async def drop(page: Page, name: str, text: str) -> None:
    await page.evaluate(DROP, ["#drop", name, text])


async def test_a_plan_is_dropped_looked_at_imported_and_gone_back_to(page: Page) -> None:
    """Nothing is imported before the button is pressed, and nothing dropped before it is ticked."""
    await drop(page, "spring.csv", FIRST)
    await expect(page.locator("#preview")).to_contain_text("2 new, 0 moved, 0 dropped, 0 unchanged.")
    await expect(page.locator("#plans")).to_have_text("No plan has been imported yet.")
    await page.click("text=Import as spring")
    await expect(page.locator("#preview")).to_contain_text("This is version 1 of the plan spring. No engine is running")

    await drop(page, "spring.csv", SECOND)
    await expect(page.locator("#preview")).to_contain_text("1 new, 1 moved, 1 dropped, 0 unchanged.")
    await expect(page.locator("text=Import as spring")).to_be_disabled()
    await page.check("#preview input[type=checkbox]")
    await page.click("text=Import as spring")
    await expect(page.locator("#versions tbody tr")).to_have_count(2)

    await page.click("text=What it changed")
    await expect(page.locator("#compared h3")).to_have_text("From version 1 to 2")
    await page.click("text=Go back to it…")
    await expect(page.locator("#compared h3")).to_have_text("Going back to version 1 of spring")
    await page.check("#compared input[type=checkbox]")
    await page.click("text=Go back to version 1")
    await expect(page.locator("#compared")).to_contain_text("This is version 3 of the plan spring.")
    await expect(page.locator("#plans tbody tr")).to_contain_text("back to version 1")


async def test_a_wrong_plan_cannot_be_imported(page: Page) -> None:
    """Its problems are shown, and it can be had with them beside its rows."""
    await drop(page, "<b>wrong.csv", WRONG)
    await expect(page.locator("#preview")).to_contain_text("It cannot be imported before the errors are mended.")
    await expect(page.locator("#preview")).to_contain_text("no spot of this id is known")
    await expect(page.locator("text=Import as")).to_have_count(0)
    async with page.expect_download() as download:
        await page.click("#preview button:text-is('CSV')")
    path = await (await download.value).path()
    assert "cuebird_problem" in path.read_text(encoding="utf-8-sig")
    await drop(page, "empty.csv", "")
    await expect(page.locator("#failed")).to_contain_text("the file is empty")
    assert json.loads(await page.evaluate("JSON.stringify(document.querySelectorAll('#preview b').length)")) == 0
