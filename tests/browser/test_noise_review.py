"""A reviewer works through the queue by keyboard: one axis of time, and evidence verified twice."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from browser.conftest import PHONE, OpenWindow
from browser.evidence import PLATE_FILM_LATE_S, reference, sealed_passage
from browser.test_layout import _fits, _is_accessible
from browser.town import Town, _exceedance
from browser.town_seed import MICROPHONE, PASSWORD
from vigil_schemas.noise import PlateCandidate

SHOTS = os.environ.get("VIGIL_SCREENSHOTS")
KEYSTROKES = 6
LATE = PLATE_FILM_LATE_S


def _case(
    town: Town, name: str, level: float, plate: str, *, two_cameras: bool = False
) -> tuple[str, str]:
    """A loud vehicle with its package, of which an inspector has opened a case; the case's id and
    the package's digest."""
    now = datetime.now(UTC)
    sealed = sealed_passage(name, now - timedelta(seconds=4), plate, two_cameras=two_cameras)
    event = _exceedance(name, now, level, reference(sealed)).model_copy(
        update={
            "plates": [PlateCandidate(text=plate, confidence=0.93)],
            "LAFmax_time": now - timedelta(seconds=3),
        }
    )
    town.send(event, MICROPHONE)
    town.upload(sealed)
    alert = town.newest_alert("noise")
    with httpx.Client(base_url=f"{town.url}/api/v1", timeout=60, trust_env=False) as http:
        http.post("/session", json={"username": "inspector", "password": PASSWORD})
        csrf = {"X-CSRF-Token": http.get("/session").json()["csrf"]}
        body = {"kind": "noise-exceedance", "alerts": [alert]}
        opened = http.post("/cases", json=body, headers=csrf).raise_for_status()
    return str(opened.json()["id"]), reference(sealed).sha256


def _until(page: Page, condition: str) -> None:
    """Asked again and again from outside: the page's own policy lets nobody evaluate text in it."""
    deadline = time.monotonic() + 60
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(30)


def _shot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Of this module alone: what the others leave waiting would stand in the queue as well."""
    made = Town(tmp_path_factory.mktemp("review-town"))
    yield made
    made.close()


def test_a_reviewer_decides_with_six_keys_and_the_next_case_is_there(
    window: OpenWindow, town: Town, tmp_path: Path
) -> None:
    # Given two cases that wait
    case, sha256 = _case(town, "exceedance-of-review-1", 96.4, "MXK-2917", two_cameras=True)
    _case(town, "exceedance-of-review-2", 93.2, "ABC-1234")
    page = window("reviewer-a").go("/noise-review")

    # Then the first to be opened is shown, at its loudest moment, with every rule's verdict
    queue = page.get_by_role("navigation", name="Cases that wait")
    expect(queue.get_by_role("link")).to_have_count(2)
    expect(queue.locator("img")).to_have_count(2)
    expect(queue.locator("[aria-current=true]")).to_contain_text("96.4")
    axis = page.get_by_role("slider", name="Position in the recording")
    expect(axis).to_have_attribute("aria-valuenow", "1")
    _until(page, "Math.abs(document.querySelector('video').currentTime - 1) < 0.05")
    # the plate camera's film stands at the same moment, and began later
    near = page.get_by_label("Plate camera")
    expect(page.get_by_label("Overview camera")).to_be_visible()
    expect(near).to_be_visible()
    at_same = f"Math.abs(document.querySelectorAll('video')[1].currentTime - {{}} + {LATE}) < 0.1"
    _until(page, at_same.format("1"))
    expect(axis.locator("path.bearing")).to_have_count(1)
    expect(axis.locator("rect.vote")).to_have_count(10)
    expect(axis.locator("image")).to_have_count(1)
    expect(page.locator("[data-verdict]").first).to_be_visible()

    # and the package is verified by the server and, from its bytes, by this browser
    seal = page.locator("[data-verification=done]")
    expect(seal.get_by_text("As it was sealed")).to_have_count(2)
    expect(seal.get_by_text("First package of its gateway")).to_be_visible()

    # and all of it moves together: a click on the axis moves the film
    box = axis.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + 40)
    _until(page, "document.querySelector('video').currentTime > 1.3")
    _until(page, at_same.format("document.querySelector('video').currentTime"))
    page.locator("body").focus()
    page.keyboard.press(",")
    _until(page, at_same.format("document.querySelector('video').currentTime"))
    _is_accessible(page, "review desktop")
    _fits(page, "review desktop")
    _shot(page, "review-en-desktop")

    # When the reviewer decides by the keyboard alone
    page.locator("body").focus()
    keys = ["1", "9", "1", "7", "Enter"]
    assert len(keys) <= KEYSTROKES
    for key in keys[:-1]:
        page.keyboard.press(key)
    expect(page.get_by_text("Completed: MXK2917")).to_be_visible()
    began = time.monotonic()
    page.keyboard.press(keys[-1])

    # Then the next case is there, ready to be decided
    expect(queue.locator("[aria-current=true]")).to_contain_text("93.2")
    _until(page, "document.querySelector('video')?.readyState >= 2")
    print(f"review next_case_s: {time.monotonic() - began:.2f}")
    expect(queue.get_by_role("link")).to_have_count(1)

    # and three characters that complete nothing are no plate
    page.keyboard.press("1")
    for key in ("9", "9", "9", "Enter"):
        page.keyboard.press(key)
    expect(page.get_by_label("Licence plate as you read it")).to_have_js_property(
        "validity.valid", False
    )
    page.keyboard.press("Escape")
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 decided now; 0 wait.")).to_be_visible()

    # and on another reviewer's telephone, in Chinese, it says the same of both
    phone = window("reviewer-b", size=PHONE, language="zh-TW").go("/noise-review")
    expect(phone.get_by_role("navigation", name="待審案件").get_by_role("link")).to_have_count(2)
    expect(phone.locator("[data-verification=done]").get_by_text("與封存時相同")).to_have_count(2)
    _is_accessible(phone, "review phone")
    _fits(phone, "review phone")
    _shot(phone, "review-zh-phone")
    phone.get_by_role("button", name="下一件").click()
    expect(phone.locator("[aria-current=true]").last).to_contain_text("93.2")

    # and what the person concerned is given plays and verifies itself without the city
    answer = phone.request.get(f"{town.url}/api/v1/cases/{case}/evidence/{sha256}.html")
    given = tmp_path / "given.html"
    given.write_bytes(answer.body())
    browser = phone.context.browser
    assert browser is not None
    apart = browser.new_context(offline=True)
    alone = apart.new_page()
    alone.goto(given.as_uri())
    expect(alone.locator("#verdict")).to_have_attribute("data-verdict", "holds")
    _until(alone, "document.querySelector('video').readyState >= 2")
    # the plate camera's film too, without anybody who can be recognised
    _until(alone, "document.querySelectorAll('video')[1].readyState >= 2")
    alone.evaluate("document.querySelector('video').currentTime = 1.2")
    _until(alone, at_same.format("document.querySelector('video').currentTime"))
    _shot(alone, "given-page")
    whole = given.read_text("utf-8")
    at = whole.index('"blurred.webm": "') + 400
    changed = "A" if whole[at] != "A" else "B"
    given.write_text(whole[:at] + changed + whole[at + 1 :], "utf-8")
    alone.goto(given.as_uri())
    expect(alone.locator("#verdict")).to_have_attribute("data-verdict", "broken")
    expect(alone.locator("#faults")).to_have_text("blurred.webm")
    apart.close()
