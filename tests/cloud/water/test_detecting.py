"""The detector in service: what ingest stored is judged in the background, and people are told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import select

from cloud_city import GATEWAY, NOON, City, excursion
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.platform import standing
from vigil_cloud.alerts.platform_kinds import PlatformKind
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import NewestReadings
from vigil_cloud.devices.newest import record_newest
from vigil_cloud.domain.port import Readings
from vigil_cloud.jobs.models import WorkRow
from vigil_cloud.jobs.port import Turn
from vigil_cloud.jobs.worker import Worker
from vigil_cloud.timeseries.port import Point, Series
from vigil_cloud.water import detecting, following, incidents
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
FOLLOWED = NOON - QUARTER + timedelta(minutes=2)
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
            if not following.waiting(session, city.time) and not session.scalar(
                select(WorkRow.id).where(
                    WorkRow.kind == WATER_DETECTION.name, WorkRow.due <= city.time
                )
            ):
                return done
        following.follow(Turn(city.services, city.time))
        while worker.do_one():
            done += 1


def found(city: City) -> list[AnomalyRow]:
    with city.services.sessions() as session:
        return list(session.scalars(select(AnomalyRow).order_by(AnomalyRow.found, AnomalyRow.id)))


def water(city: City) -> list[dict[str, Any]]:
    return city.alerts("inspector", domain="water")


def told(city: City, kind: PlatformKind) -> list[AlertRow]:
    with city.services.sessions() as session:
        return standing(session, kind)


def detection(city: City) -> dict[str, Any]:
    shown: dict[str, Any] = (
        city.client("inspector").get(f"/api/v1/water/probes/{SONDE}/detection").json()
    )
    return shown


def faults(city: City) -> list[str]:
    with city.services.sessions() as session:
        return [one.title for one in standing(session, "sensor-fault")]


def course() -> Floats:
    """What the probe shows, from the first reading on."""
    return canal(LEARNT + 3 * DAY)


@pytest.fixture(scope="module")
def learnt_folder(populated_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A city whose probe was followed for six days; each test takes a copy."""
    folder = Path(shutil.copytree(populated_folder, tmp_path_factory.mktemp("learnt") / "cloud"))
    city = City(folder)
    stored(city, course()[:LEARNT], NOON - LEARNT * QUARTER)
    city.time = FOLLOWED
    judged(city)
    city.close()
    return folder


@pytest.fixture
def learnt(learnt_folder: Path, tmp_path: Path) -> Iterator[tuple[City, Floats]]:
    """That city, and what its probe goes on to show."""
    city = City(Path(shutil.copytree(learnt_folder, tmp_path / "learnt")))
    city.time = FOLLOWED
    yield city, course()[LEARNT:]
    city.close()


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


def test_what_was_kept_through_an_outage_is_judged_and_marked(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    values[4:12, 1] += 150e-4
    city.time = NOON + timedelta(hours=6)
    stored(city, values[:24], NOON)
    judged(city)
    (alert,) = water(city)
    assert alert["detail"]["late"]
    assert not alert["state"]["active"]


def computed(asked: detecting.Asked) -> detecting.Judged:
    found = detecting.compute(asked)
    assert isinstance(found, detecting.Judged)
    return found


def test_in_pieces_or_at_once_the_same_is_found(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    values[4:12, 1] += 150e-4
    values[40:42, 0] = np.nan
    with city.services.sessions() as session:
        state = session.get_one(DetectorState, SONDE)
        asked = detecting.Asked(SONDE, state.version, state.state, sorted(NAMES), [], 0, 0.4)
    rows = [
        detecting.Row(
            (NOON + number * QUARTER).timestamp(),
            [float(row[NAMES.index(name)]) for name in sorted(NAMES)],
        )
        for number, row in enumerate(values[:DAY])
    ]
    whole = computed(replace(asked, rows=rows))
    keys: set[str] = set()
    for first in range(0, DAY, 7):
        part = computed(replace(asked, rows=rows[first : first + 7]))
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
    worker = Worker(city.services, [WATER_DETECTION], "worker", apart=False)
    following.follow(Turn(city.services, city.time))
    assert worker.do_one()
    shown = detection(city)
    assert "error" in shown["error"]
    assert shown["learns_until"] is not None
    assert [one.device for one in told(city, "detector-anew")] == [SONDE]

    # it learns from what is stored, and then that is over
    judged(city)
    shown = detection(city)
    assert (shown["error"], shown["learns_until"]) == (None, None)
    assert shown["until"] >= NOON.isoformat()[:16]
    assert told(city, "detector-anew") == []


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


def tear(city: City) -> None:
    with writing(city.services.sessions) as session:
        session.get_one(DetectorState, SONDE).state = b"torn"


def test_what_goes_on_when_the_detector_is_begun_anew_goes_on_and_ends(
    learnt: tuple[City, Floats],
) -> None:
    city, values = learnt
    values[4:12, 1] += 150e-4
    goes_on(city, values[:8])
    (alert,) = water(city)
    assert alert["state"]["active"]
    tear(city)
    goes_on(city, values[8:10])
    assert [one["id"] for one in water(city)] == [alert["id"]], "nobody is called again"
    assert water(city)[0]["state"]["active"], "the discharge lasts"
    goes_on(city, values[10:40], 6)
    assert [one["id"] for one in water(city)] == [alert["id"]]
    assert not water(city)[0]["state"]["active"]
    with city.services.sessions() as session:
        assert all(row.ended for row in session.scalars(select(Excursion)))
    assert all(row.ended for row in found(city))


def test_what_is_not_found_again_ends_where_the_detector_is_begun_anew(
    learnt: tuple[City, Floats],
) -> None:
    """An alert must not stand for good: of what it was found in, nothing is stored any more."""
    city, values = learnt
    values[4:, 1] += 150e-4
    goes_on(city, values[:8])
    (alert,) = water(city)
    assert alert["state"]["active"]
    city.services.timeseries.delete(SONDE)
    tear(city)
    goes_on(city, canal(4, seed=9))
    (alert,) = water(city)
    assert not alert["state"]["active"]
    assert all(row.ended for row in found(city) if row.type == "water")


def calls(city: City) -> int:
    """Alerts of the water; sessions do not last for the days that pass here."""
    with city.services.sessions() as session:
        return len(session.scalars(select(AlertRow).where(AlertRow.domain == "water")).all())


def test_a_detector_begun_anew_calls_nobody_while_it_learns(learnt: tuple[City, Floats]) -> None:
    """What is stored is gone, too: whatever it takes for unusual then is its own ignorance."""
    city, values = learnt
    city.services.timeseries.delete(SONDE)
    tear(city)
    wild = values[: 2 * DAY].copy()
    wild[30:40, 1] += 300e-4
    wild[60:70, 2] -= 2.0
    goes_on(city, wild, 16)
    assert calls(city) == 0
    with city.services.sessions() as session:
        row = session.get_one(DetectorState, SONDE)
        assert row.armed_us > row.until_us
    calm = np.concatenate([canal(3 * DAY, seed=11), canal(16, seed=12)])
    calm[-8:, 1] += 300e-4
    goes_on(city, calm, 16)
    assert calls(city) == 1, "and once it has learnt it calls"


def test_a_new_probe_learns_for_days_before_it_calls(city: City) -> None:
    values = canal(5 * DAY)
    values[100:110, 1] += 300e-4
    values[-8:, 1] += 300e-4
    city.time = NOON - QUARTER + timedelta(minutes=2)
    goes_on(city, values[: 2 * DAY], 8)
    assert calls(city) == 0
    goes_on(city, values[2 * DAY :], 8)
    assert calls(city) == 1


def test_late_readings_are_judged_and_what_was_judged_calls_nobody_again(
    learnt: tuple[City, Floats],
) -> None:
    """A gateway keeps six hours with a discharge in them, while a second one goes on."""
    city, values = learnt
    values[4:12, 1] += 150e-4
    values[60:66, 2] -= 1.2
    stored(city, values[:2], NOON)
    stored(city, values[30:72], NOON + 30 * QUARTER)
    city.time = NOON + 72 * QUARTER
    judged(city)
    (first,) = water(city)
    assert first["detail"]["parameter"] == "pH"
    before = {one.id for one in found(city)}

    stored(city, values[2:30], NOON + 2 * QUARTER)
    late(city, NOON + 2 * QUARTER, NOON + 29 * QUARTER)
    judged(city)
    shown = detection(city)
    assert (shown["late_waits"], shown["unjudged"]) == (False, None)
    assert shown["rejudged"] is not None
    assert shown["learns_until"] is None
    (newer,) = [one for one in water(city) if one["id"] != first["id"]]
    assert len(water(city)) == 2
    assert newer["detail"]["parameter"] == "specific_conductance"
    assert newer["detail"]["late"]
    assert not newer["state"]["active"]
    assert before <= {one.id for one in found(city)}


def late(city: City, first: datetime, last: datetime) -> None:
    """As ingest tells the domain."""
    points = [
        Point(Series("water", GATEWAY, SONDE, "pH"), microseconds(at), 7.9, 1)
        for at in (first, last)
    ]
    told = Readings(SONDE, "water", points, city.time, catching_up=True)
    folded = following.LateReadings(lambda: city.time).fold(told, None)
    assert folded is not None
    assert folded.together is not None
    with writing(city.services.sessions) as session:
        folded.together.write(session, [folded.together.of])
    assert WATER_DETECTION.name not in due(city), "it waits for more of the same probe"
    city.time += following.SETTLES


def due(city: City) -> list[str]:
    with city.services.sessions() as session:
        return list(session.scalars(select(WorkRow.kind).where(WorkRow.due <= city.time)))


def test_late_readings_are_judged_once_an_hour_at_most(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    stored(city, values[:24], NOON)
    city.time = NOON + 24 * QUARTER
    judged(city)
    late(city, NOON, NOON + QUARTER)
    assert judged(city) > 1
    late(city, NOON + 2 * QUARTER, NOON + 3 * QUARTER)
    assert judged(city) == 1, "noted, and nothing more"
    assert detection(city)["late_waits"]
    city.later(hours=1)
    assert judged(city) > 1
    assert not detection(city)["late_waits"]


def test_a_backlog_in_order_has_nothing_judged_anew(learnt: tuple[City, Floats]) -> None:
    """A gateway that was away hands in its readings message by message, cut anywhere."""
    city, values = learnt
    city.time = NOON + timedelta(hours=6)
    worker = Worker(city.services, [WATER_DETECTION], "worker", apart=False)
    for number in range(4):
        first = NOON + number * QUARTER
        again = first + timedelta(seconds=30)  # of the minute in which the last message ended
        for at in (first, again):
            stored(city, values[number : number + 1], at)
            late(city, at, at)
            assert worker.do_one()
            while worker.do_one():
                pass
    with city.services.sessions() as session:
        row = session.get_one(DetectorState, SONDE)
        assert (row.late_from_us, row.rejudged_at, row.anew_us) == (0, None, 0)
        assert row.until_us == microseconds(NOON + 3 * QUARTER)
    city.later(minutes=1)
    judged(city)
    with city.services.sessions() as session:
        row = session.get_one(DetectorState, SONDE)
        assert row.until_us > microseconds(NOON + 3 * QUARTER), "the last minute as well"


def test_what_came_too_late_is_told(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    stored(city, values[:4], NOON)
    city.time = NOON + 4 * QUARTER
    judged(city)
    late(city, NOON - timedelta(days=40), NOON - timedelta(days=39))
    judged(city)
    shown = detection(city)
    assert shown["unjudged"] is not None
    assert not shown["late_waits"]


def test_readings_in_time_ask_for_nothing(city: City) -> None:
    handler = following.LateReadings(lambda: city.time)
    point = Point(Series("water", GATEWAY, SONDE, "pH"), microseconds(city.time), 7.9, 1)
    assert handler.fold(Readings(SONDE, "water", [point], city.time, False), None) is None


def test_late_readings_of_two_messages_are_one_piece() -> None:
    merge = WATER_DETECTION.merge
    one = {"device": SONDE, "late_from_us": 5, "late_until_us": 9}
    other = {"device": SONDE, "late_from_us": 2, "late_until_us": 3}
    both = {"device": SONDE, "late_from_us": 2, "late_until_us": 9}
    assert merge(one, other) == both
    assert merge({"device": SONDE}, both) == merge(both, {"device": SONDE}) == both


def test_a_detector_that_falls_behind_is_told_until_it_is_not(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    stored(city, values[:8], NOON)
    city.time = NOON + 8 * QUARTER
    following.follow(Turn(city.services, city.time))  # and no worker takes it
    city.later(minutes=11)
    following.follow(Turn(city.services, city.time))
    (alert,) = told(city, "detector-behind")
    assert "minutes behind" in alert.title
    judged(city)
    following.follow(Turn(city.services, city.time))
    assert told(city, "detector-behind") == []


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


def test_a_reading_ahead_of_our_clock_is_waited_for(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    city.time += timedelta(minutes=2)
    stored(city, values[:1], city.time + timedelta(minutes=5))
    following.follow(Turn(city.services, city.time))
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


def test_what_goes_on_and_nobody_knew_of_calls_once_it_is_judged_anew(
    learnt: tuple[City, Floats],
) -> None:
    city, values = learnt
    values[4:, 1] += 150e-4
    stored(city, values[:8], NOON)
    city.time = NOON + 8 * QUARTER
    with writing(city.services.sessions) as session:  # judged, and taken for nothing
        row = session.get_one(DetectorState, SONDE)
        row.state, row.until_us = b"torn", microseconds(NOON + 7 * QUARTER)
    judged(city)
    (alert,) = water(city)
    assert alert["state"]["active"]


@pytest.mark.parametrize("lasts", [12, 24])
def test_late_readings_of_an_event_call_nobody_for_it_again(
    learnt: tuple[City, Floats], lasts: int
) -> None:
    """They bring its beginning: it is found earlier than it was."""
    city, values = learnt
    values[4:lasts, 1] += 150e-4
    stored(city, values[:4], NOON)
    stored(city, values[6:24], NOON + 6 * QUARTER)
    city.time = NOON + 24 * QUARTER
    judged(city)
    (first,) = water(city)
    stored(city, values[4:6], NOON + 4 * QUARTER)
    late(city, NOON + 4 * QUARTER, NOON + 5 * QUARTER)
    judged(city)
    assert len({one.found for one in found(city) if one.type == "water"}) > 1
    (alert,) = water(city)
    assert alert["id"] == first["id"]
    assert alert["state"]["active"] is (lasts == 24)
    with city.services.sessions() as session:
        assert len(session.scalars(select(Excursion)).all()) == 1
    goes_on(city, values[24:44], 10)
    assert calls(city) == 1
    assert not water(city)[0]["state"]["active"]


def test_a_minute_that_is_not_over_is_not_asked_for(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    stored(city, values[:1], NOON)
    stored(city, values[1:2], NOON + timedelta(minutes=1))
    city.time = NOON + timedelta(seconds=63)
    following.follow(Turn(city.services, city.time))
    worker = Worker(city.services, [WATER_DETECTION], "worker", apart=False)
    assert [worker.do_one() for _ in range(3)] == [True, False, False], "not again and again"


def test_late_readings_of_before_are_nothing_new_to_a_detector_begun_anew(
    learnt: tuple[City, Floats],
) -> None:
    city, values = learnt
    stored(city, values[:8], NOON)
    city.time = NOON + 8 * QUARTER
    judged(city)
    late(city, NOON, NOON + QUARTER)
    judged(city)
    tear(city)
    goes_on(city, values[8:10])
    with city.services.sessions() as session:
        row = session.get_one(DetectorState, SONDE)
        assert (row.rejudged_from_us, row.rejudged_until_us) == (0, 0)
