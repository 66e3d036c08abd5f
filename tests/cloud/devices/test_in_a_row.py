"""However shelves are renewed and chained, a device on which lives hang comes back into use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_city import City
from vigil_cloud.alerts import aside, shelving
from vigil_cloud.database.engine import writing
from vigil_cloud.devices import in_a_row
from vigil_cloud.devices.in_a_row import LONGEST_SHELVED, REST, AsideTooLong, Span

START = datetime(2026, 5, 1, tzinfo=UTC)
HOURS = st.integers(0, 40).map(lambda number: timedelta(hours=number))


@given(st.lists(st.tuples(HOURS, HOURS, st.booleans(), HOURS), max_size=30))
def test_between_two_rests_it_is_put_aside_for_so_long_at_most(asked: list[Any]) -> None:
    """``asked``: how long to wait, for how long to put it aside, whether it is taken back, when."""
    now, spans = START, list[Span]()
    for wait, length, back, after in asked:
        now += wait
        try:
            in_a_row.check(in_a_row.since(spans, now), now + length, LONGEST_SHELVED)
        except AsideTooLong:
            continue
        ends = now + min(length, after) if back else now + length
        spans.append(Span(now, ends))
    rows: list[Span] = []
    for span in sorted(spans, key=lambda one: one.begun):
        if span.begun == span.ends:
            continue
        if rows and span.begun < rows[-1].ends + REST:
            rows[-1] = Span(rows[-1].begun, max(rows[-1].ends, span.ends))
        else:
            rows.append(span)
    assert all(row.ends - row.begun <= LONGEST_SHELVED for row in rows)


def put_aside(city: City, device: str, hours: float, kind: str = "shelved", **more: Any) -> Any:
    until = (city.time + timedelta(hours=hours)).isoformat()
    asked = {"kind": kind, "reason": "it beeps", "until": until, **more}
    return city.client("maintainer").post(f"/api/v1/devices/{device}/shelves", json=asked)


def pass_time(city: City, hours: float) -> None:
    city.later(hours=hours)
    for name in ("maintainer", "administrator"):  # sessions end when nobody uses them for so long
        city.client(name)
        city.sign_in_anew(name)
    with writing(city.services.sessions) as session:
        shelving.sweep(session, city.time)
        aside.sweep(session, city.time)


def told(city: City) -> list[str]:
    return [
        one["title"]
        for one in city.listed("administrator", domain="platform")
        if one["kind"] == "aside-long" and one["state"]["active"]
    ]


def test_a_smoke_alarm_is_not_shelved_for_ever(city: City) -> None:
    assert put_aside(city, "alarm-1", 24).status_code == 201
    assert told(city) == []
    pass_time(city, 24)
    assert put_aside(city, "alarm-1", 24).status_code == 201
    assert told(city) == ["Put aside again, 48 hours in a row: Chen home"]
    pass_time(city, 20)
    assert put_aside(city, "alarm-1", 24).status_code == 201, "before the one before has ended"
    pass_time(city, 23.5)
    refused = put_aside(city, "alarm-1", 24)
    assert (refused.status_code, refused.json()["code"]) == (422, "aside-too-long")
    assert refused.json()["data"]["longest_hours"] == 72
    work = put_aside(city, "alarm-1", 4, "out-of-service")
    assert work.status_code == 201, "whoever comes to mend it may work on it"
    pass_time(city, 5)
    assert told(city) == [], "in use again"
    pass_time(city, 13)
    assert put_aside(city, "alarm-1", 24).status_code == 201


@pytest.mark.parametrize("by", ["hand", "time"])
def test_work_is_not_renewed_for_ever(city: City, by: str) -> None:
    for _ in range(3):
        made = put_aside(city, "alarm-1", 8, "out-of-service")
        assert made.status_code == 201
        pass_time(city, 8 if by == "time" else 7.9)
        if by == "hand":
            path = f"/api/v1/devices/alarm-1/shelves/{made.json()['id']}/end"
            assert city.client("maintainer").post(path, json={}).status_code == 200
    assert put_aside(city, "alarm-1", 8, "out-of-service").status_code == 422
    short = city.client("administrator").post(
        "/api/v1/devices/alarm-1/service",
        json={"until": (city.time + timedelta(hours=8)).isoformat()},
    )
    assert short.status_code == 422, "nor by the short form"


def test_what_no_life_hangs_on_may_stay_aside(city: City) -> None:
    for _ in range(4):
        assert put_aside(city, "sonde-1", 24 * 30).status_code == 201
        pass_time(city, 24 * 30)
    assert told(city) == []
