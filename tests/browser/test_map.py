"""The map: tiles where they are set, its own base where none come; the keyboard; its end."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page, expect

import servers
from browser.conftest import STATIC, OpenWindow
from browser.town import Town
from servers import eventually
from vigil_sim import scenario, streets

TILE_BGR = (40, 200, 250)
SHOTS = os.environ.get("VIGIL_SCREENSHOTS")


class Tiles:
    """A tile server: every tile is one colour."""

    def __init__(self) -> None:
        _, content = cv2.imencode(".png", np.full((256, 256, 3), TILE_BGR, np.uint8))
        tile = content.tobytes()
        asked: list[str] = []
        self.asked = asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_response(200)
                self.send_header("Content-Type", "image/png")
                self.send_header("Content-Length", str(len(tile)))
                self.send_header("Access-Control-Allow-Origin", "*")
                self.send_header("Cross-Origin-Resource-Policy", "cross-origin")
                self.end_headers()
                self.wfile.write(tile)

            def log_message(self, format: str, *args: Any) -> None:
                """Not on the tests' output."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        """From here on its port answers nobody."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _town(folder: Path, tiles: str) -> Town:
    if not (STATIC / "index.html").is_file():
        servers.missing("the built web pages", "make setup")
    address = f"{tiles}/{{z}}/{{x}}/{{y}}.png"
    return Town(folder, map_tiles_url=address, map_tiles_attribution="© Tile makers")


@pytest.fixture
def tiles() -> Iterator[Tiles]:
    made = Tiles()
    yield made
    made.close()


def _picture(page: Page) -> np.ndarray[Any, Any]:
    """The map's canvas, (height, width, 3) BGR."""
    canvas = page.locator(".city-map .canvas[data-drawn=yes] canvas")
    canvas.wait_for()
    found = cv2.imdecode(np.frombuffer(canvas.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert found is not None
    return found


def _coloured(page: Page) -> float:
    """How much of the map has the tiles' colour, 0 to 1."""
    near = np.abs(_picture(page).astype(int) - np.array(TILE_BGR)).max(axis=2) < 12
    return float(near.mean())


def test_tiles_are_drawn_where_they_are_set_and_the_own_base_where_none_come(
    window: OpenWindow, tiles: Tiles, tmp_path: Path
) -> None:
    town = _town(tmp_path, tiles.url)
    try:
        opened = window("admin", maps=True, at=town)
        page = opened.go("/")
        eventually(lambda: _coloured(page) > 0.8, "a map of tiles")
        expect(page.get_by_text("© Tile makers")).to_be_visible()
        assert all(path.endswith(".png") and path.count("/") == 3 for path in tiles.asked)
        assert {url.split("/")[2] for url in opened.foreign} == {tiles.url.removeprefix("http://")}
        opened.foreign.clear()  # that is what was set
        page.close()

        tiles.close()
        without = window("admin", maps=True, at=town)
        page = without.go("/")
        eventually(
            lambda: np.count_nonzero(cv2.Canny(_picture(page), 10, 30)) > 2000, "borders and names"
        )
        expect(page.get_by_role("button", name="Zhongshan Road crossing")).to_be_visible()
        without.foreign.clear()
        without.complaints.clear()  # the map library says that tiles did not come
    finally:
        town.close()


DAY = {"major road": (191, 231, 251), "water": (218, 211, 185), "green": (211, 233, 223)}
NIGHT = {"major road": (76, 90, 77), "water": (61, 50, 18), "green": (36, 46, 27)}
"""Colours of the sheet (`tokens.css`), BGR."""


def _has(page: Page, colour: tuple[int, int, int]) -> bool:
    """Whether something of the map has this colour: more than a few pixels where lines cross."""
    near = np.abs(_picture(page).astype(int) - np.array(colour)).max(axis=2) < 5
    return int(np.count_nonzero(near)) > 300


def _sees(page: Page, colour: tuple[int, int, int], what: str) -> None:
    eventually(lambda: _has(page, colour), what)


def _is_read(page: Page, whom: str) -> None:
    """Whom the map names is on the screen and lies under nothing."""
    named = page.get_by_text(whom)
    expect(named).to_be_visible()
    expect(named).to_be_in_viewport(ratio=1)
    above = named.evaluate(
        "one => { const b = one.getBoundingClientRect();"
        " const top = document.elementFromPoint(b.x + b.width / 2, b.y + b.height / 2);"
        " return one.contains(top) || top.contains(one); }"
    )
    assert above, "something lies over it"


def _with_streets(folder: Path) -> Town:
    """A town whose cloud was given the streets of the simulated city, while it runs."""
    town = Town(folder)
    file = folder / "streets.geojson"
    night = scenario.load("city-night")
    streets.write(night, file)
    environment = os.environ | {"VIGIL_DEMO": "true", "VIGIL_DATA_DIR": str(folder / "cloud")}
    command = [sys.executable, "-m", "vigil_cloud", "map", "import", str(file)]
    servers.run(command, env=environment, timeout=120).check_returncode()
    return town


def test_streets_are_drawn_by_day_and_by_night_out_of_parts_of_one_file(
    window: OpenWindow, tmp_path: Path
) -> None:
    if not (STATIC / "index.html").is_file():
        servers.missing("the built web pages", "make setup")
    town = _with_streets(tmp_path)
    try:
        asked: list[tuple[int, str]] = []
        for scheme, colours in (("light", DAY), ("dark", NIGHT)):
            opened = window("admin", maps=True, at=town, scheme=scheme)
            opened.page.on(
                "response",
                lambda answer: (
                    asked.append((answer.status, answer.request.headers.get("range", "")))
                    if "/api/v1/maps/" in answer.url
                    else None
                ),
            )
            page = opened.go("/")
            for what, colour in colours.items():
                _sees(page, colour, f"{what}, {scheme}")
            _is_read(page, "Simulated streets")
            expect(page.get_by_role("button", name="Zhongshan Road crossing")).to_be_visible()
            if SHOTS:
                page.screenshot(path=Path(SHOTS) / f"streets-{scheme}.png")
            page.close()
        assert asked
        assert {status for status, _ in asked} == {206}
        assert all(part.startswith("bytes=") for _, part in asked)
    finally:
        town.close()


def test_the_keyboard_opens_a_device_on_the_map_and_comes_back(window: OpenWindow) -> None:
    page = window("admin", maps=True).go("/")
    marker = page.get_by_role("button", name="Zhongshan Road crossing")
    marker.focus()
    page.keyboard.press("Enter")
    panel = page.get_by_role("region", name="Zhongshan Road crossing")
    expect(panel).to_be_focused()
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    expect(marker).to_be_focused()


_COUNT_CONTEXTS = """
  const made = [];
  const own = HTMLCanvasElement.prototype.getContext;
  HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
    const context = own.call(this, kind, ...rest);
    // Known weakly: what counts must not hold what it counts.
    if (context && kind.startsWith("webgl")) made.push(new WeakRef(context));
    return context;
  };
  const alive = (context) => context && !context.isContextLost();
  window.mapsAlive = () => new Set(made.map((known) => known.deref()).filter(alive)).size;
"""


def test_leaving_a_page_lets_go_of_its_map_and_its_charts(window: OpenWindow) -> None:
    opened = window("admin", maps=True)
    opened.context.add_init_script(_COUNT_CONTEXTS)
    page = opened.go("/")
    menu = page.get_by_role("navigation", name="Main navigation")
    probe = opened.context.new_cdp_session(page)
    probe.send("Performance.enable")

    def round_trip() -> None:
        menu.get_by_role("link", name="Live map").click()
        page.locator(".city-map .canvas[data-drawn=yes]").wait_for()
        menu.get_by_role("link", name="Devices").click()
        page.get_by_role("link").filter(has_text="Canal outfall 3").click()
        page.locator(".uplot canvas").first.wait_for()

    def listeners() -> float:
        probe.send("HeapProfiler.collectGarbage")
        metrics = probe.send("Performance.getMetrics")["metrics"]
        return float(next(m["value"] for m in metrics if m["name"] == "JSEventListeners"))

    round_trip()
    menu.get_by_role("link", name="Devices").click()
    expect(page.locator(".uplot")).to_have_count(0)
    assert page.evaluate("mapsAlive()") == 0
    before = listeners()
    for _ in range(2):
        round_trip()
    menu.get_by_role("link", name="Devices").click()
    expect(page.locator(".uplot")).to_have_count(0)
    assert page.evaluate("mapsAlive()") == 0
    # A map has some forty listeners, a chart some twenty; what is dropped is collected in a while.
    eventually(lambda: listeners() < before + 30, "listeners of the pages that were left, gone")
