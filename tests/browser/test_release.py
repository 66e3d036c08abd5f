"""A gateway that claims another's device, and the administrator who lets it go."""

from __future__ import annotations

from playwright.sync_api import expect

from browser.conftest import PHONE, OpenWindow
from browser.town import Town

OWNER, CLAIMANT = "gw-before", "gw-after"


def test_a_claimed_device_is_released_and_moves(window: OpenWindow, town: Town) -> None:
    # Given a device that a second gateway describes, too
    town.claim("sonde-moved", OWNER)
    town.claim("sonde-moved", CLAIMANT)
    opened = window("admin")
    page = opened.go("/gateways")
    conflict = page.get_by_role("region", name=f"Claims devices of others: {CLAIMANT}")
    expect(conflict).to_contain_text("Sonde that moved")
    expect(conflict).to_contain_text(f"belongs to {OWNER}")

    # When the administrator thinks better of it, nothing happens
    release = conflict.get_by_role("button", name="Release")
    release.click()
    dialog = page.get_by_role("dialog", name="Release Sonde that moved?")
    expect(dialog).to_contain_text("Release it only if it has really been moved.")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(release).to_be_focused()
    answer = opened.context.request.get(f"{town.url}/api/v1/gateways").json()
    assert [g["conflicts"] for g in answer["gateways"] if g["gateway"] == CLAIMANT] == [
        ["sonde-moved"]
    ]

    # When they do it, the gateway that was refused takes it over at its next birth
    release.click()
    with page.expect_response("**/devices/sonde-moved/release") as released:
        dialog.get_by_role("button", name="Release").click()
    assert released.value.status == 200
    expect(page.get_by_role("status").filter(has_text="sonde-moved has been")).to_be_visible()
    town.claim("sonde-moved", CLAIMANT, session=2)
    expect(conflict).to_have_count(0)
    opened.go("/devices/sonde-moved")
    expect(page.get_by_role("definition").filter(has_text=CLAIMANT)).to_be_visible()


def test_the_device_s_own_page_releases_it_too(window: OpenWindow, town: Town) -> None:
    town.claim("sonde-alone", OWNER, session=3)
    page = window("admin", size=PHONE, language="zh-TW").go("/devices/sonde-alone")
    page.get_by_role("button", name="解除綁定").click()
    dialog = page.get_by_role("dialog", name="解除「搬移的監測儀」的綁定？")
    expect(dialog).to_contain_text("這項操作會以您的帳號留下紀錄。")
    dialog.get_by_role("button", name="解除綁定").click()
    expect(page.get_by_role("status").filter(has_text="已解除")).to_be_visible()


def test_a_maintainer_sees_the_conflict_and_whom_to_ask(window: OpenWindow, town: Town) -> None:
    town.claim("sonde-asked", "gw-owns", session=4)
    town.claim("sonde-asked", "gw-claims", session=4)
    opened = window("keeper", language="zh-TW")
    page = opened.go("/gateways")
    conflict = page.get_by_role("region", name="宣稱擁有其他閘道器的設備: gw-claims")
    expect(conflict).to_contain_text("只有管理員可以解除綁定。")
    expect(conflict.get_by_role("button")).to_have_count(0)
    opened.go("/devices/sonde-asked")
    expect(page.get_by_role("heading", name="搬移的監測儀")).to_be_visible()
    expect(page.get_by_role("button", name="解除綁定")).to_have_count(0)
