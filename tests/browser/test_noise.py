"""A loud vehicle, from the alert to a case that is paid: the whole way, by those who go it."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from browser.conftest import PHONE, OpenWindow
from browser.evidence import reference, sealed_evidence
from browser.town import Town
from vigil_cloud.cases.bundle_check import examine_bundle

TAPS = 6
"""From the alert to the decision, fields that are typed into among them."""


def test_two_inspectors_decide_and_a_dossier_leaves(
    window: OpenWindow, town: Town, tmp_path: Path
) -> None:
    # Given a case that the inspector has opened from an alert, with its evidence
    name = "exceedance-of-the-journey"
    sealed = sealed_evidence(name)
    town.loud_vehicle(98.3, reference(sealed), name)
    town.upload(sealed)
    watching = window("inspector").go("/alerts")
    watching.get_by_role("link").filter(has_text="98.3").first.click()
    watching.get_by_role("button", name="Open: Noise exceedance").click()
    expect(watching).to_have_url(re.compile("/cases/[0-9a-f-]{36}$"))
    path = watching.url.removeprefix(town.url)
    heading = watching.get_by_role("heading", name="Checks")
    checks = watching.locator("section").filter(has=heading)
    expect(checks.locator("[data-verdict=pass]")).to_have_count(10)
    # Wind, rain, what it sounds like and which vehicle it was: for the two who decide.
    expect(checks.locator("[data-verdict=unknown]")).to_have_count(6)

    # When two reviewers decide, by mouse and, on a phone in Chinese, by keyboard alone,
    # neither seeing the other's word
    other = window("reviewer-b", size=PHONE, language="zh-TW").go(path)
    expect(other.get_by_role("heading", name="採證查核")).to_be_visible()
    _decide_by_mouse(window, town)
    expect(other.get_by_text("已有 1／2 份決定").first).to_be_visible()
    expect(other.get_by_text("Clear plate")).to_have_count(0)
    expect(other.get_by_text("MXK2917")).to_have_count(0)
    _decide_by_keyboard(other)

    # Then the inspector's page shows it without a reload
    expect(watching.get_by_text("Violation: fine · TWD 3,600").first).to_be_visible()
    expect(watching.get_by_text("MXK2917")).to_have_count(2)

    # and the case leaves as one file that holds without the cloud
    with watching.expect_download() as told:
        watching.get_by_role("link", name="With sealed evidence").click()
    file = tmp_path / told.value.suggested_filename
    told.value.save_as(file)
    found = examine_bundle(file, None)
    assert found.faults == []
    assert found.packages == [reference(sealed).sha256]

    # and it is referred, paid, and counted
    reviewer = window("reviewer-a").go(path)
    reviewer.get_by_role("button", name="Refer").click()
    dialog = reviewer.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("To the Environmental Protection Bureau.")
    dialog.get_by_role("button", name="Refer").click()
    expect(watching.get_by_text("Referred").first).to_be_visible()
    watching.get_by_role("button", name="Close the case").click()
    dialog = watching.get_by_role("dialog")
    dialog.get_by_label("Closed as").select_option("paid")
    dialog.get_by_role("button", name="Close the case").click()
    expect(watching.get_by_text("Closed", exact=True).first).to_be_visible()
    watching.get_by_role("link", name="Noise", exact=True).first.click()
    expect(watching.get_by_text(re.compile("1 referred, 1 paid"))).to_be_visible()
    expect(watching.get_by_text("verification-1").first).to_be_visible()


def _decide_by_mouse(window: OpenWindow, town: Town) -> None:
    page = window("reviewer-a").go("/alerts")
    taps = 0

    def tapped() -> None:
        nonlocal taps
        taps += 1

    page.expose_function("tapped", tapped)
    page.evaluate("document.addEventListener('click', () => window.tapped(), true)")
    page.get_by_role("link").filter(has_text="98.3").first.click()
    page.get_by_role("link", name=re.compile("20[0-9]{2}-[0-9]{6}")).first.click()
    page.get_by_label("Violation: fine").click()
    expect(page.get_by_label("Amount (TWD)")).to_have_value("3600")
    for label, text in (("Licence plate as you read it", "mxk-2917"), ("Reason", "Clear plate.")):
        page.get_by_label(label).click()
        page.keyboard.type(text)
    page.get_by_role("button", name="Give my decision").click()
    expect(page.get_by_label("Reason")).to_have_count(0)
    assert taps <= TAPS


def _decide_by_keyboard(page: Page) -> None:
    first = page.get_by_label("違規：裁罰")
    first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    expect(page.get_by_label("金額（新臺幣元）")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type("MXK 2917")
    page.keyboard.press("Tab")
    page.keyboard.type("車牌清晰")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_label("理由", exact=True)).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
