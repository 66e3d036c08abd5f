"""Answers: the page behind a message's link, without an account, and the buttons on the alert."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from browser.conftest import OpenWindow
from browser.town import Town
from browser.town_seed import CANAL
from servers import eventually


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Of its own: where many alerts wait together, one message tells of all and has no links."""
    made = Town(tmp_path_factory.mktemp("town-of-replies"))
    yield made
    made.close()


def _link(town: Town, title: str, answer: str) -> str:
    """Where a message on the inspectors' telephone leads to."""
    found: list[str] = []

    def arrived() -> bool:
        for told in town.hook.received:
            if title in told["title"]:
                found[:] = re.findall(rf"{town.url}(/r/\S+/{answer})", told["message"])
        return bool(found)

    eventually(arrived, f"a message of {title!r} with its links")
    return found[0]


def _said(page: Page) -> int:
    return page.get_by_text("Answered as").count()


def test_a_link_acts_on_a_press_and_never_on_opening(window: OpenWindow, town: Town) -> None:
    # Given a message with its links, of which a preview opens each
    town.loud_vehicle(96.1)
    link = _link(town, "96.1", "accepted")
    alert = town.newest_alert("noise")
    opened = window()
    page = opened.go(f"{link}?lang=en")
    expect(page.get_by_role("heading", name="Loud vehicle 96.1 dB(A)")).to_be_visible()
    for _ in range(5):
        page.reload()
    assert _said(page) == 0

    # When somebody presses the button
    page.get_by_role("button", name="I take it").click()

    # Then it is answered once, and a reload or another press changes nothing
    expect(page.get_by_text("Answered as channel phone of the inspector")).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)
    page.reload()
    expect(page.get_by_text("Answered as channel phone of the inspector")).to_be_visible()

    # and the alert is acknowledged by that name
    staff = window("inspector").go(f"/alerts/{alert}")
    taken = staff.locator(".done", has_text="Acknowledged by channel phone of the inspector")
    expect(taken).to_be_visible()
    answers = staff.get_by_role("list", name="Answers")
    expect(answers).to_contain_text("takes it")


def test_the_page_speaks_both_languages(window: OpenWindow, town: Town) -> None:
    town.loud_vehicle(95.3)
    page = window().go(_link(town, "95.3", "declined"))
    expect(page.get_by_role("heading", name="高噪音車輛 95.3 分貝")).to_be_visible()
    expect(page.get_by_role("button").first).to_have_text("我無法處理")
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("button").first).to_have_text("I cannot")


def test_whoever_cannot_says_so_on_the_alert(window: OpenWindow, town: Town) -> None:
    town.loud_vehicle(94.7)
    alert = town.newest_alert("noise")
    page = window("inspector").go(f"/alerts/{alert}")
    buttons = page.get_by_role("group", name="Your answer")

    buttons.get_by_role("button", name="I cannot").click()

    answers = page.get_by_role("list", name="Answers")
    expect(answers).to_contain_text("inspector: cannot")
    buttons.get_by_role("button", name="I take it").click()
    expect(page.locator(".done", has_text="Acknowledged by inspector")).to_be_visible()


def test_a_device_is_put_aside_and_back(window: OpenWindow, town: Town) -> None:
    page = window("inspector").go(f"/devices/{CANAL}")
    page.get_by_role("button", name="Put this device aside").click()
    page.get_by_label("Reason").fill("Sensor is being cleaned")
    page.get_by_label("What of it").select_option("pH")
    page.get_by_role("button", name="Put aside").click()

    running = page.locator("[data-shelf]")
    expect(running).to_contain_text("Sensor is being cleaned")
    expect(running).to_contain_text("inspector")
    page.get_by_role("link", name="Devices").first.click()
    expect(page.locator(f"[data-device={CANAL}]")).to_contain_text("Shelved")

    page = window("inspector").go(f"/devices/{CANAL}")
    page.get_by_role("button", name="End now").click()
    expect(page.get_by_text("It calls people as usual.")).to_be_visible()
