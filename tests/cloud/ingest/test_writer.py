"""Storing: exactly once whatever arrives how often in which order, and nothing blocks a lane."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from cloud.ingest.alarms import Alarms, alarm, ids_handled, ready_gateway
from gateways import EPOCH, birth, death, event, new_name, observation
from ingest_bench import NOW, Bench
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.database.engine import writing
from vigil_cloud.devices import removal
from vigil_cloud.devices.models import Device, Gateway
from vigil_cloud.devices.seen import enrol
from vigil_cloud.refusals.models import DeadLetter
from vigil_cloud.timeseries.port import (
    Series,
)
from vigil_schemas.gateway import DeviceHealth

HOUR = timedelta(hours=1)


def test_readings_are_stored_and_told(bench: Bench) -> None:
    gateway, device = new_name(), new_name("sonde")
    payload = observation(gateway, 1, device=device, time=NOW, records=70)

    bench.writer().store([bench.arrived(f"vigil/v1/{gateway}/observation", payload)])

    series = Series("water", gateway, device, "pH")
    assert bench.services.timeseries.count(series, NOW, NOW + HOUR) == 10
    assert bench.recorder.told == [(f"/{gateway}/observation/{EPOCH}", 1, (), 0)]
    assert bench.recorder.acknowledged == 1
    assert bench.metric("vigil_ingest_points_total") == 70
    with bench.services.sessions() as session:
        row = session.get_one(Device, device)
        assert (row.gateway, row.domain, row.last_seen) == (gateway, "water", NOW)
        assert row.units["specific_conductance"] == "S/m"
        assert "turbidity_FNU" not in row.units


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    order=st.lists(st.integers(1, 8), min_size=1, max_size=24),
    cuts=st.lists(st.integers(0, 24), max_size=4),
)
def test_duplicates_and_reorderings_are_harmless(
    bench: Bench, order: list[int], cuts: list[int]
) -> None:
    """Given each message any number of times in any order and grouping, each counts once."""
    gateway, device = ready_gateway(bench), new_name("sonde")
    writer = bench.writer([Alarms()])
    topic = f"vigil/v1/{gateway}/observation"
    arrived = []
    for n in order:
        arrived.append(bench.arrived(*alarm(gateway, n, f"event-{n}")))
        payload = observation(gateway, n, device=device, time=NOW + n * timedelta(minutes=1))
        arrived.append(bench.arrived(topic, payload))

    edges = sorted({0, len(arrived), *(2 * cut for cut in cuts if 2 * cut < len(arrived))})
    for begin, end in pairwise(edges):
        writer.store(arrived[begin:end])

    taken = set(order)
    assert sorted(ids_handled(bench, gateway)) == sorted(f"event-{n}" for n in taken)
    series = Series("water", gateway, device, "level")
    assert bench.services.timeseries.count(series, NOW, NOW + HOUR) == len(taken)
    stored = next(n for n in range(10) if n + 1 not in taken)
    last = {source: (mark, beyond) for source, mark, beyond, _ in bench.recorder.told}
    for lane in ("alarm", "observation"):
        mark, beyond = last[f"/{gateway}/{lane}/{EPOCH}"]
        assert mark == stored
        assert {n for a, b in beyond for n in range(a, b + 1)} == {n for n in taken if n > stored}


def test_the_same_fact_under_two_numbers_is_taken_once(bench: Bench) -> None:
    gateway = ready_gateway(bench)
    writer = bench.writer([Alarms()])

    writer.store([bench.arrived(*alarm(gateway, n, "the-same")) for n in (1, 2)])
    writer.store([bench.arrived(*alarm(gateway, 3, "the-same"))])

    assert ids_handled(bench, gateway) == ["the-same"]
    assert bench.recorder.told[-1] == (f"/{gateway}/alarm/{EPOCH}", 3, (), 0)
    assert bench.metric("vigil_ingest_duplicates_total") == 2


def test_two_gateways_may_use_the_same_event_id(bench: Bench) -> None:
    gateways = [ready_gateway(bench), ready_gateway(bench)]

    bench.writer([Alarms()]).store([bench.arrived(*alarm(g, 1, "id-1")) for g in gateways])

    assert [ids_handled(bench, g) for g in gateways] == [["id-1"], ["id-1"]]


def test_a_refused_message_is_kept_counted_and_passed_by(bench: Bench) -> None:
    gateway = ready_gateway(bench)
    topic = f"vigil/v1/{gateway}/alarm"
    wrong = event(
        gateway, 2, DeviceHealth(device="a-1", state="ok", since=NOW), subject="a-1", time=NOW
    )
    wrong = wrong.replace(b"/event/", b"/alarm/").replace(b'"ok"', b'"odd"')
    good = [alarm(gateway, n, f"e-{n}") for n in (1, 3)]
    writer = bench.writer([Alarms()])

    writer.store(
        [
            bench.arrived(*good[0]),
            bench.arrived(topic, wrong),
            bench.arrived(topic, b"{" + b"x" * 100_000),
            bench.arrived(*good[1]),
        ]
    )
    writer.store([bench.arrived(topic, b"{" + b"x" * 100_000)])

    assert ids_handled(bench, gateway) == ["e-1", "e-3"]
    assert bench.recorder.told[0] == (f"/{gateway}/alarm/{EPOCH}", 3, (), 1)
    letters = bench.dead_letters()
    assert [(one.reason, one.count, one.gateway) for one in letters] == [
        ("wrong-schema", 1, gateway),
        ("malformed-json", 2, gateway),
    ]
    assert letters[0].payload == wrong
    assert len(letters[1].payload) == letters[1].size == 100_001, "of an alarm everything is kept"
    assert bench.metric("vigil_ingest_refused_total", reason="malformed-json") == 2


def test_text_that_no_database_takes_is_no_obstacle(bench: Bench) -> None:
    gateway = ready_gateway(bench)
    topic = f"vigil/v1/{gateway}/alarm"
    nul = alarm(gateway, 1, "e")[1].replace(b'"test"', b'"te\\u0000st"')
    surrogate = alarm(gateway, 2, "e2")[1].replace(b'"test"', b'"\\ud800"')

    bench.writer().store([bench.arrived(topic, p) for p in (nul, surrogate, b'"\x00"')])

    assert [one.reason for one in bench.dead_letters()] == [
        "shape-doubtful",
        "shape-doubtful",
        "malformed-json",
    ]


def test_a_stranger_is_refused_until_it_is_added(bench: Bench) -> None:
    gateway, device = new_name(), new_name("sonde")
    topic = f"vigil/v1/{gateway}/observation"
    writer = bench.writer(open_=False)
    series = Series("water", gateway, device, "pH")

    writer.store([bench.arrived(topic, observation(gateway, 1, device=device, time=NOW))])
    assert [one.reason for one in bench.dead_letters()] == ["unknown-gateway"]
    assert bench.services.timeseries.count(series, NOW, NOW + HOUR) == 0
    with bench.services.sessions() as session:
        assert session.get(Gateway, gateway) is None
        enrol(session, gateway, NOW)
        session.commit()

    writer.store([bench.arrived(topic, observation(gateway, 2, device=device, time=NOW))])
    assert bench.services.timeseries.count(series, NOW, NOW + HOUR) == 1


def test_a_clock_that_is_set_back_does_not_silence_a_gateway(bench: Bench) -> None:
    gateway, device = new_name(), new_name("sonde")
    topic = f"vigil/v1/{gateway}/observation"
    writer = bench.writer()
    for n, moment in enumerate((NOW, NOW - HOUR), 1):
        bench.clock[0] = moment
        writer.store([bench.arrived(topic, observation(gateway, n, device=device, time=moment))])

    with bench.services.sessions() as session:
        assert session.get_one(Gateway, gateway).last_seen == NOW - HOUR


def test_more_gaps_than_can_be_told_of_wait_their_turn(bench: Bench) -> None:
    gateway = ready_gateway(bench)
    writer = bench.writer([Alarms()])
    numbers = [2 * n for n in range(1, 301)]

    writer.store([bench.arrived(*alarm(gateway, n, f"e-{n}")) for n in numbers])
    assert len(ids_handled(bench, gateway)) == 300, "an alarm waits for no gap"
    assert sum(b - a + 1 for a, b in bench.recorder.told[-1][2]) == 256

    rest = sorted({*numbers, *range(1, 601, 2)})
    writer.store([bench.arrived(*alarm(gateway, n, f"e-{n}")) for n in rest])
    assert len(ids_handled(bench, gateway)) == 600
    assert bench.recorder.told[-1] == (f"/{gateway}/alarm/{EPOCH}", 600, (), 0)


def test_birth_and_death_are_news_once(bench: Bench) -> None:
    gateway = new_name()
    topic = f"vigil/v1/{gateway}/status"
    writer = bench.writer()

    def status(data: Any) -> None:
        payload = event(gateway, None, data, subject=gateway, time=NOW, lane="status")
        writer.store([bench.arrived(topic, payload)])

    def row() -> Gateway:
        with bench.services.sessions() as session:
            return session.get_one(Gateway, gateway)

    status(birth(NOW, session=2))
    assert (row().connected, row().offline, row().session) == (True, False, 2)
    status(death(session=1))  # the last will of a connection that was replaced
    assert row().connected
    status(death(session=2))
    assert (row().connected, row().offline) == (False, True)
    bench.clock[0] += timedelta(minutes=1)
    status(birth(NOW, session=2))  # retained, heard again: it stays dead
    assert not row().connected
    status(birth(NOW, session=3))
    assert (row().connected, row().offline) == (True, False)


@pytest.mark.parametrize("payload", [b"", b"{}"])
def test_status_without_content(bench: Bench, payload: bytes) -> None:
    bench.writer().store([bench.arrived(f"vigil/v1/{new_name()}/status", payload)])

    assert len(bench.dead_letters()) == (1 if payload else 0)


@pytest.mark.parametrize("enrolment_open", [True, False])
def test_a_revoked_gateway_is_refused_with_its_next_message(
    bench: Bench, enrolment_open: bool
) -> None:
    gateway = ready_gateway(bench)
    device = new_name("sonde")
    writer = bench.writer([Alarms()], open_=enrolment_open)
    writer.store([bench.arrived(*alarm(gateway, 1, "event-1"))])
    with writing(bench.services.sessions) as session:
        removal.revoke(session, gateway, by="operator", now=NOW)
        session.get_one(Gateway, gateway).health = None

    readings = observation(gateway, 1, device=device, time=NOW, records=7)
    writer.store(
        [
            bench.arrived(*alarm(gateway, 2, "event-2")),
            bench.arrived(f"vigil/v1/{gateway}/observation", readings),
            bench.arrived(
                f"vigil/v1/{gateway}/status",
                event(
                    gateway, None, birth(NOW, session=9), subject=gateway, time=NOW, lane="status"
                ),
            ),
        ]
    )

    assert ids_handled(bench, gateway) == []
    assert bench.services.timeseries.series(device) == []
    with bench.services.sessions() as session:
        letters = session.scalars(select(DeadLetter).where(DeadLetter.gateway == gateway))
        assert {letter.reason for letter in letters} == {"revoked-gateway"}
        assert session.get_one(Gateway, gateway).public_key is None


def test_an_unreadable_alarm_under_a_used_number_is_set_aside_and_told(bench: Bench) -> None:
    """An outbox that fell back in time uses its numbers again; no alarm may go with one."""
    gateway = ready_gateway(bench)
    writer = bench.writer([Alarms()])
    topic, payload = alarm(gateway, 1, "event-1")
    writer.store([bench.arrived(topic, payload)])
    unreadable = payload.replace(b"city.vigil.smoke.alarm", b"city.vigil.gateway.birth")

    for _ in range(2):
        writer.store([bench.arrived(topic, unreadable)])

    (letter,) = bench.dead_letters()
    assert (letter.count, letter.alarm) == (1, True)
    with bench.services.sessions() as session:
        refused = select(AlertRow.gateway).where(AlertRow.kind == "alarm-refused")
        assert session.scalars(refused).all() == [gateway]
