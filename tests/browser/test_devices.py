"""Devices, their series, and gateways."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from playwright.sync_api import expect

from browser.conftest import OpenWindow
from browser.town import Town
from browser.town_seed import CANAL
from vigil_schemas.senml import Reading
from vigil_schemas.types import QartodFlag


def test_the_list_says_what_is_wrong_with_a_device(window: OpenWindow) -> None:
    page = window("admin").go("/devices")
    park = page.get_by_role("link").filter(has_text="Chiayi Park gate")
    expect(park).to_contain_text("Failed")
    expect(park).to_contain_text("radio-gone")
    page.get_by_role("button", name="With trouble").click()
    expect(page.get_by_role("link").filter(has_text="Canal outfall 3")).to_have_count(0)
    expect(park).to_be_visible()


def test_search_finds_by_either_name(window: OpenWindow) -> None:
    page = window("admin").go("/devices")
    page.get_by_label("Search by name").fill("排水口")
    expect(page.locator("[data-device]")).to_have_count(1)
    page.get_by_label("Search by name").fill("no such thing")
    expect(page.get_by_text("No device matches.")).to_be_visible()


def test_each_series_is_charted_and_follows_new_readings(window: OpenWindow, town: Town) -> None:
    page = window("admin").go(f"/devices/{CANAL}")
    for name in ("Conductivity", "pH", "Temperature"):
        chart = page.get_by_role("img", name=re.compile(f"^{name}: "))
        expect(chart.locator("canvas")).to_be_visible()
    page.get_by_role("button", name="15 min").click()
    page.locator(".live.live i").first.wait_for()

    now = datetime.now(UTC)
    town.observe(CANAL, "water", [Reading("pH", "pH", now, 5.61, QartodFlag.SUSPECT)])
    latest = page.locator("[data-parameter=pH]")
    expect(latest).to_contain_text("5.61")
    expect(latest).to_contain_text("suspect")


def test_a_chart_is_kept_as_a_file(window: OpenWindow, town: Town) -> None:
    page = window("admin").go(f"/devices/{CANAL}")
    with page.expect_download() as kept:
        page.get_by_role("button", name="pH as a CSV file").click()
    assert kept.value.suggested_filename == f"{CANAL}-pH.csv"
    head, first, *_ = kept.value.path().read_text("utf-8-sig").splitlines()
    assert head == "time,parameter,unit,value,flag,mean_of_s"
    assert first.split(",")[1:3] == ["pH", "pH"]


def test_gateways_show_lanes_and_refused_messages_to_administrators(
    window: OpenWindow, town: Town
) -> None:
    town.refused_message()
    page = window("admin").go("/gateways")
    expect(page.get_by_role("heading", name="gw-town")).to_be_visible()
    lane = page.get_by_role("listitem").filter(has_text="Observations")
    expect(lane).to_contain_text("830")
    expect(lane).to_contain_text("12 thinned out")
    expect(page.get_by_text("wrong-schema").first).to_be_visible()


def test_a_gateway_that_warns_is_seen_to(window: OpenWindow, town: Town) -> None:
    town.warn()

    page = window("admin").go("/gateways")

    warnings = page.get_by_role("list", name="Warnings: gw-warns")
    expect(warnings).to_contain_text("A second box connects under this name")
    expect(warnings).to_contain_text("1 h ahead of ours")
    expect(warnings).to_contain_text("From the future (4)")


def test_others_are_not_shown_gateways(window: OpenWindow) -> None:
    opened = window("inspector")
    page = opened.go("/")
    expect(page.get_by_role("link", name="Devices")).to_be_visible()
    expect(page.get_by_role("link", name="Gateways")).to_have_count(0)
    opened.go("/gateways")
    expect(page.get_by_role("alert")).to_contain_text("Your account may not see or do this.")
