"""Cases on the pages: by mouse, by keyboard, on a phone, in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
from playwright.sync_api import Page, expect

from browser.conftest import PHONE, OpenWindow
from browser.town import Town
from browser.town_seed import PASSWORD
from cases_office import picture


def open_from_alert(window: OpenWindow, town: Town, level: float, **more: object) -> Page:
    """The inspector opens a case from the alert's page; its page."""
    town.loud_vehicle(level)
    page = window("inspector", **more).go("/alerts")
    title = f"{level:.1f}"
    page.get_by_role("link").filter(has_text=title).first.click()
    page.get_by_role("button", name=re.compile("Open: Noise exceedance|開立：噪音超標案件")).click()
    expect(page).to_have_url(re.compile("/cases/[0-9a-f-]{36}$"))
    expect(page.get_by_role("heading", level=1)).to_contain_text(title)
    return page


def test_on_a_phone_in_chinese_with_a_photograph_and_a_note(
    window: OpenWindow, town: Town, tmp_path: Path
) -> None:
    town.discharge()
    page = window("inspector", size=PHONE, language="zh-TW").go("/alerts")
    page.get_by_role("link").filter(has_text="導電度").first.click()
    page.get_by_role("button", name="開立：水質稽查案件").click()
    expect(page.get_by_role("heading", name="限值")).to_have_count(0)
    expect(page.get_by_text("2500 µS/cm").first).to_be_visible()

    # Whoever opens it and may decide it has it in charge.
    expect(page.get_by_role("button", name="承辦", exact=True)).to_have_count(0)

    sent = tmp_path / "pipe.jpg"
    sent.write_bytes(picture())
    page.get_by_label("拍攝或選擇照片").set_input_files(sent)
    page.get_by_label("說明（選填）").fill("橋下暗管")
    page.get_by_role("button", name="新增照片").click()
    image = page.get_by_role("img", name="橋下暗管")
    expect(image).to_be_visible()
    expect(page.get_by_text("檔案含有拍攝位置，已移除。")).to_be_visible()
    page.get_by_label("紀錄", exact=True).fill("樣本 W-17")
    page.get_by_role("button", name="新增紀錄").click()
    expect(page.get_by_role("listitem").filter(has_text="樣本 W-17")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_by_keyboard_alone(window: OpenWindow, town: Town) -> None:
    page = open_from_alert(window, town, 98.7)
    note = page.get_by_label("Note", exact=True)
    note.focus()
    page.keyboard.type("Seen from the bridge.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("listitem").filter(has_text="Seen from the bridge.")).to_be_visible()
    page.get_by_role("button", name="Take it on").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Take it on").focus()
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="Hand over")).to_be_visible()


def test_what_somebody_else_did_meanwhile_is_told_and_shown(window: OpenWindow, town: Town) -> None:
    page = open_from_alert(window, town, 99.1)
    case = page.url.rsplit("/", 1)[1]
    # The stream is cut: this page does not hear of it.
    page.context.route("**/api/v1/stream", lambda route: route.fulfill(status=404))
    page.reload()
    expect(page.get_by_role("button", name="Hand over")).to_be_visible()
    account = {"username": "reviewer-a", "password": PASSWORD}
    with httpx.Client(base_url=town.url, trust_env=False) as other:
        csrf = other.post("/api/v1/session", json=account).json()["csrf"]
        answer = other.post(
            f"/api/v1/cases/{case}/notes",
            json={"text": "Wait for the owner."},
            headers={"X-CSRF-Token": csrf},
        )
        assert answer.is_success, answer.text

    page.get_by_role("button", name="Hand over").click()
    page.get_by_role("dialog").get_by_role("button", name="Hand over").click()

    expect(page.get_by_role("alert")).to_contain_text("Somebody changed this case")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Wait for the owner.")).to_be_visible()


def test_the_list_counts_and_filters(window: OpenWindow, town: Town) -> None:
    open_from_alert(window, town, 98.9)
    page = window("reviewer-a").go("/cases")
    filters = page.get_by_role("group", name="Which cases")
    filters.get_by_role("button", name=re.compile("^To decide")).click()
    expect(page.locator("[data-case]").filter(has_text="98.9")).to_be_visible()
    filters.get_by_role("button", name=re.compile("^Mine")).click()
    expect(page.get_by_text("No cases here")).to_be_visible()
    expect(page).to_have_url(re.compile("show=mine"))


def test_who_has_no_cases_is_shown_none(window: OpenWindow) -> None:
    page = window("keeper").go("/")
    expect(page.get_by_role("link", name="Alerts").first).to_be_visible()
    expect(page.get_by_role("link", name="Cases")).to_have_count(0)
