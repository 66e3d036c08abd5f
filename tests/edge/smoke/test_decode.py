"""Payloads of smoke alarms: the command, and the decoder under it."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import data
from vigil_edge.cli import main
from vigil_edge.smoke import zigbee2mqtt
from vigil_edge.smoke.errors import PayloadMalformed

NOTHING = dict.fromkeys(
    [
        *("smoke", "heat", "co", "gas", "battery_percent", "battery_low"),
        *("fault", "test", "tamper", "end_of_service", "muted"),
    ]
)
json_values = st.recursive(
    st.one_of(
        *(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8))
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
KEYS = [
    *("test", "tamper", "trouble", "fault", "battery", "battery_low", "battery_state", "lifecycle"),
    *(
        "linkquality",
        "last_seen",
        "smoke_density",
        "self_test_result",
        "silence",
        "update",
        "alarm",
    ),
    *("heat", "co", "carbon_monoxide", "gas", "smoke_state", "device", "action"),
]


def decoded(capsys: pytest.CaptureFixture[str], payload: str) -> dict[str, Any]:
    assert main(["smoke", "decode", "--codec", "zigbee2mqtt", payload]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.count("\n") == 1
    found: dict[str, Any] = json.loads(out)
    return found


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (
            {"smoke": True, "battery": 97, "battery_low": False, "tamper": False, "linkquality": 8},
            {"smoke": True, "battery_percent": 97, "battery_low": False, "tamper": False},
        ),
        (
            {"smoke": False, "trouble": True, "test": True},
            {"smoke": False, "fault": True, "test": True},
        ),
        ({"trouble": False, "device_fault": False}, {"fault": False}),
        ({"battery": 12.5, "smoke": None}, {"battery_percent": 12.5}),
        # Some devices state their fault in words.
        ({"fault": "no_fault_detected", "smoke": False}, {"smoke": False, "fault": False}),
        ({"battery_low": True, "smoke": False}, {"smoke": False, "battery_low": True}),
        ({"update": {"state": "idle"}, "voltage": 3000}, {}),
        ({"smoke": True, "battery": 255}, {"smoke": True}),
        ({"smoke": True, "battery": 300}, {"smoke": True, "unreadable": ["battery"]}),
        ({"battery": "full"}, {"battery_low": False, "unreadable": ["battery"]}),
        ({"smoke": False, "battery": "95%"}, {"smoke": False, "battery_percent": 95}),
        ({"carbon_monoxide": False, "co": 12}, {"co": False}),
        ({"carbon_monoxide": False, "co": 900}, {"co": True}),
        ({"co": 12}, {"co": True}),
        ({"gas": 0.2, "gas_sensor_state": "normal"}, {"gas": False}),
        ({"gas_sensor_state": "alarm"}, {"gas": True}),
        ({"co2": 800, "smoke": False}, {"smoke": False}),
        ({"smoke_state": "test"}, {"test": True}),
        ({"smoke_state": "silent"}, {"smoke": True, "muted": True}),
        ({"smoke": False, "silence": True}, {"smoke": False, "muted": True}),
        ({"smoke_state": "detecting", "lifecycle": 365}, {}),
        ({"smoke": False, "checking_result": "check_success"}, {"smoke": False, "fault": False}),
        ({"smoke": False, "checking_result": "checking"}, {"smoke": False}),
        ({"smoke": False, "self_checking_result": "failure"}, {"smoke": False, "fault": True}),
        ({"linkage_alarm": True, "smoke_sensitivity": "high", "alarm_volume": "high"}, {}),
        ({"heat": {"state": "alarm"}}, {"heat": True}),
        ({"alarm_smoke": "ON"}, {"smoke": True}),
        ({"alarm_status": "over_smoke"}, {"smoke": True}),
        ({"alarm_status": "smoke_over"}, {"smoke": False}),
        ({"smoke": False, "chamber_contamination": "critical_contamination"},
         {"smoke": False, "fault": True}),
        ({"smoke": False, "chamber_contamination": "light_contamination"}, {"smoke": False}),
        ({"smoke": False, "smoke_chamber_failure": 1}, {"smoke": False, "fault": True}),
        ({"smoke": False, "smoke_alarm_counter": 1, "fire_alarm_count": 255}, {"smoke": False}),
        ({"smoke": False, "unmounted": True}, {"smoke": False, "tamper": True}),
        ({"smoke": True, "alarm_silenced": True}, {"smoke": True, "muted": True}),
        ({"alarm": {"smoke": False, "heat": False}}, {"smoke": False, "heat": False}),
    ],
)  # fmt: skip
def test_what_a_payload_says_is_printed_and_null_what_it_does_not(
    capsys: pytest.CaptureFixture[str], payload: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = decoded(capsys, json.dumps(payload))
    assert found == NOTHING | expected
    assert list(found)[:11] == list(NOTHING)


def test_what_others_were_told_by_their_alarms(capsys: pytest.CaptureFixture[str]) -> None:
    for line in data.case("smoke/zigbee2mqtt.jsonl").read_text().splitlines():
        case = json.loads(line)
        found = decoded(capsys, json.dumps(case["payload"]))
        expected = {key: value for key, value in case.items() if key not in ("payload", "why")}
        assert {key: found[key] for key in expected} == expected, case["why"]


@pytest.mark.parametrize(
    "payload",
    [
        *('{"smoke": "alarm"}', '{"smoke": "yes"}', '{"smoke": "detected"}', '{"smoke": 1.0}'),
        *('{"smoke": 255}', '{"smoke": -1}', '{"smoke": "ON"}', '{"Smoke": true}'),
        *('{"smoke_state": "alarm"}', '{"smoke_alarm_1": true}', '{"alarm": 1}'),
        *('{"alarm_1": true}', '{"smoke": "1"}', '{"ALARM_STATE": "Alarm"}'),
        *('{"alarm_2": "alarm"}', '{"smoke_l1": true}', '{"smokeAlarm": true}', '{"fire": "yes"}'),
        *('{"smoke": false, "smoke_alarm_2": true}', '{"smoke": true, "smoke": false}'),
        *('{"endpoint_1": {"smoke": true}}', '[{"smoke": true}]', '{"smoke": {"state": "alarm"}}'),
        *('{"smoke": true, "voltage": NaN}', '{"smoke": 1e999}', '{"smoke": [false, true]}'),
        *("\ufeff{\"smoke\": true}", "{'smoke': True}", '{"smoke": true, "batt', '{"smoke": tru'),
        *('{"smoke": true}\x00', '"{\\"smoke\\": true}"', '{"action": "smoke_alarm"}'),
        *('{"smoke": "Smoke detected!"}', '{"smoke": "FIRE"}', '{"smoke": "警報"}'),
    ],
)  # fmt: skip
def test_a_fire_in_every_spelling(capsys: pytest.CaptureFixture[str], payload: str) -> None:
    found = decoded(capsys, payload)
    assert found["smoke"] is True
    assert "unreadable" not in found


@pytest.mark.parametrize(
    "payload",
    [
        *('{"smoke": "maybe"}', '{"smoke": []}', '{"smoke": {"a": 1}}', '{"smoke": ""}'),
        *('{"smoke": NaN}', '{"smoke": "ala', '"alarm"', "alarm", '{"smoke_zone_a": true}'),
        *('{"smoke": false, "smoke_state": "???"}', '{"smoke": "not_available"}'),
    ],
)  # fmt: skip
def test_what_cannot_be_read_counts_as_a_fire_and_is_named(
    capsys: pytest.CaptureFixture[str], payload: str
) -> None:
    found = decoded(capsys, payload)
    assert found["smoke"] is True
    assert found["unreadable"] == ["smoke"]


@pytest.mark.parametrize(
    "word",
    [
        *("normal", "clear", "OFF", "no", "0", "0.0", "No Smoke", "not detected", "idle"),
        *("alarm_cleared", "alarm off", "no_alarm", "inactive", "ok", "正常"),
    ],
)  # fmt: skip
def test_words_for_no_fire(word: str) -> None:
    assert zigbee2mqtt.read(json.dumps({"smoke": word})).smoke is False


@pytest.mark.parametrize("word", ["unknown", "unavailable", "None", "null", "detecting"])
def test_words_that_say_nothing(word: str) -> None:
    report = zigbee2mqtt.read(json.dumps({"smoke": word}))
    assert report.smoke is None
    assert not report.has_fire_key
    assert report.doubtful == ()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "latin-1"])
def test_encodings(encoding: str) -> None:
    payload = '{"smoke":true,"name":"Küche"}'.encode(encoding)
    assert zigbee2mqtt.read(payload).smoke is True


@pytest.mark.parametrize(
    "payload",
    [
        *("{", "", "null", "[1]", '"kitchen"', '{"battery": NaN', "[" * 100_000),
        *('{"battery": 9', '{"smoke":', '{"smo'),
    ],
)  # fmt: skip
def test_where_there_is_nothing_to_read_it_is_one_line_and_exit_2(
    capsys: pytest.CaptureFixture[str], payload: str
) -> None:
    assert main(["smoke", "decode", "--codec", "zigbee2mqtt", payload]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("vigil-edge: smoke-payload-malformed: ")
    assert err.count("\n") == 1


def test_an_unknown_codec_is_one_line_and_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["smoke", "decode", "--codec", "zha", "{}"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "vigil-edge: codec-unknown: --codec 'zha': there is zigbee2mqtt, chirpstack, gs524n,"
        " tg563a, ra02a, matter\n"
    )


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_arbitrary_bytes_raise_nothing_but_the_declared_errors(payload: bytes | str) -> None:
    with contextlib.suppress(PayloadMalformed):
        json.dumps(zigbee2mqtt.read(payload).as_json())
    if isinstance(payload, bytes):
        zigbee2mqtt.read_attribute("smoke", payload)
        assert zigbee2mqtt.online(payload) in (True, False, None)


@pytest.mark.parametrize("depth", [5, 100, 400, 900, 5000])
@pytest.mark.parametrize("inside", ["true", '{"a": 1}'])
def test_however_deep_a_value_is_it_is_a_fire_or_unreadable(depth: int, inside: str) -> None:
    deep = "[" * depth + inside + "]" * depth
    report = zigbee2mqtt.read(f'{{"smoke": {deep}, "x": {deep}}}')
    assert report.smoke or report.doubtful


@given(
    st.dictionaries(st.sampled_from(KEYS), json_values),
    st.sampled_from(["smoke", "smoke_alarm_1", "Smoke", "smoke_l2", "fire"]),
    st.sampled_from([True, "alarm", "yes", 1, 255, "ON"]),
)
def test_whatever_else_is_broken_smoke_is_still_read(
    fields: dict[str, Any], key: str, value: Any
) -> None:
    report = zigbee2mqtt.read(json.dumps(fields | {key: value}))
    assert report.smoke is True
    assert report.battery_percent is None or 0 <= report.battery_percent <= 100
    assert report.link_quality is None or 0 <= report.link_quality <= 255


@given(st.integers(16, 200))
def test_a_message_that_is_cut_off_hides_no_fire_that_it_said(length: int) -> None:
    whole = json.dumps({"smoke": True, "battery": 97, "update": {"state": "idle"}, "x": "y" * 150})
    assert zigbee2mqtt.read(whole[:length]).smoke is True


@pytest.mark.parametrize(
    ("payload", "online"),
    [
        (b'{"state":"online"}', True),
        (b"\xef\xbb\xbfonline", True),
        (b"online", True),
        (b'{"state":"offline"}', False),
        (b"offline", False),
        (b"", None),
        (b'{"state":1}', None),
        (b"\xff", None),
    ],
)
def test_availability_in_both_spellings(payload: bytes, online: bool | None) -> None:
    assert zigbee2mqtt.online(payload) is online


@pytest.mark.parametrize(
    "last_seen",
    ['"2026-01-01T08:00:00+08:00"', '"2026-01-01T00:00:00.000Z"', "1767225600000", "1767225600",
     '"1767225600000"'],
)  # fmt: skip
def test_last_seen_in_every_format(last_seen: str) -> None:
    found = zigbee2mqtt.read(f'{{"smoke": true, "last_seen": {last_seen}}}').last_seen
    assert found is not None
    assert found.isoformat() == "2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize("last_seen", ['"2026-01-01T08:00:00"', '"soon"', "1e300", "[]", "true"])
def test_a_last_seen_that_cannot_be_read_hides_nothing(last_seen: str) -> None:
    report = zigbee2mqtt.read(f'{{"smoke": true, "last_seen": {last_seen}}}')
    assert report.smoke is True
    assert report.last_seen is None
    assert report.unreadable == ("last_seen",)


def test_a_bare_number_is_a_concentration_where_that_is_known() -> None:
    assert zigbee2mqtt.read('{"gas": 3}', {"gas"}).gas is None
    assert zigbee2mqtt.read('{"gas": 3}').gas is True
    assert zigbee2mqtt.read('{"co": 400}', {"co"}).co is True
    assert zigbee2mqtt.read('{"carbon_monoxide": false, "co": 3}').measured == {"co"}


@pytest.mark.parametrize(
    ("name", "payload", "smoke"),
    [("smoke", b"true", True), ("smoke_state", b"alarm", True), ("alarm_1", b'"alarm"', True),
     ("smoke", b"false", False), ("smoke", b"1", True), ("smoke", b"???", None)],
)  # fmt: skip
def test_one_attribute(name: str, payload: bytes, smoke: bool | None) -> None:
    report = zigbee2mqtt.read_attribute(name, payload)
    assert report.smoke is smoke
    assert report.doubtful == (() if smoke is not None else ("smoke",))
