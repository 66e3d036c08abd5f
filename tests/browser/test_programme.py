"""The programme of alarms: a resident applies on a phone, the office decides, the bureau refers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
from playwright.sync_api import FilePayload, expect

from browser.conftest import PHONE, OpenWindow
from browser.test_layout import _is_accessible
from browser.town import Town
from browser.town_seed import PASSWORD
from cases_office import picture


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
    expect(desk.get_by_role("button", name="Appoint", exact=True)).to_be_visible()
    _is_accessible(desk, "/programme of the office")

    chinese = window("mei", size=PHONE, language="zh-TW").go("/homes")
    expect(chinese.get_by_role("status").get_by_text("待約定", exact=True)).to_be_visible()
    chinese.get_by_role("button", name="撤回申請").click()
    expect(chinese.get_by_role("status").get_by_text("已撤回", exact=True)).to_be_visible()
    chinese.get_by_text("再次申請").click()
    chinese.get_by_label("獨居老人").check()
    expect(chinese.get_by_text("您的住家符合申請資格。")).to_be_visible()
    _is_accessible(chinese, "/homes after a withdrawal")


def test_whoever_belongs_to_no_home_applies_with_the_address(window: OpenWindow) -> None:
    page = window("lone", size=PHONE, language="en").go("/homes")
    expect(page.get_by_text("You belong to no home")).to_be_visible()
    page.get_by_text("Apply for alarms", exact=True).click()
    page.get_by_label("elder living alone").check()
    page.get_by_label("Who is to be called").fill("Lone")
    page.get_by_label("Telephone", exact=True).fill("05-222-4444")
    page.get_by_label("Address").fill("9 Minzu Road")
    page.get_by_label("I agree that this is written down").check()
    _is_accessible(page, "/homes of nobody's home")
    page.get_by_role("button", name="Apply", exact=True).click()
    expect(page.get_by_role("status").get_by_text("Applied", exact=True)).to_be_visible()
    page.get_by_role("button", name="Withdraw the application").click()
    expect(page.get_by_role("status").get_by_text("Withdrawn", exact=True)).to_be_visible()


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


def test_three_accounts_sign_for_what_they_see_and_the_certificate_says_for_what(
    window: OpenWindow, town: Town
) -> None:
    """The resident on a phone, whoever fits the alarm, and the office."""
    town.furnish()
    with httpx.Client(base_url=f"{town.url}/api/v1", trust_env=False, timeout=60) as client:
        said = client.post("/session", json={"username": "mei", "password": PASSWORD})
        client.headers["X-CSRF-Token"] = said.raise_for_status().json()["csrf"]
        body = {"household": "lin", "risks": ["narrow-lane"], "agreed": True}
        applied = client.post("/smoke/programme/homes/mine", json=body).raise_for_status()
        home = applied.json()["home"]["home"]
    office = window("admin", language="en").go(f"/programme/{home}")
    office.get_by_role("button", name="Accept").click()

    fitter = window("keeper", language="en").go(f"/programme/{home}")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    fitter.get_by_label("Appointment", exact=True).fill(f"{tomorrow:%Y-%m-%dT%H:%M}")
    fitter.get_by_role("button", name="Appoint", exact=True).click()
    fitter.get_by_label("Serial number").fill("SA-0001")
    fitter.get_by_label("Expires on").fill("2036-01-01")
    photograph = FilePayload(name="hall.jpg", mimeType="image/jpeg", buffer=picture())
    fitter.get_by_label("Photograph where it hangs").set_input_files([photograph])
    fitter.get_by_role("button", name="It hangs", exact=True).click()
    fitter.get_by_role("button", name="Sign as installer").click()
    expect(fitter.get_by_text("Installer", exact=True).first).to_be_visible()

    office.reload()
    expect(office.get_by_text("A resident has an account")).to_be_visible()
    expect(office.get_by_role("button", name="Household signed on paper")).to_have_count(0)
    _is_accessible(office, "/programme of a home to be signed")
    office.get_by_role("button", name="Sign for the city").click()

    page = window("mei", size=PHONE, language="en").go("/homes")
    page.get_by_role("button", name="Sign for the household").click()
    expect(page.get_by_role("status").get_by_text("In service", exact=True)).to_be_visible()
    expect(page.get_by_text("Signed for (digest of the round and the alarms)")).to_be_visible()
    _is_accessible(page, "/homes with a certificate")

    # A visit that replaces the alarm: the certificate says that it is of the one before.
    fitter.reload()
    fitter.get_by_label("Replace SA-0001 (bedroom)").check()
    fitter.get_by_label("Serial number").fill("SA-0002")
    fitter.get_by_label("Expires on").fill("2036-01-01")
    _is_accessible(fitter, "/programme of a visit")
    fitter.get_by_role("button", name="Visited, replaced as entered").click()
    expect(fitter.get_by_text("SA-0002", exact=True)).to_be_visible()
    page.reload()
    expect(page.get_by_text("Alarms were replaced since this was signed.")).to_be_visible()

    office.reload()
    office.get_by_label("Why: Leave the programme").select_option("moved")
    office.get_by_role("button", name="Leave the programme").click()
    expect(office.get_by_text("Left", exact=True).first).to_be_visible()
