"""The registers' page: search, add, change, retire, files with a look first, history."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import expect

from browser.conftest import DESKTOP, PHONE, OpenWindow
from browser.test_layout import settle
from gateways import new_name


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("language", ["en", "zh-TW"])
def test_an_account_is_added_found_changed_and_retired(
    window: OpenWindow, size: tuple[int, int], language: Literal["en", "zh-TW"]
) -> None:
    english = language == "en"

    def word(en: str, zh: str) -> str:
        return en if english else zh

    name = new_name("chen")
    page = window("admin", size=size, language=language).go("/registers/accounts")
    add = page.get_by_role("button", name=word("Add", "新增"), exact=True)
    add.press("Enter")
    page.get_by_label(word("User name", "使用者名稱")).fill(name)
    page.get_by_label(word("Roles", "角色")).fill("inspector; wizard")
    page.get_by_role("button", name=word("Save", "儲存")).press("Enter")
    expect(page.get_by_role("alert").filter(has_text="'wizard' is none of")).to_be_visible()
    page.get_by_label(word("Roles", "角色")).fill("inspector; reviewer")
    settle(page, "/registers/accounts", size, language, "light")
    page.get_by_role("button", name=word("Save", "儲存")).press("Enter")
    told = page.get_by_role("status").filter(has_text=name)
    expect(told).to_contain_text(word("Told once", "一次性資訊"))

    page.get_by_label(word("Search in all columns", "搜尋所有欄位")).fill(f"{name} reviewer")
    row = page.locator(f"[data-key='{name}']")
    expect(row).to_be_visible()
    expect(page.locator("li[data-key]")).to_have_count(1)
    page.get_by_role("button", name=f"{word('Change', '修改')}: {name}").click()
    expect(page.get_by_label(word("User name", "使用者名稱"))).to_have_count(0)
    page.get_by_label(word("E-mail", "電子郵件")).fill("chen@example.org")
    page.get_by_role("button", name=word("Save", "儲存")).click()
    expect(row).to_contain_text("chen@example.org")

    page.get_by_role("button", name=f"{word('Retire', '停用')}: {name}").click()
    page.get_by_role("dialog").get_by_role("button", name=word("Retire", "停用")).click()
    expect(row).to_contain_text(word("no", "否"))
    page.get_by_role("button", name=f"{word('History', '紀錄')}: {name}").click()
    history = page.get_by_role("listitem").filter(has_text=" · admin")
    expect(history).to_contain_text(
        [
            word("Retired", "停用"),
            word("Changed", "修改"),
            word("Added by an administrator", "由管理員新增"),
        ]
    )


def test_a_file_is_looked_at_before_it_is_taken(window: OpenWindow, tmp_path: Path) -> None:
    name = new_name("d")
    file = tmp_path / "districts.csv"
    page = window("admin").go("/registers/districts")
    file.write_text(f"district,name,name_zh\n{name},,北\n")
    page.get_by_label("File (CSV, UTF-8, UTF-16 or Big5)").set_input_files(file)
    page.get_by_role("button", name="Look at it first").click()
    expect(page.get_by_text("Line 2: name: has to be given")).to_be_visible()
    expect(page.get_by_role("button", name="Take it in")).to_have_count(0)

    right = tmp_path / "right.csv"
    right.write_text(f"district,name,name_zh\n{name},North,北\n")
    page.get_by_label("File (CSV, UTF-8, UTF-16 or Big5)").set_input_files(right)
    page.get_by_role("button", name="Look at it first").click()
    expect(page.get_by_text("1 would be added, 0 changed, 0 are the same.")).to_be_visible()
    expect(page.locator(f"[data-key='{name}']")).to_have_count(0)
    page.get_by_role("button", name="Take it in").click()
    expect(page.locator(f"[data-key='{name}']")).to_contain_text("North")

    with page.expect_download() as taken:
        page.get_by_role("link", name="Take it out as CSV").click()
    text = Path(taken.value.path()).read_text("utf-8-sig")
    assert f"{name},North,北" in text


def test_people_are_listed_by_name_and_a_maintainer_has_no_registers(window: OpenWindow) -> None:
    page = window("admin").go("/registers/people")
    expect(page.locator("li[data-key]").first).to_be_visible()
    expect(page.get_by_role("link", name="Tags")).to_be_visible()
    other = window("mei").go("/registers/people")
    expect(other.get_by_text("There is nothing at this address").first).to_be_visible()


def test_somebody_changes_a_first_password(window: OpenWindow) -> None:
    name, new = new_name("lin"), "four unrelated quiet words"
    page = window("admin").go("/registers/accounts")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_label("User name").fill(name)
    page.get_by_label("Roles").fill("inspector")
    page.get_by_role("combobox", name="Language").select_option("en")
    page.get_by_role("button", name="Save").click()
    told = page.get_by_text(f"Told once, for {name}: ").inner_text()
    first = told.rpartition(" ")[2]

    own = window().go("/")
    own.get_by_label("User name").fill(name)
    own.get_by_label("Password").fill(first)
    own.get_by_role("button", name="Sign in").click()
    own.get_by_role("link", name=name).click()
    own.get_by_label("Password as it is").fill(first)
    own.get_by_label("New password", exact=True).fill(new)
    own.get_by_label("New password again").fill("another")
    own.get_by_role("button", name="Change the password").click()
    expect(own.get_by_text("The two are not the same.")).to_be_visible()
    own.get_by_label("New password again").fill(new)
    own.get_by_role("button", name="Change the password").click()
    expect(own.get_by_text("The password is changed.")).to_be_visible()
    own.get_by_role("button", name="Sign out everywhere").click()
    expect(own.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
