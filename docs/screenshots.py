"""Takes the pictures of the documentation from a running `cuebird demo`.

    .venv/bin/python docs/screenshots.py http://127.0.0.1:8400/ PASSWORD http://127.0.0.1:8444/

Needs Debian's chromium and the development packages (`make check` installs them).
"""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).parent / "images"
CHROMIUM = "/usr/bin/chromium"
QUIET = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


def main(console_url: str, password: str, sandbox_url: str) -> None:
    """Write live.png and sandbox.png into docs/images."""
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page(viewport={"width": 1440, "height": 1000}, color_scheme="dark")
        page.goto(console_url)
        page.fill("input[name=name]", "demo")
        page.fill("input[name=password]", password)
        page.keyboard.press("Enter")
        page.wait_for_timeout(4000)
        page.screenshot(path=IMAGES / "live.png")
        page.goto(sandbox_url)
        page.wait_for_timeout(1500)
        page.screenshot(path=IMAGES / "sandbox.png")
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
