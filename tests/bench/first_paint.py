"""The family's page on a phone far away: 150 ms, 1.6 Mbit/s, a processor four times slower.

A real Chromium, its network and processor slowed by its own DevTools protocol, before a real
cloud with streets on the map; nothing is cached, the relative is signed in. Seconds from the
address being opened: ``paint`` (first contentful paint), ``content`` (the person's name and last
place are there), ``map`` (streets, the mark in its place and whom to name for them are drawn),
``movable`` (the map's library has come, taken its place and is at rest). Without a graphics card
the library draws by the processor, beside the slowed one.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, sync_playwright

import servers
from browser.conftest import FLAGS, PHONE, _sign_in
from browser.town import Town
from browser.town_seed import GRANDMOTHER, MARKET, NAMES
from vigil_sim import scenario, streets

RUNS: Final = int(os.environ.get("VIGIL_BENCH_RUNS", "5"))
LATENCY_MS: Final = 150
DOWN_BYTES_S: Final = 1_600_000 / 8
UP_BYTES_S: Final = 750_000 / 8
SLOWER: Final = 4
WAIT_MS: Final = 60_000
_PAINT: Final = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
_CONTENT: Final = """name => [...document.querySelectorAll("h1, h2, h3")].some(
  one => one.textContent.includes(name)) && performance.now()"""
_MAP: Final = """() => document.querySelector(
  ".city-map .picture[data-shown=yes]:has(.mark):has(small), .city-map .canvas[data-drawn=yes]")
  && performance.now()"""
_MOVABLE: Final = """() => document.querySelector(".city-map .canvas[data-drawn=yes]")
  && performance.now()"""


def look(browser: Browser, town: Town) -> dict[str, float]:
    """Seconds of one visit with an empty cache, and kilobytes over the line before the map."""
    context = browser.new_context(
        viewport={"width": PHONE[0], "height": PHONE[1]},
        locale="zh-TW",
        reduced_motion="reduce",
        has_touch=True,
        service_workers="block",
    )
    try:
        _sign_in(context, town, "mei")
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        slow = context.new_cdp_session(page)
        slow.send("Network.enable")
        slow.send(
            "Network.emulateNetworkConditions",
            {
                "offline": False,
                "latency": LATENCY_MS,
                "downloadThroughput": DOWN_BYTES_S,
                "uploadThroughput": UP_BYTES_S,
            },
        )
        slow.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        page.goto(f"{town.url}/family", wait_until="commit")
        content = _moment(page.wait_for_function(_CONTENT, arg=NAMES["grandmother"]))
        drawn = _moment(page.wait_for_function(_MAP))
        movable = _moment(page.wait_for_function(_MOVABLE))
        paint = page.evaluate(_PAINT) / 1000
        return {"paint": paint, "content": content, "map": drawn, "movable": movable}
    finally:
        context.close()


def _moment(handle: Any) -> float:
    milliseconds: float = handle.json_value()
    return milliseconds / 1000


def _with_streets(folder: Path) -> Town:
    town = Town(folder)
    file = folder / "streets.geojson"
    streets.write(scenario.load("city-night"), file)
    environment = os.environ | {"VIGIL_DEMO": "true", "VIGIL_DATA_DIR": str(folder / "cloud")}
    command = [sys.executable, "-m", "vigil_cloud", "map", "import", str(file)]
    subprocess.run(command, env=environment, check=True, timeout=120, capture_output=True)
    return town


def main() -> int:
    program = servers.need("chromium", "apt-get install chromium")
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as name:
        town = _with_streets(Path(name))
        try:
            town.visit(GRANDMOTHER, MARKET, minutes_ago=20, departed=True)
            with sync_playwright() as driver:
                browser = driver.chromium.launch(executable_path=str(program), args=list(FLAGS))
                look(browser, town)  # the server has read its files once
                found = [look(browser, town) for _ in range(RUNS)]
                browser.close()
        finally:
            town.close()
    for what in ("paint", "content", "map", "movable"):
        values = sorted(one[what] for one in found)
        print(f"first_paint {what}_s: {statistics.median(values):.2f}")
        print(f"first_paint {what}_worst_s: {values[-1]:.2f}")
    return 0
