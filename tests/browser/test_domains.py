"""A domain that the pages do not know, as a newer cloud may: shown plainly, and no page breaks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pytest
from playwright.sync_api import Route, expect

from browser.conftest import DESKTOP, PHONE, OpenWindow, Window
from browser.town import Town
from browser.town_seed import CANAL

UNKNOWN = "tidegate"
ICON = "M4 4h16v16H4V4Z"
DESCRIBED = {
    "name": UNKNOWN,
    "title": "Tide gates",
    "title_zh": "水門",
    "look": {"icon": ICON, "colour": "#123456", "colour_dark": "#abcdef"},
}


def _renamed(value: Any) -> Any:
    """The same answer, but its water is of a domain that nobody has heard of."""
    if isinstance(value, dict):
        return {
            (UNKNOWN if key == "water" else key): (
                UNKNOWN if key == "domain" and entry == "water" else _renamed(entry)
            )
            for key, entry in value.items()
        }
    return [_renamed(entry) for entry in value] if isinstance(value, list) else value


def _answer(route: Route) -> None:
    # That cloud knows its own word, of which a page's filter asks.
    answer = route.fetch(url=route.request.url.replace(f"domain={UNKNOWN}", "domain=water"))
    if "json" not in answer.headers.get("content-type", ""):
        route.fulfill(response=answer)
        return
    headers = {k: v for k, v in answer.headers.items() if k not in ("content-encoding", "etag")}
    route.fulfill(status=answer.status, headers=headers, body=json.dumps(_renamed(answer.json())))


def _described(route: Route) -> None:
    """What the cloud says of the screen, with the unknown domain described."""
    said = route.fetch().json()
    said["domains"].append(DESCRIBED)
    route.fulfill(json=said)


@contextmanager
def newer_cloud(window: Window, *, described: bool = False) -> Iterator[None]:
    """The real cloud's answers, with one domain's word exchanged. The stream stays as it is."""
    window.context.route(lambda url: "/api/v1/" in url and not url.endswith("/stream"), _answer)
    if described:
        window.context.route("**/api/v1/screen", _described)
    yield
    window.context.unroute_all(behavior="wait")


@pytest.mark.parametrize(
    ("size", "language"), [(DESKTOP, "en"), (PHONE, "zh-TW")], ids=["desktop", "phone"]
)
def test_an_unknown_domain_is_shown_plainly(
    window: OpenWindow, town: Town, size: tuple[int, int], language: Literal["en", "zh-TW"]
) -> None:
    town.fire()
    town.discharge()
    alert = town.newest_alert("water")
    mine = window("admin", size=size, language=language)
    with newer_cloud(mine):
        # Its own word stands where a known domain has its title,
        page = mine.go("/alerts")
        row = page.locator(f"a[data-alert='{alert}']")
        expect(row).to_contain_text(UNKNOWN)
        page.get_by_role("button", name=UNKNOWN).click()
        expect(page).to_have_url(f"{town.url}/alerts?domain={UNKNOWN}")
        expect(row).to_be_visible()

        # its alert says what it says,
        mine.go(f"/alerts/{alert}")
        heading = page.get_by_role("heading", name=UNKNOWN)
        expect(heading).to_be_visible()
        expect(page.get_by_text("specific_conductance", exact=True)).to_be_visible()
        # and nothing is offered of which only the server knows who may do it.
        offered = page.get_by_role("button", name="Acknowledge" if language == "en" else "受理")
        expect(offered).to_have_count(0)

        # Map, list and device go on working.
        if size == DESKTOP:
            drawn = window("admin", maps=True)
            with newer_cloud(drawn):
                drawn.go("/").locator(".city-map .canvas[data-drawn=yes]").wait_for()
                known = drawn.page.get_by_role("listitem").filter(has_text=UNKNOWN)
                expect(known.first).to_be_attached()
        mine.go("/devices")
        page.get_by_role("button", name=UNKNOWN).click()
        expect(page.locator(f"a[href='/devices/{CANAL}']")).to_be_visible()
        mine.go(f"/devices/{CANAL}")
        expect(page.get_by_text(UNKNOWN).first).to_be_attached()
        expect(page.get_by_text("pH").first).to_be_visible()


@pytest.mark.parametrize(
    ("language", "scheme", "title", "colour"),
    [
        ("en", "light", "Tide gates", "rgb(18, 52, 86)"),
        ("zh-TW", "dark", "水門", "rgb(171, 205, 239)"),
    ],
)
def test_an_unknown_domain_is_drawn_as_its_cloud_describes_it(
    window: OpenWindow,
    town: Town,
    language: Literal["en", "zh-TW"],
    scheme: Literal["light", "dark"],
    title: str,
    colour: str,
) -> None:
    town.discharge()
    alert = town.newest_alert("water")
    mine = window("admin", language=language, scheme=scheme)
    with newer_cloud(mine, described=True):
        page = mine.go(f"/alerts/{alert}")
        expect(page.get_by_role("heading", name=title)).to_be_visible()
        mark = page.locator(f"[data-domain={UNKNOWN}]").first
        expect(mark).to_have_css("color", colour)
        expect(mark.locator("path")).to_have_attribute("d", ICON)
        expect(page.get_by_text(UNKNOWN, exact=True)).to_have_count(0)
