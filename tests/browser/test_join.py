"""A family joins by itself with a telephone; the host of a station sees whether it works."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import FilePayload, Page, expect

from browser.conftest import PHONE, OpenWindow
from browser.test_layout import settle
from browser.town import Town
from browser.town_seed import MARKET, NAMES

FREE = "ibeacon:0123456789abcdef0123456789abcdef:2:1"
PHRASE = "seven green umbrellas waiting"
MOTHER = "林阿嬤"


def link_of(page: Page) -> str:
    """The address that is shown with a code, beneath the town's own."""
    parts = urlsplit(page.locator("p.mono").last.inner_text())
    return parts.path + (f"#{parts.fragment}" if parts.fragment else "")


def press_tab_to(page: Page, name: str) -> None:
    """By the keyboard alone, as somebody goes who has no mouse."""
    for _ in range(40):
        if page.evaluate("document.activeElement.textContent.trim()") == name:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the keyboard does not reach {name!r}")


def test_a_family_joins_with_a_telephone(window: OpenWindow, town: Town) -> None:
    # Given an invitation of the health bureau, and an amulet with its printed code
    bureau = window("bureau").go("/")
    bureau.get_by_label("Reason").fill("came to the desk")
    bureau.get_by_role("button", name="Make an invitation").click()
    bureau.get_by_role("button", name="Show the code: came to the desk").click()
    expect(bureau.get_by_alt_text("QR code of the invitation")).to_be_visible()
    invitation = link_of(bureau)
    bureau.get_by_label("Ids of beacons").fill(FREE)
    wrong = "代號,姓名,標籤\nby-file,陳阿公,beacon-7\n".encode("big5")
    right = "代號,姓名,標籤\nby-file,陳阿公,\n".encode("big5")
    for content in (wrong, right):
        given = FilePayload(name="list.csv", mimeType="text/csv", buffer=content)
        bureau.get_by_label("CSV file").set_input_files(given)
        bureau.get_by_role("button", name="Check").click()
        if content == wrong:
            expect(bureau.get_by_text("Line 2: tag 'beacon-7'")).to_be_visible()
    expect(bureau.get_by_text("Nothing was written yet.")).to_be_visible()
    bureau.get_by_role("button", name="Import").click()
    expect(bureau.get_by_text("Imported: 1 persons")).to_be_visible()

    bureau.get_by_role("button", name="Add to the stock").click()
    printed = bureau.locator("ul.mono li").inner_text().split(" · ")[0]
    settle(bureau, "/invitations", (1440, 900), "en", "light")

    # When somebody without an account opens it on a telephone
    phone = window(size=PHONE, language="zh-TW").go(invitation)
    expect(phone.get_by_text("邀請您登錄一位家人")).to_be_visible()
    settle(phone, "/join", PHONE, "zh-TW", "light")
    phone.get_by_label("帳號", exact=True).fill("newdaughter")
    phone.get_by_label("您的姓名").fill("林小姐")
    phone.get_by_label("密碼").fill(PHRASE)
    press_tab_to(phone, "建立帳號")
    phone.keyboard.press("Enter")

    # Then they read the notice, type the code, and have enrolled her
    expect(phone.get_by_text("登入帳號：林小姐")).to_be_visible()
    expect(phone.get_by_text("讓親友得知最後出現的地點")).to_be_visible()
    phone.get_by_label("家人姓名").fill(MOTHER)
    phone.get_by_label("護身符代碼").fill("ZZZZZ-ZZZZZ")
    # What they see and are told of is chosen already; unticking the messages says what it means
    for scope in ("最後位置", "到過的地方（足跡）", "即時：開著的頁面自動更新"):
        expect(phone.get_by_label(scope)).to_be_checked()
    phone.get_by_label("相關通知").uncheck()
    expect(phone.get_by_text("監護人未勾選「相關通知」時")).to_be_visible()
    phone.get_by_label("我已閱讀並同意").press("Space")
    settle(phone, "/join, signed in", PHONE, "zh-TW", "light")
    press_tab_to(phone, "登錄")
    phone.keyboard.press("Enter")
    expect(phone.get_by_role("alert")).to_contain_text("此護身符無法登錄")
    phone.get_by_label("護身符代碼").fill(printed.lower().replace("-", " "))
    press_tab_to(phone, "登錄")
    phone.keyboard.press("Enter")
    expect(phone.get_by_role("status").first).to_contain_text("您已成為監護人")
    expect(phone.get_by_text("監護人未勾選「相關通知」時")).to_be_visible()
    bureau.reload()
    expect(bureau.locator("[data-not-called]")).to_contain_text("newdaughter")

    # and the family page has her, her amulet, and a way to invite a relative
    phone.get_by_role("link", name="前往家人頁面").click()
    expect(phone.get_by_role("heading", name=MOTHER)).to_be_visible()
    expect(phone.get_by_text("尚未收到訊號")).to_be_visible()
    # and says that she is not called, until she chooses to be
    warned = phone.locator("[data-not-called]")
    expect(warned).to_contain_text(f"您是{MOTHER}的監護人")
    settle(phone, "/family, not called", PHONE, "zh-TW", "light")
    phone.get_by_role("button", name="選擇您要查看與被通知的內容").click()
    own = phone.get_by_role("form", name="選擇您要查看與被通知的內容")
    expect(own.get_by_label("相關通知")).to_be_checked()
    own.get_by_role("button", name="給予同意").click()
    expect(warned).to_have_count(0)
    bureau.reload()
    expect(bureau.get_by_text("newdaughter, for")).to_have_count(0)
    phone.get_by_label("給誰").fill("弟弟")
    phone.get_by_role("button", name="建立邀請").click()
    phone.get_by_role("button", name="顯示條碼: 弟弟").click()
    relative = link_of(phone)
    settle(phone, "/family", PHONE, "zh-TW", "light")

    # and a relative who has an account joins, and sees nothing yet
    lone = window("lone").go(relative)
    expect(lone.get_by_text("You are invited to join as a relative")).to_be_visible()
    assert MOTHER not in lone.content()
    lone.get_by_role("button", name="Join", exact=True).click()
    expect(lone.get_by_role("status")).to_contain_text("The guardian can now give you consent")
    phone.reload()
    expect(phone.get_by_text("加入帳號：lone")).to_be_visible()

    # and neither invitation serves twice
    stranger = window().go(invitation)
    expect(stranger.get_by_role("alert")).to_contain_text("This invitation is not valid")

    # When the amulet is lost
    phone.get_by_role("button", name="遺失: 護身符 1").click()
    phone.get_by_role("button", name="確定").click()
    expect(phone.get_by_text("尚未登錄護身符")).to_be_visible()


def test_a_host_sees_whether_the_station_works(window: OpenWindow, town: Town) -> None:
    keeper = window("keeper").go(f"/stations/{MARKET}")
    keeper.get_by_role("button", name="Make codes: Nanmen Market").click()
    keeper.get_by_role("button", name="Show the code: Nanmen Market").click()
    expect(keeper.get_by_alt_text("For the box: does it work?")).to_be_visible()
    expect(keeper.get_by_alt_text("For the host alone")).to_be_visible()
    status = urlsplit(keeper.locator("p.mono").first.inner_text()).path
    own = link_of(keeper)
    settle(keeper, "/stations", (1440, 900), "en", "light")

    wall = window(size=PHONE, language="zh-TW").go(status)
    expect(wall.get_by_role("status")).to_be_visible()
    assert wall.locator("form").count() == 0
    assert NAMES["grandmother"] not in wall.content()
    wall.get_by_role("link", name="English").click()
    expect(wall.get_by_text("Nanmen Market")).to_be_visible()
    settle(wall, "a station's page", PHONE, "en", "light")

    host = window(size=PHONE).go(own)
    expect(host.get_by_text("You are told nothing")).to_be_visible()
    settle(host, "a host's page", PHONE, "en", "light")

    temple = window("temple", size=PHONE, language="zh-TW").go("/")
    expect(temple.get_by_role("heading", name="南門市場")).to_be_visible()
    expect(temple.get_by_role("heading", name="嘉義公園大門")).to_have_count(0)
    settle(temple, "/stations of a host", PHONE, "zh-TW", "light")
