"""A thing on the pages: registered by its code, reported stolen, looked for with a reason."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from playwright.sync_api import Page, expect

from browser.conftest import DESKTOP, PHONE, OpenWindow
from browser.test_layout import SHOTS, _fits, _is_accessible
from browser.town import Town
from browser.town_seed import MARKET, PARK
from vigil_schemas.checkin import StationPosition

STICKER = "epc:3034257bf7194e4000001a85"


def pictured(page: Page, name: str) -> None:
    """Nothing sticks out at either size, and everything can be read; a picture of it on demand."""
    for size in (PHONE, DESKTOP):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        _fits(page, f"{name} {size}")
        if SHOTS:
            page.screenshot(path=f"{SHOTS}/{name}-{size[0]}.png", full_page=True)
    _is_accessible(page, name)


def test_a_stolen_bicycle_is_looked_for_with_a_reason(window: OpenWindow, town: Town) -> None:
    # Given a bicycle with a sticker of the city's, registered on a telephone
    code = town.printed_code(STICKER)
    family = window("mei", size=PHONE, language="zh-TW").go("/family")
    family.get_by_role("button", name="登記物品").click()
    form = family.get_by_role("form", name="登記物品")
    form.get_by_label("名稱").fill("紅色腳踏車")
    form.get_by_label("標籤代碼").fill(code)
    form.get_by_role("button", name="登記", exact=True).click()
    thing = family.locator('[data-thing="bicycle"]')
    expect(thing).to_contain_text("紅色腳踏車")
    town.visit(STICKER, MARKET, minutes_ago=0, departed=False)

    # When it is reported stolen
    thing.get_by_role("button", name=re.compile("^報失竊")).click()
    family.get_by_role("dialog").get_by_role("button", name="報失竊").click()
    expect(family).to_have_url(re.compile("/cases/[0-9a-f-]{36}$"))
    case = "/cases/" + family.url.rsplit("/", 1)[1]

    # Then an officer sees where it is seen with a reason only
    officer = window("officer", maps=True).go(case)
    expect(officer.get_by_role("heading", name="Where it is seen")).to_have_count(0)
    officer.get_by_label("Reason").fill("Call 110-2231")
    officer.get_by_role("button", name="Open for a limited time").click()
    expect(officer.get_by_role("heading", name="Where it is seen")).to_be_visible()
    expect(officer.locator("[data-sign]")).to_have_count(1)

    # and what a reader on a car meets appears by itself, with how well it knew where it was
    at = datetime.now(UTC)
    fix = StationPosition(state="fixed", latitude=23.478, longitude=120.452, within_m=6.0, at=at)
    town.met_on_the_move(STICKER, PARK, fix)
    newest = officer.locator('[data-sign="1"]')
    expect(newest).to_contain_text("on the move")
    expect(newest).to_contain_text("± 6 m")
    town.met_on_the_move(STICKER, PARK, StationPosition(state="no-fix"))
    expect(newest).to_contain_text("it had no satellite position")
    pictured(officer, "theft-officer-en")

    # and the family is shown it too
    family.goto(f"{town.url}{case}")
    expect(family.get_by_role("heading", name="感測位置")).to_be_visible()
    pictured(family, "theft-family-zh")
    family.goto(f"{town.url}/family")
    expect(thing).to_contain_text("所有站點協尋")
    pictured(family, "things-family-zh")
