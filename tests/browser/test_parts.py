"""A part of a page that did not come is asked for again where it belongs, without another page."""

from __future__ import annotations

from playwright.sync_api import Route, expect

from browser.conftest import OpenWindow

FORM = "**/assets/GrantForm*.js*"


def test_a_form_that_did_not_come_comes_when_it_is_asked_for_again(window: OpenWindow) -> None:
    """A browser answers every further import of a file that failed once from its memory
    (whatwg/html#6768): the form could not be opened until the page was loaded anew."""
    opened = window("mei")
    asked: list[str] = []

    def away(route: Route) -> None:
        asked.append(route.request.url)
        route.abort()

    page = opened.go("/family")
    opened.page.route(FORM, away)
    page.get_by_role("button", name="Let somebody see").click()
    told = page.get_by_role("alert").filter(has_text="could not be loaded")
    expect(told).to_be_visible()
    assert len(asked) >= 2, "once by its name, and once anew"
    page.evaluate("window.sameAsBefore = true")
    opened.page.unroute(FORM)
    told.get_by_role("button", name="Try again").click()
    page.get_by_label("User name of the relative").fill("lone")
    expect(told).to_have_count(0)
    assert page.evaluate("window.sameAsBefore"), "not loaded anew"
    opened.complaints.clear()  # the browser says that the file did not come


def test_where_it_stays_away_the_page_can_be_loaded_anew(window: OpenWindow) -> None:
    opened = window("mei")
    page = opened.go("/family")
    opened.page.route(FORM, lambda route: route.abort())
    page.get_by_role("button", name="Let somebody see").click()
    told = page.get_by_role("alert").filter(has_text="could not be loaded")
    told.get_by_role("button", name="Try again").click()
    again = told.get_by_role("button", name="Load again")
    expect(again).to_be_visible()
    page.evaluate("window.sameAsBefore = true")
    opened.page.unroute(FORM)
    again.click()
    page.get_by_role("button", name="Let somebody see").click()
    expect(page.get_by_label("User name of the relative")).to_be_visible()
    assert not page.evaluate("window.sameAsBefore")
    opened.complaints.clear()
