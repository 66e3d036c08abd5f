"""The contract: what is encoded decodes to the same, and what is wrong is refused by name."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil_schemas import envelope, senml, topics
from vigil_schemas.checkin import CheckinVisit
from vigil_schemas.errors import InvalidMessage
from vigil_schemas.smoke import SmokeAlarm
from vigil_schemas.types import QartodFlag

WHEN = datetime(2026, 11, 20, 14, 0, 0, 123456, tzinfo=UTC)
times = st.datetimes(
    min_value=datetime(2001, 1, 1),  # noqa: DTZ001 - hypothesis wants naive bounds
    max_value=datetime(2099, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
readings = st.builds(
    senml.Reading,
    parameter=st.sampled_from(["pH", "LAeq", "specific_conductance"]),
    unit=st.sampled_from([None, *sorted(senml.UNITS)]),
    time=times,
    value=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    flag=st.sampled_from(list(QartodFlag)),
)


def encoded(**changes: object) -> bytes:
    arguments: dict[str, object] = {
        "id": "a1b2c3d4",
        "source": "/gw-home/alarm/0badcafe",
        "type": SmokeAlarm.TYPE,
        "subject": "smoke-kitchen",
        "time": WHEN,
        "sequence": 7,
        "data": SmokeAlarm(alarm_id="12345678", condition="smoke", active=True, since=WHEN),
    }
    return envelope.encode(**(arguments | changes))  # type: ignore[arg-type]  # built by name here


@given(st.lists(readings, min_size=1, max_size=20))
def test_a_pack_comes_back_to_the_microsecond(given_readings: list[senml.Reading]) -> None:
    # Given readings within two years of each other (a double of seconds keeps microseconds there)
    base = given_readings[0].time
    near = [
        reading._replace(time=base + (reading.time - base) % timedelta(days=700))
        for reading in given_readings
    ]
    records = senml.pack("sonde-1", near)
    message = encoded(type="city.vigil.water.observation.v1", data=records)
    # When it has been over the wire
    data = envelope.decode(message).data
    assert isinstance(data, list)
    # Then it says the same
    assert senml.unpack(data) == ("sonde-1", near)


def test_an_event_comes_back_the_same() -> None:
    message = envelope.decode(encoded())
    assert message.envelope.number == 7
    assert message.envelope.time == WHEN
    assert message.data == SmokeAlarm(
        alarm_id="12345678", condition="smoke", active=True, since=WHEN
    )


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"{", "malformed-json"),
        (b"[]", "wrong-schema"),
        (b'{"specversion":"1.0"}', "wrong-schema"),
        (b" " * (topics.MAX_MESSAGE_BYTES + 1), "oversized"),
        (encoded().replace(b"smoke.alarm.v2", b"smoke.dream.v2"), "unknown-type"),
        (encoded().replace(b'"active":true', b'"active":"perhaps"'), "wrong-schema"),
        (encoded().replace(b'"since"', b'"sense"'), "wrong-schema"),
    ],
)
def test_a_wrong_message_is_refused_with_its_reason(payload: bytes, reason: str) -> None:
    with pytest.raises(InvalidMessage) as refusal:
        envelope.decode(payload)
    assert refusal.value.reason == reason


@given(st.binary(max_size=200))
def test_any_bytes_are_either_a_message_or_refused(payload: bytes) -> None:
    with pytest.raises(InvalidMessage):
        envelope.decode(payload)


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("vigil/v1/gw-other/alarm", "wrong-gateway"),
        ("vigil/v1/gw-home/event", "wrong-lane"),
        ("vigil/v2/gw-home/alarm", "wrong-gateway"),
    ],
)
def test_a_message_on_another_branch_is_refused(topic: str, reason: str) -> None:
    with pytest.raises(InvalidMessage) as refusal:
        envelope.check_addressed(topic, envelope.decode_envelope(encoded()))
    assert refusal.value.reason == reason


def test_a_message_on_its_own_branch_tells_its_source() -> None:
    source = envelope.check_addressed(
        topics.topic("gw-home", "alarm"), envelope.decode_envelope(encoded())
    )
    assert source == envelope.Source("gw-home", "alarm", "0badcafe")


def test_a_pack_with_an_unregistered_unit_is_refused() -> None:
    records = senml.pack("s", [senml.Reading("turbidity_FNU", "FNU", WHEN, 1.0, QartodFlag.GOOD)])
    with pytest.raises(ValueError, match="registered SenML unit"):
        senml.unpack(records)


def test_an_unknown_senml_field_is_ignored_as_rfc_8428_asks() -> None:
    records = senml.pack("s", [senml.Reading("pH", "pH", WHEN, 7.0, QartodFlag.GOOD)])
    body = json.loads(encoded(type="city.vigil.water.observation.v1", data=records))
    body["data"][0]["ut"] = 60
    assert envelope.decode(json.dumps(body).encode()).data == records


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="with a zone"):
        CheckinVisit.model_validate(
            {
                "visit_id": "12345678",
                "phase": "arrived",
                "tag": "epc:30340000",
                "carrier": "uhf",
                "arrived": "2026-11-20T14:00:00",
                "last_seen": "2026-11-20T14:00:00Z",
                "sightings": 1,
            }
        )
