"""The detector in service: what ingest stored is judged in the background, and people are told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import select

from cloud_city import GATEWAY, NOON, City, excursion
from followed_sonde import (
    DAY,
    LEARNT,
    NAMES,
    QUARTER,
    SONDE,
    Floats,
    canal,
    detection,
    failing,
    faults,
    found,
    goes_on,
    judged,
    stored,
    water,
)
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.platform import standing
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import NewestReadings
from vigil_cloud.devices.newest import record_newest
from vigil_cloud.timeseries.port import Point, Series
from vigil_cloud.water import detecting, incidents
from vigil_cloud.water.anomalies import excursion_name
from vigil_cloud.water.detection.ledger import Anomaly
from vigil_cloud.water.minutes import WINDOW_US
from vigil_cloud.water.models import DetectorState, Excursion
from vigil_schemas.senml import microseconds
from vigil_schemas.types import QartodFlag


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


def test_a_discharge_that_oxygen_alone_shows_calls(learnt: tuple[City, Floats]) -> None:
    """Oxygen is stored in kg/m³, and what it may be off by is written in mg/L."""
    city, values = learnt
    values[4:16, 3] -= 3e-3
    goes_on(city, values[:8])
    (alert,) = water(city)
    assert alert["detail"]["parameter"] == "dissolved_oxygen"


def test_a_sonde_that_moves_has_no_station_to_be_learnt(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    where = [Series("water", GATEWAY, SONDE, name) for name in ("latitude", "longitude")]
    now = microseconds(city.time)
    points = [Point(one, now, 23.5, QartodFlag.GOOD) for one in where]
    city.services.timeseries.write(points)
    values[4:12, 1] += 300e-4
    before = detection(city)["rows"]
    goes_on(city, values[:10])
    assert water(city) == []
    assert detection(city)["rows"] == before, "nothing of it was judged"


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


def test_one_signal_that_fails_hides_no_dead_one(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    flags = {(row, "pH"): QartodFlag.FAIL for row in range(DAY)}
    values[:DAY, 0] = np.nan
    stored(city, values[:DAY], NOON, flags)
    city.later(days=1)
    judged(city)
    (title,) = faults(city)
    assert "Temperature no reading" in title
    assert "pH no reading" in title, "nor itself for good"


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


@pytest.mark.parametrize(("rows", "calls"), [(1, False), (2, True), (8, True)])
def test_suspect_readings_call_nobody_by_themselves(
    learnt: tuple[City, Floats], rows: int, calls: bool
) -> None:
    """Four in a row are the water's, and so are two that lie ten minutes apart: at a reading each
    quarter of an hour three would be longer than many a discharge."""
    city, values = learnt
    name = "specific_conductance"
    flags = {(row, name): QartodFlag.SUSPECT for row in range(4, 4 + rows)}
    values[4 : 4 + rows, 1] += 150e-4
    stored(city, values[:16], NOON, flags)
    city.time = NOON + 16 * QUARTER
    judged(city)
    assert bool(water(city)) is calls


def test_a_suspect_onset_that_a_good_reading_confirms_calls(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    values[4:12, 1] += 150e-4
    flags = {(row, "specific_conductance"): QartodFlag.SUSPECT for row in (4, 5)}
    stored(city, values[:8], NOON, flags)
    city.time = NOON + 8 * QUARTER
    judged(city)
    assert len(water(city)) == 1


def test_what_goes_on_ends_though_nothing_calls_any_more(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    values[4:12, 1] += 150e-4
    goes_on(city, values[:8])
    with writing(city.services.sessions) as session:
        incidents.set_rules(session, {"false_per_week": 0}, "inspector", city.time)
    goes_on(city, values[8:40], 8)
    (alert,) = water(city)
    assert not alert["state"]["active"]


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
    names, _, _ = detecting.minutes(detecting.load(city.services, {"device": SONDE}))
    assert names == ["conductivity", "pH"]


def test_long_names_keep_events_apart() -> None:
    def name(at: float) -> str:
        one = Anomaly("specific_conductance", "water", "excursion", at, at, at, 1.0, 1.0, 1.0, 2.0)
        return excursion_name("g" * 63, "d" * 64, one)

    first, second = name(NOON.timestamp()), name(NOON.astimezone(UTC).timestamp() + 60)
    assert first != second
    assert len(first) <= 130
    assert first == name(NOON.timestamp())
