"""What LoRaWAN frames, ChirpStack's events and Matter's attributes say, through the command line.

Vectors are the manufacturers' public ones where they are marked so.
"""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import data
from vigil_edge.cli import main
from vigil_edge.smoke import chirpstack, lorawan, matter
from vigil_edge.smoke.errors import FrameMalformed, PayloadMalformed

KEYS = [
    *("smoke", "heat", "co", "gas", "battery_percent", "battery_low", "fault", "test", "tamper"),
    *("end_of_service", "muted"),
]


def decoded(capsys: pytest.CaptureFixture[str], codec: str, payload: Any) -> dict[str, Any]:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    assert main(["smoke", "decode", "--codec", codec, text]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    found: dict[str, Any] = json.loads(out)
    assert list(found)[:11] == KEYS
    return {key: value for key, value in found.items() if value is not None}


def refused(capsys: pytest.CaptureFixture[str], codec: str, payload: Any) -> str:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    assert main(["smoke", "decode", "--codec", codec, text]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def gs524n(message: int, battery: int = 100, density: int = 0, sensor: int = 1) -> bytes:
    frame = bytes([0x22, sensor << 4 | message, battery, density, 28])
    return frame + bytes([-sum(frame) % 256])


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        # The manufacturer's own sample: a test with a good battery.
        ("221E64001C40", {"smoke": False, "test": True, "battery_low": False,
                          "battery_percent": 100}),
        (gs524n(1, 80, 40).hex(), {"smoke": True, "test": False, "battery_percent": 80,
                                   "muted": False}),
        (gs524n(2, 80, 40).hex(), {"smoke": True, "test": False, "battery_percent": 80,
                                   "muted": True}),
        (gs524n(4, 9).hex(), {"smoke": False, "test": False, "battery_percent": 9,
                              "battery_low": True}),
        # A low battery in smoke: the message has no room to say so, and must not deny it.
        (gs524n(4, 9, 30).hex(), {"test": False, "battery_percent": 9, "battery_low": True}),
        (gs524n(5).hex(), {"smoke": False, "test": False, "battery_percent": 100, "fault": True}),
        (gs524n(7, 100, 3).hex(), {"smoke": False, "test": False, "battery_percent": 100,
                                   "battery_low": False, "fault": False, "tamper": False,
                                   "muted": False}),
        (gs524n(10).hex(), {"smoke": False, "test": False, "battery_percent": 100,
                            "tamper": True}),
        (gs524n(11).hex(), {"smoke": False, "test": False, "battery_percent": 100,
                            "tamper": False}),
        (gs524n(15, 5).hex(), {"smoke": False, "test": True, "battery_percent": 5,
                               "battery_low": True}),
        (gs524n(3).hex(), {"smoke": True, "test": False, "battery_percent": 100,
                           "unreadable": ["smoke"]}),
        (gs524n(1, 255).hex(), {"smoke": True, "test": False, "muted": False,
                                "unreadable": ["battery"]}),
        ("0x22 1e 64:00:1c 40", {"smoke": False, "test": True, "battery_low": False,
                                 "battery_percent": 100}),
    ],
)  # fmt: skip
def test_gs524n(capsys: pytest.CaptureFixture[str], frame: str, expected: dict[str, Any]) -> None:
    assert decoded(capsys, "gs524n", frame) == expected


@pytest.mark.parametrize(
    ("codec", "payload", "words"),
    [
        ("gs524n", "221E64001C41", "checksum wrong"),
        ("gs524n", "221E64001C", "6 bytes"),
        ("gs524n", gs524n(1, sensor=2).hex(), "no smoke alarm"),
        ("gs524n", "221E64001C4", "hexadecimal"),
        ("gs524n", "", "hexadecimal"),
        ("tg563a", "007E1A03000C", "5 bytes"),
        ("tg563a", "007E1A03", "5 bytes"),
        ("ra02a", "010A0198", "11 bytes"),
        ("ra02a", "01720198000001040000" + "00", "device type"),
        ("ra02a", "010A0798000001040000" + "00", "report type"),
        ("chirpstack", "{", "not JSON"),
        ("chirpstack", "[1]", "object"),
        ("chirpstack", {"hello": 1}, "deviceInfo"),
        ("matter", "{", "not JSON"),
        ("matter", "5", "object"),
        ("matter", {"1/6/0": True}, "0x005C"),
    ],
)
def test_what_is_no_message_of_the_device_is_one_line_and_exit_2(
    capsys: pytest.CaptureFixture[str], codec: str, payload: Any, words: str
) -> None:
    assert words in refused(capsys, codec, payload)


def test_tg563a_by_its_public_vectors(capsys: pytest.CaptureFixture[str]) -> None:
    for vector in json.loads(data.shared("smoke/tg563a_examples.json").read_text()):
        if vector["type"] != "uplink":
            continue
        frame = bytes(vector["input"]["bytes"])
        uplink = {
            "deviceInfo": {"deviceProfileName": "TG563A"},
            "fPort": vector["input"]["fPort"],
            "data": base64.b64encode(frame).decode(),
        }
        if "errors" in vector["output"]:
            refused(capsys, "chirpstack", uplink)
            continue
        by_frame = decoded(capsys, "tg563a", frame.hex())
        assert by_frame == {"smoke": False, "battery_low": False, "fault": False, "tamper": False}
        assert decoded(capsys, "chirpstack", uplink) == by_frame
        by_object = {"deviceInfo": {}, "object": vector["output"]["data"]}
        assert decoded(capsys, "chirpstack", by_object) == by_frame


@pytest.mark.parametrize(
    ("site", "state", "expected"),
    [
        (0x01, 0x01, {"smoke": True}),
        (0x00, 0x01, {"smoke": True, "tamper": True}),  # of the decoder's own documentation
        (0x01, 0x02, {"battery_low": True}),
        (0x01, 0x04, {"fault": True}),
        (0x01, 0x08, {"fault": True}),  # fouled: Matter's contamination
        (0x01, 0x10, {"fault": True}),
        (0x01, 0x20, {"fault": True}),
        (0x01, 0x40, {"fault": True}),
        (0x21, 0x00, {"fault": True}),
        (0xD7, 0x80, {}),
    ],
)
def test_tg563a_bit_by_bit(
    capsys: pytest.CaptureFixture[str], site: int, state: int, expected: dict[str, Any]
) -> None:
    none = {"smoke": False, "battery_low": False, "fault": False, "tamper": False}
    frame = bytes([0, 0x7E, 21, site, state])
    assert decoded(capsys, "tg563a", frame.hex()) == none | expected


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        # The first three are the manufacturer's own.
        ("010A019800000104000000", {"smoke": False, "heat": False, "battery_low": True}),
        ("010A011E010104B0000000", {"smoke": True, "heat": True, "battery_low": False}),
        ("010A0064152020081100" + "00", {}),
        ("810A000000000000000000", {}),
        ("820A038407080100000000", {}),
        ("010A011E00010258000000", {"smoke": False, "heat": True, "battery_low": False}),
        ("010A011E02000258000000", {"smoke": True, "heat": False, "battery_low": False}),
        ("0111011E01000000000000", {"co": True, "heat": False, "battery_low": False}),
    ],
)
def test_ra02a(capsys: pytest.CaptureFixture[str], frame: str, expected: dict[str, Any]) -> None:
    assert decoded(capsys, "ra02a", frame) == expected


def uplink(profile: str | None, frame: bytes | None = None, **keys: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "deduplicationId": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
        "time": "2026-07-18T09:34:15.775+00:00",
        "deviceInfo": {
            "deviceName": "kitchen",
            "devEui": "24e124535b316056",
            **({} if profile is None else {"deviceProfileName": profile}),
        },
        "devAddr": "00189440",
        "fCnt": 7,
        "fPort": 85,
        "rxInfo": [{"rssi": -90}],
    }
    if frame is not None:
        found["data"] = base64.b64encode(frame).decode()
    return found | keys


@pytest.mark.parametrize(
    "profile", ["GS524N", "Milesight GS-524N (AS923)", "gs524n_v2", "MS gs524n"]
)
def test_chirpstack_takes_the_codec_by_the_profile(
    capsys: pytest.CaptureFixture[str], profile: str
) -> None:
    event = uplink(profile, gs524n(1, 80, 40), object={"event": "normal"})
    assert decoded(capsys, "chirpstack", event)["smoke"] is True


@pytest.mark.parametrize(
    ("decoded_there", "expected"),
    [
        ({"event": "alarm", "battery": 90, "concentration": 40, "type": "smoke sensor"},
         {"smoke": True, "battery_percent": 90, "test": False, "muted": False}),
        ({"event": "alarm", "battery": "1e999", "concentration": "1e999"},
         {"smoke": True, "test": False, "muted": False, "unreadable": ["battery", "measure"]}),
        ({"event": "alarm", "concentration": float("nan"), "temperature": float("inf")},
         {"smoke": True, "test": False, "muted": False, "unreadable": ["measure"]}),
        ({"event": "testing alarm with low battery", "battery": 5, "concentration": 0},
         {"smoke": False, "battery_percent": 5, "test": True, "battery_low": True}),
        ({"message_type": "normal", "battery": 99, "concentration": 0},
         {"smoke": False, "battery_percent": 99, "test": False, "battery_low": False,
          "fault": False, "tamper": False, "muted": False}),
        ({"FireAlarm": "Alarm", "HighTempAlarm": "No Alarm", "Volt": 3},
         {"smoke": True, "heat": False}),
        ({"FireAlarm": "No Alarm", "HighTempAlarm": "Alarm"}, {"smoke": False, "heat": True}),
        ({"COAlarm": "Alarm"}, {"co": True}),
        ({"smoke": "???"}, {"smoke": True, "unreadable": ["smoke"]}),
        ({"smoke": None, "battery": 50}, {"battery_percent": 50}),
        ({"status": {"smokeAlarm": 1, "smokeChamberFailure": 1, "fouledSmokeChamber": 0,
                     "mounted": 0, "batteryLow": 1}, "smokeAlarmCounter": 1},
         {"smoke": True, "fault": True, "tamper": True, "battery_low": True}),
        ({"status": {"smokeAlarm": None, "smokeChamberFailure": 0}}, {}),
        ({}, {}),
    ],
)  # fmt: skip
def test_chirpstack_reads_what_it_decoded_itself(
    capsys: pytest.CaptureFixture[str], decoded_there: dict[str, Any], expected: dict[str, Any]
) -> None:
    for profile in ("Smoke alarms of lane 88", None):
        event = uplink(profile, b"\x01", object=decoded_there)
        assert decoded(capsys, "chirpstack", event) == expected


def test_chirpstack_of_a_broken_frame_takes_the_object(capsys: pytest.CaptureFixture[str]) -> None:
    broken = gs524n(1)[:-1] + b"\0"
    assert "checksum" in refused(capsys, "chirpstack", uplink("GS524N", broken))
    event = uplink("GS524N", broken, object={"event": "alarm"})
    assert decoded(capsys, "chirpstack", event)["smoke"] is True
    silent = uplink("GS524N", broken, object={"temperature": 28})
    assert "checksum" in refused(capsys, "chirpstack", silent), "what may be a fire is told"
    idle = uplink("GS524N", gs524n(7)[:-1] + b"\0", object={"temperature": 28})
    assert decoded(capsys, "chirpstack", idle) == {}
    assert "base64" in refused(capsys, "chirpstack", uplink("GS524N", data="!"))
    assert "no codec" in refused(capsys, "chirpstack", uplink("thermometer", b"\1\2"))


def test_a_frame_cut_or_lengthened_may_still_be_a_fire() -> None:
    for frame in (gs524n(1)[:5], gs524n(1) + b"\0"):
        with pytest.raises(FrameMalformed) as refusal:
            lorawan.gs524n(frame)
        assert refusal.value.may_be_fire
    with pytest.raises(FrameMalformed) as refusal:
        lorawan.gs524n(gs524n(7)[:5])
    assert not refusal.value.may_be_fire


def test_chirpstack_besides_uplinks(capsys: pytest.CaptureFixture[str]) -> None:
    info = {"deviceInfo": {"deviceProfileName": "GS524N", "devEui": "24e124535b316056"}}
    assert decoded(capsys, "chirpstack", info | {"devAddr": "00189440"}) == {}
    status = info | {"margin": 7, "externalPowerSource": False, "batteryLevel": 87.5}
    assert decoded(capsys, "chirpstack", status) == {"battery_percent": 87.5}
    unknown = info | {"batteryLevelUnavailable": True, "batteryLevel": 0.0}
    assert decoded(capsys, "chirpstack", unknown) == {}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"node_id": 7, "attributes": {"1/92/1": 2, "1/92/2": 0, "1/92/3": 1, "1/92/5": False,
                                       "0/47/12": 150, "1/92/0": 1}},
         {"smoke": True, "co": False, "battery_low": True, "test": False, "battery_percent": 75}),
        ({"smokeState": 2}, {"smoke": True}),
        ({"SmokeState": "Warning", "COState": None}, {"smoke": True}),
        ({"smokeState": "AlarmStateEnum.kNormal", "coState": "kCritical"},
         {"smoke": False, "co": True}),
        ({"1": 0, "2": 2, "4": 1, "6": True, "7": 1}, {"smoke": False, "co": True, "muted": True,
                                                       "fault": True, "end_of_service": True}),
        ({"0x0001": 1, "0x000A": 3}, {"smoke": True, "fault": True}),
        ({"1/92/10": 1, "1/92/6": False}, {"fault": False}),
        ({"1/92/0": 4}, {"test": True}),
        ({"1/92/0": 7, "1/92/8": 2, "1/92/1": 0}, {"smoke": True}),
        ({"1/92/0": 0, "1/92/1": None}, {}),
        ({"1/92/1": 9}, {"smoke": True, "unreadable": ["smoke"]}),
        ({"1/92/2": "hot"}, {"co": True, "unreadable": ["co"]}),
        ({"1/92/1": 0, "2/92/1": 2}, {"smoke": True}),  # two alarms behind one bridge
        ({"1": {"SmokeCoAlarm": {"smokeState": 1}}}, {"smoke": True}),
        ({"endpoints": {"1": {"clusters": {"92": {"attributes": {"1": {"value": 2}}}}}}},
         {"smoke": True}),
        ({"event": "attribute_updated", "data": [7, "1/92/1", 2]}, {"smoke": True}),
        ([{"node_id": 7, "attributes": {"1/92/5": True}}], {"test": True}),
        ({"batChargeLevel": 2, "0/47/12": 255}, {"battery_low": True}),
        ({"0/47/14": 1}, {"battery_low": False}),
        ({"0/47/15": True}, {"battery_low": True}),
        ({"node_id": 7, "attributes": {}}, {}),
        ({"node_id": 7, "attributes": {"1/6/0": True, "1/1026/0": 2500}}, {}),
    ],
)  # fmt: skip
def test_matter(
    capsys: pytest.CaptureFixture[str], payload: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert decoded(capsys, "matter", payload) == expected


@given(st.binary(max_size=40), st.one_of(st.none(), st.integers(0, 255)))
def test_any_frame_is_read_or_refused(frame: bytes, port: int | None) -> None:
    for codec in lorawan.DECODERS.values():
        with contextlib.suppress(PayloadMalformed):
            json.dumps(codec(frame, port).as_json())


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(
    st.dictionaries(
        st.sampled_from(["1/92/0", "1/92/1", "smokeState", "data", "object", "deviceInfo", "fCnt",
                         "fPort", "time", "batteryLevel", "attributes", "0/47/12"]),
        _values,
    )
)  # fmt: skip
def test_any_json_is_read_or_refused(payload: dict[str, Any]) -> None:
    for codec in (chirpstack.read, matter.read):
        with contextlib.suppress(PayloadMalformed):
            json.dumps(codec(json.dumps(payload)).as_json())


@given(st.integers(1, 15), st.integers(0, 255), st.integers(0, 255))
def test_one_bit_that_tipped_over_is_noticed(message: int, battery: int, bit: int) -> None:
    frame = bytearray(gs524n(message, battery))
    frame[bit % 6] ^= 1 << (bit % 8)
    with pytest.raises(PayloadMalformed):
        lorawan.gs524n(bytes(frame))


@pytest.mark.parametrize(
    "payload",
    [
        {"endpoint": 1, "cluster": 92, "attribute": 1, "value": 2},
        {"node_id": 1, "endpoint_id": 1, "cluster_id": 92, "attribute_id": 1, "value": 2},
        [{"attribute_path": "1/92/1", "value": 2}],
        {"attributes": [{"path": "1/92/1", "value": 2}]},
        {"attributePath": {"endpointId": 1, "clusterId": 92, "attributeId": 1}, "value": 2},
        {"SmokeCoAlarm.Attributes.SmokeState": 2},
        {"1/0x005C/0x0001": 2},
        {"attribute": {"1/92/1": "kCritical"}},
    ],
)
def test_matter_by_whatever_path_a_controller_gives(
    capsys: pytest.CaptureFixture[str], payload: Any
) -> None:
    assert decoded(capsys, "matter", payload) == {"smoke": True}


def test_a_key_that_only_says_attribute_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert "0x005C" in refused(capsys, "matter", {"attribute": 1})


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        # The Things Network's device repository: what Netvox's own decoder says of an RA02A.
        ({"Device": "RA02A", "Volt": 3, "FireAlarm": "Alarm", "HighTempAlarm": "Alarm"},
         {"smoke": True, "heat": True}),
        ({"Device": "RA02A", "Volt": 3, "FireAlarm": "NoAlarm", "HighTempAlarm": "NoAlarm"},
         {"smoke": False, "heat": False}),
        # The maker's decoder of a TG563A, as its README prints it.
        ({"messageType": "Smoke Alarm Event", "temperature": 21,
          "status": {"mounted": 1, "smokeAlarm": 1, "batteryLow": 0, "smokeChamberFailure": 0}},
         {"smoke": True, "fault": False, "battery_low": False, "tamper": False}),
        # Decoders that put a unit or a number beside each value.
        ({"smokeAlarmStatus": {"value": "ALARM", "raw": 1},
          "batteryPercentage": {"value": 85, "unit": "%"}, "batteryLowStatus": "NORMAL"},
         {"smoke": True, "battery_percent": 85, "battery_low": False}),
    ],
)  # fmt: skip
def test_what_public_decoders_say_of_an_uplink(
    capsys: pytest.CaptureFixture[str], said: dict[str, Any], expected: dict[str, Any]
) -> None:
    info = {"deviceProfileName": "Some alarm", "devEui": "24e124535b316056"}
    assert decoded(capsys, "chirpstack", {"deviceInfo": info, "object": said}) == expected
