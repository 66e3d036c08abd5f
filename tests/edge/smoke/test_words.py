"""What labels, keys and side facts of smoke alarms mean, as other software's users met them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vigil_edge.smoke import zigbee2mqtt


def read(payload: dict[str, Any]) -> dict[str, Any]:
    found = zigbee2mqtt.read(json.dumps(payload)).as_json()
    return {key: value for key, value in found.items() if value is not None}


@pytest.mark.parametrize(
    "label",
    [
        "Smoke detected (location not provided)",
        "Smoke detected, no location",
        "alarm without location",
        "alarm not cleared",
        "alarm not acknowledged",
        "not silenced, alarm",
        "fire, not a test",
        "alarm (no test)",
        "smoke alarm; battery normal",
        "alarm_on battery_off",
        "normal -> alarm",
        "no CO, smoke detected",
        "PRIMARY_ALARM",
        "not normal",
    ],
)
def test_what_denies_another_word_does_not_hide_a_fire(label: str) -> None:
    assert read({"smoke": label}) == {"smoke": True}


@pytest.mark.parametrize(
    "label",
    [
        *("no smoke", "smoke not detected", "Smoke: no", "none_detected", "isn't smoke"),
        *("alarm off", "alarm is off", "OK, no smoke", "all clear", "Status: idle", "smoke_free"),
        *("alarm -> normal", "not in alarm", "no alarm detected", "IDLE_OFF", "无", "沒有"),
    ],
)  # fmt: skip
def test_a_fire_that_is_denied_or_over_is_none(label: str) -> None:
    assert read({"smoke": label}) == {"smoke": False}


@pytest.mark.parametrize(
    "label", ["警報解除", "警報已解除", "煙霧警報解除", "火警解除", "烟雾报警已解除", "警報 解除"]
)
def test_an_alarm_that_is_said_to_be_released_is_over(label: str) -> None:
    """As ``cleared`` does: an end where the message is live, and none where it is old."""
    assert read({"smoke": label}) == {"smoke": False}


@pytest.mark.parametrize(
    "label",
    [
        "警報未解除",
        "警報尚未解除",
        "警報解除失敗",
        "無法解除警報",
        "解除警報",
        "解除",
    ],
)
def test_what_is_not_said_to_be_over_ends_nothing(label: str) -> None:
    assert read({"smoke": label}).get("smoke") is not False


@pytest.mark.parametrize("label", ["warming_up", "warm up", "preparation"])
def test_an_alarm_that_starts_says_nothing_of_fire(label: str) -> None:
    assert read({"gas": label}) == {}


def test_fire_and_test_in_one_label_are_both_told() -> None:
    assert read({"smoke": "Smoke alarm (test)"}) == {"smoke": True, "test": True}


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ({"smoke_presence": "present"}, "smoke"),
        ({"smoke_is_detected": 1}, "smoke"),
        ({"siren_state": "fire"}, "smoke"),
        ({"state": "alarm"}, "smoke"),
        ({"zone_status": 33}, "smoke"),
        ({"zoneStatus": "0x0001"}, "smoke"),
        ({"payload": '{"smoke": true}'}, "smoke"),
        ({"alarm": "co_alarm"}, "co"),
        ({"alarm_type": "co"}, "co"),
        ({"alarm": "heat"}, "heat"),
        ({"carbon_monoxide": False, "co_concentration": 500}, "co"),
        ({"over_temperature": True}, "heat"),
        ({"temperature_alarm": "upper_alarm"}, "heat"),
        ({"methane_state": "alarm"}, "gas"),
    ],
)
def test_a_fire_under_a_key_that_was_not_foreseen_is_one(
    payload: dict[str, Any], kind: str
) -> None:
    assert read(payload) == {kind: True}


@pytest.mark.parametrize(
    "payload",
    [
        {"presence_smoke": "yes"},
        {"smoke_kitchen": "on"},
        {"smoke_level": "critical"},
        {"smoke_intensity": 255},
    ],
)
def test_what_may_be_a_fire_is_told_as_one(payload: dict[str, Any]) -> None:
    assert read(payload) == {"smoke": True, "unreadable": ["smoke"]}


@pytest.mark.parametrize(
    "payload",
    [
        {"smoke_chamber_contamination": 12},
        {"smoke_sensitivity": "high"},
        {"smoke_level": 3},
        {"temperature_alarm": "lower_alarm", "heat": False},
        {"high_temperature": 60},
        {"action": "single"},
        {"state": "ON"},
        {"zone_status": 32},
    ],
)
def test_settings_and_measures_are_no_fire(payload: dict[str, Any]) -> None:
    found = read(payload)
    assert not any(found.get(kind) for kind in ("smoke", "heat", "co", "gas"))
    assert "unreadable" not in found


def test_a_measure_of_a_device_that_nobody_configured_is_no_fire() -> None:
    for payload in ('{"methane": 3}', '{"lpg": 2}', '{"temperature_alarm": true}'):
        assert not zigbee2mqtt.read(payload).plainly_fire


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"self_test": "failed"}, {"fault": True}),
        ({"smoke_fault": True}, {"fault": True}),
        ({"malfunction": 1}, {"fault": True}),
        ({"sensor_failure": False}, {"fault": False}),
        ({"device_status": "fault"}, {"fault": True}),
        ({"error_code": 7}, {}),
        ({"battery_state": "LOW_BATTERY"}, {"battery_low": True}),
        ({"battery_state": "Nok"}, {"battery_low": True}),
        ({"battery_state": "not_low"}, {"battery_low": False}),
        ({"battery_low": "Low"}, {"battery_low": True}),
        ({"lowbat": True}, {"battery_low": True}),
        ({"end_of_life": 1}, {"end_of_service": True}),
        ({"sensor_eol": True}, {"end_of_service": True}),
        ({"lifecycle": 120}, {}),
        ({"tamper": "open"}, {"tamper": True}),
        ({"tamper": "closed"}, {"tamper": False}),
        ({"tamper_state": True}, {"tamper": True}),
        ({"test": "testing"}, {"test": True}),
        ({"test_button": "pressed"}, {"test": True}),
        ({"test_button": "idle"}, {"test": False}),
    ],
)
def test_other_facts_are_read_in_whatever_spelling(
    payload: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert read(payload) == expected


@pytest.mark.parametrize(
    "label",
    [
        *("火警", "警報", "警報中", "是", "有", "真", "煙霧", "有煙霧", "煙霧警報", "烟雾报警"),
        *("偵測到煙霧", "检测到烟雾", "發生火警", "火災", "失火", "冒煙", "已觸發", "觸發"),
        *("瓦斯外洩", "燃气泄漏", "一氧化碳警報", "高溫", "過熱", "危險", "不正常", "已偵測"),
        *("火警！", "警報 2", "警報 (火警)", "煙霧 警報", "警報 on"),
    ],
)  # fmt: skip
def test_a_label_in_chinese_that_says_fire_is_one(label: str) -> None:
    assert read({"smoke": label}) == {"smoke": True}


@pytest.mark.parametrize(
    "label",
    [
        *("正常", "無", "否", "沒有", "假", "无", "無煙霧", "無 煙霧", "没有烟雾", "無火警"),
        *("无报警", "未偵測到煙霧", "未检测到", "未偵測", "未觸發", "未报警", "無異常", "狀態正常"),
        *("恢復正常", "一切正常", "安全", "待機", "監控中", "不是", "已清除", "正常 (OK)", "無 CO"),
    ],
)  # fmt: skip
def test_a_label_in_chinese_that_denies_it_is_none(label: str) -> None:
    assert read({"smoke": label}) == {"smoke": False}


@pytest.mark.parametrize(
    "label",
    [
        *("異常", "故障", "通訊異常", "離線", "關閉", "開啟", "無法偵測", "無反應", "警報未解除"),
        *("無煙霧警報器", "非火警", "警報器故障", "未連線", "無煙霧？不確定", "電池正常"),
        *("清除", "錯"),
    ],
)  # fmt: skip
def test_a_label_in_chinese_that_is_not_plain_may_be_a_fire(label: str) -> None:
    assert read({"smoke": label}) == {"smoke": True, "unreadable": ["smoke"]}


def test_tests_silence_and_warming_up_in_chinese() -> None:
    assert read({"smoke": "測試中"}) == {"test": True}
    assert read({"smoke": False, "test": "測試中"}) == {"smoke": False, "test": True}
    assert read({"smoke": "已靜音"}) == {"smoke": True, "muted": True}
    assert read({"gas": "預熱中"}) == read({"smoke": "未知"}) == {}


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ({"alarm": "一氧化碳警報"}, "co"),
        ({"state": "煙霧警報"}, "smoke"),
        ({"煙霧警報": True}, "smoke"),
        ({"烟雾": "有"}, "smoke"),
        ({"瓦斯": "洩漏中", "瓦斯警報": 1}, "gas"),
        ({"火警狀態": "觸發"}, "smoke"),
    ],
)
def test_keys_and_kinds_in_chinese(payload: dict[str, Any], kind: str) -> None:
    assert read(payload)[kind] is True


def test_a_measure_in_chinese_is_no_fire() -> None:
    assert read({"煙霧濃度": 12, "smoke": "正常", "state": "觸發"}) == {"smoke": False}


@pytest.mark.parametrize(
    "label",
    [
        *("電池:正常 煙霧:警報", "溫度: 正常 煙霧: 警報", "Battery: 正常 Smoke: 警報", "正常 警報"),
        *("故障 無 火警 有", "煙霧:無 高溫:是", "無煙霧 高溫", "測試:無 火警:有"),
        *("電池：正常 煙霧：警報", "無煙霧：警報", "無煙霧 警報", "無 煙霧 高溫"),
        *("自檢:正常 火警:是", "無煙霧 CO", "no CO 煙霧", "normal 高溫", "battery off 煙霧"),
        *("正常 alarm", "測試 alarm", "測試 警報", "煙感報警", "烟感報警", "火警動作", "有火"),
    ],
)  # fmt: skip
def test_what_is_well_or_under_test_hides_no_fire_beside_it(label: str) -> None:
    assert read({"smoke": label}) == {"smoke": True}


@pytest.mark.parametrize(
    "label",
    [
        *("CO 無煙霧", "煙霧:無 高溫:無", "警報 正常", "自檢 正常", "狀態 電池 正常"),
        *("啟動", "启动", "高溫 off 故障", "電池 高溫 normal", "no 高溫 故障"),
        *("復歸:無", "無 復歸", "復歸 no", "未 復歸"),
        *("住警器", "偵煙", "感溫", "無偵煙", "未復歸", "！"),
    ],
)  # fmt: skip
def test_what_nobody_knows_of_which_it_is_said_may_be_a_fire(label: str) -> None:
    assert read({"smoke": label}) == {"smoke": True, "unreadable": ["smoke"]}


def test_an_alarm_that_was_reset_is_over_and_one_that_starts_says_nothing() -> None:
    for label in ("復歸", "已復歸", "火警復歸", "复归", "Smoke: 正常", "煙霧 off", "no 煙霧"):
        assert read({"smoke": label}) == {"smoke": False}
    assert read({"smoke": "啟動中"}) == {}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"高溫": 31.5}, {}),
        ({"高溫": 1}, {"heat": True}),
        ({"一氧化碳": 3, "一氧化碳警報": 0}, {"co": False}),
        ({"一氧化碳": 3, "一氧化碳警報": 1}, {"co": True}),
        ({"一氧化碳": 400, "一氧化碳警報": 0}, {"co": True}),
        ({"警報": True}, {"smoke": True}),
        ({"警報狀態": "一氧化碳警報"}, {"co": True}),
        ({"狀態": "煙霧警報"}, {"smoke": True}),
        ({"事件": "觸發"}, {}),
    ],
)
def test_keys_in_chinese_that_meters_and_sirens_use_too(
    payload: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert read(payload) == expected


def test_a_measure_in_chinese_of_a_stranger_is_no_fire() -> None:
    for payload in ('{"天然氣": 1234.5}', '{"高溫": 31.5}', '{"一氧化碳": 3}', '{"警報": 1}'):
        assert not zigbee2mqtt.read(payload).plainly_fire


@pytest.mark.parametrize("text", ['{"煙霧": true, "x', '{"煙霧": "警', '{"煙霧": {"狀'])
def test_a_broken_message_with_keys_in_chinese_hides_no_fire(text: str) -> None:
    assert zigbee2mqtt.read(text).as_json()["smoke"] is True
