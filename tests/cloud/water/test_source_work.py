"""The search for an incident's source in the cloud: from readings to suspects, arrivals and
samples, and what a closed case says to the next one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select

from cloud_city import GATEWAY, City, excursion
from vigil_cloud.alerts.models import AlertHistory
from vigil_cloud.cases.models import CaseEvent, CaseRow
from vigil_cloud.database.engine import writing
from vigil_cloud.jobs.worker import Worker
from vigil_cloud.timeseries.port import Point, Series
from vigil_cloud.water import source_work
from vigil_cloud.water.channels import BadChannels
from vigil_cloud.water.models import Reach, WaterPoint
from vigil_cloud.water.source_case import calculate
from vigil_cloud.water.source_input import Before, Case, Note, Signal
from vigil_cloud.water.source_work import SOURCE_TRACE, before_of
from vigil_cloud.water.trace_schema import TraceResult
from vigil_cloud.water.velocities import BadVelocities, put, read
from vigil_schemas.senml import microseconds
from waterways import LOWER, UPPER, geojson

BACKGROUND = 0.05
MINUTES = 15 * 60


def bump(minutes: np.ndarray[Any, Any], middle: float, wide: float, high: float) -> Any:
    return BACKGROUND + high * np.exp(-(((minutes - middle) / wide) ** 2))


def discharge(city: City, *, upper: float = 720.0, parameter: str = "specific_conductance") -> None:
    """Both probes of the canal saw it pass, the lower one 20 minutes later. Minutes count from 12
    hours before now."""
    minutes = np.arange(MINUTES, dtype=float)
    first = city.time - timedelta(hours=12)
    points = []
    for device, values in (
        (UPPER, bump(minutes, upper, 25, 0.20)),
        (LOWER, bump(minutes, upper + 20, 27, 0.16)),
    ):
        series = Series("water", GATEWAY, device, parameter)
        at = microseconds(first)
        points += [
            Point(series, at + int(minute * 60e6), float(value), 1)
            for minute, value in zip(minutes, values, strict=True)
        ]
    city.services.timeseries.write(points)


@pytest.fixture
def canal(city: City) -> City:
    content = geojson().replace('"id": "r1"', '"id": "r1", "area_m2": 2.0').encode()
    answer = city.client("inspector").post("/api/v1/water/network/import", content=content)
    assert answer.is_success, answer.text
    return city


def shown(city: City) -> dict[str, Any]:
    (alert,) = city.alerts("inspector", domain="water")
    answer = city.client("inspector").get(f"/api/v1/water/incidents/{alert['detail']['incident']}")
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_an_incident_is_told_where_it_came_from_and_where_it_goes(canal: City) -> None:
    # Given a discharge that both probes saw
    discharge(canal)
    canal.send(excursion(canal.time), UPPER)
    assert shown(canal)["source"] is None, "nothing is calculated in ingest's transaction"

    # When the worker comes to it
    canal.later(hours=3)
    worker = Worker(canal.services, [SOURCE_TRACE], "worker", processes=0)
    assert worker.do_one()

    # Then suspects have probabilities, windows, masses and paths; gates have arrivals
    found = shown(canal)
    source = found["source"]
    assert source["problem"] is None
    assert {one["outfall"] for one in source["suspects"]} >= {"o-plating", "o-yard"}
    assert "o-below" not in {one["outfall"] for one in source["suspects"]}
    whole = sum(one["probability"] for one in source["suspects"]) + source["unexplained"]
    assert whole == pytest.approx(1, abs=1e-3)
    first = source["suspects"][0]
    assert first["start_from"] < first["start_until"]
    assert 0 < first["mass_from_kg"] < first["mass_until_kg"]
    assert first["path"][-1] == "r4"
    assert {one["id"] for one in source["arrivals"]} >= {"g1", "s1", "s2"}
    (gate,) = found["gates"]
    assert gate["arrival"] < gate["arrival_until"]
    assert gate["confidence"] == pytest.approx(1 - source["unexplained"], abs=0.05)
    assert {one["seen"] for one in source["stations"]} == {True}
    assert all(one["latitude"] > 23 for one in (*source["suspects"], *source["samples"]))
    frames = source["frames"]
    assert set(frames["reaches"]) >= {"r3", "r4"}
    assert {len(one) for one in frames["reaches"].values()} == {len(frames["times"])}

    # and the alert names the likeliest; the search goes on while more may be seen
    (alert,) = canal.alerts("inspector", domain="water")
    assert alert["detail"]["suspect"] in {"o-plating", "o-yard", first["reach"]}
    assert not worker.do_one(), "not at once"
    canal.later(minutes=5)
    assert worker.do_one()

    # and everything around it can be had as a file
    url = f"/api/v1/water/incidents/{found['id']}/readings"
    lines = canal.client("inspector").get(url).text.splitlines()
    assert lines[0] == "time,device,parameter,value,flag"
    assert len(lines) > 100
    assert all(line.split(",")[1] == UPPER for line in lines[1:])


def test_an_alert_names_nobody_once_nobody_is_suspected(canal: City) -> None:
    discharge(canal)
    canal.send(excursion(canal.time), UPPER)
    canal.later(hours=3)
    assert Worker(canal.services, [SOURCE_TRACE], "worker", processes=0).do_one()
    (alert,) = canal.alerts("inspector", domain="water")
    assert alert["detail"]["suspect"] is not None
    assert 0 < alert["detail"]["suspect_probability"] <= 1
    payload = {"incident": alert["detail"]["incident"]}

    def lines() -> int:
        with canal.services.sessions() as session:
            return session.scalar(select(func.count()).select_from(AlertHistory)) or 0

    # Looked at again, with the same outcome, it is no news
    before = lines()
    again = source_work.compute(source_work.load(canal.services, payload))
    assert isinstance(again, TraceResult)
    with writing(canal.services.sessions) as session:
        source_work.store(session, payload, again, canal.time)
    assert lines() == before

    # and where nothing explains it any more, no name stays behind
    with writing(canal.services.sessions) as session:
        source_work.store(session, payload, Note("it flows in a circle", "水流成環"), canal.time)
    (alert,) = canal.alerts("inspector", domain="water")
    assert alert["detail"]["suspect"] is None
    assert alert["detail"]["suspect_name"] == ""
    assert alert["detail"]["suspect_probability"] is None


def test_only_what_hangs_together_with_the_incident_is_looked_at(
    canal: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given another part of the city, a point that rounding put beyond its canal, and more stations
    than are fetched."""
    pond = geojson().replace("23.4", "23.5").replace('"b"', '"pond-b"')
    for name in ("r1", "r2", "r3", "r4", "s1", "s2", "o-plating", "o-yard", "o-below", "g1", "f1"):
        pond = pond.replace(f'"{name}"', f'"pond-{name}"')
    for name in ("a", "c", "d", "e"):
        pond = pond.replace(f'"from": "{name}"', f'"from": "pond-{name}"')
        pond = pond.replace(f'"to": "{name}"', f'"to": "pond-{name}"')
    pond = pond.replace(UPPER, "sonde-8").replace(LOWER, "sonde-9")
    answer = canal.client("inspector").post("/api/v1/water/network/import", content=pond.encode())
    assert answer.is_success, answer.text
    with writing(canal.services.sessions) as session:
        session.get_one(WaterPoint, "o-plating").offset_m *= 1000
    monkeypatch.setattr(source_work, "MOST_STATIONS", 1)
    discharge(canal)
    canal.send(excursion(canal.time), UPPER)
    (alert,) = canal.alerts("inspector", domain="water")
    found = source_work.load(canal.services, {"incident": alert["detail"]["incident"]})
    assert found is not None
    names = {one["properties"]["id"] for one in found.features}
    assert {"r1", "r2", "r3", "r4", "s1", "s2", "o-plating"} <= names
    assert not [name for name in names if name.startswith("pond")]
    assert {one.station for one in found.signals} == {"s1"}, "the one that was hit"
    assert any("1 stations farther away" in note.english for note in found.notes)
    assert calculate(found).suspects


def case_(features: list[dict[str, Any]], signals: list[Signal], **more: Any) -> Case:
    given: dict[str, Any] = {"velocities": {}, "before": {}, "notes": []}
    return Case(features, signals, **{**given, "onset_s": 43_200.0, "now_s": 60_000.0, **more})


def fork(*, length: float = 1500.0) -> list[dict[str, Any]]:
    """Two arms alike, each with an outfall, into one canal with a probe: nothing tells them
    apart."""

    def line(name: str, start: str, end: str) -> dict[str, Any]:
        tags = {"id": name, "from": start, "to": end, "length_m": length, "area_m2": 1.0,
                "velocity_m_s": 0.4, "dispersion_m2_s": 2.0}  # fmt: skip
        return {"type": "Feature", "geometry": {"type": "LineString"}, "properties": tags}

    def point(name: str, kind: str, reach: str, offset: float) -> dict[str, Any]:
        tags = {"id": name, "kind": kind, "reach": reach, "offset_m": offset}
        return {"type": "Feature", "geometry": {"type": "Point"}, "properties": tags}

    return [
        line("east", "a", "j"), line("west", "b", "j"), line("down", "j", "c"),
        point("o-east", "outfall", "east", 700.0), point("o-west", "outfall", "west", 700.0),
        point("s", "station", "down", 600.0), point("gate", "gate", "down", 1400.0),
    ]  # fmt: skip


def signal(parameter: str = "specific_conductance", high: float = 0.2) -> Signal:
    times = np.arange(0, 60_000, 60.0)
    values = BACKGROUND + high * np.exp(-(((times - 46_000) / 1_500) ** 2))
    if parameter == "pH":
        values = 7.4 - high * np.exp(-(((times - 46_000) / 1_500) ** 2))
    return Signal("s", parameter, times.tolist(), values.tolist(), None, True)


def chances(result: TraceResult) -> dict[str | None, float]:
    return {one.outfall: one.probability for one in result.suspects if one.outfall}


def test_a_case_that_found_its_source_counts_in_the_next_one() -> None:
    even = chances(calculate(case_(fork(), [signal()])))
    assert even["o-east"] == pytest.approx(even["o-west"], rel=0.02)
    known = calculate(case_(fork(), [signal()], before={"o-west": Before(2, 2.0)}))
    assert chances(known)["o-west"] == pytest.approx(4 * chances(known)["o-east"], rel=0.05)
    assert known.suspects[0].before == 2
    sample = known.samples[0]
    assert sample.reach in {"east", "west"}
    assert sample.bits == pytest.approx(0.72, abs=0.08), "of one against four"


def test_a_fall_of_ph_counts_by_its_timing_alone() -> None:
    found = calculate(case_(fork(), [signal("pH", 1.5)]))
    assert chances(found)["o-east"] > 0.3
    assert found.suspects[0].mass_from_kg is None
    assert found.stations[0].timing_only
    assert found.stations[0].background == pytest.approx(7.4)
    both = calculate(case_(fork(), [signal("pH", 1.5), signal()]))
    assert not both.stations[0].timing_only, "its conductance says more"


def test_water_that_slowed_down_took_longer() -> None:
    """At half the pace on the way the release began about twice as long before."""
    usual = calculate(case_(fork(), [signal()])).suspects[0].start_until
    slow = {"down": [(0.0, 0.6), (20_000.0, 0.6), (36_000.0, 0.2), (60_000.0, 0.2)]}
    found = calculate(case_(fork(), [signal()], velocities=slow)).suspects[0].start_until
    assert found < usual - timedelta(minutes=20)


def test_a_register_that_no_water_runs_through_is_said() -> None:
    with pytest.raises(BadChannels, match="length_m") as told:
        calculate(case_(fork(length=0.0), [signal()]))
    assert "河段 'east'：length_m 為 0" in told.value.chinese
    assert len(told.value.mistakes) == 3
    assert "feature" not in told.value.chinese


def test_why_nothing_could_be_calculated_is_shown_in_both_languages(canal: City) -> None:
    with writing(canal.services.sessions) as session:
        session.get_one(Reach, "r1").velocity_m_s = 0.0
        session.get_one(Reach, "r1").length_m = 0.0
    discharge(canal)
    canal.send(excursion(canal.time), UPPER)
    canal.later(minutes=4)
    assert Worker(canal.services, [SOURCE_TRACE], "worker", processes=0).do_one()
    source = shown(canal)["source"]
    assert "length_m is 0" in source["problem"]
    assert "length_m 為 0" in source["problem_zh"]


def test_time_that_is_over_leaves_candidates_untried_and_says_so() -> None:
    many = fork()
    for number in range(30):
        tags = {"id": f"o-{number}", "kind": "outfall", "reach": "east", "offset_m": 20.0 * number}
        many.append({"type": "Feature", "geometry": {"type": "Point"}, "properties": tags})
    whole = calculate(case_(many, [signal()]))
    assert whole.notes == []
    asked = iter([True] * 5)
    hasty = calculate(case_(many, [signal()]), lambda: next(asked, False))
    (note,) = hasty.notes
    assert "possible sources" in note
    assert "未納入推算" in hasty.notes_zh[0]
    assert hasty.suspects


def test_the_search_has_less_time_than_its_piece_of_work(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 100_000, 50))
    monkeypatch.setattr("vigil_cloud.water.source_work.time.monotonic", lambda: next(clock))
    many = fork()
    for number in range(30):
        tags = {"id": f"o-{number}", "kind": "outfall", "reach": "east", "offset_m": 20.0 * number}
        many.append({"type": "Feature", "geometry": {"type": "Point"}, "properties": tags})
    found = source_work.compute(case_(many, [signal()]))
    assert not isinstance(found, Note)
    assert found is not None
    assert "were not tried" in found.notes[0]


def test_a_case_of_long_ago_says_less() -> None:
    for weight, times in ((1.0, 2.0), (0.5, 2**0.5), (0.0, 1.0), (99.0, 8.0)):
        known = calculate(case_(fork(), [signal()], before={"o-west": Before(1, weight)}))
        found = chances(known)
        assert found["o-west"] == pytest.approx(times * found["o-east"], rel=0.05)


def test_outcomes_count_where_one_outfall_was_named(city: City) -> None:
    def case(number: int, outcome: str | None, *outfalls: str) -> None:
        name = f"case-{number}"
        row = CaseRow(
            id=name, number=f"2026-{number:06}", domain="water", kind="water-inspection", label="",
            label_zh="", state="closed", opened=city.time, opened_by="li", since=city.time,
            outcome=outcome,
        )  # fmt: skip
        with writing(city.services.sessions) as session:
            session.add(row)
            session.flush()
            for place, outfall in enumerate(outfalls, 1):
                detail = {"entry": "suspect", "outfall": outfall}
                event = CaseEvent(case_id=name, number=place, at=city.time, detail=detail)
                event.action, event.account, event.version, event.audit = "noted", "li", 1, 1
                session.add(event)

    case(1, "fine", "o-plating")
    case(2, "source-found", "o-plating", "o-plating")
    case(3, "fine", "o-plating", "o-yard")
    case(4, "not-found", "o-yard")
    case(5, None, "o-yard")
    with city.services.sessions() as session:
        assert before_of(session, city.time) == {"o-plating": Before(2, 2.0)}
        known = before_of(session, city.time + timedelta(days=730))["o-plating"]
        assert known.cases == 2
        assert known.weight == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("time,reach\n", "no column velocity_m_s"),
        ("time,reach,velocity_m_s\n,,\n , ,\n", "no velocity in it"),
        ("time,reach,velocity_m_s\nyesterday,r1,1\n", "line 2"),
        ("time,reach,velocity_m_s\n2026-02-28T00:00:00Z,r1,nan\n", "no velocity"),
        ("time,reach,velocity_m_s\n2026-02-28T00:00:00Z,r9,1\n", "no reach 'r9'"),
        ("time,reach,velocity_m_s\n2027-02-28T00:00:00Z,r1,1\n", "lies ahead"),
        ("time,reach,velocity_m_s\n", "no velocity in it"),
        ("time,reach,velocity_m_s,reach\n", "there twice: reach"),
        ("time,reach,velocity_m_s\n2026-02-28T00:00:00Z,r1,0,4\n", "line 2: more cells"),
    ],
)
def test_velocities_that_are_none_are_refused_whole(
    canal: City, tmp_path: Any, content: str, says: str
) -> None:
    (tmp_path / "v.csv").write_text(content, "utf-8")
    with (
        pytest.raises(BadVelocities, match=says),
        writing(canal.services.sessions) as session,
    ):
        put(session, read(tmp_path / "v.csv"), canal.time)
