"""Links that leave the house: the one in a message opens the page that it is about."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from browser.conftest import DESKTOP, PHONE, OpenWindow
from browser.town import Town
from browser.town_seed import PASSWORD
from servers import eventually

SIZES = pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])


def link_in_a_message(town: Town, title: str) -> str:
    """The alert's page, as it was sent for the alert of this title; beside it, the message may
    offer links that answer the alert (``/r/...``)."""

    def bodies() -> list[str]:
        return [told["message"] for told in town.hook.received if told["title"].startswith(title)]

    eventually(bodies, f"a message about {title}")
    (link,) = re.findall(rf"{re.escape(town.url)}/alerts/\S+", bodies()[-1])
    return str(link)


@SIZES
def test_the_link_in_a_message_opens_its_alert(
    window: OpenWindow, town: Town, size: tuple[int, int]
) -> None:
    town.fire()
    link = link_in_a_message(town, "Smoke alarm at Lin home, kitchen")
    opened = window("admin", size=size)
    opened.page.goto(link)
    heading = opened.page.get_by_role("heading", level=1)
    expect(heading).to_have_text("Smoke alarm at Lin home, kitchen")


@SIZES
def test_who_is_not_signed_in_lands_there_after_signing_in(
    window: OpenWindow, town: Town, size: tuple[int, int]
) -> None:
    louder = 88.5 if size == PHONE else 88.6
    town.loud_vehicle(louder)
    link = link_in_a_message(town, f"高噪音車輛 {louder} 分貝")
    page = window(size=size).page
    page.goto(link)
    page.get_by_label("User name").fill("inspector")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text(f"Loud vehicle {louder} dB(A)")
    expect(page).to_have_url(link)


def test_links_of_messages_that_were_sent_long_ago_still_lead_there(
    window: OpenWindow, town: Town
) -> None:
    town.loud_vehicle(88.7)
    link = link_in_a_message(town, "高噪音車輛 88.7 分貝")
    old = f"{town.url}/#{urlsplit(link).path}"
    heading = "Loud vehicle 88.7 dB(A)"

    # In a new tab, before and after signing in
    stranger = window().page
    stranger.goto(old)
    stranger.get_by_label("User name").fill("inspector")
    stranger.get_by_label("Password").fill(PASSWORD)
    stranger.get_by_role("button", name="Sign in").click()
    expect(stranger.get_by_role("heading", level=1)).to_have_text(heading)
    expect(stranger).to_have_url(link)

    # In a tab that shows another page of ours: nothing is loaded anew, and back leads back
    page = window("inspector").go("/devices")
    expect(page.get_by_role("heading", name="Devices")).to_be_visible()
    page.evaluate("address => location.assign(address)", f"/devices#{urlsplit(link).path}")
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    expect(page).to_have_url(link)
    page.go_back()
    expect(page.get_by_role("heading", name="Devices")).to_be_visible()
