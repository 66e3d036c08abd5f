"""An event's page: its evidence, its curve, its place, and what people do about it."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from browser.conftest import OpenWindow, Window
from browser.evidence import reference, sealed_evidence
from browser.town import Town
from servers import eventually


def _open(opened: Window, title: str) -> Page:
    page = opened.go("/alerts")
    page.get_by_role("group", name="Filter by state").get_by_role("button", name="All").click()
    page.get_by_role("link").filter(has_text=title).first.click()
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    return page


def test_evidence_on_its_way_arrives_and_can_be_played(window: OpenWindow, town: Town) -> None:
    # Given an event whose evidence has not arrived
    sealed = sealed_evidence("exceedance-with-film")
    town.loud_vehicle(96.6, reference(sealed))
    opened = window("inspector")
    page = _open(opened, "Loud vehicle 96.6 dB(A)")
    expect(page.get_by_text("Evidence on its way").first).to_be_visible()

    # When the gateway delivers it
    town.upload(sealed)

    # Then it is there without a reload: the film plays
    video = page.get_by_label("Video", exact=True)
    expect(video).to_be_visible()
    eventually(lambda: video.evaluate("v => v.readyState >= 2"), "a playable film")
    assert video.evaluate("v => [v.videoWidth, v.videoHeight]") == [640, 360]
    video.evaluate("async v => { v.muted = true; await v.play(); }")
    eventually(lambda: video.evaluate("v => v.currentTime > 0.2"), "a film that moves")

    # and the plate, the sound and the list of files with their digests are there
    plate = page.get_by_role("img", name="Picture of the plate")
    expect(plate).to_be_visible()
    eventually(lambda: plate.evaluate("i => i.naturalWidth === 320"), "the plate's picture")
    sound = page.get_by_label("Sound", exact=True)
    eventually(lambda: sound.evaluate("a => a.duration === 2"), "two seconds of sound")
    files = page.get_by_role("link", name=re.compile("^Download (?!the sealed)"))
    expect(files).to_have_count(4)
    digest = reference(sealed).sha256
    expect(page.get_by_text(digest)).to_be_visible()

    # and the level curve with its threshold and maximum
    curve = page.get_by_role("img", name=re.compile("^Level during the passage"))
    expect(curve).to_have_attribute(
        "aria-label", "Level during the passage: LAFmax 96.6 dB, Threshold 86.0 dB"
    )
    assert curve.locator("canvas").evaluate("c => c.width > 300")


def test_an_excursion_shows_its_parameter_and_the_limit(window: OpenWindow, town: Town) -> None:
    town.discharge()
    page = _open(window("inspector"), "Conductivity above 2500 µS/cm")
    heading = page.get_by_role("heading", name="Conductivity around the event")
    expect(heading).to_be_visible()
    # An incident's own curves, where other tests made it one, are charts as well.
    section = page.locator("section").filter(has=heading)
    chart = section.get_by_role("img", name=re.compile("^Conductivity: "))
    expect(chart.locator("canvas")).to_be_visible()
    expect(page.get_by_text("still out of bounds")).to_be_visible()


def test_a_fire_is_acknowledged_then_confirmed_and_its_history_says_by_whom(
    window: OpenWindow, town: Town
) -> None:
    town.fire()
    page = _open(window("admin"), "Smoke alarm at Lin home, kitchen")
    expect(page.get_by_text("If people are in danger, call 119.")).to_be_visible()
    expect(page.get_by_text("87 %")).to_be_visible()

    page.get_by_label("Comment (optional)").fill("Engine 12 is under way.")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator(".done", has_text="Acknowledged by admin")).to_be_visible()
    # Confirming is asked for: a second click in the same place must not do it.
    expect(page.get_by_label("Comment (optional)")).to_have_count(0)
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_label("Comment (optional)")).to_be_focused()
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator(".done", has_text="Confirmed by admin")).to_be_visible()
    history = page.get_by_role("listitem")
    expect(history.filter(has_text="Engine 12 is under way.")).to_be_visible()


def test_who_is_called_by_a_policy_stands_on_the_page(window: OpenWindow, town: Town) -> None:
    policy = {
        "name": "fire, the watch first",
        "match": {"domain": "smoke", "severity": "critical"},
        "step": [{"after_s": 0, "channel": "page", "persons": ["role:dispatcher"]}],
        "fallback": {"after_s": 86_400, "channel": "page", "persons": ["role:administrator"]},
    }
    with town.policy(policy):
        town.fire()
        opened = window("admin")
        page = opened.go(f"/alerts/{town.newest_alert('smoke')}")
        heading = page.get_by_role("heading", name="Who is called")
        card = page.locator("section.card").filter(has=heading)
        expect(heading).to_be_visible()
        expect(card).to_contain_text("Being called")
        expect(card).to_contain_text("You are called.")
        expect(card).to_contain_text("admin · step 1 · on the page")
        expect(card).to_contain_text("last step · on the page · role:administrator")

        page.get_by_role("button", name="Acknowledge").click()

        expect(card).to_contain_text("Accepted by admin")
        expect(card).not_to_contain_text("You are called.")


def test_what_is_not_there_or_not_for_them_is_said_kindly(window: OpenWindow) -> None:
    opened = window("inspector")
    page = opened.go("/alerts/00000000-0000-0000-0000-000000000000")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("There is nothing like this here, or it is not for your role.")
    expect(alert).to_contain_text("alert-unknown")
    opened.go("/nowhere")
    expect(page.get_by_role("heading", name="There is nothing at this address")).to_be_visible()
