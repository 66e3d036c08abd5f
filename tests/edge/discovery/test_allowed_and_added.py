"""Where a page may send a gateway, and how a found device is laid into its file's tables."""

from __future__ import annotations

import os
from typing import Any

import pytest
from pydantic import ValidationError

from vigil_edge.configuration.added import Template, chosen, lay_in
from vigil_edge.configuration.allowed import DiscoverySettings, refusal
from vigil_schemas.control import AddedDevice

FOUND = "0123456789abcdef"
BRIDGE = {"driver": "zigbee2mqtt", "broker": "mqtt://127.0.0.1:1883", "base_topic": "zigbee2mqtt"}


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("192.168.1.20:502", None),
        ("10.0.0.3", None),
        ("127.0.0.1:1502", None),
        ("[fd00::1]:502", None),
        ("mqtt://172.16.0.9:1883", None),
        ("8.8.8.8:502", "outside of the private networks"),
        ("[2001:4860::8888]:502", "outside of the private networks"),
        ("[::ffff:8.8.8.8]:502", "outside of the private networks"),
        ("224.0.0.1:502", "no device's address"),
        ("0.0.0.0:502", "no device's address"),
        ("evil.example:502", "no numeric address"),
        ("mqtt://user:secret@192.168.1.2", "user or a password"),
        ("192.168.1.2:99999", "no address"),
        ("/dev/null", "no serial port"),
        ("/dev/zero", "no serial port"),
        ("/etc/passwd", "no serial port"),
        ("/dev/ttyUSB99", "no such serial port"),
        ("/dev/../etc/passwd", "no serial port"),
    ],
)
def test_where_a_page_may_send_a_gateway(address: str, said: str | None) -> None:
    why = refusal(address, DiscoverySettings())
    assert (why is None) == (said is None), why
    assert said is None or said in (why or "")


def test_a_terminal_is_a_serial_port_unless_the_file_says_no() -> None:
    master, slave = os.openpty()
    try:
        path = os.ttyname(slave)
        assert refusal(path, DiscoverySettings()) is None
        assert refusal(path, DiscoverySettings(serial_ports=False)) is not None
    finally:
        os.close(master)
        os.close(slave)


def test_networks_of_the_file_are_the_only_ones() -> None:
    settings = DiscoverySettings.model_validate({"networks": ["192.0.2.0/28", "fd00::/8"]})
    assert refusal("192.0.2.3:502", settings) is None
    assert refusal("[fd12::1]:502", settings) is None
    assert refusal("192.0.2.17:502", settings) is not None
    assert refusal("127.0.0.1:502", settings) is not None
    with pytest.raises(ValidationError):
        DiscoverySettings.model_validate({"networks": ["192.0.2.1/28"]})


def template(**keys: Any) -> Template:
    return Template.model_validate({"domain": "water", "table": {"unit": 3}, **keys})


def laid(tables: dict[str, Any], found: Template, **choices: str) -> list[str]:
    added = {"canal-1": AddedDevice(found=FOUND, choices=choices)}
    return [f"{one.key}: {one.message}" for one in lay_in(tables, added, {FOUND: found})]


def test_a_section_of_its_own() -> None:
    tables: dict[str, Any] = {}
    assert laid(tables, template()) == []
    assert tables == {"water": [{"unit": 3, "device": "canal-1"}]}


def test_what_was_not_found_or_not_chosen_is_a_mistake() -> None:
    tables: dict[str, Any] = {}
    added = {"canal-1": AddedDevice(found=FOUND)}
    (mistake,) = lay_in(tables, added, {})
    assert (mistake.key, "search" in mistake.message) == ("canal-1", True)
    kinds = template(choices={"kind": {"a": {"signal": [{"name": "pH"}]}}})
    assert laid(tables, kinds) == ["canal-1: kind: has to be chosen among what is offered"]
    assert laid(tables, kinds, kind="b") == [
        "canal-1: kind: has to be chosen among what is offered"
    ]
    assert laid(tables, kinds, kind="a", more="x") == [
        "canal-1: more: has to be chosen among what is offered"
    ]
    assert tables == {}
    assert laid(tables, kinds, kind="a") == []
    assert tables["water"][0]["signal"] == [{"name": "pH"}]


def of_bridge() -> Template:
    return Template.model_validate(
        {
            "domain": "smoke",
            "table": {"friendly_name": "hall"},
            "inside": "alarm",
            "section": {"device": "gw.bridge", **BRIDGE},
            "absent": {k: v for k, v in BRIDGE.items() if k != "driver"},
            "same": list(BRIDGE),
        }
    )


@pytest.mark.parametrize("written", [{}, {"broker": "mqtt://127.0.0.1:1883"}])
def test_an_alarm_joins_the_bridge_that_is_there(written: dict[str, str]) -> None:
    there = {"driver": "zigbee2mqtt", **written, "alarm": [{"friendly_name": "kitchen"}]}
    tables: dict[str, Any] = {"smoke": [{"driver": "matter", "alarm": []}, there]}
    assert laid(tables, of_bridge()) == []
    assert [len(each["alarm"]) for each in tables["smoke"]] == [0, 2]


def test_two_alarms_share_the_bridge_that_the_first_brought() -> None:
    tables: dict[str, Any] = {}
    assert laid(tables, of_bridge()) == []
    assert laid(tables, of_bridge()) == []
    (section,) = tables["smoke"]
    assert section["device"] == "gw.bridge"
    assert len(section["alarm"]) == 2


def test_what_is_looked_at_is_what_is_added() -> None:
    section = chosen(of_bridge(), {}, "look")
    assert section is not None
    assert section["alarm"] == [{"friendly_name": "hall", "device": "look"}]
