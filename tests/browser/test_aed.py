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
from browser.town import PASSWORD, Town
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


def test_a_volunteer_is_called_and_comes(
    window: OpenWindow, town: Town, register: httpx.Client
) -> None:
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

    (led,) = [
        one
        for one in register.get("/api/v1/aed/calls").json()["calls"]
        if one["call"].endswith(call.call_id)
    ]
    assert [(one["username"], one["state"]) for one in led["callouts"]] == [("vera", "arrived")]
    dispatcher = window("admin")
    alert = dispatcher.go(f"/alerts/{led['alert']}")
    expect(alert.get_by_text("119", exact=True)).to_be_visible()
    _is_accessible(alert, "alert of a call")
    chinese = window("vera", size=PHONE, language="zh-TW").go("/aed")
    expect(chinese.get_by_text("已到達")).to_be_visible()


def test_the_register_is_shown_with_its_reachable_share(
    window: OpenWindow, register: httpx.Client
) -> None:
    page = window("admin", language="zh-TW").go("/aed")
    expect(page.get_by_text("100.00 %")).to_be_visible()
    expect(page.get_by_text("市政府").first).to_be_visible()
    _is_accessible(page, "/aed register")
