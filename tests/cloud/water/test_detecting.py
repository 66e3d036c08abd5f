"""The detector in service: what ingest stored is judged in the background, and people are told."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import isnan
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import select

from cloud_city import GATEWAY, NOON, City, excursion
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.platform import standing
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import NewestReadings
from vigil_cloud.devices.newest import record_newest
from vigil_cloud.jobs.models import WorkRow
from vigil_cloud.jobs.port import Turn
from vigil_cloud.jobs.worker import Worker
from vigil_cloud.timeseries.port import Point, Series
from vigil_cloud.water import detecting, incidents
from vigil_cloud.water.anomalies import excursion_name
from vigil_cloud.water.detecting import WATER_DETECTION, WINDOW_US
from vigil_cloud.water.detection.ledger import Anomaly
from vigil_cloud.water.models import AnomalyRow, DetectorState, Excursion
from vigil_schemas.senml import microseconds
from vigil_schemas.types import QartodFlag

NAMES = ("temperature", "specific_conductance", "pH", "dissolved_oxygen")
SONDE = "sonde-1"
QUARTER = timedelta(minutes=15)
DAY = 96
LEARNT = 6 * DAY
Floats = NDArray[np.float64]


def canal(rows: int, seed: int = 5) -> Floats:
    """A daily course and noise, in the units that are stored."""
    random = np.random.default_rng(seed)
    phase = 2 * np.pi * np.arange(rows) / DAY
    return np.stack(
        [
            18 + 2 * np.sin(phase) + random.normal(0, 0.02, rows),
            (430 + 6 * np.sin(phase / 2) + random.normal(0, 0.5, rows)) * 1e-4,
            7.9 + 0.15 * np.sin(phase) + random.normal(0, 0.006, rows),
            (8.5 + 0.8 * np.sin(phase) + random.normal(0, 0.03, rows)) * 1e-3,
        ],
        axis=1,
    )


def stored(
    city: City,
    values: Floats,
    first: datetime,
    flags: dict[tuple[int, str], QartodFlag] | None = None,
) -> None:
    """As ingest leaves them: in the time series, and the newest beside it."""
    points = []
    for number, row in enumerate(values.tolist()):
        at = microseconds(first + number * QUARTER)
        for name, value in zip(NAMES, row, strict=True):
            flag = (flags or {}).get((number, name), QartodFlag.GOOD)
            gone = isnan(value)
            points.append(
                Point(
                    Series("water", GATEWAY, SONDE, name),
                    at,
                    None if gone else value,
                    QartodFlag.MISSING if gone else flag,
                )
            )
    city.services.timeseries.write(points)
    newest = {one.series.parameter: one for one in points}
    with writing(city.services.sessions) as session:
        record_newest(session, {SONDE: newest})


def judged(city: City) -> int:
    """Everything that can be judged now is; how many pieces of work that took."""
    worker, done = Worker(city.services, [WATER_DETECTION], "worker", apart=False), 0
    while True:
        with city.services.sessions() as session:
            if not detecting.waiting(session, city.time) and not session.scalar(
                select(WorkRow.id).where(
                    WorkRow.kind == WATER_DETECTION.name, WorkRow.due <= city.time
                )
            ):
                return done
        detecting.follow(Turn(city.services, city.time))
        while worker.do_one():
            done += 1


def found(city: City) -> list[AnomalyRow]:
    with city.services.sessions() as session:
        return list(session.scalars(select(AnomalyRow).order_by(AnomalyRow.found, AnomalyRow.id)))


def water(city: City) -> list[dict[str, Any]]:
    return city.alerts("inspector", domain="water")


def faults(city: City) -> list[str]:
    with city.services.sessions() as session:
        return [one.title for one in standing(session, "sensor-fault")]


@pytest.fixture
def learnt(city: City) -> tuple[City, Floats]:
    """A city whose probe was followed for six days, and what it goes on to show."""
    values = canal(LEARNT + 3 * DAY)
    stored(city, values[:LEARNT], NOON - LEARNT * QUARTER)
    city.time = NOON - QUARTER + timedelta(minutes=2)
    judged(city)
    return city, values[LEARNT:]


def goes_on(city: City, values: Floats, together: int = 1) -> None:
    """So many readings after the other, judged a minute after they came."""
    for first in range(0, len(values), together):
        some = values[first : first + together]
        stored(city, some, city.time - timedelta(minutes=2) + QUARTER)
        city.time += len(some) * QUARTER
        judged(city)


def test_a_discharge_calls_inspectors_once_and_joins_what_crosses_a_bound(
    learnt: tuple[City, Floats],
) -> None:
    city, values = learnt
    assert water(city) == [], "what it learnt from calls nobody"
    values[4:12, 1] += 150e-4
    values[4:12, 2] -= 0.8
    goes_on(city, values[:8])
    (alert,) = water(city)
    detail = alert["detail"]
    assert (detail["type"], alert["kind"], alert["severity"]) == (
        "water-anomaly",
        "anomaly",
        "major",
    )
    assert {detail["parameter"]} <= {"specific_conductance", "pH"}
    assert detail["score"] >= 1
    assert not detail["late"]
    city.send(excursion(city.time), SONDE)
    (joined,) = water(city)
    assert joined["id"] == alert["id"]
    shown = city.client("inspector").get(f"/api/v1/water/incidents/{detail['incident']}").json()
    kinds = {(one["parameter"], one["kind"]) for one in shown["excursions"]}
    assert {kind for _, kind in kinds} >= {"anomaly", "above"}
    assert faults(city) == []


def test_its_end_ends_the_alert(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    values[4:8, 1] += 150e-4
    goes_on(city, values[:24], 2)
    (alert,) = water(city)
    assert not alert["state"]["active"]
    assert alert["detail"]["ended"] is not None
    with city.services.sessions() as session:
        (row,) = session.scalars(select(Excursion))
        assert row.ended is not None


def test_a_stuck_sensor_is_the_maintainers_and_calls_no_inspector(
    learnt: tuple[City, Floats],
) -> None:
    city, values = learnt
    values[8:, 3] = values[8, 3]
    goes_on(city, values[: 2 * DAY], 16)
    assert water(city) == []
    (title,) = faults(city)
    assert "Dissolved oxygen stands still" in title
    goes_on(city, canal(DAY, seed=8)[: DAY // 2], 16)
    assert faults(city) == []


def test_what_the_gateway_calls_failed_is_no_fault(learnt: tuple[City, Floats]) -> None:
    """A maintenance window: buffers are flagged by the gateway."""
    city, values = learnt
    flags = {(row, name): QartodFlag.FAIL for row in range(DAY) for name in NAMES}
    values[:DAY, 2] = 4.0
    stored(city, values[:DAY], NOON, flags)
    city.later(days=1)
    judged(city)
    assert (water(city), faults(city)) == ([], [])


def test_what_was_kept_through_an_outage_is_judged_and_marked(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    values[4:12, 1] += 150e-4
    city.time = NOON + timedelta(hours=6)
    stored(city, values[:24], NOON)
    judged(city)
    (alert,) = water(city)
    assert alert["detail"]["late"]
    assert not alert["state"]["active"]


def test_in_pieces_or_at_once_the_same_is_found(city: City, learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    values[4:12, 1] += 150e-4
    values[40:42, 0] = np.nan
    with city.services.sessions() as session:
        state = session.get_one(DetectorState, SONDE)
        asked = detecting.Asked(SONDE, state.version, state.state, sorted(NAMES), [], 0, 0.4)
    rows: list[tuple[float, list[float | None], frozenset[str]]] = [
        (
            (NOON + number * QUARTER).timestamp(),
            [float(row[NAMES.index(name)]) for name in sorted(NAMES)],
            frozenset[str](),
        )
        for number, row in enumerate(values[:DAY])
    ]
    whole = detecting.compute(replace(asked, rows=rows))
    keys: set[str] = set()
    for first in range(0, DAY, 7):
        part = detecting.compute(replace(asked, rows=rows[first : first + 7]))
        assert part.error == ""
        asked = replace(asked, state=part.state)
        keys |= {one.key for one in part.changed}
    assert keys == {one.key for one in whole.changed}
    assert asked.state == whole.state


def test_work_that_was_overtaken_changes_nothing(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    values[1:9, 1] += 150e-4
    stored(city, values[:12], NOON)
    city.time = NOON + timedelta(hours=3)
    payload = {"device": SONDE}
    slow = detecting.compute(detecting.load(city.services, payload))
    judged(city)
    before = found(city)
    with writing(city.services.sessions) as session:
        detecting.store(session, payload, slow, city.time)
    assert [one.id for one in found(city)] == [one.id for one in before]
    assert len(water(city)) == 1


def test_a_state_that_cannot_be_read_is_begun_anew_and_told(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    with writing(city.services.sessions) as session:
        session.get_one(DetectorState, SONDE).state = b"torn"
    stored(city, values[:4], NOON)
    city.time = NOON + timedelta(hours=1)
    judged(city)
    shown = city.client("inspector").get(f"/api/v1/water/probes/{SONDE}/detection").json()
    assert "error" in shown["error"]
    assert shown["until"] is not None


def test_a_rate_of_nothing_calls_nobody_and_goes_on_looking(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    with writing(city.services.sessions) as session:
        incidents.set_rules(session, {"false_per_week": 0}, "inspector", city.time)
    values[4:12, 1] += 150e-4
    goes_on(city, values[:12])
    assert water(city) == []
    shown = city.client("inspector").get(f"/api/v1/water/probes/{SONDE}/detection").json()
    assert shown["false_per_week"] == 0
    assert any(one["type"] == "water" for one in shown["anomalies"])


def test_the_state_is_small_and_its_page_is_closed_to_others(learnt: tuple[City, Floats]) -> None:
    city, _ = learnt
    with city.services.sessions() as session:
        row = session.get_one(DetectorState, SONDE)
        assert row.state is not None
        assert len(row.state) < 100_000
        assert row.until_us % WINDOW_US == 0
        assert row.interval_s == QUARTER.total_seconds()
        assert json.dumps(row.flags)
    assert city.client("family").get(f"/api/v1/water/probes/{SONDE}/detection").status_code == 403


def test_a_probe_that_was_taken_away_is_forgotten(learnt: tuple[City, Floats]) -> None:
    city, _ = learnt
    with writing(city.services.sessions) as session:
        session.delete(session.get_one(NewestReadings, SONDE))
    other = [Point(Series("water", GATEWAY, "sonde-2", "pH"), microseconds(NOON), 7.0, 1)]
    city.services.timeseries.write(other)
    with writing(city.services.sessions) as session:
        record_newest(session, {"sonde-2": {"pH": other[0]}})
    city.time = NOON + timedelta(minutes=5)
    judged(city)
    with city.services.sessions() as session:
        assert list(session.scalars(select(DetectorState.device))) == ["sonde-2"]


def failing(*_: object) -> None:
    raise ValueError("the register is torn")


def test_an_event_whose_incident_fails_calls_all_the_same_and_is_told(
    learnt: tuple[City, Floats], monkeypatch: pytest.MonkeyPatch
) -> None:
    city, values = learnt
    monkeypatch.setattr(incidents, "find", failing)
    values[4:8, 1] += 150e-4
    goes_on(city, values[:8])
    (alert,) = water(city)
    assert alert["state"]["active"]
    with city.services.sessions() as session:
        (told,) = standing(session, "incident-failed")
        assert "the register is torn" in str(told.detail["explanation"])

    # and that is over with the next one that goes through
    monkeypatch.undo()
    values[100:104, 1] += 150e-4
    goes_on(city, values[8:104], 8)
    with city.services.sessions() as session:
        assert len(session.scalars(select(AlertRow).where(AlertRow.domain == "water")).all()) == 2
        assert standing(session, "incident-failed") == []


def test_what_was_open_ends_where_the_detector_is_begun_anew(
    learnt: tuple[City, Floats],
) -> None:
    city, values = learnt
    values[4:, 1] += 150e-4
    goes_on(city, values[:8])
    (alert,) = water(city)
    assert alert["state"]["active"]
    with writing(city.services.sessions) as session:
        session.get_one(DetectorState, SONDE).state = b"torn"
    goes_on(city, values[8:10])
    (alert,) = water(city)
    assert not alert["state"]["active"]
    with city.services.sessions() as session:
        assert all(row.ended for row in session.scalars(select(Excursion)))
    assert all(row.ended for row in found(city))


def test_what_goes_on_ends_though_nothing_calls_any_more(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    values[4:12, 1] += 150e-4
    goes_on(city, values[:8])
    with writing(city.services.sessions) as session:
        incidents.set_rules(session, {"false_per_week": 0}, "inspector", city.time)
    goes_on(city, values[8:40], 8)
    (alert,) = water(city)
    assert not alert["state"]["active"]


def test_a_reading_ahead_of_our_clock_is_waited_for(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    city.time += timedelta(minutes=2)
    stored(city, values[:1], city.time + timedelta(minutes=5))
    detecting.follow(Turn(city.services, city.time))
    worker = Worker(city.services, [WATER_DETECTION], "worker", apart=False)
    assert [worker.do_one() for _ in range(3)] == [True, False, False], "not again and again"
    with city.services.sessions() as session:
        row = session.get_one(DetectorState, SONDE)
        assert row.until_us <= microseconds(city.time)
    city.later(minutes=7)
    assert judged(city) == 1


def test_a_clock_that_was_set_back_leaves_nobody_unasked(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    with writing(city.services.sessions) as session:
        session.get_one(DetectorState, SONDE).asked_us = microseconds(city.time + timedelta(days=1))
    stored(city, values[:1], NOON)
    city.time = NOON + timedelta(minutes=2)
    assert judged(city) == 1


def test_faults_of_long_ago_send_nobody(city: City) -> None:
    values = canal(LEARNT)
    values[110:250, 3] = values[110, 3]
    stored(city, values, NOON - LEARNT * QUARTER)
    city.time = NOON - QUARTER + timedelta(minutes=2)
    judged(city)
    assert any(one.reason == "stuck" for one in found(city))
    shown = city.alerts("administrator", domain="platform")
    assert [one for one in shown if one["kind"] == "sensor-fault"] == []


def test_what_a_probe_gave_once_does_not_hide_what_it_gives_now(city: City) -> None:
    def reading(name: str, at: datetime) -> Point:
        return Point(Series("water", GATEWAY, SONDE, name), microseconds(at), 0.05, 1)

    points = [
        reading("specific_conductance", NOON - timedelta(days=10)),
        reading("conductivity", NOON),
        reading("pH", NOON),
    ]
    city.services.timeseries.write(points)
    with writing(city.services.sessions) as session:
        record_newest(session, {SONDE: {one.series.parameter: one for one in points}})
    asked = detecting.load(city.services, {"device": SONDE})
    assert asked.names == ["conductivity", "pH"]


def test_long_names_keep_events_apart() -> None:
    def name(at: float) -> str:
        one = Anomaly("specific_conductance", "water", "excursion", at, at, at, 1.0, 1.0, 1.0, 2.0)
        return excursion_name("g" * 63, "d" * 64, one)

    first, second = name(NOON.timestamp()), name(NOON.astimezone(UTC).timestamp() + 60)
    assert first != second
    assert len(first) <= 130
    assert first == name(NOON.timestamp())
