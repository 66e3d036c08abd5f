"""A fire: what the home says on a phone, what is typed meanwhile, what the dispatcher sees."""

from __future__ import annotations

from playwright.sync_api import expect

from browser.conftest import PHONE, OpenWindow
from browser.test_layout import _is_accessible
from browser.town import Town


def test_the_home_says_in_one_tap_that_it_burns_and_nothing_that_is_typed_is_lost(
    window: OpenWindow, town: Town
) -> None:
    town.furnish()
    page = window("mei", size=PHONE, language="en").go("/homes")
    page.get_by_text("What firefighters should know").click()
    page.get_by_label("Floor").fill("3F")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").get_by_text("Saved")).to_be_visible()
    keys = page.get_by_label("Keys and way in")
    keys.fill("half a sen")

    town.fire()

    burns = page.get_by_role("button", name="It burns")
    expect(burns.first).to_be_visible()
    _is_accessible(page, "/homes while a fire is asked about")
    expect(keys).to_have_value("half a sen")
    burns.first.click()
    expect(page.get_by_text("It was said that it burns").first).to_be_visible()
    expect(keys).to_have_value("half a sen")

    desk = window("admin", language="zh-TW").go("/fire")
    expect(desk.get_by_text("現場人員於").first).to_be_visible()
    expect(desk.get_by_text("3F", exact=True)).to_be_visible()
    expect(desk.get_by_role("heading", name="鄰近住家的警報器")).to_be_visible()
    _is_accessible(desk, "/fire")
    for act in ("受理", "已到場", "解除火警", "火災"):
        button = desk.get_by_role("button", name=act, exact=True)
        button.click()
        expect(button).to_have_count(0)
    expect(page.get_by_text("It was said that it burns")).to_have_count(0)
