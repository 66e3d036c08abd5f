"""The page of escalation policies: written, refused at the field, tried out, kept."""

from __future__ import annotations

import uuid

from playwright.sync_api import Page, expect

from browser.conftest import PHONE, OpenWindow
from browser.test_layout import settle


def add_person(page: Page, group: str, name: str) -> None:
    """With the keyboard alone."""
    field = page.get_by_role("group", name=group, exact=True).get_by_label("Add a person")
    field.fill(name)
    field.press("Enter")


def test_a_policy_is_tried_out_refused_and_kept(window: OpenWindow) -> None:
    opened = window("admin")
    page = opened.go("/administration/escalation")
    name = f"night {uuid.uuid4().hex[:6]}"
    page.get_by_role("button", name="Add a policy").press("Enter")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Kind of alert").fill(name[:40])
    end = "Fallback: the end of the policy"

    # Nobody is called at its end, and one step names somebody who is not there.
    add_person(page, "Step 1", "nobody-at-all")
    page.get_by_role("button", name="Save").press("Enter")
    expect(page.get_by_role("group", name=end)).to_contain_text("a policy without an end")
    add_person(page, end, "role:dispatcher")
    page.get_by_label("By", exact=True).nth(0).select_option("page")
    page.get_by_label("By", exact=True).nth(1).select_option("page")
    page.get_by_role("button", name="Save").press("Enter")
    first = page.get_by_role("group", name="Step 1", exact=True)
    expect(first).to_contain_text("There is no open account “nobody-at-all”.")
    expect(first.get_by_label("Add a person")).to_be_focused()
    settle(page, "a refused policy", (1440, 900), "en", "light")
    page.get_by_role("button", name="Remove nobody-at-all").press("Enter")
    add_person(page, "Step 1", "admin")

    # A second step before the first is refused at its moment, by the trial as well.
    page.get_by_role("button", name="Add a step").press("Enter")
    second = page.get_by_role("group", name="Step 2", exact=True)
    add_person(page, "Step 2", "mei")
    second.get_by_label("Seconds after the alert").fill("999")
    page.get_by_role("button", name="Show who is called").press("Enter")
    last = page.get_by_role("group", name=end)
    expect(last).to_contain_text("Moments only go on")
    second.get_by_label("Seconds after the alert").fill("60")

    answer = page.get_by_role("combobox", name="admin, on the page, answers")
    answer.select_option("declined")
    page.get_by_role("button", name="Show who is called").press("Enter")
    timeline = page.locator("ol").filter(has_text="role:dispatcher")
    expect(timeline.get_by_role("listitem")).to_have_count(3)
    expect(timeline.get_by_role("listitem").nth(0)).to_contain_text("at once")
    expect(timeline.get_by_role("listitem").nth(0)).to_contain_text("declines after")
    expect(page.get_by_text("Nobody has accepted: the fallback is reminded")).to_be_visible()
    settle(page, "a policy tried out", (1440, 900), "en", "light")

    page.get_by_role("button", name="Save").press("Enter")
    stored = page.get_by_role("listitem").filter(has_text=name)
    expect(stored).to_contain_text("3 steps")

    # As somebody finds it on a phone, at night and in Chinese.
    phone = window("admin", size=PHONE, language="zh-TW", scheme="dark")
    small = phone.go("/administration/escalation")
    row = small.get_by_role("listitem").filter(has_text=name)
    settle(small, "policies", PHONE, "zh-TW", "dark")
    row.get_by_role("button", name="修改").click()
    expect(small.get_by_label("警報後幾秒").nth(1)).to_have_value("60")
    settle(small, "a policy", PHONE, "zh-TW", "dark")

    stored.get_by_role("button", name=f"Remove policy {name}").press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Remove").press("Enter")
    expect(stored).to_have_count(0)
