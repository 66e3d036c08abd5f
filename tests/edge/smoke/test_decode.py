"""Payloads of smoke alarms: the command, and the decoder under it."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil_edge.cli import main
from vigil_edge.smoke import zigbee2mqtt
from vigil_edge.smoke.errors import PayloadMalformed, PayloadWrongType

NOTHING = {
    "smoke": None,
    "battery_percent": None,
    "fault": None,
    "test": None,
    "tamper": None,
}
json_values = st.recursive(
    st.one_of(
        *(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8))
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
KEYS = ["smoke", "test", "tamper", "trouble", "fault", "battery", "battery_low", "linkquality"]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (
            {
                "smoke": True,
                "battery": 97,
                "battery_low": False,
                "tamper": False,
                "linkquality": 80,
            },
            {"smoke": True, "battery_percent": 97, "tamper": False},
        ),
        (
            {"smoke": False, "trouble": True, "test": True},
            {"smoke": False, "fault": True, "test": True},
        ),
        ({"trouble": False, "device_fault": False}, {"fault": False}),
        ({"battery": 12.5, "smoke": None}, {"battery_percent": 12.5}),
        # Some devices state their fault in words: that is neither a fault nor an error.
        ({"fault": "no_fault_detected", "smoke": False}, {"smoke": False}),
        ({"battery_low": True, "smoke": False}, {"smoke": False}),
        ({"update": {"state": "idle"}, "voltage": 3000}, {}),
    ],
)
def test_what_a_payload_says_is_printed_and_null_what_it_does_not(
    capsys: pytest.CaptureFixture[str], payload: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert main(["smoke", "decode", "--codec", "zigbee2mqtt", json.dumps(payload)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.count("\n") == 1
    assert list(json.loads(out)) == list(NOTHING)
    assert json.loads(out) == NOTHING | expected


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ("{", "smoke-payload-malformed"),
        ("", "smoke-payload-malformed"),
        ("null", "smoke-payload-malformed"),
        ("[1]", "smoke-payload-malformed"),
        ('"smoke"', "smoke-payload-malformed"),
        ('{"battery": NaN}', "smoke-payload-malformed"),
        ("[" * 100_000, "smoke-payload-malformed"),
        ('{"smoke": "yes"}', "smoke-payload-wrong-type"),
        ('{"smoke": 1}', "smoke-payload-wrong-type"),
        ('{"battery": "full"}', "smoke-payload-wrong-type"),
        ('{"battery": true}', "smoke-payload-wrong-type"),
        ('{"battery": 101}', "smoke-payload-wrong-type"),
        ('{"battery": 1e999}', "smoke-payload-wrong-type"),
        ('{"battery_low": []}', "smoke-payload-wrong-type"),
    ],
)
def test_what_cannot_be_read_is_one_line_and_exit_2(
    capsys: pytest.CaptureFixture[str], payload: str, code: str
) -> None:
    assert main(["smoke", "decode", "--codec", "zigbee2mqtt", payload]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"vigil-edge: {code}: ")
    assert err.count("\n") == 1


def test_an_unknown_codec_is_one_line_and_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["smoke", "decode", "--codec", "zha", "{}"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "vigil-edge: codec-unknown: --codec 'zha': there is zigbee2mqtt\n"


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_arbitrary_bytes_raise_nothing_but_the_declared_errors(payload: bytes | str) -> None:
    with contextlib.suppress(PayloadMalformed, PayloadWrongType):
        zigbee2mqtt.decode(payload)
    if isinstance(payload, bytes):
        assert zigbee2mqtt.online(payload) in (True, False, None)


@given(st.dictionaries(st.sampled_from([*KEYS, "last_seen", "smoke_density"]), json_values))
def test_whatever_else_is_broken_smoke_is_still_read(fields: dict[str, Any]) -> None:
    report = zigbee2mqtt.read(json.dumps(fields | {"smoke": True}))
    assert report.smoke is True
    assert report.battery_percent is None or 0 <= report.battery_percent <= 100
    assert report.link_quality is None or 0 <= report.link_quality <= 255


@pytest.mark.parametrize(
    ("value", "smoke"),
    [("true", True), ("ON", True), (1, True), ("false", False), ("off", False), (0, False),
     ("maybe", None), (2, None), (1.0, None), ([], None), ({"a": 1}, None), (10**30, None)],
)  # fmt: skip
def test_smoke_in_the_wrong_type_is_noted_and_still_smoke(value: Any, smoke: bool | None) -> None:
    report = zigbee2mqtt.read(json.dumps({"smoke": value}))
    assert report.smoke is smoke
    assert report.unreadable == ("smoke",)
    with pytest.raises(PayloadWrongType):
        zigbee2mqtt.decode(json.dumps({"smoke": value}))


@pytest.mark.parametrize(
    ("payload", "online"),
    [
        (b'{"state":"online"}', True),
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


def test_last_seen_as_text_and_as_milliseconds() -> None:
    text = zigbee2mqtt.decode('{"last_seen": "2026-01-01T08:00:00+08:00"}').last_seen
    number = zigbee2mqtt.decode('{"last_seen": 1767225600000}').last_seen
    assert text == number
    assert text is not None
    assert text.isoformat() == "2026-01-01T00:00:00+00:00"
