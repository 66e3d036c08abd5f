"""Every kind of bad message gets its reason; good ones mean what the contract says."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateways import EPOCH, WATER, birth, event, observation, smoke
from vigil_cloud.ingest.decode import Decoded, Decoder, Fact, Observation, Refusal
from vigil_cloud.ingest.times import Limits
from vigil_schemas.contract import observation_type
from vigil_schemas.control import ReceiptV1
from vigil_schemas.envelope import decode, encode
from vigil_schemas.senml import Reading, microseconds, pack, unpack
from vigil_schemas.types import QartodFlag

NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)
GATEWAY, DEVICE = "gw-a", "sonde-1"
TOPIC = f"vigil/v1/{GATEWAY}/observation"
SOURCE = f"/{GATEWAY}/observation/{EPOCH}"


def decoded(payload: bytes, topic: str = TOPIC) -> Decoded:
    return Decoder(Limits()).decode(topic, payload, NOW)


def changed(**fields: Any) -> bytes:
    message = json.loads(observation(GATEWAY, 5, device=DEVICE, time=NOW))
    message.update(fields)
    return json.dumps({k: v for k, v in message.items() if v is not None}).encode()


def record(**fields: Any) -> bytes:
    message = json.loads(observation(GATEWAY, 5, device=DEVICE, time=NOW))
    message["data"][0].update(fields)
    return json.dumps(message).encode()


def test_an_observation_becomes_points() -> None:
    payload = observation(GATEWAY, 5, device=DEVICE, time=NOW, records=70)

    found = decoded(payload)

    assert isinstance(found, Observation)
    device, readings = unpack(decode(payload).data)  # type: ignore[arg-type]  # a pack
    assert (found.gateway, found.source, found.sequence) == (GATEWAY, SOURCE, 5)
    assert found.device == device
    assert found.units == dict(WATER)
    assert [(p.series, p.time_us, p.value, p.flag) for p in found.points] == [
        (("water", GATEWAY, DEVICE, r.parameter), microseconds(r.time), r.value, r.flag)
        for r in readings
    ]


@given(
    st.lists(
        st.builds(
            Reading,
            st.sampled_from(["pH", "level"]),
            st.sampled_from([None, "pH", "m"]),
            st.integers(-(10**12), 0).map(lambda us: NOW + timedelta(microseconds=us)),
            st.none() | st.floats(allow_nan=False, allow_infinity=False),
            st.sampled_from(QartodFlag),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_any_pack_means_what_the_contract_says(readings: list[Reading]) -> None:
    payload = encode(
        id="x" * 32,
        source=SOURCE,
        type=observation_type("water"),
        subject=DEVICE,
        time=NOW,
        data=pack(DEVICE, readings),
        sequence=1,
    )
    found = decoded(payload)

    assert isinstance(found, Observation)
    _, expected = unpack(decode(payload).data)  # type: ignore[arg-type]  # a pack
    assert [(p.series.parameter, p.time_us, p.value, p.flag) for p in found.points] == [
        (r.parameter, microseconds(r.time), r.value, r.flag) for r in expected
    ]


def test_an_event_and_a_status_become_facts() -> None:
    alarm = decoded(
        event(GATEWAY, 3, smoke(NOW), subject="alarm-1", time=NOW, lane="alarm"),
        f"vigil/v1/{GATEWAY}/alarm",
    )
    born = decoded(
        event(GATEWAY, None, birth(NOW), subject=GATEWAY, time=NOW, lane="status"),
        f"vigil/v1/{GATEWAY}/status",
    )

    assert isinstance(alarm, Fact)
    assert (alarm.source, alarm.sequence, alarm.channel) == (f"/gw-a/alarm/{EPOCH}", 3, "alarm")
    assert isinstance(born, Fact)
    assert (born.source, born.sequence, born.channel) == (None, None, "status")


def test_a_retained_birth_may_be_old() -> None:
    long_ago = NOW - timedelta(days=900)
    payload = event(GATEWAY, None, birth(long_ago), subject=GATEWAY, time=long_ago, lane="status")

    assert isinstance(decoded(payload, f"vigil/v1/{GATEWAY}/status"), Fact)


REFUSED_WITH_NUMBER = {
    "cut off": (observation(GATEWAY, 5, device=DEVICE, time=NOW)[:-20], "malformed-json"),
    "too large": (changed(data="x" * 300_000), "oversized"),
    "no data": (changed(data=None), "wrong-schema"),
    "not a pack": (changed(data={"v": 1}), "wrong-schema"),
    "empty pack": (changed(data=[]), "wrong-schema"),
    "no base name": (record(bn=None), "wrong-schema"),
    "other base name": (record(bn="urn:dev:mac:0024befffe804ff1"), "wrong-schema"),
    "another device": (record(bn="urn:vigil:sonde-2:"), "wrong-schema"),
    "unit not registered": (record(u="furlong"), "wrong-schema"),
    "value is text": (record(v="seven"), "wrong-schema"),
    "value is a number as text": (record(v="1_000"), "wrong-schema"),
    "value is truth": (record(v=True), "wrong-schema"),
    "time is text": (record(t="0"), "wrong-schema"),
    "flag is text": (record(qf="1"), "wrong-schema"),
    "flag is a fraction": (record(qf=1.0), "wrong-schema"),
    "NaN": (record(v=1).replace(b'"v": 1,', b'"v": NaN,'), "wrong-schema"),
    "a base value that is text": (record(bv="1"), "wrong-schema"),
    "a later SenML": (record(bver=11), "wrong-schema"),
    "to be understood": (record(ct_="60"), "wrong-schema"),
    "a text value": (record(vs="on"), "wrong-schema"),
    "a sum": (record(s=12.5), "wrong-schema"),
    "a base sum": (record(bs=12.5), "wrong-schema"),
    "no base time": (record(bt=None), "stale"),
    "a relative time": (record(bt=0, t=-5), "stale"),
    "an envelope's time that is a number": (changed(time=1777622400), "wrong-schema"),
    "a date alone": (changed(time="2026-05-01"), "wrong-schema"),
    "flag unknown": (record(qf=7), "wrong-schema"),
    "infinite": (record(v=1).replace(b'"v": 1,', b'"v": 1e999,'), "wrong-schema"),
    "naive time": (changed(time="2026-05-01T08:00:00"), "wrong-schema"),
    "no such type": (changed(type="city.vigil.tree.observation.v1"), "unknown-type"),
    "version of CloudEvents": (changed(specversion="2.0"), "wrong-schema"),
    "NUL in the id": (changed(id="a\0b"), "wrong-schema"),
    "older than 400 days": (
        observation(GATEWAY, 5, device=DEVICE, time=NOW - timedelta(days=401)),
        "stale",
    ),
    "a reading in the future": (
        observation(GATEWAY, 5, device=DEVICE, time=NOW, step=timedelta(hours=2), records=14),
        "future-dated",
    ),
    "a time beyond the calendar": (record(t=1e300), "wrong-schema"),
    "a time beyond all numbers": (record(t=1e305), "wrong-schema"),
    "an event on the observation lane of a type sent down": (
        encode(
            id="x",
            source=SOURCE,
            type=ReceiptV1.TYPE,
            subject=GATEWAY,
            time=NOW,
            data=ReceiptV1(source=SOURCE, stored=1),
            sequence=5,
        ),
        "unknown-type",
    ),
    "a birth on a lane": (
        event(GATEWAY, 5, birth(NOW), subject=GATEWAY, time=NOW, lane="observation"),
        "wrong-lane",
    ),
}


@pytest.mark.parametrize(
    ("payload", "reason"), REFUSED_WITH_NUMBER.values(), ids=REFUSED_WITH_NUMBER
)
def test_refused_but_counted_as_stored(payload: bytes, reason: str) -> None:
    """Sending it again would change nothing, so its number is taken."""
    found = decoded(payload)

    assert isinstance(found, Refusal)
    assert found.detail
    assert found == Refusal(GATEWAY, SOURCE, 5, reason, found.detail)


REFUSED = {
    "garbage": (b"{garbage", TOPIC, "malformed-json"),
    "not UTF-8": (b'{"id":"\xff\xfe"}', TOPIC, "malformed-json"),
    "a list": (b"[1,2]", TOPIC, "wrong-schema"),
    "number missing": (changed(sequence=None), TOPIC, "wrong-schema"),
    "number too short": (changed(sequence="5"), TOPIC, "wrong-schema"),
    "number zero": (changed(sequence="0" * 16), TOPIC, "wrong-schema"),
    "another's source": (changed(), "vigil/v1/gw-b/observation", "wrong-gateway"),
    "another lane": (changed(), f"vigil/v1/{GATEWAY}/alarm", "wrong-lane"),
    "no topic of ours": (changed(), "vigil/v1/gw-a/elsewhere", "wrong-gateway"),
    "source is prose": (changed(source="from me"), TOPIC, "wrong-schema"),
    "epoch with a NUL": (changed(source=f"/{GATEWAY}/observation/a\0"), TOPIC, "wrong-schema"),
    "gateway with capitals": (
        changed(source=f"/GW/observation/{EPOCH}"),
        "vigil/v1/GW/observation",
        "wrong-gateway",
    ),
}


@pytest.mark.parametrize(("payload", "topic", "reason"), REFUSED.values(), ids=REFUSED)
def test_refused_without_moving_any_mark(payload: bytes, topic: str, reason: str) -> None:
    found = decoded(payload, topic)

    assert isinstance(found, Refusal)
    assert (found.reason, found.source, found.sequence) == (reason, None, None)


@given(st.binary(max_size=200))
def test_noise_never_raises(payload: bytes) -> None:
    assert isinstance(decoded(payload), Refusal)


@given(st.data())
def test_a_damaged_message_never_raises(data: st.DataObject) -> None:
    good = bytearray(observation(GATEWAY, 5, device=DEVICE, time=NOW))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))

    assert decoded(bytes(good)) is not None


def primed() -> Decoder:
    """A decoder that has met the source and its parameters, so that the short way is open."""
    decoder = Decoder(Limits())
    assert isinstance(
        decoder.decode(TOPIC, observation(GATEWAY, 1, device=DEVICE, time=NOW), NOW), Observation
    )
    return decoder


def test_the_short_way_is_really_taken() -> None:
    payload = observation(GATEWAY, 5, device=DEVICE, time=NOW, records=70)

    assert primed()._fast_packs.decode(TOPIC, payload) is not None


def without_news(found: Decoded) -> Decoded:
    return found._replace(units={}) if isinstance(found, Observation) else found


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.sampled_from(["", "7", "Cel", "m", "urn:vigil:sonde-1:", "urn:vigil:other:", [], {}]),
    st.sampled_from([1, 2, 3, 4, 9, 1.0, 9.0, 1e305, -0.0]),
)


@example([(0, "bt", 1e12)], [], False, ())
@given(
    st.lists(
        st.tuples(
            st.integers(0, 6),
            st.sampled_from(
                [
                    *("bn", "bt", "n", "u", "t", "v", "qf", "x", "ut"),
                    *("bv", "bu", "bver", "bs", "s", "vs", "vb", "vd", "x_", "qf_"),
                ]
            ),
            VALUES,
        ),
        max_size=4,
    ),
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    *("specversion", "id", "source", "type", "subject", "time", "sequence"),
                    *("clockquality", "datacontenttype", "dataschema", "data", "extra"),
                ]
            ),
            st.one_of(
                VALUES,
                st.sampled_from(
                    [
                        *("2026-04-01T00:00:00Z", "2026-04-01T00:00:00+08:00", "2026-13-01"),
                        *("2026-04-01T00:00:00", "20260401T000000Z", "2026-04-01 00:00:00Z"),
                        *("0" * 15 + "9", "٠" * 16, "x" * 65, "a\0b", "holdover", "1.0"),
                        *("/gw-a/observation/abcdef01", "/gw-b/observation/abcdef01"),
                        *("city.vigil.water.observation.v1", "city.vigil.noise.observation.v1"),
                    ]
                ),
            ),
        ),
        max_size=2,
    ),
    st.booleans(),
    st.sampled_from([(), ("t",), ("qf",), ("v",), ("u",), ("t", "v")]),
)
def test_the_short_way_and_the_contract_agree(
    in_records: list[tuple[int, str, Any]],
    in_envelope: list[tuple[str, Any]],
    drop: bool,
    missing: tuple[str, ...],
) -> None:
    """Whatever is changed in a message, both ways give the same points or the same refusal."""
    message = json.loads(observation(GATEWAY, 5, device=DEVICE, time=NOW))
    for record in message["data"]:  # one field less leaves room for one more
        for key in missing:
            record.pop(key, None)
    for number, key, value in in_records:
        if drop:
            message["data"][number].pop(key, None)
        else:
            message["data"][number][key] = value
    for key, value in in_envelope:
        message[key] = value
    payload = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode(
        errors="surrogatepass"
    )

    short = primed().decode(TOPIC, payload, NOW)
    long = decoded(payload)

    assert without_news(short) == without_news(long)
    if isinstance(short, Observation):
        assert [type(p.value) for p in short.points] == [
            type(p.value)
            for p in long.points  # type: ignore[union-attr]  # equal, so an observation
        ]
