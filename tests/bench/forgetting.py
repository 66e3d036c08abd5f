"""How soon a relative's page forgets somebody whose consent was taken back; promised: a second."""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, BrowserContext, sync_playwright

import servers
from browser.conftest import FLAGS, WAIT_MS
from browser.forgetting import PLACES, Guardian, gone_after, live
from browser.town import Town
from browser.town_seed import GRANDMOTHER, MARKET, NAMES, PASSWORD

TURNS: Final = 10


def _signed_in(browser: Browser, town: Town, username: str) -> BrowserContext:
    context = browser.new_context(locale="en")
    context.set_default_timeout(WAIT_MS)
    who = {"username": username, "password": PASSWORD}
    assert context.request.post(f"{town.url}/api/v1/session", data=who).ok
    return context


def main() -> int:
    program = servers.find("chromium")
    if program is None:
        print("forgetting skipped: chromium is not installed: apt-get install chromium")
        return 0
    took: list[float] = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        town = Town(Path(folder))
        browser = playwright.chromium.launch(executable_path=str(program), args=list(FLAGS))
        try:
            guardian = Guardian(_signed_in(browser, town, "mei"), town.url)
            town.visit(GRANDMOTHER, MARKET, minutes_ago=5, departed=False)
            page = _signed_in(browser, town, "lone").new_page()
            for _ in range(TURNS):
                consent = guardian.give("lone")
                page.goto(f"{town.url}/family")
                live(page)
                page.get_by_text(NAMES["grandmother"]).first.wait_for()
                words = (*PLACES, NAMES["grandmother"])
                took.append(gone_after(page, words, partial(guardian.take_back, consent)))
        finally:
            browser.close()
            town.close()
    print(f"forgetting turns: {len(took)}")
    print(f"forgetting median_s: {sorted(took)[len(took) // 2]:.2f}")
    print(f"forgetting slowest_s: {max(took):.2f}")
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
