"""What is said aloud in the home: that it burns, that help comes, that it is over."""

from __future__ import annotations

from sqlalchemy import select

from cloud_city import GATEWAY
from fire_town import BEDROOM, KITCHEN, Home, ring
from vigil_cloud.devices.models import Downlink
from vigil_schemas.gateway import DeviceDescription, GatewayBirth


def speaks(home: Home) -> None:
    """The alarm in the kitchen hangs on a bridge with a loudspeaker."""
    devices = [
        DeviceDescription(
            device=device,
            domain="smoke",
            driver="test",
            commands=["play_voice"] if device == KITCHEN else [],
        )
        for device in (KITCHEN, BEDROOM)
    ]
    birth = GatewayBirth(
        session=2,
        started=home.city.time,
        software="test",
        epoch="00000001",
        public_key="0" * 64,
        devices=devices,
        accepts=["city.vigil.command.v2"],
    )
    home.city.send(birth, GATEWAY, GATEWAY)


def said(home: Home) -> list[tuple[str, str]]:
    """Prompts that the cloud asked for, in order, and where."""
    with home.city.services.sessions() as session:
        rows = session.scalars(
            select(Downlink).where(Downlink.channel == "command").order_by(Downlink.created)
        )
        return [
            (row.payload["arguments"]["prompt"], row.payload["device"])
            for row in rows
            if row.payload["action"] == "play_voice"
        ]


def test_the_home_hears_that_help_comes_and_that_it_is_over(home: Home) -> None:
    speaks(home)
    ring(home)
    home.look()
    assert said(home) == [("fire_alarm", KITCHEN)]
    home.later(60)
    for step, prompt in (
        ("acknowledge", "help_coming"),
        ("arrived", "help_coming"),
        ("all-clear", "all_clear"),
    ):
        before = said(home)
        assert home.act("dispatcher", f"lead/{step}").status_code == 200
        home.later(1)
        home.later(1)
        assert said(home) == [*before, (prompt, KITCHEN)], "once"


def test_an_all_clear_at_once_says_no_more_that_help_comes(home: Home) -> None:
    speaks(home)
    ring(home)
    home.later(60)
    assert home.act("dispatcher", "lead/acknowledge").status_code == 200
    assert home.act("dispatcher", "lead/all-clear").status_code == 200
    home.later(1)
    assert [prompt for prompt, _ in said(home)][-1] == "all_clear"
    assert "help_coming" not in [prompt for prompt, _ in said(home)]
