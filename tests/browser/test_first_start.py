"""The first start in a browser: two at once, a reload half-way, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

import servers
from browser.conftest import STATIC
from cloud_city import City
from vigil_cloud.identity import first_start
from vigil_cloud.identity.service import accounts

PASSWORD = "four unrelated quiet words"
Visit = Callable[[], Page]


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    if not (STATIC / "index.html").is_file():
        servers.missing("the built web pages", "make setup")
    made = City(tmp_path)
    yield made
    made.close()


@pytest.fixture
def visit(city: City, chromium: Browser) -> Iterator[Visit]:
    """A browser of one's own at the city's address."""
    contexts: list[BrowserContext] = []
    url = city.serve()

    def opened() -> Page:
        contexts.append(context := chromium.new_context(locale="en"))
        page = context.new_page()
        page.goto(url)
        expect(page.get_by_role("form", name="Set up this cloud")).to_be_visible()
        return page

    yield opened
    for context in contexts:
        context.close()


def code_of(city: City) -> str:
    code = first_start.offer(city.services.sessions, city.cipher, city.time)
    assert code is not None
    return code


def fill(page: Page, code: str, username: str) -> None:
    page.get_by_label("Setup code").fill(code)
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(PASSWORD)


def names(city: City) -> list[str]:
    with city.services.sessions() as session:
        return [one.username for one in accounts(session)]


def test_of_two_at_once_one_is_the_administrator_and_the_other_is_told(
    city: City, visit: Visit
) -> None:
    code = code_of(city)
    quick, slow = visit(), visit()
    fill(quick, code, "li")
    fill(slow, code, "wu")
    quick.get_by_role("button", name="Make the administrator").click()
    expect(quick).to_have_url(f"{city.serve()}/gateways?enrol")

    slow.get_by_role("button", name="Make the administrator").click()
    expect(slow.get_by_role("form", name="Sign in")).to_be_visible()
    expect(slow.get_by_role("alert")).to_contain_text("has been set up")
    assert names(city) == ["li"]

    quick.go_back()
    expect(quick.get_by_role("form", name="Set up this cloud")).not_to_be_attached()
    expect(quick.get_by_role("navigation", name="Main navigation")).to_be_visible()


def test_a_reload_half_way_and_a_lost_answer_leave_a_way_in(city: City, visit: Visit) -> None:
    code, page = code_of(city), visit()
    fill(page, code, "li")
    page.reload()
    expect(page.get_by_label("Setup code")).to_have_value("")
    fill(page, code.lower().replace("-", " "), "li")

    page.route("**/api/v1/setup", lambda route: (route.fetch(), route.abort()))
    page.get_by_role("button", name="Make the administrator").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert names(city) == ["li"]
    page.unroute("**/api/v1/setup")
    page.context.clear_cookies()  # they were lost with the answer
    page.get_by_role("button", name="Make the administrator").click()
    expect(page.get_by_role("alert")).to_contain_text("has been set up")

    page.get_by_label("User name").fill("li")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("navigation", name="Main navigation")).to_be_visible()


def test_a_first_page_that_cannot_ask_says_so_and_asks_again(city: City, chromium: Browser) -> None:
    code_of(city)
    context = chromium.new_context(locale="en")
    page = context.new_page()
    page.route("**/api/v1/setup", lambda route: route.abort())
    page.goto(city.serve())
    expect(page.get_by_role("alert")).to_contain_text("server-unreachable")
    page.unroute("**/api/v1/setup")
    expect(page.get_by_role("form", name="Set up this cloud")).to_be_visible()
    expect(page.get_by_role("alert")).not_to_be_attached()
    context.close()
