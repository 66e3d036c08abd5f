"""Figures by intersection: a table, charts of one by hour of the day, and the same as files."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from browser.conftest import DESKTOP, PHONE, OpenWindow
from browser.test_layout import settle
from browser.town import Town

WORDS = {
    "en": (
        "Zhongshan Road crossing",
        "by hour of the day",
        "LAeq by hour of the day",
        "As a table",
        "CSV by hour",
    ),
    "zh-TW": ("中山路口", "依時段", "各時段 LAeq", "以表格顯示", "各時段 CSV"),
}


@pytest.mark.parametrize(
    ("language", "size"), [("en", DESKTOP), ("zh-TW", PHONE)], ids=["desktop", "phone"]
)
def test_an_intersection_is_shown_by_hour_of_the_day(
    window: OpenWindow, town: Town, tmp_path: Path, language: str, size: tuple[int, int]
) -> None:
    town.loud_vehicle(93.3)
    place, hours, levels, as_table, file = WORDS[language]
    page = window("inspector", size=size, language=language).go("/noise")
    chosen = page.get_by_role("button", name=place, exact=True)
    chosen.press("Enter")
    expect(chosen).to_have_attribute("aria-expanded", "true")
    section = page.get_by_role("region", name=place)
    expect(section.get_by_role("img", name=re.compile(hours)).first).to_be_visible()
    expect(section.get_by_role("heading", name=levels)).to_be_visible()
    section.get_by_text(as_table).press("Enter")
    expect(section.locator("tbody tr")).to_have_count(24)
    settle(page, "/noise by site", size, language, "light")

    with page.expect_download() as told:
        page.get_by_role("link", name=file).click()
    kept = tmp_path / told.value.suggested_filename
    told.value.save_as(kept)
    with kept.open(encoding="utf-8-sig", newline="") as table:
        rows = [row for row in csv.DictReader(table) if row["intersection"] == "zhongshan"]
    assert [int(row["hour"]) for row in rows] == list(range(24))
    assert sum(int(row["exceedances"]) for row in rows) >= 1
