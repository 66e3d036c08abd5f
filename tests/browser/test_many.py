"""A town with more alerts than a list shows at once."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Response, expect

from browser.conftest import STATIC, OpenWindow
from browser.town import Town
from servers import missing

MANY = 130


@pytest.fixture(scope="module")
def loud_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A fire, and then a night of loud vehicles."""
    if not (STATIC / "index.html").is_file():
        missing("the built web pages", "make setup")
    town = Town(tmp_path_factory.mktemp("loud-town"), quotas__alerts_a_minute="1000")
    town.fire()
    town.many_loud_vehicles(MANY)
    yield town
    town.close()


def test_an_open_fire_is_first_however_many_alerts_are_newer(
    window: OpenWindow, loud_town: Town
) -> None:
    page = window("admin", at=loud_town).go("/alerts")
    rows = page.locator("a[data-alert]")
    expect(page.get_by_text(f"{MANY + 1} new, 0 in progress")).to_be_visible()
    expect(rows.first).to_contain_text("Smoke alarm at Lin home, kitchen")
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="Show more (81)").click()
    expect(rows).to_have_count(100)
    page.get_by_role("button", name="Show more (31)").click()
    expect(rows).to_have_count(MANY + 1)
    expect(page.get_by_role("button", name="Show more")).to_have_count(0)


def test_the_first_load_is_small_however_many_are_open(window: OpenWindow, loud_town: Town) -> None:
    opened = window("admin", at=loud_town)
    answers: list[Response] = []
    opened.page.on("response", lambda answer: answers.append(answer))
    page = opened.go("/alerts")
    expect(page.locator("a[data-alert]")).to_have_count(50)
    sizes = {
        answer.url: answer.request.sizes()["responseBodySize"]
        for answer in answers
        if "/api/v1/" in answer.url and "/stream" not in answer.url
    }
    assert any("/alerts?" in url for url in sizes)
    assert sum(sizes.values()) < 20_000, sizes


def test_an_alert_is_found_by_a_word_and_by_days(window: OpenWindow, loud_town: Town) -> None:
    """Also beyond the page that was loaded; who comes back finds what was asked for."""
    page = window("admin", at=loud_town).go("/alerts")
    rows = page.locator("a[data-alert]")
    expect(rows).to_have_count(50)
    page.get_by_label("Title, device or gateway").fill("smoke alarm")
    page.get_by_role("button", name="Find").click()
    expect(rows).to_have_count(1)
    rows.first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Smoke alarm")
    page.get_by_role("link", name="Alerts").first.click()
    expect(page.get_by_label("Title, device or gateway")).to_have_value("smoke alarm")
    expect(rows).to_have_count(1)

    page.get_by_label("Title, device or gateway").fill("")
    page.get_by_label("To", exact=True).fill("2001-01-01")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_text("No alert matches the filter.")).to_be_visible()
    expect(rows).to_have_count(0)


def test_the_past_is_reached_without_a_gap(window: OpenWindow, loud_town: Town) -> None:
    page = window("admin", at=loud_town).go("/alerts?show=all")
    rows = page.locator("a[data-alert]")
    expect(rows).to_have_count(50)
    # The fire is known, but what lies between is not: it waits for its turn.
    expect(rows.filter(has_text="Smoke alarm")).to_have_count(0)
    more = page.get_by_role("button", name=re.compile("^Show (older|more)"))
    more.click()
    expect(rows).to_have_count(100)
    more.click()
    expect(rows).to_have_count(MANY + 1)
    expect(rows.last).to_contain_text("Smoke alarm")
    expect(more).to_have_count(0)


def test_going_back_finds_the_filter_and_the_place_in_the_list(
    window: OpenWindow, loud_town: Town
) -> None:
    page = window("admin", at=loud_town).go("/alerts")
    page.get_by_role("group", name="Filter by domain").get_by_role("button", name="Noise").click()
    expect(page).to_have_url(f"{loud_town.url}/alerts?domain=noise")
    rows = page.locator("a[data-alert]")
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="Show more").click()
    expect(rows).to_have_count(100)
    chosen = rows.nth(60)
    chosen.scroll_into_view_if_needed()
    title = chosen.locator(".title").inner_text()
    content = page.get_by_role("main")
    assert content.evaluate("e => e.scrollTop") > 1000

    chosen.click()
    expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()
    expect(content).to_be_focused()
    assert content.evaluate("e => e.scrollTop") == 0

    page.go_back()
    expect(rows).to_have_count(100)
    expect(chosen).to_be_in_viewport()
