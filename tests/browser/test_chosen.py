"""Several alerts at once, by mouse and by keyboard, and the way from one to the next."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from browser.conftest import DESKTOP, PHONE, STATIC, OpenWindow
from browser.test_layout import _fits, _is_accessible
from browser.town import Town
from servers import missing

FEW = 5
NOISE = "/alerts?domain=noise"


@pytest.fixture
def loud_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    if not (STATIC / "index.html").is_file():
        missing("the built web pages", "make setup")
    town = Town(tmp_path_factory.mktemp("chosen"))
    town.many_loud_vehicles(FEW)
    yield town
    town.close()


def _boxes(page: Page) -> Locator:
    boxes = page.get_by_role("checkbox", name=re.compile("^(Choose|選取)"))
    expect(boxes).to_have_count(FEW)
    return boxes


def test_what_is_chosen_by_keyboard_is_acknowledged_and_who_was_faster_is_named(
    window: OpenWindow, loud_town: Town
) -> None:
    # Given a range of three, chosen by the keyboard alone
    page = window("admin", at=loud_town).go(NOISE)
    rows = page.locator("a[data-alert]")
    boxes = _boxes(page)
    rows.first.focus()
    page.keyboard.press("x")
    expect(page.get_by_text("1 chosen")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(rows.nth(2)).to_be_focused()
    page.keyboard.press("Shift+X")
    expect(page.get_by_text("3 chosen")).to_be_visible()
    _is_accessible(page, "three are chosen")
    # and somebody else is faster with one of them, unheard here
    faster = rows.nth(1).get_attribute("data-alert")
    assert faster is not None
    page.get_by_role("button", name="Acknowledge").first.click()
    expect(page.get_by_label("Comment (optional)")).to_be_focused()

    def overtaken(route: Route) -> None:
        loud_town.act(faster, "acknowledge")
        route.continue_()

    page.route(f"**/api/v1/alerts/{faster}/acknowledge", overtaken)

    # When they are acknowledged with one comment
    page.keyboard.type("Patrol 2 is on its way.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    # Then one line says how many, and names the one with why
    line = page.get_by_role("status").filter(has_text="2 of 3 acknowledged.")
    expect(line).to_contain_text("Not done: Loud vehicle")
    expect(line).to_contain_text("Somebody else took this a moment ago")
    expect(page.locator("p.outcome")).to_be_focused()
    expect(boxes.nth(0)).not_to_be_checked()


@pytest.mark.parametrize(
    ("size", "language", "scheme"), [(DESKTOP, "en", "dark"), (PHONE, "zh-TW", "light")]
)
def test_a_range_is_chosen_with_the_mouse_and_cleared(
    window: OpenWindow,
    loud_town: Town,
    size: tuple[int, int],
    language: str,
    scheme: str,
) -> None:
    opened = window("admin", at=loud_town, size=size, language=language, scheme=scheme)
    page = opened.go(NOISE)
    boxes = _boxes(page)
    boxes.nth(3).click()
    boxes.nth(1).click(modifiers=["Shift"])
    for at, chosen in enumerate((False, True, True, True, False)):
        expect(boxes.nth(at)).to_be_checked(checked=chosen)
    _fits(page, f"chosen {language}")
    _is_accessible(page, f"chosen {language}")
    page.get_by_role("button", name="Clear choice" if language == "en" else "取消選取").click()
    expect(page.locator("input:checked")).to_have_count(0)
    boxes.nth(2).focus()
    page.keyboard.press("x")
    expect(boxes.nth(2)).to_be_checked()
    page.keyboard.press("Escape")
    expect(page.locator("input:checked")).to_have_count(0)


def test_the_next_alert_is_the_one_below_in_the_list_one_came_from(
    window: OpenWindow, loud_town: Town
) -> None:
    page = window("admin", at=loud_town).go(NOISE)
    rows = page.locator("a[data-alert]")
    expect(rows).to_have_count(FEW)
    order = [str(row.get_attribute("data-alert")) for row in rows.all()]
    rows.nth(1).click()
    way = page.get_by_role("navigation", name="Alerts of the list")
    expect(way).to_contain_text(f"2 of {FEW}")
    # What is done to one moves none of them.
    loud_town.act(order[1], "acknowledge")
    page.get_by_role("button", name="Next alert (j)").click()
    expect(page).to_have_url(f"{loud_town.url}/alerts/{order[2]}")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page).to_have_url(f"{loud_town.url}/alerts/{order[4]}")
    expect(way).to_contain_text(f"{FEW} of {FEW}")
    expect(page.get_by_role("button", name="Next alert (j)")).to_be_disabled()
    page.keyboard.press("k")
    expect(page).to_have_url(f"{loud_town.url}/alerts/{order[3]}")
    _is_accessible(page, "an alert among others")
    page.get_by_role("link", name="Alerts").and_(page.locator(".back")).click()
    expect(page).to_have_url(f"{loud_town.url}{NOISE}")
    # Opened by its address, an alert has no others beside it.
    page.goto(f"{loud_town.url}/alerts/{order[0]}")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Loud vehicle")
    expect(way).to_have_count(0)
