"""The register that measurements are judged by, filled in from nothing by the pages alone."""

from __future__ import annotations

import re
import uuid
from datetime import datetime, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.conftest import DESKTOP, PHONE, OpenWindow
from browser.evidence import reference, sealed_evidence
from browser.test_layout import settle
from browser.town import Town

CITY = ZoneInfo("Asia/Taipei")


class Way(NamedTuple):
    """How the register is filled in: which words the page has, and whether by keyboard alone."""

    language: Literal["zh-TW", "en"]
    size: tuple[int, int]
    by_keyboard: bool
    words: dict[str, str]

    def press(self, button: Locator) -> None:
        if self.by_keyboard:
            button.press("Enter")
        else:
            button.click()

    def __str__(self) -> str:
        return f"{self.language}-{'keyboard' if self.by_keyboard else 'mouse'}"


ENGLISH = {
    "place": "Add an intersection",
    "key": "Key",
    "name": "Name, English",
    "name_zh": "Name, Chinese",
    "latitude": "Latitude (degrees)",
    "longitude": "Longitude (degrees)",
    "record": "Record",
    "limit_at": "Add a limit at {}",
    "first": "First day",
    "last": "Last day",
    "limit": "Limit, dB(A)",
    "another": "Another limit for other days or hours",
    "sunday": "Sun",
    "since": "From (time of day)",
    "until": "To (time of day)",
    "sign": "Warning sign, metres ahead",
    "sign_told": "sign 130 m ahead",
    "basis": "Announcement or article",
    "instrument": "Add an instrument",
    "serial": "Serial number",
    "maker": "Maker",
    "certificate": "Add a certificate of {}",
    "kind": "Kind",
    "number": "Number",
    "placement": "Place a device",
    "device": "Device",
    "placed": "Since",
    "where": "Intersection",
    "meter": "Instrument",
    "complaint": "Add a complaint",
    "reference": "Reference",
    "change": "Change {}",
    "withdraw": "Withdraw {}",
    "withdrawing": "Withdraw",
    "take_down": "Take down {}",
    "taking_down": "Take down",
    "taken_down": "taken down",
    "retire": "Retire {}",
    "retiring": "Retire",
    "retired": "retired",
    "in_use": "It is in use",
    "history": "Who entered it, and what it was called before",
    "entries": "All entries",
}
CHINESE = {
    "place": "新增路口",
    "key": "代碼",
    "name": "英文名稱",
    "name_zh": "中文名稱",
    "latitude": "緯度（度）",
    "longitude": "經度（度）",
    "record": "登錄",
    "limit_at": "新增管制值：{}",
    "first": "首日",
    "last": "末日",
    "limit": "管制值，dB(A)",
    "another": "新增其他日或時段之管制值",
    "sunday": "週日",
    "since": "起（時刻）",
    "until": "迄（時刻）",
    "sign": "告示牌距離（公尺）",
    "sign_told": "前方 130 公尺設告示牌",
    "basis": "公告或法條",
    "instrument": "新增儀器",
    "serial": "序號",
    "maker": "廠牌",
    "certificate": "新增證書：{}",
    "kind": "類別",
    "number": "字號",
    "placement": "設置裝置",
    "device": "裝置",
    "placed": "起始時間",
    "where": "路口",
    "meter": "儀器",
    "complaint": "新增陳情",
    "reference": "案號",
    "change": "更正 {}",
    "withdraw": "撤回 {}",
    "withdrawing": "撤回",
    "take_down": "拆除 {}",
    "taking_down": "拆除",
    "taken_down": "已拆除",
    "retire": "停用 {}",
    "retiring": "停用",
    "retired": "已停用",
    "in_use": "仍在使用中",
    "history": "登錄人與先前內容",
    "entries": "所有登錄",
}
WAYS = (Way("en", DESKTOP, False, ENGLISH), Way("zh-TW", PHONE, True, CHINESE))


class Names(NamedTuple):
    """Of this test's own things: the town is everybody's."""

    place: str
    shown: str
    serial: str
    device: str


class Keeper:
    """Somebody who fills in the register."""

    def __init__(self, page: Page, way: Way) -> None:
        self.page, self.way, self.words = page, way, way.words

    def open(self, button: str) -> Locator:
        self.way.press(self.page.get_by_role("button", name=button, exact=True))
        return self.page.get_by_role("dialog")

    def record(self, dialog: Locator, action: str = "record") -> None:
        self.way.press(dialog.get_by_role("button", name=self.words[action], exact=True))

    def done(self, dialog: Locator, action: str = "record") -> None:
        self.record(dialog, action)
        expect(dialog).to_have_count(0)

    def field(self, dialog: Locator, word: str) -> Locator:
        return dialog.get_by_label(self.words[word], exact=True)

    def fill(self, dialog: Locator, **values: str) -> None:
        for word, value in values.items():
            self.field(dialog, word).fill(value)

    def item(self, text: str) -> Locator:
        return self.page.get_by_role("listitem").filter(has_text=text).first


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_the_whole_register_is_filled_in_and_a_case_stands_on_it(
    window: OpenWindow, town: Town, way: Way
) -> None:
    own = uuid.uuid4().hex[:6]
    names = Names(
        f"minsheng-{own}",
        f"民生路 {own}" if way.language == "zh-TW" else f"Minsheng {own}",
        f"XL2-{own}",
        f"mic-{own}",
    )
    page = window("keeper", size=way.size, language=way.language).go("/noise")
    keeper = Keeper(page, way)
    _place(keeper, names, own)
    _limits(keeper, names)
    _instrument(keeper, names)
    _placement(keeper, names)
    _complaint(keeper, names, own)
    settle(page, "/noise", way.size, way.language, "light")

    # When somebody is measured there, the case stands on what was filled in
    case = _case(window, town, names)
    checks = case.locator("section").filter(has=case.get_by_role("heading", name="Checks"))
    expect(checks.locator("[data-verdict=pass]")).to_have_count(10)

    # What is withdrawn counts no more while the case is open, and is entered again
    dialog = keeper.open(keeper.words["withdraw"].format(f"calibration-{own}"))
    keeper.done(dialog, "withdrawing")
    case.reload()
    expect(checks.locator("[data-verdict=pass]")).to_have_count(9)
    _certificate(keeper, names, "calibration")
    case.reload()
    expect(checks.locator("[data-verdict=pass]")).to_have_count(10)

    # Once it is decided nothing of it is lost, whatever ends in the register
    path = case.url.removeprefix(town.url)
    for reviewer in ("reviewer-a", "reviewer-b"):
        _decide(window(reviewer).go(path))
    _end(keeper, names)
    case.reload()
    expect(case.get_by_text("Plate unreadable").first).to_be_visible()
    expect(checks.locator("[data-verdict=pass]")).to_have_count(10)


def _place(keeper: Keeper, names: Names, own: str) -> None:
    dialog = keeper.open(keeper.words["place"])
    settle(keeper.page, "the form", keeper.way.size, keeper.way.language, "light")
    keeper.fill(dialog, key="Not a key", name="Minsheng", name_zh="民生路")
    keeper.fill(dialog, latitude="123", longitude="120.45")
    keeper.record(dialog)
    expect(dialog.locator("input:invalid")).to_have_count(2)
    keeper.fill(dialog, key=names.place, latitude="23.4811")
    keeper.done(dialog)

    # A wrong name is corrected, and what it was called before is there to be seen
    shown = "民生路" if keeper.way.language == "zh-TW" else "Minsheng"
    dialog = keeper.open(keeper.words["change"].format(shown))
    keeper.fill(dialog, name=f"Minsheng {own}", name_zh=f"民生路 {own}")
    keeper.done(dialog)
    item = keeper.item(names.shown)
    keeper.way.press(item.get_by_role("button", name=keeper.words["history"]))
    keeper.way.press(item.get_by_text(f"{keeper.words['entries']}").last)
    expect(item.get_by_text("Minsheng · 民生路 · 23.4811", exact=False)).to_be_visible()
    expect(item.get_by_text(re.compile("keeper, ")).first).to_be_visible()


def _limits(keeper: Keeper, names: Names) -> None:
    """A stricter limit on Sunday's night counts before that of all days."""
    dialog = keeper.open(keeper.words["limit_at"].format(names.shown))
    keeper.fill(dialog, first="2026-01-01", limit="80")
    keeper.field(dialog, "since").fill("22:00")
    keeper.field(dialog, "until").fill("06:00")
    for box in dialog.get_by_role("checkbox").all()[:6]:
        box.press("Space")
    expect(dialog.get_by_label(keeper.words["sunday"])).to_be_checked()
    keeper.way.press(dialog.get_by_role("button", name=keeper.words["another"]))
    keeper.field(dialog, "limit").nth(1).fill("86")
    keeper.fill(dialog, sign="130", basis="Announcement 115-77")
    settle(keeper.page, "limits", keeper.way.size, keeper.way.language, "light")
    keeper.done(dialog)
    item = keeper.item(names.shown)
    told = f"80 dB 22:00–06:00 {keeper.words['sunday']}, 86 dB"
    expect(item.get_by_text(told).first).to_be_visible()
    expect(item.get_by_text(re.compile(keeper.words["sign_told"])).first).to_be_visible()


def _instrument(keeper: Keeper, names: Names) -> None:
    dialog = keeper.open(keeper.words["instrument"])
    keeper.fill(dialog, serial=names.serial, maker="NTi")
    keeper.done(dialog)
    for kind in ("verification", "comparison", "calibration"):
        _certificate(keeper, names, kind)


def _certificate(keeper: Keeper, names: Names, kind: str) -> None:
    today = datetime.now(CITY).date()
    dialog = keeper.open(keeper.words["certificate"].format(names.serial))
    keeper.field(dialog, "kind").select_option(kind)
    own = names.serial.removeprefix("XL2-")
    keeper.fill(dialog, number=f"{kind}-{own}", first=str(today), last="2020-01-01")
    keeper.record(dialog)
    expect(dialog.locator("input:invalid")).to_have_count(1)
    keeper.fill(dialog, last=str(today + timedelta(days=90)))
    keeper.done(dialog)
    expect(keeper.item(names.serial).get_by_text(f"{kind}-{own}").first).to_be_visible()


def _placement(keeper: Keeper, names: Names) -> None:
    yesterday = datetime.now(CITY) - timedelta(days=1)
    dialog = keeper.open(keeper.words["placement"])
    keeper.fill(dialog, device=names.device, placed=f"{yesterday:%Y-%m-%dT%H:%M}")
    keeper.field(dialog, "where").select_option(names.place)
    keeper.field(dialog, "meter").select_option(names.serial)
    keeper.done(dialog)
    expect(keeper.item(names.device).get_by_text(names.shown).first).to_be_visible()


def _complaint(keeper: Keeper, names: Names, own: str) -> None:
    for number in ("1", "2"):
        dialog = keeper.open(keeper.words["complaint"])
        keeper.fill(dialog, reference=f"{own}-{number}")
        keeper.field(dialog, "where").select_option(names.place)
        keeper.done(dialog)
        expect(keeper.item(f"{own}-{number}")).to_be_visible()
    dialog = keeper.open(keeper.words["withdraw"].format(f"{own}-2"))
    keeper.done(dialog, "withdrawing")
    withdrawn = keeper.page.get_by_role(
        "button", name=keeper.words["withdraw"].format(f"{own}-2"), exact=True
    )
    expect(withdrawn).to_have_count(0)


def _case(window: OpenWindow, town: Town, names: Names) -> Page:
    """Opened by an inspector from what was measured there just now."""
    evidence = f"exceedance-{names.device}"
    sealed = sealed_evidence(evidence, names.device)
    level = 99.1 if names.shown.startswith("M") else 99.4
    town.loud_vehicle(level, reference(sealed), evidence, device=names.device)
    town.upload(sealed)
    page = window("inspector").go("/alerts")
    page.get_by_role("link").filter(has_text=f"{level}").first.click()
    page.get_by_role("button", name="Open: Noise exceedance").click()
    expect(page).to_have_url(re.compile("/cases/[0-9a-f-]{36}$"))
    expect(page.get_by_role("heading", name="Checks")).to_be_visible()
    return page


def _decide(page: Page) -> None:
    page.get_by_label("Plate unreadable").click()
    page.get_by_label("Reason").fill("The plate is in the shadow.")
    page.get_by_role("button", name="Give my decision").click()
    expect(page.get_by_label("Reason")).to_have_count(0)


def _end(keeper: Keeper, names: Names) -> None:
    """What is in use is not retired; the device is taken down first."""
    dialog = keeper.open(keeper.words["retire"].format(names.serial))
    keeper.record(dialog, "retiring")
    expect(dialog.get_by_text(re.compile(keeper.words["in_use"]))).to_be_visible()
    keeper.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    dialog = keeper.open(keeper.words["take_down"].format(names.device))
    keeper.done(dialog, "taking_down")
    expect(keeper.item(names.device).get_by_text(keeper.words["taken_down"])).to_be_visible()
    for name in (names.serial, names.shown):
        dialog = keeper.open(keeper.words["retire"].format(name))
        keeper.done(dialog, "retiring")
        item = keeper.item(name)
        expect(item.get_by_text(keeper.words["retired"], exact=True).first).to_be_visible()


def test_a_reviewer_reads_the_register_and_writes_nothing_in_it(window: OpenWindow) -> None:
    page = window("reviewer-a").go("/noise")
    expect(page.get_by_text("verification-1").first).to_be_visible()
    for name in ("Add an intersection", "Place a device", "Add a complaint"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    expect(page.get_by_role("button", name=re.compile("^(Withdraw|Change|Retire) "))).to_have_count(
        0
    )
