"""The connection behind the pages: refused, dead without a word, over, and shared by tabs."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from browser.conftest import OpenWindow, Window
from browser.town import Town
from servers import eventually

STREAM = "**/api/v1/stream"


def _live(page: Page) -> None:
    page.locator(".live.live i").first.wait_for()


def test_lists_serve_while_the_stream_is_refused_and_what_was_missed_is_told(
    window: OpenWindow, town: Town
) -> None:
    # Given a page whose stream does not come through
    town.loud_vehicle(88.1)
    opened = window("admin")
    opened.context.route(STREAM, lambda route: route.abort())
    page = opened.go("/alerts")
    expect(page.get_by_text("Reconnecting")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="Loud vehicle 88.1 dB(A)")).to_be_visible()

    # When something happens meanwhile, and the stream is let through
    town.loud_vehicle(88.2)
    opened.context.unroute(STREAM)

    # Then what was missed is there, and was told aloud
    _live(page)
    expect(page.get_by_role("listitem").filter(has_text="Loud vehicle 88.2 dB(A)")).to_be_visible()
    expect(page.locator("[aria-live=assertive]")).to_have_text("New alert: Loud vehicle 88.2 dB(A)")
    opened.complaints.clear()  # the browser says that the stream was aborted


def test_a_tab_that_slept_connects_anew(window: OpenWindow, town: Town) -> None:
    opened = window("inspector")
    opened.page.clock.install()
    page = opened.go("/alerts")
    _live(page)
    # As when a laptop's lid is closed: the connection is dead, and nothing says so.
    with page.expect_request(STREAM):
        page.clock.fast_forward("02:00")
    _live(page)
    town.loud_vehicle(88.3)
    expect(page.get_by_role("listitem").filter(has_text="Loud vehicle 88.3 dB(A)")).to_be_visible()


_TABS = """
  const Own = EventSource, made = [];
  window.EventSource = class extends Own {
    constructor(...given) { super(...given); made.push(this); }
  };
  EventSource.CLOSED = Own.CLOSED;
  window.listening = () => made.filter((source) => source.readyState !== Own.CLOSED).length;
  let seen = "visible";
  Object.defineProperty(document, "visibilityState", { get: () => seen });
  window.look = (state) => { seen = state; document.dispatchEvent(new Event("visibilitychange")); };
"""


def test_of_the_tabs_that_nobody_looks_at_one_goes_on_listening(window: OpenWindow) -> None:
    # Given two tabs, each with a connection for good
    opened = window("inspector")
    opened.context.add_init_script(_TABS)
    tabs = [opened.page, opened.context.new_page()]
    for tab in tabs:
        tab.clock.install()
        tab.goto(f"{opened.town.url}/alerts")
        _live(tab)

    def listening() -> list[int]:
        return [tab.evaluate("listening()") for tab in tabs if not tab.is_closed()]

    assert listening() == [1, 1]

    # When both have been out of sight for a while, one is enough
    for tab in tabs:
        tab.evaluate("look('hidden')")
        tab.clock.fast_forward("01:10")
    eventually(lambda: sorted(listening()) == [0, 1], "one tab that rests")

    # When the one that listens is closed, the other takes its turn
    tabs[listening().index(1)].close()
    eventually(lambda: listening() == [1], "the other tab listening")


def test_a_tab_that_rested_is_live_when_it_is_looked_at(window: OpenWindow, town: Town) -> None:
    opened = window("inspector")
    opened.context.add_init_script(_TABS)
    keeper, rested = opened.page, opened.context.new_page()
    for tab in (keeper, rested):
        tab.clock.install()
        tab.goto(f"{opened.town.url}/alerts")
        _live(tab)
        tab.evaluate("look('hidden')")
        tab.clock.fast_forward("01:10")
    eventually(lambda: rested.evaluate("listening()") == 0, "the second tab resting")
    town.loud_vehicle(88.4)
    rested.evaluate("look('visible')")
    _live(rested)
    missed = rested.get_by_role("listitem").filter(has_text="Loud vehicle 88.4 dB(A)")
    expect(missed).to_be_visible()
    assert [keeper.evaluate("listening()"), rested.evaluate("listening()")] == [1, 1]


def _second_tab(opened: Window) -> Page:
    page = opened.context.new_page()
    page.goto(f"{opened.town.url}/devices")
    expect(page.get_by_role("heading", name="Devices")).to_be_visible()
    return page


def test_signing_out_in_one_tab_closes_the_others(window: OpenWindow) -> None:
    opened = window("inspector")
    first = opened.go("/alerts")
    second = _second_tab(opened)
    first.get_by_role("button", name="Sign out").click()
    expect(first.get_by_role("button", name="Sign in")).to_be_visible()
    expect(second.get_by_text("You were signed out. Please sign in again.")).to_be_visible()
    expect(second.get_by_text("Canal outfall 3")).to_have_count(0)


def test_a_session_ended_elsewhere_is_noticed_by_a_page_that_nobody_touches(
    window: OpenWindow,
) -> None:
    opened = window("inspector")
    page = opened.go("/devices")
    _live(page)
    expect(page.get_by_text("Canal outfall 3")).to_be_visible()
    address = f"{opened.town.url}/api/v1/session"
    csrf = opened.context.request.get(address).json()["csrf"]
    opened.context.request.delete(address, headers={"X-CSRF-Token": csrf})
    expect(page.get_by_text("You were signed out. Please sign in again.")).to_be_visible()
    expect(page.get_by_text("Canal outfall 3")).to_have_count(0)


def test_a_sign_out_that_does_not_reach_the_server_is_told(window: OpenWindow) -> None:
    opened = window("inspector")
    page = opened.go("/devices")
    _live(page)
    opened.context.route("**/api/v1/session", lambda route: route.abort())
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached.")
    opened.context.unroute("**/api/v1/session")
    page.get_by_role("alert").get_by_role("button", name="Try again").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    opened.complaints.clear()  # the browser says that the request was aborted
