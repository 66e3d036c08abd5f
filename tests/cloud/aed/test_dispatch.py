"""Whom to call, on street networks small enough to be worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from math import cos, radians
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil_cloud import cli
from vigil_cloud.aed.dispatch import (
    MOST_CALLS,
    REACH_S,
    Aed,
    Candidate,
    Hours,
    Plan,
    Volunteer,
    choose,
    clock_time,
    daily,
    dispatch,
    loss,
)
from vigil_cloud.aed.streets import EARTH_RADIUS_M, Position, network, reach

TAIPEI = timezone(timedelta(hours=8))
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=TAIPEI)
HERE = (120.44, 23.48)
_NORTH = 1 / (radians(1) * EARTH_RADIUS_M)
_EAST = _NORTH / cos(radians(HERE[1]))


def at(east_m: float, north_m: float = 0.0) -> Position:
    return HERE[0] + east_m * _EAST, HERE[1] + north_m * _NORTH


STREET = [[at(-2000), at(0), at(2000)]]


def volunteer(id: str, where: Position, **keys: Any) -> Volunteer:
    base: dict[str, Any] = {
        "speed_mps": 2.0,
        "available": True,
        "certificate_until": date(2027, 1, 1),
        "answer_s": 10.0,
    }
    return Volunteer(id, where, **(base | keys))


def plan(
    people: list[Volunteer],
    aeds: list[Aed] | None = None,
    lines: list[list[Position]] | None = None,
    moment: datetime = NOON,
) -> Plan:
    return dispatch(HERE, moment, people, aeds or [], network(lines or STREET, HERE))


def called(found: Plan, phase: int = 0) -> dict[str, tuple[str, float]]:
    calls = found.phases[phase].calls if found.phases else ()
    return {call.who: (call.role, call.predicted_s) for call in calls}


def test_one_goes_to_the_patient_and_one_fetches() -> None:
    people = [volunteer("near", at(100)), volunteer("by-the-aed", at(-300))]
    found = plan(people, [Aed("hall", at(-280))])

    expected: dict[str, Any] = {
        "near": ("patient", pytest.approx(10 + 100 / 2, abs=0.2)),
        "by-the-aed": ("aed", pytest.approx(10 + (20 + 280) / 2, abs=0.2)),
    }
    assert called(found) == expected
    fetches = next(call for call in found.phases[0].calls if call.role == "aed")
    assert fetches.aed == "hall"


def test_a_river_is_crossed_by_its_bridge_alone() -> None:
    """Two banks 20 m apart, one bridge 500 m to the east: as the crow flies says nothing."""
    lines = [
        [at(-1000), at(0), at(500), at(1000)],
        [at(-1000, 20), at(0, 20), at(500, 20), at(1000, 20)],
        [at(500), at(500, 20)],
    ]
    people = [volunteer("across", at(0, 20)), volunteer("this-side", at(-600))]
    found = {c.who: c.patient_s for c in plan(people, lines=lines).candidates}

    assert found["across"] == pytest.approx(10 + (500 + 20 + 500) / 2, rel=0.01)
    assert found["this-side"] == pytest.approx(10 + 600 / 2, rel=0.01)


def test_streets_that_only_cross_are_no_crossing() -> None:
    lines = [[at(-500), at(500)], [at(0, -500), at(0, 500)]]
    far = plan(
        [volunteer("above", at(0, 300))], lines=[[at(-500), at(500)], [at(0, 200), at(0, 500)]]
    )
    assert not far.phases, "nothing leads from that street to this one"
    joined = [[at(-500), at(0), at(500)], [at(0, -500), at(0), at(0, 500)]]
    assert plan([volunteer("above", at(0, 300))], lines=joined).phases
    assert len(network(lines, HERE).segments) == 2


def test_wheels_from_beyond_500_m_come_before_feet_within() -> None:
    people = [
        volunteer("walks", at(450), speed_mps=1.2),
        volunteer("cycles", at(-1500), speed_mps=8.0),
    ]
    found = plan(people)
    assert called(found)["cycles"][1] == pytest.approx(10 + 1500 / 8, rel=0.01)
    assert called(found)["cycles"][1] < called(found)["walks"][1]


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"available": False}, "off"),
        ({"certificate_until": date(2026, 2, 28)}, "lapsed yesterday"),
        ({"certificate_until": None}, "no certificate"),
        ({"speed_mps": 0.1}, "too late"),
    ],
)
def test_who_cannot_help_is_not_called(keys: dict[str, Any], why: str) -> None:
    found = plan([volunteer("one", at(100), **keys)])
    assert found.phases == (), why
    assert bool(found.lapsed) == ("certificate_until" in keys)


def test_a_certificate_counts_to_the_end_of_its_day_where_the_patient_is() -> None:
    last_day = volunteer("one", at(100), certificate_until=date(2026, 3, 1))
    late = datetime(2026, 3, 1, 23, 59, tzinfo=TAIPEI)
    assert plan([last_day], moment=late).phases
    assert not plan([last_day], moment=late + timedelta(minutes=2)).phases
    assert plan([last_day], moment=late.astimezone(UTC)).phases


def test_an_aed_behind_a_locked_door_is_not_fetched() -> None:
    people = [volunteer("a", at(50)), volunteer("b", at(60))]
    shop = Aed("shop", at(100), daily(Hours(clock_time("08:00"), clock_time("22:00"))))
    school = Aed("school", at(-800), daily(Hours(0, 24 * 60)))
    by_day = plan(people, [shop, school])
    by_night = plan(people, [shop, school], moment=NOON.replace(hour=23))

    assert {c.aed for c in by_day.phases[0].calls if c.role == "aed"} == {"shop"}
    assert {c.aed for c in by_night.phases[0].calls if c.role == "aed"} == {"school"}
    # Open when the call comes, closed when somebody gets there.
    closing = plan(people, [shop], moment=NOON.replace(hour=21, minute=59, second=50))
    assert "aed" not in {call.role for call in closing.phases[0].calls}


@pytest.mark.parametrize(
    ("opens", "closes", "minute", "is_open"),
    [
        ("22:00", "06:00", 23 * 60, True),
        ("22:00", "06:00", 5 * 60, True),
        ("22:00", "06:00", 12 * 60, False),
        ("00:00", "24:00", 0, True),
        ("00:00", "24:00", 24 * 60 - 1, True),
        ("08:00", "18:00", 18 * 60, False),
    ],
)
def test_opening_hours_also_past_midnight(
    opens: str, closes: str, minute: int, is_open: bool
) -> None:
    assert Hours(clock_time(opens), clock_time(closes)).open_at(minute) is is_open


def test_who_accepts_by_day_may_not_by_night() -> None:
    one = volunteer("one", at(0), asked_day=8, accepted_day=8, asked_night=8)
    assert one.accepts(NOON) > 0.8
    assert one.accepts(NOON.replace(hour=3)) < 0.1
    assert one.accepts(NOON.replace(hour=6, minute=59)) < 0.1
    assert one.accepts(NOON.replace(hour=21, minute=59)) > 0.8


def call_chance(found: Plan, who: str) -> float:
    return next(one.accepts for one in found.candidates if one.who == who)


def test_a_crowd_is_not_called_whole_and_who_declines_is_replaced() -> None:
    people = [volunteer(f"v{n:03}", at(10 * n)) for n in range(100)]
    found = plan(people, [Aed("hall", at(100))])

    for phase in found.phases:
        assert len(phase.calls) <= MOST_CALLS
        assert {"patient", "aed"} <= {call.role for call in phase.calls}
    assert 2 <= sum(call_chance(found, call.who) for call in found.phases[0].calls) <= 3
    names = [call.who for phase in found.phases for call in (*phase.calls, *phase.spare)]
    assert len(set(names)) == len(names), "nobody is called twice"
    assert [phase.after_s for phase in found.phases] == sorted(p.after_s for p in found.phases)
    first = found.phases[0]
    assert {call.on_reject for call in first.calls} == {call.who for call in first.spare}


def test_nobody_in_reach_is_no_phase() -> None:
    assert plan([]) == Plan()
    assert plan([volunteer("far", at(1999), speed_mps=1.0)]).phases == ()


@st.composite
def crowds(draw: st.DrawFn) -> list[Candidate]:
    seconds = st.floats(10, 2 * REACH_S)
    return [
        Candidate(f"v{n}", draw(st.floats(0.05, 0.95)), draw(seconds), draw(seconds), "aed")
        for n in range(draw(st.integers(0, 25)))
    ]


@given(crowds())
def test_a_plan_keeps_its_promises(candidates: list[Candidate]) -> None:
    known = {one.who: one for one in candidates}
    seen: set[str] = set()
    for phase in choose(candidates):
        roles = {call.role for call in phase.calls}
        able = [one for one in candidates if one.who not in seen]
        for call in (*phase.calls, *phase.spare):
            assert call.who not in seen
            seen.add(call.who)
            assert call.predicted_s <= REACH_S + 0.1
            assert call.predicted_s == round(known[call.who].predicted(call.role), 1)
        to_patient = {one.who for one in able if one.patient_s <= REACH_S}
        with_aed = {one.who for one in able if one.aed_s <= REACH_S}
        if len(to_patient | with_aed) > 1 and to_patient and with_aed:
            assert roles == {"patient", "aed"}
        chosen = [(known[call.who], call.role) for call in phase.calls]
        assert loss(chosen) <= loss(chosen[:1]) + 1e-9, "a further call never makes it worse"


@given(st.lists(st.tuples(st.floats(-900, 900), st.floats(-300, 300)), min_size=1, max_size=12))
def test_ways_along_a_grid_are_those_of_a_taxi(places: list[tuple[float, float]]) -> None:
    """On a fine grid a way is the sum of both coordinates, within the grid's own step."""
    step = 100.0
    columns = [[at(x, y) for y in range(-400, 401, 100)] for x in range(-1000, 1001, 100)]
    rows = [[at(x, y) for x in range(-1000, 1001, 100)] for y in range(-400, 401, 100)]
    streets = network([*columns, *rows], HERE)
    found = reach(streets, HERE, [], [at(*place) for place in places], 10_000.0).to_patient
    for (x, y), metres in zip(places, found, strict=True):
        assert abs(x) + abs(y) - 1 <= metres + step
        assert metres <= abs(x) + abs(y) + 2 * step


def test_an_open_aed_counts_however_many_closed_ones_are_nearer() -> None:
    """At night every office is nearer than the one that is open."""
    closed = [Aed(f"office-{n}", at(10 + n), daily(Hours(8 * 60, 17 * 60))) for n in range(60)]
    night = NOON.replace(hour=23)
    found = plan([volunteer("one", at(-200))], [*closed, Aed("police", at(150))], moment=night)
    role, predicted_s = called(found)["one"]
    assert role == "aed"
    assert predicted_s == pytest.approx(10 + (350 + 150) / 2, abs=0.2)


@given(
    st.lists(st.tuples(st.floats(-900, 900), st.floats(-300, 300)), min_size=1, max_size=60),
    st.lists(st.tuples(st.floats(-900, 900), st.floats(-300, 300)), min_size=1, max_size=6),
)
def test_everybody_fetches_the_aed_that_is_the_shortest_way(
    aeds: list[tuple[float, float]], people: list[tuple[float, float]]
) -> None:
    """Whether one search finds it or one for each: the same ways, of any number."""
    columns = [[at(x, y) for y in range(-300, 301, 100)] for x in range(-900, 901, 100)]
    rows = [[at(x, y) for x in range(-900, 901, 100)] for y in range(-300, 301, 100)]
    streets = network([*columns, *rows], HERE)
    places, persons = [at(*one) for one in aeds], [at(*one) for one in people]
    best = reach(streets, HERE, places, persons, 10_000.0)
    ways = [reach(streets, HERE, [place], persons, 10_000.0, {0}) for place in places]
    shortest = [
        min(float(way.to_aed[0, n] + way.aed_to_patient[0]) for way in ways)
        for n in range(len(persons))
    ]
    told = (best.to_aed + best.aed_to_patient[:, None]).min(axis=0)
    assert told == pytest.approx(shortest, abs=1e-3)


def test_a_path_that_the_map_joins_to_nothing_is_no_island() -> None:
    """A gap of the map: on foot one leaves a park. A street of its own stays one."""
    city = [[at(-9000, 30), at(9000, 30)]]
    park = [[at(-20), at(20)]]
    people = [volunteer("near", at(300, 30)), volunteer("in-the-park", at(-15))]
    found = {c.who: c.patient_s for c in plan(people, lines=[*city, *park]).candidates}
    assert found["near"] == pytest.approx(10 + (300 + 30) / 2, rel=0.01)
    assert found["in-the-park"] == pytest.approx(10 + (15 + 2 * 30) / 2, rel=0.01)
    island = plan([volunteer("near", at(300, 30))], lines=[*city, [at(-200), at(200)]])
    assert not island.phases, "400 m of streets are an island"


def test_a_map_of_fragments_alone_is_left_as_it_is() -> None:
    apart = [[at(100 * n), at(100 * n + 80)] for n in range(200)]
    assert len(network(apart, HERE).segments) == 200
    assert plan([volunteer("one", at(70))], lines=apart).phases


def files(tmp_path: Path) -> list[str]:
    header = (
        "id,lon,lat,speed_mps,available,certificate_until,asked_day,accepted_day,"
        "asked_night,accepted_night,answer_s"
    )
    rows = [
        ("ann", at(100), "2.0,yes,2027-01-01,10,5,0,0,10"),
        ("bo", at(-200), "2.0,yes,2026-12-31,0,0,0,0,15"),
        ("cy", at(50), "2.0,no,2027-01-01,0,0,0,0,10"),
        ("di", at(60), "2.0,yes,2025-01-01,0,0,0,0,10"),
    ]
    lines = [header, *(f"{name},{x:.7f},{y:.7f},{rest}" for name, (x, y), rest in rows)]
    (tmp_path / "volunteers.csv").write_text("\n".join(lines) + "\n", "utf-8")
    lon, lat = at(-190)
    (tmp_path / "aeds.csv").write_text(
        f"id,lon,lat,opens,closes\nhall,{lon:.7f},{lat:.7f},00:00,24:00\n", "utf-8"
    )
    feature = {
        "type": "Feature",
        "properties": {},
        "geometry": {"type": "LineString", "coordinates": [list(each) for each in STREET[0]]},
    }
    (tmp_path / "streets.geojson").write_text(
        json.dumps({"type": "FeatureCollection", "features": [feature]}), "utf-8"
    )
    return [
        *("aed", "dispatch", "--at", f"{HERE[0]},{HERE[1]}"),
        *("--time", "2026-03-01T12:00:00+08:00"),
        *("--volunteers", str(tmp_path / "volunteers.csv")),
        *("--aeds", str(tmp_path / "aeds.csv")),
        *("--streets", str(tmp_path / "streets.geojson")),
    ]


def test_the_command_prints_phases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(files(tmp_path)) == 0
    told = capsys.readouterr()
    (phase,) = json.loads(told.out)["phases"]
    assert phase["after_s"] == 0
    assert told.err == "in reach, without a valid certificate, not called: 'di'\n"
    assert {(c["who"], c["role"]) for c in phase["calls"]} == {("ann", "patient"), ("bo", "aed")}
    by_name = {call["who"]: call for call in phase["calls"]}
    assert by_name["ann"]["predicted_s"] == pytest.approx(60, abs=0.5)
    assert by_name["bo"]["predicted_s"] == pytest.approx(15 + 200 / 2, abs=0.5)


def test_rows_that_a_spreadsheet_leaves_below_and_nobody_in_reach(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = files(tmp_path)
    table = tmp_path / "volunteers.csv"
    table.write_text(table.read_text("utf-8").splitlines()[0] + "\n" + "," * 10 + "\n\n", "utf-8")
    assert cli.main(words) == 0
    told = capsys.readouterr()
    assert (json.loads(told.out), told.err.count("\n")) == ({"phases": []}, 1)
    assert "within reach" in told.err


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("volunteers.csv", ",yes,2027", ",maybe,2027", ":2: available"),
        ("volunteers.csv", "2.0,yes,2026", "nan,yes,2026", ":3: speed_mps"),
        ("volunteers.csv", "2.0,yes,2026", "1_0,yes,2026", ":3: speed_mps: '1_0': is no number"),
        ("volunteers.csv", "10,5,0,0,10", "5,10,0,0,10", ":2: accepted_day"),
        ("volunteers.csv", "10,5,0,0,10", "1.5,1,0,0,10", ":2: asked_day: '1.5': is no whole"),
        ("volunteers.csv", "bo,", "ann,", ":3: id"),
        ("volunteers.csv", ",answer_s", ",reply_s", ":1: answer_s"),
        ("volunteers.csv", ",answer_s", ",answer_s,lon", ":1: lon"),
        ("volunteers.csv", "2025-01-01", "01/01/2025", ":5: certificate_until"),
        ("aeds.csv", "24:00", "25:00", ":2: closes"),
        ("aeds.csv", "00:00,", "T0000,", ":2: opens"),
        ("aeds.csv", "00:00,", "0000Z,", ":2: opens"),
        ("aeds.csv", "24:00", "00:00", ":2: closes"),
        ("streets.geojson", "LineString", "Point", "LineString"),
        ("streets.geojson", "{", "", "GeoJSON"),
        ("streets.geojson", '"coordinates": [[', '"coordinates": [[1], [', "GeoJSON"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line_with_its_place(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    file: str,
    old: str,
    new: str,
    said: str,
) -> None:
    words = files(tmp_path)
    path = tmp_path / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    assert cli.main(words) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert said in line


@pytest.mark.parametrize(
    "corners", [[], [[120.44, 23.48]], [[120.44, 23.48]] * 2, [[120.44, 23.48], [120.44, 23.48, 7]]]
)
def test_streets_that_lead_nowhere_are_no_streets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], corners: list[list[float]]
) -> None:
    words = files(tmp_path)
    nowhere = {"type": "LineString", "coordinates": corners}
    (tmp_path / "streets.geojson").write_text(json.dumps(nowhere), "utf-8")
    assert cli.main(words) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "not one LineString" in line
    street = {"type": "LineString", "coordinates": [list(each) for each in STREET[0]]}
    both = {"type": "GeometryCollection", "geometries": [nowhere, street]}
    (tmp_path / "streets.geojson").write_text(json.dumps(both), "utf-8")
    assert cli.main(words) == 0


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--at", "23.48"),
        ("--at", "23.48,120.44"),
        ("--time", "noon"),
        ("--time", "2026-03-01T12:00"),
        ("--time", "9999-12-31T23:59:59+08:00"),
        ("--time", "0001-01-01T00:00:00+08:00"),
    ],
)
def test_a_wrong_option_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    words = files(tmp_path)
    words[words.index(option) + 1] = value
    assert cli.main(words) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "bad-dispatch-option" in line


def test_candidates_of_a_plan_can_be_chosen_otherwise() -> None:
    """The seam for a better choice: candidates alone say everything."""
    found = plan([volunteer("a", at(50)), volunteer("b", at(80))], [Aed("hall", at(70))])
    assert list(choose(found.candidates)) == list(found.phases)
    assert list(choose([replace(one, accepts=0.99) for one in found.candidates]))


def test_a_vertex_at_the_equator_costs_no_memory() -> None:
    """One wrong vertex in each of many streets: half a world each, sampled every 50 m."""
    wrong = [[at(10.0 * n, 20.0), (0.0, 0.0)] for n in range(300)]
    found = network([*STREET, *wrong], HERE)
    assert len(found.sampled) < 700_000
    (phase,) = plan([volunteer("v1", at(100))], lines=[*STREET, *wrong]).phases
    assert [call.who for call in phase.calls] == ["v1"]
