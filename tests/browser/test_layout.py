"""Every page at both sizes and in both languages: nothing sticks out, controls are named and large
enough, text stands out from its ground."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

import servers
from browser.conftest import DESKTOP, PHONE, OpenWindow
from browser.evidence import reference, sealed_evidence
from browser.town import CANAL, GRANDMOTHER, MARKET, Town

PAGES = (
    *("/", "/alerts", "/alerts?show=mine", "/alerts?show=done", "/devices"),
    *(f"/devices/{CANAL}", "/gateways", "/cases", "/noise", "/nowhere"),
    *(f"/administration/{one}" for one in ("households", "households/lin", "districts", "jobs")),
)
STAFF_DOMAINS = ("noise", "water", "smoke", "platform")
AXE = Path(__file__).parents[2] / "cloud" / "web" / "node_modules" / "axe-core" / "axe.min.js"
SHOTS = os.environ.get("VIGIL_SCREENSHOTS")
"""A folder for pictures of every page, for people to look at."""


@pytest.fixture(scope="module")
def busy(town: Town) -> Town:
    """A town with one of each alert, in each state of work, and with gateways in trouble."""
    sealed = sealed_evidence("exceedance-for-layout")
    town.loud_vehicle(97.7, reference(sealed))
    town.upload(sealed)
    town.discharge()
    town.fire()
    town.visit(GRANDMOTHER, MARKET, minutes_ago=5, departed=False)
    town.refused_message()
    town.warn()
    town.fire(town.fire(), active=False)
    town.act(town.newest_alert("smoke"), "acknowledge")
    town.discharge()
    town.act(town.newest_alert("water"), "acknowledge")
    town.furnish()
    return town


def settle(page: Page, path: str, size: tuple[int, int], language: str, scheme: str) -> None:
    """Nothing sticks out, every control has a name, axe-core finds nothing grave."""
    expect(page.get_by_role("main")).to_be_visible()
    expect(page.locator(".loading")).to_have_count(0)
    for canvas in page.locator(".city-map .canvas").all():
        expect(canvas).to_have_attribute("data-drawn", "yes")
    sticking_out = page.evaluate(
        """() => {
          const main = document.querySelector("main");
          const wide = Math.max(document.documentElement.scrollWidth, main.scrollWidth);
          return wide > innerWidth ? wide : 0;
        }"""
    )
    assert sticking_out == 0, f"{path} is {sticking_out} wide on {size}"
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("button, a[href], input, select, textarea")]
          .filter((e) => e.checkVisibility() && !e.closest(".maplibregl-control-container"))
          .filter((e) => !(e.ariaLabel || e.textContent.trim() || e.labels?.length))
          .map((e) => e.outerHTML.slice(0, 120))"""
    )
    assert unnamed == []
    _is_accessible(page, f"{path} {size} {language} {scheme}")
    if SHOTS:
        name = re.sub(r"\W+", "-", path.strip("/")) or "console"
        file = f"{name}-{size[0]}-{language}-{scheme}.png"
        page.screenshot(path=Path(SHOTS) / file)


def _is_accessible(page: Page, where: str) -> None:
    """No serious or critical finding of axe-core."""
    if not AXE.is_file():
        servers.missing("axe-core", "make setup")
    # Evaluated and not loaded: the pages' content policy allows no script from elsewhere.
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    grave = [
        f"{where}: {one['id']} ({one['impact']}): {one['help']}: {node['html'][:160]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
    assert grave == []


@pytest.mark.parametrize(("language", "scheme"), [("zh-TW", "light"), ("en", "dark")])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_pages_of_the_staff(
    window: OpenWindow,
    busy: Town,
    size: tuple[int, int],
    language: Literal["zh-TW", "en"],
    scheme: Literal["light", "dark"],
) -> None:
    opened = window("admin", size=size, language=language, scheme=scheme)
    page = opened.page
    alerts = [f"/alerts/{busy.newest_alert(domain)}" for domain in STAFF_DOMAINS]
    for path in (*PAGES, *alerts):
        opened.go(path)
        settle(page, path, size, language, scheme)


@pytest.mark.parametrize("language", ["zh-TW", "en"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_pages_of_the_family(
    window: OpenWindow, busy: Town, size: tuple[int, int], language: Literal["zh-TW", "en"]
) -> None:
    opened = window("mei", size=size, language=language)
    for path in ("/family", "/homes", "/alerts"):
        opened.go(path)
        settle(opened.page, path, size, language, "light")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(window: OpenWindow, busy: Town, scheme: str) -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1 for every colour that text is written in, on every ground."""
    opened = window("admin", scheme=scheme)
    page = opened.go("/devices")
    expect(page.get_by_role("main")).to_be_visible()
    poor = page.evaluate(_CONTRAST)
    assert poor == []


_CONTRAST = """() => {
  const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const style = getComputedStyle(document.documentElement);
  const light = (name) => {
    probe.fillStyle = style.getPropertyValue(`--${name}`);
    probe.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...probe.getImageData(0, 0, 1, 1).data].map((v) => {
      const s = v / 255;
      return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => {
    const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  const grounds = ["paper", "surface", "sunken"];
  const pairs = [
    ...["ink", "ink-soft", "ink-faint", "accent", "critical", "ok"].flatMap((text) =>
      grounds.map((ground) => [text, ground])),
    ...["critical", "major", "minor", "info", "ok", "accent"].map((tone) => [tone, `${tone}-soft`]),
    ["on-accent", "accent"],
  ];
  return pairs.filter(([a, b]) => ratio(a, b) < 4.5)
    .map(([a, b]) => `${a} on ${b}: ${ratio(a, b).toFixed(2)}`);
}"""
