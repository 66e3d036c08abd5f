"""Nothing true is refused on the alarm lane: doubtful time and shape are marked and told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways import EPOCH, event
from ingest_bench import NOW
from vigil_cloud.domain.alarms import DamagedAlarm
from vigil_cloud.domain.registry import alarm_readings
from vigil_cloud.ingest import salvage
from vigil_cloud.ingest.decode import Decoder, Fact, Refusal
from vigil_cloud.ingest.times import Limits
from vigil_schemas.aed import DOMAIN as AED
from vigil_schemas.aed import AedRemoval
from vigil_schemas.checkin import CheckinVisit
from vigil_schemas.envelope import encode
from vigil_schemas.gateway import DeviceHealth, GatewayHealth, SourceHealth
from vigil_schemas.noise import NoiseExceedance
from vigil_schemas.smoke import SmokeAlarm, SmokeAlarmV1
from vigil_schemas.types import ClockQuality, Model

GATEWAY, DEVICE = "gw-a", "alarm-1"
TOPIC = f"vigil/v1/{GATEWAY}/alarm"
FIRE = {"alarm_id": "fire-0001", "condition": "smoke", "active": True}
LONG_AGO = datetime.fromisoformat("1970-01-01T00:02:00+00:00")


def decoded(payload: bytes, topic: str = TOPIC) -> Any:
    return Decoder(Limits()).decode(topic, payload, NOW)


def fire(since: datetime = NOW, **more: Any) -> SmokeAlarm:
    return SmokeAlarm.model_validate({**FIRE, "since": since, **more})


def sent(data: Any, time: datetime = NOW, lane: str = "alarm") -> bytes:
    return event(GATEWAY, 5, data, subject=DEVICE, time=time, lane=lane)


def changed(*, drop: tuple[str, ...] = (), data: Any = None, **fields: Any) -> bytes:
    """A fire as JSON with attributes dropped or replaced, and keys of its data replaced."""
    message = json.loads(sent(fire()))
    message |= fields
    if isinstance(data, dict):
        message["data"] = {k: v for k, v in (message["data"] | data).items() if v is not ...}
    for name in drop:
        del message[name]
    return json.dumps(message).encode()


def with_data(change: Callable[[Any], Any]) -> bytes:
    message = json.loads(sent(fire()))
    return json.dumps(message | {"data": change(message["data"])}).encode()


TIMES = {
    "an hour ahead": (NOW + timedelta(hours=1), "ahead"),
    "ten minutes ahead": (NOW + timedelta(minutes=10), "ahead"),
    "two minutes ahead": (NOW + timedelta(minutes=2), "ahead"),
    "fifty years ahead": (NOW + timedelta(days=18262), "ahead"),
    "the calendar's end": (datetime.fromisoformat("9999-12-31T23:59:59+00:00"), "ahead"),
    "1970": (LONG_AGO, "behind"),
    "older than is kept": (NOW - timedelta(days=401), "behind"),
    "the calendar's begin": (datetime.fromisoformat("0001-01-01T00:00:00+00:00"), "behind"),
}


@pytest.mark.parametrize(("time", "quality"), TIMES.values(), ids=TIMES)
@pytest.mark.parametrize("model", [SmokeAlarm, SmokeAlarmV1])
def test_a_fire_is_taken_whatever_its_clock_says(time: datetime, quality: str, model: Any) -> None:
    found = decoded(sent(model(**FIRE, since=time), time))

    assert isinstance(found, Fact)
    assert (found.sequence, found.source) == (5, f"/{GATEWAY}/alarm/{EPOCH}")
    assert found.envelope.time == NOW
    assert isinstance(found.data, model)
    assert found.data.since == NOW
    assert found.marks["time_quality"] == quality
    assert set(found.marks["claimed_times"]) == {"time", "since"}
    assert "shape_doubtful" not in found.marks


@pytest.mark.parametrize(("since", "quality"), TIMES.values(), ids=TIMES)
def test_a_time_inside_is_judged_as_well(since: datetime, quality: str) -> None:
    said = NOW - timedelta(minutes=3)
    found = decoded(sent(fire(since), said))

    assert found.envelope.time == said, "what is believed stays"
    assert found.data.since == said
    assert found.marks["time_quality"] == quality
    assert list(found.marks["claimed_times"]) == ["since"]


@given(st.timedeltas(-timedelta(days=399), timedelta(seconds=60)))
def test_what_can_be_is_left_alone(age: timedelta) -> None:
    found = decoded(sent(fire(NOW + age), NOW + age))

    assert (found.envelope.time, found.data.since, found.marks) == (NOW + age, NOW + age, {})


@given(st.datetimes(timezones=st.just(NOW.tzinfo)), st.datetimes(timezones=st.just(NOW.tzinfo)))
def test_no_time_is_ever_refused_or_left_in_the_future(time: datetime, since: datetime) -> None:
    found = decoded(sent(fire(since), time))

    assert isinstance(found, Fact)
    for shown in (found.envelope.time, found.data.since):  # type: ignore[attr-defined]  # a fire
        assert NOW - timedelta(days=400) <= shown <= NOW + timedelta(seconds=60)


def test_an_alarm_of_a_gateway_that_doubts_its_own_clock_is_one_of_now() -> None:
    """A gateway without a clock of its own goes on at the hour at which it was switched off."""
    for quality, marked in ((ClockQuality.UNSYNCHRONISED, True), (ClockQuality.HOLDOVER, False)):
        old = NOW - timedelta(days=90)
        payload = encode(
            id="x",
            source=f"/{GATEWAY}/alarm/{EPOCH}",
            type=SmokeAlarm.TYPE,
            subject=DEVICE,
            time=old,
            data=fire(old - timedelta(seconds=2)),
            sequence=5,
            clock_quality=quality,
        )
        found = decoded(payload)
        assert ("time_quality" in found.marks) is marked
        assert found.data.since == (NOW if marked else old) - timedelta(seconds=2)


def test_a_passage_keeps_its_length_when_the_clock_is_put_right() -> None:
    ahead = NOW + timedelta(hours=1)
    passage = NoiseExceedance(
        exceedance_id="loud-0001",
        started=ahead - timedelta(seconds=6),
        ended=ahead - timedelta(seconds=2),
        threshold_db=86,
        LAFmax=97,
        LAFmax_time=ahead - timedelta(seconds=4),
        LAE=99,
    )
    found = decoded(sent(passage, ahead, "event"), f"vigil/v1/{GATEWAY}/event")

    assert found.marks["time_quality"] == "ahead"
    assert [found.data.started, found.data.LAFmax_time, found.data.ended] == [
        NOW - timedelta(seconds=s) for s in (6, 4, 2)
    ]


def test_health_and_visits_are_taken_too() -> None:
    ahead = NOW + timedelta(days=3)
    visit = CheckinVisit(
        visit_id="visit-001",
        phase="arrived",
        tag="epc:0123456789",
        carrier="uhf",
        arrived=ahead,
        last_seen=ahead,
        sightings=1,
    )
    source = SourceHealth(device="a", state="ok", since=ahead)
    health = GatewayHealth(
        uptime_s=1,
        resident_bytes=1,
        cpu_percent=1,
        disk_free_bytes=1,
        clock_quality=ClockQuality.UNSYNCHRONISED,
        outbox=[],
        sources=[source],
    )
    topic = f"vigil/v1/{GATEWAY}/event"
    for data in (visit, health, DeviceHealth(**source.model_dump())):
        found = decoded(sent(data, ahead, "event"), topic)
        assert isinstance(found, Fact)
        assert found.marks["time_quality"] == "ahead"
    assert decoded(sent(visit, ahead, "event"), topic).data.arrived == NOW
    assert decoded(sent(health, ahead, "event"), topic).data.sources[0].since == NOW


@pytest.mark.parametrize("end", [NOW + timedelta(days=90), NOW - timedelta(days=4000)])
def test_what_is_foretold_is_no_sign_of_a_wrong_clock(end: datetime) -> None:
    """The end of a certificate lies ahead by what it means, whatever the clock says."""
    health = GatewayHealth(
        uptime_s=1,
        resident_bytes=1,
        cpu_percent=1,
        disk_free_bytes=1,
        clock_quality=ClockQuality.SYNCHRONISED,
        outbox=[],
        sources=[],
        certificate_not_after=end,
    )
    topic = f"vigil/v1/{GATEWAY}/event"
    found = decoded(sent(health, NOW, "event"), topic)
    assert (found.data.certificate_not_after, found.marks) == (end, {})

    wrong = decoded(sent(health, NOW + timedelta(days=3), "event"), topic)
    assert wrong.data.certificate_not_after == end
    assert list(wrong.marks["claimed_times"]) == ["time"]


SALVAGED: dict[str, tuple[bytes, str]] = {
    "unknown field": (changed(data={"colour": "red"}), "data.colour"),
    "battery out of range": (changed(data={"battery_percent": 300}), "data.battery_percent"),
    "battery is text": (changed(data={"battery_percent": "85"}), "data.battery_percent"),
    "link quality below zero": (changed(data={"link_quality": -5}), "data.link_quality"),
    "since unreadable": (changed(data={"since": "yesterday"}), "data.since"),
    "since is a number": (changed(data={"since": 1777622400}), "data.since"),
    "since is missing": (changed(data={"since": ...}), "data.since"),
    "NaN": (changed(data={"smoke_density": float("nan")}), "data.smoke_density"),
    "active is text": (changed(data={"active": "true"}), "data.active"),
    "active is a number": (changed(data={"active": 1}), "data.active"),
    "active is a riddle": (changed(data={"active": "perhaps"}), "data.active"),
    "active is missing": (changed(data={"active": ...}), "data.active"),
    "id missing": (changed(data={"alarm_id": ...}), "data.alarm_id"),
    "id too short": (changed(data={"alarm_id": "1"}), "data.alarm_id"),
    "id too long": (changed(data={"alarm_id": "x" * 65}), "data.alarm_id"),
    "id with a NUL": (changed(data={"alarm_id": "fire\0 0001"}), "NUL"),
    "condition in capitals": (changed(data={"condition": "SMOKE"}), "data.condition"),
    "condition by its old name": (changed(data={"condition": "fire"}), "data.condition"),
    "signs too many": (changed(data={"signs": ["density"] * 9}), "data.signs"),
    "sign is a number": (changed(data={"signs": ["heat", 7]}), "data.signs"),
    "no dataschema": (changed(drop=("dataschema",)), "dataschema"),
    "specversion 1.1": (changed(specversion="1.1"), "specversion"),
    "clockquality unknown": (changed(clockquality="sundial"), "clockquality"),
    "clockquality null": (changed(clockquality=None), "clockquality"),
    "no time": (changed(drop=("time",)), "time"),
    "time without a zone": (changed(time="2026-05-01T08:00:00"), "time"),
    "no id": (changed(drop=("id",)), "id"),
    "id with a NUL in it": (changed(id="a\0b"), "NUL"),
    "no sequence": (changed(drop=("sequence",)), "sequence"),
    "sequence zero": (changed(sequence="0" * 16), "sequence"),
    "source of another": (changed(source=f"/gw-b/alarm/{EPOCH}"), "came on"),
    "source of another lane": (changed(source=f"/{GATEWAY}/event/{EPOCH}"), "came on"),
    "no source": (changed(drop=("source",)), "source"),
    "a later version": (changed(type="city.vigil.smoke.alarm.v3"), "v3"),
    "no type": (changed(drop=("type",)), "type"),
    "byte-order mark": (b"\xef\xbb\xbf" + changed(), "malformed-json"),
    "UTF-16": (changed().decode().encode("utf-16"), "malformed-json"),
    "UTF-16 that does not say so": (changed().decode().encode("utf-16-le"), "malformed-json"),
    "something behind it": (changed() + b"\r\n\0garbage}", "malformed-json"),
    "in a list": (b"[" + changed() + b"]", "wrong-schema"),
    "in a string": (json.dumps(changed().decode()).encode(), "wrong-schema"),
    "data in a string": (with_data(lambda data: json.dumps(data)), "wrong-schema"),
    "data in a list": (with_data(lambda data: [data]), "wrong-schema"),
    "a trailing comma": (changed()[:-1] + b",}", "malformed-json"),
    "oversized": (changed(padding="x" * 400_000), "oversized"),
}


@pytest.mark.parametrize(("payload", "doubt"), SALVAGED.values(), ids=SALVAGED)
def test_a_fault_of_shape_costs_itself_and_not_the_fire(payload: bytes, doubt: str) -> None:
    found = decoded(payload)

    assert isinstance(found, Fact)
    assert found.gateway == GATEWAY
    assert found.envelope.subject == DEVICE
    assert isinstance(found.data, SmokeAlarm)
    assert (found.data.condition, found.data.active) == ("smoke", True)
    assert found.data.since == NOW
    assert any(doubt in one for one in found.marks["shape_doubtful"])


UNREADABLE = {
    "a condition that nobody knows": changed(data={"condition": "scent"}),
    "no condition": changed(data={"condition": ...}),
    "condition is a number": changed(data={"condition": 4}),
    "no data": changed(drop=("data",)),
    "data is a list": with_data(lambda _: [1]),
    "an event that nobody knows": changed(
        type="city.vigil.flood.rising.v1", data={"condition": ..., "level": 3}
    ),
    "cut off in the data": sent(fire()).partition(b'"smoke"')[0] + b'"smo',
    "cut off before the data": sent(fire()).partition(b'"data"')[0],
    "not JSON": b"{'subject': 'alarm-1', 'condition': 'smoke', 'active': True}",
}


@pytest.mark.parametrize("payload", UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_possibly_a_fire(payload: bytes) -> None:
    found = decoded(payload)

    assert isinstance(found, Fact)
    assert isinstance(found.data, SmokeAlarm)
    assert (found.data.condition, found.data.active) == ("unreadable", True)
    assert found.data.raw
    assert found.envelope.subject == DEVICE
    assert found.marks["shape_doubtful"]


def test_a_field_named_like_the_condition_is_read() -> None:
    found = decoded(changed(data={"condition": ..., "heat": True}))

    assert found.data.condition == "heat"


@pytest.mark.parametrize(
    ("said", "active"), [(False, False), (0, False), ("off", False), ("", True), (None, True)]
)
def test_only_what_plainly_says_so_ends_a_fire(said: Any, active: bool) -> None:
    assert decoded(changed(data={"active": said, "odd": 1})).data.active is active


NOT_ALARMS = {
    "nothing to read": b"\x00\xff{",
    "another's health": changed(type="city.vigil.device.health.v1"),
    "what is sent down": changed(type="city.vigil.receipt.v1"),
    "water of a later version": changed(type="city.vigil.water.excursion.v9"),
}


@pytest.mark.parametrize("payload", NOT_ALARMS.values(), ids=NOT_ALARMS)
def test_what_is_no_alarm_is_refused(payload: bytes) -> None:
    assert isinstance(decoded(payload), Refusal)


def test_an_alarm_on_the_event_lane_is_salvaged_too_and_nothing_else_there() -> None:
    topic = f"vigil/v1/{GATEWAY}/event"
    payload = changed(source=f"/{GATEWAY}/event/{EPOCH}", data={"battery_percent": 300})

    assert decoded(payload, topic).data.condition == "smoke"
    odd = payload.replace(b"smoke.alarm", b"noise.blast")
    assert isinstance(decoded(odd, topic), Refusal)


def test_version_1_stays_version_1_so_that_a_test_stays_a_test() -> None:
    found = decoded(changed(type=SmokeAlarmV1.TYPE, data={"battery_percent": -1}))

    assert isinstance(found.data, SmokeAlarmV1)
    assert found.envelope.type == SmokeAlarmV1.TYPE


@given(st.binary(max_size=300))
def test_noise_on_the_alarm_lane_never_raises(payload: bytes) -> None:
    assert decoded(payload) is not None


@given(st.data())
def test_a_damaged_fire_is_still_an_alarm(data: st.DataObject) -> None:
    """Whatever single byte is lost or changed: at least that an alarm came is told."""
    good = bytearray(sent(fire()))
    place = data.draw(st.integers(0, len(good) - 1))
    if data.draw(st.booleans()):
        del good[place:]
    else:
        good[place] = data.draw(st.integers(0, 255))

    found = decoded(bytes(good))

    # Where its very type has been lost it may be read as something else, and is set aside whole.
    assert isinstance(found, Fact) or b"city.vigil.smoke.alarm" not in good


def all_of(payload: bytes, topic: str = TOPIC) -> list[Any]:
    return list(Decoder(Limits()).decode_all(topic, payload, NOW))


def message(number: int, **data: Any) -> dict[str, Any]:
    """The so-many-th alarm of a gateway, of a device of its own."""
    said: dict[str, Any] = json.loads(
        event(GATEWAY, number, fire(alarm_id=f"fire-{number:04}"), subject=f"a-{number}", time=NOW)
    )
    said["source"] = f"/{GATEWAY}/alarm/{EPOCH}"
    return said | {"data": said["data"] | data}


TOGETHER: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "a batch of CloudEvents": lambda said: json.dumps(said).encode(),
    "NDJSON": lambda said: "\n".join(json.dumps(one) for one in said).encode(),
    "JSON text sequences": lambda said: b"".join(
        b"\x1e" + json.dumps(one).encode() + b"\n" for one in said
    ),
    "one behind the other": lambda said: "".join(json.dumps(one) for one in said).encode(),
    "a batch behind a byte-order mark": lambda said: json.dumps(said).encode("utf-8-sig"),
    "a batch in UTF-16": lambda said: json.dumps(said).encode("utf-16"),
    "wrapped": lambda said: json.dumps({"events": said, "sent": "now"}).encode(),
    "wrapped each": lambda said: json.dumps([{"payload": one} for one in said]).encode(),
    "wrapped as text": lambda said: json.dumps({"v": 1, "body": json.dumps(said)}).encode(),
    "by name": lambda said: json.dumps({one["subject"]: one for one in said}).encode(),
}


@pytest.mark.parametrize("put", TOGETHER.values(), ids=TOGETHER)
def test_every_fire_of_several_alarms_in_one_message_is_raised(
    put: Callable[[list[dict[str, Any]]], bytes],
) -> None:
    """Given an end in front, which must not hide what stands behind it."""
    found = all_of(put([message(1, active=False), message(2), message(3, condition="co")]))

    assert all(isinstance(one, Fact) and one.marks["shape_doubtful"] for one in found)
    assert [(one.envelope.subject, one.data.condition, one.data.active) for one in found] == [
        ("a-1", "smoke", False),
        ("a-2", "smoke", True),
        ("a-3", "co", True),
    ]
    assert [one.sequence for one in found] == [1, 2, 3], "its sender hears of each"
    assert "message: holds 3" in found[0].marks["shape_doubtful"]


def test_several_conditions_in_one_envelope_are_raised() -> None:
    said = message(1)
    clear = {**said["data"], "alarm_id": "other-0001", "active": False}
    found = all_of(json.dumps({**said, "data": [clear, said["data"]]}).encode())

    assert [(one.data.alarm_id, one.data.active) for one in found] == [
        ("other-0001", False),
        ("fire-0001", True),
    ]
    assert [one.sequence for one in found] == [1, None]
    assert len({one.envelope.id for one in found}) == 2


@pytest.mark.parametrize("wrap", [{"payload": ...}, {"a": {"b": ...}}, {"data": ...}])
def test_an_alarm_in_a_wrapper_is_read_as_what_it_is(wrap: dict[str, Any]) -> None:
    def put(value: Any) -> Any:
        if value is ...:
            return message(7)
        return {key: put(one) for key, one in value.items()} if isinstance(value, dict) else value

    (found,) = all_of(json.dumps(put(wrap)).encode())
    assert (found.envelope.subject, found.data.condition) == ("a-7", "smoke")
    assert (found.source, found.sequence) == (f"/{GATEWAY}/alarm/{EPOCH}", 7)


def test_a_fire_behind_what_is_no_alarm_is_raised() -> None:
    health = message(1) | {"type": GatewayHealth.TYPE, "data": {"uptime_s": 1}}
    (found,) = all_of(json.dumps([health, message(2)]).encode())
    assert found.envelope.subject == "a-2"


@pytest.mark.parametrize("phase", [["taken"], {"is": "taken"}, None, 1.5, "gone"])
def test_no_value_of_an_aed_that_was_taken_hides_it_or_a_fire_beside_it(phase: Any) -> None:
    data = {"removal_id": "removal-0001", "phase": phase, "opened": phase}
    removal = message(1) | {"type": AedRemoval.TYPE, "data": data}
    taken, burning = all_of(json.dumps([removal, message(2)]).encode())

    assert (taken.envelope.type, taken.data.phase) == (AedRemoval.TYPE, "taken")
    assert (burning.envelope.subject, burning.data.condition) == ("a-2", "smoke")


def test_an_alarm_that_its_domain_cannot_read_costs_itself_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def mistaken(_: DamagedAlarm) -> Model:
        raise ValueError("a mistake of ours")

    readings = alarm_readings()
    broken = readings | {AED: replace(readings[AED], read=mistaken)}
    monkeypatch.setattr(salvage, "alarm_readings", lambda: broken)
    removal = message(1) | {"type": AedRemoval.TYPE, "data": {"removal_id": "removal-0001"}}

    (burning,) = all_of(json.dumps([removal, message(2)]).encode())
    assert burning.envelope.subject == "a-2"
    assert [type(one) for one in all_of(json.dumps(removal).encode())] == [Refusal]


@pytest.mark.parametrize("turn", [1, -1])
def test_whose_an_alarm_is_does_not_hang_on_the_order_of_registration(
    turn: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = dict(list(alarm_readings().items())[::turn])
    monkeypatch.setattr(salvage, "alarm_readings", lambda: readings)
    aed, smoke = AedRemoval.TYPE, "city.vigil.smoke.alarm.v2"

    for first, second in ((aed, smoke), (smoke, aed)):
        text = f'{{"type":"{first}" {{"type":"{second}" '
        (found, *_) = all_of(text.encode())
        assert found.envelope.type == first, first


def test_a_payload_of_alarms_without_end_is_read_so_far_and_no_further() -> None:
    short = {"subject": "a-1", "data": FIRE}
    assert len(all_of(json.dumps([short] * 3000).encode())) == 1000


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=20))
def test_whatever_json_comes_on_the_alarm_lane_becomes_something(value: Any) -> None:
    found = all_of(json.dumps([value, {"x": value}, message(1)]).encode())
    assert [one.envelope.subject for one in found if isinstance(one, Fact)][-1] == "a-1"
