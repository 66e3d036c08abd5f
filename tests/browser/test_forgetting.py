"""What was shown by a consent or a role is gone from every page at once when that ends.

How soon is a figure: `make bench ARGS=forgetting`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import expect

from browser.conftest import DESKTOP, PHONE, OpenWindow
from browser.forgetting import LEFT, PLACES, Guardian, gone_after, live
from browser.town import Town
from browser.town_seed import GRANDMOTHER, MARKET, NAMES, PARK
from cases_office import picture

SIZES: Final = pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])


@SIZES
def test_a_relative_s_page_forgets_places_and_name_when_the_consent_is_taken_back(
    window: OpenWindow, town: Town, size: tuple[int, int]
) -> None:
    # Given a relative who looks at the list and the map
    guardian = Guardian(window("mei").context, town.url)
    town.visit(GRANDMOTHER, PARK, minutes_ago=90, departed=True)
    town.visit(GRANDMOTHER, MARKET, minutes_ago=5, departed=False)
    consent = guardian.give("lone")
    page = window("lone", size=size, maps=True).go("/family")
    live(page)
    expect(
        page.get_by_text(f"{NAMES['grandmother']} was at Chiayi Park gate").first
    ).to_be_visible()
    expect(page.get_by_role("img", name="Chiayi Park gate")).to_be_visible()

    # When the guardian takes the consent back, in another browser
    words = (*PLACES, NAMES["grandmother"])
    gone_after(page, words, lambda: guardian.take_back(consent))

    # Then nobody is there, and going back brings nothing back
    expect(page.get_by_text("Nobody is entrusted to you")).to_be_visible()
    assert page.evaluate(LEFT, list(words)) == []


def test_an_open_alert_about_a_person_is_forgotten_and_names_nobody_in_the_history(
    window: OpenWindow, town: Town
) -> None:
    guardian = Guardian(window("mei").context, town.url)
    town.visit(GRANDMOTHER, MARKET, minutes_ago=3, departed=False)
    consent = guardian.give("lone")
    page = window("lone").go("/alerts")
    live(page)
    row = page.locator("a[data-alert]").filter(has_text=NAMES["grandmother"]).first
    row.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(NAMES["grandmother"])
    # The browser keeps titles of pages; a person's name is in none.
    assert NAMES["grandmother"] not in page.title()

    words = (*PLACES, NAMES["grandmother"])
    gone_after(page, words, lambda: guardian.take_back(consent))
    expect(page.get_by_role("alert")).to_contain_text("alert-unknown")
    page.go_back()
    expect(page.get_by_role("heading", name="Alerts")).to_be_visible()
    assert page.evaluate(LEFT, list(words)) == []


def test_a_half_written_report_survives_that_rights_change(
    window: OpenWindow, town: Town, tmp_path: Path
) -> None:
    # Given a guardian who is reporting somebody missing
    guardian = Guardian(window("mei").context, town.url)
    town.visit(GRANDMOTHER, MARKET, minutes_ago=4, departed=False)
    page = window("mei").go("/family")
    live(page)
    expect(page.get_by_text("Nanmen Market").first).to_be_visible()
    page.get_by_role("button", name="Report missing").click()
    page.get_by_label("Clothes (optional)").fill("a red jacket")
    sent = tmp_path / "grandmother.jpg"
    sent.write_bytes(picture((64, 48)))
    page.get_by_label("Photograph (optional)").set_input_files(sent)
    try:
        # When what she may see ends meanwhile, and the page forgets what it showed
        gone_after(page, PLACES, lambda: guardian.take_back_from("mei"))
        expect(page.get_by_text("Their places are not shown to you")).to_be_visible()
        # Then she goes on where she was
        expect(page.get_by_label("Clothes (optional)")).to_have_value("a red jacket")
        chosen = "document.querySelector('input[type=file]').files[0].name"
        assert page.evaluate(chosen) == "grandmother.jpg"
    finally:
        town.consent("grandmother", "mei")


def test_the_guardian_s_own_page_forgets_where_she_was_and_keeps_who_she_is(
    window: OpenWindow, town: Town
) -> None:
    guardian = Guardian(window("mei").context, town.url)
    town.visit(GRANDMOTHER, MARKET, minutes_ago=4, departed=False)
    page = window("mei").go("/family")
    live(page)
    expect(page.get_by_text("Nanmen Market").first).to_be_visible()
    try:
        gone_after(page, PLACES, lambda: guardian.take_back_from("mei"))
        expect(page.get_by_role("heading", name=NAMES["grandmother"])).to_be_visible()
        expect(page.get_by_text("Their places are not shown to you")).to_be_visible()
    finally:  # her own was taken back: she cannot give it to herself
        town.consent("grandmother", "mei")


def test_a_tab_that_nobody_looks_at_and_hears_nothing_forgets_too(
    window: OpenWindow, town: Town
) -> None:
    """Tabs of one browser share the session; not each of them has a stream."""
    guardian = Guardian(window("mei").context, town.url)
    town.visit(GRANDMOTHER, MARKET, minutes_ago=2, departed=False)
    consent = guardian.give("lone")
    opened = window("lone")
    deaf = opened.context.new_page()
    deaf.route("**/api/v1/stream", lambda route: route.abort())
    for page in (opened.page, deaf):
        page.goto(f"{town.url}/family")
        expect(page.get_by_text("Nanmen Market").first).to_be_visible()
    live(opened.page)
    gone_after(deaf, (*PLACES, NAMES["grandmother"]), lambda: guardian.take_back(consent))
    opened.complaints.clear()  # the browser says that the stream was aborted


def test_whatever_is_refused_is_forgotten_also_without_a_stream(
    window: OpenWindow, town: Town
) -> None:
    guardian = Guardian(window("mei").context, town.url)
    town.visit(GRANDMOTHER, MARKET, minutes_ago=2, departed=False)
    consent = guardian.give("lone")
    opened = window("lone")
    opened.context.route("**/api/v1/stream", lambda route: route.abort())
    page = opened.go("/family")
    expect(page.get_by_text("Nanmen Market").first).to_be_visible()
    guardian.take_back(consent)
    # Nothing has told the page; the first thing that it asks for does.
    page.get_by_role("button", name="7 days").click()
    expect(page.get_by_text("Nanmen Market")).to_have_count(0)
    expect(page.get_by_text(NAMES["grandmother"])).to_have_count(0)
    opened.complaints.clear()


def test_what_is_shown_stays_while_the_server_is_away_and_says_that_it_is_old(
    window: OpenWindow, town: Town
) -> None:
    town.visit(GRANDMOTHER, MARKET, minutes_ago=2, departed=False)
    opened = window("mei")
    page = opened.go("/family")
    live(page)
    expect(page.get_by_text("Nanmen Market").first).to_be_visible()
    opened.context.route(re.compile("/footprints"), lambda route: route.abort())
    town.visit(GRANDMOTHER, PARK, minutes_ago=1, departed=False)
    note = page.locator("[data-stale]")
    expect(note).to_contain_text("What you see below is what it was before.")
    expect(page.get_by_text("Nanmen Market").first).to_be_visible()
    opened.context.unroute(re.compile("/footprints"))
    note.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("Chiayi Park gate").first).to_be_visible()
    expect(note).to_have_count(0)
    opened.complaints.clear()


def test_a_page_that_is_put_aside_by_the_browser_holds_nothing(
    window: OpenWindow, town: Town
) -> None:
    """The back-forward cache keeps pages as they were, for whoever presses back."""
    town.visit(GRANDMOTHER, MARKET, minutes_ago=2, departed=False)
    page = window("mei").go("/family")
    live(page)
    expect(page.get_by_text("Nanmen Market").first).to_be_visible()
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")
    assert page.evaluate(LEFT, list(PLACES)) == []
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    expect(page.get_by_text("Nanmen Market").first).to_be_visible()
