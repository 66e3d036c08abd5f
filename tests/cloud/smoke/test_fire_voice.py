"""What is said aloud in the home: that it burns, that help comes, that it is over."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.engine import Connection

from cloud_city import GATEWAY, alarm
from fire_town import BEDROOM, CODE, KITCHEN, Home, ring
from vigil_cloud.devices.models import Downlink
from vigil_cloud.smoke.models import Fire
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
        if step == "all-clear":
            ring(home, active=False)
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
    ring(home, active=False)
    assert home.act("dispatcher", "lead/all-clear").status_code == 200
    home.later(1)
    assert [prompt for prompt, _ in said(home)][-1] == "all_clear"
    assert "help_coming" not in [prompt for prompt, _ in said(home)]


@pytest.mark.parametrize("how", ["safe", "lead/stand-down", "lead/all-clear"])
def test_nobody_hears_that_it_is_over_while_an_alarm_rings(home: Home, how: str) -> None:
    speaks(home)
    ring(home)
    if how == "lead/all-clear":
        home.later(60)
    who, body = ("resident", {"code": CODE}) if how == "safe" else ("dispatcher", None)
    assert home.act(who, how, body).status_code == 200
    home.later(1)
    ring(home, active=False)
    home.later(1)
    assert "all_clear" not in [prompt for prompt, _ in said(home)]


def test_nobody_hears_that_it_is_over_while_it_burns_behind_the_same_gateway(home: Home) -> None:
    speaks(home)
    home.city.send(alarm(home.city.time), "alarm-9")
    home.later(1)
    ring(home)
    home.later(60)
    ring(home, active=False)
    with home.city.services.sessions() as session:
        fire = session.scalars(select(Fire.id).where(Fire.device == KITCHEN)).one()
    home.say("dispatcher", "POST", f"/fires/{fire}/lead/all-clear")
    home.later(1)
    assert {one["fire"] == fire: one["phase"] for one in home.fires()} == {
        True: "over",
        False: "called",
    }
    assert "all_clear" not in [prompt for prompt, _ in said(home)]


def test_whoever_was_stood_down_comes_no_more_and_is_told_of_anew(home: Home) -> None:
    speaks(home)
    ring(home)
    assert home.act("dispatcher", "lead/acknowledge").status_code == 200
    home.later(1)
    assert "help_coming" not in [prompt for prompt, _ in said(home)], (
        "the home is asked: none comes"
    )
    home.later(60)
    for times in (1, 2):
        assert home.act("dispatcher", "lead/acknowledge").status_code == 200
        home.later(1)
        assert [prompt for prompt, _ in said(home)].count("help_coming") == times
        assert home.act("dispatcher", "lead/stand-down").status_code == 200
        home.later(1)
        assert home.act("dispatcher", "lead/call").status_code == 200
        home.later(1)


def test_a_command_to_speak_is_written_without_the_feeds_lock(home: Home) -> None:
    """Ingest locks the gateway before the feed, and a command is written under its gateway."""
    speaks(home)
    ring(home)
    engine = home.city.services.engine
    wrong: list[str] = []
    spoken: list[str] = []

    def begun(connection: Connection) -> None:
        connection.info["feed"] = False

    def executed(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        words = statement.upper()
        if words.startswith("UPDATE FEED_HEAD"):
            connection.info["feed"] = True
        if words.startswith("INSERT INTO DOWNLINKS"):
            (wrong if connection.info["feed"] else spoken).append(statement)

    event.listen(engine, "begin", begun)
    event.listen(engine, "before_cursor_execute", executed)
    home.look()
    event.remove(engine, "begin", begun)
    event.remove(engine, "before_cursor_execute", executed)
    assert (wrong, len(spoken)) == ([], 1)
