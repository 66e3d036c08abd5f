"""A discharge, from the alert to the closed case: one inspection, the gates, and a phone on site
that has no network for a while."""

from __future__ import annotations

import re
import time
from pathlib import Path

from playwright.sync_api import FilePayload, Page, expect

from browser.conftest import PHONE, OpenWindow
from browser.test_layout import _is_accessible
from browser.town import Town
from browser.town_seed import CANAL
from cases_office import picture
from waterways import geojson

COUNT_TAPS = """
  sessionStorage.taps ??= 0;
  addEventListener("pointerdown", () => sessionStorage.taps++, true);
"""


def register(page: Page, folder: Path) -> None:
    """Waterways are brought in; a file with a mistake is refused, and says where it is."""
    wrong, right = folder / "wrong.geojson", folder / "canal.geojson"
    right.write_text(geojson(upper=CANAL), "utf-8")
    wrong.write_text(right.read_text("utf-8").replace('"EPB-114-0044"', '""'), "utf-8")
    file, send = page.get_by_label("CSV or GeoJSON file"), page.get_by_role("button", name="Import")
    file.set_input_files(wrong)
    send.click()
    expect(page.get_by_text("feature 8: a registered outfall has a permit number")).to_be_visible()
    file.set_input_files(right)
    send.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Imported: 4 reaches, 6 points, 1 areas.")).to_be_visible()
    expect(page.get_by_text("林大明").first).to_be_visible()
    _is_accessible(page, "waterways")


def write_on_site(page: Page, photograph: Path) -> None:
    """A visit with its place, a sample, a photograph: by keyboard where a keyboard will do."""
    page.get_by_label("緯度").fill("23.4712")
    page.get_by_label("經度").fill("120.4391")
    page.get_by_label("內容").fill("牆後有水管")
    page.get_by_label("內容").press("Tab")
    page.get_by_role("button", name="加入").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("已保存：到場 · 牆後有水管")).to_be_visible()
    page.get_by_role("button", name="採樣", exact=True).click()
    page.get_by_label("樣品編號").fill("W-17")
    page.get_by_role("button", name="加入").click()
    expect(page.get_by_text("已保存：採樣 · W-17")).to_be_visible()
    page.get_by_role("button", name="照片", exact=True).click()
    page.get_by_label(re.compile("照片（JPEG")).set_input_files(photograph)
    page.get_by_role("button", name="加入").click()
    expect(page.get_by_text("已保存：照片")).to_be_visible()


def test_from_the_alert_to_a_closed_case_with_no_network_on_site(
    window: OpenWindow, town: Town, tmp_path: Path
) -> None:
    # Given the register of the canal
    inspector = window("inspector").go("/waterways")
    register(inspector, tmp_path)

    # When the conductivity and the pH of one probe leave their bounds
    town.sours(town.discharge())
    alert = town.newest_alert("water")

    # Then it is one alert, with map and curves side by side and the outfalls upstream
    inspector.add_init_script(COUNT_TAPS)
    inspector.goto(f"{town.url}/alerts/{alert}")
    expect(inspector.get_by_role("heading", level=1)).to_contain_text("and 1 more")
    upstream = inspector.locator("section", has_text="Registered outfalls upstream")
    expect(upstream.get_by_role("listitem").first).to_contain_text("Hsin plating works")
    curves = inspector.get_by_role("group", name="Readings around the event")
    expect(curves.get_by_text("Conductivity", exact=False).first).to_be_visible()
    expect(curves.get_by_text("pH", exact=False).first).to_be_visible()
    expect(inspector.get_by_role("region", name="Map of the incident")).to_be_visible()
    _is_accessible(inspector, "incident")

    # and an association is told which gate to close, on its phone, and sees nothing else
    farmers = window("farmers", size=PHONE, language="zh-TW").go("/")
    expect(farmers.get_by_text("目前沒有須關閉的水門")).to_be_visible()
    inspector.get_by_role("button", name="Have it closed: North gate").focus()
    inspector.keyboard.press("Enter")
    farmers.get_by_role("button", name="水門已關閉：北水門").click()
    expect(farmers.get_by_text("請保持關閉")).to_be_visible()
    # Live map, water gates, and one's own account.
    expect(farmers.get_by_role("navigation").get_by_role("link")).to_have_count(3)
    assert farmers.evaluate("document.documentElement.scrollWidth <= innerWidth")
    _is_accessible(farmers, "gates")

    # When the inspector opens the case and takes it along on a phone
    inspector.evaluate("sessionStorage.taps = 0")
    inspector.get_by_role("button", name="Open: Water inspection").click()
    expect(inspector).to_have_url(re.compile("/cases/[0-9a-f-]{36}$"))
    case = inspector.url.rsplit("/", 1)[1]
    on_site = window("inspector", size=PHONE, language="zh-TW")
    phone = on_site.go(f"/site/{case}")
    expect(phone.get_by_text("之後沒有網路也能使用。")).to_be_visible()
    _is_accessible(phone, "site")

    # and the network is gone: what is written stays, over a reload too
    photograph = tmp_path / "pipe.jpg"
    photograph.write_bytes(picture((320, 240)))
    town.stop_server()
    try:
        write_on_site(phone, photograph)
        expect(phone.get_by_text("3 筆等待送出").first).to_be_visible()
        phone.reload()
        expect(phone.get_by_text("3 筆等待送出").first).to_be_visible()
        assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
    finally:
        town.start_server()

    # Then it is sent by itself when the network is back, and stands in the case
    expect(phone.get_by_text("已全部送出。").first).to_be_visible()
    site = inspector.locator("section", has_text="From the site")
    expect(site.get_by_text("W-17")).to_be_visible()
    expect(site.get_by_text("23.47120, 120.43910")).to_be_visible()
    expect(inspector.locator("img[src*=photographs]")).to_have_count(1)
    expect(inspector.get_by_text("牆後有水管")).to_be_visible()

    # and what the server refuses is shown with the reason, and kept until it is thrown away
    phone.get_by_role("button", name="檢驗結果", exact=True).click()
    phone.get_by_label("樣品編號").fill("W-18")
    phone.get_by_label("內容").fill("銅 12 mg/L")
    phone.get_by_role("button", name="加入").click()
    expect(phone.get_by_text("案件中沒有此樣品")).to_be_visible()
    _is_accessible(phone, "site with a refusal")
    phone.get_by_role("button", name="登出").click()
    expect(phone.get_by_role("heading", name="尚有資料未送出")).to_be_visible()
    phone.keyboard.press("Escape")
    phone.get_by_role("button", name=re.compile("^捨棄")).click()
    phone.get_by_role("dialog").get_by_role("button", name="捨棄").click()
    expect(phone.get_by_text("已全部送出。").first).to_be_visible()

    # and one that the server fails on again and again keeps no other, and is shown
    phone.clock.install()
    fails = re.compile("/entries$")
    phone.route(fails, lambda route: route.fulfill(status=500, body=""))
    phone.get_by_role("button", name="檢驗結果", exact=True).click()
    phone.get_by_label("樣品編號").fill("W-17")
    phone.get_by_label("內容").fill("銅 12 mg/L")
    phone.get_by_role("button", name="加入").click()
    phone.get_by_role("button", name="備註", exact=True).click()
    phone.get_by_label("內容").fill("水已變清")
    phone.get_by_role("button", name="加入").click()
    expect(inspector.get_by_text("水已變清")).to_be_visible()
    failing = phone.get_by_text("1 筆伺服器處理失敗")
    until = time.monotonic() + 60
    while not failing.is_visible() and time.monotonic() < until:
        phone.clock.fast_forward(60_000)  # it is tried again after a pause that grows
    expect(failing).to_be_visible()
    expect(phone.get_by_role("button", name=re.compile("^捨棄"))).to_be_visible()
    phone.unroute(fails)
    on_site.complaints.clear()  # the browser tells of each answer 500
    phone.get_by_role("button", name=re.compile("^再試一次")).click()
    expect(phone.get_by_text("已全部送出。").first).to_be_visible()

    # When it is decided and closed: six taps at most from the alert
    inspector.get_by_label("Discharge found: fine").check()
    inspector.get_by_label("Amount (TWD)").click()
    inspector.keyboard.type("60000")
    inspector.keyboard.press("Tab")
    inspector.keyboard.type("Sample W-17, hose behind the wall.")
    inspector.get_by_role("button", name="Give my decision").click()
    expect(inspector.get_by_text("Discharge found: fine · TWD 60,000").first).to_be_visible()
    assert int(inspector.evaluate("sessionStorage.taps")) <= 6
    inspector.get_by_role("button", name="It may open: North gate").click()
    inspector.get_by_role("button", name="Close the case").click()
    dialog = inspector.get_by_role("dialog")
    dialog.get_by_label("Closed as").select_option("mended")
    dialog.get_by_role("button", name="Close the case").click()
    expect(inspector.get_by_text("Mended on site").first).to_be_visible()
    expect(farmers.get_by_text(re.compile("自 .* 起可開啟")).first).to_be_visible()

    # And signing out forgets everything on the phone
    phone.get_by_role("button", name="登出").click()
    expect(phone.get_by_label("帳號")).to_be_visible()
    left = phone.evaluate(
        """async () => {
          const open = indexedDB.open("vigil-offline");
          await new Promise((done) => (open.onsuccess = done));
          const read = open.result.transaction(["entries", "copies"]);
          const counts = ["entries", "copies"].map((name) => read.objectStore(name).count());
          await new Promise((done) => (read.oncomplete = done));
          return [localStorage.getItem("vigil.offline-account"), ...counts.map((c) => c.result)];
        }"""
    )
    assert left == [None, 0, 0]


def test_a_store_that_the_browser_ends_is_opened_again(window: OpenWindow, town: Town) -> None:
    """As iOS does with pages in the background; most browsers say so only at the next use."""
    town.sours(town.discharge())
    inspector = window("inspector").go(f"/alerts/{town.newest_alert('water')}")
    inspector.get_by_role("button", name="Open: Water inspection").click()
    expect(inspector).to_have_url(re.compile("/cases/[0-9a-f-]{36}$"))
    phone = window("inspector", size=PHONE, language="zh-TW").go(
        f"/site/{inspector.url.rsplit('/', 1)[1]}"
    )
    expect(phone.get_by_text("之後沒有網路也能使用。")).to_be_visible()

    devtools = phone.context.new_cdp_session(phone)
    told = {"origin": town.url, "storageTypes": "indexeddb"}
    devtools.send("Storage.clearDataForOrigin", told)
    town.stop_server()
    try:
        phone.get_by_role("button", name="備註", exact=True).click()
        phone.get_by_label("內容").fill("水已變清")
        phone.get_by_role("button", name="加入").click()
        expect(phone.get_by_text("1 筆等待送出").first).to_be_visible()
        count = """async () => {
          const open = indexedDB.open("vigil-offline");
          await new Promise((done) => (open.onsuccess = done));
          const count = open.result.transaction("entries").objectStore("entries").count();
          await new Promise((done) => (count.onsuccess = done));
          open.result.close();
          return count.result;
        }"""
        assert phone.evaluate(count) == 1

        # and what would be refused later is refused while it can be taken again
        phone.get_by_role("button", name="照片", exact=True).click()
        heic: FilePayload = {
            "name": "IMG_1.HEIC",
            "mimeType": "image/heic",
            "buffer": b"\0\0\0\x18ftypheic" + bytes(99),
        }
        phone.get_by_label(re.compile("照片（JPEG")).set_input_files(heic)
        phone.get_by_role("button", name="加入").click()
        expect(phone.get_by_text("請將相機設為 JPEG 後重拍。")).to_be_visible()
        expect(phone.get_by_text("1 筆等待送出").first).to_be_visible()
    finally:
        town.start_server()
    expect(phone.get_by_text("已全部送出。").first).to_be_visible()
