"""What others reported of their smoke alarms, bridges and controllers, as payloads of ours."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from vigil_edge.cli import main
from vigil_edge.smoke.bridge import address, listed, not_reached

UPLINK = {
    "deduplicationId": "28183715-6ea8-460d-a21d-9b0e282d880d",
    "time": "2026-08-09T02:54:33.396786+00:00",
    "devAddr": "003350d5",
    "fCnt": 62,
    "fPort": 2,
}
HEIMAN = {"deviceProfileName": "any", "devEui": "a84041ffff14b2f0"}


def decoded(capsys: pytest.CaptureFixture[str], codec: str, payload: Any) -> dict[str, Any]:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    assert main(["smoke", "decode", "--codec", codec, text]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


ZIGBEE: list[tuple[str, Any, dict[str, Any]]] = [
    (
        "Koenkk/zigbee2mqtt#29880: silenced by hand while it rings",
        {
            "battery": 99,
            "buzzer_manual_alarm": False,
            "buzzer_manual_mute": True,
            "heartbeat_indicator": False,
            "linkage_alarm": True,
            "linkage_alarm_state": True,
            "power_outage_count": 42,
            "smoke": True,
            "smoke_density_dbm": 0,
            "test": False,
            "update": {"installed_version": 21, "state": "idle"},
            "voltage": 2993,
        },
        {"smoke": True, "muted": True, "test": False, "battery_percent": 99},
    ),
    (
        "Koenkk/zigbee2mqtt#24945: neither smoke nor ppm goes back",
        {"smoke": True, "smoke_concentration": 12.5, "battery_state": "high"},
        {"smoke": True, "battery_low": False},
    ),
    (
        "dresden-elektronik/deconz-rest-plugin#5824: alarm 1 and supervision in the zone's bits",
        {"zone_status": 33, "battery": 100},
        {"smoke": True},
    ),
    (
        "the same, supervision and restore reports alone",
        {"zone_status": 48},
        {"smoke": False, "test": None},
    ),
    (
        "dresden-elektronik/deconz-rest-plugin#6515: a fire in a state, a battery that is null",
        {"r": "sensors", "state": {"fire": True, "lastupdated": "x", "lowbattery": None}},
        {"smoke": True, "battery_low": None},
    ),
    (
        "AlexxIT/XiaomiGateway3#1189: a density and no state until it first rings",
        {"smoke_density": 0, "smoke": None, "battery": 73},
        {"smoke": None, "battery_percent": 73},
    ),
    (
        "AlexxIT/XiaomiGateway3#971: unavailable under a number's key",
        {"smoke": False, "smoke_density": "unavailable"},
        {"smoke": False, "unreadable": ["smoke_density"]},
    ),
    (
        "Koenkk/zigbee2mqtt#391: a percentage as text",
        {"battery": "100.00", "voltage": 3055, "linkquality": 60, "smoke": False},
        {"smoke": False, "battery_percent": 100},
    ),
    (
        "Koenkk/zigbee2mqtt#21351: every bit of an IAS zone by name",
        {
            "ac_status": False,
            "battery": 100,
            "battery_defect": False,
            "battery_low": False,
            "restore_reports": True,
            "smoke": False,
            "supervision_reports": True,
            "tamper": False,
            "test": False,
            "trouble": False,
        },
        {"smoke": False, "fault": False, "tamper": False, "test": False, "battery_low": False},
    ),
    (
        "Koenkk/zigbee2mqtt#20525: a linkage that nobody has told of yet",
        {"smoke": False, "linkage_alarm_state": None},
        {"smoke": False},
    ),
    (
        "home-assistant/core#20427: idle is no smoke",
        {"smokeDetectorAlarmType": "IDLE_OFF", "lowBat": True},
        {"smoke": None, "battery_low": True},
    ),
    (
        "the same, a primary alarm under a key that was not foreseen",
        {"smokeDetectorAlarmType": "PRIMARY_ALARM"},
        {"smoke": True, "unreadable": ["smoke"]},
    ),
    (
        "SukramJ/aiohomematic#1282: the others that a first one woke",
        {"SMOKE_DETECTOR_ALARM_STATUS": "SECONDARY_ALARM"},
        {"smoke": True},
    ),
    (
        "Koenkk/zigbee2mqtt#19667: detecting is no alarm and no end of one",
        {"smoke_state": "detecting", "self_test_result": "checking", "battery": 80},
        {"smoke": None, "fault": None},
    ),
    (
        "Koenkk/zigbee-herdsman-converters#10552: a truth in capitals, a temperature beside it",
        {"smoke": "ON", "temperature": 22.1, "humidity": 47},
        {"smoke": True, "heat": None},
    ),
    (
        "Koenkk/zigbee2mqtt#32242: carbon monoxide and smoke in one device",
        {"smoke": False, "carbon_monoxide": True, "co_value": 120},
        {"smoke": False, "co": True},
    ),
    (
        "Jarnsen/ha-xsense-component_test#63: all of it as text",
        {"alarmStatus": "1", "isLifeEnd": "0", "muteStatus": "0", "batInfo": "3"},
        {"smoke": True, "end_of_service": False},
    ),
    (
        "merbanan/rtl_433#2047: a leak detector that is taken for a smoke alarm by its model",
        {"model": "Smoke-GS558", "id": 31722, "unit": 24, "learn": 0, "code": "5f7d58"},
        {"smoke": None},
    ),
    (
        "wmbusmeters/wmbusmeters#256: a counter of alarms is no alarm",
        {"media": "smoke detector", "smoke_alarm_counter": "7", "status": "OK"},
        {"smoke": None},
    ),
    (
        "Koenkk/zigbee2mqtt#6536: a siren's own settings",
        {"action": "", "battery": 52.5, "tamper": False, "voltage": 3800, "volume": 1},
        {"smoke": None, "battery_percent": 52.5, "tamper": False},
    ),
    (
        "Koenkk/zigbee-herdsman-converters#5218: a level of smoke in ppm is a measure",
        {"smoke": False, "smoke_level": 3, "battery": 100},
        {"smoke": False},
    ),
    (
        "custom-components/ble_monitor#445: pressed, and nothing of smoke",
        {"button": "single press", "smoke detector": None, "battery": 100},
        {"smoke": None},
    ),
]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [(payload, expected) for _, payload, expected in ZIGBEE],
    ids=[where for where, _, _ in ZIGBEE],
)
def test_payloads_of_bridges(
    capsys: pytest.CaptureFixture[str], payload: Any, expected: dict[str, Any]
) -> None:
    found = decoded(capsys, "zigbee2mqtt", payload)
    assert {key: found.get(key) for key in expected} == expected
    assert "unreadable" in expected or "smoke" not in found.get("unreadable", [])


def node(**attributes: Any) -> dict[str, Any]:
    return {"node_id": 7, "available": True, "attributes": attributes}


MATTER: list[tuple[str, Any, dict[str, Any]]] = [
    (
        "home-assistant/core#159117: both features, carbon monoxide alone rings",
        node(**{"1/92/65532": 3, "1/92/0": 2, "1/92/1": 0, "1/92/2": 2}),
        {"smoke": False, "co": True},
    ),
    (
        "home-assistant/core#162627: a sensor of carbon monoxide alone",
        node(**{"1/92/65532": 2, "1/92/2": 0, "1/92/0": 0}),
        {"smoke": None, "co": False},
    ),
    (
        "domoticz/domoticz#6935: by name, some as truths",
        {
            "ExpressedState": 0,
            "SmokeState": 0,
            "BatteryAlert": 0,
            "DeviceMuted": 0,
            "TestInProgress": False,
            "HardwareFaultAlert": False,
            "EndOfServiceAlert": 0,
        },
        {"smoke": False, "battery_low": False, "muted": False, "test": False, "fault": False},
    ),
    (
        "Luligu/matterbridge#375: a test that never ends hides no smoke",
        node(**{"1/92/5": True, "1/92/0": 4, "1/92/1": 2}),
        {"smoke": True, "test": True},
    ),
    (
        "home-assistant/addons#4781: a node that is known and out of reach",
        {"node_id": 1, "available": False, "attributes": {}},
        {"smoke": None, "fault": None},
    ),
    (
        "home-assistant/core#126622: rung by another alarm that it is interconnected with",
        node(**{"1/92/1": 0, "1/92/8": 2, "1/92/9": 0}),
        {"smoke": True, "co": False},
    ),
    (
        "ioBroker/ioBroker.matter#325: a charge in half percent, attributes that nobody knows",
        node(**{"0/47/12": 190, "1/92/65530": [1], "1/92/65533": 1, "1/92/1": 0}),
        {"smoke": False, "battery_percent": 95},
    ),
    (
        "home-assistant-libs/python-matter-server: a value that its controller could not decode",
        node(**{"1/92/1": {"TLVValue": 3, "Reason": "expected type AlarmStateEnum"}}),
        {"smoke": True, "unreadable": ["smoke"]},
    ),
    (
        "the same of carbon monoxide, beside smoke that is well",
        node(**{"1/92/1": 0, "1/92/2": {"TLVValue": None, "Reason": "x"}}),
        {"smoke": False, "co": True, "unreadable": ["co"]},
    ),
    (
        "an endpoint whose clusters are none of ours says nothing",
        {"node_id": 7, "attributes": {"1": {"6": {"0": True}}, "1/92/1": 0}},
        {"smoke": False},
    ),
]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [(payload, expected) for _, payload, expected in MATTER],
    ids=[where for where, _, _ in MATTER],
)
def test_nodes_of_matter(
    capsys: pytest.CaptureFixture[str], payload: Any, expected: dict[str, Any]
) -> None:
    found = decoded(capsys, "matter", payload)
    assert {key: found.get(key) for key in expected} == expected
    assert "unreadable" in expected or "unreadable" not in found


GS524N = base64.b64encode(bytes.fromhex("221164001c4d")).decode()
LORAWAN: list[tuple[str, Any, dict[str, Any]]] = [
    (
        "chirpstack/chirpstack#479: its decoder failed, and the frame is there",
        {**UPLINK, "deviceInfo": {**HEIMAN, "deviceProfileName": "GS524N"}, "data": GS524N},
        {"smoke": True},
    ),
    (
        "the event that tells of that failure",
        {
            "time": UPLINK["time"],
            "deviceInfo": HEIMAN,
            "level": "ERROR",
            "code": "UPLINK_CODEC",
            "description": "Exception generated by QuickJS",
        },
        {"smoke": None},
    ),
    (
        "helium/console#920: a decoder that tells its own failure as data",
        {**UPLINK, "deviceInfo": HEIMAN, "object": {"error": "no_context", "status": "error"}},
        {"smoke": None, "fault": True},
    ),
    (
        "brocaar/chirpstack-application-server: version 3 has the object as a text",
        {"devEUI": "qEBB//8UsvA=", "data": "AQI=", "objectJSON": json.dumps({"smoke": True})},
        {"smoke": True},
    ),
    (
        "an integration that has put it into a text once more",
        {**UPLINK, "deviceInfo": HEIMAN, "object": json.dumps({"fire": 1, "battery": 90})},
        {"smoke": True, "battery_percent": 90},
    ),
    (
        "the same, cut off",
        {**UPLINK, "deviceInfo": HEIMAN, "object": '{"battery": 90, "smoke": true, "te'},
        {"smoke": True},
    ),
    (
        "Netvox's own decoder: an alarm in a word of two",
        {
            **UPLINK,
            "deviceInfo": HEIMAN,
            "object": {"Device": "RA02A", "FireAlarm": "NoAlarm", "HighTempAlarm": "Alarm"},
        },
        {"smoke": False, "heat": True},
    ),
    (
        "chirpstack/chirpstack#264: an uplink of a join, without a frame",
        {**UPLINK, "deviceInfo": HEIMAN, "data": "", "object": None},
        {"smoke": None, "fault": None},
    ),
]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [(payload, expected) for _, payload, expected in LORAWAN],
    ids=[where for where, _, _ in LORAWAN],
)
def test_uplinks_of_chirpstack(
    capsys: pytest.CaptureFixture[str], payload: Any, expected: dict[str, Any]
) -> None:
    found = decoded(capsys, "chirpstack", payload)
    assert {key: found.get(key) for key in expected} == expected


WHOLE = json.dumps({**UPLINK, "deviceInfo": HEIMAN, "object": {"battery": 90, "smoke": True}})
NODE = json.dumps(node(**{"0/47/12": 190, "1/92/1": 2, "1/92/2": 0}))


@pytest.mark.parametrize(("codec", "whole"), [("chirpstack", WHOLE), ("matter", NODE)])
def test_a_message_that_was_cut_off_hides_no_fire_and_makes_none_up(
    capsys: pytest.CaptureFixture[str], codec: str, whole: str
) -> None:
    said = whole.index(": true" if codec == "chirpstack" else ": 2") + len(": 2")
    for length in range(len(whole)):
        code = main(["smoke", "decode", "--codec", codec, whole[:length]])
        told = capsys.readouterr()
        if length >= said:
            assert json.loads(told.out)["smoke"] is True, whole[:length]
        else:
            assert code == 2, whole[:length]
            assert told.err.count("\n") == 1
    well = whole.replace("true", "false") if codec == "chirpstack" else whole.replace(": 2", ": 0")
    assert main(["smoke", "decode", "--codec", codec, well[:-1]]) == 2


def test_whom_a_bridge_could_not_reach() -> None:
    """Koenkk/zigbee2mqtt#30150, #21810: the reason holds braces, quotes and other names."""
    message = (
        "z2m: Publish 'set' 'warning' to 'sirene' failed: 'Error: ZCL command 0x5c0272/1"
        ' ssIasWd.startWarning({"startwarninginfo":52}) failed ({"target":18952}) timed out\''
    )
    said = json.dumps({"level": "error", "message": message}).encode()
    assert not_reached(said, ["sirene", "sirene 2", "sir", "warning2"]) == ["sirene"]
    slashed = json.dumps(
        {"level": "error", "message": "Publish 'set' 'alarm' to 'room/O'Brien' failed: 'x'"}
    ).encode()
    assert not_reached(slashed, ["room/O'Brien", "room"]) == ["room/O'Brien"]


def test_names_with_slashes_and_names_within_names() -> None:
    """Koenkk/zigbee2mqtt#2098, #562: ``room/device``."""
    names = sorted(["room", "room/alarm", "room/alarm/center"], key=len, reverse=True)
    assert address("room/alarm", names) == ("room/alarm", None)
    assert address("room/alarm/availability", names) == ("room/alarm", "availability")
    assert address("room/alarm/center", names) == ("room/alarm/center", None)
    assert address("room/availability", names) == ("room", "availability")
    assert address("room/alarm/set", names) is None


def test_devices_without_a_definition_and_with_odd_ones() -> None:
    """Koenkk/zigbee2mqtt#18166: an interview that failed has no ``definition``; one that was
    disabled has ``null`` exposes."""
    found = listed(
        json.dumps(
            [
                {"friendly_name": "Coordinator", "definition": None},
                {"friendly_name": "a", "definition": {"exposes": None}, "disabled": True},
                {"friendly_name": "b", "definition": {"exposes": [None, {"name": "smoke"}]}},
                {"ieee_address": "0x1"},
                None,
            ]
        ).encode()
    )
    assert found is not None
    assert {name: one.is_alarm for name, one in found.items()} == {
        "Coordinator": False,
        "a": False,
        "b": True,
    }
