"""Relatives see where their own person was, and nobody else."""

from __future__ import annotations

from playwright.sync_api import Response, expect

from browser.conftest import STATIC, OpenWindow
from browser.town import Town
from browser.town_seed import GRANDMOTHER, MARKET, NAMES, PARK, STRANGER


def test_a_relative_sees_the_way_of_her_own_person_alone(window: OpenWindow, town: Town) -> None:
    town.visit(GRANDMOTHER, PARK, minutes_ago=90, departed=True)
    town.visit(GRANDMOTHER, MARKET, minutes_ago=30, departed=True)
    town.visit(STRANGER, MARKET, minutes_ago=20, departed=True)

    page = window("mei", maps=True).go("/")
    expect(page.get_by_role("heading", name=NAMES["grandmother"])).to_be_visible()
    expect(page.get_by_text(f"{NAMES['grandmother']} was at Nanmen Market").first).to_be_visible()
    expect(page.get_by_role("img", name="Chiayi Park gate")).to_be_visible()
    expect(page.get_by_text(NAMES["stranger"])).to_have_count(0)
    expect(page.get_by_role("link", name="Devices")).to_have_count(0)

    page.get_by_role("link", name="Alerts").click()
    alert = page.get_by_role("listitem").filter(has_text=f"{NAMES['grandmother']} was at")
    expect(alert.first).to_be_visible()
    expect(page.get_by_text(NAMES["stranger"])).to_have_count(0)


def test_a_new_visit_appears_by_itself(window: OpenWindow, town: Town) -> None:
    page = window("mei", language="zh-TW").go("/family")
    page.locator(".live.live i").first.wait_for()
    before = page.get_by_text(f"{NAMES['grandmother']} 在 南門市場")
    expect(before).to_have_count(0)
    town.visit(GRANDMOTHER, MARKET, minutes_ago=0, departed=False)
    expect(before.first).to_be_visible()


def test_a_guardian_sees_who_looked_and_takes_a_consent_back(window: OpenWindow) -> None:
    # A look of before: this one is written down as the page is loaded.
    window("mei").go("/family").locator(".live.live i").first.wait_for()
    page = window("mei").go("/family")
    looked = page.get_by_role("listitem").filter(has_text="looked at places")
    expect(looked.first).to_contain_text("mei")

    page.get_by_role("button", name="Let somebody see").click()
    page.get_by_label("User name of the relative").fill("lone")
    page.get_by_role("button", name="Give consent").click()
    given = page.get_by_role("listitem").filter(has_text="lone").filter(has_text="until")
    expect(given).to_be_visible()
    expect(given.locator("[data-scopes]")).to_have_text("last place, where they have been")
    given.get_by_role("button", name="Take back").click()
    expect(given).to_have_count(0)


def test_a_guardian_shows_less_and_the_relatives_open_page_follows(
    window: OpenWindow, town: Town
) -> None:
    town.visit(GRANDMOTHER, PARK, minutes_ago=80, departed=True)
    town.visit(GRANDMOTHER, MARKET, minutes_ago=10, departed=False)
    page = window("mei").go("/family")
    page.get_by_role("button", name="Let somebody see").click()
    # Whoever gives it to themselves is offered everything; a relative the last place and footprint.
    page.get_by_label("User name of the relative").fill("mei")
    expect(page.get_by_label("Messages about them")).to_be_checked()
    page.get_by_label("Messages about them").uncheck()
    expect(page.get_by_text("Without messages a guardian is not called")).to_be_visible()
    page.get_by_label("User name of the relative").fill("lone")
    expect(page.get_by_label("Messages about them")).not_to_be_checked()
    expect(page.get_by_text("Without messages a guardian is not called")).to_have_count(0)
    page.get_by_label("Live: open pages follow").check()
    page.get_by_role("button", name="Give consent").click()
    given = page.get_by_role("listitem").filter(has_text="lone").filter(has_text="until")
    expect(given.locator("[data-scopes]")).to_contain_text("live pages")
    try:
        relative = window("lone").go("/family")
        relative.locator(".live.live i").first.wait_for()
        expect(relative.locator("[data-may-see]")).to_contain_text(
            "You may see: last place, where they have been, live pages."
        )
        expect(relative.get_by_text("was at Chiayi Park gate").first).to_be_visible()

        given.get_by_role("button", name="Show less").click()
        form = page.get_by_role("form", name="What lone may see from now on")
        form.get_by_label("Where they have been").first.uncheck()
        expect(form.get_by_label("Messages about them")).to_have_count(0)
        form.get_by_role("button", name="Show less").click()

        expect(relative.get_by_text("Chiayi Park gate")).to_have_count(0)
        expect(relative.get_by_text("Where they have been is not shown to you")).to_be_visible()
        expect(relative.locator("[data-last-place]")).to_contain_text("Nanmen Market")
        expect(given.locator("[data-scopes]")).to_have_text("last place, live pages")
    finally:
        given.get_by_role("button", name="Take back").click()
        expect(given).to_have_count(0)


def test_a_guardian_sets_and_ends_what_she_is_told_of(window: OpenWindow) -> None:
    page = window("mei").go("/family")
    before = page.locator('[data-rule="seen"]')
    expect(before).to_contain_text("each stay at a station")
    page.get_by_role("button", name="Set a rule").click()
    form = page.get_by_role("form", name="Set a rule")
    form.get_by_label("Tell when").select_option("unseen")
    form.get_by_label("Tell nothing in quiet hours").check()
    form.get_by_label("Quiet from").fill("23:30")
    form.get_by_label("Quiet until").fill("06:00")
    # What the browser would let through the server refuses, and the form says so.
    form.evaluate("form => (form.noValidate = true)")
    form.get_by_label("Hours (1 to 168)").fill("0")
    form.get_by_role("button", name="Set", exact=True).click()
    expect(form.get_by_role("alert")).to_be_visible()
    form.get_by_label("Hours (1 to 168)").fill("30")
    form.get_by_role("button", name="Set", exact=True).click()
    entry = page.locator('[data-rule="unseen"]')
    expect(entry).to_contain_text("after 30 hours")
    expect(entry).to_contain_text("quiet from 23:30 to 06:00")

    entry.get_by_role("button", name="Change").click()
    expect(form.get_by_label("Hours (1 to 168)")).to_have_value("30")
    form.get_by_label("Hours (1 to 168)").fill("48")
    form.get_by_label("Tell nothing in quiet hours").uncheck()
    form.get_by_role("button", name="Set", exact=True).click()
    expect(entry).to_contain_text("after 48 hours")
    expect(entry).not_to_contain_text("quiet")

    page.get_by_role("button", name="Set a rule").click()
    form.get_by_label("Tell when").select_option("at-night")
    form.get_by_label("Latitude").fill("23.48")
    form.get_by_label("Longitude").fill("120.45")
    form.get_by_label("Radius in metres").fill("700")
    form.get_by_label("Night until").fill("04:30")
    form.get_by_role("button", name="Set", exact=True).click()
    expect(page.locator('[data-rule="at-night"]')).to_contain_text("outside of 700 m")
    expect(page.locator('[data-rule="at-night"]')).to_contain_text("from 22:00 to 04:30")

    for kind in ("unseen", "at-night"):
        page.locator(f'[data-rule="{kind}"]').get_by_role("button", name="End").click()
        page.get_by_role("dialog").get_by_role("button", name="End").click()
        expect(page.locator(f'[data-rule="{kind}"]')).to_have_count(0)
    expect(before).to_have_count(1)


def test_without_consent_there_is_nobody_to_see(window: OpenWindow) -> None:
    page = window("lone").go("/")
    expect(page.get_by_text("Nobody is entrusted to you")).to_be_visible()


def test_something_stands_there_before_any_script_has_come(window: OpenWindow) -> None:
    opened = window("mei")
    scripts = "**/assets/*.js"
    opened.page.route(scripts, lambda route: route.abort())
    page = opened.go("/family")
    expect(page.get_by_text("守望 Vigil", exact=True)).to_be_visible()
    opened.complaints.clear()  # the browser says that the scripts did not come

    opened.page.unroute(scripts)
    page = opened.go("/family")
    expect(page.get_by_role("heading", name=NAMES["grandmother"])).to_be_visible()
    expect(page.locator(".starting")).to_have_count(0)


MOST_SCRIPT_BYTES = 120_000
"""Gzipped, before the map: what a phone on a slow line waits for."""


def test_the_family_waits_for_its_own_pages_scripts_alone(window: OpenWindow) -> None:
    opened = window("mei")
    sizes: dict[str, int] = {}

    def note(response: Response) -> None:
        name = response.url.rpartition("/")[2]
        if name.endswith(".js") and not name.startswith(("maplibre", "CityMap")):
            # As a reader gets it who takes gzip alone; others are sent less.
            sizes[name] = (STATIC / "assets" / f"{name}.gz").stat().st_size
            assert int(response.headers["content-length"]) <= sizes[name]

    opened.page.on("response", note)
    page = opened.go("/family")
    expect(page.get_by_role("heading", name=NAMES["grandmother"])).to_be_visible()
    assert any(name.startswith("FamilyPage") for name in sizes), sizes
    assert not any(name.startswith(("CasePage", "ConsolePage")) for name in sizes), sizes
    assert sum(sizes.values()) <= MOST_SCRIPT_BYTES, (sum(sizes.values()), sizes)
