"""The map's first picture: streets and marks before the map's library has come, and without it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest
from playwright.sync_api import Locator, Page, Route, expect

import servers
from browser.conftest import DESKTOP, PHONE, STATIC, OpenWindow, Window
from browser.test_layout import _is_accessible
from browser.test_map import DAY, NIGHT, _is_read, _with_streets
from browser.town import Town
from browser.town_seed import GRANDMOTHER, MARKET, PARK
from vigil_schemas.checkin import StationPosition

LIBRARY = "**/assets/maplibre-gl-*.js*"  # also as it is asked for once more
COLOURS = {"light": DAY, "dark": NIGHT}
CROSSING = "Zhongshan Road crossing"


@pytest.fixture(scope="module")
def streets_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    if not (STATIC / "index.html").is_file():
        servers.missing("the built web pages", "make setup")
    town = _with_streets(tmp_path_factory.mktemp("streets"))
    town.visit(GRANDMOTHER, PARK, minutes_ago=90, departed=True)
    town.visit(GRANDMOTHER, MARKET, minutes_ago=30, departed=True)
    yield town
    town.close()


class Held:
    """The library's file is asked for and does not come until it is let through."""

    def __init__(self, opened: Window) -> None:
        self._routes: list[Route] = []
        self._open = False
        opened.page.route(LIBRARY, self._asked)

    def _asked(self, route: Route) -> None:
        if self._open:
            route.continue_()
        else:
            self._routes.append(route)

    def let_through(self) -> None:
        self._open = True
        for route in self._routes:
            route.continue_()
        self._routes.clear()


def _shown(page: Page) -> Locator:
    picture = page.locator(".city-map .picture[data-shown=yes]")
    expect(picture).to_be_visible()
    return picture


def _middle(mark: Locator) -> tuple[float, float]:
    box = mark.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def _count_of(picture: Locator, colour: tuple[int, int, int]) -> int:
    seen = cv2.imdecode(np.frombuffer(picture.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert seen is not None
    near = np.abs(seen.astype(int) - np.array(colour)).max(axis=2) < 5
    return int(np.count_nonzero(near))


@pytest.mark.parametrize(("language", "scheme"), [("zh-TW", "dark"), ("en", "light")])
def test_streets_and_places_are_seen_before_the_library_which_draws_the_same(
    window: OpenWindow, streets_town: Town, language: str, scheme: str
) -> None:
    opened = window("mei", maps=True, at=streets_town, size=PHONE, language=language, scheme=scheme)
    ranges: list[str] = []
    opened.page.on(
        "request",
        lambda asked: (
            ranges.append(asked.headers["range"]) if "/api/v1/maps/" in asked.url else None
        ),
    )
    held = Held(opened)
    page = opened.go("/family")
    picture = _shown(page)
    picture.scroll_into_view_if_needed()
    colours = {what: COLOURS[scheme][what] for what in ("major road", "water")}
    drawn = {what: _count_of(picture, colour) for what, colour in colours.items()}
    assert min(drawn.values()) > 100, drawn
    _is_read(page, "Simulated streets")
    _is_accessible(page, f"picture {language} {scheme}")
    name = "Chiayi Park gate" if language == "en" else "嘉義公園大門"
    mark = page.get_by_role("img", name=name)
    expect(mark).to_be_visible()
    before = _middle(mark)
    nearer = page.get_by_role("button", name="Zoom in" if language == "en" else "放大")
    expect(nearer).to_be_disabled()

    held.let_through()
    page.locator(".city-map .canvas[data-drawn=yes]").wait_for()
    expect(picture).to_have_count(0)
    expect(nearer).to_be_enabled()
    assert _middle(mark) == pytest.approx(before, abs=1.5)
    canvas = page.locator(".city-map .canvas")
    by_library = {what: _count_of(canvas, colour) for what, colour in colours.items()}
    assert drawn == {what: pytest.approx(count, rel=0.3) for what, count in by_library.items()}
    _is_read(page, "Simulated streets")
    # What the picture was drawn from is not asked for again.
    assert len(ranges) == len(set(ranges)) > 0


def test_who_is_on_a_mark_stays_on_it_and_opens_it_before_the_library(
    window: OpenWindow, streets_town: Town
) -> None:
    opened = window("admin", maps=True, at=streets_town, size=DESKTOP)
    held = Held(opened)
    page = opened.go("/")
    _shown(page)
    marker = page.get_by_role("button", name=CROSSING)
    marker.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name=CROSSING)).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("region", name=CROSSING)).to_have_count(0)
    expect(marker).to_be_focused()
    # The window turns: what was drawn for the former one gives way, who was on a mark does not.
    page.set_viewport_size({"width": DESKTOP[0] - 200, "height": DESKTOP[1]})
    expect(marker).to_be_focused()
    held.let_through()
    page.locator(".city-map .canvas[data-drawn=yes]").wait_for()
    expect(page.locator(".picture")).to_have_count(0)
    expect(marker).to_be_focused()


def test_without_the_library_the_picture_stays(window: OpenWindow, streets_town: Town) -> None:
    opened = window("mei", maps=True, at=streets_town, size=PHONE)
    opened.page.route(LIBRARY, lambda route: route.abort())
    page = opened.go("/family")
    _shown(page)
    expect(page.get_by_role("img", name="Chiayi Park gate")).to_be_visible()
    expect(page.locator(".unavailable")).to_have_count(0)
    page.close()
    opened.complaints.clear()  # the browser says that the library did not come


def test_without_the_streets_the_library_is_not_kept_waiting(
    window: OpenWindow, streets_town: Town
) -> None:
    opened = window("mei", maps=True, at=streets_town, size=PHONE)
    opened.page.route("**/api/v1/maps/**", lambda route: route.abort())
    page = opened.go("/family")
    page.locator(".city-map .canvas[data-drawn=yes]").wait_for()
    expect(page.get_by_role("img", name="Chiayi Park gate")).to_be_visible()
    page.close()
    opened.complaints.clear()  # the browser says that the streets did not come


@pytest.mark.parametrize("language", ["zh-TW", "en"])
def test_without_the_streets_and_without_the_library_it_is_said(
    window: OpenWindow, streets_town: Town, language: str
) -> None:
    opened = window("mei", maps=True, at=streets_town, size=PHONE, language=language)
    opened.page.route(LIBRARY, lambda route: route.abort())
    opened.page.route("**/api/v1/maps/**", lambda route: route.abort())
    page = opened.go("/family")
    text = "the map's files did not come" if language == "en" else "地圖檔案未能載入"
    expect(page.locator(".unavailable")).to_contain_text(text)
    expect(page.locator(".picture")).to_have_count(0)
    expect(page.locator(".city-map .controls")).to_have_count(0)
    page.close()
    opened.complaints.clear()  # the browser says that neither came


@pytest.mark.parametrize("streets", [True, False])
def test_without_the_library_the_picture_follows_what_is_to_be_seen(
    window: OpenWindow, streets_town: Town, streets: bool
) -> None:
    """Last here: the town's way leads farther from now on."""
    opened = window("mei", maps=True, at=streets_town, size=PHONE)
    opened.page.route(LIBRARY, lambda route: route.abort())
    page = opened.go("/family")
    picture = _shown(page)
    _is_read(page, "This map cannot be moved.")
    if not streets:
        opened.page.route("**/api/v1/maps/**", lambda route: route.abort())
    latitude, longitude = (23.52, 120.52) if streets else (23.45, 120.40)
    fix = {"latitude": latitude, "longitude": longitude, "at": datetime.now(UTC)}
    here = StationPosition.model_validate({"state": "fixed", **fix})
    marks = page.locator(".picture .mark")
    known = marks.count()
    streets_town.met_on_the_move(GRANDMOTHER, PARK, here)
    expect(marks).to_have_count(known + 1)
    for i in range(known + 1):
        expect(marks.nth(i)).to_be_in_viewport()
    expect(picture).to_be_visible()
    page.close()
    opened.complaints.clear()  # the browser says what did not come
