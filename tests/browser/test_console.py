"""The live map and the alert list: what happens in the town appears without a reload."""

from __future__ import annotations

import re

import cv2
import numpy as np
from playwright.sync_api import Locator, Page, expect

from browser.conftest import OpenWindow
from browser.town import Town


def _drawn(page: Page) -> Locator:
    canvas = page.locator(".city-map .canvas[data-drawn=yes]")
    canvas.wait_for()
    return canvas


def test_the_map_shows_land_borders_names_and_devices(window: OpenWindow) -> None:
    page = window("admin", maps=True).go("/")
    # What the canvas shows, without the markers that stand above it.
    picture = _drawn(page).locator("canvas").screenshot()
    pixels = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    assert pixels.shape[0] > 600
    assert len(np.unique(pixels)) > 20
    edges = cv2.Canny(pixels, 10, 30)
    assert np.count_nonzero(edges) > 2000

    marker = page.get_by_role("button", name="Zhongshan Road crossing")
    expect(marker).to_be_visible()
    marker.click()
    panel = page.get_by_role("region", name="Zhongshan Road crossing")
    expect(panel.get_by_text("Equivalent level LAeq")).to_be_visible()
    panel.get_by_role("link", name="Open device").click()
    expect(page.get_by_role("heading", name="Zhongshan Road crossing")).to_be_visible()


def test_an_alert_appears_by_itself_and_who_takes_it_is_shown(
    window: OpenWindow, town: Town
) -> None:
    # Given two people who watch
    first, second = window("admin", maps=True), window("inspector", language="zh-TW")
    page, other = first.go("/"), second.go("/")
    for one in (page, other):
        one.locator(".live.live i").first.wait_for()
    _drawn(page)

    # When a vehicle is loud
    town.loud_vehicle(91.7)

    # Then both see it, told aloud to who cannot see, and its place pulses
    card = page.get_by_role("listitem").filter(has_text="Loud vehicle 91.7 dB(A)")
    expect(card).to_be_visible()
    expect(other.get_by_role("listitem").filter(has_text="高噪音車輛 91.7 分貝")).to_be_visible()
    expect(page.locator("[aria-live=assertive]")).to_have_text("New alert: Loud vehicle 91.7 dB(A)")
    marker = page.get_by_role("button", name="Zhongshan Road crossing: Loud vehicle")
    expect(marker).to_have_class(re.compile("mark-alert"))

    # When one takes it
    card.get_by_role("button", name="Acknowledge").click()
    card.get_by_label("Comment (optional)").fill("A patrol is on its way.")
    card.get_by_role("button", name="Acknowledge").click()

    # Then the other sees who, and why
    row = other.get_by_role("listitem").filter(has_text="高噪音車輛 91.7 分貝")
    expect(row).to_contain_text("處理中：admin")
    row.get_by_role("link").click()
    expect(other.get_by_text("A patrol is on its way.")).to_be_visible()


def test_the_list_is_filtered_by_domain(window: OpenWindow, town: Town) -> None:
    town.loud_vehicle(90.2)
    town.discharge()
    page = window("admin").go("/alerts")
    noise = page.get_by_role("listitem").filter(has_text="Loud vehicle 90.2 dB(A)")
    expect(noise).to_be_visible()
    page.get_by_role("group", name="Filter by domain").get_by_role("button", name="Water").click()
    expect(noise).to_have_count(0)
    expect(page.get_by_role("listitem").filter(has_text="Canal outfall 3").first).to_be_visible()


def test_a_lost_connection_is_shown_and_what_was_missed_comes(
    window: OpenWindow, town: Town
) -> None:
    page = window("admin").go("/alerts")
    expect(page.get_by_role("heading", name="Alerts", level=1)).to_be_visible()
    page.locator(".live.live i").first.wait_for()
    town.stop_server()
    expect(page.get_by_text("Reconnecting")).to_be_visible()
    stale = page.get_by_text("The connection was lost; what you see may be old")
    expect(stale).to_be_visible()
    town.start_server()
    expect(page.locator(".live.live i").first).to_be_visible()
    expect(stale).to_have_count(0)
    town.loud_vehicle(93.3)
    expect(page.get_by_role("listitem").filter(has_text="Loud vehicle 93.3 dB(A)")).to_be_visible()


def test_a_page_that_could_not_be_fetched_comes_by_itself(window: OpenWindow, town: Town) -> None:
    page = window("admin").go("/")
    page.locator(".live.live i").first.wait_for()
    town.stop_server()
    page.get_by_role("link", name="Devices", exact=True).click()
    expect(page.get_by_text("This page could not be loaded")).to_be_visible()
    town.start_server()
    expect(page.get_by_role("heading", name="Devices", level=1)).to_be_visible()


def test_without_webgl_the_lists_still_serve(window: OpenWindow, town: Town) -> None:
    town.loud_vehicle(94.4)
    page = window("admin").go("/")
    expect(page.get_by_text("The map cannot be drawn in this browser.")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="Loud vehicle 94.4 dB(A)")).to_be_visible()
