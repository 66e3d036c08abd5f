"""A volunteer on a phone, by keyboard alone: agrees, goes on call, is called, comes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from playwright.sync_api import Page, expect

from browser.conftest import PHONE, OpenWindow
from browser.test_layout import _is_accessible
from browser.town import Town
from browser.town_seed import PASSWORD
from vigil_schemas.aed import AedCall

CABINET = "aed-hall"
PATIENT = (120.4491, 23.4801)


@pytest.fixture
def register(town: Town) -> Iterator[httpx.Client]:
    """An administrator, with one AED in the register and the volunteer's certificate noted."""
    with httpx.Client(base_url=town.url, trust_env=False, timeout=60) as client:
        signed_in = client.post(
            "/api/v1/session", json={"username": "admin", "password": PASSWORD}
        ).raise_for_status()
        client.headers["X-CSRF-Token"] = signed_in.json()["csrf"]
        site = {
            "name": "City hall",
            "name_zh": "市政府",
            "latitude": PATIENT[1],
            "longitude": PATIENT[0],
            "location": "left of the door",
            "device": CABINET,
        }
        client.put("/api/v1/aed/sites/hall", json=site).raise_for_status()
        client.put(
            "/api/v1/aed/volunteers/vera/certificate", json={"until": "2099-01-01"}
        ).raise_for_status()
        yield client


def press(page: Page, name: str) -> None:
    """By keyboard."""
    button = page.get_by_role("button", name=name, exact=True)
    expect(button).to_be_enabled()
    button.focus()
    page.keyboard.press("Enter")


def test_the_journey_from_the_button_to_the_closed_case(
    window: OpenWindow, town: Town, register: httpx.Client
) -> None:
    """By keyboard alone: the volunteer on a phone, the dispatcher at a desk."""
    opened = window("vera", size=PHONE)
    opened.context.grant_permissions(["geolocation"])
    opened.context.set_geolocation({"longitude": PATIENT[0] + 0.001, "latitude": PATIENT[1]})
    page = opened.go("/aed")
    press(page, "Agree")
    press(page, "Go on call here")
    expect(page.get_by_text("You are on call.")).to_be_visible()
    _is_accessible(page, "/aed on call")

    call = AedCall(call_id=uuid.uuid4().hex, pressed=datetime.now(UTC))
    town.send(call, CABINET, lane="alarm")

    press(page, "Accept")
    press(page, "On the way")
    expect(page.get_by_role("heading", name="City hall")).to_be_visible()
    _is_accessible(page, "/aed called")
    press(page, "Arrived")
    expect(page.get_by_role("status").get_by_text("Arrived")).to_be_visible()
    page.get_by_label("CPR", exact=True).focus()
    page.keyboard.press("Space")
    page.get_by_label("wants to talk to somebody").focus()
    page.keyboard.press("Space")
    _is_accessible(page, "/aed how it went")
    press(page, "Send")
    expect(page.get_by_role("heading", name="How did it go?")).to_have_count(0)

    # Whoever leads sees each volunteer's part, and goes from there to the alert and the case.
    desk = window("admin").go("/aed")
    led = desk.get_by_role("article", name="City hall").first
    expect(led.get_by_text("vera")).to_be_visible()
    expect(led.get_by_text("Arrived")).to_be_visible()
    expect(led.get_by_text("wants to talk to somebody")).to_be_visible()
    _is_accessible(desk, "/aed of who leads")
    led.get_by_role("link", name="Alert", exact=True).focus()
    desk.keyboard.press("Enter")
    expect(desk.get_by_text("119", exact=True)).to_be_visible()
    _is_accessible(desk, "alert of a call")
    desk.go_back()
    led.get_by_role("link", name="Case", exact=True).focus()
    desk.keyboard.press("Enter")
    press(desk, "Take it on")
    confirm(desk, "Take it on")
    expect(desk.get_by_role("button", name="Hand over")).to_be_visible()
    expect(desk.get_by_role("dialog")).to_have_count(0)
    outcome = desk.get_by_label("Pulse is back")
    outcome.focus()
    desk.keyboard.press("Space")
    desk.get_by_label("Reason").focus()
    desk.keyboard.type("Pulse after one shock.")
    expect(outcome).to_be_checked()
    press(desk, "Give my decision")
    press(desk, "Close the case")
    desk.get_by_role("dialog").get_by_label("Closed as").select_option("aed-back")
    confirm(desk, "Close the case")
    expect(desk.get_by_text("Closed", exact=True).first).to_be_visible()

    # And the volunteer's page says that it is over, in the other language as well.
    expect(page.get_by_text("This call is over. Thank you.").first).to_be_visible()
    chinese = window("vera", size=PHONE, language="zh-TW").go("/aed")
    expect(chinese.get_by_text("本次召集已結束，謝謝您。").first).to_be_visible()


def confirm(page: Page, name: str) -> None:
    """In the dialog that asks once more."""
    page.get_by_role("dialog").get_by_role("button", name=name, exact=True).focus()
    page.keyboard.press("Enter")


def test_a_patroller_on_a_phone_looks_at_what_is_due(
    window: OpenWindow, register: httpx.Client
) -> None:
    page = window("keeper", size=PHONE, language="en").go("/aed")
    press(page, "Look at it: City hall")
    for check in ("It is in its place", "The pads are sealed"):
        page.get_by_label(check).focus()
        page.keyboard.press("Space")
    _is_accessible(page, "/aed patrol")
    press(page, "Save patrol")
    expect(page.get_by_text("City hall is out of service")).to_be_visible()
    press(page, "Look at it: City hall")
    for box in page.get_by_role("checkbox").all():
        box.focus()
        page.keyboard.press("Space")
    page.get_by_label("Serial number of the tester").fill("T-1")
    page.get_by_label("The tester says that it passed").check()
    page.get_by_label("Rated energy").fill("200")
    page.get_by_label("Measured energy").fill("197.5")
    _is_accessible(page, "/aed patrol with a tester")
    page.get_by_label("Pads until").fill("2099-01-01")
    page.get_by_label("Battery until").fill("2099-01-01")
    press(page, "Save patrol")
    expect(page.get_by_text("City hall may be fetched")).to_be_visible()
    (site,) = [
        one for one in register.get("/api/v1/aed/sites").json()["sites"] if one["id"] == "hall"
    ]
    assert (site["usable"], site["pads_until"]) == (True, "2099-01-01")
    newest = register.get("/api/v1/aed/sites/hall/patrols").json()["patrols"][0]
    assert (newest["tester"]["measured_j"], newest["troubles"]) == (197.5, [])


def test_the_register_is_shown_with_its_reachable_share(
    window: OpenWindow, register: httpx.Client
) -> None:
    page = window("admin", language="zh-TW").go("/aed")
    expect(page.get_by_text("100.00 %")).to_be_visible()
    expect(page.get_by_text("市政府").first).to_be_visible()
    _is_accessible(page, "/aed register")


def test_an_administrator_keeps_cohorts_and_a_volunteer_names_hours(
    window: OpenWindow, register: httpx.Client
) -> None:
    desk = window("admin").go("/aed")
    desk.get_by_text("Add or change a cohort").click()
    desk.get_by_label("Key", exact=True).fill("class-3a")
    desk.get_by_label("Name (English)").fill("Class 3A")
    desk.get_by_label("Hours (Mo-Fr 08:00-17:00)").fill("at lunch")
    press(desk, "Save cohort")
    expect(desk.get_by_text("bad-opening-hours")).to_be_visible()
    desk.get_by_label("Hours (Mo-Fr 08:00-17:00)").fill("24/7")
    press(desk, "Save cohort")
    expect(desk.get_by_text("trained pupils · 24/7").first).to_be_visible()
    desk.get_by_label("Cohort of").first.select_option("class-3a")
    expect(desk.get_by_text("1 members")).to_be_visible()
    _is_accessible(desk, "/aed of an administrator")

    page = window("vera", size=PHONE).go("/aed")
    expect(page.get_by_text("Certificate until")).to_be_visible()
    if page.get_by_role("button", name="Agree", exact=True).count():
        press(page, "Agree")
    expect(page.get_by_text("You are of Class 3A, which is called 24/7.")).to_be_visible()
    page.get_by_label("When you may be called").fill("Mo-Su 00:00-24:00")
    press(page, "Keep these hours")
    expect(page.get_by_label("When you may be called")).to_have_value("Mo-Su 00:00-24:00")
    assert register.get("/api/v1/aed/cohorts").json()["cohorts"][0]["members"] == 1
    assert register.delete("/api/v1/aed/cohorts/class-3a").status_code == 409, "it has a member"
    register.put("/api/v1/aed/volunteers/vera/cohort", json={"cohort": None}).raise_for_status()
    register.delete("/api/v1/aed/cohorts/class-3a").raise_for_status()
