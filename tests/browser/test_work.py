"""Work on an alert: new, in progress by somebody, done; what waits for a person stays in sight."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.sync_api import expect

from browser.conftest import DESKTOP, PHONE, OpenWindow
from browser.town import Town

SMOKE = "smoke"
SIZES = pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])


@SIZES
def test_what_is_over_and_taken_stays_until_it_is_confirmed(
    window: OpenWindow, town: Town, size: tuple[int, int]
) -> None:
    # Given a fire that somebody took, and that is over meanwhile. What is taken stands behind
    # all that is new, and the other tests of this town leave more of it than one page holds.
    fire = town.fire()
    alert = f"a[data-alert='{town.newest_alert(SMOKE)}']"
    mine = window("admin", size=size)
    page = mine.go(f"/alerts?domain={SMOKE}")
    row = page.locator("li", has=page.locator(alert))
    row.get_by_role("button", name="Acknowledge").click()
    row.get_by_label("Comment (optional)").fill("Engine 3 is under way.")
    row.get_by_role("button", name="Acknowledge").click()
    expect(row).to_contain_text("In progress: admin")
    town.fire(fire, active=False)

    # Then it is still there, waits for confirmation, and others see who has it
    expect(row).to_contain_text("Waits for confirmation")
    expect(page.get_by_role("heading", name="In progress")).to_be_visible()
    keeper = window("keeper", size=size, language="zh-TW")
    theirs = keeper.go(f"/alerts?domain={SMOKE}").locator(alert)
    expect(theirs).to_contain_text("處理中：admin")
    expect(theirs).to_contain_text("待確認")

    # and whoever took it is reminded, and finds it among their own
    reminder = page.get_by_role("link", name="You have taken")
    expect(reminder).to_be_visible()
    reminder.click()
    expect(page).to_have_url(f"{town.url}/alerts?show=mine")
    expect(row).to_be_visible()
    keeper.page.get_by_role("button", name="我的").click()
    expect(keeper.page.get_by_text("您手上沒有待辦事項")).to_be_visible()

    # When it is confirmed, with the keyboard alone, it is done for everybody
    row.get_by_role("button", name="Confirm").focus()
    page.keyboard.press("Enter")
    expect(row.get_by_label("Comment (optional)")).to_be_focused()
    page.keyboard.type("Burnt toast; the alarm is reset.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    # and nobody is called for its fire any more: until then it stays
    expect(row.get_by_role("button", name="Confirm")).to_have_count(0)
    town.end_fires()
    expect(row).to_have_count(0)
    page.get_by_role("button", name="Done").click()
    expect(row).to_contain_text("Confirmed")
    keeper.page.get_by_role("button", name="待處理").click()
    expect(theirs).to_have_count(0)


@pytest.mark.parametrize(
    ("language", "hint"),
    [("en", "It is over. Once what had to be done is done"), ("zh-TW", "警報已解除。處理完畢後")],
)
def test_the_alert_s_page_asks_for_the_confirmation(
    window: OpenWindow, town: Town, language: Literal["en", "zh-TW"], hint: str
) -> None:
    town.fire(town.fire(), active=False)
    address = f"/alerts/{town.newest_alert(SMOKE)}"
    page = window("admin", language=language).go(address)
    acknowledge = "Acknowledge" if language == "en" else "受理"
    expect(page.get_by_text(hint)).to_have_count(0)
    page.get_by_role("button", name=acknowledge, exact=True).click()
    expect(page.get_by_text(hint)).to_be_visible()
    confirm = "Confirm" if language == "en" else "確認"
    page.get_by_role("button", name=confirm, exact=True).click()
    page.get_by_role("button", name=confirm, exact=True).click()
    expect(page.get_by_text(hint)).to_have_count(0)
