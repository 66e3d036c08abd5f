"""Every page at both sizes and in both languages: nothing sticks out, controls are named and large
enough, text stands out from its ground."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import pytest
from playwright.sync_api import Page, expect

import servers
from browser.conftest import DESKTOP, PHONE, OpenWindow, Window
from browser.evidence import reference, sealed_evidence
from browser.town import Town
from browser.town_seed import CANAL, GRANDMOTHER, MARKET

Scheme = Literal["light", "dark"]
PAGES = (
    *("/", "/alerts", "/alerts?show=mine", "/alerts?show=done", "/devices"),
    *(f"/devices/{CANAL}", "/gateways", "/cases", "/noise", "/nowhere"),
    *("/gateways/gw-town", "/registers", "/registers/people", "/account"),
    *(f"/administration/{one}" for one in ("households", "households/lin", "districts", "jobs")),
)
FAMILY = ("/family", "/homes", "/alerts")
STAFF_DOMAINS = ("noise", "water", "smoke", "platform")
SIZES = (DESKTOP, PHONE)
AXE = Path(__file__).parents[2] / "cloud" / "web" / "node_modules" / "axe-core" / "axe.min.js"
SHOTS = os.environ.get("VIGIL_SCREENSHOTS")
"""A folder for pictures of every page, for people to look at."""


class Look(NamedTuple):
    """How a reader has a page before them. A telephone's window knows no mouse, at any width."""

    language: Literal["zh-TW", "en"]
    scheme: Scheme
    size: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.language}-{self.scheme}"


LOOKS = (Look("zh-TW", "light", PHONE), Look("en", "dark", DESKTOP))


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
    where = f"{path} {size} {language} {scheme}"
    _drawn(page)
    _fits(page, where)
    _is_accessible(page, where)


def _drawn(page: Page) -> None:
    expect(page.get_by_role("main")).to_be_visible()
    expect(page.locator(".loading")).to_have_count(0)
    # Every map is drawn, or says that it cannot be.
    waiting = page.locator(".city-map .canvas:not([data-drawn]):not(:has(+ .unavailable))")
    expect(waiting).to_have_count(0)


def _fits(page: Page, where: str) -> None:
    # Charts and maps take a new width a moment after the window has it.
    try:
        servers.eventually(lambda: not page.evaluate(_TOO_WIDE), f"a width that fits: {where}")
    except pytest.fail.Exception as late:
        pytest.fail(f"{late}: {page.evaluate(_TOO_WIDE)}")
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("button, a[href], input, select, textarea")]
          .filter((e) => e.checkVisibility() && !e.closest(".maplibregl-control-container"))
          .filter((e) => !(e.ariaLabel || e.textContent.trim() || e.labels?.length))
          .map((e) => e.outerHTML.slice(0, 120))"""
    )
    assert unnamed == [], where


def _look_at(opened: Window, path: str, look: Look, accessible_at: tuple[int, int]) -> None:
    """One visit, at both sizes. axe takes longer than all else here: it looks at one of them."""
    page = opened.go(path)
    _drawn(page)
    for size in (look.size, *(other for other in SIZES if other != look.size)):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        where = f"{path} {size} {look.language} {look.scheme}"
        _fits(page, where)
        if size == accessible_at:
            _is_accessible(page, where)
        if SHOTS:
            name = re.sub(r"\W+", "-", path.strip("/")) or "console"
            file = f"{name}-{size[0]}-{look.language}-{look.scheme}.png"
            page.screenshot(path=Path(SHOTS) / file)
    page.set_viewport_size({"width": look.size[0], "height": look.size[1]})


def _is_accessible(page: Page, where: str) -> None:
    """No serious or critical finding of axe-core."""
    if not AXE.is_file():
        servers.missing("axe-core", "make setup")
    # Evaluated and not loaded: the pages' content policy allows no script from elsewhere.
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'], preload: false })")
    grave = [
        f"{where}: {one['id']} ({one['impact']}): {one['help']}: {node['html'][:160]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
    assert grave == []


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_every_page_at_both_sizes(window: OpenWindow, busy: Town, look: Look) -> None:
    """axe sees each page in both looks, and at both sizes: at one in each look."""
    alerts = [f"/alerts/{busy.newest_alert(domain)}" for domain in STAFF_DOMAINS]
    for username, paths in (("admin", (*PAGES, *alerts)), ("mei", FAMILY)):
        opened = window(
            username, size=look.size, language=look.language, scheme=look.scheme, maps=True
        )
        for number, path in enumerate(paths):
            _look_at(opened, path, look, SIZES[(number + LOOKS.index(look)) % 2])


def test_text_stands_out_from_its_ground(window: OpenWindow) -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1 for every colour that text is written in, on every ground."""
    page = window("admin").go("/devices")
    expect(page.get_by_role("main")).to_be_visible()
    for scheme in get_args(Scheme):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(_CONTRAST) == [], scheme


_TOO_WIDE = """() => {
  const main = document.querySelector("main");
  const width = Math.max(document.documentElement.scrollWidth, main.scrollWidth);
  if (width <= innerWidth) return [];
  const wide = [...document.querySelectorAll("body *")]
    .filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5)
    .map((e) => `${Math.round(e.getBoundingClientRect().right)} px: ${e.outerHTML.slice(0, 120)}`);
  return [`${width} px in ${innerWidth} px`, ...wide.slice(0, 12)];
}"""
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


def test_the_entry_of_the_open_page_is_in_sight_on_a_phone(window: OpenWindow) -> None:
    page = window("admin", size=PHONE, language="en").go("/noise")
    here = page.get_by_role("navigation").locator("a[aria-current]")
    expect(here).to_have_attribute("href", "/noise")
    expect(here).to_be_in_viewport(ratio=1)
    # One's own account as well, whose corner a phone has no room for.
    page.get_by_role("navigation").locator("a[href='/account']").click()
    expect(here).to_have_attribute("href", "/account")
    expect(here).to_be_in_viewport(ratio=0.99)  # a list that ends on half a pixel
    expect(page.get_by_role("heading", name="My account")).to_be_visible()
