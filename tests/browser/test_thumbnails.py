"""Coarse pictures in the list of alerts: they come late, are gone, and nothing jumps."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Locator, Route, expect

from browser.conftest import DESKTOP, PHONE, OpenWindow
from browser.evidence import reference, sealed_passage
from browser.test_layout import _fits, _is_accessible
from browser.town import Town

SHOTS = os.environ.get("VIGIL_SCREENSHOTS")
STREAM = "**/api/v1/stream"
SHIFTS = """
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) window.shifts.push(one.value);
  }).observe({ type: "layout-shift", buffered: true });
"""
Size = tuple[int, int]
LANGUAGES: tuple[tuple[Size, Literal["en", "zh-TW"], Literal["light", "dark"], str], ...] = (
    (DESKTOP, "en", "dark", "Coarse picture"),
    (PHONE, "zh-TW", "light", "粗略畫面"),
)


@pytest.fixture(scope="module")
def pictured(town: Town) -> Town:
    """Two loud vehicles with pictures, and one without."""
    for number, level in ((1, 98.3), (2, 95.1)):
        now = datetime.now(UTC)
        sealed = sealed_passage(f"exceedance-pictured-{number}", now - timedelta(seconds=4), "ABC")
        town.loud_vehicle(level, reference(sealed), f"exceedance-pictured-{number}")
        town.upload(sealed)
    town.loud_vehicle(92.2)
    return town


def _boxes(rows: Locator) -> list[Any]:
    """Where each row and what stands in it is."""
    found: list[Any] = rows.evaluate_all(
        """(all) => all.flatMap((row) => [row, ...row.querySelectorAll("*")]).map((one) => {
          const { x, y, width, height } = one.getBoundingClientRect();
          return [one.tagName, x, y, width, height];
        })"""
    )
    return found


@pytest.mark.parametrize(("size", "language", "scheme", "name"), LANGUAGES, ids=["wide", "phone"])
def test_pictures_come_late_or_not_at_all_and_nothing_jumps(
    window: OpenWindow,
    pictured: Town,
    size: Size,
    language: Literal["en", "zh-TW"],
    scheme: Literal["light", "dark"],
    name: str,
) -> None:
    # Given a list whose pictures have not come
    opened = window("inspector", size=size, language=language, scheme=scheme)
    page, waiting = opened.page, list[Route]()
    page.add_init_script(SHIFTS)
    page.route("**/thumbnail", lambda route: waiting.append(route))
    opened.go("/alerts?domain=noise")
    rows = page.locator("li:has([data-alert])")
    with_picture = rows.filter(has_text="98.3").or_(rows.filter(has_text="95.1"))
    pictures = with_picture.get_by_role("img", name=name, exact=True)
    expect(pictures).to_have_count(2)
    expect(rows.filter(has_text="92.2").locator("img")).to_have_count(0)
    for one in pictures.all():
        expect(one).to_have_attribute("loading", "lazy")
        expect(one).to_have_attribute("decoding", "async")
    for one in pictures.all():
        one.scroll_into_view_if_needed()
    before, moved = _boxes(with_picture), page.evaluate("window.shifts.length")

    # When one comes and the other is gone
    deadline = time.monotonic() + 60
    while len(waiting) < 2:
        assert time.monotonic() < deadline
        page.evaluate("() => new Promise((drawn) => requestAnimationFrame(drawn))")
    waiting[0].continue_()
    waiting[1].fulfill(status=404, body="")
    expect(page.locator("li .lost")).to_have_count(1)
    shown = page.locator("li img:not(.lost)")
    expect(shown).to_have_js_property("complete", value=True)
    assert shown.evaluate("(one) => one.naturalWidth") == 39

    # Then everything stands where it stood, and no browser's mark of a broken picture is shown
    assert _boxes(with_picture) == before
    assert page.evaluate("window.shifts.length") == moved
    expect(page.locator("li .lost")).not_to_be_visible()
    _is_accessible(page, f"alerts with pictures {language}")
    _fits(page, f"alerts with pictures {language}")
    if SHOTS:
        page.screenshot(path=str(Path(SHOTS) / f"thumbnails-{language}-{scheme}.png"))


def test_a_picture_that_failed_once_is_there_when_the_stream_is_back(
    window: OpenWindow, pictured: Town
) -> None:
    # Given a list one of whose pictures was answered by a server that could not
    opened = window("inspector")
    opened.context.route(STREAM, lambda route: route.abort())
    page, asked = opened.page, list[str]()

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=503, body="") if len(asked) == 1 else route.continue_()

    page.route("**/thumbnail", answer)
    opened.go("/alerts?domain=noise")
    lost = page.locator("li .lost")
    expect(lost).to_have_count(1)

    # When the stream, which was away with it, is back
    opened.context.unroute(STREAM)

    # Then it is asked for once more
    expect(lost).to_have_count(0, timeout=30_000)
    assert asked.count(asked[0]) == 2
    opened.complaints.clear()  # the browser says what was aborted
