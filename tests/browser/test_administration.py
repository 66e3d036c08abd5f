"""Households, districts, background jobs and one's own home, as people keep and see them."""

from __future__ import annotations

import re
import uuid

import pytest
from playwright.sync_api import Page, expect

from browser.conftest import DESKTOP, PHONE, OpenWindow
from browser.town import Town
from browser.town_seed import CANAL, KITCHEN


def key_of_its_own(word: str) -> str:
    return f"{word}-{uuid.uuid4().hex[:8]}"


def add_household(page: Page, key: str, name: str) -> None:
    """With the keyboard alone."""
    page.get_by_role("button", name="Add a household").press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Key", exact=True).fill(key)
    dialog.get_by_label("Name", exact=True).fill(name)
    dialog.get_by_label("Address").fill("7 Zhongshan Road")
    dialog.get_by_label("Address").press("Enter")
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_household_is_added_changed_and_erased(window: OpenWindow, size: tuple[int, int]) -> None:
    opened = window("admin", size=size)
    key = key_of_its_own("chen")
    page = opened.go("/administration/households")
    add_household(page, key, "The Chens")
    expect(page).to_have_url(f"{opened.town.url}/administration/households/{key}")
    expect(page).not_to_have_title("The Chens")

    page.get_by_label("User name of an account").fill("lone")
    page.get_by_label("Relation").select_option("guardian")
    page.get_by_role("button", name="Add", exact=True).click()
    member = page.get_by_role("listitem").filter(has_text="lone")
    expect(member).to_contain_text("Guardian")
    page.get_by_label("User name of an account").fill("nobody-at-all")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("alert").first).to_be_visible()
    page.get_by_role("button", name="Remove lone").click()
    expect(member).to_have_count(0)

    page.get_by_role("button", name="Change").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Latitude").fill("95")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_text("A position has a latitude")).to_be_visible()
    dialog.get_by_label("Latitude").fill("23.48")
    dialog.get_by_label("Longitude").fill("120.45")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_text("23.48000, 120.45000")).to_be_visible()

    page.get_by_role("button", name="Erase this household").click()
    page.get_by_role("dialog").get_by_role("button", name="Erase this household").click()
    expect(page).to_have_url(f"{opened.town.url}/administration/households")
    expect(page.get_by_text("The Chens")).to_have_count(0)


def test_a_device_is_given_to_a_home_and_taken_away(window: OpenWindow) -> None:
    page = window("admin").go("/administration/households")
    add_household(page, key_of_its_own("wu"), "The Wus")

    page.get_by_label("Device id").fill(CANAL)
    page.get_by_role("button", name="Give to this home").click()
    expect(page.get_by_role("link", name="Canal outfall 3")).to_be_visible()
    page.get_by_role("button", name="Take away Canal outfall 3").click()
    expect(page.get_by_text("No device stands here.")).to_be_visible()


def test_a_district_is_outlined_on_the_map_and_by_its_corners(window: OpenWindow) -> None:
    page = window("admin", maps=True).go("/administration/districts")
    key = key_of_its_own("north")
    page.get_by_role("button", name="Add a district").click()
    page.get_by_label("Key", exact=True).fill(key)
    page.get_by_label("Name", exact=True).fill(f"Ward {key}")
    page.get_by_label("Name in Chinese").fill("北區")
    corners = page.get_by_label("Outline")

    corners.fill("23.5, 120.4\n23.6, 120.4")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("at least three corners")
    corners.fill("23.5, 120.4\nsomewhere")
    expect(page.get_by_role("alert")).to_contain_text("Line 2")
    corners.fill("23.5, 120.4\n23.6, 120.4")
    canvas = page.locator(".city-map .canvas")
    expect(canvas).to_have_attribute("data-drawn", "yes")
    page.locator(".maplibregl-canvas").click(position={"x": 120, "y": 120})
    expect(corners).to_have_value(re.compile(r"^23.5, 120.4\n23.6, 120.4\n-?[\d.]+, -?[\d.]+$"))
    page.get_by_role("button", name="Save").click()
    row = page.get_by_role("listitem").filter(has_text=key)
    expect(row).to_contain_text("3 corners")

    page.get_by_role("button", name=f"Change Ward {key}").click()
    corners.fill("")
    page.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("no outline")
    page.get_by_role("button", name=f"Remove district Ward {key}").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)


def test_a_district_that_is_used_says_why_it_stays(window: OpenWindow, town: Town) -> None:
    town.furnish()
    page = window("admin").go("/administration/districts")
    page.get_by_role("button", name="Remove district East District").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Remove").click()
    expect(dialog.get_by_role("alert")).to_be_visible()


def test_background_jobs_tell_when_they_ran(window: OpenWindow) -> None:
    page = window("admin").go("/administration/jobs")
    job = page.locator("section").filter(has=page.get_by_role("heading", name="feed-pruned"))
    expect(job).to_contain_text("every 1")
    expect(job).to_contain_text("Well")
    expect(job).to_contain_text("Runs")
    expect(job).not_to_contain_text("never")


def test_others_have_no_administration(window: OpenWindow) -> None:
    opened = window("inspector")
    page = opened.go("/administration/households")
    expect(page.get_by_role("heading", name="There is nothing at this address")).to_be_visible()
    expect(page.get_by_role("link", name="Admin")).to_have_count(0)


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_family_sees_its_home_its_members_and_its_alarms(
    window: OpenWindow, town: Town, size: tuple[int, int]
) -> None:
    town.furnish()
    town.fire()
    page = window("mei", size=size, language="zh-TW").go("/homes")
    expect(page.get_by_role("heading", name="林宅 同住")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="林奶奶")).to_contain_text("同住")
    expect(page.locator(f"a[href='/devices/{KITCHEN}']")).to_be_visible()
    expect(page.get_by_text("林宅廚房 火災警報").first).to_be_visible()
    lone = window("lone", size=size).go("/homes")
    expect(lone.get_by_text("You belong to no home")).to_be_visible()
