"""The programme of alarms: a resident applies on a phone, the office decides, the bureau refers."""

from __future__ import annotations

from playwright.sync_api import expect

from browser.conftest import PHONE, OpenWindow
from browser.test_layout import _is_accessible
from browser.town import Town


def test_a_resident_applies_on_a_phone_and_follows_it(window: OpenWindow, town: Town) -> None:
    town.furnish()
    page = window("mei", size=PHONE, language="en").go("/homes")
    page.get_by_text("Apply for alarms", exact=True).click()
    send = page.get_by_role("button", name="Apply", exact=True)
    expect(page.get_by_text("Nothing is ticked that makes it a home at risk.")).to_be_visible()
    expect(send).to_be_disabled()
    page.get_by_label("elder living alone").check()
    expect(page.get_by_text("Your home can apply.")).to_be_visible()
    _is_accessible(page, "/homes with an application")

    # What cannot be is held back where it was typed, and nothing is lost.
    phone = page.get_by_label("Telephone", exact=True).last
    phone.fill("call me")
    page.get_by_label("I agree that this is written down").check()
    send.click()
    assert phone.evaluate("field => field.validity.patternMismatch") is True
    phone.fill("05-222-3333")
    page.get_by_label("Who is to be called").fill("Lin Mei-ling")
    send.click()
    expect(page.get_by_role("status").get_by_text("Applied", exact=True)).to_be_visible()
    page.get_by_text("What became of it").click()
    expect(page.get_by_text("agreed to be written down")).to_be_visible()
    _is_accessible(page, "/homes with what became of it")

    desk = window("admin", language="en").go("/programme")
    desk.get_by_role("listitem").filter(has_text="elder living alone").get_by_role("link").click()
    expect(desk.get_by_text("05-222-3333")).to_be_visible()
    desk.get_by_role("button", name="Accept").click()
    expect(desk.get_by_role("button", name="Appoint")).to_be_visible()
    _is_accessible(desk, "/programme of the office")

    chinese = window("mei", size=PHONE, language="zh-TW").go("/homes")
    expect(chinese.get_by_role("status").get_by_text("待約定", exact=True)).to_be_visible()
    chinese.get_by_role("button", name="撤回申請").click()
    expect(chinese.get_by_role("status").get_by_text("已撤回", exact=True)).to_be_visible()
    chinese.get_by_text("再次申請").click()
    chinese.get_by_label("獨居老人").check()
    expect(chinese.get_by_text("您的住家符合申請資格。")).to_be_visible()
    _is_accessible(chinese, "/homes after a withdrawal")


def test_the_bureau_refers_a_home_that_agreed(window: OpenWindow) -> None:
    page = window("bureau", language="en").go("/programme")
    page.get_by_label("Name", exact=True).fill("Wang")
    page.get_by_label("Address").fill("8 Minzu Road")
    send = page.get_by_role("button", name="Apply", exact=True)
    send.click()
    consent = page.get_by_label("The household agreed to be written down")
    assert consent.evaluate("box => box.validity.valueMissing") is True, "not without consent"
    consent.check()
    send.click()
    told = page.get_by_role("status")
    expect(told.get_by_text("The home is applied for.")).to_be_visible()
    expect(told.get_by_text("Nothing is ticked that makes it a home at risk.")).to_be_visible()
    _is_accessible(page, "/programme of the bureau")
