"""What a device is asked for from its page, and what it answers; its settings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TypeVar

import pytest
from playwright.sync_api import expect

import servers
from browser.conftest import DESKTOP, PHONE, OpenWindow
from browser.town import Town
from browser.town_seed import KITCHEN
from gateways import birth, event, new_name
from vigil_schemas.control import Command, Configuration
from vigil_schemas.gateway import (
    CommandResult,
    ConfigurationReport,
    DeviceDescription,
    RefusedConfiguration,
    SettingMistake,
)
from vigil_schemas.types import Model

M = TypeVar("M", bound=Model)


class Home:
    """A gateway of today's version, with one alarm that can test itself and be silenced."""

    def __init__(self, town: Town) -> None:
        self.gateway = town.another_gateway()
        self.device = new_name("alarm")
        self._sequence = 0
        now = datetime.now(UTC)
        described = DeviceDescription(
            device=self.device,
            domain="smoke",
            driver="zigbee2mqtt",
            name="Wu home",
            name_zh="吳宅",
            commands=["self_test", "mute"],
        )
        said = birth(now, [described], accepts=[Command.TYPE, Configuration.TYPE])
        name = self.gateway.name
        self.gateway.publish(
            "status", event(name, None, said, subject=name, time=now, lane="status"), retain=True
        )

    def said(self, kind: type[M]) -> list[M]:
        """What the cloud sent down of this kind."""
        return [told.data for _, told in self.gateway.down if isinstance(told.data, kind)]

    def send(self, data: Model) -> None:
        """One event, stored when this returns."""
        self._sequence += 1
        name = self.gateway.name
        payload = event(name, self._sequence, data, subject=name, time=datetime.now(UTC))
        self.gateway.deliver("event", [(self._sequence, payload)])

    def answer(self, *, accepted: bool, code: str, message: str) -> str:
        """To the newest command; its action."""
        command = self.said(Command)[-1]
        self.send(
            CommandResult(
                command_id=command.command_id, accepted=accepted, code=code, message=message
            )
        )
        return command.action


@pytest.fixture
def home(town: Town) -> Iterator[Home]:
    made = Home(town)
    yield made
    made.gateway.close()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_an_alarm_is_asked_to_test_itself_and_to_be_silent(
    window: OpenWindow, home: Home, size: tuple[int, int]
) -> None:
    page = window("admin", size=size).go(f"/devices/{home.device}")
    for number, (button, action, accepted, shown) in enumerate(
        (
            ("Self test", "self_test", True, "asked over the bridge"),
            ("Mute", "mute", False, "the bridge says that this alarm cannot do it"),
        ),
        1,
    ):
        page.get_by_role("button", name=button).click()
        expect(page.get_by_text("waiting for the gateway's answer")).to_be_visible()

        def arrived(number: int = number) -> bool:
            return len(home.said(Command)) >= number

        servers.eventually(arrived, "the command arrived")
        assert (
            home.answer(
                accepted=accepted,
                code="ok" if accepted else "unsupported-by-device",
                message=shown,
            )
            == action
        )
        expect(page.get_by_role("status").filter(has_text=shown)).to_be_visible()
        expect(page.get_by_role("button", name=button)).to_be_enabled()


def test_what_an_alarm_cannot_do_is_not_offered(window: OpenWindow) -> None:
    page = window("admin").go(f"/devices/{KITCHEN}")
    expect(page.get_by_role("button", name="Read anew")).to_be_visible()
    expect(page.get_by_role("button", name="Self test")).to_have_count(0)


def test_settings_wait_for_the_gateway_and_its_refusal_stands_where_they_were_written(
    window: OpenWindow, home: Home
) -> None:
    settings = {home.device: {"name": "Wu home", "name_zh": "吳宅"}}
    home.send(ConfigurationReport(revision=0, in_force=False, settings=settings))
    page = window("admin").go(f"/devices/{home.device}")
    page.get_by_label("name", exact=True).fill("Wu family")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Waiting for the gateway to take it.")).to_be_visible()
    servers.eventually(lambda: len(home.said(Configuration)) > 0, "the configuration arrived")
    wanted = home.said(Configuration)[-1]
    assert wanted.settings == {home.device: {"name": "Wu family"}}

    mistake = SettingMistake(line=12, key="name", message="is taken by another device")
    home.send(
        ConfigurationReport(
            revision=wanted.revision,
            in_force=False,
            settings=settings,
            refused=RefusedConfiguration(revision=wanted.revision, mistakes=[mistake]),
        )
    )
    refused = page.get_by_role("alert")
    expect(refused).to_contain_text("The gateway refuses this")
    expect(refused).to_contain_text("gateway.toml:12: name: is taken by another device")
