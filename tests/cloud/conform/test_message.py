"""Each way in which one message can be wrong is named with its place, and what ingest does."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.conform.messages import (
    GATEWAY,
    NOW,
    Bench,
    alarm,
    born,
    changed,
    health,
    readings,
    topic,
)
from vigil_cloud.conform.message import Heard, judge
from vigil_cloud.conform.rules import RULES
from vigil_cloud.ingest.decode import Decoder
from vigil_cloud.ingest.times import Limits
from vigil_schemas.smoke import SmokeAlarmV1

HOUR = timedelta(hours=1)
SINCE = {"data__since": "2026-05-01T08:00:00"}

# fmt: off
CASES: dict[str, tuple[str, bytes, str, str, str]] = {
    # name: channel, payload, code, place, what ingest does
    "cut off": ("event", health(1)[:-9], "not-json", "", "refused"),
    "no JSON": ("event", b"temperature=12", "not-json", "", "dead letter"),
    "a list": ("event", b"[" + health(1) + b"]", "not-json", "", "refused"),
    "byte-order mark": ("event", b"\xef\xbb\xbf" + health(1), "not-json", "", "refused"),
    "Latin-1": ("event", health(1).replace(b'"ok"', b'"\xe9"'), "not-utf8", "", "refused"),
    "UTF-16": ("event", health(1).decode().encode("utf-16"), "not-utf8", "", "refused"),
    "too large": ("event", health(1)[:-1] + b" " * 270_000 + b"}", "too-large", "", "refused"),
    "far too large": ("event", health(1) + b" " * 1_100_000, "too-large", "", "not heard"),
    "specversion": (
        "event",
        changed(health(1), specversion="0.3"),
        "envelope",
        "specversion",
        "refused",
    ),
    "no id": ("event", changed(health(1), id=...), "envelope", "id", "refused"),
    "no sequence": (
        "event",
        changed(health(1), sequence=...),
        "envelope",
        "sequence",
        "dead letter",
    ),
    "short sequence": (
        "event",
        changed(health(1), sequence="1"),
        "envelope",
        "sequence",
        "dead letter",
    ),
    "number 0": ("event", changed(health(1), sequence="0" * 16), "refused", "", "dead letter"),
    "time without zone": (
        "event",
        changed(health(1), time="2026-05-01T08:00:00"),
        "time-without-zone",
        "time",
        "refused",
    ),
    "time as a number": (
        "event",
        changed(health(1), time=1777622400),
        "time-malformed",
        "time",
        "refused",
    ),
    "inner time without zone": (
        "event",
        changed(health(1), **SINCE),
        "time-without-zone",
        "data.since",
        "refused",
    ),
    "time ahead": (
        "event",
        changed(health(1), time="2026-05-01T10:00:00Z"),
        "time-ahead",
        "time",
        "kept, marked",
    ),
    "time of 1970": (
        "event",
        changed(health(1), time="1970-01-01T00:00:10Z"),
        "time-behind",
        "time",
        "kept, marked",
    ),
    "inner time ahead": (
        "event",
        changed(health(1), data__since="2027-05-01T10:00:00Z"),
        "time-ahead",
        "data.since",
        "kept, marked",
    ),
    "readings ahead": ("observation", readings(1, at=NOW + HOUR), "time-ahead", "data", "refused"),
    "readings of 1970": (
        "observation",
        changed(readings(1), data__0__bt=12.5),
        "time-behind",
        "data",
        "refused",
    ),
    "unknown type": (
        "event",
        changed(health(1), type="city.vigil.device.health.v9"),
        "type-unknown",
        "type",
        "refused",
    ),
    "unknown domain": (
        "observation",
        changed(readings(1), type="city.vigil.air.observation.v1"),
        "type-unknown",
        "type",
        "refused",
    ),
    "a receipt": (
        "event",
        changed(health(1), type="city.vigil.receipt.v1"),
        "type-unknown",
        "type",
        "refused",
    ),
    "unknown field": (
        "event",
        changed(health(1), data__mood="good"),
        "data",
        "data.mood",
        "refused",
    ),
    "missing field": (
        "event",
        changed(health(1), data__since=...),
        "data",
        "data.since",
        "refused",
    ),
    "unknown word": (
        "event",
        changed(health(1), data__state="bored"),
        "data",
        "data.state",
        "refused",
    ),
    "number as text": (
        "observation",
        changed(readings(1), data__2__v="7"),
        "data",
        "data.2.v",
        "refused",
    ),
    "text in a pack": (
        "observation",
        changed(readings(1), data__1__vs="on"),
        "data",
        "data.1.vs",
        "refused",
    ),
    "unit": ("observation", changed(readings(1), data__0__u="C"), "unit", "data.0.u", "refused"),
    "another's unit": (
        "observation",
        changed(readings(1), data__3__u="mg/L"),
        "unit",
        "data.3.u",
        "refused",
    ),
    "name": (
        "observation",
        changed(readings(1), data__0__bn="urn:dev:1:"),
        "data",
        "data.0",
        "refused",
    ),
    "empty pack": ("observation", changed(readings(1), data=[]), "data", "data", "refused"),
    "pack of another": (
        "observation",
        changed(readings(1), subject="probe-2"),
        "wrong-subject",
        "subject",
        "refused",
    ),
    "subject": (
        "event",
        changed(health(1), subject="probe-2"),
        "wrong-subject",
        "subject",
        "stored",
    ),
    "birth's subject": (
        "status",
        changed(born(), subject="probe-1"),
        "wrong-subject",
        "subject",
        "stored",
    ),
    "source of another": (
        "event",
        changed(health(1), source="/gw-other/event/abcdef01"),
        "wrong-source",
        "source",
        "dead letter",
    ),
    "source of another lane": (
        "event",
        changed(health(1), source=f"/{GATEWAY}/alarm/abcdef01"),
        "wrong-lane",
        "source",
        "dead letter",
    ),
    "source": (
        "event",
        changed(health(1), source="bench"),
        "wrong-source",
        "source",
        "dead letter",
    ),
    "event on alarm": ("alarm", health(1, lane="alarm"), "wrong-lane", "type", "stored"),
    "readings on event": (
        "event",
        changed(readings(1), source=f"/{GATEWAY}/event/abcdef01"),
        "wrong-lane",
        "type",
        "refused",
    ),
    "birth on event": (
        "event",
        changed(born(), source=f"/{GATEWAY}/event/abcdef01", sequence="0" * 15 + "1"),
        "wrong-lane",
        "type",
        "refused",
    ),
    "alarm on observation": (
        "observation",
        changed(alarm(1), source=f"/{GATEWAY}/observation/abcdef01"),
        "wrong-lane",
        "type",
        "stored",
    ),
    "misspelt channel": (topic("alarms"), alarm(1), "wrong-topic", "", "not heard"),
    "a level left out": (f"vigil/{GATEWAY}/event", health(1), "wrong-topic", "", "not heard"),
    "another version": (f"vigil/v2/{GATEWAY}/event", health(1), "wrong-topic", "", "not heard"),
    "damaged alarm": (
        "alarm",
        changed(alarm(1), data__active="yes"),
        "data",
        "data.active",
        "kept, marked",
    ),
    "alarm without a type": (
        "alarm",
        changed(alarm(1), type=...),
        "envelope",
        "type",
        "kept, marked",
    ),
    "alarm cut off": ("alarm", alarm(1)[:-30], "not-json", "", "kept, marked"),
    "NUL": ("event", changed(health(1), data__message="a\0b"), "envelope", "", "refused"),
}
# fmt: on


@pytest.mark.parametrize("name", CASES)
def test_a_fault_is_named_with_its_place(name: str) -> None:
    channel, payload, code, place, verdict = CASES[name]

    bench = Bench()
    found = bench.send(channel, payload, retain=channel == "status")

    faults = {(one.code, one.place, one.verdict) for one in found if one.fault}
    assert (code, place, verdict) in faults
    assert {one.code for one in found if one.fault} <= {code, "device-undescribed"}
    assert all(one.remedy and one.written for one in found)


def test_every_fault_of_a_message_is_named_and_not_the_first_alone() -> None:
    payload = changed(health(1), **SINCE, data__state="bored", data__mood=1)

    found = Bench().send("event", payload)

    assert {(one.code, one.place) for one in found} == {
        ("time-without-zone", "data.since"),
        ("data", "data.state"),
        ("data", "data.mood"),
    }
    assert "bored" in next(one.what for one in found if one.place == "data.state")
    assert next(one.written for one in found if one.place == "data.state") == (
        "schemas/json/city.vigil.device.health.v1.json#/properties/state"
    )


@pytest.mark.parametrize(
    ("channel", "payload"),
    [
        ("event", health(1)),
        ("alarm", alarm(1)),
        ("observation", readings(1)),
        # As gateways of two releases ago send it.
        ("alarm", alarm(1, said=SmokeAlarmV1)),
    ],
)
def test_what_keeps_the_contract_has_no_fault(channel: str, payload: bytes) -> None:
    bench = Bench()
    bench.send(channel, payload)
    assert bench.faults() == []
    old = b"alarm.v1" in payload
    assert [one.code for one in bench.told] == ["older-version"] * old


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.just([]),
    st.just({}),
)


@given(
    st.sampled_from([health(1), alarm(1), readings(1)]),
    st.lists(st.tuples(st.integers(0, 40), VALUES), max_size=3),
    st.integers(0, 400),
)
def test_what_ingest_refuses_or_doubts_has_a_fault(
    payload: bytes, changes: list[tuple[int, Any]], cut: int
) -> None:
    message = json.loads(payload)
    lane = message["source"].split("/")[2]
    places = [(message, key) for key in message]
    data = message["data"]
    inner = data if isinstance(data, dict) else data[0]
    places += [(inner, key) for key in inner]
    for position, value in changes:
        part, key = places[position % len(places)]
        part[key] = value
    damaged = json.dumps(message).encode()
    damaged = damaged[:-cut] if cut and cut < 40 else damaged
    heard = Heard(topic(lane), damaged, 1, retain=False, stock=False, at=NOW)

    judged = judge(Decoder(Limits()), heard)

    faults = [one for one in judged.findings if RULES[one.code].fault]
    assert judged.verdict == "stored" or faults
