"""A search on the pages: two taps by the family, a reason by the police, a hit, the end."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from browser.conftest import PHONE, OpenWindow
from browser.test_layout import _is_accessible
from browser.town import Town
from browser.town_seed import GRANDMOTHER, MARKET, NAMES, PARK
from cases_office import picture


def end(page: Page, words: str) -> None:
    """By keyboard alone."""
    page.get_by_label(re.compile("Where and how|在哪裡、如何尋獲")).focus()
    page.keyboard.type(words)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text(re.compile("The search has ended|協尋已結束")).first).to_be_visible()


def test_reported_in_two_taps_opened_with_a_reason_hit_and_ended(
    window: OpenWindow, town: Town, tmp_path: Path
) -> None:
    # Given somebody who was in the park, and is missing
    town.visit(GRANDMOTHER, PARK, minutes_ago=90, departed=True)
    family = window("mei", size=PHONE, language="zh-TW").go("/family")
    expect(family.get_by_role("button", name="通報走失")).to_be_visible()
    _is_accessible(family, "family")

    # When her daughter reports it, with a photograph
    family.get_by_role("button", name="通報走失").click()
    expect(family.get_by_role("button", name="立即通報")).to_be_focused()
    picked = family.get_by_label("照片（選填）")
    huge = bytes(21 * 1024 * 1024)
    picked.set_input_files({"name": "huge.jpg", "mimeType": "image/jpeg", "buffer": huge})
    expect(family.get_by_role("alert").filter(has_text="照片")).to_be_visible()
    sent = tmp_path / "grandmother.jpg"
    sent.write_bytes(picture((64, 48)))
    picked.set_input_files(sent)
    expect(family.get_by_role("alert")).to_have_count(0)
    family.get_by_label("衣著（選填）").fill("紅外套")
    _is_accessible(family, "report")
    family.get_by_role("button", name="立即通報").click()
    expect(family).to_have_url(re.compile("/cases/[0-9a-f-]{36}$"))
    case = "/cases/" + family.url.rsplit("/", 1)[1]
    expect(family.get_by_text("紅外套").first).to_be_visible()
    expect(family.locator("img[src*=photographs]")).to_have_count(1)
    assert family.evaluate("document.documentElement.scrollWidth <= innerWidth")
    _is_accessible(family, "case of the family")

    # Then an officer is called, and sees it with a reason only
    officer = window("officer", maps=True).go("/alerts")
    officer.get_by_role("link").filter(has_text="Somebody is missing").first.click()
    expect(officer.get_by_text(NAMES["grandmother"])).to_have_count(0)
    officer.get_by_role("link", name="Open the case").click()
    expect(officer.get_by_role("heading", name="Search map")).to_have_count(0)
    officer.get_by_label("Reason").fill("Call 110-2231")
    officer.get_by_role("button", name="Open for a limited time").click()
    expect(officer.get_by_role("heading", name="Search map")).to_be_visible()
    way = officer.locator("section", has=officer.get_by_role("heading", name="Footprint of"))
    expect(way.get_by_text("Chiayi Park gate").first).to_be_visible()
    expect(officer.get_by_text("25 % within 320 m")).to_be_visible()
    expect(officer.get_by_text("紅外套").first).to_be_visible()

    # and a hit comes to the open page by itself
    hits = officer.locator(f"[data-hit={MARKET}]")
    expect(hits).to_have_count(0)
    town.visit(GRANDMOTHER, MARKET, minutes_ago=0, departed=False)
    expect(hits).to_have_count(1)

    # and what somebody saw is entered, and shown to the family
    officer.get_by_label("In words").fill("At the bus stop")
    officer.get_by_role("button", name="Add to the map").click()
    expect(family.get_by_text("At the bus stop").first).to_be_visible()
    _is_accessible(officer, "case of the police")

    # When a notice hangs somewhere, and whoever passes by reports without an account
    family.get_by_role("button", name="產生 QR 碼").click()
    expect(family.get_by_alt_text("民眾回報頁面的 QR 碼")).to_be_visible()
    link = family.locator("a[href*='/p/search/']").get_attribute("href") or ""
    passer_by = window(size=PHONE).go("/p/search/" + link.rsplit("/", 1)[1] + "?lang=en")
    expect(passer_by.get_by_role("heading")).to_have_text("Did you see the person on the notice?")
    assert "紅外套" not in passer_by.content()
    assert NAMES["grandmother"] not in passer_by.content()
    passer_by.get_by_label("Where, and what you saw").fill("By the river")
    passer_by.get_by_role("button", name="I saw this person").click()
    expect(passer_by.get_by_role("status")).to_contain_text("Thank you")

    # Then it comes to the open pages, as not verified, and the family sees who looked
    expect(officer.get_by_text("By the river").first).to_be_visible()
    expect(officer.get_by_text("a passer-by, not verified")).to_be_visible()
    looks = family.locator("section", has=family.get_by_role("heading", name="誰查看過本案"))
    expect(looks.get_by_role("listitem").filter(has_text="officer").first).to_be_visible()
    expect(officer.get_by_role("heading", name="Who looked at this search")).to_have_count(0)
    _is_accessible(family, "case of the family with its notice")

    # When she is found
    end(family, "在市場找到")

    # Then the officer's page forgets, and the family sees who looked
    officer.reload()
    expect(officer.get_by_role("button", name="Open for a limited time")).to_be_visible()
    expect(officer.get_by_role("heading", name="Search map")).to_have_count(0)
    family.goto(town.url + "/family")
    expect(family.get_by_role("listitem").filter(has_text="officer").first).to_be_visible()
    expect(family.get_by_role("button", name="通報走失")).to_be_visible()
    assert case


def test_by_keyboard_in_english_and_again_leads_to_the_same_case(
    window: OpenWindow, town: Town
) -> None:
    page = window("mei", language="en").go("/family")
    page.get_by_role("button", name="Report missing").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Report now")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/cases/[0-9a-f-]{36}$"))
    case = page.url
    expect(page.get_by_role("heading", name="Search map")).to_be_visible()

    page.goto(town.url + "/family")
    page.get_by_role("link", name=re.compile("To the case")).click()
    expect(page).to_have_url(case)
    end(page, "She came home.")
