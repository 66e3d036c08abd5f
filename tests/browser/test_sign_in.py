"""People sign in, choose a language, and sign out."""

from __future__ import annotations

import httpx
from playwright.sync_api import Page, expect

from browser.conftest import OpenWindow
from browser.town import Town
from browser.town_seed import PASSWORD


def _fill(page: Page, username: str, password: str) -> None:
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_a_wrong_password_is_told_kindly_and_a_right_one_opens_the_console(
    window: OpenWindow,
) -> None:
    page = window().go("/")
    _fill(page, "inspector", "not it at all")
    expect(page.get_by_role("alert")).to_have_text("User name or password is wrong.")
    expect(page.get_by_label("Password")).to_have_value("")

    _fill(page, "inspector", PASSWORD)
    expect(page.get_by_role("region", name="Map of devices and alerts")).to_be_visible()
    expect(page.get_by_text("王稽查員")).to_be_visible()

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_the_keyboard_alone_is_enough(window: OpenWindow) -> None:
    page = window().go("/")
    page.get_by_label("User name").focus()
    page.keyboard.type("admin")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("navigation", name="Main navigation")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_the_language_is_switched_at_once_and_remembered(window: OpenWindow) -> None:
    page = window("admin", language="en").go("/devices")
    expect(page.get_by_role("heading", name="Devices")).to_be_visible()
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", name="設備")).to_be_visible()
    expect(page.get_by_text("中山路口")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hant-TW")
    page.reload()
    expect(page.get_by_role("heading", name="設備")).to_be_visible()


def test_an_account_s_own_language_counts_until_somebody_chooses(window: OpenWindow) -> None:
    page = window().go("/")
    _fill(page, "mei", PASSWORD)
    expect(page.get_by_role("heading", name="家人")).to_be_visible()


def test_an_ended_session_leads_back_to_the_door(window: OpenWindow) -> None:
    opened = window("admin")
    page = opened.go("/devices")
    expect(page.get_by_role("heading", name="Devices")).to_be_visible()
    opened.context.clear_cookies()
    # Whoever asks first is told: the reader's click, or the page itself, which takes the link away.
    page.evaluate("document.querySelector('a[href=\"/gateways\"]')?.click()")
    expect(page.get_by_text("You were signed out. Please sign in again.")).to_be_visible()


def test_whoever_signs_out_leaves_nothing_that_they_typed(window: OpenWindow, town: Town) -> None:
    # Given a note that was not sent, and a word that was looked for
    town.loud_vehicle(93.3)
    with httpx.Client(base_url=f"{town.url}/api/v1", timeout=60, trust_env=False) as http:
        http.post("/session", json={"username": "inspector", "password": PASSWORD})
        csrf = {"X-CSRF-Token": http.get("/session").json()["csrf"]}
        body = {"kind": "noise-exceedance", "alerts": [town.newest_alert("noise")]}
        case = http.post("/cases", json=body, headers=csrf).raise_for_status().json()["id"]
    page = window().go(f"/cases/{case}")
    _fill(page, "inspector", PASSWORD)
    page.get_by_label("Note", exact=True).fill("seen at the corner")
    page.get_by_role("link", name="Alerts").first.click()
    page.get_by_label("Title, device or gateway").fill("Lin")
    page.get_by_role("button", name="Find").click()
    page.go_back()
    expect(page.get_by_label("Note", exact=True)).to_have_value("seen at the corner")

    # When they sign out, and somebody signs in at the same page, be it themselves
    page.get_by_role("button", name="Sign out").click()
    _fill(page, "inspector", PASSWORD)

    # Then it is gone
    expect(page.get_by_label("Note", exact=True)).to_have_value("")
    page.get_by_role("link", name="Alerts").first.click()
    expect(page.get_by_label("Title, device or gateway")).to_have_value("")
