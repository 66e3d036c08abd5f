"""A city of 10,000 alerts and 10,000 devices on a dispatcher's screen, by mouse and by keys.

``vigil-cloud serve`` with everything sent to it over MQTT, and Chromium at 1440 × 900. What the
list asks the cloud for until it stands (``list_kB``, as it came over the line; beside it
``names_of_devices_kB``, asked for once by any page of the city), and how long an
act keeps the page from its next picture: Chromium's own event timing (duration from the input to
the next paint, steps of 8 ms), the longest of all acts on the list and on the map. ``map_marks``:
how many marks and clusters stand on the map of the whole city.

``VIGIL_MANY`` is another number of each.
"""

from __future__ import annotations

import os
import random
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, Request, ViewportSize, sync_playwright

import servers
from browser.conftest import FLAGS, _sign_in
from browser.town import Town
from gateways import Gateway, birth, event
from vigil_schemas.gateway import DeviceDescription

MANY: Final = int(os.environ.get("VIGIL_MANY", "10000"))
OF_ONE_GATEWAY: Final = 100
SCREEN: Final[ViewportSize] = {"width": 1440, "height": 900}
_WATCH: Final = """
  window.longest = {};
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) {
      const took = window.longest[one.name] ?? 0;
      window.longest[one.name] = Math.max(took, one.duration);
    }
  }).observe({ type: "event", durationThreshold: 16, buffered: true });
"""
_ACTS: Final = ("click", "pointerdown", "pointerup", "keydown", "keyup")
"""Acts of a person; that a pointer moves over something is none."""
_LONGEST: Final = """(acts) => new Promise((done) => requestAnimationFrame(() => setTimeout(() => {
  const longest = Math.max(0, ...acts.map((one) => window.longest[one] ?? 0));
  window.longest = {};
  done(longest);
}, 50)))"""


def act(page: Page, name: str) -> float:
    """The longest of the acts since the last one was asked for, in milliseconds; printed."""
    longest = float(page.evaluate(_LONGEST, list(_ACTS)))
    print(f"many {name}_ms: {longest:.0f}", flush=True)
    return longest


def devices(town: Town) -> None:
    """Probes all over the city, a hundred behind each gateway."""
    draw = random.Random(3)
    now = datetime.now(UTC)
    for first in range(0, MANY, OF_ONE_GATEWAY):
        name = f"gw-many-{first // OF_ONE_GATEWAY}"
        described = [
            DeviceDescription(
                device=f"many-{number}",
                domain="water",
                driver="modbus-tcp",
                name=f"Probe {number}",
                name_zh=f"監測儀{number}",
                latitude=23.48 + draw.uniform(-0.04, 0.04),
                longitude=120.45 + draw.uniform(-0.05, 0.05),
            )
            for number in range(first, min(first + OF_ONE_GATEWAY, MANY))
        ]
        gateway = Gateway(town.broker, name)
        try:
            said = birth(now, described)
            payload = event(name, None, said, subject=name, time=now, lane="status")
            gateway.publish("status", payload, retain=True)
        finally:
            gateway.close()


def listed(page: Page, town: Town) -> None:
    """The list of alerts: its first load, and what people do there."""
    loaded: list[Request] = []
    page.on("requestfinished", lambda request: loaded.append(request))
    with page.expect_request_finished(lambda request: request.url.endswith("/api/v1/devices")):
        page.goto(f"{town.url}/alerts")
        rows = page.locator("a[data-alert]")
        rows.nth(49).wait_for()
    for name, part in (("list", "/api/v1/alerts"), ("names_of_devices", "/api/v1/devices")):
        size = sum(one.sizes()["responseBodySize"] for one in loaded if part in one.url)
        print(f"many {name}_kB: {size / 1000:.1f}")
    longest = [act(page, "list_loaded")]
    for shown in (100, 150, 200):
        page.get_by_role("button", name="Show more").click()
        rows.nth(shown - 1).wait_for()
        longest.append(act(page, f"list_more_{shown}"))
    boxes = page.get_by_role("checkbox")
    for number in range(3):
        boxes.nth(number).click()
        longest.append(act(page, f"list_box_{number}"))
    page.get_by_role("link", name="All", exact=True).or_(
        page.get_by_role("button", name="All", exact=True)
    ).first.click()
    rows.first.wait_for()
    longest.append(act(page, "list_all"))
    rows.first.press("Tab")
    longest.append(act(page, "list_tab"))
    rows.first.click()
    page.get_by_role("heading", level=1).wait_for()
    longest.append(act(page, "list_open"))
    print(f"many list_longest_act_ms: {max(longest):.0f}", flush=True)


def on_the_map(page: Page, town: Town) -> None:
    """The map of the whole city, drawn nearer and farther."""
    page.goto(f"{town.url}/")
    page.wait_for_selector(".city-map .canvas[data-drawn=yes]", timeout=60_000)
    page.wait_for_function("document.querySelectorAll('.city-map .mark').length > 5")
    print(f"many map_marks: {page.locator('.city-map .mark:visible').count()}")
    longest = []
    for name in ("Zoom in", "Zoom in", "Zoom out", "Zoom out"):
        page.get_by_role("button", name=name).first.click()
        page.wait_for_timeout(600)  # its own movement
        longest.append(act(page, f"map_{name.lower().replace(' ', '_')}"))
    print(f"many map_longest_act_ms: {max(longest):.0f}", flush=True)


def main() -> int:
    """Prints the figures."""
    program = servers.need("chromium", "apt-get install chromium")
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as name:
        town = Town(Path(name), quotas__alerts_a_minute=str(2 * MANY))
        try:
            devices(town)
            for first in range(0, MANY, 500):
                town.many_loud_vehicles(min(500, MANY - first), first)
            with sync_playwright() as driver:
                browser = driver.chromium.launch(executable_path=str(program), args=list(FLAGS))
                context = browser.new_context(viewport=SCREEN, locale="en-GB")
                context.add_init_script(_WATCH)
                _sign_in(context, town, "admin")
                for look in (listed, on_the_map):
                    page = context.new_page()
                    look(page, town)
                    page.close()
                browser.close()
        finally:
            town.close()
    return 0
