"""From a gateway's page to a device: search, raw values, adding, refusals, and the way back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

import pytest
from playwright.sync_api import Page, expect

import servers
from browser.conftest import DESKTOP, PHONE, OpenWindow
from browser.test_layout import settle
from browser.town import Town
from gateways import birth, event, new_name
from vigil_schemas.control import AddedDevice, Command, Configuration
from vigil_schemas.discovery import (
    Choice,
    DiscoveryReport,
    Fact,
    FoundDevice,
    LookReport,
    Option,
    RawReading,
    Searched,
)
from vigil_schemas.gateway import (
    CommandResult,
    ConfigurationReport,
    DeviceDescription,
    RefusedConfiguration,
    SettingMistake,
)
from vigil_schemas.types import Model

M = TypeVar("M", bound=Model)
FOUND = "0123456789abcdef"
OTHER = "fedcba9876543210"


class Box:
    """A gateway that has no device yet, and says what its test wants of it."""

    def __init__(self, town: Town) -> None:
        self.gateway = town.another_gateway()
        self.name = self.gateway.name
        self._sequence = 0
        self.describe()

    def describe(self, *devices: DeviceDescription, number: int = 0) -> None:
        now = datetime.now(UTC)
        accepts = [Command.TYPE, Configuration.TYPE]
        said = birth(now, devices, accepts=accepts, description=number)
        self.gateway.publish(
            "status",
            event(self.name, None, said, subject=self.name, time=now, lane="status"),
            retain=True,
        )

    def said(self, kind: type[M]) -> list[M]:
        return [told.data for _, told in self.gateway.down if isinstance(told.data, kind)]

    def send(self, data: Model) -> None:
        self._sequence += 1
        payload = event(self.name, self._sequence, data, subject=self.name, time=datetime.now(UTC))
        self.gateway.deliver("event", [(self._sequence, payload)])

    def asked(self, action: str, nth: int = 0) -> Command:
        def there() -> list[Command]:
            found = [one for one in self.said(Command) if one.action == action]
            return found if len(found) > nth else []

        servers.eventually(lambda: bool(there()), f"{action} arrived")
        return there()[nth]

    def wanted(self, revision: int) -> Configuration:
        def there() -> list[Configuration]:
            return [one for one in self.said(Configuration) if one.revision == revision]

        servers.eventually(lambda: bool(there()), f"revision {revision} arrived")
        return there()[0]

    def report(self, revision: int, *, in_force: bool = True, **keys: Any) -> None:
        answer = CommandResult(
            command_id=f"config-{revision}",
            accepted=in_force,
            code="ok" if in_force else "bad-configuration",
            message="" if in_force else "canal: interval_s: is wrong",
        )
        self.send(answer)
        fields = {"revision": revision, "in_force": in_force, "settings": {}, **keys}
        self.send(ConfigurationReport.model_validate(fields))


@pytest.fixture
def box(town: Town) -> Iterator[Box]:
    made = Box(town)
    yield made
    made.gateway.close()


def finding(found: str = FOUND, **keys: Any) -> FoundDevice:
    options = [
        Option(value="exo", title="An EXO: 7 of 7 values", title_zh="EXO：7 項中有 7 項"),
        Option(value="any", title="Any: 1 of 1 values", title_zh="任何：1 項中有 1 項"),
    ]
    kind = Choice(key="description", title="What it is", title_zh="裝置型號", options=options)
    fields = {
        "found": found,
        "domain": "water",
        "driver": "modbus-tcp",
        "title": "Modbus device, unit 2",
        "title_zh": "Modbus 裝置，單元 2",
        "facts": [Fact(name="unit", value="2")],
        "choices": [kind],
        "readable": True,
    }
    return FoundDevice.model_validate({**fields, **keys})


def search(page: Page, box: Box, button: str, *found: FoundDevice) -> Command:
    page.get_by_role("button", name=button).click()
    command = box.asked("discover")
    now = datetime.now(UTC)
    place = Searched(domain="water", place="modbus-tcp 192.0.2.20:502", found=len(found))
    lost = Searched(
        domain="smoke", place="mqtt://127.0.0.1:1883", code="mqtt-unreachable", message="refused"
    )
    box.send(CommandResult(command_id=command.command_id, accepted=True))
    box.send(
        DiscoveryReport(
            command_id=command.command_id,
            state="done",
            began=now,
            ended=now,
            searched=[place, lost],
            found=list(found),
        )
    )
    return command


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("language", ["en", "zh-TW"])
def test_a_found_device_is_looked_at_and_added(
    window: OpenWindow, box: Box, size: tuple[int, int], language: Literal["en", "zh-TW"]
) -> None:
    english = language == "en"

    def word(en: str, zh: str) -> str:
        return en if english else zh

    page = window("admin", size=size, language=language).go(f"/gateways/{box.name}")
    page.get_by_label(word("Look here as well", "另外搜尋這些位址")).fill("192.0.2.20:502")
    in_use = finding(OTHER, device="canal-0", choices=[], title="Unit 1", title_zh="單元 1")
    camera = finding("1" * 16, addable=False, choices=[], title="A camera", title_zh="攝影機")
    command = search(page, box, word("Look for devices", "搜尋裝置"), finding(), in_use, camera)
    assert command.arguments["addresses"] == ["192.0.2.20:502"]
    title = word("Modbus device, unit 2", "Modbus 裝置，單元 2")
    add = page.get_by_role("button", name=f"{word('Add', '新增')}: {title}")
    expect(add).to_be_visible()
    expect(page.get_by_role("link", name="canal-0")).to_be_visible()
    expect(
        page.get_by_text(word("for the gateway's own file", "需寫在閘道器的設定檔"))
    ).to_be_visible()
    page.get_by_text(word("Where it looked", "搜尋了哪些位置")).click()
    expect(page.get_by_text("mqtt://127.0.0.1:1883")).to_be_visible()

    # By keyboard from here: whoever stands at a cabinet has one hand.
    add.focus()
    page.keyboard.press("Enter")
    read = page.get_by_role("button", name=word("Read it now", "立即讀取"))
    expect(read).to_be_disabled()
    page.get_by_label(word("What it is", "裝置型號")).select_option("exo")
    read.press("Enter")
    look = box.asked("look")
    assert look.arguments == {"found": FOUND, "choices": {"description": "exo"}}
    readings = [
        RawReading(name="pH", raw="40e8 0000", value=7.25, unit="pH"),
        RawReading(name="level", raw="", doubt="it has no such register"),
    ]
    box.send(CommandResult(command_id=look.command_id, accepted=True))
    box.send(
        LookReport(
            command_id=look.command_id, found=FOUND, time=datetime.now(UTC), readings=readings
        )
    )
    row = page.get_by_role("row").filter(has_text="40e8 0000")
    expect(row).to_contain_text("7.25")
    expect(page.get_by_role("row").filter(has_text="it has no such register")).to_be_visible()

    device = new_name("canal")
    page.get_by_label(word("Id of the device", "裝置編號")).fill(device)
    page.get_by_label(word("Name in English", "英文名稱")).fill("Weir")
    page.get_by_label(word("Name in Chinese", "中文名稱")).fill("水門")
    page.get_by_label(word("Latitude", "緯度")).fill("23.4801")
    page.get_by_label(word("Longitude", "經度")).fill("120.4491")
    settle(page, f"/gateways/{box.name}", size, language, "light")
    page.get_by_role("button", name=word("Add it", "新增裝置")).press("Enter")
    expect(
        page.get_by_text(word("waiting for the gateway to take it", "等待閘道器接受"))
    ).to_be_visible()
    wanted = box.wanted(1)
    assert wanted.devices == {device: AddedDevice(found=FOUND, choices={"description": "exo"})}
    assert wanted.settings == {
        device: {"name": "Weir", "name_zh": "水門", "latitude": 23.4801, "longitude": 120.4491}
    }

    described = DeviceDescription(device=device, domain="water", driver="modbus-tcp", name="Weir")
    box.describe(described, number=1)
    box.report(1, settings={device: {"name": "Weir"}})
    page.get_by_role("link", name=word(f"Open {device}", f"開啟 {device}")).click()
    expect(page.get_by_role("heading", name=word("Weir", "Weir"))).to_be_visible()


def test_a_refusal_stands_where_the_device_was_added(window: OpenWindow, box: Box) -> None:
    page = window("admin").go(f"/gateways/{box.name}")
    search(page, box, "Look for devices", finding(choices=[]))
    page.get_by_role("button", name="Add: Modbus device, unit 2").click()
    page.get_by_label("Id of the device").fill("canal-wrong")
    page.get_by_role("button", name="Add it").click()
    wanted = box.wanted(1)
    mistake = SettingMistake(key="water[0].unit", message="should be less than 256")
    box.report(
        wanted.revision,
        in_force=False,
        refused=RefusedConfiguration(revision=1, mistakes=[mistake]),
    )
    refused = page.get_by_role("alert")
    expect(refused).to_contain_text("The gateway does not take it")
    expect(refused).to_contain_text("water[0].unit: should be less than 256")
    # What was typed is there to be mended, on the revision that is the newest now.
    expect(page.get_by_label("Id of the device")).to_have_value("canal-wrong")
    expect(page.get_by_role("button", name="Add it")).to_be_enabled()
    page.get_by_role("button", name="Add it").click()
    box.wanted(2)
    box.report(2)
    expect(page.get_by_role("link", name="Open canal-wrong")).to_be_visible()


def test_a_search_that_the_gateway_refuses_says_why(window: OpenWindow, box: Box) -> None:
    page = window("admin").go(f"/gateways/{box.name}")
    expect(page.get_by_text("It has not looked for devices yet.")).to_be_visible()
    page.get_by_label("Look here as well").fill("8.8.8.8:502")
    page.get_by_role("button", name="Look for devices").click()
    command = box.asked("discover")
    message = "8.8.8.8:502 lies outside of the private networks"
    box.send(
        CommandResult(
            command_id=command.command_id,
            accepted=False,
            code="address-not-allowed",
            message=message,
        )
    )
    expect(page.get_by_role("status").filter(has_text=message)).to_be_visible()
    expect(page.get_by_role("button", name="Look for devices")).to_be_enabled()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_changes_are_listed_and_taken_back(
    window: OpenWindow, box: Box, size: tuple[int, int]
) -> None:
    device = new_name("canal")
    page = window("admin", size=size).go(f"/gateways/{box.name}")
    search(page, box, "Look for devices", finding(choices=[]))
    page.get_by_role("button", name="Add: Modbus device, unit 2").click()
    page.get_by_label("Id of the device").fill(device)
    page.get_by_role("button", name="Add it").click()
    box.wanted(1)
    box.report(1)
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_text(f"{device} added: no → yes")).to_be_visible()

    page.get_by_role("button", name=f"Remove: {device}").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("it can be added again")
    dialog.get_by_role("button", name="Remove").click()
    assert box.wanted(2).devices == {}
    box.report(2)
    expect(page.get_by_text(f"{device} added: yes → no")).to_be_visible()

    page.get_by_role("button", name="Go back to this: 1").click()
    page.get_by_role("dialog").get_by_role("button", name="Go back to this").click()
    assert list(box.wanted(3).devices) == [device]
    box.report(3)
    expect(page.get_by_text("Revision 3")).to_be_visible()
    settle(page, f"/gateways/{box.name}", size, "en", "light")


def test_its_devices_are_described_again_when_somebody_asks(window: OpenWindow, box: Box) -> None:
    page = window("admin").go(f"/gateways/{box.name}")
    page.get_by_role("button", name="Describe its devices again").click()
    command = box.asked("resend_birth")
    box.send(CommandResult(command_id=command.command_id, accepted=True))
    expect(page.get_by_role("status").filter(has_text="Done.")).to_be_visible()
